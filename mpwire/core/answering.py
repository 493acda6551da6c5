"""What the end that is asked does: queue, PENDING, ACCEPT, REJECT."""

from typing import Final

from mpwire.core.chatting import release_side
from mpwire.core.events import (
    Admitted,
    CloseRequested,
    DataSubmitted,
    Ended,
    Input,
    Joined,
    Refused,
    RequestGone,
    RequestVerified,
    RoomMade,
)
from mpwire.core.membership import (
    FIRST_LEAF_ID,
    OFFERED_VERSIONS,
    ROOT_ID,
    HeaderFields,
    Membership,
    action,
)
from mpwire.core.outflow import Outflow
from mpwire.core.sending import release_data
from mpwire.core.table import State
from mpwire.core.timers import QUEUE_GRACE_S, TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    CancelAck,
    Close,
    Confirm,
    Data,
    JoinReq,
    Pending,
    Reject,
    SessionDesc,
)
from mpwire.wire.registries import (
    AbortReason,
    CancelResult,
    Capability,
    CloseFlag,
    PendingState,
    RejectReason,
)

EARLY_DATA: Final = 64
"""Messages kept of a root whose CONFIRM is still on its way; more are as good as lost."""


@action
def queue_request(end: Membership, event: Input, now_s: float) -> None:
    """Hold a verified request for WSPAccept and tell its sender so."""
    assert isinstance(event, RequestVerified)
    end.state = State.QUEUED
    wait_for_decision(end, now_s)
    answer_poll(end, event.request, now_s)


def wait_for_decision(end: Membership, now_s: float) -> None:
    """Keep a request for as long as its sender waits, and a little longer."""
    grace_s = QUEUE_GRACE_S * end.plan.pend_s / 180
    end.set_timer(TimerName.LIMIT, now_s + end.plan.pend_s + grace_s)


@action
def answer_poll(end: Membership, event: Input, _now_s: float) -> None:
    """Answer a copy of the request: VERIFYING, or still QUEUED, or DEFERRED (R37)."""
    assert isinstance(event, JoinReq)
    state = PendingState.DEFERRED if end.deferred else PendingState.QUEUED
    end.request.attempt = event.attempt
    end.send(
        Pending(
            **_echo(end, event),
            resp_tag=end.identity.own_tag,
            state=PendingState.VERIFYING if end.state is State.VERIFYING else state,
            queue_pos=0,
            poll_ms=round(end.plan.poll_s * 1000),
        )
    )


def _echo(end: Membership, request: JoinReq) -> HeaderFields:
    """Return the header of a response to a copy of the JOIN_REQ."""
    return end.header(request.seq, request.attempt)


@action
def defer_request(end: Membership, _event: Input, _now_s: float) -> None:
    """Leave the request where it is and send nothing (W43)."""
    end.deferred = True


@action
def accept_request(end: Membership, event: Input, now_s: float) -> None:
    """Admit the peer: send ACCEPT until CONFIRM arrives."""
    assert isinstance(event, Admitted)
    accept(end, now_s, State.ACCEPTING, callee_data=event.callee_data)


def accept(
    end: Membership,
    now_s: float,
    state: State,
    *,
    flags: int = 0,
    callee_data: bytes | None = None,
) -> None:
    """Enter the state in which ACCEPT is repeated until CONFIRM arrives."""
    own, session = end.identity, end.session
    if session is not None:
        own.session_id, own.own_id = session.session_id, ROOT_ID
        own.peer_id = session.assign_id()
        end.outflow = Outflow(session.next_data_seq)
    else:
        own.session_id, own.peer_id = end.request.session_id, ROOT_ID
    end.max_payload = min(end.max_payload, end.request.max_payload)
    end.agree_capabilities(end.request.caps)
    end.enter(state)
    end.send_request(
        Accept(
            **end.header(end.request.seq),
            flags=flags,
            resp_tag=own.own_tag,
            assigned_id=own.peer_id if session is not None else 0,
            leaf_dir=end.request.leaf_dir,
            max_payload=end.max_payload,
            next_data_seq=end.outflow.next_seq,
            session_desc=session.description if session is not None else None,
            timers=end.plan.announced(),
            caps=end.capabilities,
            callee_data=callee_data,
            versions=OFFERED_VERSIONS,
        ),
        now_s,
    )


@action
def repeat_accept(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat ACCEPT by the RTO law; after MRC copies nobody is there (RM24)."""
    if not repeat_until_confirmed(end, now_s):
        end.report(Ended(WsaError.WSAECONNABORTED))


def repeat_until_confirmed(end: Membership, now_s: float) -> bool:
    """Repeat ACCEPT, or say that nobody has confirmed; return whether there is still hope."""
    last = end.outstanding
    assert isinstance(last, Accept)
    if last.attempt < end.plan.retransmissions:
        end.send_copy(now_s)
        return True
    end.send_abort(AbortReason.NO_CONFIRM, last.seq)
    end.enter(State.GONE)
    return False


@action
def settle_join(end: Membership, event: Input, now_s: float) -> None:
    """Become a member: the peer has confirmed."""
    assert isinstance(event, Confirm)
    if not settle_by_confirm(end, event, now_s):
        end.report(Ended(WsaError.WSAECONNABORTED))


def settle_by_confirm(end: Membership, event: Confirm, now_s: float) -> bool:
    """Become a member, unless the CONFIRM is unacceptable; return whether it was good."""
    fault = _fault_of(end, event)
    if fault:
        end.drop(fault, "R39 R40 R41")
        end.send_abort(AbortReason.PROTOCOL, event.seq)
        end.enter(State.GONE)
        return False
    description = event.session_desc
    if description is not None:
        end.identity.own_id = event.assigned_id
    _settle(end, description, event.next_data_seq, now_s)
    return True


def _fault_of(end: Membership, confirm: Confirm) -> str:
    """Say what makes a CONFIRM unacceptable, or nothing."""
    if confirm.leaf_dir != end.request.leaf_dir:
        return f"CONFIRM.LeafDir is {confirm.leaf_dir}, not {end.request.leaf_dir}"
    if (confirm.session_desc is None) is not end.is_root:
        return "SESSION_DESC is not in the root's half"
    if confirm.assigned_id != 0 if end.is_root else confirm.assigned_id < FIRST_LEAF_ID:
        return "AssignedID is not in the root's half"
    return ""


def _settle(
    end: Membership, description: SessionDesc | None, peer_next_seq: int, now_s: float
) -> None:
    """Enter JOINED, catch up with what came too early, and close if that was asked meanwhile."""
    had_room = end.has_room
    if end.session is not None:
        description = end.session.description
    assert description is not None
    end.agree(end.request.caps, description, peer_next_seq)
    end.outstanding = None
    end.enter(State.JOINED)
    end.watch_peer(now_s)
    end.report(Joined())
    release_data(end, now_s)
    release_side(end, now_s)
    if end.has_room and not had_room:
        end.report(RoomMade())
    waiting: list[Input] = [*end.early]
    if end.pending_close is not None:
        waiting.append(end.pending_close)
    end.early, end.pending_close = [], None
    for event in waiting:
        end.step(event, now_s)


@action
def settle_by_data(end: Membership, event: Input, now_s: float) -> None:
    """Let DATA stand for a lost CONFIRM at the root; keep it until CONFIRM comes at a leaf."""
    assert isinstance(event, Data)
    if end.is_root:
        _settle(end, None, end.request.next_data_seq, now_s)
        end.step(event, now_s)
    elif len(end.early) < EARLY_DATA:
        end.early.append(event)
    else:
        end.drop("too much DATA before CONFIRM", "LF16")


@action
def settle_by_sync(end: Membership, event: Input, now_s: float) -> None:
    """Let SYNC stand for a lost CONFIRM at the root."""
    _settle_at_root(end, event, now_s)


@action
def settle_by_side(end: Membership, event: Input, now_s: float) -> None:
    """Let SIDE stand for a lost CONFIRM at the root; a leaf waits for another copy of both."""
    _settle_at_root(end, event, now_s)


@action
def settle_by_probe(end: Membership, event: Input, now_s: float) -> None:
    """Let PROBE stand for a lost CONFIRM at the root."""
    _settle_at_root(end, event, now_s)


def _settle_at_root(end: Membership, event: Input, now_s: float) -> None:
    if end.is_root:
        _settle(end, None, end.request.next_data_seq, now_s)
        end.step(event, now_s)
    else:
        end.drop("CONFIRM has not arrived yet", "LF16")


@action
def settle_by_close(end: Membership, event: Input, now_s: float) -> None:
    """Let CLOSE stand for a lost CONFIRM at the root: it ends what it proves.

    Of a closing member nothing more is wanted, unless it closes its own direction only. A leaf
    does not know yet where the root's data starts, and could not tell what it is missing: the next
    copy of its ACCEPT brings CONFIRM, and the next copy of the CLOSE comes anyway.
    """
    assert isinstance(event, Close)
    can_half = end.capabilities & end.request.caps & Capability.HALFCLOSE
    if end.is_root and not (can_half and event.cflags & CloseFlag.HALF):
        end.pending_close = None
    _settle_at_root(end, event, now_s)


@action
def hold_data(end: Membership, event: Input, _now_s: float) -> None:
    """Keep data that our ACCEPT promised until the peer is known to be joined (R81, R84).

    Of other origins nothing was promised; they start for this leaf when it is joined (D35).
    """
    assert isinstance(event, DataSubmitted)
    if event.origin is None:
        end.outflow.submit(event.seq, event.payload)
    else:
        end.drop("relayed DATA for a leaf that is not joined yet", "D35")


@action
def close_when_settled(end: Membership, event: Input, _now_s: float) -> None:
    """Close as soon as the peer has confirmed, so that it learns of both."""
    assert isinstance(event, CloseRequested)
    end.postpone_close(event)


@action
def undo_acceptance(end: Membership, event: Input, _now_s: float) -> None:
    """Tear down an acceptance whose requester gave up at the same time (RM25)."""
    assert isinstance(event, Cancel)
    if end.initiator:
        end.drop("CANCEL to the end that asked", "RM25")
        return
    confirm_cancel(end, event, CancelResult.WAS_JOINED)
    end.enter(State.GONE)
    end.report(Ended(WsaError.WSAECONNRESET))


@action
def acknowledge_cancel(end: Membership, event: Input, _now_s: float) -> None:
    """Answer a CANCEL of what is over already (R47)."""
    assert isinstance(event, Cancel)
    confirm_cancel(end, event, CancelResult.WAS_JOINED)


@action
def drop_cancelled(end: Membership, event: Input, _now_s: float) -> None:
    """Take a withdrawn request out of the queue; WSPAccept of it says ECONNRESET (D17)."""
    assert isinstance(event, Cancel)
    confirm_cancel(end, event, CancelResult.DONE)
    end.enter(State.GONE)
    end.report(RequestGone(WsaError.WSAECONNRESET))


def confirm_cancel(end: Membership, cancel: Cancel, result: CancelResult) -> None:
    """Answer a CANCEL."""
    end.send(
        CancelAck(
            **end.header(cancel.seq, cancel.attempt),
            result=result,
        )
    )


@action
def drop_aborted(end: Membership, event: Input, _now_s: float) -> None:
    """Take a request out of the queue whose sender is no more."""
    assert isinstance(event, Abort)
    end.enter(State.GONE)
    end.report(RequestGone(WsaError.WSAECONNRESET))


@action
def expire_request(end: Membership, _event: Input, _now_s: float) -> None:
    """Reject a request that nobody decided; WSPAccept of it says EACCES (RM18)."""
    _reject(end, RejectReason.EXPIRED)
    end.report(RequestGone(WsaError.WSAEACCES))


@action
def supersede_request(end: Membership, _event: Input, _now_s: float) -> None:
    """Take a request out of the queue that its socket has given up for a new one (R29).

    Its CANCEL was lost or is late; without this the new attempt would meet its own ghost.
    """
    end.enter(State.GONE)
    end.report(RequestGone(WsaError.WSAECONNRESET))


@action
def refuse_request(end: Membership, event: Input, _now_s: float) -> None:
    """Reject the request, for the reason given."""
    assert isinstance(event, Refused)
    _reject(end, event.reason)


def _reject(end: Membership, reason: RejectReason) -> None:
    end.reject = Reject(**_echo(end, end.request), reason=reason, retry_after_s=0, detail=0)
    end.send(end.reject)
    end.enter(State.GONE)
