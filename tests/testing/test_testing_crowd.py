"""Sessions of many leaves: every leaf costs what the first one did."""

import sys
from types import FrameType

import pytest

from mpwire.testing.bus import Bus
from mpwire.testing.crowd import WAVE, Crowd


def live(crowd: Crowd) -> None:
    """Take a session from its first join to its last timer."""
    crowd.join()
    crowd.tell()
    crowd.dismantle()
    crowd.forget()


@pytest.mark.parametrize("leaf_count", [1, WAVE + 1])
def test_every_leaf_sees_exactly_its_events(leaf_count: int) -> None:
    bus = Bus(seed=1)
    live(Crowd(bus, leaf_count))
    assert bus.names().count("Data") == leaf_count


def test_a_crowd_notices_what_is_too_much() -> None:
    crowd = Crowd(Bus(seed=1), 2)
    crowd.join()
    leaf, handle = crowd.leaves.popitem()
    leaf.close(handle, crowd.bus.now_s)
    with pytest.raises(AssertionError):
        live(crowd)


def test_nothing_is_traced_that_nobody_wants() -> None:
    crowd = Crowd(Bus(seed=1, traced=False), 1)
    live(crowd)
    assert crowd.bus.trace == []


def test_losing_the_root_leaves_the_leaves() -> None:
    crowd = Crowd(Bus(seed=1), 3)
    crowd.join()
    lost = crowd.root
    crowd.lose_root()
    assert lost not in crowd.bus.providers.values()
    crowd.bus.run(1000.0)
    for leaf, handle in crowd.leaves.items():
        assert [event.name for event, _ in leaf.enum_network_events(handle)] == ["FD_CLOSE"]


def calls_per_leaf(leaf_count: int) -> float:
    """Return how many functions a session calls per leaf."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    crowd = Crowd(Bus(seed=1, traced=False), leaf_count)
    profiler = sys.getprofile()
    sys.setprofile(note)
    try:
        live(crowd)
    finally:
        sys.setprofile(profiler)
    return count / leaf_count


def test_ten_times_the_leaves_cost_ten_times_the_calls() -> None:
    """Whatever looks at every leaf for one event would show: no time is measured."""
    assert calls_per_leaf(10 * WAVE // 2) < 1.05 * calls_per_leaf(WAVE // 2)
