"""Follow group data through a membership: what a side sent of each origin, what a side was given.

One side of a membership sends its own messages and, at a root that relays, those of others. All
messages of one origin are numbered in one sequence. `flows` sorts what a side sent, `inflows`
what was delivered to it; what went to the session's group counts like unicast, as far as the
member was concerned by it.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

from mpwire.oracle.membership import End, is_full
from mpwire.oracle.serial import MODULUS, serial_before, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, START, Packet, Position
from mpwire.wire.messages import Close, CloseAck, Data, DataAck, Nack, Probe, Sync

INITIAL_WINDOW = 32
"""Messages that may be out before the first DATA_ACK."""
BUFFER_MESSAGES = 256
"""Messages that a receiver can hold for its application."""


@dataclass(slots=True)
class Flow:
    """What one side sent to its peer of one origin."""

    end: End
    origin: int
    start: int | None
    """First Seq that this peer may count on; None where the record does not say."""
    copies: list[Packet] = field(default_factory=list)
    """First transmissions, to the peer or to the group, in order."""
    repairs: list[Packet] = field(default_factory=list)
    """Further transmissions."""
    syncs: list[Packet] = field(default_factory=list)

    @property
    def own(self) -> bool:
        """Tell whether the sender is the origin."""
        return self.origin == self.end.member_id

    def next_unsent(self, before: int) -> int | None:
        """Return the Seq after the highest one that had left before a frame."""
        highest: int | None = None
        for packet in self.copies:
            if packet.number >= before:
                break
            seq = read(packet, Data).seq
            if highest is None or serial_before(highest, seq):
                highest = seq
        return self.start if highest is None else serial_next(highest)


@dataclass(slots=True)
class Inflow:
    """What was delivered to one side of one origin."""

    end: End
    origin: int
    start: int | None
    """First Seq that this side is given; None where the record does not say."""
    begins: Position
    """From where on this side knows where the origin starts."""
    arrivals: list[Packet] = field(default_factory=list)
    _places: list[Position] = field(default_factory=list)
    _nexts: list[int] = field(default_factory=list)

    def rcv_next(self, position: Position) -> int | None:
        """Return the first Seq that had not been delivered before a position."""
        if self.start is None:
            return None
        if not self._places:
            self._walk(self.start)
        return self._nexts[bisect_left(self._places, position) - 1]

    def progress(self) -> list[Position]:
        """List where the first missing Seq moved on."""
        return self._places[1:] if self.rcv_next(START) is not None else []

    def _walk(self, start: int) -> None:
        """Note where the first missing Seq moves on, as if nothing that came was refused."""
        self._places, self._nexts = [(-1, 0)], [start]
        there: set[int] = set()
        expected = start
        for packet in self.arrivals:
            there.add(read(packet, Data).seq)
            if expected not in there:
                continue
            while expected in there:
                there.discard(expected)
                expected = serial_next(expected)
            self._places.append(packet.position)
            self._nexts.append(expected)


def flows(end: End) -> dict[int, Flow]:
    """Sort what one side sent to its peer by origin."""
    if end.flows is not None:
        return end.flows
    found = end.flows = {end.member_id: Flow(end, end.member_id, end.next_data_seq)}
    for packet in end.sent(Sync):
        sync = read(packet, Sync)
        start = end.next_data_seq if sync.origin == end.member_id else sync.trail_seq
        found.setdefault(sync.origin, Flow(end, sync.origin, start)).syncs.append(packet)
    for packet in sorted([*end.sent(Data), *_cast(end)], key=lambda one: one.number):
        message = read(packet, Data)
        flow = found.setdefault(message.origin, Flow(end, message.origin, None))
        (flow.copies if message.attempt == 1 else flow.repairs).append(packet)
    return found


def _cast(end: End) -> list[Packet]:
    """Return the DATA to the group that concerned this member: from its first message on.

    What leaves for the others once either side has closed is none of this membership's.
    """
    start, final = end.next_data_seq, _farewell(end)
    return [
        packet
        for packet in end.cast(Data)
        if read(packet, Data).origin != end.member_id
        or (
            (start is None or not serial_before(read(packet, Data).seq, start))
            and (final is None or not _for_others(packet, *final))
        )
    ]


def _farewell(end: End) -> tuple[Packet, int] | None:
    """Return the first word of this side that names its last Seq for good, and that Seq.

    A CLOSE_ACK does so only where the peer has ended both directions.
    """
    said = [(packet, read(packet, Close).final_seq) for packet in end.sent(Close)]
    if end.peer.closed() != NEVER:
        said += [(packet, read(packet, CloseAck).final_seq) for packet in end.sent(CloseAck)]
    return min(said, key=lambda one: one[0].number, default=None)


def _for_others(packet: Packet, farewell: Packet, final: int) -> bool:
    """Tell whether group data left after a farewell that does not count it."""
    later = packet.number > farewell.number
    return later and serial_before(final, read(packet, Data).seq)


def originated(end: End, before: Packet | None = None) -> list[Packet]:
    """Return the first transmissions of DATA that this side originated for its peer, in order."""
    own = flows(end)[end.member_id].copies
    return [packet for packet in own if before is None or packet.number < before.number]


def inflows(end: End) -> dict[int, Inflow]:
    """Sort what was delivered to one side by origin."""
    if end.given is not None:
        return end.given
    peer = end.peer.member_id
    found = end.given = {peer: Inflow(end, peer, end.peer.next_data_seq, START)}
    for packet in end.arrived(Sync):
        sync = read(packet, Sync)
        begun = Inflow(end, sync.origin, sync.trail_seq, packet.position)
        found.setdefault(sync.origin, begun)
    final = _final(end)
    for packet in sorted([*end.arrived(Data), *end.caught(Data)], key=lambda one: one.number):
        message = read(packet, Data)
        beyond = final is not None and message.origin == peer and serial_before(final, message.seq)
        if message.origin == end.member_id or beyond:
            continue
        unknown = Inflow(end, message.origin, None, NEVER)
        found.setdefault(message.origin, unknown).arrivals.append(packet)
    return found


def _final(end: End) -> int | None:
    """Return the last Seq of the peer that concerns this side; what comes later is for others."""
    closes = [packet for packet in end.closes if is_full(packet)]
    return read(closes[0], Close).final_seq if closes else None


def acknowledged(end: End, origin: int) -> list[tuple[Packet, int]]:
    """List what one side said of its RcvNext of an origin, with the frames that say so."""
    said = [
        (packet, read(packet, DataAck).rcv_next)
        for packet in end.sent(DataAck)
        if read(packet, DataAck).origin == origin
    ]
    if origin == end.peer.member_id:
        said += [(packet, read(packet, CloseAck).rcv_next) for packet in end.sent(CloseAck)]
    return sorted(said, key=lambda one: one[0].number)


class Doubts:
    """What of one origin may have been dropped when it came, and what shows that it was taken.

    An acknowledgement shows that a message was taken, but not which of its copies, nor when
    those that wait for it were handed up: so it has to come before the next copy.
    """

    def __init__(self, end: End, inflow: Inflow) -> None:
        """Begin with none."""
        self._proofs = acknowledged(end, inflow.origin)
        self._again: dict[int, Position] = {}
        self._newest: int | None = None
        self._until = NEVER
        seen: set[int] = set()
        for packet in inflow.arrivals:
            seq = read(packet, Data).seq
            if seq in seen:
                self._again.setdefault(seq, packet.position)
            seen.add(seq)

    def add(self, seq: int) -> None:
        """Doubt a message."""
        self._newest = seq
        self._until = min(self._until, self._again.get(seq, NEVER))

    def stand(self, position: Position) -> bool:
        """Tell whether what comes now may wait for a message that was dropped."""
        newest = self._newest
        if newest is not None and any(
            packet.position < position and serial_before(newest, bound)
            for packet, bound in self._proofs
        ):
            self._newest, self._until = None, NEVER
        return self._newest is not None

    def refuted(self, seq: int) -> bool:
        """Tell whether the first copy of a message was taken, whatever there was to doubt."""
        latest = min(self._until, self._again.get(seq, NEVER))
        return any(
            packet.position < latest and serial_before(seq, bound) for packet, bound in self._proofs
        )


class Limits:
    """How far a receiver let its peer go, at any place of the record."""

    def __init__(self, start: int, acknowledgements: list[Packet]) -> None:
        """Begin with the initial window, and go on with what DATA_ACK offered.

        Args:
            start: the first Seq of the origin for that receiver.
            acknowledgements: the DATA_ACK of that origin, in order.
        """
        limit = (start + INITIAL_WINDOW) % MODULUS
        self._places: list[Position] = [(-1, 0)]
        self._limits = [limit]
        for packet in acknowledgements:
            message = read(packet, DataAck)
            offered = (message.rcv_next + message.window) % MODULUS
            if serial_before(limit, offered):
                limit = offered
                self._places.append(packet.position)
                self._limits.append(limit)

    def at(self, position: Position) -> int:
        """Return the first Seq that may not be sent, after what came before a position."""
        return self._limits[bisect_left(self._places, position) - 1]


def acks_of(packets: list[Packet], origin: int) -> list[Packet]:
    """Choose the DATA_ACK of one origin."""
    return [packet for packet in packets if read(packet, DataAck).origin == origin]


def announced(end: End, origin: int, seq: int, before: int) -> bool:
    """Tell whether a side had been told, before a frame, that a Seq of an origin exists.

    DATA at or beyond it tells so, SYNC beyond it, and FinalSeq or NextDataSeq of the peer.
    """
    inflow = inflows(end).get(origin)
    if inflow is not None and any(
        packet.number < before and not serial_before(read(packet, Data).seq, seq)
        for packet in inflow.arrivals
    ):
        return True
    told = [
        (packet, read(packet, Sync).seq)
        for packet in end.arrived(Sync)
        if read(packet, Sync).origin == origin
    ]
    if origin == end.peer.member_id:
        told += [
            (packet, serial_next(read(packet, Close).final_seq)) for packet in end.arrived(Close)
        ]
        told += [
            (packet, serial_next(read(packet, CloseAck).final_seq))
            for packet in end.arrived(CloseAck)
        ]
        told += [(packet, read(packet, Probe).next_data_seq) for packet in end.arrived(Probe)]
    return any(packet.number < before and serial_before(seq, bound) for packet, bound in told)


def asked_for(packet: Packet, origin: int, seq: int) -> bool:
    """Tell whether a NACK covers a Seq of an origin."""
    message = read(packet, Nack)
    return message.origin == origin and any(
        not serial_before(seq, first) and not serial_before(last, seq)
        for first, last in message.ranges
    )
