"""Requirements broken on purpose, by small patches, to prove that tests watch them.

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

from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError

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


BREAKS: Final[dict[int, list[Break]]] = {}
"""The patches of each requirement; one for each thing that its sentence says."""


def breaks(number: int) -> Callable[[Apply], Apply]:
    """Register a patch under the name of its function; its docstring says what it breaks."""

    def register(apply: Apply) -> Apply:
        name = apply.__name__.replace("_", "-")
        about = (apply.__doc__ or "").partition("\n")[0]
        BREAKS.setdefault(number, []).append(Break(number, name, about, apply))
        return apply

    return register


def wrap(patch: MonkeyPatch, owner: object, name: str, wrong: Original) -> None:
    """Replace a function by one that gets the original before the arguments."""
    original = getattr(owner, name)

    def replacement(*arguments: object, **keywords: object) -> object:
        return wrong(original, *arguments, **keywords)

    patch.setattr(owner, name, replacement)


def mistake(
    patch: MonkeyPatch, owner: object, name: str, code: WsaError, *, becomes: WsaError
) -> None:
    """Let a call that ought to fail with one code fail with another one."""

    def wrong(original: Original, *arguments: object, **keywords: object) -> object:
        try:
            return original(*arguments, **keywords)
        except SocketError as error:
            if error.code is code:
                raise SocketError(becomes, error.reason) from None
            raise

    wrap(patch, owner, name, wrong)
