"""How a member carries data: DATA both ways, DATA_ACK, NACK, repairs, SYNC (protocol.md 11)."""

from typing import Final

from mpwire.core.chatting import note_side_taken
from mpwire.core.events import (
    BacklogChanged,
    DataReceived,
    DataSubmitted,
    DataTaken,
    Ended,
    Input,
    PeerFinished,
    RelayedAcknowledged,
    RoomMade,
)
from mpwire.core.inflow import ACKNOWLEDGE_AFTER, Inflow
from mpwire.core.membership import JOINED, Membership, action
from mpwire.core.origins import (
    inflow_of,
    is_crowded,
    let_go,
    note_departure,
    send_sync,
    synchronised,
)
from mpwire.core.outflow import Outflow
from mpwire.core.serial import after, plus
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.errors import LocalProtocolError
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Data, DataAck, Nack, Sync
from mpwire.wire.registries import AbortReason, DataFlag

NACK_SENDS: Final = 8
"""NACKs of one series; the next series starts with progress, or with a SYNC (R91)."""


# Sending --------------------------------------------------------------------------------------


@action
def send_data(end: Membership, event: Input, now_s: float) -> None:
    """Send one message of group data to this peer (R54, R84)."""
    assert isinstance(event, DataSubmitted)
    if end.send_ended:
        raise LocalProtocolError("this direction was closed by CLOSE with HALF")
    if event.origin is None:
        origin, flow = end.identity.own_id, end.outflow
    else:
        origin, flow = event.origin, _relayed(end, event)
    flow.submit(event.seq, event.payload)
    _let_leave(end, origin, flow, now_s, on_group=event.on_group)


def _relayed(end: Membership, message: DataSubmitted) -> Outflow:
    """Return the flow of another leaf; the peer is told where a new one starts (R114)."""
    assert message.origin is not None
    flow = end.relayed_out.get(message.origin)
    if flow is None:
        flow = Outflow(message.seq, end.repairs, end.new_pacer())
        end.relayed_out[message.origin] = flow
        if end.repairs:
            send_sync(end, message.origin, flow)
    return flow


def release_data(end: Membership, now_s: float) -> None:
    """Send what was held back while the peer was not known to be joined."""
    _let_leave(end, end.identity.own_id, end.outflow, now_s)


def _outflows(end: Membership) -> list[tuple[int, Outflow]]:
    return [(end.identity.own_id, end.outflow), *end.relayed_out.items()]


def _let_leave(
    end: Membership, origin: int, flow: Outflow, now_s: float, *, on_group: bool = False
) -> None:
    """Send every message that the receiver has room for, and whose time has come."""
    left = False
    for seq, payload in flow.leaving(now_s, paced=not on_group):
        left = True
        if not on_group:
            _send(end, origin, seq, payload)
    others_lag = any(other.lags for _, other in _outflows(end) if other is not flow)
    if left and flow.repairs and not others_lag:
        end.set_timer(TimerName.SYNC, now_s + end.plan.sync_s)
    if flow.is_held_back:
        _wait_for_time(end, now_s)


def _wait_for_time(end: Membership, now_s: float) -> None:
    """Go on when the pacer of an origin that is held back lets the next message leave."""
    waiting = [flow.pacer for _, flow in _outflows(end) if flow.is_held_back and flow.pacer]
    end.set_timer(TimerName.PACE, min(pacer.next_s(now_s) for pacer in waiting))


@action
def go_on_sending(end: Membership, _event: Input, now_s: float) -> None:
    """Send what has waited for its time."""
    had_room = end.has_room
    for origin, flow in _outflows(end):
        _let_leave(end, origin, flow, now_s)
        let_go(end, origin, flow)
    _note_progress(end, now_s, had_room=had_room)


def _note_progress(end: Membership, now_s: float, *, had_room: bool) -> None:
    """Tell of new room; close if nothing is in the way any more."""
    if end.has_room and not had_room:
        end.report(RoomMade())
    if end.pending_close is not None:
        end.step(end.pending_close, now_s)


def _send(end: Membership, origin: int, seq: int, payload: bytes, attempt: int = 1) -> None:
    relayed = origin != end.identity.own_id
    flags = DataFlag.RELAYED if relayed else DataFlag(0)
    if attempt > 1:
        flags |= DataFlag.REPAIR
    end.send(
        Data(
            **end.header(seq, attempt),
            origin=origin,
            dflags=flags,
            hop=int(relayed),
            payload=payload,
        )
    )


@action
def hear_data_ack(end: Membership, event: Input, now_s: float) -> None:
    """Let go of what has arrived, and use the room that was made."""
    assert isinstance(event, DataAck)
    flow, had_room = _outflow_of(end, event.origin), end.has_room
    if flow is None or not flow.repairs or not flow.acknowledge(event.rcv_next, event.window):
        end.drop("DATA_ACK of what was never sent", "R110")
        return
    if end.state not in JOINED:
        return
    _let_leave(end, event.origin, flow, now_s)
    if flow is not end.outflow:
        end.effects.append(RelayedAcknowledged(event.origin))
        let_go(end, event.origin, flow)
    if not any(each.lags for _, each in _outflows(end)):
        end.clear_timer(TimerName.SYNC)
    _note_progress(end, now_s, had_room=had_room)


def _outflow_of(end: Membership, origin: int) -> Outflow | None:
    return end.outflow if origin == end.identity.own_id else end.relayed_out.get(origin)


@action
def repair_data(end: Membership, event: Input, _now_s: float) -> None:
    """Send again what the peer misses (R85)."""
    assert isinstance(event, Nack)
    flow = _outflow_of(end, event.origin)
    if flow is None or not flow.repairs:
        end.drop("NACK for what is not ours to repair", "R91")
        return
    repairs = [*flow.repairable(event.ranges)]
    assert flow.pacer is not None
    flow.pacer.note_repairs(len(repairs))
    for seq, attempt, payload in repairs:
        _send(end, event.origin, seq, payload, attempt)
    if not repairs and end.state in JOINED:
        send_sync(end, event.origin, flow)


@action
def synchronise(end: Membership, _event: Input, now_s: float) -> None:
    """Tell a receiver that lags where each origin ends, less and less often (R92)."""
    copies = 0
    for origin, flow in _outflows(end):
        if flow.lags:
            send_sync(end, origin, flow)
            copies = max(copies, flow.syncs)
    wait_s = min(end.plan.sync_s * 2.0**copies, end.plan.keepalive_s)
    end.set_timer(TimerName.SYNC, now_s + wait_s)


# Receiving ------------------------------------------------------------------------------------


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
    note_finished(end)


def _is_beyond(end: Membership, seq: int) -> bool:
    return end.final_seq is not None and after(seq, end.final_seq) > 0


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
    if after(event.trail_seq, flow.next_seq) > 0:
        end.send_abort(AbortReason.DATA_LOST, event.seq)
        end.enter(State.GONE)
        end.report(Ended(WsaError.WSAECONNABORTED))
        return
    if after(event.seq, flow.limit) > 0:
        end.drop("SYNC beyond the window", "R109")
        return
    flow.announce(event.seq)
    _send_data_ack(end, event.origin, flow)
    note_departure(end, event, now_s)
    await_repair(end, now_s)


def await_repair(end: Membership, now_s: float) -> None:
    """Begin a series of NACKs, if anything is missing."""
    assert end.inflow is not None
    if end.final_seq is not None and end.may_receive:
        end.inflow.announce(plus(end.final_seq, 1))
    if end.repairs and _has_gap(end):
        end.nacks = 0
        end.set_timer(TimerName.NACK, now_s + end.plan.nack_s)


def _watch_gap(
    end: Membership, flow: Inflow, now_s: float, *, had_gap: bool, progress: bool
) -> None:
    """Begin a series when a gap opens, or moves; stop asking when none is left.

    All origins share one series. What one of them sends never puts off the NACK that another one
    waits for, so that it cannot keep the other from being repaired.
    """
    others_wait = any(other.has_gap for _, other in _inflows(end) if other is not flow)
    if not _has_gap(end):
        if had_gap:
            end.clear_timer(TimerName.NACK)
    elif not had_gap or (progress and (end.nacks >= NACK_SENDS or not others_wait)):
        await_repair(end, now_s)


@action
def ask_again(end: Membership, _event: Input, now_s: float) -> None:
    """Name what is missing to whoever has it, twice as long after the last time (R91)."""
    for origin, flow in _inflows(end):
        if flow.has_gap:
            end.feedback_count += 1
            end.send(Nack(**end.header(end.feedback_count), origin=origin, ranges=flow.missing()))
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
