"""Named patches: one rule of the product broken each, for proving that the walk can refute.

A patch is applied for the time of one walk and taken back after it. `invariant` is what has to be
refuted, in `scenario`, and no other is as good: a checker that fails for another reason proves
nothing about the rule.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from mpwire.testing.exploration.invariants import Invariant


class Swap:
    """Replace attributes and entries of the product, and put everything back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def attribute(self, owner: Any, name: str, value: object) -> None:
        """Replace an attribute of a class or a module."""
        before = getattr(owner, name)
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    def entry(self, owner: dict[Any, Any], key: object, value: object) -> None:
        """Replace an entry of a table."""
        before = owner[key]
        self._undo.append(lambda: owner.__setitem__(key, before))
        owner[key] = value

    def undo(self) -> None:
        """Put everything back, the last change first."""
        while self._undo:
            self._undo.pop()()


Apply: TypeAlias = Callable[[Swap], None]


@dataclass(frozen=True, slots=True)
class Patch:
    """One rule of the product, broken."""

    name: str
    about: str
    scenario: str
    """Where it must be refuted."""
    invariant: Invariant
    """What must be refuted."""
    apply: Apply


PATCHES: Final[dict[str, Patch]] = {}


def patch(scenario: str, invariant: Invariant) -> Callable[[Apply], Apply]:
    """Register a patch under the name of its function; its docstring says what it breaks."""

    def register(apply: Apply) -> Apply:
        name = apply.__name__.replace("_", "-")
        PATCHES[name] = Patch(name, apply.__doc__ or "", scenario, invariant, apply)
        return apply

    return register


@contextmanager
def patched(name: str | None) -> Iterator[None]:
    """Break a rule for as long as the block lasts; nothing is broken for None."""
    swap = Swap()
    try:
        if name is not None:
            PATCHES[name].apply(swap)
        yield
    finally:
        swap.undo()
