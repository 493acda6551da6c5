"""Which messages each socket was given to read, in which order, and what was read of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from mpwire.oracle.aims import appearances, collects, is_meant, leads
from mpwire.oracle.calls import Call
from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.opening import Opening
from mpwire.oracle.serial import serial_before, serial_distance, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Socket
from mpwire.oracle.streams import Doubts, Inflow, Limits, acks_of, inflows
from mpwire.oracle.trace import IMAGINED, NEVER, START, Packet, Position, is_multicast
from mpwire.wire.messages import Accept, Ack, Confirm, Data, DataAck, Side, Sync
from mpwire.wire.numbers import AckedType, LeafDirection, Planes, SyncFlag

WINDOW_MESSAGES = 1 << 16
"""Further ahead than this a sequence number is no message that could still be waited for."""


@dataclass(slots=True)
class Deliverable:
    """One message that a socket can hand to its application."""

    released: Position
    """Where the last frame it had to wait for was delivered."""
    packet: Packet | None
    """Its first copy; None for what a socket sent itself and is given back."""
    origin: int
    seq: int
    payload: bytes
    certain: bool
    """False where the specification leaves open whether it is delivered."""
    private: bool = False
    """It is side chat and not the group's data."""

    @property
    def queue(self) -> tuple[str, int, bool]:
        """Name the sequence it belongs to: messages of one sequence are read in order."""
        return self.packet.source[0] if self.packet else "", self.origin, self.private

    @property
    def frames(self) -> tuple[int, ...]:
        """Name the frame that carried it, if there was one."""
        return (self.packet.number,) if self.packet else ()

    def __str__(self) -> str:
        """Name it as findings do."""
        if self.packet is None:
            return "a copy of its own message"
        kind = "SIDE" if self.private else "DATA"
        return f"{kind} {self.seq} of origin {self.origin} in frame {self.packet.number}"


def receivers(case: Case) -> dict[Socket, list[End]]:
    """Return the sockets that read group data, each with the ends it reads from."""
    found: dict[Socket, list[End]] = {}
    for membership in case.history.memberships:
        for end in membership.ends:
            socket = case.session_socket(end)
            if socket is not None:
                found.setdefault(socket, []).append(end)
    return found


def readers(case: Case) -> Iterator[tuple[Socket, list[Deliverable]]]:
    """Yield every socket that can be given something, with all of it in the order of release."""
    group = receivers(case)
    for socket, ends in group.items():
        items = inbox(case, ends)
        items += [item for end in ends if not end.is_root for item in private(case, end)]
        own = own_copies(ends, socket)
        yield socket, in_order(items + own if _looped(socket, items, own) else items)
    for opening in case.openings:
        items = list(_of_group(case, opening))
        own = [] if collects(opening) or not opening.receives else sent_by(opening.socket)
        looped = _looped(opening.socket, items, own)
        yield opening.socket, in_order(items + own if looped else items)
    for end in case.ends():
        handle = case.socket_of(end) if end.is_root else None
        if handle is not None and handle not in group and (items := private(case, end)):
            yield handle, in_order(items)


def _looped(socket: Socket, items: list[Deliverable], own: list[Deliverable]) -> bool:
    """Tell whether a socket is given its own messages back, as far as its receives tell."""
    taken = reads(socket)
    strange = {item.payload.hex() for item in own} - {item.payload.hex() for item in items}
    return not taken or any(payload_of(call) in strange for call in taken)


def in_order(items: list[Deliverable]) -> list[Deliverable]:
    """Sort what a socket is given by where it can be read; each origin keeps its own order."""
    return sorted(items, key=lambda item: item.released)


def may_receive(end: End) -> bool:
    """Tell whether group data flows towards this side."""
    flag = LeafDirection.SEND if end.is_root else LeafDirection.RECEIVE
    return bool(end.membership.leaf_dir & flag)


def deliverables(case: Case, end: End) -> list[Deliverable]:
    """List what the peer's data made readable at one side of a membership, in order."""
    found = case.inboxes.get(end)
    if found is None:
        taking = _taking(case, end)
        flows = [one for one in inflows(end).values() if is_meant(case, end, one.origin)]
        flows = flows if may_receive(end) else []
        joined = _listening(case, end)
        found = [item for inflow in flows for item in _readable(inflow, taking, joined)]
        found = case.inboxes[end] = in_order(_heard(case, case.session_socket(end), found))
    return found


def _heard(case: Case, socket: Socket | None, items: list[Deliverable]) -> list[Deliverable]:
    """Leave open what comes of a message once the application receives nothing more (W79).

    It is acknowledged and thrown away; one that came just before may have met the same end.
    """
    shutdowns = socket.shutdowns if socket is not None else []
    deaf = min((one.asked for one in shutdowns if one.text("how") != "SEND"), default=NEVER)
    for item in items if deaf < NEVER else ():
        settled = case.settled(socket.host if socket else None, item.released)
        item.certain = item.certain and settled is not None and settled < deaf
    return items


def _listening(case: Case, end: End) -> Position:
    """Return from where on a side's host is known to take what is sent to the session's group.

    That is its report to routers. Where hosts are imagined nobody knows of one, and members are
    given their data.
    """
    run = case.trace.run.run
    if run is not None and run.fabric == IMAGINED:
        return START
    groups = {packet.destination[0] for packet in end.membership.group.packets}
    said = [r for r in case.trace.reports if r.host == end.host and r.group in groups and r.joins]
    return min((report.position for report in said), default=NEVER)


def _readable(
    inflow: Inflow, taking: tuple[Position, Position], joined: Position
) -> Iterator[Deliverable]:
    """Yield what is readable of one origin, in order.

    A session that repairs hands messages out in Seq order, so that a message waits for those
    before it; without repair each is readable as it arrives. What came before this side knew
    where the origin starts, or further ahead than it had offered to take, may have been dropped,
    unless an acknowledgement shows the contrary before another copy comes; what waits for such a
    message is as uncertain.
    """
    end, start = inflow.end, inflow.start
    limits = Limits(start or 0, acks_of(end.sent(DataAck), inflow.origin))
    copies: dict[int, Packet] = {}
    expected, doubts = start, Doubts(end, inflow)
    for packet in inflow.arrivals:
        seq = read(packet, Data).seq
        if seq in copies or (start is not None and serial_before(seq, start)):
            continue
        copies[seq] = packet
        repairs = end.membership.repair and expected is not None
        ready = _run(copies, expected) if repairs else [seq]
        for number in ready:
            copy = copies[number]
            cast = is_multicast(copy.destination[0])
            known = inflow.begins if not cast or end.membership.repair else START
            dropped = copy.position < max(known, joined if cast else START) or (
                cast and end.peer_closed() < copy.position
            )
            dropped = dropped or (repairs and not serial_before(number, limits.at(copy.position)))
            if repairs and dropped:
                doubts.add(number)
            doubt = dropped or (repairs and doubts.stand(copy.position))
            open_then = taking[0] < copy.position < taking[1]
            certain = (open_then and not doubt) or doubts.refuted(number)
            message = read(copy, Data)
            payload = message.payload or b""
            yield Deliverable(packet.position, copy, message.origin, number, payload, certain)
            expected = serial_next(number) if repairs else expected


def _run(copies: dict[int, Packet], expected: int | None) -> list[int]:
    """Return the numbers that are there without a gap, from the expected one on."""
    found = []
    while expected is not None and expected in copies:
        found.append(expected)
        expected = serial_next(expected)
    return found


def private(case: Case, end: End) -> list[Deliverable]:
    """List the side chat that was delivered to one side, each message once.

    Side chat has no repair: what is not asked to be acknowledged may be lost or overtaken.
    """
    found: dict[int, Deliverable] = {}
    taken = {read(p, Ack).seq for p in end.sent(Ack) if read(p, Ack).acked_type == AckedType.SIDE}
    for packet in end.arrived(Side):
        message = read(packet, Side)
        item = Deliverable(
            packet.position,
            packet,
            message.sender_id,
            message.seq,
            message.payload or b"",
            certain=message.seq in taken,
            private=True,
        )
        found.setdefault(message.seq, item)
    return _heard(case, case.socket_of(end), list(found.values()))


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
    ends = [end.closed(), end.aborted(), end.died]
    half = end.half_closed() < end.closed()
    shutdowns = socket.shutdowns if socket is not None else []
    ends += [call.asked for call in shutdowns if not half or call.text("how") != "SEND"]
    return begin, min(ends)


def inbox(case: Case, ends: list[End]) -> list[Deliverable]:
    """Merge what all ends of one socket release, in the order of release."""
    return in_order([item for end in ends for item in deliverables(case, end)])


def too_old(end: End) -> list[Packet]:
    """List the peer's data that was delivered to this side but came before its first message."""
    inflow = inflows(end)[end.peer.member_id]
    return [
        packet
        for packet in inflow.arrivals
        if inflow.start is not None and serial_before(read(packet, Data).seq, inflow.start)
    ]


def own_copies(ends: list[End], socket: Socket) -> list[Deliverable]:
    """List what a socket may be given back because it sent it itself (W65).

    That is so in nonrooted data planes, as long as it is not switched off; no frame shows it.
    """
    if all(end.membership.planes & Planes.DATA_ROOTED for end in ends):
        return []
    return sent_by(socket)


def _of_group(case: Case, opening: Opening) -> Iterator[Deliverable]:
    """Yield what a member of a nonrooted session was given: it is certain once it has joined.

    Where one participant is the d_root the others are given what comes from it, once they have
    heard of it; which of several d_roots they believe, the record does not say, nor which of these
    stands back before the other.
    """
    choosing = collects(opening) and not leads(opening)
    known = appearances(case, opening) if collects(opening) else []
    for packet in opening.given(case.history):
        message = read(packet, Data)
        told = [one for one in known if one.source == packet.source and one.number < packet.number]
        if choosing and not told:
            continue
        joined = max(opening.began, opening.reported) < packet.position
        alone = len(known) <= 1 if choosing else not known or packet.number < known[0].number
        yield Deliverable(
            packet.position,
            packet,
            message.origin,
            message.seq,
            message.payload or b"",
            certain=opening.receives and joined and alone,
        )
    yield from _of_neighbours(case, opening)


def _of_neighbours(case: Case, opening: Opening) -> Iterator[Deliverable]:
    """Yield what other sockets of the host sent to the group: no frame shows that it came back."""
    log = case.logs[opening.call.host]
    for other in case.openings:
        near = other.call.host == opening.call.host and other.group == opening.group
        if other is opening or not near or other.confined(log) is not opening.confined(log):
            continue
        if not collects(opening) or leads(opening) or leads(other):
            for item in sent_by(other.socket, looped=False):
                item.origin = other.socket.descriptor
                yield item


def sent_by(socket: Socket, *, looped: bool = True) -> list[Deliverable]:
    """List what a socket sent, as it or, not `looped`, another one of its host may be given it."""
    return [
        Deliverable(call.asked, None, 0, place, octets_of(call.text("data")), certain=False)
        for place, call in enumerate(socket.sends)
        if call.error is None and not (looped and socket.loopback_off(call.asked))
    ]


def octets_of(text: str | None) -> bytes:
    """Return the octets of a hexadecimal argument; nothing for what is none."""
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""


def payload_of(call: Call) -> str:
    """Return what a receive returned, as lower-case hexadecimal text."""
    return str((call.result or {}).get("data", "")).lower()


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
    return _all_there(inflows(end)[end.peer.member_id], start, wanted, since)


def relays_complete_at(end: End, since: Position) -> Position | None:
    """Return where what the root had announced as the end of other origins had been delivered.

    None: something of it never was, or the record does not show an end of one of them.
    """
    latest = since
    for origin, inflow in inflows(end).items():
        if origin == end.peer.member_id or not may_receive(end):
            continue
        fins = [
            packet
            for packet in end.arrived(Sync)
            if read(packet, Sync).origin == origin and read(packet, Sync).sflags & SyncFlag.FIN
        ]
        if not fins or inflow.start is None:
            return None
        wanted = serial_distance(inflow.start, read(fins[0], Sync).seq)
        there = _all_there(inflow, inflow.start, wanted, fins[0].position)
        if there is None:
            return None
        latest = max(latest, there)
    return latest


def _all_there(inflow: Inflow, start: int, wanted: int, since: Position) -> Position | None:
    arrived: dict[int, Position] = {}
    for packet in inflow.arrivals:
        arrived.setdefault(read(packet, Data).seq, packet.position)
    latest = since
    number = start
    for _ in range(wanted):
        if number not in arrived:
            return None
        latest = max(latest, arrived[number])
        number = serial_next(number)
    return latest


def emptied_at(case: Case, end: End) -> Position | None:
    """Return where the application had read everything this side was ever given; None: never.

    What a leaf's handle at the root holds is side chat only: group data waits at R.
    """
    socket = case.socket_of(end)
    if socket is None:
        return START
    items = [*private(case, end), *(() if end.is_root else deliverables(case, end))]
    given = [item for item in items if item.certain]
    taken = reads(socket)
    if len(taken) < len(given):
        return None
    return taken[len(given) - 1].asked if given else START


def read_at_most(case: Case, end: End, position: Position) -> int:
    """Return how many messages the application of a side can have read at most by a position."""
    socket = case.session_socket(end)
    return sum(call.asked < position for call in socket.receives) if socket is not None else 0
