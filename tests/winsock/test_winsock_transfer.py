"""WSPSend and WSPRecv of group data over a rooted data plane (W56-W58, W60, W62, W71-W75)."""

from dataclasses import FrozenInstanceError

import pytest

from mpwire.testing.actor import (
    C_LEAF,
    Actor,
    admit,
    drain_events,
    fails,
    invite,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, NetworkEvent, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock.base import Message
from mpwire.wire.messages import Data
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS

E = WsaError
READ = NetworkEvent.FD_READ


def session(bus: Bus, count: int = 3) -> tuple[Actor, list[Actor], list[Actor]]:
    """Open a root with so many leaves; return R, every P and every L."""
    root = root_actor(bus)
    leaves = [leaf_actor(bus, number) for number in range(1, count + 1)]
    handles = [admit(root, leaf) for leaf in leaves]
    return root, handles, leaves


@pytest.mark.w(56, 60)
def test_what_the_root_sends_reaches_every_leaf_once(bus: Bus) -> None:
    root, handles, leaves = session(bus)
    assert root.send(b"one") == 3
    root.send(b"two")
    bus.run(0.1)
    for leaf in leaves:
        assert leaf.events() == ["FD_READ"]
        assert leaf.recv_all() == [b"one", b"two"]
    for handle in handles:
        assert handle.events() == []


@pytest.mark.w(57, 58, 60)
def test_what_leaves_send_reaches_the_root_only(bus: Bus) -> None:
    root, handles, leaves = session(bus)
    for number, leaf in enumerate(leaves):
        leaf.send(bytes((number,)))
    bus.run(0.1)
    assert root.events() == ["FD_READ"]
    assert sorted(root.recv_all()) == [b"\0", b"\1", b"\2"]
    for actor in (*handles, *leaves):
        assert actor.events() == []


@pytest.mark.w(56)
def test_a_late_leaf_gets_nothing_older(bus: Bus) -> None:
    """D35: no history."""
    root, _, (first,) = session(bus, 1)
    root.send(b"before")
    late = leaf_actor(bus, 9)
    admit(root, late)
    root.send(b"after")
    bus.run(0.1)
    assert first.recv_all() == [b"before", b"after"]
    assert late.recv_all() == [b"after"]


@pytest.mark.w(60, 61)
def test_the_roots_handles_carry_no_data(bus: Bus) -> None:
    """D36: no side chat."""
    root, (handle,), _ = session(bus, 1)
    for call in (handle.send, handle.recv):
        with fails(E.WSAEOPNOTSUPP):
            call()
    plain = root.on(root.provider.socket(SocketFlag(0)))
    with fails(E.WSAEOPNOTSUPP):
        plain.send()


@pytest.mark.w(62)
def test_a_receiver_only_leaf_does_not_send(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root, JoinFlag.RECEIVER_ONLY)
    bus.run(0.1)
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT"]
    with fails(E.WSAEOPNOTSUPP):
        leaf.send()
    root.send(b"down")
    bus.run(0.1)
    assert leaf.recv() == b"down"


@pytest.mark.w(62)
def test_a_sender_only_leaf_does_not_receive(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root, JoinFlag.SENDER_ONLY)
    bus.run(0.1)
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]
    assert root.events() == ["FD_ACCEPT"]
    assert root.send(b"to nobody") == 9
    leaf.send(b"up")
    bus.run(0.1)
    assert bus.names().count("Data") == 1
    assert leaf.events() == []
    with fails(E.WSAEOPNOTSUPP):
        leaf.recv()
    assert root.recv() == b"up"


@pytest.mark.w(62)
def test_a_sender_only_root_receives_from_nobody(bus: Bus) -> None:
    root = root_actor(bus)
    invite(root, waiting_leaf(bus, 1), JoinFlag.SENDER_ONLY)
    leaf = leaf_actor(bus, 2)
    admit(root, leaf)
    leaf.send(b"unwanted")
    bus.run(0.1)
    assert root.events() == []
    with fails(E.WSAEOPNOTSUPP):
        root.recv()


@pytest.mark.w(62, 95)
def test_a_receiver_only_root_is_never_writable(bus: Bus) -> None:
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    root.join(leaf, JoinFlag.RECEIVER_ONLY)
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT"]
    admit(root, leaf_actor(bus, 2))
    assert root.events() == []
    with fails(E.WSAEOPNOTSUPP):
        root.send()


def test_who_is_not_joined_cannot_talk(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    unbound = leaf.on(leaf.provider.socket(C_LEAF)).select()
    for actor in (root, leaf, unbound):
        for call in (actor.send, actor.recv):
            with fails(E.WSAENOTCONN):
                call()


def test_messages_have_a_limit(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    for actor in (root, leaf):
        assert actor.send(bytes(MAX_PAYLOAD_OCTETS)) == MAX_PAYLOAD_OCTETS
        with fails(E.WSAEMSGSIZE):
            actor.send(bytes(MAX_PAYLOAD_OCTETS + 1))
    assert leaf.send(b"") == 0
    bus.run(0.1)
    assert root.recv_all() == [bytes(MAX_PAYLOAD_OCTETS), b""]


def test_the_weakest_receiver_sets_the_limit(bus: Bus) -> None:
    """R88."""
    root, _, _ = session(bus, 2)
    endpoint = root.provider.endpoints[root.address]
    next(iter(endpoint.by_tag.values())).max_payload = 100
    with fails(E.WSAEMSGSIZE):
        root.send(bytes(101))
    root.send(bytes(100))


def test_sequence_numbers_of_an_origin_are_consecutive(bus: Bus) -> None:
    """R84: a message that is not sent takes no number."""
    root, _, (leaf, _) = session(bus, 2)
    for actor in (root, leaf):
        start = len(bus.trace)
        for _ in range(3):
            with fails(E.WSAEMSGSIZE):
                actor.send(bytes(2000))
            actor.send()
        bus.run(0.1)
        sent = [transit.message for transit in bus.trace[start:]]
        numbers = sorted({message.seq for message in sent if isinstance(message, Data)})
        assert [seq - numbers[0] for seq in numbers] == [0, 1, 2]


@pytest.mark.w(92, 94)
def test_reading_is_level_triggered(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    root.send(b"one")
    root.send(b"two")
    bus.run(0.1)
    assert leaf.events() == ["FD_READ"]
    assert leaf.events() == []
    root.send(b"three")
    bus.run(0.1)
    assert leaf.events() == []
    assert leaf.recv() == b"one"
    assert leaf.is_signalled()
    assert leaf.events() == ["FD_READ"]
    assert leaf.recv_all() == [b"two", b"three"]
    assert leaf.events() == ["FD_READ"]
    with fails(E.WSAEWOULDBLOCK):
        leaf.recv()
    assert leaf.events() == []


@pytest.mark.w(93)
def test_a_receive_that_fails_re_enables_too(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    root.send(b"one")
    bus.run(0.1)
    assert leaf.events() == ["FD_READ"]
    assert leaf.recv() == b"one"
    root.send(b"two")
    bus.run(0.1)
    assert leaf.events() == ["FD_READ"]
    leaf.recv()
    with fails(E.WSAEWOULDBLOCK):
        leaf.recv()
    root.send(b"three")
    bus.run(0.1)
    assert leaf.events() == ["FD_READ"]


@pytest.mark.w(95)
def test_writable_once_and_not_per_send(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    for actor in (root, leaf):
        for _ in range(5):
            actor.send()
        bus.run(0.1)
        drain_events(root, leaf)
    admit(root, leaf_actor(bus, 2))
    for actor in (root, leaf):
        assert actor.events() == []


# Blocking -------------------------------------------------------------------------------------


def test_a_blocking_receive_waits_for_a_message(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    leaf.block()
    first, second = leaf.start_recv(), leaf.start_recv()
    root.send(b"one")
    bus.run(0.1)
    assert leaf.outcome(first) == b"one"
    assert leaf.outcome(second) is None
    root.send(b"two")
    bus.run(0.1)
    assert leaf.outcome(second) == b"two"
    root.send(b"three")
    bus.run(0.1)
    assert leaf.recv() == b"three"


@pytest.mark.w(75)
def test_a_blocking_receive_ends_with_the_session(bus: Bus) -> None:
    root, _, (one, two) = session(bus, 2)
    graceful, abortive = one.block().start_recv(), two.block().start_recv()
    also = one.start_recv()
    bus.judge = lambda transit: transit.destination == one.address
    root.close()
    bus.run(0.1)
    assert one.outcome(graceful) is one.outcome(also) is E.WSAEDISCON
    assert two.outcome(abortive) is None
    bus.run(100)
    assert two.outcome(abortive) is E.WSAECONNABORTED


@pytest.mark.w(79)
def test_a_blocking_receive_ends_with_its_own_shutdown(bus: Bus) -> None:
    _, _, (leaf,) = session(bus, 1)
    waiting = leaf.block().start_recv()
    leaf.shutdown(ShutdownHow.RECEIVE)
    assert leaf.outcome(waiting) is E.WSAESHUTDOWN


# The end of data ------------------------------------------------------------------------------


@pytest.mark.w(71, 73, 74)
def test_unread_data_comes_before_the_close(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    messages = [b"1", b"2", b"3"]
    for message in messages:
        root.send(message)
    root.close()
    bus.run(0.1)
    for message in messages:
        assert leaf.events() == ["FD_READ"]
        assert leaf.recv() == message
    assert leaf.events() == ["FD_CLOSE"]
    with fails(E.WSAEDISCON):
        leaf.recv()
    assert leaf.events() == []


@pytest.mark.w(73)
def test_data_nobody_will_read_does_not_hide_the_close(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    root.send(b"unread")
    root.close()
    bus.run(0.1)
    assert leaf.events() == ["FD_READ"]
    leaf.shutdown(ShutdownHow.RECEIVE)
    assert leaf.events() == ["FD_CLOSE"]


@pytest.mark.w(75)
def test_data_before_an_abort_can_still_be_read(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    root.send(b"unread")
    root.linger().close()
    bus.run(0.1)
    assert leaf.events() == ["FD_READ", "FD_CLOSE WSAECONNRESET"]
    assert leaf.recv() == b"unread"
    with fails(E.WSAECONNRESET):
        leaf.recv()
    with fails(E.WSAECONNRESET):
        leaf.send()


@pytest.mark.w(71)
def test_data_that_is_missing_is_repaired_before_the_end(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    bus.judge = lambda transit: transit.name != "Data"
    root.send(b"late")
    root.close()
    bus.run(1)
    assert leaf.events() == []
    with fails(E.WSAENOTCONN):
        leaf.send()
    with fails(E.WSAEWOULDBLOCK):
        leaf.recv()
    bus.judge = None
    bus.run(2)
    assert leaf.events() == ["FD_READ"]
    assert leaf.recv() == b"late"
    assert leaf.events() == ["FD_CLOSE"]


@pytest.mark.w(71, 72)
def test_data_that_never_comes_is_waited_for_a_while(bus: Bus) -> None:
    """T_DRAIN is over before the wait for the fifth copy of CLOSE, 7 s after the first."""
    root, _, (leaf,) = session(bus, 1)
    bus.judge = lambda transit: transit.name != "Data"
    root.send(b"late")
    root.close()
    bus.run(12.2)
    assert leaf.events() == []
    bus.run(1.6)
    assert leaf.events() == ["FD_CLOSE WSAECONNABORTED"]


@pytest.mark.w(70, 78)
def test_a_leaf_whose_root_is_gone_cannot_send(bus: Bus) -> None:
    root, _, (leaf,) = session(bus, 1)
    root.close()
    bus.run(0.1)
    assert leaf.events() == ["FD_CLOSE"]
    with fails(E.WSAENOTCONN):
        leaf.send()


def test_what_was_received_is_a_value() -> None:
    """Two of a kind are one in a set, and nobody changes what others may hold."""
    first, second = (Message(b"one", private=False, origin=5) for _ in range(2))
    assert {first} == {second}
    with pytest.raises(FrozenInstanceError):
        first.payload = b"two"  # type: ignore[misc]
