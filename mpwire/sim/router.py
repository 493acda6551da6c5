"""A simulated router: forwards packets between its ports as Linux does, or says why it does not.

In this order: what has no route is told (net unreachable), what has made too many hops (time
exceeded), what is larger than the next network's packets (fragmentation needed, packet too big:
all our datagrams carry Don't Fragment), and what no neighbour answers for (host unreachable). No
error is told about an error, or about what was sent to a group. Groups are forwarded where the
routers' common mind says so, without a word about what is not.

Source: RFC 1812 sections 4.3 and 5, RFC 4443 section 2.4.
"""

import errno
import os
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from mpwire.lab.multicast import MulticastRouting
from mpwire.lab.topology import Node, Port
from mpwire.sim import packets
from mpwire.sim.neighbours import Later, Neighbours
from mpwire.sim.transit import LINK_LATENCY_S, Transit

NO_ROUTE, HOP_COUNT, TOO_BIG, NO_HOST = range(4)
_ERRORS: Final[Mapping[int, tuple[tuple[int, int], tuple[int, int]]]] = {
    NO_ROUTE: ((3, 0), (1, 0)),
    HOP_COUNT: ((11, 0), (3, 0)),
    TOO_BIG: ((3, 4), (2, 0)),
    NO_HOST: ((3, 1), (1, 3)),
}
"""Type and code of ICMP and of ICMPv6."""
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_ICMP, _ICMPV6 = 1, 58
_ECHOES: Final = {_ICMP: (0, 8), _ICMPV6: (128, 129)}
"""Types of ICMP and ICMPv6 about which errors may be told."""


class RouterPort:
    """One port; the switch writes frames into it like into any other."""

    def __init__(self, router: "Router", spec: Port, place: int) -> None:
        """Belong to a router."""
        self.spec = spec
        self.place = place
        """Among the router's ports, from 0."""
        self.mac = spec.mac_octets()
        self.is_up = True
        self.rx_dropped = 0
        self._router = router

    @property
    def in_flight(self) -> int:
        """Count what is under way in the whole router."""
        return self._router.transit.count

    @property
    def udp_in_errors(self) -> dict[str, int]:
        """Count none: a router looks at no checksums of UDP."""
        return {"": 0, "Udp6": 0}

    def write(self, frame: bytes, /) -> None:
        """Take a frame from the cable; raise OSError when the port is down."""
        if not self.is_up:
            self.rx_dropped += 1
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        if frame[:6] == self.mac or frame[0] & 1:
            self._router.transit.later(LINK_LATENCY_S, self._router.take, self, frame)


class Router:
    """All ports of one router, and what lies between them."""

    def __init__(
        self,
        node: Node,
        loop: Later,
        senders: Mapping[str, Callable[[bytes], None]],
        multicast: MulticastRouting,
    ) -> None:
        """Connect the ports.

        Args:
            node: ports and routes.
            loop: lets time pass.
            senders: by port, takes each frame that leaves there.
            multicast: says where groups are forwarded.
        """
        self.ports = {
            port.name: RouterPort(self, port, place) for place, port in enumerate(node.ports)
        }
        self.neighbours = {
            port.name: Neighbours(port, loop, senders[port.name]) for port in node.ports
        }
        self.transit = Transit(loop)
        self._node = node
        self._senders = senders
        self._multicast = multicast
        self._own = {one.ip.packed for port in node.ports for one in port.interfaces()}
        self._routes = [
            (ip_network(route.destination), route.gateway, self.ports[route.port])
            for route in node.routes
        ]

    def set_port(self, name: str, *, is_up: bool) -> None:
        """Let a port carry nothing any more, or everything again."""
        self.ports[name].is_up = is_up

    def take(self, port: RouterPort, frame: bytes) -> None:
        """Take a frame that came in by a port."""
        kind = frame[12:14]
        if not port.is_up or self.neighbours[port.spec.name].take(frame):
            return
        if frame[0] & 1:
            self._multiply(port, frame)
        elif kind == _IPV4 and len(frame) >= 34:
            self._forward(port, frame, frame[30:34], frame[22])
        elif kind == _IPV6 and len(frame) >= 54:
            self._forward(port, frame, frame[38:54], frame[21])

    def _multiply(self, port: RouterPort, frame: bytes) -> None:
        """Send on what is for a group."""
        data = self._multicast.take(port.spec.name, frame)
        if data is None or data.ttl <= 1:
            return
        for name in self._multicast.ways_out(port.spec.name, data.source[0], data.destination[0]):
            out = self.ports[name]
            if out.is_up and len(frame) - 14 <= out.spec.mtu:
                self._senders[name](packets.passed_on(frame, (frame[:6], out.mac)))

    def _forward(self, port: RouterPort, frame: bytes, there: bytes, hops: int) -> None:
        if there in self._own:
            self._answer(port, frame, there)
            return
        way = self._way(there)
        if way is None:
            self._tell(frame, NO_ROUTE)
            return
        out, hop = way
        if hops <= 1:
            self._tell(frame, HOP_COUNT)
        elif len(frame) - 14 > out.spec.mtu:
            self._tell(frame, TOO_BIG, out.spec.mtu)
        else:
            send = self._senders[out.spec.name]
            self.neighbours[out.spec.name].reach(
                hop,
                lambda mac: send(packets.passed_on(frame, (mac, out.mac))),
                lambda: self._tell(frame, NO_HOST),
            )

    def _way(self, there: bytes) -> tuple[RouterPort, str] | None:
        """Return the port and the neighbour by which an address is reached."""
        address = ip_address(there)
        for port in self.ports.values():
            if port.is_up and any(address in one.network for one in port.spec.interfaces()):
                return port, str(address)
        for network, gateway, port in self._routes:
            if port.is_up and address in network:
                return port, gateway
        return None

    def _answer(self, port: RouterPort, frame: bytes, there: bytes) -> None:
        """Take what is for the router itself: echoes, and nothing else."""
        echo = packets.echo_reply(frame, port.mac)
        if echo is not None:
            self._senders[port.spec.name](echo)
        elif _protocol(frame) == packets.UDP:
            macs = frame[6:12], port.mac
            self._senders[port.spec.name](packets.port_unreachable(macs, frame[14:], there))

    def _tell(self, frame: bytes, why: int, told: int = 0) -> None:
        """Tell the sender of a packet why it goes no further."""
        if not _deserves_error(frame):
            return
        family = "inet" if frame[12:14] == _IPV4 else "inet6"
        source = frame[26:30] if family == "inet" else frame[22:38]
        way = self._way(source)
        here = None if way is None else way[0].spec.address(family)
        if way is None or here is None:
            return
        out, hop = way
        said = _ERRORS[why][family == "inet6"]
        send = self._senders[out.spec.name]
        self.neighbours[out.spec.name].reach(
            hop,
            lambda mac: send(
                packets.icmp_error((mac, out.mac), frame[14:], packets.packed(here), said, told)
            ),
            lambda: None,
        )


def _protocol(frame: bytes) -> int:
    return frame[23] if frame[12:14] == _IPV4 else frame[20]


def _deserves_error(frame: bytes) -> bool:
    """Tell whether an error may be told about a packet: not about an error."""
    protocol = _protocol(frame)
    if protocol not in _ECHOES:
        return True
    at = 14 + 4 * (frame[14] & 15) if protocol == _ICMP else 54
    return frame[at] in _ECHOES[protocol]
