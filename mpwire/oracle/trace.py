"""Turn a run file into what the rules look at: packets, deliveries, and what agents said.

Time is the total order of the run. A `Position` is (frame number, place among the records that
follow that frame); it compares like the run happened. An agent's line at a position before the
delivery of frame k cannot have been caused by frame k.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from mpwire.capture import RunFile
from mpwire.capture.frames import Datagram, Other, decode_frame
from mpwire.capture.records import AgentExit, AgentLine, Decision, Step
from mpwire.capture.runfile import Frame
from mpwire.wire.codec import decode_untrusted, is_mpw
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import Message
from mpwire.wire.numbers import DEFAULT_PORT

Position = tuple[int, int]
Endpoint = tuple[str, int]
"""Textual address and UDP port."""

LOSS = re.compile(r"(?P<host>\S+) loses its (?:interface|addresses)")
"""The sentence of a script by which a host loses its interface, or what that is reached by."""
IMAGINED = "imagined"
"""Fabric of a run whose applications nobody saw (`oracle.imagined`)."""
REGAIN = re.compile(r"(?P<host>\S+) regains its (?:interface|addresses)")
"""The sentence by which it is given back."""
SUMMED = "ok", "partial"
"""Checksums of hosts that write right ones, or leave their pseudo header to be completed."""
START: Position = (0, 0)
NEVER: Position = (1 << 62, 0)


@dataclass(slots=True, eq=False)
class Packet:
    """One captured datagram that is, or claims to be, MPW."""

    number: int
    host: str | None
    """Host whose interface captured it; None where the capture does not say which side."""
    direction: str | None
    """"out" at the sender's own interface, "in" at the receiver's own, None unknown."""
    time_ns: int
    datagram: Datagram
    message: Message | None
    error: DecodeError | None
    departure: "Packet | None" = None
    """The same transmission as it left, for an "in" packet."""
    arrivals: "list[Packet]" = field(default_factory=list)
    """Deliveries of this transmission, for an "out" packet."""
    leads: bool = True
    """This packet stands for the transmission. False for a delivery whose departure is known,
    and for one that no host of the run sent: nobody is judged for that."""

    @property
    def position(self) -> Position:
        """Place in the total order."""
        return (self.number, 0)

    @property
    def source(self) -> Endpoint:
        """Sender's address and port."""
        return self.datagram.source

    @property
    def destination(self) -> Endpoint:
        """Receiver's address and port."""
        return self.datagram.destination

    @property
    def octets(self) -> int:
        """Length of the UDP payload."""
        return len(self.datagram.payload)

    @property
    def sender_name(self) -> str:
        """Name the sender as findings do."""
        where = f"{self.source[0]}:{self.source[1]}"
        return f"{self.host} {where}" if self.host and self.direction == "out" else where


@dataclass(slots=True)
class Report:
    """What a host told routers about a group."""

    position: Position
    time_ns: int
    host: str
    group: str
    joins: bool
    sources: tuple[str, ...]


@dataclass(slots=True)
class Narrow:
    """Word that reached a host: packets of a size do not get through to an address."""

    position: Position
    host: str
    address: str
    mtu: int
    """Largest packet that does, in octets."""


@dataclass(slots=True)
class Loss:
    """An interface that the lab takes a host."""

    host: str
    begun: Position
    done: Position
    """From where on the kernel has told everybody who listens."""
    until: Position = NEVER
    """Where the script begins to give it back; in the end the lab does, when all has settled."""


@dataclass(slots=True)
class AgentRecord:
    """A line to or from an agent, or the end of its process, at its position."""

    position: Position
    time_ns: int
    host: str
    record: AgentLine | AgentExit


class Trace:
    """Everything of a run that a rule may look at, in order."""

    def __init__(
        self,
        run: RunFile,
        until_ns: int = 0,
        clock: dict[int, int] | None = None,
        summing: set[str] | None = None,
    ) -> None:
        """Decode the frames and order them with the records."""
        self.run = run
        self._summing = set() if summing is None else summing
        """Addresses of hosts that write right checksums; those of this part are added."""
        self._clock = clock or {}
        """Times of frames that are not there, by number."""
        self.until_ns = until_ns
        """How far the record goes, where this is only a part of it."""
        self.is_run = run.run is not None
        self.packets: list[Packet] = []
        self.agent_records: list[AgentRecord] = []
        self.script_ended: Position = NEVER
        """Where the last step of the script was over; what is asked later, no script needs."""
        self._times: list[int] = []
        self._numbers: list[int] = []
        self._moments: list[tuple[int, Position]] = []
        self.host_of: dict[str, str] = {}
        """Host by address, where the run says so."""
        for host in run.run.hosts if run.run else ():
            for address in host.addresses:
                self.host_of[canonical(address.split("/")[0])] = host.name
        self.losses: list[Loss] = []
        """Where hosts lost their interfaces, in order."""
        self.changes: list[tuple[str, Position]] = []
        """Where the lab began to take a host its interface or addresses, or to give them back."""
        self.reports: list[Report] = []
        """Reports about groups that left their hosts, in order."""
        self.narrows: list[Narrow] = []
        """What ICMP errors told hosts about the ways to others, in order."""
        self._changed = {
            one.delivered for one in run.of(Decision) if one.changed is not None and one.delivered
        }
        """Frames that the fabric delivered with an octet changed."""
        self.odd: list[tuple[Frame, Datagram]] = []
        """Datagrams without the magic."""
        self._read()
        self._link()
        self.end_ns = max((item.time_ns for item in run.frames), default=0)

    def sent(self) -> Iterator[Packet]:
        """Yield each transmission once: as it left, or as it was seen where no sender captured."""
        return (packet for packet in self.packets if packet.leads)

    def _read(self) -> None:
        places: dict[int, int] = {}
        for position, item in self.run.timeline():
            if isinstance(item, Frame):
                self._frame(item)
            elif isinstance(item, AgentLine | AgentExit):
                place = places[position] = places.get(position, 0) + 1
                self.agent_records.append(
                    AgentRecord((position, place), item.time_ns, item.host, item)
                )
            elif isinstance(item, Step):
                here = (position, places.get(position, 0))
                self._lost(item, here)
                if self._of_script(item):
                    self.script_ended = here
        if not self.is_run:
            self._leave_out_others()
            self._throw_away()

    def _leave_out_others(self) -> None:
        """Leave out what only begins like MPW, between two endpoints that say nothing else in MPW.

        One of 65,536 datagrams of any other protocol does. What goes to or from the port of MPW
        claims to be MPW, whatever it holds.
        """
        speaking = {frozenset((one.source, one.destination)) for one in self.packets if one.message}

        def claims(packet: Packet) -> bool:
            ends = frozenset((packet.source, packet.destination))
            assigned = any(port == DEFAULT_PORT for _, port in ends)
            return assigned or packet.datagram.cut or ends in speaking

        self.packets = [one for one in self.packets if claims(one)]

    def _throw_away(self) -> None:
        """Leave out what has a wrong checksum on its way, where its host writes right ones.

        It was changed on the way, and nobody takes it. Where all that a host sends has wrong ones
        its adapter fills them in, and it was captured before that.
        """
        right = self._summing
        right.update(one.source[0] for one in self.packets if one.datagram.checksum in SUMMED)

        def holds(direction: str | None, datagram: Datagram) -> bool:
            known = direction is not None or datagram.checksum != "bad"
            return known or datagram.source[0] not in right

        self.packets = [one for one in self.packets if holds(one.direction, one.datagram)]
        self.odd = [(frame, one) for frame, one in self.odd if holds(frame.direction, one)]

    def _lost(self, step: Step, here: Position) -> None:
        """Note where the lab takes a host its interface."""
        said, back = LOSS.fullmatch(step.text), REGAIN.fullmatch(step.text)
        moved = said or back
        if moved is not None and step.state == "started":
            self.changes.append((moved["host"], here))
        if step.state == "started" and back is not None:
            for one in self.losses:
                if one.until == NEVER and back["host"] == one.host:
                    one.until = here
        if said is not None and step.state == "started":
            self.losses.append(Loss(said["host"], here, NEVER))
        elif said is not None and step.state == "done":
            self.losses[-1].done = here

    def _of_script(self, step: Step) -> bool:
        """Tell whether a step that is over belongs to the script.

        Line 0 is what every run does around it: the first such step prepares it, the last one
        only clears up.
        """
        return step.state != "started" and bool(step.line or self.script_ended == NEVER)

    def _frame(self, frame: Frame) -> None:
        decoded = decode_frame(frame.linktype, frame.data)
        if not isinstance(decoded, Datagram):
            if frame.direction == "out":
                self.reports += [
                    Report((frame.number, 0), frame.time_ns, frame.vantage, *said)
                    for said in ((one.group, one.joins, one.sources) for one in decoded.groups)
                ]
            else:
                self._narrow(frame, decoded)
            return
        arrived = frame.number in self._changed or (frame.direction == "in" and not self.is_run)
        if arrived and decoded.checksum == "bad":
            return  # the receiver's kernel threw it away
        if is_mpw(decoded.payload):
            self.packets.append(self._packet(frame, decoded))
        else:
            self.odd.append((frame, decoded))

    def _narrow(self, frame: Frame, error: Other) -> None:
        said = error.unreachable
        if said is not None and said.mtu and said.quoted is not None:
            address = said.quoted.destination[0]
            self.narrows.append(Narrow((frame.number, 0), frame.vantage, address, said.mtu))

    def fits(self, packet: Packet, host: str | None, address: str, before: Position) -> bool:
        """Tell whether a message could get through to an address, as far as its host was told."""
        headers = 48 if ":" in address else 28
        return all(
            packet.octets + headers <= narrow.mtu
            for narrow in self.narrows
            if (narrow.host, narrow.address) == (host, address) and narrow.position < before
        )

    def _packet(self, frame: Frame, datagram: Datagram) -> Packet:
        message: Message | None = None
        error: DecodeError | None = None
        if not datagram.cut and datagram.fragment is None:
            try:
                message = decode_untrusted(datagram.payload)
            except DecodeError as found:
                error = found
        return Packet(
            frame.number,
            frame.vantage if frame.direction else None,
            frame.direction,
            frame.time_ns,
            datagram,
            message,
            error,
        )

    def strangers(self) -> Iterator[Packet]:
        """Yield datagrams without the magic between two endpoints that speak MPW otherwise."""
        speaking = {(p.source, p.destination) for p in self.packets}
        speaking |= {(there, here) for here, there in speaking}
        for frame, datagram in self.odd:
            if (datagram.source, datagram.destination) in speaking:
                yield self._packet(frame, datagram)

    def _link(self) -> None:
        """Join every delivery to its departure: by decision records, else by equal octets.

        What was changed on the way, and arrived, is no delivery of what was sent.
        """
        by_number = {packet.number: packet for packet in self.packets}
        for decision in self.run.of(Decision):
            departure = by_number.get(decision.frame)
            arrival = by_number.get(decision.delivered or 0)
            if decision.changed is not None:
                continue
            if departure and arrival and departure.direction == "out":
                arrival.departure = departure
                departure.arrivals.append(arrival)
        waiting: dict[tuple[Endpoint, Endpoint, bytes], Packet] = {}
        for packet in self.packets:
            key = (packet.source, packet.destination, packet.datagram.payload)
            if packet.direction == "out":
                waiting[key] = packet
            elif packet.direction == "in" and packet.departure is None and key in waiting:
                packet.departure = waiting[key]
                waiting[key].arrivals.append(packet)
        for packet in self.packets:
            arrived = packet.direction == "in"
            packet.leads = not arrived or (packet.departure is None and not self.is_run)

    def moment(self, time_ns: int) -> Position:
        """Return the last position whose frame or line is older than a time."""
        if not self._moments:
            everything = [((frame.number, 0), frame.time_ns) for frame in self.run.frames]
            everything += [(item.position, item.time_ns) for item in self.agent_records]
            newest = 0
            for position, at_ns in sorted(everything):
                newest = max(newest, at_ns)
                self._moments.append((newest, position))
        place = bisect_left(self._moments, (time_ns, START))
        return self._moments[place - 1][1] if place else START

    def when(self, position: Position) -> int:
        """Return the time of the newest frame at a position, in nanoseconds."""
        if not self._times:
            number = newest = 0
            moments = [(frame.number, frame.time_ns) for frame in self.run.frames]
            if self._clock:
                moments = sorted({*moments, *self._clock.items()})
            for at, time_ns in moments:
                number, newest = max(number, at), max(newest, time_ns)
                self._numbers.append(number)
                self._times.append(newest)
        if position == NEVER:
            return max(self.until_ns, self._times[-1] if self._times else 0)
        place = bisect_right(self._numbers, position[0])
        return self._times[place - 1] if place else 0


@lru_cache(maxsize=4096)
def is_multicast(address: str) -> bool:
    """Tell whether a textual address is a multicast group."""
    return ip_address(address).is_multicast


def is_broadcast(address: str) -> bool:
    """Tell whether an address is the limited broadcast; directed ones need the prefix."""
    return address == "255.255.255.255"


@lru_cache(maxsize=4096)
def is_unspecified(address: str) -> bool:
    """Tell whether an address is the any-address."""
    return ip_address(address).is_unspecified


def canonical(address: str) -> str:
    """Return an address as packets show it; what is no address stays as it is."""
    try:
        return ip_address(address).compressed
    except ValueError:
        return address
