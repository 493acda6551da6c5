"""The queue of requests: its head, its limit, its dead and its parked."""

import pytest

from mpwire.core.events import Deferred
from mpwire.core.listener import MAXIMUM_BACKLOG, Listener, ListenerState
from mpwire.core.membership import Membership
from mpwire.testing.ends import asked_root
from mpwire.vocabulary import WsaError
from mpwire.wire.registries import Role

IDLE, QUEUED, DEFERRED = ListenerState
RESET = WsaError.WSAECONNRESET


@pytest.fixture
def listener() -> Listener:
    return Listener(Role.C_LEAF_TO_ROOT, backlog=3)


def waiting(listener: Listener, *ports: int) -> list[Membership]:
    """Queue one request per port."""
    ends = []
    for port in ports:
        _, peer = asked_root()
        peer.end.peer = ("10.0.0.2", port)
        listener.add(peer.end)
        ends.append(peer.end)
    return ends


def test_an_empty_queue_indicates_nothing(listener: Listener) -> None:
    assert (listener.state, listener.indicates) == (IDLE, False)
    assert listener.head is None


def test_requests_are_decided_in_order(listener: Listener) -> None:
    one, two = waiting(listener, 1, 2)
    assert listener.arrived
    assert listener.indicates
    for end in (one, two):
        head = listener.head
        assert head is not None
        assert head.membership is end
        listener.take(head)
    assert listener.state is IDLE


def test_a_deferred_head_mutes_the_queue_until_it_is_gone(listener: Listener) -> None:
    one, _ = waiting(listener, 1, 2)
    one.handle(Deferred(), 0.0)
    assert (listener.state, listener.indicates) == (DEFERRED, False)
    listener.mark_gone(one, RESET)
    assert (listener.state, listener.indicates) == (QUEUED, True)


def test_the_dead_keep_their_place_but_indicate_nothing(listener: Listener) -> None:
    one, two = waiting(listener, 1, 2)
    listener.mark_gone(two, RESET)
    assert (listener.state, listener.indicates) == (QUEUED, True)
    listener.mark_gone(one, RESET)
    assert (listener.state, listener.indicates) == (QUEUED, False)
    assert [entry.gone for entry in listener.entries] == [RESET, RESET]


def test_the_dead_take_no_room(listener: Listener) -> None:
    ends = waiting(listener, 1, 2, 3)
    assert listener.is_full
    listener.mark_gone(ends[1], RESET)
    assert not listener.is_full


def test_the_request_of_an_invited_leaf_is_hidden_and_shown_again(listener: Listener) -> None:
    one, two = waiting(listener, 1, 2)
    listener.park(one.peer)
    head = listener.head
    assert head is not None
    assert head.membership is two
    listener.take(head)
    assert (listener.state, listener.indicates) == (IDLE, False)
    listener.park(None)
    assert (listener.state, listener.indicates) == (QUEUED, True)


@pytest.mark.parametrize(("asked", "given"), [(-1, 1), (0, 1), (2, 2), (9999, MAXIMUM_BACKLOG)])
def test_a_backlog_is_clamped_without_a_word(listener: Listener, asked: int, given: int) -> None:
    listener.resize(asked)
    assert listener.backlog == given


def test_a_smaller_backlog_drops_the_newest(listener: Listener) -> None:
    ends = waiting(listener, 1, 2, 3)
    listener.mark_gone(ends[0], RESET)
    assert listener.resize(1) == [ends[2]]
    assert [entry.membership for entry in listener.entries] == ends[:2]


def test_no_more_dead_are_kept_than_may_live(listener: Listener) -> None:
    """The oldest dead go first; who lives stays in its place, and so does who died last."""
    first, *others = waiting(listener, 1, 2, 3, 4, 5)
    for end in others:
        listener.mark_gone(end, RESET)
    assert [entry.membership for entry in listener.entries] == [first, *others[1:]]
    listener.mark_gone(first, RESET)
    assert [entry.membership for entry in listener.entries] == others[1:]


def test_a_smaller_backlog_forgets_the_oldest_dead(listener: Listener) -> None:
    ends = waiting(listener, 1, 2, 3)
    for end in ends:
        listener.mark_gone(end, RESET)
    assert listener.resize(1) == []
    assert [entry.membership for entry in listener.entries] == ends[2:]
