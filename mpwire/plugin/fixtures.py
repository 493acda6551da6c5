"""Make a fixture that gives a lab which is started already, in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mpwire.plugin.lab import Lab


def lab_fixture(
    testbed_file: str | Path | None = None, /, **keys: object
) -> "Callable[[Lab], Lab]":
    """Make a fixture; its name is that of the variable it is put into.

    Args:
        testbed_file: see `Lab.start`.
        keys: likewise.
    """

    @pytest.fixture
    def started(lab: "Lab") -> "Lab":
        return lab.start(testbed_file, **keys)

    return started
