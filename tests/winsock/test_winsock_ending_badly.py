"""Aborts, dead peers, and what is left afterwards (W72, W76, W81-W83)."""

import pytest

from mpwire.testing.actor import (
    PORT,
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
from mpwire.vocabulary import NetworkEvent, ShutdownHow, SocketFlag, WsaError

E = WsaError
SEND, RECEIVE, BOTH = ShutdownHow.SEND, ShutdownHow.RECEIVE, ShutdownHow.BOTH


CLOSED = ["FD_CLOSE"]
EVERYBODY = {f"{kind}{number}": CLOSED for kind in "PL" for number in (1, 2, 3)}


# Aborts ---------------------------------------------------------------------------------------


@pytest.mark.w(82)
def test_an_aborting_leaf_resets_its_handle_only(bus: Bus, party: Party) -> None:
    party.ends[1].linger().close()
    bus.run(1)
    assert party.events() == {"P2": ["FD_CLOSE WSAECONNRESET"]}


@pytest.mark.w(82)
def test_an_aborting_root_resets_every_leaf(bus: Bus, party: Party) -> None:
    """D10: its own handles say that the abort was ours."""
    party.root.linger().close()
    bus.run(1)
    expected = {f"P{number}": ["FD_CLOSE WSAECONNABORTED"] for number in (1, 2, 3)}
    expected |= {f"L{number}": ["FD_CLOSE WSAECONNRESET"] for number in (1, 2, 3)}
    assert party.events() == expected
    assert "Close" not in bus.names()


@pytest.mark.w(82)
def test_an_aborting_handle_resets_its_leaf(bus: Bus, party: Party) -> None:
    party.handles[0].linger().close()
    bus.run(1)
    assert party.events() == {"L1": ["FD_CLOSE WSAECONNRESET"]}


@pytest.mark.w(82)
def test_aborting_after_a_shutdown_does_not_wait(bus: Bus, party: Party) -> None:
    bus.judge = lambda _: False
    party.root.shutdown()
    party.root.linger().close()
    bus.run(1)
    assert party.events() == {f"P{n}": ["FD_CLOSE WSAECONNABORTED"] for n in (1, 2, 3)}


# Silence --------------------------------------------------------------------------------------


@pytest.mark.w(72)
def test_a_peer_that_is_dead_is_noticed_at_both_ends(bus: Bus, party: Party) -> None:
    dead = party.ends[0].address
    bus.judge = lambda transit: dead not in {transit.source, transit.destination}
    bus.run(45)
    aborted = ["FD_CLOSE WSAECONNABORTED"]
    assert party.events() == {"P1": aborted, "L1": aborted}


@pytest.mark.w(72)
def test_a_close_that_nobody_acknowledges_ends_in_failure(bus: Bus, party: Party) -> None:
    bus.judge = lambda transit: transit.name != "CloseAck"
    party.root.shutdown()
    bus.run(40)
    events = party.events()
    assert [events[f"P{number}"] for number in (1, 2, 3)] == [["FD_CLOSE WSAECONNABORTED"]] * 3
    assert [events[f"L{number}"] for number in (1, 2, 3)] == [CLOSED] * 3


@pytest.mark.w(77, 78)
def test_closes_that_cross_end_once_at_both_ends(bus: Bus, party: Party) -> None:
    party.handles[0].shutdown()
    party.ends[0].shutdown()
    bus.run(60)
    assert party.events() == {"P1": CLOSED, "L1": CLOSED}


@pytest.mark.w(72, 77)
def test_an_accepted_end_that_was_never_confirmed_is_aborted(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    bus.judge = lambda transit: transit.source == root.address
    handle = root.accept()
    bus.run(40)
    assert handle.events() == ["FD_CLOSE WSAECONNABORTED"]
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE", "FD_CLOSE WSAECONNRESET"]


# What is closed stays silent ------------------------------------------------------------------


@pytest.mark.w(76, 83)
def test_a_closed_socket_is_no_socket(bus: Bus, party: Party) -> None:
    leaf = party.ends[0]
    leaf.close()
    leaf.provider.signalled.clear()
    party.root.close()
    bus.run(100)
    assert leaf.provider.signalled == set()
    for call in (leaf.events, leaf.send, leaf.recv, leaf.close, leaf.shutdown, leaf.listen):
        with fails(E.WSAENOTSOCK):
            call()


@pytest.mark.w(83)
def test_closing_ends_blocked_calls(party: Party) -> None:
    leaf = party.ends[0].block()
    waiting = leaf.start_recv()
    leaf.close()
    assert leaf.outcome(waiting) is E.WSA_OPERATION_ABORTED


@pytest.mark.w(28)
def test_a_blocking_receive_can_be_cancelled(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].block()
    waiting = leaf.start_recv()
    leaf.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert leaf.outcome(waiting) is E.WSAEINTR


@pytest.mark.w(29)
def test_handles_outlive_their_root_and_its_address(bus: Bus, party: Party) -> None:
    """D29: also when somebody else has the address by then."""
    party.root.close()
    bus.run(100)
    root = party.root
    again = root.on(root.provider.socket(SocketFlag.C_ROOT | SocketFlag.D_ROOT)).bind()
    for handle in party.handles:
        assert handle.events() == CLOSED
        handle.select(NetworkEvent.FD_CLOSE)
        handle.shutdown()
        handle.close()
    assert again.address == (root.provider.getsockname(again.handle)[0], PORT)
    again.listen()
    admit(again, leaf_actor(bus, 9))


def test_leaving_while_data_is_missing_ends_at_once(bus: Bus, party: Party) -> None:
    leaf, handle = party.ends[0], party.handles[0]
    bus.judge = lambda transit: transit.name != "Data"
    leaf.send()
    leaf.close()
    bus.run(1)
    assert party.events() == {}
    handle.shutdown()
    bus.run(0.1)
    assert party.events() == {"P1": CLOSED}
    bus.judge = None
    party.root.shutdown()
    bus.run(5)
    assert party.events()["R"] == CLOSED


def test_a_listener_that_closes_leaves_its_accepted_sockets_alone(bus: Bus) -> None:
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    _, session_end = invite(root, leaf)
    leaf.close()
    root.send(b"still here")
    bus.run(1)
    assert session_end.recv() == b"still here"
    session_end.close()
    bus.run(100)
    assert leaf.provider.endpoints == {}


def test_closing_what_was_never_bound_is_nothing(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    leaf.close()
    drain_events(root_actor(bus))
    assert leaf.provider.sockets == {}
