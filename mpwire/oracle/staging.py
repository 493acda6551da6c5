"""Put both sides of each transmission of a capture in order.

A capture at one host, or in the middle, shows a datagram once. Who judges endpoints needs to know
where it left and where it arrived; the side that nobody captured is put beside the one that was,
and marked.
"""

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.records import Decision
from mpwire.capture.runfile import Frame
from mpwire.oracle.history import History
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import Trace, is_multicast
from mpwire.wire.messages import Announce


@dataclass(slots=True)
class Stage:
    """A capture with both sides of each transmission, and what of it is imagined."""

    frames: list[Frame] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    origin: dict[int, int] = field(default_factory=dict)
    """Number in the capture by number on the stage."""
    imagined: set[int] = field(default_factory=set)
    """Deliveries that nobody captured."""
    hosts: dict[str, None] = field(default_factory=dict)
    """Addresses, in the order in which they appear."""

    def put(self, frame: Frame, host: str, direction: Literal["in", "out"]) -> int:
        """Let a frame leave or reach a host."""
        number = len(self.frames) + 1
        self.frames.append(
            msgspec.structs.replace(frame, number=number, vantage=host, direction=direction)
        )
        self.origin[number] = frame.number
        self.hosts[host] = None
        return number

    def deliver(self, frame: Frame, sent: int, receiver: str, *, imagined: bool) -> None:
        """Let a frame that was sent reach a host."""
        arrived = self.put(frame, receiver, "in")
        self.decisions.append(Decision(frame=sent, receiver=receiver, delivered=arrived))
        if imagined:
            self.imagined.add(arrived)


def stage(run: RunFile) -> Stage:
    """Put both sides of each transmission of a capture in order."""
    trace = Trace(run)
    members = _members(History(trace))
    addresses = _addresses(trace)
    frames = {frame.number: frame for frame in run.frames}
    made = Stage()
    sent_as: dict[int, int] = {}
    for packet in trace.packets:
        frame = frames[packet.number]
        receiver = packet.destination[0]
        group = is_multicast(receiver)
        if packet.departure is not None:
            host = addresses.get(packet.host or "", receiver) if group else receiver
            made.deliver(frame, sent_as[packet.departure.number], host, imagined=False)
            continue
        number = sent_as[packet.number] = made.put(frame, packet.source[0], "out")
        if packet.arrivals:
            continue
        session = packet.message.session_id if packet.message is not None else 0
        hosts = members.get(session, {}) if group else {receiver: None}
        for host in hosts:
            if host != packet.source[0] or not group:
                seen = packet.direction == "in" and not group
                made.deliver(frame, number, host, imagined=not seen)
    return made


def _addresses(trace: Trace) -> dict[str, str]:
    """Return the address of each vantage that stands at a host, as its own frames show it."""
    found: dict[str, str] = {}
    for packet in trace.packets:
        if packet.host is not None and packet.direction == "out":
            found.setdefault(packet.host, packet.source[0])
    return found


def _members(history: History) -> dict[int, dict[str, None]]:
    """Return the addresses of the members of each session."""
    found: dict[int, dict[str, None]] = {}
    for packet in history.announcements:
        session = read(packet, Announce).session_id
        found.setdefault(session, {})[packet.source[0]] = None
    for membership in history.memberships:
        for end in membership.ends:
            found.setdefault(membership.session_id, {})[end.endpoint[0]] = None
    return found
