"""The end that is asked: queue, PENDING, ACCEPT, REJECT."""

import pytest

from mpwire.core.answering import EARLY_DATA
from mpwire.core.events import (
    Admitted,
    CloseRequested,
    DataReceived,
    DataSubmitted,
    Deferred,
    Ended,
    Joined,
    Refused,
    RequestGone,
    Superseded,
)
from mpwire.core.membership import ROOT_ID
from mpwire.core.table import State
from mpwire.core.timers import TimerName, TimerPlan
from mpwire.testing.ends import (
    DESCRIPTION,
    LEAF_ID,
    PEER_SEQ,
    PEER_TAG,
    SESSION_ID,
    Counterpart,
    Ends,
    asked_root,
    asking_leaf,
    invited_leaf,
)
from mpwire.testing.playbook import Playbook, Wanted, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Accept,
    CancelAck,
    Close,
    CloseAck,
    Data,
    DataAck,
    Message,
    Pending,
    ProbeAck,
    Reject,
)
from mpwire.wire.registries import (
    AbortReason,
    CancelResult,
    CloseReason,
    PendingState,
    RejectReason,
)

END = PEER_SEQ - 1
"""FinalSeq of a peer that sent no data."""


@pytest.fixture(params=[asked_root, invited_leaf])
def ends(request: pytest.FixtureRequest) -> Ends:
    """Give each end that is asked."""
    chosen: Ends = request.param
    return chosen


def accepting(ends: Ends = asked_root) -> tuple[Playbook, Counterpart]:
    """Bring an end to ACCEPTING."""
    play, peer = ends()
    play.feed(Admitted(None)).expect(sent(Accept, attempt=1))
    return play, peer


def joined(ends: Ends = asked_root) -> tuple[Playbook, Counterpart]:
    """Bring an end to JOINED."""
    play, peer = accepting(ends)
    play.feed(peer.confirm()).expect(reported(Joined))
    return play, peer


# The queue ------------------------------------------------------------------------------------


def test_a_queued_request_is_answered_pending(ends: Ends) -> None:
    play, peer = ends()
    pending = play.last(Pending)
    assert pending.destination_tag == PEER_TAG
    assert (pending.resp_tag, pending.state) == (0xC, PendingState.QUEUED)
    assert (pending.seq, pending.attempt, pending.poll_ms) == (7, 1, 5000)
    assert peer.end.state is State.QUEUED


def test_deferring_sends_nothing_and_only_polls_hear_of_it(ends: Ends) -> None:
    play, peer = ends()
    play.feed(Deferred()).finish()
    poll = peer.end.request
    poll.attempt = 4
    play.feed(poll).expect(sent(Pending, state=PendingState.DEFERRED, attempt=4))
    assert peer.end.state is State.QUEUED


def test_a_withdrawn_request_is_gone_with_connreset(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.cancel()).expect(
        sent(CancelAck, result=CancelResult.DONE, destination_tag=PEER_TAG, seq=7),
        forgotten(),
        reported(RequestGone, code=WsaError.WSAECONNRESET),
    )
    assert not play.timers


def test_an_aborted_request_is_gone_with_connreset(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.abort()).expect(forgotten(), reported(RequestGone, code=WsaError.WSAECONNRESET))


def test_a_superseded_request_is_gone_without_a_word(ends: Ends) -> None:
    play, _ = ends()
    play.feed(Superseded()).expect(forgotten(), reported(RequestGone, code=WsaError.WSAECONNRESET))
    play.finish()


@pytest.mark.parametrize(("factor", "expiry_s"), [(1.0, 190.0), (0.1, 19.0)])
def test_an_undecided_request_expires_after_the_initiator_gave_up(
    ends: Ends, factor: float, expiry_s: float
) -> None:
    play, _ = ends(TimerPlan().scaled(factor))
    play.expire(TimerName.LIMIT).expect(
        sent(Reject, reason=RejectReason.EXPIRED, destination_tag=PEER_TAG),
        forgotten(),
        reported(RequestGone, code=WsaError.WSAEACCES),
    )
    assert play.now_s == pytest.approx(expiry_s)


def test_a_refusal_echoes_the_last_poll_and_is_kept_for_later_copies(ends: Ends) -> None:
    play, peer = ends()
    poll = peer.end.request
    poll.attempt = 3
    play.feed(poll).expect(sent(Pending))
    play.feed(Refused(RejectReason.APP_REFUSED)).expect(
        sent(Reject, reason=RejectReason.APP_REFUSED, seq=7, attempt=3), forgotten()
    )
    assert peer.end.reject is play.last(Reject)


# ACCEPT ---------------------------------------------------------------------------------------


def test_root_accepts_with_member_id_and_session() -> None:
    play, peer = asked_root()
    play.feed(Admitted(b"ok")).expect(
        sent(
            Accept,
            assigned_id=LEAF_ID,
            session_desc=DESCRIPTION,
            session_id=SESSION_ID,
            sender_id=ROOT_ID,
            resp_tag=0xC,
            destination_tag=PEER_TAG,
            next_data_seq=100,
            callee_data=b"ok",
            seq=7,
        )
    )
    play.feed(peer.confirm()).expect(reported(Joined, callee_data=None))
    assert set(play.timers) == {TimerName.KEEPALIVE}


def test_leaf_accepts_without_them_and_learns_them_from_confirm() -> None:
    play, peer = invited_leaf()
    play.feed(Admitted(None)).expect(
        sent(Accept, assigned_id=0, session_desc=None, session_id=SESSION_ID, sender_id=0)
    )
    play.feed(peer.confirm()).expect(reported(Joined))
    assert peer.end.identity.own_id == LEAF_ID


def test_accept_grants_no_more_payload_than_was_asked_for(ends: Ends) -> None:
    play, peer = ends(max_payload=200)
    play.feed(Admitted(None)).expect(sent(Accept, max_payload=200))
    assert peer.end.max_payload == 200


def test_accept_is_repeated_and_given_up_aloud(ends: Ends) -> None:
    play, peer = accepting(ends)
    for attempt in (2, 3, 4, 5):
        play.expire(TimerName.RETRANSMIT).expect(sent(Accept, attempt=attempt))
    play.expire(TimerName.RETRANSMIT).expect(
        sent(Abort, reason=AbortReason.NO_CONFIRM, destination_tag=PEER_TAG, echo_seq=7),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )
    assert peer.end.state is State.GONE


def test_copies_of_the_request_are_not_answered_while_accept_is_out(ends: Ends) -> None:
    play, peer = accepting(ends)
    play.feed(peer.end.request).expect(dropped("table"))


@pytest.mark.parametrize(
    ("ends_of", "changes"),
    [
        (invited_leaf, {"session_desc": None}),
        (invited_leaf, {"assigned_id": 0}),
        (invited_leaf, {"assigned_id": 1}),
        (invited_leaf, {"leaf_dir": 1}),
        (asked_root, {"leaf_dir": 2}),
        (asked_root, {"assigned_id": 5}),
        (asked_root, {"session_desc": DESCRIPTION}),
    ],
)
def test_a_confirm_that_is_none_is_aborted(ends_of: Ends, changes: dict[str, object]) -> None:
    play, peer = accepting(ends_of)
    play.feed(peer.confirm(**changes)).expect(
        dropped("R39 R40 R41"),
        sent(Abort, reason=AbortReason.PROTOCOL),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )


def test_a_cancel_undoes_the_acceptance(ends: Ends) -> None:
    for reach in (accepting, joined):
        play, peer = reach(ends)
        play.feed(peer.cancel()).expect(
            sent(CancelAck, result=CancelResult.WAS_JOINED, destination_tag=PEER_TAG),
            forgotten(),
            reported(Ended, code=WsaError.WSAECONNRESET),
        )


def test_a_cancel_to_the_end_that_asked_is_ignored() -> None:
    play, peer = asking_leaf()
    peer.end.state = State.JOINED
    play.feed(peer.cancel()).expect(dropped("RM25"))
    assert peer.end.state is State.JOINED


def test_a_cancel_is_acknowledged_even_after_the_end(ends: Ends) -> None:
    play, peer = joined(ends)
    play.feed(peer.close()).expect(sent(CloseAck), reported(Ended))
    play.feed(peer.cancel()).expect(sent(CancelAck, result=CancelResult.WAS_JOINED))
    assert peer.end.state is State.LINGERING


def test_an_abort_ends_the_acceptance(ends: Ends) -> None:
    play, peer = accepting(ends)
    play.feed(peer.abort()).expect(forgotten(), reported(Ended, code=WsaError.WSAECONNRESET))


# What stands for CONFIRM ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "effect"),
    [("data", reported(DataReceived)), ("probe", sent(ProbeAck))],
)
def test_root_takes_what_a_leaf_sends_for_its_confirm(message: str, effect: Wanted) -> None:
    play, peer = accepting(asked_root)
    play.feed(getattr(peer, message)()).expect(reported(Joined), effect)
    play.finish()
    assert peer.end.state is State.JOINED


def test_root_takes_sync_for_confirm_and_says_what_it_has() -> None:
    play, peer = accepting(asked_root)
    play.feed(peer.sync(PEER_SEQ)).expect(reported(Joined), sent(DataAck, rcv_next=PEER_SEQ))
    assert peer.end.state is State.JOINED


def test_once_joined_an_accept_confuses_nobody_who_was_asked() -> None:
    play, peer = accepting(asked_root)
    play.feed(peer.confirm()).expect(reported(Joined))
    play.feed(peer.accept()).expect(dropped("RM11"))
    assert peer.end.state is State.JOINED


def test_root_takes_close_for_confirm_and_ends() -> None:
    play, peer = accepting(asked_root)
    play.feed(peer.close()).expect(
        reported(Joined), sent(CloseAck, ack_flags=0), reported(Ended, code=WsaError.SUCCESS)
    )
    assert peer.end.state is State.LINGERING


def test_leaf_needs_the_confirm_itself() -> None:
    play, peer = accepting(invited_leaf)
    play.feed(peer.probe()).expect(dropped("LF16"))
    assert peer.end.state is State.ACCEPTING


def test_data_that_overtakes_confirm_waits_for_it() -> None:
    play, peer = accepting(invited_leaf)
    play.feed(peer.data(PEER_SEQ, b"one"))
    play.feed(peer.data(PEER_SEQ + 1, b"two")).finish()
    play.feed(peer.confirm()).expect(
        reported(Joined),
        reported(DataReceived, payload=b"one"),
        reported(DataReceived, payload=b"two"),
    )
    play.finish()


def test_only_so_much_data_waits() -> None:
    play, peer = accepting(invited_leaf)
    for count in range(EARLY_DATA):
        play.feed(peer.data(PEER_SEQ + count))
    play.feed(peer.data(PEER_SEQ + EARLY_DATA)).expect(dropped("LF16"))


def test_a_leaf_cannot_tell_what_it_misses_before_confirm_says_where_data_starts() -> None:
    play, peer = accepting(invited_leaf)
    play.feed(peer.data(PEER_SEQ + 1, b"two"))
    play.feed(peer.close(final_seq=PEER_SEQ + 1)).expect(dropped("LF16"))
    play.feed(peer.confirm()).expect(reported(Joined))
    play.feed(peer.data(PEER_SEQ, b"one")).expect(
        reported(DataReceived, payload=b"one"), reported(DataReceived, payload=b"two")
    )
    play.feed(peer.close(final_seq=PEER_SEQ + 1, attempt=2)).expect(
        sent(CloseAck, ack_flags=0, rcv_next=PEER_SEQ + 2, attempt=2),
        reported(Ended, code=WsaError.SUCCESS),
    )
    play.finish()


# What waits for CONFIRM -----------------------------------------------------------------------


def test_data_given_to_an_acceptance_is_sent_once_it_is_confirmed(ends: Ends) -> None:
    play, peer = accepting(ends)
    play.feed(DataSubmitted(100, b"a")).finish()
    play.feed(DataSubmitted(101, b"b")).finish()
    assert peer.end.outflow.next_seq == 102
    play.feed(peer.confirm()).expect(
        reported(Joined), sent(Data, seq=100, payload=b"a"), sent(Data, seq=101, payload=b"b")
    )
    play.finish()


def test_a_close_of_an_acceptance_waits_for_its_confirm(ends: Ends) -> None:
    play, peer = accepting(ends)
    play.feed(DataSubmitted(100, b"a"))
    play.feed(CloseRequested(CloseReason.EXPEL)).finish()
    play.feed(peer.confirm()).expect(
        reported(Joined),
        sent(Data, seq=100),
        sent(Close, reason=CloseReason.EXPEL, final_seq=100),
    )
    assert peer.end.state is State.CLOSING


def test_a_close_that_a_leaf_cannot_take_yet_leaves_its_own_waiting() -> None:
    play, peer = accepting(invited_leaf)
    play.feed(CloseRequested(CloseReason.LEAVE)).finish()
    play.feed(peer.close()).expect(dropped("LF16"))
    play.feed(peer.confirm()).expect(reported(Joined), sent(Close, reason=CloseReason.LEAVE))
    assert peer.end.state is State.CLOSING


def test_final_seq_of_a_settling_root_counts_what_it_held_back() -> None:
    play, peer = accepting(asked_root)
    play.feed(DataSubmitted(100, b"a"))
    play.feed(CloseRequested(CloseReason.LEAVE))
    play.feed(peer.close()).expect(
        reported(Joined),
        sent(Data),
        sent(CloseAck, final_seq=100),
        reported(Ended, code=WsaError.SUCCESS),
    )
    play.finish()
    assert not any(isinstance(message, Close) for message in play.messages)


def test_nothing_of_the_other_role_confuses_an_acceptance(ends: Ends) -> None:
    play, peer = accepting(ends)
    strangers: list[Message] = [peer.accept(), peer.cancel_ack(), peer.probe_ack()]
    for message in strangers:
        play.feed(message).expect(dropped("table"))
