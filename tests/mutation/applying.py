"""Change a module in a process that has imported it, or import everything anew with the change.

Most changes are inside of functions: then these get other code, wherever they are held already (in
tables, in classes, under other names), and nothing has to be imported again. What takes effect
while a module is imported (a constant, a default, a field, a function that a table is made with)
needs the endpoint to be imported anew.
"""

import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from types import CodeType, FunctionType, ModuleType
from typing import Final

import msgspec

from mpwire.sim import run_simulated
from tests.mutation.mutants import source_of

ENDPOINT: Final = ("mpwire.core", "mpwire.winsock", "mpwire.io", "mpwire.sim")
"""What is imported anew."""
Simulate = Callable[..., object]


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Give one module another source."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the one module."""
        del path, target
        if fullname != self._module:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the other source."""
        code = compile(self._source, f"<mutant of {self._module}>", "exec")
        exec(code, module.__dict__)  # noqa: S102 - that is what a mutant is


class Change(msgspec.Struct):
    """What becomes of a module, compiled."""

    module: str
    source: str
    digest: str
    """The same for changes that come to the same."""
    functions: list[tuple[list[FunctionType], CodeType]] | None
    """Those that differ, with their new code; None if something else does."""

    @property
    def is_none(self) -> bool:
        """Tell whether nothing that runs is different."""
        return self.functions == []


def change(module: str, source: str) -> Change:
    """Compile what a module is changed to."""
    new = compile(source, _file(module), "exec")
    digest = sha256(repr(_told(new)).encode()).hexdigest()[:20]
    try:
        pairs = [*_differing(_compiled(module), new)]
    except _MoreThanFunctions:
        return Change(module, source, digest, None)
    living = _functions(module) if pairs else []
    found = [([one for one in living if one.__code__ == was], becomes) for was, becomes in pairs]
    alive = all(functions for functions, _ in found)
    late = any(one.__name__ in _called(module) for functions, _ in found for one in functions)
    return Change(module, source, digest, found if alive and not late else None)


def applied(made: Change) -> Simulate:
    """Make a change in this process; return what runs simulations."""
    if made.functions is not None:
        for functions, code in made.functions:
            for function in functions:
                function.__code__ = code
        return run_simulated
    for name in [*sys.modules]:
        if name.startswith(ENDPOINT):
            del sys.modules[name]
    sys.meta_path.insert(0, _Changed(made.module, made.source))
    anew: Simulate = importlib.import_module("mpwire.sim").run_simulated
    return anew


class _MoreThanFunctions(Exception):  # noqa: N818 - a finding, no error
    """A module or a class does something else while it is imported."""


def _differing(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield functions of a module or class that differ, before and after."""
    if _own(old) != _own(new):
        raise _MoreThanFunctions
    for was, becomes in zip(_inner(old), _inner(new), strict=True):
        if was == becomes:
            continue
        if was.co_flags & inspect.CO_OPTIMIZED:
            yield was, becomes
        else:
            yield from _differing(was, becomes)


def _own(code: CodeType) -> tuple[object, ...]:
    values = [repr(one) for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code, values, code.co_names, len(_inner(code))


def _inner(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _told(code: object) -> object:
    """Write down all that a piece of code is, but for where it stands."""
    if not isinstance(code, CodeType):
        return repr(code)
    return code.co_name, code.co_code, code.co_names, [_told(one) for one in code.co_consts]


def _file(module: str) -> str:
    file = importlib.import_module(module).__file__
    assert file is not None
    return file


@cache
def _compiled(module: str) -> CodeType:
    return compile(source_of(module), _file(module), "exec")


@cache
def _functions(module: str) -> list[FunctionType]:
    """Return the functions of a module that there are."""
    file = _file(module)
    return [
        one
        for one in gc.get_objects()
        if type(one) is FunctionType and one.__code__.co_filename == file
    ]


@cache
def _called(module: str) -> frozenset[str]:
    """Name what a module calls while it is imported: other code would come too late for that."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*ast.parse(source_of(module)).body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
            found.add(one.func.id)
        if not isinstance(one, ast.FunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(one))
    return frozenset(found)
