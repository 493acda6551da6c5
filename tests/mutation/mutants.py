"""Which mutants there are: small changes of the source, made by the operators of cosmic-ray."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

ROOT: Final = Path(__file__).parents[2]
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

    def source(self) -> str:
        """Return the module's source as it is."""
        return dict(modules())[self.module].read_text("utf-8")

    def mutated(self) -> str:
        """Return the module's source with the change."""
        from cosmic_ray.mutating import mutate_code

        made: str | None = mutate_code(self.source(), _operator(self.operator), self.occurrence)
        assert made is not None
        return made

    def difference(self) -> tuple[str, str]:
        """Return the line that changes, before and after."""
        pairs = zip(self.source().splitlines(), self.mutated().splitlines(), strict=False)
        return next(((a.strip(), b.strip()) for a, b in pairs if a != b), ("", ""))


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the modules that are mutated, with their files."""
    for package in PACKAGES:
        for path in sorted((ROOT / "mpwire" / package).glob("*.py")):
            if path.name not in {"__init__.py", "diagrams.py"}:
                yield f"mpwire.{package}.{path.stem}", path


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of every module."""
    for module, path in modules():
        source = path.read_text("utf-8")
        for operator in OPERATORS:
            yield from _of_operator(module, source, operator)


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
