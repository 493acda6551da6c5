"""Requirements broken on purpose: one small patch each, to prove that a test watches it.

    @breaks(10)
    def root_gets_itself_back(patch: MonkeyPatch) -> None:
        \"\"\"WSPJoinLeaf on R returns R.\"\"\"

A patch changes the reference provider of this process until the MonkeyPatch is undone. It has to
break its requirement and leave the others alone, as far as they can be told apart; `python -m
tests.conformance` shows that a test marked with the number fails under it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pytest

MonkeyPatch: TypeAlias = pytest.MonkeyPatch
Original: TypeAlias = Callable[..., Any]
"""What a patch replaced; it is handed to the replacement as first argument."""
Apply: TypeAlias = Callable[[MonkeyPatch], None]


@dataclass(slots=True)
class Break:
    """One way to break one requirement."""

    number: int
    """The requirement: 10 for W10."""
    name: str
    about: str
    """What the provider does wrong, in one sentence."""
    apply: Apply


BREAKS: Final[dict[int, Break]] = {}


def breaks(number: int) -> Callable[[Apply], Apply]:
    """Register a patch under the name of its function; its docstring says what it breaks."""

    def register(apply: Apply) -> Apply:
        if number in BREAKS:
            raise ValueError(f"W{number} is broken twice")
        name = apply.__name__.replace("_", "-")
        BREAKS[number] = Break(number, name, (apply.__doc__ or "").partition("\n")[0], apply)
        return apply

    return register


def wrap(patch: MonkeyPatch, owner: object, name: str, wrong: Original) -> None:
    """Replace a function by one that gets the original before the arguments."""
    original = getattr(owner, name)

    def replacement(*arguments: object, **keywords: object) -> object:
        return wrong(original, *arguments, **keywords)

    patch.setattr(owner, name, replacement)
