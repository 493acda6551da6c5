"""Requests to the kernel's routing tables: encoded by pyroute2, sent in batches by us.

pyroute2's own sockets run an event loop each, which cannot be started inside the lab's running
loop and costs more than the requests. Its message classes are what we want: they know the layout
of every attribute. The same octets serve every host whose interface has the same index, so a
full mesh of neighbours is encoded once.
"""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from types import TracebackType
from typing import NamedTuple, Self

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from mpwire.errors import MachineError

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 16, 20, 24, 28
RTM_DELADDR = 21
NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR = 2
NUD_PERMANENT = 0x80
IFA_F_NODAD, IFA_F_PERMANENT = 0x02, 0x80
IFF_UP = 0x1
RT_TABLE_MAIN, RTPROT_STATIC, RTN_UNICAST = 254, 4, 1
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253

BATCH_COUNT = 64
"""Requests in flight: above some 250 the kernel answers ENOBUFS."""


class Request(NamedTuple):
    """One change asked of the kernel."""

    what: str
    """For people, when it is refused."""
    octets: bytes


def _encode(what: str, message: object, kind: int, flags: int = 0) -> Request:
    header = message["header"]  # type: ignore[index] # pyroute2 is untyped
    header["type"] = kind
    header["flags"] = NLM_F_REQUEST | NLM_F_ACK | flags
    message.encode()  # type: ignore[attr-defined] # pyroute2 is untyped
    return Request(what, bytes(message.data))  # type: ignore[attr-defined] # pyroute2 is untyped


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
    message = ifinfmsg()
    message["index"] = index
    message["flags"] = IFF_UP if is_up else 0
    message["change"] = IFF_UP
    wanted = [("IFLA_ADDRESS", mac), ("IFLA_MTU", mtu), ("IFLA_TXQLEN", queue_count)]
    message["attrs"] = [(name, value) for name, value in wanted if value is not None]
    return _encode(f"set up interface {index}", message, RTM_NEWLINK)


def veth_add(name: str, mtu: int, peer: str, peer_namespace: int) -> Request:
    """Make a veth pair: `name` here, set up; `peer` in the namespace of that descriptor, down."""
    message = ifinfmsg()
    message["flags"] = message["change"] = IFF_UP
    ends = {"index": 0, "attrs": [("IFLA_IFNAME", peer), ("IFLA_NET_NS_FD", peer_namespace)]}
    data = {"attrs": [("VETH_INFO_PEER", ends)]}
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]}
    message["attrs"] = [("IFLA_IFNAME", name), ("IFLA_MTU", mtu), ("IFLA_LINKINFO", info)]
    return _encode(f"veth pair {name}", message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)


def address_add(index: int, address: IPv4Interface | IPv6Interface) -> Request:
    """Give an interface an address, valid at once (no duplicate address detection)."""
    message = _address(index, address)
    return _encode(f"address {address}", message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL)


def address_delete(index: int, address: IPv4Interface | IPv6Interface) -> Request:
    """Take an address of an interface, with the routes that need it."""
    return _encode(f"no address {address}", _address(index, address), RTM_DELADDR)


def _address(index: int, address: IPv4Interface | IPv6Interface) -> object:
    message = ifaddrmsg()
    message["family"] = socket.AF_INET if address.version == 4 else socket.AF_INET6
    message["prefixlen"] = address.network.prefixlen
    message["index"] = index
    attributes: list[tuple[str, object]] = [("IFA_ADDRESS", str(address.ip))]
    if address.version == 4:
        attributes.append(("IFA_LOCAL", str(address.ip)))
        if address.network.prefixlen < 31:
            attributes.append(("IFA_BROADCAST", str(address.network.broadcast_address)))
    attributes.append(("IFA_FLAGS", IFA_F_NODAD | IFA_F_PERMANENT))
    message["attrs"] = attributes
    return message


@cache
def route_add(index: int, destination: str) -> Request:
    """Route a network straight out of an interface."""
    network = ip_network(destination)
    message = rtmsg()
    message["family"] = socket.AF_INET if network.version == 4 else socket.AF_INET6
    message["dst_len"] = network.prefixlen
    message["table"] = RT_TABLE_MAIN
    message["proto"] = RTPROT_STATIC
    message["scope"] = RT_SCOPE_LINK
    message["type"] = RTN_UNICAST
    message["attrs"] = [("RTA_DST", str(network.network_address)), ("RTA_OIF", index)]
    return _encode(f"route {destination}", message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL)


@cache
def route_via(index: int, destination: str, gateway: str) -> Request:
    """Route a network to a neighbour that knows the way."""
    network = ip_network(destination)
    message = rtmsg()
    message["family"] = socket.AF_INET if network.version == 4 else socket.AF_INET6
    message["dst_len"] = network.prefixlen
    message["table"] = RT_TABLE_MAIN
    message["proto"] = RTPROT_STATIC
    message["scope"] = RT_SCOPE_UNIVERSE
    message["type"] = RTN_UNICAST
    message["attrs"] = [
        ("RTA_DST", str(network.network_address)),
        ("RTA_GATEWAY", gateway),
        ("RTA_OIF", index),
    ]
    what = f"route {destination} via {gateway}"
    return _encode(what, message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL)


@cache
def neighbour_add(index: int, address: str, mac: str) -> Request:
    """Tell an interface for good which link address an address has."""
    message = ndmsg()
    message["family"] = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    message["ifindex"] = index
    message["state"] = NUD_PERMANENT
    message["attrs"] = [("NDA_DST", address), ("NDA_LLADDR", mac)]
    return _encode(f"neighbour {address}", message, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL)


def replacing(request: Request) -> Request:
    """Let a request also change what is there already."""
    flags = struct.unpack_from("=H", request.octets, 6)[0]
    flags = flags & ~NLM_F_EXCL | (NLM_F_REPLACE if flags & NLM_F_CREATE else 0)
    octets = request.octets[:6] + struct.pack("=H", flags) + request.octets[8:]
    return Request(request.what, octets)


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
        self._socket.close()

    def apply(self, requests: Sequence[Request]) -> None:
        """Have the kernel do the requests in order.

        Raises: MachineError naming the first one that was refused.
        """
        for first in range(0, len(requests), BATCH_COUNT):
            batch = requests[first : first + BATCH_COUNT]
            self._socket.send(b"".join(request.octets for request in batch))
            # The kernel acknowledges in the order of the requests, so we need no numbers.
            waiting = iter(batch)
            left = len(batch)
            while left:
                for number in _acknowledgements(self._socket.recv(65536)):
                    request = next(waiting)
                    left -= 1
                    if number:
                        reason = os.strerror(number)
                        raise MachineError(f"the kernel refused {request.what}: {reason}")


def _acknowledgements(octets: bytes) -> list[int]:
    """List the errno of each acknowledgement, 0 for done.

    Layout: nlmsghdr (length 32, type 16, flags 16, sequence 32, port 32), negated errno 32, ...
    """
    numbers = []
    offset = 0
    while offset < len(octets):
        length, kind = struct.unpack_from("=IH", octets, offset)
        if kind != NLMSG_ERROR or length < 20:
            raise MachineError(f"unexpected netlink message of type {kind}: {errno.EPROTO}")
        numbers.append(-struct.unpack_from("=i", octets, offset + 16)[0])
        offset += (length + 3) & ~3
    return numbers
