"""What the provider needs from the world below: UDP addresses, at once, by call."""

from collections.abc import Sequence
from typing import Protocol

from mpwire.core.address import HIGHEST_PORT, Address, is_unicast, parse_host
from mpwire.core.groups import is_group_host
from mpwire.vocabulary import WsaError
from mpwire.winsock.errors import SocketError


class Transport(Protocol):
    """Open and release UDP addresses; io does it with sockets, the bus with a dictionary."""

    def open(self, address: Address | None, family: int) -> Address:
        """Bind a UDP address, a free port of the wildcard address when None; return it.

        Raises:
            SocketError: WSAEADDRINUSE, WSAEADDRNOTAVAIL, WSAEACCES.
        """

    def release(self, address: Address) -> None:
        """Close a UDP address that was opened."""

    def source_for(self, local: Address, peer: Address) -> Address:
        """Return the concrete address from which `local` reaches `peer`.

        Raises:
            SocketError: WSAENETUNREACH.
        """

    def set_reach(self, local: Address, source: Address, hop_limit: int) -> None:
        """Say how what `local` sends to groups leaves: by the interface of `source`, and how far.

        A hop limit of 0 keeps it on this host (SIO_MULTICAST_SCOPE, W65).
        """

    def join_group(
        self, local: Address, source: Address, group: Address, origins: Sequence[str]
    ) -> None:
        """Hand what is sent to a group to whoever opened `local`.

        Args:
            local: an address that was opened and has a reach: 0 listens on this host only.
            source: the concrete address whose interface listens.
            group: the group's address and port.
            origins: hosts to listen to, for a source-specific group; everybody if empty.

        Raises:
            SocketError: WSAEADDRINUSE, WSAENOBUFS, WSAENETDOWN.
        """

    def leave_group(self, local: Address, group: Address) -> None:
        """Stop to listen to a group."""


class UnicastOnly:
    """What a transport is built on whose network carries no groups."""

    __slots__ = ()

    def set_reach(self, local: Address, source: Address, hop_limit: int) -> None:
        """Refuse to send to groups."""
        del source, hop_limit
        raise SocketError(WsaError.WSAEOPNOTSUPP, f"{local[0]} has no multicast")

    def join_group(
        self, local: Address, source: Address, group: Address, origins: Sequence[str]
    ) -> None:
        """Refuse to listen to a group."""
        del source, group, origins
        raise SocketError(WsaError.WSAEOPNOTSUPP, f"{local[0]} has no multicast")

    def leave_group(self, local: Address, group: Address) -> None:
        """Refuse what can have no cause."""
        del group
        raise SocketError(WsaError.WSAEOPNOTSUPP, f"{local[0]} has no multicast")


WILDCARDS = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - W9 binds to a local address of any interface


def canonical(address: Address, family: int) -> Address:
    """Return an address in the one spelling that addresses are compared in.

    Raises:
        SocketError: WSAEAFNOSUPPORT of the other family; WSAEADDRNOTAVAIL no address at all.
    """
    host, port = address
    if (":" in host) is not (family == 6):
        raise SocketError(WsaError.WSAEAFNOSUPPORT, f"{host} is not an IPv{family} address")
    try:
        host = str(parse_host(host))
    except ValueError:
        raise SocketError(WsaError.WSAEADDRNOTAVAIL, f"{host} is no IP address") from None
    if not 0 <= port <= HIGHEST_PORT:
        raise SocketError(WsaError.WSAEADDRNOTAVAIL, f"{port} is no port")
    return host, port


def canonical_peer(address: Address, family: int) -> Address:
    """Return the canonical address of a peer: somebody's, never a group's or everybody's (R15).

    Raises:
        SocketError: as `canonical`; WSAEADDRNOTAVAIL for what is no unicast address (1M).
    """
    peer = canonical(address, family)
    if not is_unicast(peer):
        raise SocketError(WsaError.WSAEADDRNOTAVAIL, f"{peer[0]} port {peer[1]} is nobody's")
    return peer


def canonical_group(address: Address, family: int) -> Address:
    """Return the canonical address of a session: a group's.

    Raises:
        SocketError: as `canonical`; WSAEADDRNOTAVAIL for what is no group with a port (W12).
    """
    group = canonical(address, family)
    if not is_group_host(group[0]) or group[1] == 0:
        raise SocketError(WsaError.WSAEADDRNOTAVAIL, f"{group[0]} port {group[1]} is no session")
    return group
