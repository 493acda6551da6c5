"""The wire between the hosts: a forwarding function that we own.

Every frame that a host sends is numbered when it is read, and every receiver gets a decision of
its own, delivered (with the number of that delivery) or not (with the reason). The switch learns
nothing from the traffic: who has which link address is told to it, so no frame changes what
happens to a later one, unless it was decided that it has to wait for that one. It is one switch
for all networks, and lets nothing pass from one to another: that is what routers are for. It
knows no clock but the one that stamps frames, no event loop and no kernel; sources and ports are
anything that can be read and written.

A frame is written to a receiver before its delivery is numbered, and one thread does both without
reading anything in between: what the receiver does because of it always comes later.
"""

import errno
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from mpwire.capture.blocks import Seen
from mpwire.capture.records import PORT_DOWN, AnyRecord, Decision
from mpwire.lab.clock import KERNEL_CLOCK, Clock
from mpwire.lab.craft import SWITCH_MAC, answer_resolution
from mpwire.lab.decide import UNHARMED, Fate, Strike
from mpwire.lab.held import Held, HeldFrames
from mpwire.lab.sight import changed, octets_changed
from mpwire.lab.topology import Topology

Decide = Callable[[bytes, str, str], Fate]
"""(frame, host or router that made it, receiving port) -> what becomes of it."""

PORT_FULL = "port full"
UNKNOWN_DESTINATION = "unknown destination"
FOR_THE_SWITCH = "for the switch"
ANSWERED = "answered by the switch"
NOBODY = ""
"""Receiver in a decision about a frame that was meant for no host."""


class Recorder(Protocol):
    """Take frames and records in the order in which they happened."""

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        """Record a frame at a host's interface and return its number, 1, 2, 3, ..."""
        ...

    def record(self, record: AnyRecord, /) -> None:
        """Record anything else."""
        ...


class RunRecorder(Recorder, Protocol):
    """Take frames by the hundred as well; `RunWriter` does."""

    def frames(self, seen: Sequence[Seen], /) -> int:
        """Record frames in their order and return the number of the first."""
        ...


class Source(Protocol):
    """Yield frames that hosts have sent."""

    def fileno(self) -> int:
        """Tell the descriptor to poll."""
        ...

    def read(self) -> tuple[str, bytes] | None:
        """Return the next frame and the host that sent it, None when there is none."""
        ...


class Port(Protocol):
    """Carry frames to one host."""

    def write(self, frame: bytes, /) -> None:
        """Hand a frame to the host; raise OSError when it was not taken."""
        ...


def deliver_all(_frame: bytes, _sender: str, _receiver: str) -> Fate:
    """Decide as a perfect LAN does."""
    return UNHARMED


def spare(_strike: Strike) -> None:
    """Do nothing to anybody."""


class Ways(msgspec.Struct, frozen=True):
    """What a switch knows of networks and routers."""

    networks: Mapping[str, str] = {}
    """Network by port; where there is only one it may be left out."""
    routers: Mapping[str, str] = {}
    """Router by port."""
    owners: Mapping[bytes, str] = {}
    """Host or router by the octets of its addresses."""

    def origin(self, frame: bytes, sender: str) -> str:
        """Say who made a frame that a port has sent: a router sends for others, too."""
        router = self.routers.get(sender)
        if router is None:
            return sender
        kind = frame[12:14]
        source = frame[26:30] if kind == b"\x08\0" else frame[22:38] if kind == b"\x86\xdd" else b""
        return self.owners.get(source, router)


def ways(topology: Topology) -> Ways:
    """Tell a switch about a topology."""
    networks = {name: port.network for name, port in topology.ports.items()}
    routers = {name: topology.node_of[name] for name in topology.router_ports}
    return Ways(networks, routers, topology.owners if routers else {})


ONE_LAN = Ways()


class Switch:
    """Forward frames between ports and record each one."""

    def __init__(
        self,
        recorder: Recorder,
        ports: Mapping[str, Port],
        macs: Mapping[str, bytes],
        decide: Decide = deliver_all,
        neighbours: Mapping[bytes, bytes] | None = None,
        *,
        clock: Clock = KERNEL_CLOCK,
        ways: Ways = ONE_LAN,
    ) -> None:
        """Connect the hosts' ports.

        Args: ports, macs: by host name; neighbours: link address by packed IP address, for which
            the switch answers ARP and ND itself; None floods such questions as any LAN does;
            ways: who is on which network, and what routers there are.
        """
        self.decide = decide
        self.received: Callable[[str, bytes, int], None] | None = None
        """Called with (sender, frame, number) for frames to the switch itself."""
        self.strike: Callable[[Strike], None] = spare
        """Called with what a delivery does to an agent."""
        self.sent: Callable[[str, bytes], None] | None = None
        """Called with (sender, frame) for each frame that is not for the switch itself."""
        self.arrives: Callable[[str, bytes], None] | None = None
        """Called with (port, frame) before a frame is written to a router."""
        self.held = HeldFrames()
        """Frames that have to wait; whoever has a clock calls `release` when they are due."""
        self.handled_count = 0
        """Frames from hosts so far, without those to the switch itself."""
        self.read_count = dict.fromkeys(ports, 0)
        """Frames read from each host."""
        self._recorder = recorder
        self._clock = clock
        self._ports = dict(ports)
        self._ways = ways
        on = ways.networks.get
        self._by_mac = {(on(host), mac): host for host, mac in macs.items()}
        lans: dict[str | None, list[str]] = {}
        for port in ports:
            lans.setdefault(on(port), []).append(port)
        self._others = {
            port: [other for other in lans[on(port)] if other != port] for port in ports
        }
        self._neighbours = neighbours

    def drain(self, source: Source, limit_count: int) -> int:
        """Forward up to that many waiting frames of a source; return how many there were."""
        for count in range(limit_count):
            sent = source.read()
            if sent is None:
                return count
            self.forward(*sent)
        return limit_count

    def forward(self, sender: str, frame: bytes) -> None:
        """Number a frame that a host sent, decide for each receiver, deliver."""
        time_ns = self._clock.now_ns()
        number = self._recorder.frame(sender, "out", frame, time_ns)
        self.read_count[sender] += 1
        if frame[:6] == SWITCH_MAC:
            self._recorder.record(
                Decision(frame=number, receiver=NOBODY, delivered=None, reason=FOR_THE_SWITCH)
            )
            if self.received is not None:
                self.received(sender, frame, number)
            return
        self.handled_count += 1
        if self.sent is not None:
            self.sent(sender, frame)
        known = self._neighbours if frame[0] & 1 else None
        if known and (answer := answer_resolution(frame, known)):
            self._undelivered(number, NOBODY, ANSWERED)
            self.inject(sender, answer)
            return
        self._pass_on(number, frame, sender)

    def _pass_on(self, number: int, frame: bytes, sender: str) -> None:
        """Let everybody have a frame who is to get it."""
        if frame[0] & 1:
            for receiver in self._others[sender]:
                self._hand_over(number, frame, sender, receiver)
            if not self._others[sender]:
                self._undelivered(number, NOBODY, UNKNOWN_DESTINATION)
            return
        known = self._by_mac.get((self._ways.networks.get(sender), frame[:6]))
        if known is None or known == sender:
            self._undelivered(number, NOBODY, UNKNOWN_DESTINATION)
        else:
            self._hand_over(number, frame, sender, known)

    def inject(self, receiver: str, frame: bytes) -> int:
        """Deliver a frame of the switch's own and return its number.

        Raises: OSError when the port did not take it.
        """
        time_ns = self._clock.now_ns()
        self._ports[receiver].write(frame)
        return self._recorder.frame(receiver, "in", frame, time_ns)

    def release(self, now_s: float) -> None:
        """Deliver what has waited long enough."""
        for held in self.held.due(now_s):
            self._deliver(held)

    def abandon(self) -> None:
        """Say of what still waits that it never arrived."""
        for held in self.held.due(math.inf):
            self._undelivered(held.number, held.receiver, f"held at the end: {held.cause}")

    def _hand_over(self, number: int, frame: bytes, sender: str, receiver: str) -> None:
        sender = self._ways.origin(frame, sender)
        fate = self.decide(frame, sender, receiver)
        if not fate.copies:
            self._undelivered(number, receiver, f"impaired: {fate.cause}")
        for place, copy in enumerate(fate.copies):
            strikes = () if place else fate.strikes
            octets = changed(frame, copy.changes)
            held = Held(number, octets, sender, receiver, copy, fate.cause, strikes)
            if copy.delay_s or copy.passed:
                self.held.add(held, self._clock.now_s())
            else:
                self._deliver(held)

    def _deliver(self, held: Held) -> None:
        number, frame, receiver = held.number, held.frame, held.receiver
        cause = None if held.cause is None else f"impaired: {held.cause}"
        time_ns = self._clock.now_ns()
        if self.arrives is not None and receiver in self._ways.routers:
            self.arrives(receiver, frame)
        try:
            self._ports[receiver].write(frame)
        except OSError as error:
            self._undelivered(number, receiver, port_error(error))
            return
        delivered = self._recorder.frame(receiver, "in", frame, time_ns)
        self._recorder.record(
            Decision(
                frame=number,
                receiver=receiver,
                delivered=delivered,
                reason=cause,
                changed=octets_changed(held.copy.changes),
            )
        )
        for strike in held.strikes:
            self.strike(strike)
        for waiting in self.held.passed_by(held):
            self._deliver(waiting)

    def _undelivered(self, number: int, receiver: str, reason: str) -> None:
        self._recorder.record(
            Decision(frame=number, receiver=receiver, delivered=None, reason=reason)
        )


def port_error(error: OSError) -> str:
    """Say in a word why a port did not take a frame."""
    if error.errno in {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM}:
        return PORT_FULL
    if error.errno in {errno.EIO, errno.ENETDOWN, errno.ENODEV, errno.EBADFD}:
        return PORT_DOWN
    return f"port: {error.strerror or error}"
