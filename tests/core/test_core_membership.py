"""What is common to all states: steps, errors, timers, names, copies."""

import copy
from collections.abc import Callable

import pytest

from mpwire.core.events import (
    CloseRequested,
    DataReceived,
    DataSubmitted,
    Dropped,
    JoinRequested,
    Send,
)
from mpwire.core.membership import Membership, SessionFacts
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.errors import LocalProtocolError
from mpwire.testing.ends import (
    DESCRIPTION,
    PEER_TAG,
    SESSION_ID,
    asked_root,
    asking_leaf,
    invited_leaf,
    inviting_root,
    joined_leaf,
)
from mpwire.testing.forking import fork
from mpwire.testing.playbook import reported, sent
from mpwire.wire.messages import Close, JoinReq
from mpwire.wire.registries import CloseReason, LeafDirection


def test_member_ids_start_at_two_and_are_never_reused() -> None:
    facts = SessionFacts(SESSION_ID, DESCRIPTION, next_data_seq=0)
    assert [facts.assign_id() for _ in range(3)] == [2, 3, 4]


def test_a_call_that_the_state_forbids_is_our_own_mistake() -> None:
    play, _ = asking_leaf()
    with pytest.raises(LocalProtocolError, match="api: send is illegal in state NEW"):
        play.feed(DataSubmitted(1, b""))


def test_a_message_that_the_state_ignores_is_dropped_with_a_reason() -> None:
    play, peer = joined_leaf()
    effects = peer.end.handle(peer.challenge(), play.now_s)
    assert effects == [Dropped("in: CHALLENGE in state JOINED", "table")]


def test_the_end_with_a_session_is_the_roots() -> None:
    for ends, is_root in (
        (asking_leaf, False),
        (invited_leaf, False),
        (inviting_root, True),
        (asked_root, True),
    ):
        _, peer = ends()
        assert peer.end.is_root is is_root


@pytest.mark.parametrize(
    ("leaf_dir", "leaf", "root"),
    [
        (LeafDirection.SEND, (True, False), (False, True)),
        (LeafDirection.RECEIVE, (False, True), (True, False)),
        (LeafDirection.SEND | LeafDirection.RECEIVE, (True, True), (True, True)),
    ],
)
def test_directions_are_those_of_the_leaf_and_mirrored_at_the_root(
    leaf_dir: LeafDirection, leaf: tuple[bool, bool], root: tuple[bool, bool]
) -> None:
    for ends, (may_send, may_receive) in ((asking_leaf, leaf), (inviting_root, root)):
        _, peer = ends(leaf_dir=leaf_dir)
        assert (peer.end.may_send, peer.end.may_receive) == (may_send, may_receive)


def test_only_a_membership_that_both_ends_may_count_on_is_live() -> None:
    play, peer = asked_root()
    assert not peer.end.is_live
    play, peer = joined_leaf()
    assert peer.end.is_live
    play.feed(peer.close()).unclaimed.clear()
    assert not peer.end.is_live


def test_t_pend_runs_through_the_whole_asking_and_no_further() -> None:
    play, peer = asking_leaf()
    play.feed(JoinRequested()).expect(sent(JoinReq))
    limit_s = play.timers[TimerName.LIMIT]
    for message in (peer.challenge, peer.pending):
        play.feed(message()).unclaimed.clear()
        assert play.timers[TimerName.LIMIT] == limit_s
    play.feed(peer.accept()).unclaimed.clear()
    assert TimerName.LIMIT not in play.timers


def test_requests_of_a_member_have_numbers_of_their_own() -> None:
    play, peer = joined_leaf()
    assert peer.end.next_txn() == 8
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close, seq=9))


def test_messages_carry_the_names_of_both_ends() -> None:
    _, peer = joined_leaf()
    assert peer.end.header(5, 2) == {
        "session_id": SESSION_ID,
        "destination_tag": PEER_TAG,
        "sender_id": 2,
        "seq": 5,
        "attempt": 2,
    }


@pytest.mark.parametrize("copier", [copy.deepcopy, fork])
def test_a_copy_goes_on_exactly_as_its_original(
    copier: Callable[[Membership], Membership],
) -> None:
    _, peer = joined_leaf()
    twin = copier(peer.end)
    for event in (peer.data(), peer.probe(), CloseRequested(CloseReason.LEAVE), peer.close()):
        assert peer.end.handle(event, 1.0) == twin.handle(event, 1.0)
    assert twin.state is State.LINGERING


def test_handling_leaves_no_effect_behind() -> None:
    play, peer = joined_leaf()
    play.feed(peer.data()).expect(reported(DataReceived))
    effects = peer.end.handle(peer.close(final_seq=500), play.now_s)
    assert isinstance(effects[0], Send)
    assert peer.end.effects == []
