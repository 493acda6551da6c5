"""All patches, and what there is to say of requirements without one."""

from typing import Final

import pytest

from tests.conformance import (
    breaks_admitting,
    breaks_calls,
    breaks_carrying,
    breaks_ending,
    breaks_events,
    breaks_gathering,
    breaks_inviting,
    breaks_joining,
    breaks_leaving,
    breaks_making,
    breaks_waiting,
)
from tests.conformance.registry import BREAKS

__all__ = ["BREAKS", "NOT_APPLICABLE", "OPEN", "break_requirement"]

REGISTERING: Final = (
    breaks_making,
    breaks_joining,
    breaks_waiting,
    breaks_inviting,
    breaks_admitting,
    breaks_gathering,
    breaks_carrying,
    breaks_leaving,
    breaks_ending,
    breaks_events,
    breaks_calls,
)
"""Importing them registers their patches."""
NOT_APPLICABLE: Final[dict[int, str]] = {}
"""Requirements that cannot be broken here, each with the reason."""
OPEN: Final[frozenset[int]] = frozenset()
"""Requirements that wait for what they speak of; may only shrink."""


def break_requirement(name: str, patch: pytest.MonkeyPatch) -> None:
    """Break a requirement by each of its patches, or by the one named, until it is undone.

    Args:
        name: "W10", or the name of a patch.
        patch: what is changed; undoing it mends everything.

    Raises:
        KeyError: there is no such patch.
    """
    found = {
        one.name: one
        for ones in BREAKS.values()
        for one in ones
        if name in {one.name, f"W{one.number}"}
    }
    if not found:
        raise KeyError(f"no patch is called {name}")
    for one in found.values():
        one.apply(patch)
