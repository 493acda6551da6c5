"""Many joins on one socket, and every datagram more than once."""

import pytest

from mpwire.testing.actor import (
    C_LEAF,
    NOBODY,
    Actor,
    admit,
    drain_events,
    fails,
    invite,
    leaf_actor,
    lonely_root,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import WsaError

E = WsaError
JOINED = ["FD_CONNECT", "FD_WRITE"]


# Many ------------------------------------------------------------------------------------------


@pytest.mark.w(27, 31, 51)
@pytest.mark.parametrize("count", [8, 800])
def test_serial_invitations(bus: Bus, count: int) -> None:
    """One FD_CONNECT each, one member each, and FD_WRITE with the first only."""
    root = lonely_root(bus)
    for number in range(count):
        provider = bus.provider(f"10.1.{number // 250}.{number % 250 + 1}")
        leaf = Actor(bus, provider, provider.socket(C_LEAF)).bind().listen()
        root.join(leaf)
        bus.run(0.01)
        leaf.accept()
        bus.run(0.01)
        assert root.events() == ["FD_CONNECT", "FD_WRITE"][: 1 + (number == 0)]
    session = root.provider.endpoints[root.address].session
    assert session is not None
    assert len(session.members) == count


@pytest.mark.w(49, 51)
def test_invitations_and_requests_all_at_once(bus: Bus) -> None:
    """Forty leaves come half by invitation, half by request, in any order."""
    root = root_actor(bus, backlog=20)
    askers = [leaf_actor(bus, number) for number in range(1, 21)]
    waiters = [waiting_leaf(bus, number) for number in range(101, 121)]
    for asker in askers:
        asker.join(root)
    invited = 0
    for _ in range(400):
        bus.run(0.003)
        if invited < 20 and root.provider.sockets[root.handle].pending is None:
            root.join(waiters[invited])
            invited += 1
        for listener in (root, *waiters):
            if "FD_ACCEPT" in listener.events():
                listener.accept()
    assert [asker.events() for asker in askers] == [JOINED] * 20
    session = root.provider.endpoints[root.address].session
    assert session is not None
    assert len(session.members) == 40


# Faults everywhere ----------------------------------------------------------------------------


@pytest.mark.w(27, 51, 73, 77)
@pytest.mark.parametrize("copies", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_every_datagram_twice_or_thrice_and_in_any_order(seed: int, copies: int) -> None:
    bus = Bus(seed=seed, jitter_s=0.004)
    bus.judge = lambda _transit: copies
    root, leaf, waiter = root_actor(bus), leaf_actor(bus, 1), waiting_leaf(bus, 2)
    handle = admit(root, leaf)
    other, session_end = invite(root, waiter)
    for number in range(5):
        root.send(b"%d" % number)
        leaf.send(b"up %d" % number)
    bus.run(5)
    expected = [b"%d" % number for number in range(5)]
    assert leaf.recv_all() == session_end.recv_all() == expected
    assert root.recv_all() == [b"up %d" % number for number in range(5)]
    drain_events(root, leaf, session_end)
    leaf.close()
    bus.run(5)
    assert (handle.events(), other.events(), root.events()) == (["FD_CLOSE"], [], [])
    root.close()
    bus.run(100)
    assert session_end.events() == other.events() == ["FD_CLOSE"]


@pytest.mark.w(18)
@pytest.mark.parametrize("code", ["WSAECONNREFUSED", "WSAETIMEDOUT", "WSAENETUNREACH"])
@pytest.mark.parametrize("kind", ["R", "L"])
def test_after_every_failure_the_same_socket_joins(bus: Bus, kind: str, code: str) -> None:
    root, waiter = root_actor(bus), waiting_leaf(bus, 1)
    asker = leaf_actor(bus, 2)
    joiner, target = (root, waiter) if kind == "R" else (asker, root)
    if code == "WSAETIMEDOUT":
        joiner.join(NOBODY)
        bus.run(60)
    elif code == "WSAENETUNREACH":
        bus.unreachable.add(NOBODY[0])
        joiner.join(NOBODY)
    else:
        joiner.join(target)
        bus.run(0.1)
        with fails(E.WSAECONNREFUSED):
            (waiter if kind == "R" else root).accept(rejecting)
        bus.run(0.1)
    told = [event for event in joiner.events() if event.startswith("FD_CONNECT")]
    assert told == [f"FD_CONNECT {code}"]
    assert joiner.provider.socket_error(joiner.handle).name == code
    drain_events(root, waiter)
    if kind == "R":
        invite(root, waiter)
    else:
        admit(root, asker)


@pytest.mark.w(31, 72)
def test_transaction_numbers_wrap(bus: Bus) -> None:
    """JOIN_REQ has the last number there is; PROBE and CLOSE go on with 0 and 1."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    membership = leaf.provider.sockets[leaf.handle].membership
    assert membership is not None
    membership.txn = 2**32 - 1
    bus.judge = lambda transit: transit.source != root.address or transit.name != "Probe"
    bus.run(60)
    bus.judge = None
    leaf.close()
    bus.run(5)
    assert handle.events() == ["FD_CLOSE"]
    sent = [one.message for one in bus.trace if one.name in {"Probe", "Close"}]
    numbers = {message.seq for message in sent if message.sender_id == 2}
    assert {0, 1} <= numbers
    assert not numbers & {2**32 - 1}
