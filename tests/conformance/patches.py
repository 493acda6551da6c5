"""All patches, and what there is to say of requirements without one."""

from typing import Final

import pytest

from tests.conformance import (
    breaks_admitting,
    breaks_carrying,
    breaks_ending,
    breaks_events,
    breaks_joining,
    breaks_making,
)
from tests.conformance.registry import BREAKS

__all__ = ["BREAKS", "NOT_APPLICABLE", "OPEN", "break_requirement"]

REGISTERING: Final = (
    breaks_making,
    breaks_joining,
    breaks_admitting,
    breaks_carrying,
    breaks_ending,
    breaks_events,
)
"""Importing them registers their patches."""
NOT_APPLICABLE: Final[dict[int, str]] = {}
"""Requirements that cannot be broken here, each with the reason."""
OPEN: Final = frozenset({17, 52, 53, 54, 55, 59, 61, 63, 65, 71, 80, 81, 84, 85, 96, 99})
"""Requirements that wait for what they speak of; may only shrink."""


def break_requirement(number: int, patch: pytest.MonkeyPatch) -> None:
    """Break one requirement of this process until the patch is undone."""
    BREAKS[number].apply(patch)
