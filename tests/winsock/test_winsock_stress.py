"""Random lives on bad networks: what must hold, holds. A failing test has its seed in its name."""

import copy
from itertools import combinations_with_replacement
from random import Random

import pytest

from mpwire.core import TimerPlan
from mpwire.testing.actor import admit, drain_events, invite, leaf_actor, root_actor, waiting_leaf
from mpwire.testing.bus import Bus
from mpwire.testing.mangling import mutant
from mpwire.testing.world import World

NETWORKS = {
    "perfect": (0.0, 0.0, 0.0),
    "reordering": (0.0, 0.0, 1.0),
    "duplicating": (0.0, 0.4, 0.05),
    "losing": (0.3, 0.0, 0.0),
    "awful": (0.3, 0.3, 3.0),
}
"""Loss, duplication, and jitter in seconds."""


def bus_of(network: str, seed: int, plan: TimerPlan | None = None) -> Bus:
    """Open a bus with the faults of a network."""
    loss, duplication, jitter_s = NETWORKS[network]
    return Bus(seed, loss=loss, duplication=duplication, jitter_s=jitter_s, plan=plan)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", range(30))
def test_whatever_sockets_do_both_ends_agree_in_the_end(network: str, seed: int) -> None:
    world = World(bus_of(network, seed))
    world.live(steps=200)
    world.settle()
    world.check()
    world.settle(close_all=True)
    world.check()
    world.check_nothing_left()


@pytest.mark.parametrize("seed", range(30))
def test_whatever_peers_say_nothing_is_raised_and_nothing_is_left(seed: int) -> None:
    world, random = World(Bus(seed, duplication=0.1), honest=False), Random(seed)
    for _ in range(60):
        world.live(steps=3)
        for _ in range(3 if world.bus.trace else 0):
            world.bus.inject(mutant(random, world.bus.trace[-40:]))
    world.settle(close_all=True)
    world.check_nothing_left()
    for life in world.lives:
        assert life.connects <= life.joins
        assert life.closes <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_copied_world_goes_on_exactly_alike(seed: int) -> None:
    world = World(bus_of("awful", seed))
    world.live(steps=60)
    twin = copy.deepcopy(world)
    for one in (world, twin):
        one.live(steps=60)
        one.settle(close_all=True)
    assert world.bus.trace == twin.bus.trace
    assert [life.events for life in world.lives] == [life.events for life in twin.lives]
    twin.check_nothing_left()


@pytest.mark.parametrize("seed", range(20))
def test_on_a_network_that_loses_nothing_every_message_comes_before_the_close(seed: int) -> None:
    bus = Bus(seed, duplication=0.3, jitter_s=0.5)
    root, asker, waiter = root_actor(bus), leaf_actor(bus, 1), waiting_leaf(bus, 2)
    asker.join(root)
    root.join(waiter)
    bus.run(5)
    root.accept()
    session_end = waiter.accept()
    bus.run(5)
    sent = [b"%d" % number for number in range(20)]
    for message in sent:
        root.send(message)
        asker.send(message)
        bus.run(0.01)
    root.shutdown()
    bus.run(30)
    for leaf in (asker, session_end):
        assert sorted(leaf.recv_all(), key=int) == sent
        assert leaf.events()[-1] == "FD_CLOSE"
    assert sorted(root.recv_all(), key=int) == sent


@pytest.mark.parametrize("network", NETWORKS)
def test_faster_timers_change_nothing_but_the_time(network: str) -> None:
    world = World(bus_of(network, 3, TimerPlan().scaled(0.1)))
    world.live(steps=200)
    world.settle()
    world.check()


# Loss of chosen datagrams ---------------------------------------------------------------------


def a_whole_session(lost: tuple[int, ...] = ()) -> tuple[list[str], int]:
    """Run one session without some datagrams; return what happened and how many were sent."""
    bus = Bus(seed=5)
    bus.judge = lambda _: len(bus.trace) not in lost
    root, asker, waiter = root_actor(bus), leaf_actor(bus, 1), waiting_leaf(bus, 2)
    asker.join(root)
    bus.run(10)
    handle = root.accept()
    bus.run(10)
    other = root.join(waiter)
    bus.run(10)
    session_end = waiter.accept()
    bus.run(10)
    happened = [str(actor.events()) for actor in (root, asker, waiter, handle, other, session_end)]
    drain_events(root)
    asker.close()
    bus.run(10)
    root.shutdown()
    bus.run(60)
    happened += [str(actor.events()) for actor in (root, handle, other, session_end)]
    return happened, len(bus.trace)


def test_a_session_survives_the_loss_of_any_two_datagrams() -> None:
    expected, count = a_whole_session()
    assert "FD_CLOSE" in str(expected)
    for lost in combinations_with_replacement(range(count), 2):
        happened, _ = a_whole_session(lost)
        assert happened == expected, lost


@pytest.mark.parametrize("k", range(4))
def test_late_leaves_of_a_busy_session_are_served(k: int) -> None:
    bus = Bus(seed=k, loss=0.2)
    root = root_actor(bus, backlog=10)
    leaves = [leaf_actor(bus, number) for number in range(10)]
    for leaf in leaves:
        leaf.join(root)
    for _ in range(400):
        bus.run(0.5)
        if "FD_ACCEPT" in root.events():
            root.accept()
    joined = [leaf for leaf in leaves if leaf.events()[:1] == ["FD_CONNECT"]]
    assert len(joined) >= 8
    bus.loss = 0.0
    for leaf in joined:
        leaf.close()
    bus.run(100)
    admit(root, leaf_actor(bus, 99))
    invite(root, waiting_leaf(bus, 98))
