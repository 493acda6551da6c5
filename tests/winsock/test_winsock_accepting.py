"""WSPAccept: accept, reject, defer, requests that have ended (W34-W36, W42-W48)."""

import threading

import pytest

from mpwire.testing.actor import (
    BACKLOG,
    C_LEAF,
    Actor,
    admit,
    deferring,
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
from mpwire.vocabulary import Condition, JoinFlag, NetworkEvent, WsaError
from mpwire.winsock import ConditionArguments
from mpwire.winsock.parameters import MAXIMUM_JOIN_DATA_OCTETS

E = WsaError


def asking(bus: Bus, root: Actor, *numbers: int) -> list[Actor]:
    """Let leaves ask, one after the other."""
    leaves = [leaf_actor(bus, number) for number in numbers]
    for leaf in leaves:
        leaf.join(root)
        bus.run(0.1)
    return leaves


# Accept ---------------------------------------------------------------------------------------


@pytest.mark.w(34, 35)
def test_an_invitation_is_announced_and_accepted(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.join(leaf)
    bus.run(0.1)
    assert leaf.events() == ["FD_ACCEPT"]
    accepted = leaf.accept_fully()
    assert accepted.address == root.address
    session_end = leaf.on(accepted.socket)
    assert session_end.events() == []
    bus.run(0.1)
    assert session_end.events() == ["FD_WRITE"]
    assert leaf.events() == []


@pytest.mark.w(40, 47)
def test_a_leaf_goes_on_listening(bus: Bus) -> None:
    """D15: A is the session socket, L keeps listening."""
    one, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    _, first = invite(one, leaf)
    provider = bus.provider("10.0.0.2")
    other = Actor(bus, provider, provider.socket(one.provider.sockets[one.handle].flags)).select()
    _, second = invite(other, leaf)
    assert first.handle != second.handle
    assert (first.peer, second.peer) == (one.address, other.address)


@pytest.mark.w(47)
def test_an_accepted_socket_has_its_listeners_selection(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    leaf.select(NetworkEvent.FD_WRITE | NetworkEvent.FD_ACCEPT, event_object=55)
    root.join(leaf)
    bus.run(0.1)
    session_end = leaf.accept()
    leaf.provider.signalled.clear()
    bus.run(0.1)
    assert 55 in leaf.provider.signalled
    assert session_end.events() == ["FD_WRITE"]
    assert session_end.provider.sockets[session_end.handle].blocking is False


@pytest.mark.w(47)
def test_an_accepted_socket_can_be_used_before_it_is_confirmed(bus: Bus) -> None:
    """What it sends waits for CONFIRM (R81); its selection can be changed."""
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    root.join(leaf)
    bus.run(0.1)
    session_end = leaf.accept()
    session_end.select(NetworkEvent.FD_READ)
    with fails(E.WSAEWOULDBLOCK):
        session_end.recv()
    session_end.send(b"one")
    session_end.send(b"two")
    assert session_end.peer == root.address
    assert "Data" not in bus.names()
    bus.run(0.1)
    assert root.recv_all() == [b"one", b"two"]
    (asker,) = asking(bus, root, 2)
    root.accept()
    root.send(b"to all")
    bus.run(0.1)
    assert (asker.recv(), session_end.recv()) == (b"to all", b"to all")


@pytest.mark.w(47)
def test_an_accepted_socket_cannot_accept(bus: Bus) -> None:
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    _, session_end = invite(root, leaf)
    handle = admit(root, leaf_actor(bus, 2))
    for actor in (session_end, handle):
        with fails(E.WSAEINVAL):
            actor.accept()


@pytest.mark.w(62)
@pytest.mark.parametrize(
    ("flags", "sends", "receives"),
    [(JoinFlag.SENDER_ONLY, False, True), (JoinFlag.RECEIVER_ONLY, True, False)],
)
def test_an_invited_leaf_acts_in_the_directions_that_are_left(
    bus: Bus, flags: JoinFlag, *, sends: bool, receives: bool
) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.join(leaf, flags)
    bus.run(0.1)
    session_end = leaf.accept()
    bus.run(0.1)
    assert session_end.events() == (["FD_WRITE"] if sends else [])
    for call, allowed in ((session_end.send, sends), (root.send, receives)):
        if allowed:
            call()
        else:
            with fails(E.WSAEOPNOTSUPP):
                call()


# Reject ---------------------------------------------------------------------------------------


@pytest.mark.w(36)
def test_a_leaf_that_rejects_refuses_the_root(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.join(leaf)
    bus.run(0.1)
    with fails(E.WSAECONNREFUSED):
        leaf.accept(rejecting)
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert list(leaf.provider.sockets) == [leaf.handle]
    with fails(E.WSAENOTCONN):
        root.send()


@pytest.mark.w(42, 93, 94)
def test_a_rejected_request_leaves_the_queue_to_the_next(bus: Bus) -> None:
    root = root_actor(bus)
    one, two = asking(bus, root, 1, 2)
    assert root.events() == ["FD_ACCEPT"]
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    assert root.events() == ["FD_ACCEPT"]
    assert root.accept().address == root.address
    bus.run(0.1)
    assert one.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert two.events() == ["FD_CONNECT", "FD_WRITE"]


# Defer ----------------------------------------------------------------------------------------


@pytest.mark.w(43, 44)
def test_a_deferred_request_stays_and_nobody_hears_of_it(bus: Bus) -> None:
    root = root_actor(bus)
    (leaf,) = asking(bus, root, 1)
    assert root.events() == ["FD_ACCEPT"]
    for _ in range(3):
        with fails(E.WSATRY_AGAIN):
            root.accept(deferring)
    count = len(bus.trace)
    bus.run(1)
    assert len(bus.trace) == count
    assert root.events() == []
    assert leaf.events() == []
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]


@pytest.mark.w(44)
def test_a_deferred_head_mutes_what_comes_behind_it(bus: Bus) -> None:
    root = root_actor(bus)
    first, *_ = asking(bus, root, 1)
    drain_events(root)
    with fails(E.WSATRY_AGAIN):
        root.accept(deferring)
    asking(bus, root, 2, 3)
    assert root.events() == []
    root.select()
    assert root.events() == []
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    assert root.events() == ["FD_ACCEPT"]
    assert first.events() == []
    root.accept()
    assert root.events() == ["FD_ACCEPT"]
    root.accept()
    assert root.events() == []


@pytest.mark.w(44)
@pytest.mark.parametrize("queued_before", [True, False])
def test_a_deferred_head_that_dies_mutes_no_more(bus: Bus, *, queued_before: bool) -> None:
    """T23; the dead entry alone is nothing to accept, so that nothing is said of it."""
    root = root_actor(bus)
    (leaf,) = asking(bus, root, 1)
    drain_events(root)
    with fails(E.WSATRY_AGAIN):
        root.accept(deferring)
    if queued_before:
        asking(bus, root, 2)
    leaf.close()
    bus.run(0.1)
    assert root.events() == (["FD_ACCEPT"] if queued_before else [])
    if not queued_before:
        asking(bus, root, 2)
        assert root.events() == ["FD_ACCEPT"]
    with fails(E.WSAECONNRESET):
        root.accept()
    root.accept()


@pytest.mark.w(44)
def test_a_deferred_request_that_is_never_decided_expires(bus: Bus) -> None:
    root = root_actor(bus)
    (leaf,) = asking(bus, root, 1)
    with fails(E.WSATRY_AGAIN):
        root.accept(deferring)
    bus.run(200)
    assert leaf.events() == ["FD_CONNECT WSAETIMEDOUT"]


# Requests that have ended ---------------------------------------------------------------------


@pytest.mark.w(45)
def test_a_withdrawn_request_fails_with_connreset(bus: Bus) -> None:
    """D17: FD_ACCEPT stays recorded, the dead entry is consumed."""
    root = root_actor(bus)
    (leaf,) = asking(bus, root, 1)
    leaf.close()
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    with fails(E.WSAECONNRESET):
        root.accept()
    with fails(E.WSAEWOULDBLOCK):
        root.accept()
    assert root.events() == []
    assert list(root.provider.sockets) == [root.handle]


@pytest.mark.w(45)
def test_an_expired_request_fails_with_acces(bus: Bus) -> None:
    root = root_actor(bus)
    (leaf,) = asking(bus, root, 1)
    bus.judge = lambda transit: transit.source != leaf.address
    bus.run(200)
    with fails(E.WSAEACCES):
        root.accept()


@pytest.mark.w(94)
def test_a_dead_request_is_no_reason_to_signal_again(bus: Bus) -> None:
    root = root_actor(bus)
    one, two, _ = asking(bus, root, 1, 2, 3)
    two.close()
    bus.run(0.1)
    drain_events(root)
    root.accept()
    assert root.events() == ["FD_ACCEPT"]
    with fails(E.WSAECONNRESET):
        root.accept()
    root.accept()
    bus.run(0.1)
    assert one.events() == ["FD_CONNECT", "FD_WRITE"]
    assert root.events() == ["FD_ACCEPT", "FD_WRITE"]


@pytest.mark.w(45, 92)
def test_who_asks_and_withdraws_again_and_again_fills_nothing(bus: Bus) -> None:
    """As many dead requests are kept as may wait; FD_ACCEPT has told of no more than one."""
    root = root_actor(bus)
    stranger = leaf_actor(bus, 1)
    for _ in range(20 * BACKLOG):
        stranger.join(root)
        bus.run(0.1)
        stranger.close()
        bus.run(0.1)
        stranger = stranger.on(stranger.provider.socket(C_LEAF)).select()
    (leaf,) = asking(bus, root, 2)
    listener = root.provider.endpoints[root.address].listener
    assert listener is not None
    assert len(listener.entries) == BACKLOG + 1
    for _ in range(BACKLOG):
        assert root.events() == ["FD_ACCEPT"]
        with fails(E.WSAECONNRESET):
            root.accept()
    assert root.events() == ["FD_ACCEPT"]
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]
    with fails(E.WSAEWOULDBLOCK):
        root.accept()


# The condition function -----------------------------------------------------------------------


@pytest.mark.w(46)
def test_the_condition_function_runs_inside_accept_on_its_thread(bus: Bus) -> None:
    root = root_actor(bus)
    asking(bus, root, 1)
    threads: list[int] = []

    def condition(arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        threads.append(threading.get_ident())
        assert arguments.callee_capacity == MAXIMUM_JOIN_DATA_OCTETS
        for call in (root.recv, root.events, lambda: root.provider.socket(root_flags)):
            with fails(E.WSAEINPROGRESS):
                call()
        return Condition.ACCEPT, None

    root_flags = root.provider.sockets[root.handle].flags
    assert threads == []
    root.accept(condition)
    assert threads == [threading.get_ident()]
    assert root.events() == ["FD_ACCEPT"]


@pytest.mark.w(48)
@pytest.mark.parametrize(
    ("decision", "data"), [(7, None), (0, bytes(MAXIMUM_JOIN_DATA_OCTETS + 1))]
)
def test_a_condition_function_that_answers_nonsense_decides_nothing(
    bus: Bus, decision: int, data: bytes | None
) -> None:
    root = root_actor(bus)
    asking(bus, root, 1)
    drain_events(root)
    with fails(E.WSAEINVAL):
        root.accept(lambda _: (decision, data))  # type: ignore[arg-type,return-value] # nonsense
    assert root.events() == ["FD_ACCEPT"]
    root.accept()


def test_a_condition_function_that_raises_leaves_everything_as_it_was(bus: Bus) -> None:
    root = root_actor(bus)
    asking(bus, root, 1)
    drain_events(root)

    def broken(_arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        root.accept(broken)
    assert root.events() == ["FD_ACCEPT"]
    root.accept()


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.w(48)
def test_accept_needs_a_listener_a_request_and_a_descriptor(bus: Bus) -> None:
    root = root_actor(bus)
    with fails(E.WSAEINVAL):
        leaf_actor(bus, 9).accept()
    with fails(E.WSAEWOULDBLOCK):
        root.accept()
    asking(bus, root, 1)
    drain_events(root)
    root.provider.maximum_sockets = 1
    with fails(E.WSAEMFILE):
        root.accept()
    assert root.events() == ["FD_ACCEPT"]
    root.provider.maximum_sockets = 2
    root.accept()
