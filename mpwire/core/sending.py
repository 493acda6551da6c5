"""How a member sends data: when each message leaves, SYNC, and repairs (protocol.md 11).

The end of a membership changes little here. Everything that was submitted goes out in its time,
and is repaired until the peer has acknowledged it, whoever closes first: a closer waits with CLOSE
until its last message has left, and an end whose peer has closed goes on while it lingers.
"""

from mpwire.core.events import (
    DataSubmitted,
    Input,
    LeftByGroup,
    RelayedAcknowledged,
    RoomMade,
)
from mpwire.core.membership import JOINED, Membership, action
from mpwire.core.origins import let_go, send_sync
from mpwire.core.outflow import HIGHEST_ATTEMPT, Outflow
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.errors import LocalProtocolError
from mpwire.wire.messages import Close, CloseAck, Data, DataAck, Nack
from mpwire.wire.registries import DataFlag


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
    flow.submit(event.seq, event.payload, by_group=event.by_group)
    _let_leave(end, origin, flow, now_s)


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
    """Send what was held back for another cause than its time."""
    _let_leave(end, end.identity.own_id, end.outflow, now_s)


def _outflows(end: Membership) -> list[tuple[int, Outflow]]:
    return [(end.identity.own_id, end.outflow), *end.relayed_out.items()]


def _let_leave(
    end: Membership, origin: int, flow: Outflow, now_s: float, *, left: bool = False
) -> None:
    """Send every message that the receiver has room for, and whose time has come."""
    for seq, payload in flow.leaving(now_s):
        left = True
        _send(end, origin, seq, payload)
    others_lag = any(_lags(end, other) for _, other in _outflows(end) if other is not flow)
    if left and flow.repairs and not others_lag:
        end.set_timer(TimerName.SYNC, now_s + end.plan.sync_s)
    if flow.is_paced:
        _wait_for_time(end, now_s)


def _wait_for_time(end: Membership, now_s: float) -> None:
    """Go on when the pacer of an origin that is held back lets the next message leave."""
    waiting = [flow.pacer for _, flow in _outflows(end) if flow.is_paced and flow.pacer]
    end.set_timer(TimerName.PACE, min(pacer.next_s(now_s) for pacer in waiting))


@action
def note_cast(end: Membership, event: Input, now_s: float) -> None:
    """Keep for repair what has left for the whole group, and go on with what waited behind it."""
    assert isinstance(event, LeftByGroup)
    origin = end.identity.own_id if event.origin is None else event.origin
    flow, had_room = _outflow_of(end, origin), end.has_room
    assert flow is not None
    flow.leave_by_group(now_s)
    _let_leave(end, origin, flow, now_s, left=True)
    let_go(end, origin, flow)
    _note_progress(end, now_s, had_room=had_room)


@action
def go_on_sending(end: Membership, _event: Input, now_s: float) -> None:
    """Send what has waited for its time."""
    had_room = end.has_room
    for origin, flow in _outflows(end):
        _let_leave(end, origin, flow, now_s)
        let_go(end, origin, flow)
    _note_progress(end, now_s, had_room=had_room)


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


# What the peer says of it ---------------------------------------------------------------------


@action
def hear_data_ack(end: Membership, event: Input, now_s: float) -> None:
    """Let go of what has arrived, and use the room that was made."""
    assert isinstance(event, DataAck)
    flow, had_room = _outflow_of(end, event.origin), end.has_room
    if flow is None or not flow.repairs:
        end.drop("DATA_ACK of what is not repaired", "R110")
        return
    arrived = flow.acknowledge(event.rcv_next, event.window)
    if arrived is None:
        end.drop("DATA_ACK of what was never sent", "R110")
        return
    if arrived and _lags(end, flow):
        end.hasten_timer(TimerName.SYNC, now_s + end.plan.sync_s)
    _let_leave(end, event.origin, flow, now_s)
    if flow is not end.outflow:
        end.effects.append(RelayedAcknowledged(event.origin))
        let_go(end, event.origin, flow)
    if arrived:
        _wait_anew(end, now_s)
    _stop_synchronising(end)
    _note_progress(end, now_s, had_room=had_room)


def hear_close_ack(end: Membership, ack: CloseAck, now_s: float) -> None:
    """Let go of what a CLOSE_ACK says has arrived; it speaks of our own messages only."""
    if end.repairs and end.outflow.acknowledge(ack.rcv_next, 0):
        _wait_anew(end, now_s)
    _stop_synchronising(end)


@action
def hear_late_close_ack(end: Membership, event: Input, now_s: float) -> None:
    """Hear that the peer has what it missed when the closes crossed."""
    assert isinstance(event, CloseAck)
    hear_close_ack(end, event, now_s)


def _wait_anew(end: Membership, now_s: float) -> None:
    """Be as patient again with a peer that gets on with what it was sent."""
    last = end.outstanding
    if end.state is State.LINGERING:
        end.set_timer(TimerName.LIMIT, now_s + end.plan.linger_s)
    elif isinstance(last, Close):
        end.answered_attempt = last.attempt
    elif end.state in JOINED and is_owing(end):
        end.set_timer(TimerName.LIMIT, now_s + end.plan.drain_s)


def is_owing(end: Membership) -> bool:
    """Tell whether a close waits for data: for ours to leave, for what is relayed to arrive.

    Messages that wait for their turn in private come first; then this is looked at anew.
    """
    chats = end.side is not None and bool(end.side.waiting)
    return end.pending_close is not None and not chats and owes_data(end)


def owes_data(end: Membership) -> bool:
    """Tell whether something has to happen to data before CLOSE may leave (R54).

    CLOSE speaks of the data of its sender only, so that nobody would miss a relayed message that
    was lost before it.
    """
    relayed = all(flow.is_acknowledged for flow in end.relayed_out.values())
    return not end.send_ended and (end.outflow.unsent > 0 or not relayed)


def waits_for_time(end: Membership) -> bool:
    """Tell whether some message waits for nothing but the pace."""
    return any(flow.is_held_back for _, flow in _outflows(end))


def has_unsent(end: Membership) -> bool:
    """Tell whether some message has not left."""
    return any(flow.unsent for _, flow in _outflows(end))


def tell_relayed(end: Membership) -> None:
    """Tell the peer how much it was passed on of each origin that it has not acknowledged."""
    for origin, flow in end.relayed_out.items():
        if flow.kept:
            send_sync(end, origin, flow)


def _note_progress(end: Membership, now_s: float, *, had_room: bool) -> None:
    """Tell of new room; close if nothing is in the way any more."""
    if end.state not in JOINED:
        return
    if end.has_room and not had_room:
        end.report(RoomMade())
    if end.pending_close is not None:
        end.step(end.pending_close, now_s)


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


# SYNC -----------------------------------------------------------------------------------------


@action
def synchronise(end: Membership, _event: Input, now_s: float) -> None:
    """Tell a receiver that lags where each origin ends, less and less often (R92)."""
    silence = HIGHEST_ATTEMPT
    for origin, flow in _outflows(end):
        if _lags(end, flow):
            send_sync(end, origin, flow)
            silence = min(silence, flow.silence)
    wait_s = min(end.plan.sync_s * 2.0**silence, end.plan.keepalive_s)
    end.set_timer(TimerName.SYNC, now_s + wait_s)


def _lags(end: Membership, flow: Outflow) -> bool:
    """Tell whether the peer owes a DATA_ACK.

    For room it owes one only while there is more to come; and who has closed waits for nothing of
    others but what it knows of (12.1).
    """
    if end.state in JOINED and not end.send_ended:
        return flow.lags
    closed = end.state in {State.DRAINING, State.LINGERING}
    return bool(flow.kept) and (flow is end.outflow or not closed)


def withdraw_relayed(end: Membership) -> None:
    """Pass on nothing more to a peer that has closed; its own FinalSeq is all it waits for."""
    for flow in end.relayed_out.values():
        flow.withdraw()


def _stop_synchronising(end: Membership) -> None:
    if not any(_lags(end, flow) for _, flow in _outflows(end)):
        end.clear_timer(TimerName.SYNC)
