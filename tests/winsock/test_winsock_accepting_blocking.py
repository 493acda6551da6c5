"""WSPAccept on a blocking socket (W20, W28, W42, W46, W48)."""

import pytest

from mpwire.testing.actor import (
    NOBODY,
    Actor,
    deferring,
    fails,
    leaf_actor,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import WsaError
from mpwire.winsock import Accepted

E = WsaError


def asking(bus: Bus, root: Actor, *numbers: int) -> list[Actor]:
    """Let leaves ask, one after the other."""
    leaves = [leaf_actor(bus, number) for number in numbers]
    for leaf in leaves:
        leaf.join(root)
        bus.run(0.1)
    return leaves


# Blocking accepts -----------------------------------------------------------------------------


@pytest.mark.w(20, 46)
def test_a_blocking_accept_waits_for_a_request(bus: Bus) -> None:
    root, leaf = root_actor(bus).block(), leaf_actor(bus, 1)
    waiting = root.start_accept()
    bus.run(1)
    assert root.outcome(waiting) is None
    leaf.join(root)
    bus.run(0.1)
    value = root.outcome(waiting)
    assert isinstance(value, Accepted)
    assert root.on(value.socket).peer == leaf.address
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]


@pytest.mark.w(42, 43)
def test_a_blocking_accept_returns_what_the_condition_function_decides(bus: Bus) -> None:
    root = root_actor(bus).block()
    rejected = root.start_accept(rejecting)
    asking(bus, root, 1)
    assert root.outcome(rejected) is E.WSAECONNREFUSED
    deferred = root.start_accept(deferring)
    asking(bus, root, 2)
    assert root.outcome(deferred) is E.WSATRY_AGAIN


@pytest.mark.w(48)
def test_a_blocking_accept_without_a_descriptor_fails_once(bus: Bus) -> None:
    root = root_actor(bus).block()
    root.provider.maximum_sockets = 1
    waiting = root.start_accept()
    asking(bus, root, 1)
    assert root.outcome(waiting) is E.WSAEMFILE
    assert root.provider.blocked == {}


def test_blocking_accepts_are_served_in_order(bus: Bus) -> None:
    root = root_actor(bus).block()
    first, second = root.start_accept(), root.start_accept()
    one, two = asking(bus, root, 1, 2)
    for waiting, leaf in ((first, one), (second, two)):
        value = root.outcome(waiting)
        assert isinstance(value, Accepted)
        assert value.address == leaf.address


@pytest.mark.w(28, 83)
def test_blocking_accepts_end_with_their_listener(bus: Bus) -> None:
    root = root_actor(bus).block()
    interrupted, ended = root.start_accept(), root.start_accept()
    root.provider.cancel_blocking_call(interrupted.token, bus.now_s)
    assert root.outcome(interrupted) is E.WSAEINTR
    root.shutdown()
    assert root.outcome(ended) is E.WSAEINVAL
    leaf = waiting_leaf(bus, 1).block()
    closed = leaf.start_accept()
    leaf.close()
    assert leaf.outcome(closed) is E.WSA_OPERATION_ABORTED


@pytest.mark.w(20)
def test_blocking_ends_can_talk_right_after_accept(bus: Bus) -> None:
    root, leaf = root_actor(bus).block(), leaf_actor(bus, 1)
    waiting = root.start_accept()
    leaf.join(root)
    bus.run(0.0025)
    assert root.outcome(waiting) is None
    while root.outcome(waiting) is None:
        bus.run(0.0005)
    reading = root.start_recv()
    root.send(b"down")
    bus.run(0.1)
    leaf.send(b"up")
    bus.run(0.1)
    assert (leaf.recv(), root.outcome(reading)) == (b"down", b"up")
    with fails(E.WSAEISCONN):
        leaf.join(NOBODY)
