"""Several descriptors of one socket: it ends with the last of them (W84)."""

import pytest

from mpwire.testing.actor import Actor, Party, admit, fails, leaf_actor, root_actor, waiting_leaf
from mpwire.testing.bus import Bus
from mpwire.vocabulary import WsaError
from mpwire.winsock.base import Blocked
from mpwire.winsock.record import FD_READ

E = WsaError


def duplicate(actor: Actor) -> Actor:
    return actor.on(actor.provider.duplicate(actor.handle))


@pytest.mark.w(84)
@pytest.mark.parametrize("first", [0, 1])
def test_a_socket_ends_with_its_last_descriptor(bus: Bus, first: int) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    both = [leaf, duplicate(leaf)]
    both[first].close()
    bus.run(60)
    assert handle.events() == []
    other = both[1 - first]
    with fails(E.WSAENOTSOCK):
        both[first].send()
    other.send()
    bus.run(0.1)
    assert root.recv() == b"hello"
    other.close()
    bus.run(1.0)
    assert handle.events() == ["FD_CLOSE"]


@pytest.mark.w(84)
def test_a_root_ends_with_its_last_descriptor(party: Party) -> None:
    root = party.root
    copies = [root, duplicate(root), duplicate(root)]
    for copy in copies[:2]:
        copy.close()
        root.bus.run(1.0)
        assert party.events() == {}
    assert copies[2].address == ("10.0.0.1", 61717)
    copies[2].close()
    root.bus.run(1.0)
    told = party.events()
    assert told == {name: ["FD_CLOSE"] for name in ("P1", "P2", "P3", "L1", "L2", "L3")}


@pytest.mark.w(84)
def test_duplicates_share_record_mode_and_messages(party: Party) -> None:
    leaf = party.ends[0]
    other = duplicate(leaf)
    party.root.send(b"one")
    party.root.send(b"two")
    leaf.bus.run(0.1)
    assert other.events() == ["FD_READ"]
    assert leaf.events() == []
    assert other.recv() == b"one"
    assert leaf.events() == ["FD_READ"]
    assert leaf.recv() == b"two"
    other.select(FD_READ, event_object=77)
    assert leaf.provider.sockets[leaf.handle].record.event_object == 77
    leaf.block()
    assert isinstance(other.start_recv(), Blocked)


@pytest.mark.w(84)
def test_signals_and_waiting_calls_survive_the_first_descriptor(party: Party) -> None:
    leaf, provider = party.ends[0], party.ends[0].provider
    provider.signalled.clear()
    other = duplicate(leaf)
    party.root.send()
    leaf.bus.run(0.1)
    leaf.close()
    assert provider.take_signal(leaf.handle) == [other.handle]
    assert other.events() == ["FD_READ"]
    other.recv()
    other.block()
    third = duplicate(other)
    waiting = other.start_recv()
    other.close()
    assert third.outcome(waiting) is None
    party.root.send(b"late")
    leaf.bus.run(0.1)
    assert third.outcome(waiting) == b"late"


@pytest.mark.w(83, 84)
def test_the_last_close_ends_what_waits(party: Party) -> None:
    leaf = party.ends[0].block()
    other, third = duplicate(leaf), duplicate(leaf)
    waiting = leaf.start_recv()
    selecting = leaf.provider.select([leaf.handle], [], [], 0.0)
    assert isinstance(selecting, Blocked)
    leaf.close()
    assert third.outcome(selecting) is E.WSAENOTSOCK
    third.close()
    assert other.outcome(waiting) is None
    other.close()
    assert other.outcome(waiting) is E.WSA_OPERATION_ABORTED


@pytest.mark.w(84)
def test_other_waiting_calls_are_left_alone(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    waiting = leaf.on(leaf.provider.socket(leaf.provider.sockets[leaf.handle].flags))
    waiting.bind().listen().block()
    accepting = waiting.start_accept()
    duplicate(leaf)
    leaf.close()
    assert leaf.provider.blocked[accepting.token].handle == waiting.handle


@pytest.mark.w(48, 84)
def test_duplicates_are_descriptors_too(bus: Bus) -> None:
    root = root_actor(bus)
    with fails(E.WSAENOTSOCK):
        root.provider.duplicate(99)
    with fails(E.WSAEINVAL):
        duplicate(root.join(waiting_leaf(bus, 1)))
    root.provider.maximum_sockets = 3
    duplicate(root)
    with fails(E.WSAEMFILE):
        duplicate(root)
