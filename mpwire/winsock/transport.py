"""What the provider needs from the world below: UDP addresses, at once, by call."""

from typing import Protocol

from mpwire.core.events import Address
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


def check_peer(address: Address, family: int) -> None:
    """Refuse a remote address that cannot be one (1M: EAFNOSUPPORT, EADDRNOTAVAIL)."""
    host, port = address
    if (":" in host) is not (family == 6):
        raise SocketError(WsaError.WSAEAFNOSUPPORT, f"{host} is not an IPv{family} address")
    if host in WILDCARDS.values() or port == 0:
        raise SocketError(WsaError.WSAEADDRNOTAVAIL, f"{host} port {port} is nobody's address")
