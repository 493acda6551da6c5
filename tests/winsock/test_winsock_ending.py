"""WSPShutdown and WSPCloseSocket: leaving, expelling, dismantling, aborting (W66-W85)."""

from collections.abc import Callable

import pytest

from mpwire.testing.actor import (
    NOBODY,
    Actor,
    Party,
    admit,
    drain_events,
    fails,
    invite,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, ShutdownHow, SocketFlag, WsaError
from mpwire.wire.messages import Close
from mpwire.wire.registries import CloseReason

E = WsaError
SEND, RECEIVE, BOTH = ShutdownHow.SEND, ShutdownHow.RECEIVE, ShutdownHow.BOTH


CLOSED = ["FD_CLOSE"]
EVERYBODY = {f"{kind}{number}": CLOSED for kind in "PL" for number in (1, 2, 3)}


# One leaf -------------------------------------------------------------------------------------


@pytest.mark.w(66, 72)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_leaf_that_leaves_closes_its_own_handle_only(bus: Bus, party: Party, number: int) -> None:
    party.ends[number - 1].close()
    bus.run(1)
    assert party.events() == {f"P{number}": CLOSED}
    party.root.send()
    bus.run(1)
    assert list(party.events()) == [f"L{other}" for other in (1, 2, 3) if other != number]


@pytest.mark.w(67)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_closing_a_handle_expels_that_leaf_only(bus: Bus, party: Party, number: int) -> None:
    party.handles[number - 1].close()
    bus.run(1)
    assert party.events() == {f"L{number}": CLOSED}
    party.root.send()
    bus.run(1)
    assert len(party.events()) == 2


@pytest.mark.w(67)
def test_shutting_a_handle_down_expels_its_leaf_and_tells_of_the_end(
    bus: Bus, party: Party
) -> None:
    """D40, D41."""
    party.handles[0].shutdown(SEND)
    assert party.events() == {}
    bus.run(1)
    assert party.events() == {"L1": CLOSED, "P1": CLOSED}
    party.handles[0].close()
    party.ends[0].close()
    bus.run(100)
    assert party.events() == {}


@pytest.mark.w(78)
def test_a_leaf_that_shuts_down_hears_of_the_end(bus: Bus, party: Party) -> None:
    leaf = party.ends[0]
    leaf.shutdown(SEND)
    with fails(E.WSAESHUTDOWN):
        leaf.send()
    with fails(E.WSAEWOULDBLOCK):
        leaf.recv()
    bus.run(1)
    assert party.events() == {"P1": CLOSED, "L1": CLOSED}
    leaf.shutdown(BOTH)
    bus.run(1)
    assert party.events() == {}


@pytest.mark.w(78, 79)
def test_shutting_the_receive_side_is_local(bus: Bus, party: Party) -> None:
    leaf = party.ends[0]
    count = len(bus.trace)
    party.root.send(b"before")
    bus.run(0.1)
    leaf.shutdown(RECEIVE)
    party.root.send(b"after")
    bus.run(1)
    with fails(E.WSAESHUTDOWN):
        leaf.recv()
    leaf.send(b"still")
    bus.run(1)
    assert party.root.recv() == b"still"
    assert "Close" not in bus.names()[count:]


@pytest.mark.w(79)
def test_shutdown_fits_the_socket_or_fails(bus: Bus, party: Party) -> None:
    root = party.root
    receiver, sender = leaf_actor(bus, 4), leaf_actor(bus, 5)
    admit(root, receiver, JoinFlag.RECEIVER_ONLY)
    admit(root, sender, JoinFlag.SENDER_ONLY)
    with fails(E.WSAEINVAL):
        receiver.shutdown(SEND)
    with fails(E.WSAEINVAL):
        sender.shutdown(RECEIVE)
    with fails(E.WSAENOTCONN):
        leaf_actor(bus, 6).shutdown()
    with fails(E.WSAEOPNOTSUPP):
        root.on(root.provider.socket(SocketFlag(0))).shutdown()
    receiver.shutdown(RECEIVE)
    sender.shutdown(BOTH)
    bus.run(1)
    assert sender.events() == CLOSED


@pytest.mark.w(67, 79)
def test_a_handle_can_be_shut_down_whatever_the_direction_of_its_root(bus: Bus) -> None:
    root = root_actor(bus)
    for number in (1, 2):
        handle, session_end = invite(root, waiting_leaf(bus, number), JoinFlag.RECEIVER_ONLY)
        handle.shutdown(SEND)
        bus.run(1)
        assert session_end.events() == CLOSED


# The whole session ----------------------------------------------------------------------------


@pytest.mark.w(68, 71)
def test_closing_the_root_closes_everybody(bus: Bus, party: Party) -> None:
    party.root.close()
    bus.run(5)
    assert party.events() == EVERYBODY
    reasons = [t.message.reason for t in bus.trace if isinstance(t.message, Close)]
    assert reasons == [CloseReason.DISMANTLE] * 3
    for handle in party.handles:
        handle.close()
    bus.run(100)
    assert party.root.provider.endpoints == {}
    assert party.root.provider.sockets == {}


@pytest.mark.w(69)
@pytest.mark.parametrize("how", [SEND, BOTH])
def test_shutting_the_root_down_closes_everybody_and_then_itself(
    bus: Bus, party: Party, how: ShutdownHow
) -> None:
    """D5."""
    party.root.shutdown(how)
    assert party.events() == {}
    bus.run(5)
    assert party.events() == EVERYBODY | {"R": CLOSED}
    party.root.close()
    bus.run(100)
    assert party.events() == {}


@pytest.mark.w(69, 78)
def test_shutting_the_roots_receive_side_closes_nobody(bus: Bus, party: Party) -> None:
    """D5, RS12."""
    party.root.shutdown(RECEIVE)
    party.root.send()
    bus.run(1)
    assert party.events() == {f"L{number}": ["FD_READ"] for number in (1, 2, 3)}


@pytest.mark.w(69)
def test_the_roots_own_close_waits_for_its_unread_data(bus: Bus, party: Party) -> None:
    party.ends[0].send(b"unread")
    bus.run(0.1)
    party.root.shutdown(SEND)
    bus.run(1)
    assert party.root.events() == ["FD_READ"]
    assert party.root.recv() == b"unread"
    assert party.root.events() == CLOSED
    with fails(E.WSAEDISCON):
        party.root.recv()


@pytest.mark.w(69)
def test_a_shutdown_is_graceful_whatever_linger_says(bus: Bus, party: Party) -> None:
    party.root.linger().shutdown(SEND)
    party.ends[0].linger()
    bus.run(5)
    assert party.events() == EVERYBODY | {"R": CLOSED}
    assert "Abort" not in bus.names()


@pytest.mark.w(68, 70)
def test_a_dismantled_session_admits_nobody(bus: Bus, party: Party) -> None:
    waiting, late = leaf_actor(bus, 4), leaf_actor(bus, 5)
    waiting.join(party.root)
    bus.run(0.1)
    address = party.root.address
    party.root.close()
    late.join(address)
    bus.run(1)
    for leaf in (waiting, late):
        assert leaf.events() == ["FD_CONNECT WSAECONNREFUSED"]


@pytest.mark.w(68)
@pytest.mark.parametrize("end", [Actor.shutdown, Actor.close])
def test_dismantling_reaches_who_has_not_confirmed_yet(
    bus: Bus, end: Callable[[Actor], None]
) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    handle = root.accept().select(event_object=99)
    drain_events(root)
    end(root)
    bus.run(1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE", "FD_CLOSE"]
    assert handle.events() == CLOSED
    assert 99 in root.provider.signalled
    assert (root.handle in root.provider.signalled) is (end is Actor.shutdown)


@pytest.mark.w(68)
def test_dismantling_withdraws_the_invitation(bus: Bus) -> None:
    """D28."""
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    handle = root.join(leaf)
    bus.run(0.1)
    root.shutdown()
    bus.run(1)
    with fails(E.WSAECONNRESET):
        leaf.accept()
    assert root.events() == []
    assert handle.events() == []
    with fails(E.WSAENOTCONN):
        handle.send()
    handle.close()
    root.close()
    bus.run(100)
    assert root.provider.endpoints == {}


@pytest.mark.w(68, 83)
def test_a_blocking_invitation_ends_with_its_session(bus: Bus) -> None:
    for number, (end, code) in enumerate(
        [
            (Actor.shutdown, E.WSAEINTR),
            (Actor.close, E.WSA_OPERATION_ABORTED),
        ]
    ):
        root = root_actor(bus).block()
        waiting = root.start_join(NOBODY)
        end(root)
        assert root.outcome(waiting) is code
        assert len(root.provider.sockets) == (1 if number == 0 else 0)


def test_an_empty_session_ends_silently(bus: Bus) -> None:
    root = root_actor(bus)
    root.shutdown()
    root.shutdown()
    bus.run(10)
    assert root.events() == []
    assert bus.trace == []
    root.close()
    assert root.provider.endpoints == {}


@pytest.mark.w(67)
def test_a_handle_closed_before_its_leaf_confirmed_expels_it_then(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    root.accept().close()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE", "FD_CLOSE"]
    assert root.events() == ["FD_ACCEPT"]
    bus.run(50)
    assert list(root.provider.sockets) == [root.handle]
