"""What the provider needs from the world below: UDP addresses, at once, by call."""

from typing import Protocol

from mpwire.core.address import HIGHEST_PORT, Address, is_unicast, parse_host
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
