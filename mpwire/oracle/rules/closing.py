"""R53-R62: the end of a membership."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End, is_full
from mpwire.oracle.obligations import owed
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.serial import MODULUS, serial_before, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import originated
from mpwire.oracle.trace import NEVER, Packet, Position, is_multicast
from mpwire.wire.messages import (
    Cancel,
    Close,
    CloseAck,
    Data,
    Member,
    Probe,
    Side,
)
from mpwire.wire.numbers import (
    CloseAckFlag,
    CloseFlag,
    CloseReason,
    LeafDirection,
)


@rule(
    "R53",
    "CLOSE is not sent before the membership is joined at its sender.",
    source="protocol.md 17.4 R53",
    group="close",
    needs="history",
    vantage="S",
)
def r53(case: Case) -> Iterator[Outcome]:
    """Look for what made the sender of each CLOSE a member."""
    for packet in case.own:
        if not isinstance(packet.message, Close):
            continue
        membership = case.history.owner(packet)
        end = membership.end_at(packet.source) if membership else None
        yield verify(
            end is not None and joined_at(end) < packet.position,
            packet,
            expected="a handshake that was complete at this side",
            seen="CLOSE before that",
        )


def joined_at(end: End) -> Position:
    """Return where a side's half of the handshake was complete.

    That is: the initiator has sent CONFIRM; a root that accepted has heard anything valid; a leaf
    that accepted has received CONFIRM, which describes the session.
    """
    if end.is_initiator:
        return end.started()
    proofs = end.proofs()
    return proofs[0].position if proofs else NEVER


@rule(
    "R54",
    "FinalSeq is the last DATA Seq sent to that receiver, or one less than the announced "
    "NextDataSeq if there was none; SideFinalSeq likewise.",
    source="protocol.md 17.4 R54",
    group="close",
    needs="history",
    vantage="S",
)
def r54(case: Case) -> Iterator[Outcome]:
    """Compare with the data seen leaving before the first copy of each CLOSE."""
    for end in case.ends():
        for packet in end.sent(Close)[:1]:
            if packet.direction != "out":
                continue
            message = read(packet, Close)
            data = originated(end, packet)
            final = read(data[-1], Data).seq if data else None
            if final is None and end.next_data_seq is not None:
                final = (end.next_data_seq - 1) % MODULUS
            receives = not end.is_root or end.membership.leaf_dir & LeafDirection.RECEIVE
            if final is not None and receives:
                yield verify(
                    message.final_seq == final,
                    [*data[-1:], packet],
                    expected=f"FinalSeq {final}",
                    seen=f"FinalSeq {message.final_seq}",
                )
            side = [p for p in end.sent(Side) if p.number < packet.number]
            side_final = read(side[-1], Side).seq if side else 0
            yield verify(
                message.side_final_seq == side_final,
                [*side[-1:], packet],
                expected=f"SideFinalSeq {side_final}",
                seen=f"SideFinalSeq {message.side_final_seq}",
            )


@rule(
    "R55",
    "After its own CLOSE without HALF a node originates no DATA, SIDE, MEMBER or PROBE for that "
    "membership.",
    source="protocol.md 17.4 R55",
    group="close",
    needs="history",
    vantage="S",
)
def r55(case: Case) -> Iterator[Outcome]:
    """Look at what left after the first CLOSE; repairs are allowed."""
    for end in case.ends():
        closed = end.closed()
        if closed == NEVER:
            continue
        yield PASSED
        data = [packet for packet in originated(end) if not is_multicast(packet.destination[0])]
        for packet in [*data, *end.sent(Side, Member, Probe)]:
            if packet.position > closed and packet.direction == "out":
                yield broken(
                    [end.sent(Close)[0], packet],
                    expected="nothing new after CLOSE",
                    seen=type(packet.message).__name__,
                )


@rule(
    "R56",
    "A CLOSE that arrives in a live or lingering membership is answered by CLOSE_ACK.",
    source="protocol.md 17.4 R56",
    group="close",
    needs="history",
    vantage="R+S",
)
def r56(case: Case) -> Iterator[Outcome]:
    """Pair them at the node that received the CLOSE."""
    for end in case.ends():
        spent: set[int] = set()
        for arrival in end.closes:
            close = read(arrival, Close)
            if not _knows(end, arrival):
                continue
            answers = [
                answer
                for answer in end.sent(CloseAck)
                if answer.number > arrival.number
                and answer.number not in spent
                and read(answer, CloseAck).seq == close.seq
                and read(answer, CloseAck).attempt == close.attempt
            ]
            spent.update(answer.number for answer in answers[:1])
            outcome = owed(case, arrival, answers, expected="CLOSE_ACK", due_to="CLOSE")
            if outcome is not None:
                yield outcome


def _knows(end: End, arrival: Packet) -> bool:
    """Tell whether the membership was alive or lingered at this side as something arrived."""
    if not end.started() < arrival.position < min(end.aborted(), end.died):
        return False
    if any(packet.number < arrival.number for packet in end.sent(Cancel)):
        return False
    over = [packet.time_ns for packet in _last_closes(end)]
    return arrival.time_ns - min(over) <= end.timers.linger_ms * 1_000_000 if over else True


def _last_closes(end: End) -> list[Packet]:
    """List the CLOSE messages that end a membership: full ones, or what follows a half one.

    After a half close it lives on until the other direction is closed, and no time runs.
    """
    closes = sorted([*end.sent(Close), *end.closes], key=lambda packet: packet.number)
    full = [packet for packet in closes if is_full(packet)]
    both = max(end.half_closed(), end.peer_closed())
    return full or [packet for packet in closes if packet.position == both]


@rule(
    "R57",
    "CLOSE_ACK answers a CLOSE with its Seq and Attempt; RcvNext is at most FinalSeq + 1, and "
    "DATA_MISSING is set exactly when it is less.",
    source="protocol.md 17.4 R57",
    group="close",
    needs="history",
    vantage="R",
)
def r57(case: Case) -> Iterator[Outcome]:
    """Find the CLOSE that each CLOSE_ACK answers, and compare."""
    for end in case.ends():
        for packet in end.sent(CloseAck):
            ack = read(packet, CloseAck)
            if packet.direction != "out":
                continue
            causes = [
                arrival
                for arrival in end.closes
                if arrival.number < packet.number
                and read(arrival, Close).seq == ack.seq
                and read(arrival, Close).attempt == ack.attempt
            ]
            if not causes:
                yield broken(packet, expected="a CLOSE with its Seq and Attempt", seen="none")
                continue
            final = read(causes[-1], Close).final_seq
            missing = bool(ack.ack_flags & CloseAckFlag.DATA_MISSING)
            beyond = serial_before(serial_next(final), ack.rcv_next)
            yield verify(
                not beyond and missing == serial_before(ack.rcv_next, serial_next(final)),
                [causes[-1], packet],
                expected=f"RcvNext up to {serial_next(final)}, DATA_MISSING when less",
                seen=f"RcvNext {ack.rcv_next}, DATA_MISSING {'set' if missing else 'clear'}",
            )


@rule(
    "R58",
    "Copies of CLOSE keep Seq, Reason, CFlags, FinalSeq and DISC_DATA.",
    source="protocol.md 17.4 R58",
    group="close",
    needs="frames",
    vantage="S",
)
def r58(case: Case) -> Iterator[Outcome]:
    """Compare every copy with the first of its sender; a HALF close is another request."""
    for end in case.ends():
        firsts: dict[bool, Packet] = {}
        for packet in end.sent(Close):
            message = read(packet, Close)
            first = firsts.setdefault(bool(message.cflags & CloseFlag.HALF), packet)
            yield verify(
                _kept(read(first, Close)) == _kept(message),
                [first, packet],
                expected="copies with the same fields",
                seen=f"copy {message.attempt} differs",
            )


def _kept(message: Close) -> tuple[object, ...]:
    return (
        message.seq,
        message.reason,
        message.cflags,
        message.final_seq,
        message.side_final_seq,
        message.disc_data,
    )


@rule(
    "R62",
    "LEAVE comes only from leaves; EXPEL and DISMANTLE only from the root, DISMANTLE with its "
    "flag.",
    source="protocol.md 17.4 R62",
    group="close",
    needs="frames",
    vantage="1",
)
def r62(case: Case) -> Iterator[Outcome]:
    """Compare the reason of every CLOSE with the side it came from."""
    for end in case.ends():
        for packet in end.sent(Close):
            message = read(packet, Close)
            flagged = bool(message.cflags & CloseFlag.DISMANTLE)
            right = (message.reason == CloseReason.LEAVE) != end.is_root
            yield verify(
                right and flagged == (message.reason == CloseReason.DISMANTLE),
                [end.membership.accept, packet],
                expected="LEAVE from a leaf, EXPEL or DISMANTLE (with its flag) from the root",
                seen=f"reason {message.reason}, CFlags {message.cflags} from "
                + ("the root" if end.is_root else "a leaf"),
            )
