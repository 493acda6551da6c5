"""Requests to the kernel's routing tables, in its own layout, sent in batches.

To import pyroute2 takes twice as long as a lab takes to start, so it serves where nobody waits: it
makes what the probe of this machine tries, and the tests compare these octets with its own. What a
lab asks is little, and the same octets serve every host whose interface has the same index, so a
full mesh of neighbours is encoded once.

Source: rtnetlink(7), linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from types import TracebackType
from typing import Final, NamedTuple, Self

from mpwire.errors import MachineError

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 16, 20, 24, 28
RTM_DELADDR = 21
NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLM_F_DUMP = 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NUD_PERMANENT = 0x80
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80
IFF_UP = 0x1
RT_TABLE_MAIN, RTPROT_STATIC, RTN_UNICAST = 254, 4, 1
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_TXQLEN, IFLA_LINKINFO = 1, 3, 4, 13, 18
IFLA_NET_NS_FD, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 28, 31, 32
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS = 1, 2, 4, 8
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
NDA_DST, NDA_LLADDR = 1, 2
NESTED: Final = 0x8000
"""In the type of an attribute: its payload is attributes."""
SIOCGIFINDEX: Final = 0x8933

HEADER: Final = struct.Struct("=IHHII")
"""Layout: nlmsghdr: length 32, type 16, flags 16, sequence 32, port 32."""
LINK: Final = struct.Struct("=BxHiII")
"""Layout: ifinfomsg: family 8, type 16, interface 32, flags 32, mask of flags 32."""
_ADDRESS: Final = struct.Struct("=BBBBI")
"""Layout: ifaddrmsg: family 8, prefix length 8, flags 8, scope 8, interface 32."""
_ROUTE: Final = struct.Struct("=8BI")
"""Layout: rtmsg: family 8, destination length 8, source length 8, service 8, table 8, origin 8,
scope 8, type 8, flags 32."""
_NEIGHBOUR: Final = struct.Struct("=B3xiHBB")
"""Layout: ndmsg: family 8, interface 32, state 16, flags 8, type 8."""
_ATTRIBUTE: Final = struct.Struct("=HH")
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_NEW: Final = NLM_F_CREATE | NLM_F_EXCL

DUMP_OCTETS: Final = 1 << 18
"""More than the kernel puts into one part of a dump."""
BATCH_COUNT = 64
"""Requests in flight: were they all refused, above some 250 the kernel would answer ENOBUFS."""


class Request(NamedTuple):
    """One change asked of the kernel."""

    what: str
    """For people, when it is refused."""
    kind: int
    flags: int
    body: bytes

    def octets(self, sequence: int, flags: int = NLM_F_REQUEST) -> bytes:
        """Give the message; its answer, if there is one, has the same sequence number."""
        length = HEADER.size + len(self.body)
        return HEADER.pack(length, self.kind, self.flags | flags, sequence, 0) + self.body


def attribute(kind: int, *parts: bytes) -> bytes:
    """Encode an attribute.  Layout: length 16, type 16, payload, padding to 32 bits."""
    payload = b"".join(parts)
    return _ATTRIBUTE.pack(4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def attributes(octets: bytes) -> dict[int, bytes]:
    """Decode attributes, one after the other, as `attribute` encodes them."""
    found = {}
    at = 0
    while at + 4 <= len(octets):
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        found[kind & ~NESTED] = octets[at + 4 : at + length]
        at += (max(length, 4) + 3) & ~3
    return found


def text(kind: int, words: str) -> bytes:
    """Encode an attribute that is text."""
    return attribute(kind, words.encode() + b"\0")


def word(kind: int, number: int) -> bytes:
    """Encode an attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", number))


def link_address(mac: str) -> bytes:
    """Give the octets of a link address such as "02:00:00:00:00:01"."""
    return bytes.fromhex(mac.replace(":", ""))


@cache
def link_set(
    index: int,
    *,
    mac: str | None = None,
    mtu: int | None = None,
    queue_count: int | None = None,
    is_up: bool = True,
) -> Request:
    """Set the interface up or down, with the given link address, MTU and queue length."""
    body = LINK.pack(socket.AF_UNSPEC, 0, index, IFF_UP if is_up else 0, IFF_UP)
    if mac is not None:
        body += attribute(IFLA_ADDRESS, link_address(mac))
    if mtu is not None:
        body += word(IFLA_MTU, mtu)
    if queue_count is not None:
        body += word(IFLA_TXQLEN, queue_count)
    return Request(f"set up interface {index}", RTM_NEWLINK, 0, body)


def veth_add(name: str, peer: str, peer_namespace: int, *, mac: str, mtu: int) -> Request:
    """Make a veth pair: `name` here, set up; `peer` in the namespace of that descriptor, down.

    Args: mac: of the peer; mtu: of both.
    """
    # Asked for no number of queues, the kernel makes one for each CPU, then takes all but one away
    # again, and waits for all CPUs to notice.
    queues = word(IFLA_NUM_TX_QUEUES, 1) + word(IFLA_NUM_RX_QUEUES, 1)
    ends = LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + text(IFLA_IFNAME, peer)
    ends += attribute(IFLA_ADDRESS, link_address(mac)) + word(IFLA_MTU, mtu)
    ends += word(IFLA_NET_NS_FD, peer_namespace) + queues
    data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, ends))
    body = LINK.pack(socket.AF_UNSPEC, 0, 0, IFF_UP, IFF_UP)
    body += text(IFLA_IFNAME, name) + word(IFLA_MTU, mtu) + queues
    body += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth"), data)
    return Request(f"veth pair {name}", RTM_NEWLINK, _NEW, body)


def address_add(index: int, address: IPv4Interface | IPv6Interface) -> Request:
    """Give an interface an address, valid at once (no duplicate address detection)."""
    return Request(f"address {address}", RTM_NEWADDR, _NEW, _address(index, address))


def address_delete(index: int, address: IPv4Interface | IPv6Interface) -> Request:
    """Take an address of an interface, with the routes that need it."""
    return Request(f"no address {address}", RTM_DELADDR, 0, _address(index, address))


def _address(index: int, address: IPv4Interface | IPv6Interface) -> bytes:
    network = address.network
    body = _ADDRESS.pack(_FAMILIES[address.version], network.prefixlen, 0, 0, index)
    body += attribute(IFA_ADDRESS, address.packed)
    if address.version == 4:
        body += attribute(IFA_LOCAL, address.packed)
        if network.prefixlen < 31:
            body += attribute(IFA_BROADCAST, network.broadcast_address.packed)
    return body + word(IFA_FLAGS, IFA_F_NODAD | IFA_F_PERMANENT)


@cache
def route_add(index: int, destination: str) -> Request:
    """Route a network straight out of an interface."""
    body = _route(destination, RT_SCOPE_LINK) + word(RTA_OIF, index)
    return Request(f"route {destination}", RTM_NEWROUTE, _NEW, body)


@cache
def route_via(index: int, destination: str, gateway: str) -> Request:
    """Route a network to a neighbour that knows the way."""
    body = _route(destination, RT_SCOPE_UNIVERSE)
    body += attribute(RTA_GATEWAY, ip_address(gateway).packed) + word(RTA_OIF, index)
    return Request(f"route {destination} via {gateway}", RTM_NEWROUTE, _NEW, body)


def _route(destination: str, scope: int) -> bytes:
    network = ip_network(destination)
    family, length = _FAMILIES[network.version], network.prefixlen
    head = (family, length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST, 0)
    return _ROUTE.pack(*head) + attribute(RTA_DST, network.network_address.packed)


@cache
def neighbour_add(index: int, address: str, mac: str) -> Request:
    """Tell an interface for good which link address an address has."""
    ip = ip_address(address)
    body = _NEIGHBOUR.pack(_FAMILIES[ip.version], index, NUD_PERMANENT, 0, 0)
    body += attribute(NDA_DST, ip.packed) + attribute(NDA_LLADDR, link_address(mac))
    return Request(f"neighbour {address}", RTM_NEWNEIGH, _NEW, body)


def replacing(request: Request) -> Request:
    """Let a request also change what is there already."""
    replaces = NLM_F_REPLACE if request.flags & NLM_F_CREATE else 0
    return request._replace(flags=request.flags & ~NLM_F_EXCL | replaces)


def interface_index(descriptor: int, interface: str) -> int:
    """Give the number of an interface in the namespace of a socket.

    Layout: ifreq: name 16, number 32.
    Raises: OSError where there is no such interface.
    """
    asked = struct.pack("=16si20x", interface.encode(), 0)
    number: int = struct.unpack_from("=16xi", fcntl.ioctl(descriptor, SIOCGIFINDEX, asked))[0]
    return number


class RouteSocket:
    """Send requests to the namespace in which the socket was opened."""

    def __init__(self) -> None:
        """Open the socket in the thread's present namespace."""
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        """Return the socket itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def fileno(self) -> int:
        """Tell the descriptor, which answers the ioctls of any socket of its namespace."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket; harmless when done already."""
        self._socket.close()

    def index_of(self, interface: str) -> int:
        """Give the number of an interface of the namespace; raise OSError if there is none."""
        return interface_index(self.fileno(), interface)

    def apply(self, requests: Sequence[Request]) -> None:
        """Have the kernel do the requests in order.

        Raises: MachineError naming the first one that was refused.
        """
        for first in range(0, len(requests), BATCH_COUNT):
            self._send(requests[first : first + BATCH_COUNT])

    def _send(self, batch: Sequence[Request]) -> None:
        """Send what the kernel does before `send` returns; it answers to refusals and the last."""
        *most, last = batch
        octets = [request.octets(number) for number, request in enumerate(most)]
        octets.append(last.octets(len(most), NLM_F_REQUEST | NLM_F_ACK))
        self._socket.send(b"".join(octets))
        answers: list[tuple[int, int]] = []
        while not answers or answers[-1][0] != len(most):
            answers += _answers(self._socket.recv(65536))
        for sequence, number in answers:
            if number:
                what = batch[sequence].what
                raise MachineError(f"the kernel refused {what}: {os.strerror(number)}")


def dump(what: str, kind: int, body: bytes) -> Iterator[bytes]:
    """Ask for all there is of a kind in the thread's present namespace; yield what follows headers.

    Args: what: for people, when it is refused; kind: RTM_GET...
    Raises: MachineError when it is refused.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as route:
        route.bind((0, 0))
        route.send(Request(what, kind, NLM_F_DUMP, body).octets(0))
        while True:
            for answer, _, octets in _messages(route.recv(DUMP_OCTETS)):
                if answer == NLMSG_DONE:
                    return
                if answer == NLMSG_ERROR:
                    raise MachineError(f"the kernel refused {what}: {os.strerror(_errno(octets))}")
                yield octets


def _answers(octets: bytes) -> list[tuple[int, int]]:
    """List the sequence number and the errno of each answer, 0 for done."""
    found = []
    for kind, sequence, body in _messages(octets):
        if kind != NLMSG_ERROR or len(body) < 4:
            raise MachineError(f"unexpected netlink message of type {kind}")
        found.append((sequence, _errno(body)))
    return found


def _messages(octets: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, sequence number and what follows the header of each message."""
    at = 0
    while at < len(octets):
        length, kind, _, sequence, _ = HEADER.unpack_from(octets, at)
        yield kind, sequence, octets[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def _errno(octets: bytes) -> int:
    """Layout: nlmsgerr: negated errno 32, ..."""
    number: int = struct.unpack_from("=i", octets)[0]
    return -number
