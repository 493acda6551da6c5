"""How a member chats in private: SIDE, one at a time, acknowledged by ACK (protocol.md 11.9)."""

from msgspec.structs import replace

from mpwire.core.events import Ended, Input, SideReceived, SideRoomMade, SideSubmitted
from mpwire.core.membership import Membership, action
from mpwire.core.outflow import HIGHEST_ATTEMPT
from mpwire.core.serial import after, plus
from mpwire.core.sidechat import SideChat
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.errors import LocalProtocolError
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Ack, Side
from mpwire.wire.registries import AbortReason, AckedType, SideFlag

# Sending --------------------------------------------------------------------------------------


@action
def submit_side(end: Membership, event: Input, now_s: float) -> None:
    """Queue a private message; it leaves when those before it are acknowledged (R79)."""
    if end.send_ended:
        raise LocalProtocolError("this direction was closed by CLOSE with HALF")
    hold_side(end, event, now_s)
    release_side(end, now_s)


@action
def hold_side(end: Membership, event: Input, _now_s: float) -> None:
    """Keep a private message until the peer is known to be joined."""
    assert isinstance(event, SideSubmitted)
    assert end.side is not None
    end.side.waiting.append(event.payload)


def release_side(end: Membership, now_s: float) -> None:
    """Let the oldest message leave, unless one is out."""
    side = end.side
    if side is None or side.outstanding is not None or not side.waiting:
        return
    side.sent_seq = plus(side.sent_seq, 1)
    header = end.header(side.sent_seq)
    side.outstanding = Side(**header, sflags=SideFlag.ACK_REQ, payload=side.waiting[0])
    side.copies = 0
    _send_outstanding(end, side.outstanding, side, now_s)


def _send_outstanding(end: Membership, message: Side, side: SideChat, now_s: float) -> None:
    side.copies += 1
    end.send(message)
    wait_s = end.plan.interval_s(message.attempt, end.entropy)
    end.set_timer(TimerName.SIDE, now_s + wait_s)


@action
def repeat_side(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat SIDE by the RTO law for as long as the peer lives: its application may be slow.

    Only an end that waits to close gives up, as it would with CLOSE. Attempt ends at 255, and
    copies go on.
    """
    side = end.side
    assert side is not None
    last = side.outstanding
    assert last is not None
    if end.pending_close is not None and side.copies >= end.plan.retransmissions:
        end.send_abort(AbortReason.CLOSE_TIMEOUT, last.seq)
        end.enter(State.GONE)
        end.report(Ended(WsaError.WSAECONNABORTED))
        return
    side.outstanding = replace(last, attempt=min(last.attempt + 1, HIGHEST_ATTEMPT))
    _send_outstanding(end, side.outstanding, side, now_s)


@action
def hear_side_ack(end: Membership, event: Input, now_s: float) -> None:
    """Let the next message leave, or the close that waited for the last one."""
    assert isinstance(event, Ack)
    side = end.side
    last = side.outstanding if side is not None else None
    if side is None or last is None or (event.acked_type, event.seq) != (AckedType.SIDE, last.seq):
        end.drop("ACK of nothing that is out", "R90")
        return
    had_room = side.has_room
    side.waiting.popleft()
    side.outstanding = None
    end.clear_timer(TimerName.SIDE)
    release_side(end, now_s)
    if not had_room:
        end.report(SideRoomMade())
    if end.pending_close is not None and not side.waiting:
        closing, end.pending_close = end.pending_close, None
        end.step(closing, now_s)


def postpone_close(end: Membership) -> bool:
    """Tell whether a close has to wait for private messages that are not acknowledged (R118)."""
    side = end.side
    if side is None or not side.waiting:
        return False
    if end.pending_close is None:
        side.copies = 0
    return True


# Receiving ------------------------------------------------------------------------------------


@action
def deliver_side(end: Membership, event: Input, _now_s: float) -> None:
    """Hand up the next private message and acknowledge it, as far as there is room."""
    assert isinstance(event, Side)
    side = end.side
    if side is None:
        end.drop("SIDE without CAPS.SIDECHAT", "R89")
    elif not end.may_receive:
        end.drop("SIDE against LeafDir", "R81")
    elif event.payload is None or not event.sflags & SideFlag.ACK_REQ:
        end.drop("SIDE without PAYLOAD, or that wants no ACK", "R10 R90")
    elif (ahead := after(event.seq, side.taken_seq)) > 1:
        end.drop("SIDE beyond the next one", "R90")
    elif ahead < 1:
        _acknowledge(end, event)
    elif side.takes_more:
        _take(end, side, event)
    else:
        side.held = event


def _take(end: Membership, side: SideChat, message: Side) -> None:
    assert message.payload is not None
    side.taken_seq = message.seq
    side.unread += 1
    side.held = None
    end.report(SideReceived(message.payload))
    _acknowledge(end, message)


def _acknowledge(end: Membership, message: Side) -> None:
    end.send(Ack(**end.header(message.seq, message.attempt), acked_type=AckedType.SIDE))


def note_side_taken(end: Membership, count: int) -> None:
    """Count what the application has taken; hand up what had no room before."""
    side = end.side
    assert side is not None
    side.unread -= count
    if side.held is not None and side.takes_more:
        _take(end, side, side.held)


def lacks_side(end: Membership) -> bool:
    """Tell whether the peer has closed without having waited for its private messages (R118)."""
    side = end.side
    return side is not None and end.may_receive and after(side.final_seq, side.taken_seq) > 0
