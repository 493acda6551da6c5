"""How a member takes data: delivery, DATA_ACK, NACK, and what a SYNC tells (protocol.md 11)."""

from mpwire.core.chatting import note_side_taken
from mpwire.core.events import (
    BacklogChanged,
    DataReceived,
    DataTaken,
    Ended,
    Input,
    PeerFinished,
)
from mpwire.core.inflow import ACKNOWLEDGE_AFTER, NACK_SENDS, Inflow
from mpwire.core.membership import JOINED, Membership, action
from mpwire.core.origins import inflow_of, is_crowded, note_departure, synchronised
from mpwire.core.serial import after, plus
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Data, DataAck, Nack, Sync
from mpwire.wire.registries import AbortReason


@action
def deliver_data(end: Membership, event: Input, now_s: float) -> None:
    """Hand up what is new, from a legal origin, in a legal direction (protocol.md 11.1)."""
    assert isinstance(event, Data)
    if not end.may_receive:
        end.drop("DATA against LeafDir", "R81")
        return
    if event.payload is None:
        end.drop("DATA without PAYLOAD", "R10")
        return
    flow = inflow_of(end, event, now_s)
    if flow is None:
        end.drop(f"DATA of origin {event.origin} from member {end.identity.peer_id}", "R82")
        return
    if end.peer_silent and flow is end.inflow and _is_beyond(end, event.seq):
        end.drop("DATA after the FinalSeq of its sender", "R116")
        return
    if flow is not end.inflow and event.seq != flow.next_seq and is_crowded(end):
        end.drop("DATA beyond a gap, when too much is kept already", "11.5")
        return
    had_gap, had_own_gap = _has_gap(end), flow.has_gap
    messages = flow.take(event.seq, event.payload)
    if messages is None:
        end.drop("DATA seen before, or outside the window", "R84")
        return
    first = plus(flow.next_seq, -len(messages)) if end.repairs else event.seq
    for offset, payload in enumerate(messages):
        end.report(DataReceived(event.origin, payload, plus(first, offset)))
    if end.repairs:
        _acknowledge_soon(end, event.origin, flow, now_s)
        _watch_gap(end, flow, now_s, had_gap=had_gap, progress=had_own_gap and bool(messages))
    if is_missing(end):
        wait_for_rest(end, now_s)
    note_finished(end)


def _is_beyond(end: Membership, seq: int) -> bool:
    return end.final_seq is not None and after(seq, end.final_seq) > 0


def is_missing(end: Membership) -> bool:
    """Tell whether this end waits, for T_DRAIN, for what a peer has sent that has closed."""
    if end.state is State.DRAINING:
        return True
    silent = end.peer_silent and not end.peer_finished and end.state in JOINED
    return silent and end.pending_close is None


def wait_for_rest(end: Membership, now_s: float) -> None:
    """Wait for what is still missing, as long as if it had only just become known (T_DRAIN)."""
    end.set_timer(TimerName.LIMIT, now_s + end.plan.drain_s)


def hear_copy(end: Membership, now_s: float) -> None:
    """Learn from a copy of CLOSE that the peer still waits: what is missing is asked for anew."""
    await_repair(end, now_s)
    if end.repairs and is_missing(end):
        wait_for_rest(end, now_s)


def note_finished(end: Membership) -> None:
    """Report once that all is here of a peer that has closed its sending direction (W80)."""
    waits = end.peer_silent and not end.peer_finished and end.state in JOINED
    if waits and is_complete(end):
        report_finished(end)


def report_finished(end: Membership) -> None:
    """Wait for nothing more from the peer."""
    end.peer_finished = True
    if end.pending_close is None:
        end.clear_timer(TimerName.LIMIT)
    end.report(PeerFinished())


def _inflows(end: Membership) -> list[tuple[int, Inflow]]:
    assert end.inflow is not None
    return [(end.identity.peer_id, end.inflow), *end.relayed_in.items()]


def _has_gap(end: Membership) -> bool:
    return any(flow.has_gap for _, flow in _inflows(end))


def _acknowledge_soon(end: Membership, origin: int, flow: Inflow, now_s: float) -> None:
    """Send DATA_ACK after so many messages, or a little later (K4)."""
    if flow.unacknowledged >= ACKNOWLEDGE_AFTER:
        _send_data_ack(end, origin, flow)
    elif flow.unacknowledged == 1 and not any(
        other.unacknowledged for _, other in _inflows(end) if other is not flow
    ):
        end.set_timer(TimerName.ACKNOWLEDGE, now_s + end.plan.acknowledge_s)


@action
def acknowledge_data(end: Membership, _event: Input, _now_s: float) -> None:
    """Acknowledge what has waited long enough for more."""
    for origin, flow in _inflows(end):
        if flow.unacknowledged:
            _send_data_ack(end, origin, flow)


def acknowledge_rest(end: Membership) -> None:
    """Acknowledge at the end what has waited for more, so that the peer need not ask."""
    if end.repairs:
        for origin, flow in _inflows(end):
            if flow.unacknowledged:
                _send_data_ack(end, origin, flow)


def _send_data_ack(end: Membership, origin: int, flow: Inflow) -> None:
    end.feedback_count += 1
    window = flow.acknowledge()
    end.send(
        DataAck(
            **end.header(end.feedback_count),
            origin=origin,
            rcv_next=flow.next_seq,
            window=window,
        )
    )


@action
def hear_sync(end: Membership, event: Input, now_s: float) -> None:
    """Learn how far an origin has come, acknowledge at once, and ask for what is missing."""
    assert isinstance(event, Sync)
    flow = synchronised(end, event, now_s)
    if flow is None:
        end.drop("SYNC of an origin that sends nothing here", "R92")
        return
    if _is_lost(end, flow, event):
        end.send_abort(AbortReason.DATA_LOST, event.seq)
        end.enter(State.GONE)
        end.report(Ended(WsaError.WSAECONNABORTED))
        return
    if after(event.seq, flow.limit) > 0:
        end.drop("SYNC beyond the window", "R109")
        return
    had_gap = flow.has_gap
    flow.announce(event.seq)
    _send_data_ack(end, event.origin, flow)
    note_departure(end, event, now_s)
    if flow.has_gap and (flow.begins_anew(now_s) or not had_gap or end.nacks >= NACK_SENDS):
        await_repair(end, now_s)


def _is_lost(end: Membership, flow: Inflow, sync: Sync) -> bool:
    """Tell whether what is missing will never come, by the word of its sender or in spite of it."""
    beyond = after(sync.trail_seq, flow.next_seq) > 0
    return beyond or flow.is_forlorn(sync.seq, end.plan.dead_s)


@action
def answer_sync(end: Membership, event: Input, _now_s: float) -> None:
    """Say again how much has arrived: the last DATA_ACK was lost."""
    assert isinstance(event, Sync)
    flow = dict(_inflows(end)).get(event.origin)
    if end.repairs and flow is not None:
        _send_data_ack(end, event.origin, flow)


def await_repair(end: Membership, now_s: float) -> None:
    """Begin a series of NACKs, if anything is missing; none that is due is put off by that."""
    assert end.inflow is not None
    if end.final_seq is not None and end.may_receive:
        end.inflow.announce(plus(end.final_seq, 1))
    if end.repairs and _has_gap(end):
        end.nacks = 0
        end.hasten_timer(TimerName.NACK, now_s + end.plan.nack_s)


def _watch_gap(
    end: Membership, flow: Inflow, now_s: float, *, had_gap: bool, progress: bool
) -> None:
    """Begin a series when a gap opens, or moves; stop asking when none is left.

    What arrives although a series was in vain tells that the next one need not be.
    All origins share one series. What one of them sends never puts off the NACK that another one
    waits for, so that it cannot keep the other from being repaired.
    """
    others_wait = any(other.has_gap for _, other in _inflows(end) if other is not flow)
    if not _has_gap(end):
        if had_gap:
            end.clear_timer(TimerName.NACK)
    elif not had_gap or end.nacks >= NACK_SENDS or (progress and not others_wait):
        await_repair(end, now_s)


@action
def ask_again(end: Membership, _event: Input, now_s: float) -> None:
    """Name what is missing to whoever has it, twice as long after the last time (R91)."""
    for origin, flow in _inflows(end):
        if flow.has_gap:
            end.feedback_count += 1
            ranges = flow.ask(now_s)
            end.send(Nack(**end.header(end.feedback_count), origin=origin, ranges=ranges))
    end.nacks += 1
    if end.nacks < NACK_SENDS:
        end.set_timer(TimerName.NACK, now_s + end.plan.nack_s * 2.0**end.nacks)


@action
def reopen_window(end: Membership, event: Input, _now_s: float) -> None:
    """Count what the application has taken; tell an origin that ran short of room."""
    assert isinstance(event, DataTaken)
    if event.private:
        note_side_taken(end, event.count)
        return
    flow = dict(_inflows(end)).get(event.origin)
    if flow is not None and end.repairs:
        flow.unread -= event.count
        _tell_if_reopened(end, event.origin, flow)


@action
def note_backlog(end: Membership, event: Input, _now_s: float) -> None:
    """Let the slowest receiver of what is passed on limit the leaf that it comes from."""
    assert isinstance(event, BacklogChanged)
    assert end.inflow is not None
    if end.repairs:
        end.inflow.backlog = event.count
        _tell_if_reopened(end, end.identity.peer_id, end.inflow)


def _tell_if_reopened(end: Membership, origin: int, flow: Inflow) -> None:
    if flow.reopens:
        _send_data_ack(end, origin, flow)


def is_complete(end: Membership) -> bool:
    """Tell whether everything the peer says it sent has arrived; nothing counts if unwanted."""
    assert end.inflow is not None
    if end.final_seq is None or not end.may_receive:
        return True
    others = any(flow.has_gap for flow in end.relayed_in.values())
    return end.inflow.complete_to(end.final_seq) and not others
