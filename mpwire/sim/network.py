"""The sockets of a simulated host, as a driver sees them."""

from collections.abc import Callable, Iterable, Sequence

from mpwire.core.address import Address
from mpwire.io.multicast import reached_group
from mpwire.io.network import Udp
from mpwire.io.watching import AddressChanged, Change
from mpwire.sim.process import AgentLoop
from mpwire.sim.stack import SimSocket, Stack


class SimNetwork:
    """Open sockets on a stack and watch them."""

    def __init__(self, stack: Stack, loop: AgentLoop) -> None:
        """Serve one agent."""
        self._stack = stack
        self._loop = loop
        self._watched: dict[SimSocket, Callable[[Udp], None]] = {}
        self._called: set[SimSocket] = set()
        """Sockets whose reader will be called."""
        self._changes: list[AddressChanged] = []

    def bind(self, address: Address | None, family: int) -> SimSocket:
        """Bind a socket."""
        return self._stack.bind(address, family)

    def set_reach(self, udp: Udp, host: str, hop_limit: int) -> None:
        """Take the hop limit; a simulated host has one interface."""
        del host
        assert isinstance(udp, SimSocket)
        udp.hop_limit = hop_limit

    def hear(
        self, udp: Udp, group: Address, host: str, hop_limit: int, origins: Sequence[str]
    ) -> SimSocket:
        """Open a socket that hears a group."""
        del host
        assert isinstance(udp, SimSocket)
        reached = reached_group(group, udp.family, hop_limit)
        heard = self._stack.hear(reached, udp, origins, confined=hop_limit == 0)
        heard.heard_as = group
        return heard

    def watch(self, udp: Udp, on_readable: Callable[[Udp], None]) -> None:
        """Call back soon when something was queued."""
        assert isinstance(udp, SimSocket)
        self._watched[udp] = on_readable
        udp.on_ready = lambda: self._wake(udp)

    def _wake(self, socket: SimSocket) -> None:
        if socket not in self._called:
            self._called.add(socket)
            self._loop.call_soon(lambda: self._read(socket))

    def _read(self, socket: SimSocket) -> None:
        self._called.discard(socket)
        on_readable = self._watched.get(socket)
        if on_readable is not None and socket.queue:
            on_readable(socket)

    def close(self, udp: Udp) -> None:
        """Close a socket."""
        assert isinstance(udp, SimSocket)
        self._watched.pop(udp, None)
        udp.close()

    def ready(self) -> Iterable[Udp]:
        """List the sockets that have something queued."""
        return [one for one in self._watched if one.queue]

    def follow(self, on_change: Callable[[], None]) -> None:
        """Call back when the stack loses its interface, or has it again."""

        def note(host: str, is_up: bool) -> None:
            self._changes.append(AddressChanged(host, is_up=is_up))
            self._loop.call_soon(on_change)

        self._stack.on_interface = note

    def changes(self) -> Iterable[Change]:
        """Tell what has changed since; to who was frozen, what is as it was has not."""
        changes, self._changes = self._changes, []
        first = {one.host: one for one in reversed(changes)}
        last = {one.host: one for one in changes}
        return [one for host, one in last.items() if one.is_up is first[host].is_up]

    def shut(self) -> None:
        """Have nothing to let go of."""
