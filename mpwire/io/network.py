"""The network below a driver: the kernel's sockets, or those of a simulated host."""

import asyncio
import selectors
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.io.multicast import GroupSocket, set_reach
from mpwire.io.udp import Arrival, UdpSocket, Unreachable
from mpwire.io.watching import AddressChanged, Change, NetworkWatch
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

    def follow(self, on_change: Callable[[], None]) -> None:
        """Call back when `changes` has something to tell."""

    def changes(self) -> Iterable[Change]:
        """Tell which addresses and routes have changed since this was last asked."""

    def shut(self) -> None:
        """Let go of everything."""


class KernelNetwork:
    """The sockets of this machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch sockets by a loop."""
        self._loop = loop
        self._selector = selectors.DefaultSelector()
        """Tells which of many sockets have something queued, without asking each."""
        self._count = 0
        """Sockets that are watched."""
        self._changes: NetworkWatch | None = None
        """Tells of addresses and routes, while there are sockets to which they matter."""
        self._lost: set[str] = set()
        """Addresses that were told of as lost."""
        self._on_change: Callable[[], None] = lambda: None

    def bind(self, address: Address | None, family: int) -> UdpSocket:
        """Bind a UDP socket; the first one decides which network namespace is followed."""
        udp = UdpSocket(address, family)
        if self._changes is None and (watch := NetworkWatch.open()) is not None:
            self._changes = watch
            self._loop.add_reader(watch.socket, self._on_change)
        return udp

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
        self._count += 1

    def close(self, udp: Udp) -> None:
        """Close a socket, and its membership with it."""
        assert isinstance(udp, UdpSocket)
        self._loop.remove_reader(udp.socket)
        self._selector.unregister(udp.socket)
        udp.close()
        self._count -= 1
        if not self._count and self._changes is not None:
            self._loop.remove_reader(self._changes.socket)
            self._changes.close()
            self._changes = None

    def ready(self) -> Iterable[Udp]:
        """Ask the kernel which sockets are readable."""
        return [key.data for key, _ in self._selector.select(0)]

    def follow(self, on_change: Callable[[], None]) -> None:
        """Take who is to be called."""
        self._on_change = on_change

    def changes(self) -> Iterable[Change]:
        """Ask the kernel; what was lost and is there again counts, whenever that happened."""
        if self._changes is None:
            return []
        found = [*self._changes.changes()]
        back = self._lost & self._changes.hosts
        known = {change.host for change in found if isinstance(change, AddressChanged)}
        self._lost -= back
        self._lost |= known - self._changes.hosts
        return [*(AddressChanged(host, is_up=True) for host in sorted(back - known)), *found]

    def shut(self) -> None:
        """Close the selector."""
        self._selector.close()
