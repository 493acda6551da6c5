"""What the kernel tells of addresses and routes that change (rtnetlink, Linux only).

A `NetworkWatch` is a socket that becomes readable when something has changed in the network
namespace it was opened in. It knows which addresses can be used: those of interfaces that are set
up, unless another host was found to have the same. A cable that is pulled changes nothing of that:
peers that cannot be reached are found out by silence. Where there is no rtnetlink there is no
watch, and nothing but silence tells of a lost interface.

What a path carries (`Provider.capacity_changed`) is not watched: no system knows it. The speed of
an interface is not it; that of a TAP device is 10 Mbit/s whatever it is used for.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

HEADER: Final = struct.Struct("=IHHII")
"""struct nlmsghdr: length with this header, type, flags, sequence number, port."""
ADDRESS: Final = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index of the interface."""
LINK: Final = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, mask of changes."""
ATTRIBUTE: Final = struct.Struct("=HH")
"""struct rtattr: length with this header, type."""
DONE, ERROR = 3, 2
NEW_LINK, DELETE_LINK, LIST_LINKS = 16, 17, 18
NEW_ADDRESS, DELETE_ADDRESS, LIST_ADDRESSES = 20, 21, 22
NEW_ROUTE, DELETE_ROUTE = 24, 25
REQUEST_LIST: Final = 0x301
"""NLM_F_REQUEST and NLM_F_DUMP."""
GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""Links, and addresses and routes of IPv4 and of IPv6."""
IFA_ADDRESS, IFA_LOCAL = 1, 2
UNUSABLE: Final = 0x40 | 0x08
"""IFA_F_TENTATIVE and IFA_F_DADFAILED: nobody may use the address (yet)."""
IFF_UP: Final = 0x1
RECEIVE_OCTETS: Final = 65536
FAMILIES: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 16}
"""Octets of an address, by its family."""


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """A local address can be used from now on, or cannot any more."""

    host: str
    is_up: bool


@dataclass(frozen=True, slots=True)
class RoutesChanged:
    """Some route has come or gone."""


Change: TypeAlias = AddressChanged | RoutesChanged


class NetworkWatch:
    """Follow the addresses and routes of the present network namespace."""

    def __init__(self) -> None:
        """Begin to listen, and list what there is.

        Raises:
            OSError: this system has no rtnetlink, or denies it.
        """
        self._interfaces: dict[str, set[int]] = {}
        """Interfaces that have an address, by that address."""
        self._down: set[int] = set()
        """Interfaces that are not set up."""
        family = getattr(socket, "AF_NETLINK", None)
        if family is None:
            raise OSError("this system has no rtnetlink")
        self.socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        try:
            self.socket.bind((0, GROUPS))
            self._list()
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)

    @classmethod
    def open(cls) -> Self | None:
        """Return a watch, or None where there is nothing to watch by."""
        try:
            return cls()
        except OSError:
            return None

    def close(self) -> None:
        """Stop to listen."""
        self.socket.close()

    @property
    def hosts(self) -> frozenset[str]:
        """Return the addresses that can be used."""
        return frozenset(host for host in self._interfaces if self._is_usable(host))

    def changes(self) -> Iterator[Change]:
        """Yield what has changed since this was last asked; of many routes, that they did."""
        before, routes = self.hosts, False
        while True:
            try:
                data = self.socket.recv(RECEIVE_OCTETS)
            except BlockingIOError:
                break
            except OSError:  # more has changed than the kernel could queue
                self._list()
                routes = True
            else:
                kinds = {self._note(kind, body) for kind, body in _messages(data)}
                routes |= bool(kinds & {NEW_ROUTE, DELETE_ROUTE})
        now = self.hosts
        yield from (AddressChanged(host, is_up=False) for host in sorted(before - now))
        yield from (AddressChanged(host, is_up=True) for host in sorted(now - before))
        if routes:
            yield RoutesChanged()

    def _list(self) -> None:
        """Ask for everything there is, and wait for it; the kernel answers at once."""
        self.socket.setblocking(True)
        self._interfaces.clear()
        for kind in (LIST_LINKS, LIST_ADDRESSES):
            self.socket.send(HEADER.pack(HEADER.size + 4, kind, REQUEST_LIST, 1, 0) + bytes(4))
            while not self._take_list(self.socket.recv(RECEIVE_OCTETS)):
                pass
        self.socket.setblocking(False)

    def _take_list(self, data: bytes) -> bool:
        """Note what a part of a list says; return whether it was the last."""
        kinds = {self._note(kind, body) for kind, body in _messages(data)}
        if ERROR in kinds:
            raise OSError("the kernel does not list its addresses")
        return DONE in kinds

    def _is_usable(self, host: str) -> bool:
        return not self._interfaces[host] <= self._down

    def _note(self, kind: int, body: bytes) -> int:
        """Note what one message says; return its type."""
        if kind in {NEW_LINK, DELETE_LINK}:
            _, _, index, flags, _ = LINK.unpack_from(body)
            if kind == NEW_LINK and flags & IFF_UP:
                self._down.discard(index)
            else:
                self._down.add(index)
        elif kind in {NEW_ADDRESS, DELETE_ADDRESS}:
            family, _, flags, _, index = ADDRESS.unpack_from(body)
            host = _host(family, body[ADDRESS.size :])
            if host and not flags & UNUSABLE:
                interfaces = self._interfaces.setdefault(host, set())
                (interfaces.add if kind == NEW_ADDRESS else interfaces.discard)(index)
                if not interfaces:
                    del self._interfaces[host]
        return kind


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of every netlink message in a datagram of the kernel."""
    while len(data) >= HEADER.size:
        length, kind, *_ = HEADER.unpack_from(data)
        yield kind, data[HEADER.size : length]
        data = data[max(HEADER.size, (length + 3) & ~3) :]


def _host(family: int, attributes: bytes) -> str:
    """Return the local address that the attributes of an address name; nothing if there is none."""
    found: dict[int, str] = {}
    while len(attributes) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(attributes)
        value = attributes[ATTRIBUTE.size : length]
        if len(value) == FAMILIES.get(family):
            found[kind] = socket.inet_ntop(family, value)
        attributes = attributes[max(ATTRIBUTE.size, (length + 3) & ~3) :]
    return found.get(IFA_LOCAL) or found.get(IFA_ADDRESS, "")
