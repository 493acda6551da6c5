"""Multicast with UDP sockets: what leaves for a group and how far, and what is heard of one.

Every mpwire socket that listens to a group has a kernel socket of its own, bound to the group's
address and port, so that memberships and source filters of different sockets never mix. Sending is
the business of the unicast socket, whose address the others know.

With a hop limit of 0 neither data nor a membership report leaves the host. IPv4 then takes the
loopback interface for both. IPv6 has no route for groups there: it takes the group of the same
number and interface-local scope instead, of which no interface lets anything out (RFC 4291 2.7).
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mpwire.core.address import Address
from mpwire.io.udp import UdpSocket, socket_error

INTERFACE_LOCAL: Final = 1
"""The scope of IPv6 groups that stay on the host."""
LOOPBACK_IPV4: Final = "127.0.0.1"
IPV6_ADDRESSES: Final = Path("/proc/thread-self/net/if_inet6")
"""One line per address of this network namespace: the address, then its interface, both in hex."""

# Linux constants that the socket module of Python 3.11 does not name.
IP_ADD_SOURCE_MEMBERSHIP: Final = 39
MCAST_JOIN_SOURCE_GROUP: Final = 46
MREQN: Final = struct.Struct("=4s4si")
"""struct ip_mreqn: group, address of the interface, its index (0: by the address)."""
MREQ_SOURCE: Final = struct.Struct("=4s4s4s")
"""struct ip_mreq_source: group, address of the interface, source."""
IPV6_MREQ: Final = struct.Struct("=16si")
"""struct ipv6_mreq: group, index of the interface."""
GROUP_SOURCE_REQ: Final = struct.Struct("=I4x128s128s")
"""struct group_source_req: index of the interface, group and source as sockaddr_storage."""
SOCKADDR_IN6: Final = struct.Struct("=HHI16sI")
"""struct sockaddr_in6: family, port, flow, address, scope."""
ANY_IPV4: Final = bytes(4)


def _interface_index(host: str) -> int:
    """Return the index of the interface that has an IPv6 address, 0 if none has (any)."""
    octets = socket.inet_pton(socket.AF_INET6, host).hex()
    for line in IPV6_ADDRESSES.read_text().splitlines():
        address, index, *_ = line.split()
        if address == octets:
            return int(index, 16)
    return 0


def _interface_of(host: str, family: int, hop_limit: int) -> bytes | int:
    """Name an interface as the options of its family want it: by address, or by index."""
    if family == 4:
        return socket.inet_pton(socket.AF_INET, host if hop_limit else LOOPBACK_IPV4)
    return _interface_index(host)


def reached_group(group: Address, family: int, hop_limit: int) -> Address:
    """Return the group that stands for another one when data goes so many hops far."""
    if family == 4 or hop_limit:
        return group
    octets = bytearray(socket.inet_pton(socket.AF_INET6, group[0]))
    octets[1] = octets[1] & 0xF0 | INTERFACE_LOCAL
    return socket.inet_ntop(socket.AF_INET6, octets), group[1]


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what a provider call raises when the kernel says no."""
    try:
        yield
    except OSError as error:
        raise socket_error(error) from None


def set_reach(udp: UdpSocket, host: str, hop_limit: int) -> None:
    """Let what a socket sends to groups leave by the interface of `host`, so many hops far.

    With IPv4 the source address of each datagram chooses the interface. To name it as well would
    make Linux look up a route, and a cached one of a unicast neighbour may then be taken: with
    the hop limit of unicast, and unheard by the other sockets of this host.

    Raises:
        SocketError: what the kernel says.
    """
    set_option = udp.socket.setsockopt
    interface = _interface_of(host, udp.family, hop_limit)
    with _translated():
        if isinstance(interface, bytes):
            wanted = MREQN.pack(ANY_IPV4, ANY_IPV4 if hop_limit else interface, 0)
            set_option(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, wanted)
            set_option(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hop_limit)
            set_option(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        else:
            set_option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface)
            set_option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hop_limit)
            set_option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)


class GroupSocket(UdpSocket):
    """A socket that hears one group, and nothing else."""

    def __init__(self, group: Address, udp: UdpSocket, host: str, hop_limit: int) -> None:
        """Bind to a group on behalf of a unicast socket.

        Both may have the same port: the unicast socket permits it for this moment.

        Args:
            group: what the socket hears.
            udp: the unicast socket.
            host: one of our addresses, at whose interface the group is heard.
            hop_limit: of what that one sends; 0 hears this host only.

        Raises:
            SocketError: what the kernel says.
        """
        self.interface = _interface_of(host, udp.family, hop_limit)
        udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            super().__init__(reached_group(group, udp.family, hop_limit), udp.family)
        finally:
            udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self.opened, self.group = udp.opened, group

    def _bind(self, host: str, port: int) -> None:
        """Bind to the group; a group of one host means something at an interface only."""
        if isinstance(self.interface, int):
            self.socket.bind((host, port, 0, self.interface))
        else:
            super()._bind(host, port)

    def _set_options(self) -> None:
        """Share the group's port with the other sockets of the host that hear it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        super()._set_options()

    def _destination(self, ancillary: list[tuple[int, int, bytes]]) -> Address | None:
        """Return the group: what comes here was sent to it."""
        del ancillary
        return self.group

    def join(self, origins: Sequence[str]) -> None:
        """Become a member of the group.

        Args:
            origins: hosts to hear, everybody if empty.

        Raises:
            SocketError: what the kernel says.
        """
        interface = self.interface
        kind = socket.AF_INET if self.family == 4 else socket.AF_INET6
        group = socket.inet_pton(kind, self.local[0])
        with _translated():
            if not origins:
                self._join_for_everybody(group, interface)
            for origin in origins:
                self._join_for(group, interface, socket.inet_pton(kind, origin))

    def _join_for_everybody(self, group: bytes, interface: bytes | int) -> None:
        if isinstance(interface, bytes):
            wanted = MREQN.pack(group, interface, 0)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
        else:
            wanted = IPV6_MREQ.pack(group, interface)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wanted)

    def _join_for(self, group: bytes, interface: bytes | int, origin: bytes) -> None:
        if isinstance(interface, bytes):
            wanted = MREQ_SOURCE.pack(group, interface, origin)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, wanted)
        else:
            addresses = [
                SOCKADDR_IN6.pack(socket.AF_INET6, 0, 0, one, 0) for one in (group, origin)
            ]
            wanted = GROUP_SOURCE_REQ.pack(interface, *addresses)
            self.socket.setsockopt(socket.IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, wanted)
