"""The end that asks: JOIN_REQ, cookie, polls, CONFIRM, CANCEL."""

from collections.abc import Callable

import pytest

from mpwire.core.events import (
    Joined,
    JoinFailed,
    JoinRequested,
    NetworkUnreachable,
    PortUnreachable,
    Withdrawn,
)
from mpwire.core.membership import OFFERED_VERSIONS
from mpwire.core.table import State
from mpwire.core.timers import TimerName, TimerPlan
from mpwire.testing.ends import (
    DESCRIPTION,
    LEAF_ID,
    PEER_TAG,
    SESSION_ID,
    Counterpart,
    asking_leaf,
    inviting_root,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Cancel, Confirm, JoinReq
from mpwire.wire.registries import AbortReason, CancelReason, RejectReason

Ends = Callable[..., tuple[Playbook, Counterpart]]
COOKIE = b"cookie-1"


@pytest.fixture(params=[asking_leaf, inviting_root])
def ends(request: pytest.FixtureRequest) -> Ends:
    """Give each end that asks."""
    chosen: Ends = request.param
    return chosen


def asking(ends: Ends = asking_leaf, plan: TimerPlan | None = None) -> tuple[Playbook, Counterpart]:
    """Bring an end to ASKING."""
    play, peer = ends(plan)
    play.feed(JoinRequested()).expect(sent(JoinReq, attempt=1, cookie=None, seq=7))
    return play, peer


def proving(
    ends: Ends = asking_leaf, plan: TimerPlan | None = None
) -> tuple[Playbook, Counterpart]:
    """Bring an end to PROVING."""
    play, peer = asking(ends, plan)
    play.feed(peer.challenge()).expect(sent(JoinReq, attempt=2, cookie=COOKIE))
    return play, peer


def pending(
    ends: Ends = asking_leaf, plan: TimerPlan | None = None
) -> tuple[Playbook, Counterpart]:
    """Bring an end to PENDING."""
    play, peer = proving(ends, plan)
    play.feed(peer.pending())
    return play, peer


def cancelling() -> tuple[Playbook, Counterpart]:
    """Bring an end to CANCELLING."""
    play, peer = pending()
    play.feed(Withdrawn()).expect(
        sent(Cancel, reason=CancelReason.WITHDRAWN, destination_tag=PEER_TAG, attempt=1)
    )
    return play, peer


# The way to a membership ----------------------------------------------------------------------


def test_leaf_joins_with_cookie_and_confirms() -> None:
    play, peer = pending()
    play.feed(peer.accept(callee_data=b"welcome"))
    play.expect(
        sent(
            Confirm,
            assigned_id=0,
            session_desc=None,
            destination_tag=PEER_TAG,
            session_id=SESSION_ID,
            sender_id=LEAF_ID,
            seq=7,
        ),
        reported(Joined, callee_data=b"welcome"),
    )
    play.finish()
    assert peer.end.state is State.JOINED
    assert set(play.timers) == {TimerName.KEEPALIVE}


def test_root_assigns_the_member_id_and_describes_the_session() -> None:
    play, peer = proving(inviting_root)
    play.feed(peer.accept())
    play.expect(
        sent(Confirm, assigned_id=LEAF_ID, session_desc=DESCRIPTION, next_data_seq=100),
        reported(Joined),
    )
    play.finish()


def test_every_copy_of_accept_is_confirmed_alike() -> None:
    play, peer = pending()
    accept = peer.accept()
    play.feed(accept).expect(sent(Confirm, attempt=1), reported(Joined))
    first = play.last(Confirm)
    play.feed(peer.accept(attempt=3)).expect(sent(Confirm, attempt=3))
    again = play.last(Confirm)
    again.attempt = first.attempt
    assert again == first


def test_the_smaller_payload_limit_holds() -> None:
    play, peer = pending()
    play.feed(peer.accept(max_payload=300)).expect(sent(Confirm), reported(Joined))
    assert peer.end.max_payload == 300


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("leaf_dir", 1),
        ("session_desc", None),
        ("assigned_id", 0),
        ("assigned_id", 1),
        ("session_id", 0),
    ],
)
def test_leaf_aborts_an_acceptance_that_is_none(field: str, wrong: object) -> None:
    play, peer = pending()
    play.feed(peer.accept(**{field: wrong}))
    play.expect(
        dropped("R24 R39 R40 R41"),
        sent(Abort, reason=AbortReason.PROTOCOL, destination_tag=PEER_TAG, echo_seq=7),
        forgotten(),
        reported(JoinFailed, code=WsaError.WSAECONNREFUSED),
    )
    play.finish()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("session_desc", DESCRIPTION), ("assigned_id", 9), ("session_id", SESSION_ID + 1)],
)
def test_root_aborts_an_acceptance_that_is_none(field: str, wrong: object) -> None:
    play, peer = proving(inviting_root)
    play.feed(peer.accept(**{field: wrong}))
    play.expect(dropped("R24 R39 R40 R41"), sent(Abort), forgotten(), reported(JoinFailed))


# Copies and cookies ---------------------------------------------------------------------------


def test_request_is_repeated_by_the_rto_law_and_given_up(ends: Ends) -> None:
    play, peer = asking(ends)
    for attempt, rto_s in ((2, 1), (3, 2), (4, 4), (5, 8)):
        before_s = play.now_s
        play.expire(TimerName.RETRANSMIT).expect(sent(JoinReq, attempt=attempt, cookie=None))
        assert 0.9 * rto_s <= play.now_s - before_s <= 1.1 * rto_s
    play.expire(TimerName.RETRANSMIT).expect(
        sent(Cancel, reason=CancelReason.TIMEOUT, destination_tag=0),
        forgotten(),
        reported(JoinFailed, code=WsaError.WSAETIMEDOUT),
    )
    assert 27.9 <= play.now_s <= 34.1
    assert peer.end.state is State.GONE
    assert not play.timers


def test_time_out_after_a_cookie_cancels_until_acknowledged(ends: Ends) -> None:
    play, peer = proving(ends)
    for attempt in (3, 4, 5):
        play.expire().expect(sent(JoinReq, attempt=attempt, cookie=COOKIE))
    play.expire().expect(
        sent(Cancel, reason=CancelReason.TIMEOUT, attempt=1),
        reported(JoinFailed, code=WsaError.WSAETIMEDOUT),
    )
    play.feed(peer.cancel_ack()).expect(forgotten())


def test_copies_differ_only_in_attempt_and_cookie() -> None:
    play, peer = asking()
    play.expire().expect(sent(JoinReq, attempt=2))
    play.feed(peer.challenge()).expect(sent(JoinReq, attempt=3, cookie=COOKIE))
    for copy in play.messages:
        assert isinstance(copy, JoinReq)
        copy.attempt, copy.cookie = 0, None
    assert all(copy == play.messages[0] for copy in play.messages)


def test_no_copy_follows_the_last_one() -> None:
    play, peer = asking(plan=TimerPlan(retransmissions=1))
    play.feed(peer.challenge()).expect(dropped("R77"))
    assert peer.end.state is State.ASKING
    play, peer = proving(plan=TimerPlan(retransmissions=3))
    play.expire().expect(sent(JoinReq, attempt=3))
    play.feed(peer.challenge()).expect(dropped("R77"))


def test_a_late_challenge_to_an_earlier_copy_is_ignored() -> None:
    play, peer = asking()
    early = peer.challenge()
    play.feed(early).expect(sent(JoinReq, attempt=2))
    play.feed(early).expect(dropped("RM2"))


def test_a_challenge_to_a_fresh_cookie_is_ignored() -> None:
    play, peer = proving()
    play.feed(peer.challenge()).expect(dropped("RM2"))
    play.expire().expect(sent(JoinReq, attempt=3))
    play.feed(peer.challenge(cookie=b"cookie-2")).expect(
        sent(JoinReq, attempt=4, cookie=b"cookie-2")
    )


def test_a_cookie_that_aged_out_while_pending_is_renewed_once_per_poll() -> None:
    play, peer = pending()
    play.expire().expect(sent(JoinReq, attempt=3, cookie=COOKIE))
    play.feed(peer.challenge(cookie=b"cookie-2"))
    play.expect(sent(JoinReq, attempt=4, cookie=b"cookie-2"))
    assert play.timers[TimerName.RETRANSMIT] >= play.now_s + 5
    play.feed(peer.challenge(cookie=b"cookie-3")).expect(dropped("RM2"))
    assert peer.end.state is State.PENDING


# Pending --------------------------------------------------------------------------------------


def test_polls_keep_the_interval_that_the_peer_asked_for() -> None:
    play, peer = proving()
    play.feed(peer.pending(poll_ms=8000))
    for attempt in (3, 4):
        before_s = play.now_s
        play.expire().expect(sent(JoinReq, attempt=attempt))
        assert 8.0 <= play.now_s - before_s <= 8.8


def test_polls_never_come_faster_than_our_plan() -> None:
    play, peer = proving()
    play.feed(peer.pending(poll_ms=1))
    assert play.timers[TimerName.RETRANSMIT] >= play.now_s + 5


def test_pending_again_puts_the_next_poll_off() -> None:
    play, peer = pending()
    play.expire().expect(sent(JoinReq, attempt=3))
    play.feed(peer.pending())
    assert play.timers[TimerName.RETRANSMIT] >= play.now_s + 5


def test_pending_ends_with_t_pend() -> None:
    play, peer = pending(plan=TimerPlan(poll_s=100.0))
    play.expire(TimerName.RETRANSMIT).expect(sent(JoinReq, attempt=3))
    play.expire(TimerName.LIMIT).expect(
        sent(Cancel, reason=CancelReason.TIMEOUT),
        reported(JoinFailed, code=WsaError.WSAETIMEDOUT),
    )
    assert play.now_s == 180.0
    assert peer.end.state is State.CANCELLING


@pytest.mark.parametrize("reach", [asking, proving])
def test_t_pend_ends_even_a_plan_with_slow_copies(
    reach: Callable[..., tuple[Playbook, Counterpart]],
) -> None:
    play, _ = reach(plan=TimerPlan(pend_s=0.5))
    play.expire(TimerName.LIMIT)
    assert play.last(Cancel).reason == CancelReason.TIMEOUT
    play.unclaimed.clear()


def test_polls_end_before_the_attempt_octet_does() -> None:
    play, peer = pending(plan=TimerPlan(pend_s=10_000.0))
    while peer.end.state is State.PENDING:
        play.expire()
        play.unclaimed.clear()
    assert play.last(JoinReq).attempt == 254


# The ways to none -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (RejectReason.APP_REFUSED, WsaError.WSAECONNREFUSED),
        (RejectReason.BACKLOG_FULL, WsaError.WSAECONNREFUSED),
        (RejectReason.NOT_LISTENING, WsaError.WSAECONNREFUSED),
        (RejectReason.NO_SUCH_SESSION, WsaError.WSAECONNREFUSED),
        (RejectReason.WRONG_ROLE, WsaError.WSAECONNREFUSED),
        (RejectReason.ALREADY_MEMBER, WsaError.WSAEISCONN),
        (RejectReason.NO_RESOURCES, WsaError.WSAENOBUFS),
        (RejectReason.AUTH_REQUIRED, WsaError.WSAECONNREFUSED),
        (RejectReason.UNSUPPORTED_TLV, WsaError.WSAECONNREFUSED),
        (RejectReason.QOS_UNAVAILABLE, WsaError.WSAEOPNOTSUPP),
        (RejectReason.DIRECTION, WsaError.WSAEOPNOTSUPP),
        (RejectReason.SESSION_CLOSING, WsaError.WSAECONNREFUSED),
        (RejectReason.ADDRESS_FAMILY, WsaError.WSAEAFNOSUPPORT),
        (RejectReason.EXPIRED, WsaError.WSAETIMEDOUT),
        (0x2A, WsaError.WSAECONNREFUSED),
    ],
)
@pytest.mark.parametrize("reach", [asking, proving, pending])
def test_reject_fails_the_join_with_the_code_of_its_reason(
    reach: Callable[[], tuple[Playbook, Counterpart]], reason: int, code: WsaError
) -> None:
    play, peer = reach()
    play.feed(peer.reject(reason)).expect(forgotten(), reported(JoinFailed, code=code))
    play.finish()
    assert not play.timers


def test_version_negotiation_without_a_common_version_fails_the_join() -> None:
    play, peer = asking()
    play.feed(peer.version_neg(9, 8)).expect(
        forgotten(), reported(JoinFailed, code=WsaError.WSAECONNREFUSED)
    )


def test_a_grease_version_is_in_common_but_spoken_by_nobody() -> None:
    """R106, R107: version 1 is the only one there is, so that there is nothing to retry with."""
    play, peer = asking()
    assert 0x2A in OFFERED_VERSIONS
    play.feed(peer.version_neg(*OFFERED_VERSIONS[1:])).expect(
        forgotten(), reported(JoinFailed, code=WsaError.WSAECONNREFUSED)
    )


def test_version_negotiation_that_lists_our_version_is_a_lie() -> None:
    play, peer = asking()
    play.feed(peer.version_neg(1, 9)).expect(dropped("R106"))
    assert peer.end.state is State.ASKING


def test_version_negotiation_after_an_answer_is_ignored() -> None:
    play, peer = proving()
    play.feed(peer.version_neg()).expect(dropped("table"))


def test_port_unreachable_is_believed_the_second_time() -> None:
    play, _ = asking()
    play.feed(PortUnreachable())
    play.feed(PortUnreachable()).expect(
        sent(Cancel, reason=CancelReason.TIMEOUT),
        forgotten(),
        reported(JoinFailed, code=WsaError.WSAECONNREFUSED),
    )


def test_port_unreachable_is_not_believed_once_the_peer_has_answered() -> None:
    play, _ = proving()
    play.feed(PortUnreachable()).expect(dropped("table"))


@pytest.mark.parametrize("reach", [asking, proving, pending])
def test_network_unreachable_names_the_reason_of_a_later_time_out(
    reach: Callable[..., tuple[Playbook, Counterpart]],
) -> None:
    play, _ = reach(plan=TimerPlan(pend_s=0.1))
    play.feed(NetworkUnreachable())
    play.expire(TimerName.LIMIT)
    assert JoinFailed(WsaError.WSAENETUNREACH) in play.unclaimed


# Cancelling -----------------------------------------------------------------------------------


def test_withdrawing_before_a_cookie_sends_one_cancel() -> None:
    play, peer = asking()
    play.feed(Withdrawn()).expect(
        sent(Cancel, reason=CancelReason.WITHDRAWN, init_tag=0xA, destination_tag=0, seq=7),
        forgotten(),
    )
    play.finish()
    assert not play.timers
    assert peer.end.state is State.GONE


def test_cancel_is_sent_three_times_at_most_and_tells_nobody_here() -> None:
    play, peer = cancelling()
    play.expire().expect(sent(Cancel, attempt=2))
    play.expire().expect(sent(Cancel, attempt=3))
    play.expire().expect(forgotten())
    assert peer.end.state is State.GONE


def test_cancel_ends_with_its_acknowledgement() -> None:
    play, peer = cancelling()
    play.feed(peer.cancel_ack()).expect(forgotten())


def test_an_acceptance_that_crosses_cancel_is_aborted() -> None:
    play, peer = cancelling()
    play.feed(peer.accept(attempt=2)).expect(
        sent(Abort, reason=AbortReason.NO_CONFIRM, destination_tag=PEER_TAG, seq=8, echo_seq=7)
    )
    assert peer.end.state is State.CANCELLING


def test_a_peer_says_how_often_it_wants_to_be_asked() -> None:
    play, peer = proving()
    play.feed(peer.pending(poll_ms=12_345))
    assert peer.end.poll_s == 12.345
    play.feed(peer.pending(poll_ms=1))
    assert peer.end.poll_s == peer.end.plan.poll_s
