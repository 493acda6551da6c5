"""A host's network stack: UDP sockets with addresses, ports, groups, errors and loopback.

It does what the harness and the endpoints rely on, as Linux does it: datagrams with checksums and
Don't Fragment, ICMP port unreachables for closed ports and errors for what they quote, answers to
echoes, membership reports (twice, the second time after up to a second), and the loopback of what
goes to oneself or to a group of one's own.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from random import Random
from typing import Final

from mpwire.capture.frames import Datagram, LinkType, Other, decode_frame
from mpwire.capture.groups import ALLOW_NEW, BLOCK_OLD, TO_EXCLUDE, TO_INCLUDE
from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.io.udp import Arrival, Unreachable, socket_error
from mpwire.lab.topology import Port, Route
from mpwire.sim import packets
from mpwire.sim.neighbours import Later, Neighbours
from mpwire.sim.transit import LINK_LATENCY_S, Transit
from mpwire.vocabulary import WsaError
from mpwire.winsock import SocketError
from mpwire.winsock.transport import WILDCARDS

LOOPBACK_LATENCY_S: Final = 10e-6
UNICAST_HOPS: Final = 64
FIRST_EPHEMERAL_PORT: Final = 32_768
HEADER_OCTETS: Final = {4: 28, 6: 48}
REPORT_SPREAD_S: Final = 1.0
"""Within so long a membership report is repeated (RFC 3376 8.11, RFC 3810 9.11)."""
PORT_UNREACHABLE: Final = {"port"}
HOST_UNREACHABLE: Final = {"net", "host", "time exceeded"}
"""What sockets are told of ICMP errors, by their meaning: a kernel makes errno values of them."""
TOO_BIG: Final = "too big"


@dataclass(eq=False)
class SimSocket:
    """One UDP socket of a stack; a stand-in for `mpwire.io.udp.UdpSocket`."""

    stack: "Stack"
    family: int
    local: Address
    opened: Address
    """The address that the provider knows this socket by."""
    group: Address | None = None
    """The group that it hears, and nothing else."""
    heard_as: Address | None = None
    """The group that this one stands for."""
    origins: tuple[str, ...] = ()
    """Hosts it hears there; everybody if empty."""
    confined: bool = False
    """It hears this host only."""
    hop_limit: int = 1
    """Of what it sends to groups."""
    queue: deque[Arrival | Unreachable] = field(default_factory=deque)
    on_ready: Callable[[], object] | None = None
    closed: bool = False

    def put(self, item: Arrival | Unreachable) -> None:
        """Queue something and say so."""
        self.queue.append(item)
        if self.on_ready is not None:
            self.on_ready()

    def receive_all(self) -> Iterator[Arrival | Unreachable]:
        """Yield everything that is queued; what it causes may close the socket."""
        while self.queue and not self.closed:
            yield self.queue.popleft()

    def send(self, datagram: SendDatagram) -> OSError | None:
        """Send a datagram; return why the stack did not take it."""
        try:
            self.stack.send(self, datagram)
        except OSError as error:
            return error
        return None

    def source_for(self, peer: Address) -> Address:
        """Return the concrete local address from which a peer is reached."""
        if self.local[0] not in WILDCARDS.values():
            return self.local
        return self.stack.source_for(peer[0]), self.local[1]

    def close(self) -> None:
        """Close the socket."""
        self.closed = True
        self.stack.remove(self)


class Stack:
    """The stack of one host; the switch writes frames into it like into any port."""

    def __init__(
        self,
        spec: Port,
        loop: Later,
        put_on_cable: Callable[[bytes], None],
        routes: Sequence[Route] = (),
    ) -> None:
        """Begin without sockets.

        Args:
            spec: link address, addresses, MTU.
            loop: lets time pass.
            put_on_cable: takes each frame that leaves.
            routes: to other networks.
        """
        self.spec = spec
        self.mac = spec.mac_octets()
        self.neighbours = Neighbours(spec, loop, self._put_on_cable)
        self.place = 0
        """Of the port among those of the host."""
        self.udp_in_errors = {"": 0, "Udp6": 0}
        """Datagrams with wrong checksums, by what the names of the counters begin with."""
        self.is_up = True
        """Whether the interface is; nothing leaves or reaches one that is down."""
        self.rx_dropped = 0
        self.on_interface: Callable[[str, bool], None] = lambda _address, _is_up: None
        """Told of addresses that can be used no more, or can again."""
        self._loop = loop
        self._cable = put_on_cable
        self._transit = Transit(loop)
        self._later = self._transit.later
        self._interfaces = spec.interfaces()
        self._routes = [(ip_network(one.destination), one.gateway) for one in routes]
        self._path_mtu: dict[str, int] = {}
        """Largest packet to an address, where an ICMP error has said so."""
        self._addresses = {str(one.ip) for one in self._interfaces}
        self._sockets: dict[Address, SimSocket] = {}
        self._hearers: dict[Address, list[SimSocket]] = {}
        self._random = Random(spec.name)  # noqa: S311 - spreads reports, the same way in every run
        self._next_port = FIRST_EPHEMERAL_PORT

    @property
    def in_flight(self) -> int:
        """Count frames and datagrams that have not reached their sockets yet."""
        return self._transit.count

    # Sockets ----------------------------------------------------------------------------------

    def bind(self, address: Address | None, family: int) -> SimSocket:
        """Open a socket; a free port of the wildcard address when `address` is None.

        Raises:
            SocketError: WSAEADDRINUSE, WSAEADDRNOTAVAIL.
        """
        host, port = address or (WILDCARDS[family], 0)
        if host not in self._addresses and host not in WILDCARDS.values():
            raise socket_error(OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))
        if port == 0:
            port = self._free_port()
        elif any(self._overlap((host, port), other) for other in self._sockets):
            raise socket_error(OSError(errno.EADDRINUSE, "Address already in use"))
        made = SimSocket(self, family, (host, port), (host, port))
        self._sockets[host, port] = made
        return made

    def _free_port(self) -> int:
        taken = {port for _, port in self._sockets}
        while self._next_port in taken:
            self._next_port += 1
        self._next_port += 1
        return self._next_port - 1

    def _overlap(self, one: Address, other: Address) -> bool:
        """Tell whether two addresses cannot be bound at once."""
        wild = {one[0], other[0]} & set(WILDCARDS.values())
        same_family = (":" in one[0]) == (":" in other[0])
        return one[1] == other[1] and same_family and (one[0] == other[0] or bool(wild))

    def hear(
        self, group: Address, udp: SimSocket, origins: Sequence[str], *, confined: bool
    ) -> SimSocket:
        """Open a socket that hears a group on behalf of a unicast socket."""
        made = SimSocket(self, udp.family, group, udp.opened, group)
        made.origins, made.confined = tuple(origins), confined
        self._report(made, joins=True)
        self._hearers.setdefault(group, []).append(made)
        return made

    def remove(self, gone: SimSocket) -> None:
        """Forget a socket."""
        if gone.group is None:
            self._sockets.pop(gone.local, None)
        elif gone in self._hearers.get(gone.group, ()):
            self._hearers[gone.group].remove(gone)
            self._report(gone, joins=False)

    def close(self) -> None:
        """Close all sockets, as a kernel does for a process that has ended."""
        for hearers in [*self._hearers.values()]:
            for one in [*hearers]:
                one.close()
        for one in [*self._sockets.values()]:
            one.close()

    def source_for(self, peer: str) -> str:
        """Return the address from which a peer is reached.

        Raises:
            SocketError: WSAENETUNREACH.
        """
        there = ip_address(peer)
        mine = [one for one in self._interfaces if one.version == there.version]
        if not mine or not (there.is_multicast or self._next_hop(peer)):
            raise SocketError(WsaError.WSAENETUNREACH, f"no route to {peer}")
        return str(mine[0].ip)

    def _next_hop(self, peer: str) -> str | None:
        """Return the neighbour by which an address is reached: itself, or a router."""
        there = ip_address(peer)
        if any(there in one.network for one in self._interfaces):
            return peer
        return next((gateway for network, gateway in self._routes if there in network), None)

    # Groups -----------------------------------------------------------------------------------

    def _report(self, socket: SimSocket, *, joins: bool) -> None:
        """Tell routers what has changed, now and once more; others of the host may still hear."""
        assert socket.group is not None
        others = self._hearers.get(socket.group, [])
        if socket.confined or any(not one.confined and one is not socket for one in others):
            return
        origins = socket.origins
        kind = (
            (ALLOW_NEW if origins else TO_EXCLUDE)
            if joins
            else (BLOCK_OLD if origins else TO_INCLUDE)
        )
        source = self.source_for(socket.group[0]) if socket.family == 4 else None
        frame = packets.group_report(self.mac, source, kind, socket.group[0], origins)
        self._put_on_cable(frame)
        self._loop.call_later(
            self._random.uniform(0, REPORT_SPREAD_S), self._report_again, socket, joins, frame
        )

    def _report_again(self, socket: SimSocket, joins: bool, frame: bytes) -> None:
        if joins is not socket.closed:
            self._put_on_cable(frame)

    # Sending ----------------------------------------------------------------------------------

    def send(self, socket: SimSocket, datagram: SendDatagram) -> None:
        """Send a datagram of a socket.

        Raises:
            OSError: EMSGSIZE, ENETUNREACH, EACCES, EINVAL as from the kernel.
        """
        there, port = datagram.destination
        size = len(datagram.data) + HEADER_OCTETS[socket.family]
        if not self.is_up:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        if size > self._path_mtu.get(there, self.spec.mtu):
            raise OSError(errno.EMSGSIZE, "Message too long")
        source = datagram.source
        if there in self._addresses:
            self._later(LOOPBACK_LATENCY_S, self._take, datagram.data, source, (there, port), None)
            return
        address = ip_address(there)
        if address.is_multicast:
            self._cast(socket, datagram)
            return
        if there == "255.255.255.255":
            raise OSError(errno.EACCES, "Permission denied")
        hop = self._next_hop(there)
        if hop is None:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

        def send(mac: bytes) -> None:
            ends = source, (there, port)
            macs = mac, self.mac
            self._put_on_cable(packets.udp_frame(macs, *ends, datagram.data, UNICAST_HOPS))

        self.neighbours.reach(hop, send, lambda: self._unresolved(socket, datagram))

    def _cast(self, socket: SimSocket, datagram: SendDatagram) -> None:
        """Send to a group: on the cable unless it is confined to this host, and to ourselves."""
        there, source = datagram.destination, datagram.source
        self._later(
            LOOPBACK_LATENCY_S, self._hand_out, datagram.data, source, there, socket.hop_limit == 0
        )
        if socket.hop_limit:
            macs = packets.group_mac(there[0]), self.mac
            frame = packets.udp_frame(macs, source, there, datagram.data, socket.hop_limit)
            self._put_on_cable(frame)

    def _unresolved(self, socket: SimSocket, datagram: SendDatagram) -> None:
        """Say that nobody answers for an address."""
        if not socket.closed:
            socket.put(Unreachable(datagram.data, datagram.destination, port=False))

    # Receiving --------------------------------------------------------------------------------

    def write(self, frame: bytes, /) -> None:
        """Take a frame from the cable; raise OSError while the interface is down."""
        if not self.is_up:
            self.rx_dropped += 1
            raise OSError(errno.ENETDOWN, "Network is down")
        if frame[:6] == self.mac or frame[0] & 1:
            self._later(LINK_LATENCY_S, self._input, frame)

    def _put_on_cable(self, frame: bytes) -> None:
        if self.is_up:
            self._cable(frame)

    def _input(self, frame: bytes) -> None:
        if self.neighbours.take(frame):
            return
        decoded = decode_frame(LinkType.ETHERNET, frame)
        if isinstance(decoded, Datagram):
            if decoded.fragment is not None or decoded.cut or decoded.problems:
                return
            if decoded.checksum == "bad":
                family = "Udp6" if ":" in decoded.source[0] else ""
                self.udp_in_errors[family] += 1
                return
            self._take(decoded.payload, decoded.source, decoded.destination, frame)
        elif decoded.unreachable is not None:
            self._failed(decoded)
        elif (answer := packets.echo_reply(frame, self.mac)) is not None:
            self._put_on_cable(answer)

    def _take(
        self, data: bytes, source: Address, destination: Address, frame: bytes | None
    ) -> None:
        """Give a datagram to its socket, or to those that hear its group."""
        if ip_address(destination[0]).is_multicast:
            self._hand_out(data, source, destination, confined=False)
            return
        if destination[0] not in self._addresses:
            return
        socket = self._socket_at(destination)
        if socket is not None:
            socket.put(Arrival(data, source, destination))
        elif frame is not None:
            here = packets.packed(destination[0])
            macs = frame[6:12], self.mac
            self._put_on_cable(packets.port_unreachable(macs, frame[14:], here))
        elif (sender := self._socket_at(source)) is not None:
            sender.put(Unreachable(data, destination, port=True))

    def _hand_out(self, data: bytes, source: Address, group: Address, confined: bool) -> None:
        for one in [*self._hearers.get(group, ())]:
            wanted = not one.origins or source[0] in one.origins
            if one.confined is confined and wanted and not one.closed:
                one.put(Arrival(data, source, one.heard_as or group))

    def _socket_at(self, address: Address) -> SimSocket | None:
        wildcard = WILDCARDS[6 if ":" in address[0] else 4]
        return self._sockets.get(address) or self._sockets.get((wildcard, address[1]))

    def _failed(self, error: Other) -> None:
        """Tell the socket whose datagram an ICMP error quotes."""
        said = error.unreachable
        if said is None or said.quoted is None:
            return
        socket = self._socket_at(said.quoted.source)
        if said.meaning == TOO_BIG:
            self._path_mtu[said.quoted.destination[0]] = said.mtu
        elif socket is not None and said.meaning in PORT_UNREACHABLE | HOST_UNREACHABLE:
            port = said.meaning in PORT_UNREACHABLE
            socket.put(Unreachable(said.quoted.payload, said.quoted.destination, port))
