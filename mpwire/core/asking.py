"""What the end that asks does: JOIN_REQ, cookie, polls, CONFIRM, CANCEL."""

from typing import Final

from msgspec.structs import replace

from mpwire.core.events import Input, Joined, JoinFailed
from mpwire.core.membership import FIRST_LEAF_ID, Membership, action
from mpwire.core.outflow import Outflow
from mpwire.core.serial import plus
from mpwire.core.table import State
from mpwire.core.timers import CANCEL_SENDS, TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    Challenge,
    Confirm,
    JoinReq,
    Pending,
    Reject,
    VersionNeg,
)
from mpwire.wire.numbers import VERSION
from mpwire.wire.registries import AbortReason, CancelReason, LeafDirection, RejectReason

HIGHEST_ATTEMPT: Final = 255
"""What the Attempt octet can count; no plan of ours comes near it."""

CODE_OF_REJECT: Final[dict[int, WsaError]] = {
    RejectReason.ALREADY_MEMBER: WsaError.WSAEISCONN,
    RejectReason.NO_RESOURCES: WsaError.WSAENOBUFS,
    RejectReason.QOS_UNAVAILABLE: WsaError.WSAEOPNOTSUPP,
    RejectReason.DIRECTION: WsaError.WSAEOPNOTSUPP,
    RejectReason.ADDRESS_FAMILY: WsaError.WSAEAFNOSUPPORT,
    RejectReason.EXPIRED: WsaError.WSAETIMEDOUT,
}
"""FD_CONNECT code of a REJECT reason; every other reason is WSAECONNREFUSED."""


@action
def request_join(end: Membership, _event: Input, now_s: float) -> None:
    """Send the first JOIN_REQ, without a cookie; copies add that, and their Attempt (R31)."""
    end.set_timer(TimerName.LIMIT, now_s + end.plan.pend_s)
    end.state = State.ASKING
    end.send_request(replace(end.request, attempt=1), now_s)


@action
def prove_address(end: Membership, event: Input, now_s: float) -> None:
    """Repeat the request with the cookie, at once, unless all copies are spent (R77)."""
    assert isinstance(event, Challenge)
    if _all_copies_spent(end):
        end.drop("CHALLENGE after the last copy", "R77")
        return
    end.enter(State.PROVING)
    _prove(end, event, now_s)


def _all_copies_spent(end: Membership) -> bool:
    last = end.outstanding
    assert isinstance(last, JoinReq)
    return last.attempt >= end.plan.retransmissions


def _prove(end: Membership, challenge: Challenge, now_s: float) -> None:
    end.send_copy(now_s, cookie=challenge.cookie)
    assert end.outstanding is not None
    end.proven_attempt = end.outstanding.attempt


@action
def prove_again(end: Membership, event: Input, now_s: float) -> None:
    """Take a new cookie when the one we sent has aged out.

    Only a CHALLENGE to the latest copy says so; one to an earlier, cookie-less copy is late. And
    of two in a row the second is a lie: the cookie it complains of has just been issued.
    """
    assert isinstance(event, Challenge)
    last = end.outstanding
    assert isinstance(last, JoinReq)
    if event.attempt != last.attempt or event.attempt == end.proven_attempt:
        end.drop("CHALLENGE to an earlier copy, or to a fresh cookie", "RM2")
    elif end.state is State.PENDING:
        _prove(end, event, now_s)
        _poll_later(end, now_s)
    elif _all_copies_spent(end):
        end.drop("CHALLENGE after the last copy", "R77")
    else:
        _prove(end, event, now_s)


@action
def repeat_request(end: Membership, event: Input, now_s: float) -> None:
    """Repeat the request by the RTO law, or give up after MRC copies."""
    if _all_copies_spent(end):
        time_out_join(end, event, now_s)
        return
    end.send_copy(now_s)


@action
def await_decision(end: Membership, event: Input, now_s: float) -> None:
    """Note that the peer has queued the request, and poll from now on."""
    assert isinstance(event, Pending)
    if end.state is State.PROVING:
        end.enter(State.PENDING)
    end.identity.peer_tag = event.resp_tag
    end.poll_s = max(event.poll_ms / 1000, end.plan.poll_s)
    _poll_later(end, now_s)


def _poll_later(end: Membership, now_s: float) -> None:
    end.set_timer(TimerName.RETRANSMIT, now_s + end.poll_s * end.entropy.uniform(1.0, 1.1))


@action
def poll_decision(end: Membership, event: Input, now_s: float) -> None:
    """Ask again, so that a lost ACCEPT or a restarted peer is noticed.

    The copy that answers a CHALLENGE to this poll still needs a number of its own.
    """
    assert end.outstanding is not None
    if end.outstanding.attempt + 2 > HIGHEST_ATTEMPT:
        time_out_join(end, event, now_s)
        return
    end.send_copy(now_s)
    _poll_later(end, now_s)


@action
def confirm_join(end: Membership, event: Input, now_s: float) -> None:
    """Become a member: answer ACCEPT with CONFIRM, which is repeated to every copy (R42)."""
    assert isinstance(event, Accept)
    end.identity.peer_tag = event.resp_tag
    fault = _fault_of(end, event)
    if fault:
        end.drop(fault, "R24 R39 R40 R41")
        _abort_acceptance(end, event, AbortReason.PROTOCOL)
        end.enter(State.GONE)
        end.report(JoinFailed(WsaError.WSAECONNREFUSED))
        return
    own, session = end.identity, end.session
    own.session_id = event.session_id
    if session is None:
        own.own_id, own.peer_id = event.assigned_id, event.sender_id
        description = None
    else:
        own.peer_id = session.assign_id()
        end.outflow = Outflow(session.next_data_seq)
        description = session.description
    in_effect = description or event.session_desc
    assert in_effect is not None
    end.agree(event.caps, in_effect, event.next_data_seq)
    end.max_payload = min(end.max_payload, event.max_payload)
    end.confirm = Confirm(
        **end.header(event.seq, event.attempt),
        assigned_id=0 if session is None else own.peer_id,
        next_data_seq=end.outflow.next_seq,
        leaf_dir=end.request.leaf_dir,
        session_desc=description,
    )
    end.send(end.confirm)
    end.enter(State.JOINED)
    end.outstanding = None
    end.watch_peer(now_s)
    end.report(Joined(event.callee_data))


def _fault_of(end: Membership, accept: Accept) -> str:
    """Say what makes an ACCEPT unacceptable, or nothing."""
    if accept.leaf_dir != end.request.leaf_dir:
        return f"ACCEPT.LeafDir is {accept.leaf_dir}, asked for {end.request.leaf_dir}"
    if (accept.session_desc is None) is not end.is_root:
        return "SESSION_DESC is not in the root's half"
    if accept.assigned_id != 0 if end.is_root else accept.assigned_id < FIRST_LEAF_ID:
        return "AssignedID is not in the root's half"
    if accept.session_id == 0 or (end.is_root and accept.session_id != end.identity.session_id):
        return "ACCEPT names another session"
    return ""


@action
def confirm_again(end: Membership, event: Input, _now_s: float) -> None:
    """Answer another copy of ACCEPT with the same CONFIRM, echoing that copy (R42)."""
    assert isinstance(event, Accept)
    if end.confirm is None:
        end.drop("ACCEPT to the end that was asked", "RM11")
        return
    end.send(replace(end.confirm, attempt=event.attempt))


@action
def fail_rejected(end: Membership, event: Input, _now_s: float) -> None:
    """Report why the peer said no; the socket may try again (W18)."""
    assert isinstance(event, Reject)
    end.enter(State.GONE)
    code = CODE_OF_REJECT.get(event.reason, WsaError.WSAECONNREFUSED)
    if event.reason == RejectReason.DIRECTION and end.leaf_dir & LeafDirection.D_ROOT:
        code = WsaError.WSAECONNREFUSED  # there is a d_root (D35)
    end.report(JoinFailed(code))


@action
def fail_version(end: Membership, event: Input, _now_s: float) -> None:
    """Give up when the peer speaks no version of ours; ignore a lie about ours (protocol.md 14)."""
    assert isinstance(event, VersionNeg)
    if VERSION in event.versions:
        end.drop("VERSION_NEG lists the version that was used", "R106")
        return
    end.enter(State.GONE)
    end.report(JoinFailed(WsaError.WSAECONNREFUSED))


@action
def count_unreachable(end: Membership, event: Input, now_s: float) -> None:
    """Believe an ICMP port unreachable the second time, when no peer ever answered."""
    end.unreachable_count += 1
    if end.unreachable_count == 2:
        end.timeout_code = WsaError.WSAECONNREFUSED
        time_out_join(end, event, now_s)


@action
def note_unreachable(end: Membership, _event: Input, _now_s: float) -> None:
    """Keep an ICMP net or host unreachable as the reason of a later time-out."""
    end.timeout_code = WsaError.WSAENETUNREACH


@action
def time_out_join(end: Membership, _event: Input, now_s: float) -> None:
    """Give up and say so on the wire."""
    _cancel(end, CancelReason.TIMEOUT, now_s)
    end.report(JoinFailed(end.timeout_code))


@action
def withdraw_request(end: Membership, _event: Input, now_s: float) -> None:
    """Cancel the join whose handle was closed; nobody is told here (W25, D21)."""
    _cancel(end, CancelReason.WITHDRAWN, now_s)


def _cancel(end: Membership, reason: CancelReason, now_s: float) -> None:
    """Send CANCEL: once when no cookie was ever sent, else until it is acknowledged."""
    asked_without_cookie = end.state is State.ASKING
    cancel = Cancel(
        **end.header(end.txn),
        init_tag=end.identity.own_tag,
        reason=reason,
    )
    if asked_without_cookie:
        end.send(cancel)
        end.enter(State.GONE)
    else:
        end.enter(State.CANCELLING)
        end.send_request(cancel, now_s)


@action
def repeat_cancel(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat CANCEL, three copies in all."""
    last = end.outstanding
    assert isinstance(last, Cancel)
    if last.attempt >= CANCEL_SENDS:
        end.enter(State.GONE)
        return
    end.send_copy(now_s)


@action
def abort_acceptance(end: Membership, event: Input, _now_s: float) -> None:
    """Tear down an acceptance of what is not asked for any more (RM13, LF13)."""
    assert isinstance(event, Accept)
    _abort_acceptance(end, event, AbortReason.NO_CONFIRM)


def _abort_acceptance(end: Membership, accept: Accept, reason: AbortReason) -> None:
    end.send(
        Abort(
            session_id=accept.session_id,
            destination_tag=accept.resp_tag,
            seq=plus(end.txn, 1),
            reason=reason,
            echo_seq=accept.seq,
        )
    )


@action
def forget(end: Membership, _event: Input, _now_s: float) -> None:
    """Drop the last state there is."""
    end.enter(State.GONE)
