"""The network below a driver: the kernel's sockets, or those of a simulated host."""

import asyncio
import selectors
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.io.multicast import GroupSocket, set_reach
from mpwire.io.udp import Arrival, UdpSocket, Unreachable
from mpwire.winsock import SocketError


class Udp(Protocol):
    """One UDP socket; `mpwire.io.udp.UdpSocket` is one."""

    family: int
    local: Address
    opened: Address
    """The address that the provider knows this socket by."""

    def receive_all(self) -> Iterator[Arrival | Unreachable]:
        """Yield everything that is queued at the socket, errors included, until it is empty."""

    def send(self, datagram: SendDatagram) -> OSError | None:
        """Send a datagram from the address it names; return why it was not taken."""

    def source_for(self, peer: Address) -> Address:
        """Return the concrete local address from which a peer is reached."""


class Network(Protocol):
    """Open, watch and close UDP sockets."""

    def bind(self, address: Address | None, family: int) -> Udp:
        """Open a socket; raise SocketError where that cannot be."""

    def set_reach(self, udp: Udp, host: str, hop_limit: int) -> None:
        """Let what a socket sends to groups leave by the interface of a host's address."""

    def hear(
        self, udp: Udp, group: Address, host: str, hop_limit: int, origins: Sequence[str]
    ) -> Udp:
        """Open a socket that hears a group; raise SocketError where that cannot be."""

    def watch(self, udp: Udp, on_readable: Callable[[Udp], None]) -> None:
        """Call back when a socket has something queued."""

    def close(self, udp: Udp) -> None:
        """Watch a socket no more, and close it."""

    def ready(self) -> Iterable[Udp]:
        """List the watched sockets that have something queued now."""

    def shut(self) -> None:
        """Let go of everything."""


class KernelNetwork:
    """The sockets of this machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch sockets by a loop."""
        self._loop = loop
        self._selector = selectors.DefaultSelector()
        """Tells which of many sockets have something queued, without asking each."""

    def bind(self, address: Address | None, family: int) -> UdpSocket:
        """Bind a UDP socket."""
        return UdpSocket(address, family)

    def set_reach(self, udp: Udp, host: str, hop_limit: int) -> None:
        """Set the options that choose interface and hop limit."""
        assert isinstance(udp, UdpSocket)
        set_reach(udp, host, hop_limit)

    def hear(
        self, udp: Udp, group: Address, host: str, hop_limit: int, origins: Sequence[str]
    ) -> GroupSocket:
        """Bind a socket to a group and join it."""
        assert isinstance(udp, UdpSocket)
        heard = GroupSocket(group, udp, host, hop_limit)
        try:
            heard.join(origins)
        except SocketError:
            heard.close()
            raise
        return heard

    def watch(self, udp: Udp, on_readable: Callable[[Udp], None]) -> None:
        """Let the loop and the selector watch a socket."""
        assert isinstance(udp, UdpSocket)
        self._loop.add_reader(udp.socket, on_readable, udp)
        self._selector.register(udp.socket, selectors.EVENT_READ, udp)

    def close(self, udp: Udp) -> None:
        """Close a socket, and its membership with it."""
        assert isinstance(udp, UdpSocket)
        self._loop.remove_reader(udp.socket)
        self._selector.unregister(udp.socket)
        udp.close()

    def ready(self) -> Iterable[Udp]:
        """Ask the kernel which sockets are readable."""
        return [key.data for key, _ in self._selector.select(0)]

    def shut(self) -> None:
        """Close the selector."""
        self._selector.close()
