"""What a member does while it is one, apart from its data: keepalive, and every way to end."""

from mpwire.core.chatting import lacks_side, postpone_close
from mpwire.core.events import CloseRequested, Ended, Input, RoomMade
from mpwire.core.membership import Membership, action
from mpwire.core.outflow import HIGHEST_ATTEMPT
from mpwire.core.receiving import (
    acknowledge_rest,
    await_repair,
    deliver_data,
    hear_copy,
    is_complete,
    is_missing,
    note_finished,
    report_finished,
    wait_for_rest,
)
from mpwire.core.sending import (
    has_unsent,
    hear_close_ack,
    is_owing,
    owes_data,
    release_data,
    tell_relayed,
    waits_for_time,
    withdraw_relayed,
)
from mpwire.core.serial import plus
from mpwire.core.table import State
from mpwire.core.timers import PROBE_SENDS, TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Close, CloseAck, Probe, ProbeAck
from mpwire.wire.registries import AbortReason, Capability, CloseAckFlag, CloseFlag, CloseReason

# Keepalive ------------------------------------------------------------------------------------


@action
def probe_peer(end: Membership, _event: Input, now_s: float) -> None:
    """Probe the peer if it has been silent for T_KA; else look again later."""
    quiet_s = 0.8 * end.plan.keepalive_s
    if now_s < end.heard_s + quiet_s:
        end.watch_peer(end.heard_s)
    else:
        suspect_peer(end, now_s)


def suspect_peer(end: Membership, now_s: float) -> None:
    """Send PROBE until the peer is heard, or dead."""
    end.enter(State.SUSPECT)
    end.send_request(
        Probe(
            **end.header(end.next_txn()),
            nonce=end.entropy.tag(),
            next_data_seq=end.outflow.next_seq,
        ),
        now_s,
    )


@action
def repeat_probe(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat PROBE; after four unanswered copies the peer is dead (RM28)."""
    last = end.outstanding
    assert isinstance(last, Probe)
    if last.attempt >= PROBE_SENDS:
        _give_up(end, AbortReason.PEER_DEAD, last.seq)
    else:
        end.send_copy(now_s)


@action
def hear_probe_ack(end: Membership, event: Input, _now_s: float) -> None:
    """Believe a PROBE_ACK only when it echoes our nonce (R69)."""
    assert isinstance(event, ProbeAck)
    last = end.outstanding
    assert isinstance(last, Probe)
    if event.nonce == last.nonce:
        end.refute_suspicion()
    else:
        end.drop("PROBE_ACK with a foreign nonce", "R69")


@action
def answer_probe(end: Membership, event: Input, _now_s: float) -> None:
    """Answer PROBE with what has been received so far."""
    assert isinstance(event, Probe)
    assert end.inflow is not None
    end.send(
        ProbeAck(
            **end.header(event.seq, event.attempt),
            nonce=event.nonce,
            rcv_next=end.inflow.next_seq,
            loss_permille=0,
        )
    )


# Closing from here ----------------------------------------------------------------------------


def _final_seq(end: Membership) -> int:
    """Return the last sequence number this end originated for the peer (R54)."""
    return plus(end.outflow.next_seq, -1)


@action
def close_membership(end: Membership, event: Input, now_s: float) -> None:
    """Send CLOSE until it is acknowledged; what waits, or is being passed on, goes first.

    Private messages are not repaired once the end has begun.
    """
    assert isinstance(event, CloseRequested)
    if event.half and end.send_ended:
        return
    if not end.send_ended and postpone_close(end):
        end.postpone_close(event)
        return
    if owes_data(end):
        if end.pending_close is None:
            end.set_timer(TimerName.LIMIT, now_s + end.plan.drain_s)
        end.postpone_close(event)
        return
    _close(end, event, now_s)


@action
def stop_waiting(end: Membership, _event: Input, now_s: float) -> None:
    """Wait no more for a peer that does not get on: with what it was sent, or has sent.

    What waits for nothing but its time is no fault of the peer, and leaves in the end. A peer that
    was sent everything is told how much that was, and asks for the rest while both close; one that
    has no room for it would not know of its loss.
    """
    if not is_owing(end):
        if end.repairs:
            _give_up(end, AbortReason.DATA_LOST)
        else:
            report_finished(end)
    elif waits_for_time(end):
        end.set_timer(TimerName.LIMIT, now_s + end.plan.drain_s)
    elif has_unsent(end):
        _give_up(end, AbortReason.CLOSE_TIMEOUT)
    else:
        assert end.pending_close is not None
        tell_relayed(end)
        _close(end, end.pending_close, now_s)


def _give_up(end: Membership, reason: AbortReason, echo_seq: int = 0) -> None:
    end.send_abort(reason, echo_seq)
    end.enter(State.GONE)
    end.report(Ended(WsaError.WSAECONNABORTED))


def _close(end: Membership, event: CloseRequested, now_s: float) -> None:
    """Send CLOSE, of our direction alone if that is wanted, can be, and the other one is open."""
    half = event.half and not end.peer_silent and bool(end.agreed & Capability.HALFCLOSE)
    cflags = CloseFlag.HALF if half else CloseFlag(0)
    if event.reason is CloseReason.DISMANTLE:
        cflags |= CloseFlag.DISMANTLE
    end.pending_close, end.answered_attempt = None, 0
    if half and not end.has_room:
        end.report(RoomMade())
    end.send_ended |= half
    end.enter(State.HALF_CLOSING if half else State.CLOSING)
    end.send_request(
        Close(
            **end.header(end.next_txn()),
            reason=event.reason,
            cflags=cflags,
            final_seq=_final_seq(end),
            side_final_seq=0 if end.side is None else end.side.sent_seq,
            disc_data=event.data,
        ),
        now_s,
    )


@action
def keep_closing(_end: Membership, _event: Input, _now_s: float) -> None:
    """Change nothing: the handle goes, the CLOSE that is out stays as it is (R58)."""


@action
def repeat_close(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat CLOSE by the RTO law; after MRC copies without any progress nobody is there (RM37)."""
    last = end.outstanding
    assert isinstance(last, Close)
    copies = last.attempt - end.answered_attempt
    if copies >= end.plan.retransmissions or last.attempt >= HIGHEST_ATTEMPT:
        _give_up(end, AbortReason.CLOSE_TIMEOUT, last.seq)
    else:
        end.send_copy(now_s)


@action
def finish_closing(end: Membership, event: Input, now_s: float) -> None:
    """End when the peer acknowledges our CLOSE and has everything; first drain what it sent.

    Under REPAIR a peer that is missing data asks for it with NACK meanwhile, and CLOSE goes on
    being repeated until nothing is missing (K1). Without, nothing can fill a gap.
    """
    assert isinstance(event, CloseAck)
    assert end.outstanding is not None
    if event.seq != end.outstanding.seq:
        end.drop("CLOSE_ACK of the CLOSE before", "R57")
        return
    if not end.peer_silent:
        end.final_seq = event.final_seq
    hear_close_ack(end, event, now_s)
    if event.ack_flags & CloseAckFlag.DATA_MISSING and end.repairs:
        await_repair(end, now_s)
    else:
        acknowledge_rest(end)
        _end_or_drain(end, now_s)


@action
def cross_close(end: Membership, event: Input, now_s: float) -> None:
    """Answer a CLOSE that crossed ours; it ends the membership like a CLOSE_ACK (12.1).

    One with HALF does not: its sender may not know yet that our direction is closed as well, and
    ours must be repeated until it does.
    """
    assert isinstance(event, Close)
    end.final_seq = event.final_seq
    _acknowledge(end, event)
    if end.is_half(event):
        end.peer_silent = True
        await_repair(end, now_s)
    else:
        _end_or_drain(end, now_s)


# Closing one direction ------------------------------------------------------------------------


@action
def finish_half_close(end: Membership, event: Input, now_s: float) -> None:
    """Go on as a member that only receives, once the peer has everything (W80)."""
    assert isinstance(event, CloseAck)
    hear_close_ack(end, event, now_s)
    if not (event.ack_flags & CloseAckFlag.DATA_MISSING and end.repairs):
        end.outstanding = None
        end.enter(State.JOINED)
        end.watch_peer(now_s)


@action
def cross_half_close(end: Membership, event: Input, now_s: float) -> None:
    """Take the peer's CLOSE while our direction is closing: now both are."""
    assert isinstance(event, Close)
    if not end.is_half(event):
        end_closed(end, event, now_s)
        return
    last = end.outstanding
    assert last is not None
    end.enter(State.CLOSING)
    end.set_timer(TimerName.RETRANSMIT, now_s + end.plan.interval_s(last.attempt, end.entropy))
    cross_close(end, event, now_s)


def _hear_half_close(end: Membership, event: Close, now_s: float) -> None:
    """Note that the peer will send nothing more; what it has sent may still be on its way."""
    is_copy, end.peer_silent = end.peer_silent, True
    if not is_copy and is_missing(end):
        wait_for_rest(end, now_s)
    end.final_seq = event.final_seq
    _acknowledge(end, event)
    hear_copy(end, now_s)
    note_finished(end)


# Closing from there ---------------------------------------------------------------------------


@action
def end_closed(end: Membership, event: Input, now_s: float) -> None:
    """Acknowledge the peer's CLOSE at once; end when all it sent before has arrived (W71).

    One with HALF ends the membership only if our direction is closed already.
    """
    assert isinstance(event, Close)
    if end.is_half(event) and not end.send_ended:
        _hear_half_close(end, event, now_s)
        return
    end.final_seq = event.final_seq
    _acknowledge(end, event)
    _end_or_drain(end, now_s)


def _acknowledge(end: Membership, close: Close) -> None:
    """Answer CLOSE; RcvNext never exceeds the FinalSeq that the peer claims (R57)."""
    assert end.inflow is not None
    complete = end.inflow.complete_to(close.final_seq)
    end.send(
        CloseAck(
            **end.header(close.seq, close.attempt),
            ack_flags=0 if complete else CloseAckFlag.DATA_MISSING,
            rcv_next=plus(close.final_seq, 1) if complete else end.inflow.next_seq,
            final_seq=_final_seq(end),
        )
    )


@action
def acknowledge_close(end: Membership, event: Input, _now_s: float) -> None:
    """Answer another copy of the peer's CLOSE (R56)."""
    assert isinstance(event, Close)
    _acknowledge(end, event)


@action
def ask_at_copy(end: Membership, event: Input, now_s: float) -> None:
    """Answer another copy of the peer's CLOSE, and ask anew for what is missing."""
    assert isinstance(event, Close)
    _acknowledge(end, event)
    hear_copy(end, now_s)


def _end_or_drain(end: Membership, now_s: float) -> None:
    withdraw_relayed(end)
    if is_complete(end):
        _finish(end, now_s)
    else:
        end.enter(State.DRAINING)
        release_data(end, now_s)
        wait_for_rest(end, now_s)
        await_repair(end, now_s)


@action
def drain_data(end: Membership, event: Input, now_s: float) -> None:
    """Take what was still missing when the peer closed; end when it is complete (W71)."""
    deliver_data(end, event, now_s)
    if is_complete(end):
        acknowledge_rest(end)
        _finish(end, now_s)


def _finish(end: Membership, now_s: float) -> None:
    """End with all of the peer's data; the end is graceful if its private data is there, too."""
    _linger(end, now_s)
    end.report(Ended(WsaError.WSAECONNABORTED if lacks_side(end) else WsaError.SUCCESS))


def _linger(end: Membership, now_s: float) -> None:
    end.enter(State.LINGERING)
    release_data(end, now_s)
    end.set_timer(TimerName.LIMIT, now_s + end.plan.linger_s)


@action
def stop_draining(end: Membership, _event: Input, now_s: float) -> None:
    """Stop waiting: best effort has done its best; under REPAIR the end is not graceful (LF26)."""
    _linger(end, now_s)
    graceful = not (end.repairs or lacks_side(end))
    end.report(Ended(WsaError.SUCCESS if graceful else WsaError.WSAECONNABORTED))


@action
def leave_draining(end: Membership, _event: Input, now_s: float) -> None:
    """Stop waiting because this end is done as well (W76, D41)."""
    _linger(end, now_s)
    end.report(Ended(WsaError.SUCCESS))


# Aborting -------------------------------------------------------------------------------------


@action
def abort_membership(end: Membership, _event: Input, _now_s: float) -> None:
    """End at once: one ABORT, no answer, no copies (W81, W82)."""
    _give_up(end, AbortReason.LINGER0)


@action
def end_aborted(end: Membership, event: Input, _now_s: float) -> None:
    """End because the peer aborted, or never knew us; nothing is answered (R63)."""
    assert isinstance(event, Abort)
    end.enter(State.GONE)
    end.report(Ended(WsaError.WSAECONNRESET))
