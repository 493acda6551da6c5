"""The bus: the same seed the same trace, faults as asked for, time that only moves forward."""

import pytest

from mpwire.testing.actor import admit, leaf_actor, root_actor
from mpwire.testing.bus import Bus
from mpwire.testing.world import World


def trace_of(seed: int) -> list[tuple[float, bytes]]:
    """Run a busy world and return what was on the wire."""
    world = World(Bus(seed, loss=0.1, duplication=0.1, jitter_s=0.3))
    world.live(steps=50)
    return [(transit.time_s, transit.data) for transit in world.bus.trace]


def test_the_same_seed_gives_the_same_trace() -> None:
    assert trace_of(1) == trace_of(1)
    assert trace_of(1) != trace_of(2)


def test_a_bus_names_its_seed() -> None:
    assert repr(Bus(seed=42)) == "Bus(seed=42)"


def test_a_perfect_bus_carries_everything_once_and_in_time() -> None:
    bus = Bus(delay_s=0.25)
    leaf = leaf_actor(bus, 1)
    leaf.join(root_actor(bus))
    bus.run(1.0)
    assert bus.names() == ["JoinReq", "Challenge", "JoinReq", "Pending"]
    assert [transit.time_s for transit in bus.trace] == [0.0, 0.25, 0.5, 0.75]
    assert {transit.copies for transit in bus.trace} == {1}
    assert bus.now_s == 1.0


@pytest.mark.parametrize(("loss", "duplication", "copies"), [(1.0, 0.0, 0), (0.0, 1.0, 2)])
def test_faults_are_as_likely_as_asked_for(loss: float, duplication: float, copies: int) -> None:
    bus = Bus(loss=loss, duplication=duplication)
    leaf_actor(bus, 1).join(root_actor(bus))
    bus.run(3.0)
    assert {transit.copies for transit in bus.trace} == {copies}


def test_a_judge_decides_alone() -> None:
    bus = Bus(loss=1.0)
    bus.judge = lambda transit: transit.name != "Pending"
    leaf_actor(bus, 1).join(root_actor(bus))
    bus.run(0.5)
    assert [transit.copies for transit in bus.trace] == [1, 1, 1, 0]


def test_jitter_reorders() -> None:
    bus = Bus(seed=3)
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf)
    bus.jitter_s = 1.0
    bus.trace.clear()
    for number in range(9):
        root.send(b"%d" % number)
    bus.run(6.0)
    assert "Nack" in {transit.name for transit in bus.trace}, "what comes too late is asked for"
    assert leaf.recv_all() == [b"%d" % number for number in range(9)]


def test_what_goes_nowhere_is_lost_quietly() -> None:
    bus = Bus()
    leaf_actor(bus, 1).join(("10.9.9.9", 1))
    bus.run(1.5)
    assert bus.names() == ["JoinReq", "JoinReq"]


def test_a_run_that_never_ends_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpwire.testing.bus.MAXIMUM_STEPS", 3)
    bus = Bus(seed=8)
    leaf_actor(bus, 1).join(("10.9.9.9", 1))
    with pytest.raises(AssertionError, match=r"Bus\(seed=8\): no end after 3 steps"):
        bus.run(100)
