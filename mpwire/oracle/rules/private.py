"""R86, R87, R89 and R90: side chat, and the pace of data."""

from collections.abc import Iterator

from mpwire.oracle.calls import Call
from mpwire.oracle.case import Case
from mpwire.oracle.inbox import reads
from mpwire.oracle.membership import End
from mpwire.oracle.obligations import owed
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.serial import serial_distance
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Socket
from mpwire.oracle.streams import originated
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.wire.messages import Abort, Ack, Data, Side
from mpwire.wire.numbers import AckedType, Capability, SideFlag

BURST = 32
"""Messages that may leave at once under MaxRate."""
UNREAD = 16
"""Private messages that may wait for the application before the next one does for an ACK."""


@rule(
    "R86",
    "DATA and SIDE are not sent to a peer from which nothing has come for the announced Dead.",
    source="protocol.md 17.6 R86",
    group="data",
    needs="history",
    vantage="N",
)
def r86(case: Case) -> Iterator[Outcome]:
    """Judge from where the sender provably came round to its timers after that time."""
    for end in case.ends():
        heard = [p for p in end.membership.shelf.packets if _came(p, end)]
        for packet in [*end.sent(Data), *end.sent(Side)]:
            before = [p.time_ns for p in heard if p.number < packet.number]
            if packet.direction != "out" or not before:
                continue
            silent_ns = packet.time_ns - before[-1] - end.timers.dead_ms * 1_000_000
            if silent_ns <= 0:
                yield PASSED
                continue
            over = case.overdue(end.host, before[-1] + end.timers.dead_ms * 1_000_000)
            yield broken(
                packet,
                expected=f"nothing after {end.timers.dead_ms} ms of silence",
                seen=f"{type(packet.message).__name__} {silent_ns / 1e9:.2f} s later",
                kind="fail" if over < packet.position else "late",
            )


def _came(packet: Packet, end: End) -> bool:
    return packet.direction == "in" and packet.destination == end.endpoint


@rule(
    "R87",
    "DATA of one origin does not exceed the session's MaxRate, with a burst of 32.",
    source="protocol.md 17.6 R87",
    group="data",
    needs="history",
    vantage="S",
)
def r87(case: Case) -> Iterator[Outcome]:
    """Measure from the call that asked for a message, the earliest it can have left.

    Frames may be recorded late, so that they seem closer than they were; but a message cannot
    leave before its application asked, nor after it was seen.
    """
    for end in case.ends():
        description, socket = end.membership.description, case.session_socket(end)
        if description is None or not description.max_rate or socket is None:
            continue
        starts = [
            one.next_data_seq
            for membership in case.history.memberships
            for one in membership.ends
            if case.session_socket(one) is socket and one.next_data_seq is not None
        ]
        if starts:
            first = min(starts, key=lambda start: serial_distance(starts[0], start))
            yield from _paced(end, first, socket, description.max_rate)


def _paced(end: End, first: int, socket: Socket, rate: int) -> Iterator[Outcome]:
    asked = [call.asked_ns for call in socket.sends if call.error is None]
    packets = [packet for packet in originated(end) if packet.direction == "out"]
    earliest: float | None = None
    for place, packet in enumerate(packets):
        which = serial_distance(first, read(packet, Data).seq)
        if which >= len(asked):
            continue
        credit = place - rate * asked[which] / 1e9
        earliest = credit if earliest is None else min(earliest, credit)
        surplus = place + 1 - rate * packet.time_ns / 1e9 - earliest - BURST
        yield verify(
            surplus <= 1e-6,
            packet,
            expected=f"at most {rate} messages per second after {BURST}",
            seen=f"{surplus:.1f} too many",
        )


@rule(
    "R89",
    "SIDE is sent only where both sides can do side chat.",
    source="protocol.md 17.6 R89",
    group="data",
    needs="frames",
    vantage="1",
)
def r89(case: Case) -> Iterator[Outcome]:
    """Compare with the capabilities of the membership."""
    for membership in case.history.memberships:
        for packet in membership.shelf.sent(Side):
            yield verify(
                bool(membership.caps & Capability.SIDECHAT),
                [membership.accept, packet],
                expected="CAPS.SIDECHAT of both sides",
                seen=f"effective CAPS {membership.caps:#x}",
            )


@rule(
    "R90",
    "SIDE asks for an ACK and counts from 1 in each direction; the receiver acknowledges what it "
    "hands up, and no more than 16 messages that are not read.",
    source="protocol.md 17.6 R90",
    group="data",
    needs="history",
    vantage="R+S",
)
def r90(case: Case) -> Iterator[Outcome]:
    """Count first copies, and pair what arrived with acknowledgements."""
    for end in case.ends():
        first = [packet for packet in end.sent(Side) if read(packet, Side).attempt == 1]
        for place, packet in enumerate(first, 1):
            if packet.direction == "out":
                seq = read(packet, Side).seq
                yield verify(seq == place, packet, expected=f"Seq {place}", seen=f"Seq {seq}")
        for packet in end.sent(Side):
            asks = bool(read(packet, Side).sflags & SideFlag.ACK_REQ)
            yield verify(asks, packet, expected="ACK_REQ", seen="none")
        yield from _answers(case, end)
        yield from _ahead_of_the_reader(case, end)


def _answers(case: Case, end: End) -> Iterator[Outcome]:
    """Look for the ACK of every copy that was handed up, or repeats what was."""
    for arrival in end.arrived(Side):
        message = read(arrival, Side)
        live = joined_at(end) < arrival.position < end.ended()
        since = _taken_from(case, end, arrival) if live else None
        if since is None or not message.sflags & SideFlag.ACK_REQ:
            continue
        answers = [
            answer
            for answer in end.sent(Ack)
            if answer.number > arrival.number
            and read(answer, Ack).acked_type == AckedType.SIDE
            and (read(answer, Ack).seq, read(answer, Ack).attempt) == (message.seq, message.attempt)
        ]
        answers += [p for p in end.sent(Abort) if p.number > arrival.number]
        outcome = owed(case, arrival, answers, expected="ACK(SIDE)", due_to="SIDE", since=since)
        if outcome is not None:
            yield outcome


def _taken_from(case: Case, end: End, arrival: Packet) -> Position | None:
    """Return from where on an arrival is owed an ACK; None if it is not, or need not be.

    With 16 messages unread the next one waits, and only its latest copy is acknowledged when one of
    them has been read. What is further ahead is dropped.
    """
    seq = read(arrival, Side).seq
    before = {read(p, Side).seq for p in end.arrived(Side) if p.number < arrival.number}
    if any(number not in before for number in range(max(1, seq - UNREAD), seq)):
        return None
    if seq <= UNREAD:
        return arrival.position
    room = _reads(case, end)[seq - UNREAD - 1 : seq - UNREAD]
    if not room or room[0].answered == NEVER:
        return None
    later = [p for p in end.arrived(Side) if read(p, Side).seq == seq and p is not arrival]
    held = arrival.position < room[0].answered
    if held and any(arrival.position < p.position < room[0].answered for p in later):
        return None
    return max(arrival.position, room[0].answered)


def _reads(case: Case, end: End) -> list[Call]:
    """List the receives of a side that returned a private message, in order."""
    socket = case.socket_of(end)
    taken = reads(socket) if socket is not None else []
    return [call for call in taken if end.is_root or (call.result or {}).get("private")]


def _ahead_of_the_reader(case: Case, end: End) -> Iterator[Outcome]:
    """Look for an ACK of more than the receiver has room for."""
    socket = case.socket_of(end)
    deaf = socket is None or any(call.text("how") != "SEND" for call in socket.shutdowns)
    if socket is None or deaf or end.host not in case.logs:
        return
    for packet in end.sent(Ack):
        seq = read(packet, Ack).seq
        if packet.direction != "out" or read(packet, Ack).acked_type != AckedType.SIDE:
            continue
        asked = sum(call.asked < packet.position for call in socket.receives)
        yield verify(
            seq - asked <= UNREAD,
            packet,
            expected=f"no ACK of what exceeds {UNREAD} unread messages",
            seen=f"ACK of SIDE {seq} after {asked} receives",
        )
