"""Actors say plainly what happened; what was expected and did not happen fails."""

import pytest

from mpwire.testing.actor import NOBODY, admit, fails, invite, leaf_actor, root_actor, waiting_leaf
from mpwire.testing.bus import Bus
from mpwire.vocabulary import WsaError


def test_an_expected_failure_must_come_with_its_code() -> None:
    leaf = leaf_actor(Bus(), 1)
    with fails(WsaError.WSAENOTCONN):
        leaf.send()
    wrong = pytest.raises(AssertionError, match="expected WSAEINTR, got WSAENOTCONN")
    with wrong, fails(WsaError.WSAEINTR):
        leaf.send()
    none = pytest.raises(AssertionError, match="expected WSAEINTR, the call succeeded")
    with none, fails(WsaError.WSAEINTR):
        leaf.select()


def test_a_call_that_should_block_must_not_return_and_the_other_way_round() -> None:
    bus = Bus()
    leaf = leaf_actor(bus, 1)
    with pytest.raises(AssertionError):
        leaf.start_join(NOBODY)
    blocking = leaf_actor(bus, 2).block()
    with pytest.raises(AssertionError):
        blocking.join(NOBODY)


def test_scenes_leave_no_event_unread() -> None:
    bus = Bus()
    root, asker, waiter = root_actor(bus), leaf_actor(bus, 1), waiting_leaf(bus, 2)
    handle = admit(root, asker)
    other, session_end = invite(root, waiter)
    for actor in (root, asker, waiter, handle, other, session_end):
        assert actor.events() == []
        assert not actor.is_signalled()
