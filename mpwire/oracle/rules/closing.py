"""R53-R62: the end of a membership, and of a session."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import DEFAULT_TIMERS, End
from mpwire.oracle.obligations import owed
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.serial import MODULUS, serial_before, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import originated
from mpwire.oracle.trace import NEVER, Packet, Position, is_multicast
from mpwire.wire.messages import (
    Abort,
    Accept,
    Ack,
    Cancel,
    Close,
    CloseAck,
    Confirm,
    Data,
    Member,
    Pending,
    Probe,
    Reject,
    Side,
)
from mpwire.wire.numbers import (
    CloseAckFlag,
    CloseFlag,
    CloseReason,
    LeafDirection,
    TimersFlag,
)

SPREAD_NS = 1_000_000_000
"""First copies of a dismantling may be spread over this, scaled like the timers."""


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
    proofs = end.arrived(Confirm)
    if end.is_root:
        proofs = end.arrived(Confirm, Data, Probe, Side, Close)
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
        for arrival in end.arrived(Close):
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
    if not end.started() < arrival.position < end.aborted():
        return False
    if any(packet.number < arrival.number for packet in end.sent(Cancel)):
        return False
    closings = [*end.sent(Close), *end.arrived(Close)]
    first_ns = min(packet.time_ns for packet in closings)
    return arrival.time_ns - first_ns <= end.timers.linger_ms * 1_000_000


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
                for arrival in end.arrived(Close)
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
    "R60",
    "When a root dismantles its session, every live member is sent CLOSE(DISMANTLE) within one "
    "second (scaled), and every pending attempt a REJECT or CANCEL.",
    source="protocol.md 17.4 R60",
    group="close",
    needs="history",
    vantage="S",
)
def r60(case: Case) -> Iterator[Outcome]:
    """Compare the members at the first CLOSE(DISMANTLE) with those who were told."""
    for session, first in dismantlings(case).items():
        for end in members_at(case, session, first):
            told = [p for p in end.sent(Close, Abort) if p.number >= first.number]
            if told:
                yield PASSED
                continue
            if end.ended() != NEVER:
                continue
            waited_ns, enough = waited(case, end, first.time_ns)
            yield broken(
                first,
                expected=f"CLOSE(DISMANTLE) to {end.peer.name}",
                seen=f"none for {waited_ns / 1e9:.2f} s",
                reason=f"{end.peer.name} was a member when the dismantling began in frame "
                f"{first.number} and was never told",
                kind="fail" if enough else "unsure",
                endpoint=end.name,
            )
        yield from _pending_told(case, session, first)


def waited(case: Case, end: End, since_ns: int) -> tuple[int, bool]:
    """Return how long a side had time to send CLOSE, and if it provably let that time pass.

    First copies may be spread; one that has data to pace or to relay may wait for T_DRAIN, and one
    whose side chat is not acknowledged waits for that.
    """
    lived_ns = case.trace.when(case.life_end(end.host))
    due_ns = since_ns + SPREAD_NS * scale_of(end)
    if end.sent(Data) or end.cast(Data):
        due_ns += end.timers.drain_ms * 1_000_000
    told = {read(packet, Ack).seq for packet in end.arrived(Ack)}
    chatting = any(read(packet, Side).seq not in told for packet in end.sent(Side))
    enough = not chatting and case.overdue(end.host, due_ns) < NEVER
    return lived_ns - since_ns, enough


def _pending_told(case: Case, session: int, first: Packet) -> Iterator[Outcome]:
    """Check that entries of the queue were refused and an open invitation was cancelled."""
    for attempt in case.history.attempts:
        if attempt.root != first.source or attempt.root_host != first.host:
            continue
        if attempt.by_root:
            waits = attempt.request.session_id == session and attempt.first.number < first.number
            answers = [*attempt.shelf.arrived(Accept, Reject), *attempt.shelf.sent(Cancel)]
        else:
            waits = any(packet.number < first.number for packet in attempt.shelf.sent(Pending))
            waits = waits and not (attempt.folded and attempt.folded.confirmed)
            answers = [*attempt.shelf.sent(Accept, Reject), *attempt.shelf.arrived(Cancel)]
        if waits and not any(packet.number < first.number for packet in answers):
            yield verify(
                bool(answers),
                [attempt.first, first],
                expected="REJECT or CANCEL for what is pending",
                seen="neither",
            )


def dismantlings(case: Case) -> dict[int, Packet]:
    """Return the first CLOSE(DISMANTLE) of each session as its root sent it."""
    found: dict[int, Packet] = {}
    for packet in case.own:
        message = packet.message
        if isinstance(message, Close) and message.reason == CloseReason.DISMANTLE:
            found.setdefault(message.session_id, packet)
    return found


def members_at(case: Case, session: int, first: Packet) -> Iterator[End]:
    """Yield the root's ends of the memberships that were alive when a dismantling began."""
    for membership in case.history.memberships:
        end = membership.root
        confirmed = [
            *end.sent(Confirm),
            *(p for p in end.arrived(Confirm)),
        ]
        if (
            membership.session_id == session
            and end.host == first.host
            and any(packet.number < first.number for packet in confirmed)
            and end.ended() >= first.position
        ):
            yield end


def scale_of(end: End) -> float:
    """Return how much shorter than the defaults the timers of a test network are."""
    timers = end.timers
    if not timers.tflags & TimersFlag.CONTROLLED:
        return 1.0
    return min(1.0, timers.rto_initial_ms / DEFAULT_TIMERS.rto_initial_ms)


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
