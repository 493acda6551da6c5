"""SO_LINGER: the four ways to close (W81, D33)."""

import pytest

from mpwire.testing.actor import (
    NOBODY,
    Actor,
    Party,
    drain_events,
    fails,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus, Transit
from mpwire.vocabulary import ShutdownHow, WsaError
from mpwire.winsock.base import Blocked
from mpwire.wire.messages import Abort
from mpwire.wire.registries import AbortReason

E = WsaError
CLOSED = ["FD_CLOSE"]
RESET = ["FD_CLOSE WSAECONNRESET"]
EVERYBODY = {f"{kind}{number}": CLOSED for kind in "PL" for number in (1, 2, 3)}


def start_close(actor: Actor) -> Blocked:
    """Close a socket, which has to wait."""
    value = actor.provider.close(actor.handle, actor.bus.now_s)
    assert isinstance(value, Blocked)
    return value


def stall(bus: Bus, leaf: Actor) -> None:
    """Let nothing through to a leaf, or from it, any more."""
    address = leaf.address

    def passes(transit: Transit) -> bool:
        return address not in {transit.source, transit.destination}

    bus.judge = passes


@pytest.mark.w(81)
def test_off_closes_at_once_and_delivers_everything(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].block().linger(None)
    leaf.send(b"last")
    assert leaf.provider.close(leaf.handle, bus.now_s) is None
    assert party.events() == {}
    bus.run(1)
    assert party.root.recv() == b"last"
    assert party.events() == {"R": ["FD_READ"], "P1": CLOSED}
    assert "Abort" not in bus.names()


@pytest.mark.w(81, 82)
def test_no_time_aborts_at_once(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].block().linger(0)
    assert leaf.provider.close(leaf.handle, bus.now_s) is None
    bus.run(1)
    assert party.events() == {"P1": RESET}


@pytest.mark.w(81)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_some_time_waits_until_the_peer_has_acknowledged(
    bus: Bus, party: Party, number: int
) -> None:
    leaf = party.ends[number - 1].block().linger(5)
    leaf.send(b"last")
    waiting = start_close(leaf)
    assert leaf.outcome(waiting) is None
    with fails(E.WSAENOTSOCK):
        leaf.send()
    bus.run(1)
    assert leaf.outcome(waiting) == 0
    assert party.root.recv() == b"last"
    assert party.events() == {"R": ["FD_READ"], f"P{number}": CLOSED}
    bus.run(10)
    assert "Abort" not in bus.names()
    assert leaf.provider.closing == {}


@pytest.mark.w(81, 82)
def test_some_time_aborts_when_it_is_over(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].block().linger(5)
    bus.judge = lambda transit: transit.name != "CloseAck"
    party.root.shutdown(ShutdownHow.RECEIVE)
    waiting = start_close(leaf)
    bus.run(4.9)
    assert leaf.outcome(waiting) is None
    assert "Abort" not in bus.names()
    bus.run(0.2)
    assert leaf.outcome(waiting) == 0
    aborts = [t.message for t in bus.trace if isinstance(t.message, Abort)]
    assert [abort.reason for abort in aborts] == [AbortReason.LINGER0]
    assert leaf.provider.closing == {}
    bus.run(60)
    assert leaf.provider.endpoints == {}


@pytest.mark.w(81, 82)
def test_who_was_stalled_sees_the_reset_of_the_abort(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].block().linger(2)
    bus.judge = lambda transit: transit.name != "Close"
    waiting = start_close(leaf)
    bus.run(2.1)
    assert leaf.outcome(waiting) == 0
    assert party.events() == {"P1": RESET}


@pytest.mark.w(81, 82)
def test_the_root_waits_for_all_and_aborts_the_rest(bus: Bus, party: Party) -> None:
    root = party.root.block().linger(3)
    stall(bus, party.ends[1])
    waiting = start_close(root)
    bus.run(2.9)
    assert root.outcome(waiting) is None
    bus.run(0.2)
    assert root.outcome(waiting) == 0
    events = party.events()
    assert events.pop("P2") == ["FD_CLOSE WSAECONNABORTED"]
    assert events == {f"{kind}{number}": CLOSED for kind in "PL" for number in (1, 3)}


@pytest.mark.w(81)
def test_the_root_waits_no_longer_than_it_must(bus: Bus, party: Party) -> None:
    root = party.root.block().linger(30)
    waiting = start_close(root)
    bus.run(1)
    assert root.outcome(waiting) == 0
    assert party.events() == EVERYBODY


@pytest.mark.w(81)
def test_a_handle_waits_for_its_leaf_only(bus: Bus, party: Party) -> None:
    handle = party.handles[0].block().linger(30)
    stall(bus, party.ends[1])
    waiting = start_close(handle)
    bus.run(1)
    assert handle.outcome(waiting) == 0
    assert party.events() == {"L1": CLOSED}


@pytest.mark.w(81)
def test_a_socket_that_never_waits_does_not_begin(bus: Bus, party: Party) -> None:
    """D33: it is shut down first, and closed when that is done."""
    count = len(bus.trace)
    for actor in (party.root, party.handles[0], party.ends[0]):
        with fails(E.WSAEWOULDBLOCK):
            actor.linger(5).close()
        assert actor.handle in actor.provider.sockets
    bus.run(1)
    assert len(bus.trace) == count
    party.root.send(b"still")
    bus.run(1)
    assert [leaf.recv() for leaf in party.ends] == [b"still"] * 3
    drain_events(*party.ends)
    party.root.shutdown()
    with fails(E.WSAEWOULDBLOCK):
        party.root.close()
    bus.run(1)
    assert party.events() == EVERYBODY | {"R": CLOSED}
    for actor in (party.root, party.handles[0], party.ends[0]):
        actor.close()
    assert party.root.provider.sockets.keys() == {one.handle for one in party.handles[1:]}


@pytest.mark.w(81)
@pytest.mark.parametrize("instead", [None, 0])
def test_what_would_block_closes_with_another_linger(
    bus: Bus, party: Party, instead: float | None
) -> None:
    """D33."""
    leaf = party.ends[0].linger(5)
    with fails(E.WSAEWOULDBLOCK):
        leaf.close()
    leaf.linger(instead).close()
    bus.run(1)
    assert party.events() == {"P1": RESET if instead == 0 else CLOSED}


@pytest.mark.w(81)
def test_what_is_not_joined_closes_at_once(bus: Bus) -> None:
    for blocks in (True, False):
        for actor in (root_actor(bus), leaf_actor(bus, 1), waiting_leaf(bus, 2)):
            one = actor.block() if blocks else actor
            assert one.provider.close(one.linger(5).handle, bus.now_s) is None
            bus.run(60)
    root = root_actor(bus)
    root.join(NOBODY).linger(5).close()
    root.linger(5).close()


@pytest.mark.w(81)
def test_a_peer_that_has_closed_itself_is_not_waited_for(bus: Bus, party: Party) -> None:
    leaf, last = party.ends[0].block().linger(30), 3
    bus.judge = lambda transit: transit.name != "Data"
    for _ in range(last):
        party.root.send()
    party.root.shutdown()
    bus.run(1)
    assert leaf.provider.close(leaf.handle, bus.now_s) is None


@pytest.mark.w(81, 84)
def test_a_duplicate_closes_without_waiting(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].linger(5)
    another = leaf.provider.duplicate(leaf.handle)
    leaf.provider.close(another, bus.now_s)
    with fails(E.WSAEWOULDBLOCK):
        leaf.close()


@pytest.mark.w(81, 83)
def test_a_close_that_waits_can_be_cancelled_and_goes_on(bus: Bus, party: Party) -> None:
    leaf = party.ends[0].block().linger(5)
    waiting = start_close(leaf)
    leaf.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert leaf.outcome(waiting) is E.WSAEINTR
    bus.run(10)
    assert party.events() == {"P1": CLOSED}
    assert leaf.provider.closing == {}


@pytest.mark.w(81)
@pytest.mark.parametrize("seconds", [-1, 65_536])
def test_a_time_that_does_not_fit_is_refused(party: Party, seconds: float) -> None:
    with fails(E.WSAEINVAL):
        party.root.linger(seconds)
    assert party.root.linger(65_535).provider.sockets[party.root.handle].linger_s == 65_535
