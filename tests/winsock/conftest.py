"""A bus for every test, and a party of members on it."""

import pytest

from mpwire.testing.actor import Party
from mpwire.testing.bus import Bus


@pytest.fixture
def bus() -> Bus:
    """Give a network without faults."""
    return Bus(seed=1)


@pytest.fixture
def party(bus: Bus) -> Party:
    """Give a root with three leaves."""
    return Party(bus)
