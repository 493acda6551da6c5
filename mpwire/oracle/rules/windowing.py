"""R109, R110 and R112: how much may be sent, what is acknowledged, and when."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.inbox import deliverables, read_at_most
from mpwire.oracle.membership import End
from mpwire.oracle.obligations import owed
from mpwire.oracle.registry import Outcome, rule, verify
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.rules.punctual import is_virtual, late_acknowledgements
from mpwire.oracle.serial import serial_before, serial_distance
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import BUFFER_MESSAGES, Inflow, Limits, acks_of, flows, inflows
from mpwire.oracle.trace import Packet, Position, is_multicast
from mpwire.wire.messages import Abort, Data, DataAck, Nack, Sync

ACK_EVERY = 8
"""New messages after which DATA_ACK is due at once."""


@rule(
    "R109",
    "Where lost data is repaired, no DATA leaves at or beyond what its receiver has offered to "
    "take: 32 messages at first, then RcvNext + Window.",
    source="protocol.md 17.6 R109",
    group="data",
    needs="history",
    vantage="R+S",
)
def r109(case: Case) -> Iterator[Outcome]:
    """Compare every DATA with the offers that had arrived before it left."""
    for end in case.ends():
        if not end.membership.repair:
            continue
        for flow in flows(end).values():
            if flow.start is None:
                continue
            limits = Limits(flow.start, acks_of(end.arrived(DataAck), flow.origin))
            for packet in flow.copies:
                gone = is_multicast(packet.destination[0]) and packet.position > end.ended()
                if packet.direction != "out" or gone:
                    continue
                seq, limit = read(packet, Data).seq, limits.at(packet.position)
                yield verify(
                    serial_before(seq, limit),
                    packet,
                    expected=f"a Seq before {limit} to {end.peer.name}",
                    seen=f"Seq {seq}",
                )


@rule(
    "R110",
    "DATA_ACK is true: everything before RcvNext had arrived, RcvNext never goes back, and Window "
    "is no more than the buffer holds besides what is unread.",
    source="protocol.md 17.6 R110",
    group="data",
    needs="history",
    vantage="N",
)
def r110(case: Case) -> Iterator[Outcome]:
    """Compare with what had been delivered, and with what the application had asked for."""
    for end in case.ends():
        given = inflows(end)
        newest: dict[int, int] = {}
        for packet in end.sent(DataAck):
            message = read(packet, DataAck)
            inflow = given.get(message.origin)
            if packet.direction != "out" or inflow is None:
                continue
            bound = inflow.rcv_next(packet.position)
            before = newest.get(message.origin, message.rcv_next)
            newest[message.origin] = message.rcv_next
            if bound is None:
                continue
            yield verify(
                not serial_before(bound, message.rcv_next)
                and not serial_before(message.rcv_next, before),
                packet,
                expected=f"RcvNext from {before} to {bound}",
                seen=f"RcvNext {message.rcv_next}",
            )
            room = BUFFER_MESSAGES - _unread(case, end, inflow, packet)
            yield verify(
                message.window <= room,
                packet,
                expected=f"a Window of at most {room}",
                seen=f"{message.window}",
            )


def _deaf(case: Case, end: End, position: Position) -> bool:
    """Tell whether the application had closed the socket, or its direction of receiving."""
    socket = case.session_socket(end)
    if socket is None:
        return False
    deaf = [call.asked for call in socket.shutdowns if call.text("how") != "SEND"]
    return any(at < position for at in (socket.closed, *deaf))


def _unread(case: Case, end: End, inflow: Inflow, packet: Packet) -> int:
    """Return how much of what a DATA_ACK acknowledges its sender cannot have read yet.

    For an application that receives nothing more nothing is kept (W79).
    """
    if inflow.start is None or _deaf(case, end, packet.position):
        return 0
    taken = serial_distance(inflow.start, read(packet, DataAck).rcv_next)
    return max(0, taken - read_at_most(case, end, packet.position))


@rule(
    "R112",
    "A SYNC is answered by DATA_ACK, and so are eight new messages.",
    source="protocol.md 17.6 R112",
    group="data",
    needs="history",
    vantage="R+S",
)
def r112(case: Case) -> Iterator[Outcome]:
    """Look for an acknowledgement after each, in a live membership that repairs."""
    virtual = is_virtual(case)
    for end in case.ends():
        if not end.membership.repair:
            continue
        begin = joined_at(end)
        yield from late_acknowledgements(case, end) if virtual else ()
        for arrival in end.arrived(Sync):
            if begin < arrival.position < end.ended():
                yield from _acknowledged(case, end, arrival, "SYNC")
        for inflow in inflows(end).values():
            for arrival in _eighths(case, end, inflow):
                yield from _acknowledged(case, end, arrival, f"the {ACK_EVERY}th new DATA")


def _acknowledged(case: Case, end: End, arrival: Packet, due_to: str) -> Iterator[Outcome]:
    answers = [p for p in end.sent(DataAck, Nack, Abort) if p.number > arrival.number]
    outcome = owed(case, arrival, answers, expected="DATA_ACK", due_to=due_to)
    if outcome is not None:
        yield outcome


def _eighths(case: Case, end: End, inflow: Inflow) -> Iterator[Packet]:
    """Yield every arrival that makes eight new messages since the last acknowledgement."""
    if not inflow.arrivals:
        return  # nobody captured there
    new = 0
    certain = {
        item.packet.number
        for item in deliverables(case, end)
        if item.packet is not None and item.certain and item.origin == inflow.origin
    }
    acks = [packet.number for packet in acks_of(end.sent(DataAck), inflow.origin)]
    since = 0
    for arrival in inflow.arrivals:
        if any(since < number < arrival.number for number in acks):
            new, since = 0, arrival.number
        new += arrival.number in certain
        if new >= ACK_EVERY and arrival.position < end.ended():
            new, since = 0, arrival.number
            yield arrival
