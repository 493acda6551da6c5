"""Which mutants there are: small changes of the source, made by the operators of cosmic-ray."""

import ast
import random
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

ROOT: Final = Path(__file__).parents[2]
IMPORTED: Final = ""
"""Where a change is that takes effect while its module is imported: in no function."""
PACKAGES: Final = ("core", "winsock")
OPERATORS: Final = (
    "core/AddNot",
    "core/NumberReplacer",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBinaryOperator_Add_Sub",
    "core/ReplaceBinaryOperator_Sub_Add",
    "core/ReplaceBinaryOperator_Mul_Div",
    "core/ReplaceBinaryOperator_BitAnd_BitOr",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ReplaceComparisonOperator_Eq_NotEq",
    "core/ReplaceComparisonOperator_NotEq_Eq",
    "core/ReplaceComparisonOperator_Lt_LtE",
    "core/ReplaceComparisonOperator_LtE_Lt",
    "core/ReplaceComparisonOperator_Gt_GtE",
    "core/ReplaceComparisonOperator_GtE_Gt",
    "core/ReplaceComparisonOperator_Is_IsNot",
    "core/ReplaceComparisonOperator_IsNot_Is",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ZeroIterationForLoop",
)
"""One change of each kind; operators that differ only in degree are left out."""


class Mutant(msgspec.Struct, frozen=True):
    """One change of one module."""

    module: str
    """Such as "mpwire.core.pacing"."""
    operator: str
    occurrence: int
    line: int

    @property
    def name(self) -> str:
        """Name it so that it can be asked for again."""
        kind = self.operator.partition("/")[2]
        return f"{self.module}:{self.line}:{kind}#{self.occurrence}"

    @property
    def place(self) -> "Place":
        """Say what is changed: a statement of a function, or of the module."""
        return _places(self.module).get(self.line, Place(IMPORTED, self.line, self.line))

    def source(self) -> str:
        """Return the module's source as it is."""
        return source_of(self.module)

    def mutated(self) -> str:
        """Return the module's source with the change."""
        from cosmic_ray.mutating import mutate_code

        made: str | None = mutate_code(self.source(), _operator(self.operator), self.occurrence)
        assert made is not None
        return made

    def difference(self, mutated: str) -> tuple[str, str]:
        """Return the line that changes, before and after."""
        pairs = zip(self.source().splitlines(), mutated.splitlines(), strict=False)
        return next(((a.strip(), b.strip()) for a, b in pairs if a != b), ("", ""))


class Place(msgspec.Struct, frozen=True):
    """A statement, or the head of one that has a body."""

    function: str
    """Such as "Member.close", or IMPORTED."""
    first: int
    last: int
    """Lines."""


@cache
def source_of(module: str) -> str:
    """Return a module's source as it is."""
    return dict(modules())[module].read_text("utf-8")


@cache
def _places(module: str) -> dict[int, Place]:
    """Find the innermost statement of every line."""
    found: dict[int, Place] = {}
    _locate(ast.parse(source_of(module)).body, IMPORTED, "", found)
    return found


def _locate(
    statements: list[ast.stmt], function: str, prefix: str, found: dict[int, Place]
) -> None:
    for one in statements:
        blocks = _blocks(one)
        inner, name = function, prefix
        if isinstance(one, ast.ClassDef | ast.FunctionDef):
            name = f"{prefix}{one.name}."
            if isinstance(one, ast.FunctionDef):
                inner = inner or name[:-1]
        for first, last, body in blocks or [(one.lineno, one.end_lineno or one.lineno, [])]:
            place = Place(function, first, last)
            found.update(dict.fromkeys(range(first, last + 1), place))
            _locate(body, inner, name, found)


def _blocks(one: ast.stmt) -> list[tuple[int, int, list[ast.stmt]]]:
    """Take a compound statement apart: the lines of each head, and what stands under it."""
    if isinstance(one, ast.Match):
        cases = [(case.pattern.lineno, case.body[0].lineno - 1, case.body) for case in one.cases]
        return [(one.lineno, cases[0][0] - 1, []), *cases]
    if not isinstance(one, ast.If | ast.For | ast.While | ast.With | ast.Try | _DEFINITION):
        return []
    blocks = [(one.lineno, one.body[0].lineno - 1, one.body)]
    for more in (getattr(one, "orelse", []), getattr(one, "finalbody", [])):
        blocks += [(more[0].lineno, more[0].lineno - 1, more)] if more else []
    for handler in getattr(one, "handlers", []):
        blocks.append((handler.lineno, handler.body[0].lineno - 1, handler.body))
    return blocks


_DEFINITION = ast.ClassDef | ast.FunctionDef


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the modules that are mutated, with their files."""
    for package in PACKAGES:
        for path in sorted((ROOT / "mpwire" / package).glob("*.py")):
            if path.name not in {"__init__.py", "diagrams.py"}:
                yield f"mpwire.{package}.{path.stem}", path


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of every module."""
    for module, _ in modules():
        yield from mutants_of(module)


def drawn(everything: Sequence[Mutant], sample: int, seed: int) -> list[Mutant]:
    """Return all in an order that is drawn, or so many of them."""
    order = [*everything]
    random.Random(seed).shuffle(order)
    return order[:sample] if sample else order


def mutants_of(module: str) -> Iterator[Mutant]:
    """Yield every mutant of one module."""
    for operator in OPERATORS:
        yield from _of_operator(module, source_of(module), operator)


def _of_operator(module: str, source: str, operator: str) -> Iterator[Mutant]:
    from cosmic_ray.ast import Visitor, get_ast

    found: list[int] = []
    chosen = _operator(operator)

    class Counting(Visitor):  # type: ignore[misc]  # cosmic-ray has no types
        def visit(self, node: Any) -> Any:  # noqa: ANN401 - a node of parso
            found.extend(place[0][0] for place in chosen.mutation_positions(node))
            return node

    Counting().walk(get_ast(source))
    lines = source.splitlines()
    for occurrence, line in enumerate(found):
        if not _only_typing(lines[line - 1]):
            yield Mutant(module, operator, occurrence, line)


def _only_typing(line: str) -> bool:
    """Tell whether a line is nothing that runs: a signature or an annotation without a value."""
    text = line.strip()
    return text.startswith(("def ", "->", ") ->", "from ", "import ")) or (
        ":" in text and "=" not in text and text.endswith(("None", "]", "int", "str"))
    )


def _operator(name: str) -> Any:  # noqa: ANN401 - a class of cosmic-ray
    from cosmic_ray.plugins import get_operator

    return get_operator(name)()
