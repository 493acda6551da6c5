"""One join at a time, and the next after it (W18, W27-W32)."""

import pytest

from mpwire.testing.actor import (
    NOBODY,
    PORT,
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
from mpwire.vocabulary import JoinFlag, WsaError

E = WsaError
NOT_LISTENING = ("10.0.1.1", PORT)


# One FD_CONNECT per join ---------------------------------------------------------------------


@pytest.mark.w(27, 31, 32)
def test_serial_joins_complete_once_each(bus: Bus) -> None:
    root = lonely_root(bus)
    for number in range(1, 4):
        leaf = waiting_leaf(bus, number)
        root.join(leaf)
        bus.run(0.1)
        leaf.accept()
        bus.run(0.1)
        assert root.events() == ["FD_CONNECT", "FD_WRITE"][: 2 if number == 1 else 1]
        bus.run(30)
        assert root.events() == []


@pytest.mark.w(27)
def test_a_new_join_drops_the_unread_completion_of_the_last(bus: Bus) -> None:
    """D6."""
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.join(NOBODY)
    bus.run(60)
    root.join(leaf)
    assert root.events() == []
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]


# One outstanding request ----------------------------------------------------------------------


@pytest.mark.w(29)
def test_a_second_join_fails_and_the_first_goes_on(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.join(leaf)
    for flags in (JoinFlag.BOTH, JoinFlag.SENDER_ONLY, 99):
        with fails(E.WSAEALREADY):
            root.join(NOBODY, flags)
    joiner = leaf_actor(bus, 2)
    joiner.join(NOBODY)
    with fails(E.WSAEALREADY):
        joiner.join(NOBODY)
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]


@pytest.mark.w(30)
def test_a_member_cannot_join_again(bus: Bus) -> None:
    root, leaf, waiter = root_actor(bus), leaf_actor(bus, 1), waiting_leaf(bus, 2)
    admit(root, leaf)
    _, session_end = invite(root, waiter)
    for member in (leaf, session_end):
        for target in (root, NOBODY):
            with fails(E.WSAEISCONN):
                member.join(target)


@pytest.mark.w(19, 30)
def test_a_member_that_was_cannot_join_again_either(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf).close()
    bus.run(1)
    assert leaf.events() == ["FD_CLOSE"]
    with fails(E.WSAEISCONN):
        leaf.join(root)


@pytest.mark.w(18, 32, 36, 42)
def test_a_refused_leaf_may_ask_again(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT WSAECONNREFUSED"]
    with fails(E.WSAENOTCONN):
        leaf.send()
    drain_events(root)
    admit(root, leaf)


@pytest.mark.w(18, 32, 37)
def test_a_root_may_invite_again_after_a_time_out(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    handle = root.join(NOBODY)
    bus.run(30)
    assert root.events() == []
    bus.run(5)
    assert root.events() == ["FD_CONNECT WSAETIMEDOUT"]
    with fails(E.WSAENOTCONN):
        handle.send()
    handle.close()
    invite(root, leaf)


@pytest.mark.w(18, 32)
def test_an_old_attempt_whose_cancel_is_lost_does_not_stand_in_the_way(bus: Bus) -> None:
    """The new attempt of the same socket supersedes the one in the queue."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    bus.judge = lambda transit: transit.source == root.address and transit.name != "Pending"
    bus.run(181)
    assert leaf.events() == ["FD_CONNECT WSAETIMEDOUT"]
    bus.judge = None
    leaf.join(root)
    bus.run(0.1)
    with fails(E.WSAECONNRESET):
        root.accept()
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]
