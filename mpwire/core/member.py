"""What a member does while it is one: data, keepalive, and every way to end."""

from mpwire.core.events import (
    CloseRequested,
    DataReceived,
    DataSubmitted,
    Ended,
    Input,
)
from mpwire.core.membership import Membership, action
from mpwire.core.serial import plus
from mpwire.core.table import State
from mpwire.core.timers import PROBE_SENDS, TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Close, CloseAck, Data, Probe, ProbeAck
from mpwire.wire.registries import AbortReason, CloseAckFlag, CloseFlag, CloseReason

# Data -----------------------------------------------------------------------------------------


@action
def send_data(end: Membership, event: Input, _now_s: float) -> None:
    """Send one message of group data to this peer (R54, R84)."""
    assert isinstance(event, DataSubmitted)
    end.next_data_seq = plus(event.seq, 1)
    end.send(
        Data(
            **end.header(event.seq),
            origin=end.identity.own_id,
            dflags=0,
            hop=0,
            payload=event.payload,
        )
    )


@action
def deliver_data(end: Membership, event: Input, _now_s: float) -> None:
    """Hand up a message that is new, from its own origin, in a legal direction (protocol.md 11)."""
    assert isinstance(event, Data)
    assert end.reception is not None
    if not end.may_receive:
        end.drop("DATA against LeafDir", "R81")
    elif event.payload is None:
        end.drop("DATA without PAYLOAD", "R10")
    elif event.origin != end.identity.peer_id:
        end.drop(f"DATA of origin {event.origin} from member {end.identity.peer_id}", "R82")
    elif not end.reception.take(event.seq):
        end.drop("DATA seen before, or outside the window", "R84")
    else:
        end.report(DataReceived(event.origin, event.payload))


@action
def drain_data(end: Membership, event: Input, now_s: float) -> None:
    """Take what was still missing when the peer closed; end when it is complete (W71)."""
    deliver_data(end, event, now_s)
    if _complete(end):
        _linger(end, now_s)
        end.report(Ended(WsaError.SUCCESS))


def _complete(end: Membership) -> bool:
    """Tell whether everything the peer says it sent has arrived; nothing counts if unwanted."""
    assert end.reception is not None
    if end.final_seq is None or not end.may_receive:
        return True
    return end.reception.complete_to(end.final_seq)


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
            next_data_seq=end.next_data_seq,
        ),
        now_s,
    )


@action
def repeat_probe(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat PROBE; after four unanswered copies the peer is dead (RM28)."""
    last = end.outstanding
    assert isinstance(last, Probe)
    if last.attempt >= PROBE_SENDS:
        end.send_abort(AbortReason.PEER_DEAD, last.seq)
        end.enter(State.GONE)
        end.report(Ended(WsaError.WSAECONNABORTED))
        return
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
    assert end.reception is not None
    end.send(
        ProbeAck(
            **end.header(event.seq, event.attempt),
            nonce=event.nonce,
            rcv_next=end.reception.next_seq,
            loss_permille=0,
        )
    )


# Closing from here ----------------------------------------------------------------------------


def _final_seq(end: Membership) -> int:
    """Return the last sequence number this end originated for the peer (R54)."""
    return plus(end.next_data_seq, -1)


@action
def close_membership(end: Membership, event: Input, now_s: float) -> None:
    """Send CLOSE until it is acknowledged."""
    assert isinstance(event, CloseRequested)
    end.enter(State.CLOSING)
    end.send_request(
        Close(
            **end.header(end.next_txn()),
            reason=event.reason,
            cflags=CloseFlag.DISMANTLE if event.reason is CloseReason.DISMANTLE else 0,
            final_seq=_final_seq(end),
            side_final_seq=0,
            disc_data=event.data,
        ),
        now_s,
    )


@action
def keep_closing(_end: Membership, _event: Input, _now_s: float) -> None:
    """Change nothing: the handle goes, the CLOSE that is out stays as it is (R58)."""


@action
def repeat_close(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat CLOSE by the RTO law; after MRC copies nobody is there (RM37)."""
    last = end.outstanding
    assert isinstance(last, Close)
    if last.attempt >= end.plan.retransmissions:
        end.send_abort(AbortReason.CLOSE_TIMEOUT, last.seq)
        end.enter(State.GONE)
        end.report(Ended(WsaError.WSAECONNABORTED))
        return
    end.send_copy(now_s)


@action
def finish_closing(end: Membership, event: Input, now_s: float) -> None:
    """End when the peer acknowledges our CLOSE; first drain what it sent before.

    DEVIATION(R59): without REPAIR nothing can fill a gap, so that DATA_MISSING ends the wait too.
    """
    assert isinstance(event, CloseAck)
    end.final_seq = event.final_seq
    _end_or_drain(end, now_s)


@action
def cross_close(end: Membership, event: Input, now_s: float) -> None:
    """Answer a CLOSE that crossed ours; it ends the membership like a CLOSE_ACK (12.1)."""
    assert isinstance(event, Close)
    end.final_seq = event.final_seq
    _acknowledge(end, event)
    _end_or_drain(end, now_s)


# Closing from there ---------------------------------------------------------------------------


@action
def end_closed(end: Membership, event: Input, now_s: float) -> None:
    """Acknowledge the peer's CLOSE at once; end when all it sent before has arrived (W71)."""
    assert isinstance(event, Close)
    end.final_seq = event.final_seq
    _acknowledge(end, event)
    _end_or_drain(end, now_s)


def _acknowledge(end: Membership, close: Close) -> None:
    """Answer CLOSE; RcvNext never exceeds the FinalSeq that the peer claims (R57)."""
    assert end.reception is not None
    complete = end.reception.complete_to(close.final_seq)
    end.send(
        CloseAck(
            **end.header(close.seq, close.attempt),
            ack_flags=0 if complete else CloseAckFlag.DATA_MISSING,
            rcv_next=plus(close.final_seq, 1) if complete else end.reception.next_seq,
            final_seq=_final_seq(end),
        )
    )


@action
def acknowledge_close(end: Membership, event: Input, _now_s: float) -> None:
    """Answer another copy of the peer's CLOSE (R56)."""
    assert isinstance(event, Close)
    _acknowledge(end, event)


def _end_or_drain(end: Membership, now_s: float) -> None:
    if _complete(end):
        _linger(end, now_s)
        end.report(Ended(WsaError.SUCCESS))
    else:
        end.enter(State.DRAINING)
        end.set_timer(TimerName.LIMIT, now_s + end.plan.drain_s)


def _linger(end: Membership, now_s: float) -> None:
    end.enter(State.LINGERING)
    end.set_timer(TimerName.LIMIT, now_s + end.plan.linger_s)


@action
def stop_draining(end: Membership, _event: Input, now_s: float) -> None:
    """Stop waiting for data that nobody repairs; best effort has done its best (LF26)."""
    _linger(end, now_s)
    end.report(Ended(WsaError.SUCCESS))


@action
def leave_draining(end: Membership, event: Input, now_s: float) -> None:
    """Stop waiting because this end is done as well (W76, D41)."""
    stop_draining(end, event, now_s)


# Aborting -------------------------------------------------------------------------------------


@action
def abort_membership(end: Membership, _event: Input, _now_s: float) -> None:
    """End at once: one ABORT, no answer, no copies (W81, W82)."""
    end.send_abort(AbortReason.LINGER0)
    end.enter(State.GONE)
    end.report(Ended(WsaError.WSAECONNABORTED))


@action
def end_aborted(end: Membership, event: Input, _now_s: float) -> None:
    """End because the peer aborted, or never knew us; nothing is answered (R63)."""
    assert isinstance(event, Abort)
    end.enter(State.GONE)
    end.report(Ended(WsaError.WSAECONNRESET))
