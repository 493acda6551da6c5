"""WSPJoinLeaf: what it returns and when, blocking or not (W9-W28)."""

from collections.abc import Callable

import pytest

from mpwire.testing.actor import (
    C_LEAF,
    NOBODY,
    PORT,
    fails,
    invite,
    leaf_actor,
    lonely_root,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import Condition, JoinFlag, WsaError
from mpwire.winsock import ConditionArguments

E = WsaError
NOT_LISTENING = ("10.0.1.1", PORT)


# What a join returns --------------------------------------------------------------------------


@pytest.mark.w(10, 31)
def test_every_join_of_a_root_gives_a_new_leaf_socket(bus: Bus) -> None:
    root = lonely_root(bus)
    handles = [invite(root, waiting_leaf(bus, number))[0] for number in range(1, 9)]
    assert len({root.handle, *(handle.handle for handle in handles)}) == 9
    for handle in handles:
        with fails(E.WSAEISCONN):
            handle.join(NOBODY)


@pytest.mark.w(11)
def test_a_join_of_a_leaf_gives_the_same_socket_and_no_other(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    assert leaf.join(root).handle == leaf.handle
    assert list(leaf.provider.sockets) == [leaf.handle]
    leaf.close()
    assert leaf.provider.sockets == {}


@pytest.mark.w(9)
def test_an_unbound_socket_is_bound_by_its_join(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    second = leaf.on(leaf.provider.socket(C_LEAF)).select()
    with fails(E.WSAEINVAL):
        _ = leaf.address
    leaf.join(NOBODY)
    assert leaf.address[0] == "10.0.1.1"
    second.join(NOBODY)
    assert second.address != leaf.address


@pytest.mark.w(13)
def test_the_new_socket_inherits_selection_and_mode(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.select(ALL_EVENTS, event_object=77)
    handle, session_end = invite(root, leaf)
    session_end.close()
    bus.run(1)
    assert 77 in root.provider.signalled
    assert root.events() == []
    assert handle.events() == ["FD_CLOSE"]


@pytest.mark.w(14)
@pytest.mark.parametrize("flags", [0, 3, 5, 7, 8, -1])
def test_only_the_three_direction_flags_are_accepted(bus: Bus, flags: int) -> None:
    leaf = leaf_actor(bus, 1)
    with fails(E.WSAEINVAL):
        leaf.join(NOBODY, flags)
    assert bus.trace == []


@pytest.mark.w(14)
def test_the_first_join_fixes_the_direction_of_a_root(bus: Bus) -> None:
    """D14."""
    root = lonely_root(bus)
    root.join(NOT_LISTENING, JoinFlag.SENDER_ONLY).close()
    invite(root, waiting_leaf(bus, 1), JoinFlag.RECEIVER_ONLY)
    with fails(E.WSAEINVAL):
        root.join(NOBODY, JoinFlag.BOTH)
    invite(root, waiting_leaf(bus, 2), JoinFlag.RECEIVER_ONLY)


@pytest.mark.w(15, 16, 46)
def test_caller_and_callee_data_cross(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root, caller_data=b"caller", capacity=6)
    bus.run(0.1)
    seen: list[ConditionArguments] = []

    def condition(arguments: ConditionArguments) -> tuple[Condition, bytes]:
        seen.append(arguments)
        return Condition.ACCEPT, b"callee"

    accepted = root.accept_fully(condition)
    assert (accepted.address, accepted.caller_data) == (leaf.address, b"caller")
    bus.run(0.1)
    assert leaf.provider.callee_data(leaf.handle) == b"callee"
    assert [(one.address, one.local, one.caller_data) for one in seen] == [
        (leaf.address, root.address, b"caller")
    ]
    assert root.recv_all() == []


@pytest.mark.w(15, 16)
def test_no_data_is_no_data(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    assert root.accept_fully().caller_data is None
    bus.run(0.1)
    assert leaf.provider.callee_data(leaf.handle) == b""


# Blocking and nonblocking ---------------------------------------------------------------------


@pytest.mark.w(20)
def test_a_blocking_join_returns_when_the_leaf_is_accepted(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1).block()
    waiting = leaf.start_join(root)
    bus.run(0.3)
    assert leaf.outcome(waiting) is None
    root.accept()
    bus.run(0.1)
    assert leaf.outcome(waiting) == leaf.handle
    assert leaf.send(b"usable at once") == 14


@pytest.mark.w(20)
def test_a_blocking_join_returns_the_reason_of_its_failure(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1).block()
    waiting = leaf.start_join(root)
    bus.run(0.1)
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    bus.run(0.1)
    assert leaf.outcome(waiting) is E.WSAECONNREFUSED


@pytest.mark.w(20)
def test_a_blocking_invitation_leaves_no_socket_behind_when_it_fails(bus: Bus) -> None:
    root, leaf = lonely_root(bus).block(), leaf_actor(bus, 1).bind()
    timed_out = root.start_join(NOBODY)
    bus.run(40)
    assert root.outcome(timed_out) is E.WSAETIMEDOUT
    refused = root.start_join(leaf)
    bus.run(0.1)
    assert root.outcome(refused) is E.WSAECONNREFUSED
    assert list(root.provider.sockets) == [root.handle]


@pytest.mark.w(20)
def test_a_blocking_invitation_returns_the_new_socket(bus: Bus) -> None:
    leaf = waiting_leaf(bus, 1)
    root = lonely_root(bus).block()
    waiting = root.start_join(leaf)
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    value = root.outcome(waiting)
    assert value == root.handle + 1
    assert root.on(root.handle + 1).peer == leaf.address


@pytest.mark.w(21, 22, 35)
def test_a_nonblocking_join_returns_at_once_and_completes_on_the_original(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    handle = root.join(leaf)
    assert bus.names() == []
    bus.run(0.5)
    assert leaf.events() == ["FD_ACCEPT"]
    assert root.events() == []
    session_end = leaf.accept()
    assert root.events() == []
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]
    assert handle.events() == []
    root.send(b"to the leaf")
    bus.run(0.1)
    assert session_end.recv() == b"to the leaf"


@pytest.mark.w(23, 37, 98)
def test_a_join_that_fails_at_once_still_ends_by_event(bus: Bus) -> None:
    root, leaf = lonely_root(bus), leaf_actor(bus, 1)
    bus.unreachable.add(NOBODY[0])
    handle = root.join(NOBODY)
    assert handle.handle != root.handle
    assert root.events() == ["FD_CONNECT WSAENETUNREACH"]
    assert handle.events() == []
    assert leaf.join(NOBODY).handle == leaf.handle
    assert leaf.events() == ["FD_CONNECT WSAENETUNREACH"]
    assert leaf.provider.socket_error(leaf.handle) is E.WSAENETUNREACH
    handle.close()
    bus.run(1)
    assert bus.trace == []


@pytest.mark.w(20, 37)
def test_a_blocking_join_without_a_route_fails_itself(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).block()
    bus.unreachable.add(NOBODY[0])
    with fails(E.WSAENETUNREACH):
        leaf.start_join(NOBODY)


@pytest.mark.w(24)
def test_until_then_the_new_socket_can_only_be_closed(bus: Bus) -> None:
    """D8."""
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    handle = root.join(leaf)
    refused: dict[WsaError, list[Callable[[], object]]] = {
        E.WSAENOTCONN: [handle.send, handle.recv, handle.shutdown, lambda: handle.peer],
        E.WSAEINVAL: [lambda: handle.join(NOBODY), handle.listen, handle.accept, handle.select],
    }
    for code, calls in refused.items():
        for call in calls:
            with fails(code):
                call()
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    assert handle.peer == leaf.address
    assert handle.address == root.address
    handle.select()
    with fails(E.WSAEOPNOTSUPP):
        handle.send()


@pytest.mark.w(25)
def test_closing_the_new_socket_cancels_the_join(bus: Bus) -> None:
    root, leaf, other = lonely_root(bus), waiting_leaf(bus, 1), waiting_leaf(bus, 2)
    handle = root.join(leaf)
    bus.run(0.1)
    assert leaf.events() == ["FD_ACCEPT"]
    handle.close()
    invite(root, other)
    with fails(E.WSAECONNRESET):
        leaf.accept()
    with fails(E.WSAEWOULDBLOCK):
        leaf.accept()
    bus.run(300)
    assert root.events() == []
    assert leaf.events() == []


@pytest.mark.w(25)
def test_a_cancel_that_meets_the_acceptance_undoes_it(bus: Bus) -> None:
    """D21: nobody hears of it at the root, the leaf's A is reset."""
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    handle = root.join(leaf)
    bus.run(0.1)
    session_end = leaf.accept()
    handle.close()
    bus.run(60)
    assert root.events() == []
    assert session_end.events() == ["FD_CLOSE WSAECONNRESET"]
    assert bus.names().count("Abort") + bus.names().count("CancelAck") >= 1


@pytest.mark.w(25, 27)
def test_a_completion_that_won_the_race_stays_recorded(bus: Bus) -> None:
    """D21."""
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    handle = root.join(leaf)
    bus.run(0.1)
    session_end = leaf.accept()
    bus.run(0.1)
    handle.close()
    bus.run(1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]
    assert session_end.events() == ["FD_WRITE", "FD_CLOSE"]


@pytest.mark.w(25)
def test_closing_a_joining_leaf_cancels_its_join(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    leaf.close()
    bus.run(0.1)
    with fails(E.WSAECONNRESET):
        root.accept()
    bus.run(100)
    assert leaf.provider.endpoints == {}


@pytest.mark.w(28)
def test_a_blocking_join_can_be_cancelled(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1).block()
    waiting = leaf.start_join(root)
    bus.run(0.1)
    leaf.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert leaf.outcome(waiting) is E.WSAEINTR
    bus.run(0.1)
    with fails(E.WSAECONNRESET):
        root.accept()
    leaf.close()
    leaf.provider.cancel_blocking_call(waiting.token, bus.now_s)


@pytest.mark.w(28)
def test_a_cancelled_invitation_leaves_no_socket_behind(bus: Bus) -> None:
    leaf = waiting_leaf(bus, 1)
    root = lonely_root(bus).block()
    waiting = root.start_join(leaf)
    bus.run(0.1)
    root.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert list(root.provider.sockets) == [root.handle]
    bus.run(1)
    with fails(E.WSAECONNRESET):
        leaf.accept()
