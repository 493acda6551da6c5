"""Which group data each socket was given to read, in which order, and what was read of it."""

from dataclasses import dataclass

from mpwire.oracle.calls import Call
from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.serial import serial_before, serial_distance, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.wire.messages import Accept, Confirm, Data
from mpwire.wire.numbers import LeafDirection

WINDOW_MESSAGES = 1 << 16
"""Further ahead than this a sequence number is no message that could still be waited for."""


@dataclass(slots=True)
class Deliverable:
    """One message that a socket can hand to its application."""

    released: Position
    """Where the last frame it had to wait for was delivered."""
    packet: Packet
    origin: int
    seq: int
    payload: bytes
    certain: bool
    """False where the specification leaves open whether it is delivered."""


def receivers(case: Case) -> dict[Socket, list[End]]:
    """Return the sockets that read group data, each with the ends it reads from."""
    found: dict[Socket, list[End]] = {}
    for membership in case.history.memberships:
        for end in membership.ends:
            socket = case.session_socket(end)
            if socket is not None:
                found.setdefault(socket, []).append(end)
    return found


def may_receive(end: End) -> bool:
    """Tell whether group data flows towards this side."""
    flag = LeafDirection.SEND if end.is_root else LeafDirection.RECEIVE
    return bool(end.membership.leaf_dir & flag)


def deliverables(case: Case, end: End) -> list[Deliverable]:
    """List what the peer's data made readable at one side of a membership, in order."""
    found = case.inboxes.get(end)
    if found is None:
        found = case.inboxes[end] = _deliverables(end, _taking(case, end))
    return found


def _deliverables(end: End, taking: tuple[Position, Position]) -> list[Deliverable]:
    """List what the peer's data made readable at one side of a membership, in order.

    A session that repairs hands messages out in Seq order, so that a message waits for those
    before it; without repair each is readable as it arrives.
    """
    start = end.peer.next_data_seq
    if not may_receive(end) or start is None:
        return []
    first_copies: dict[int, Packet] = {}
    released: list[Deliverable] = []
    expected = start
    for packet in end.arrived(Data):
        message = read(packet, Data)
        if message.origin != _origin(end) or serial_before(message.seq, start):
            continue
        if message.seq in first_copies:
            continue
        first_copies[message.seq] = packet
        if not end.membership.repair:
            released.append(_deliverable(packet, packet.position, taking))
            continue
        while expected in first_copies:
            released.append(_deliverable(first_copies[expected], packet.position, taking))
            expected = serial_next(expected)
    return released


def _origin(end: End) -> int:
    return end.membership.leaf_id if end.is_root else 1


def _taking(case: Case, end: End) -> tuple[Position, Position]:
    """Return from where to where this side certainly hands data to its application.

    That is from the handshake half that makes it a member to the first sign of its own ending.
    """
    if end.is_root and not end.is_initiator:
        begin = end.membership.accept.position
    else:
        proofs = end.arrived(Accept if end.is_initiator else Confirm)
        begin = proofs[0].position if proofs else NEVER
    socket = case.session_socket(end)
    ends = [end.closed(), end.aborted()]
    ends += [call.asked for call in socket.shutdowns] if socket is not None else []
    return begin, min(ends)


def _deliverable(
    packet: Packet, released: Position, taking: tuple[Position, Position]
) -> Deliverable:
    message = read(packet, Data)
    certain = taking[0] < packet.position < taking[1]
    payload = message.payload or b""
    return Deliverable(released, packet, message.origin, message.seq, payload, certain)


def inbox(case: Case, ends: list[End]) -> list[Deliverable]:
    """Merge what all ends of one socket release, in the order of release."""
    everything = [item for end in ends for item in deliverables(case, end)]
    return sorted(everything, key=lambda item: (item.released, item.packet.number))


def reads(socket: Socket) -> list[Call]:
    """List the receives that returned a message, in order."""
    return [call for call in socket.receives if call.ok]


def complete_at(end: End, final_seq: int, since: Position) -> Position | None:
    """Return where all the peer's data up to FinalSeq had been delivered; None if it never was."""
    start = end.peer.next_data_seq
    if start is None or not may_receive(end):
        return since
    wanted = serial_distance(start, serial_next(final_seq))
    if wanted == 0:
        return since
    if wanted > WINDOW_MESSAGES:
        return None
    arrived: dict[int, Position] = {}
    for packet in end.arrived(Data):
        message = read(packet, Data)
        if message.origin == _origin(end):
            arrived.setdefault(message.seq, packet.position)
    latest = since
    number = start
    for _ in range(wanted):
        if number not in arrived:
            return None
        latest = max(latest, arrived[number])
        number = serial_next(number)
    return latest


def emptied_at(case: Case, end: End) -> Position | None:
    """Return where the application had read everything this side was ever given; None: never."""
    socket = case.session_socket(end)
    if socket is None or socket.kind is Kind.ROOT:
        return (0, 0)
    given = deliverables(case, end)
    taken = reads(socket)
    if len(taken) < len(given):
        return None
    return taken[len(given) - 1].asked if given else (0, 0)
