"""Multicast forwarding of a kernel, told by a socket that stays open (ip(7), Linux mroute.h).

A kernel forwards what is for a group where an entry for its source and group says so: in by this
interface, out by those. Entries are made before the datagram that needs them reaches the kernel,
so it never has to ask. All of it goes when the socket is closed.

Layouts, in the machine's byte order:
vifctl: interface of its own counting 2 | flags 1 | threshold 1 | rate 4 | index 4 | remote 4
mfcctl: source 4 | group 4 | parent 2 | thresholds 32 | pad 2 | four counters 16
mif6ctl: interface of its own counting 2 | flags 1 | threshold 1 | index 2 | pad 2 | rate 4
mf6cctl: source 28 | group 28 (both sockaddr_in6) | parent 2 | pad 2 | set of interfaces 32

Source: linux/mroute.h, linux/mroute6.h.
"""

import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final, Protocol

from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.refusal import explain_forwarding

MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC, MRT_DEL_MFC = 200, 202, 204, 205
"""The same numbers at both levels, IPPROTO_IP and IPPROTO_IPV6."""
VIFF_USE_IFINDEX: Final = 8
THRESHOLD: Final = 1
"""Only what has more hops left than this is sent on."""
INTERFACES_MAX: Final = 32
_FAMILIES: Final = {
    4: (socket.AF_INET, socket.IPPROTO_IGMP, socket.IPPROTO_IP),
    6: (socket.AF_INET6, socket.IPPROTO_ICMPV6, socket.IPPROTO_IPV6),
}
_QUEUE_OCTETS: Final = 4096
"""What the kernel tells such a socket is nothing that we do not know: little is kept."""


class Entries:
    """What a router has been told about groups, so that it is told changes only."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._made: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}

    def takes(self, source: str, group: str, into: str, out: Sequence[str]) -> bool:
        """Note how a source's datagrams for a group are sent on; tell whether that is new."""
        wanted = into, tuple(out)
        made = self._made.get((source, group))
        if made == wanted or (made is not None and not out and made[0] != into):
            return False  # what also comes by another way is not sent on from there
        self._made[source, group] = wanted
        return True


class KernelMulticast:
    """Forward groups in one namespace, for one IP version."""

    def __init__(
        self, namespace: NetworkNamespace, version: int, interfaces: Sequence[str]
    ) -> None:
        """Take the forwarding of groups over; nothing is forwarded yet.

        Args: interfaces: those between which groups are forwarded.
        Raises: MachineError where this kernel does not forward groups; OSError.
        """
        self._version = version
        family, protocol, self._level = _FAMILIES[version]
        self._entries = Entries()
        self._places = {name: place for place, name in enumerate(interfaces)}
        with namespace.entered():
            self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_OCTETS)
                self._begin()
                for name, place in self._places.items():
                    self._add(place, socket.if_nametoindex(name))
            except BaseException:
                self._socket.close()
                raise

    def _begin(self) -> None:
        try:
            self._socket.setsockopt(self._level, MRT_INIT, 1)
        except OSError as error:
            raise explain_forwarding(self._version, error.errno or 0) from error

    def _add(self, place: int, index: int) -> None:
        if self._version == 4:
            asked = struct.pack("=HBBIi4x", place, VIFF_USE_IFINDEX, THRESHOLD, 0, index)
        else:
            asked = struct.pack("=HBBHxxI", place, 0, THRESHOLD, index, 0)
        self._socket.setsockopt(self._level, MRT_ADD_VIF, asked)

    def forward(self, source: str, group: str, into: str, out: Sequence[str]) -> None:
        """Send on what a source sends to a group; what is the same already stays.

        Args: into: the interface by which it must come; out: those by which it leaves.
        """
        if not self._entries.takes(source, group, into, out):
            return
        ends = ip_address(source).packed, ip_address(group).packed
        places = [self._places[name] for name in out]
        entry = self._entry(ends, self._places[into], places)
        self._socket.setsockopt(self._level, MRT_ADD_MFC, entry)

    def _entry(self, ends: tuple[bytes, bytes], parent: int, places: Sequence[int]) -> bytes:
        if self._version == 4:
            thresholds = bytearray(INTERFACES_MAX)
            for place in places:
                thresholds[place] = THRESHOLD
            return struct.pack("=4s4sH32s2x16x", *ends, parent, bytes(thresholds))
        source, group = (struct.pack("=H6x16s4x", socket.AF_INET6, one) for one in ends)
        bits = sum(1 << place for place in places)
        return source + group + struct.pack("=Hxx8I", parent, bits, *[0] * 7)

    def close(self) -> None:
        """Forward nothing any more; harmless when done already."""
        self._socket.close()


class Forwarding(Protocol):
    """Whatever forwards groups between the ports of one router."""

    def forward(self, source: str, group: str, into: str, out: Sequence[str]) -> None:
        """Send on what a source sends to a group.

        Args: into: the port by which it must come; out: those by which it leaves.
        """

    def close(self) -> None:
        """Forward nothing any more."""


Ports = Mapping[str, tuple[str, bool]]
"""Of a router: interface by port, and whether it has IPv6."""

MakeForwarding = Callable[[str, NetworkNamespace, Ports], Forwarding]
"""Take the forwarding of groups over in the namespace of the router of that name."""


class MulticastRouter:
    """Forward groups between the interfaces of one router, in the families that it has."""

    def __init__(self, _name: str, namespace: NetworkNamespace, ports: Ports) -> None:
        """Take the forwarding of groups over."""
        self._ports = {port: interface for port, (interface, _) in ports.items()}
        interfaces = [*self._ports.values()]
        versions = (4, 6) if any(has_ipv6 for _, has_ipv6 in ports.values()) else (4,)
        self._kernels: dict[int, KernelMulticast] = {}
        try:
            for version in versions:
                self._kernels[version] = KernelMulticast(namespace, version, interfaces)
        except BaseException:
            self.close()
            raise

    def forward(self, source: str, group: str, into: str, out: Sequence[str]) -> None:
        """Send on what a source sends to a group; ports stand for their interfaces."""
        kernel = self._kernels[ip_address(group).version]
        kernel.forward(source, group, self._ports[into], [self._ports[port] for port in out])

    def close(self) -> None:
        """Forward nothing any more."""
        for kernel in self._kernels.values():
            kernel.close()
