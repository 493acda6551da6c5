"""Drive a provider with real UDP sockets and an asyncio loop.

After everything that happens (a call, datagrams, a timer) `settle` puts out what the provider wants
sent, sets the one timer, and tells whoever listens. Sockets are drained before timers fire, so that
an answer which has arrived in time always wins over its own time-out.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from mpwire.core import Entropy, TimerPlan
from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.core.groups import is_group_host
from mpwire.io.multicast import reached_group
from mpwire.io.network import Network, Udp
from mpwire.io.udp import UNREACHABLE, Arrival
from mpwire.io.watching import AddressChanged
from mpwire.winsock import Provider
from mpwire.winsock.transport import WILDCARDS


class TimerHandle(Protocol):
    """A timer of a loop; `asyncio.TimerHandle` is one."""

    def cancel(self) -> None:
        """Forget it."""

    def when(self) -> float:
        """Tell when it is due."""


class Loop(Protocol):
    """The time of a driver; an asyncio loop is one."""

    def time(self) -> float:
        """Return the time in seconds since whenever."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> TimerHandle:
        """Call something at a time."""


class Driver:
    """Own the UDP sockets of one provider and its place in an event loop."""

    def __init__(
        self,
        loop: Loop,
        network: Network,
        entropy: Entropy,
        plan: TimerPlan,
        on_progress: Callable[[], None],
    ) -> None:
        """Make a provider that lives on `loop`.

        Args:
            loop: gives the time.
            network: gives the sockets, and says when they are readable.
            entropy: for the provider.
            plan: timers for the provider.
            on_progress: called after datagrams or timers were handled; events may wait.
        """
        self.loop = loop
        self.network = network
        self.on_progress = on_progress
        self.sockets: dict[Address, Udp] = {}
        self.group_sockets: dict[tuple[Address, Address], Udp] = {}
        """What hears a group for an open address, by that address and the group."""
        self.hop_limits: dict[Address, int] = {}
        self.provider = Provider(self, entropy, plan)
        self.unsent_count = 0
        """Datagrams that the kernel refused."""
        self._timer: TimerHandle | None = None
        network.follow(self._on_change)

    @property
    def now_s(self) -> float:
        """Return the time of the loop, which is all the time there is."""
        return self.loop.time()

    # Transport of the provider ----------------------------------------------------------------

    def open(self, address: Address | None, family: int) -> Address:
        """Bind a UDP socket and watch it."""
        udp = self.network.bind(address, family)
        self.sockets[udp.local] = udp
        self.network.watch(udp, self._on_readable)
        self._follow_network()
        return udp.local

    def release(self, address: Address) -> None:
        """Close a UDP socket, once what it has to say is out: an ABORT may be its last word."""
        self._send()
        udp = self.sockets.pop(address)
        self.hop_limits.pop(address, None)
        self.network.close(udp)

    def source_for(self, local: Address, peer: Address) -> Address:
        """Return the concrete address from which a bound socket reaches a peer."""
        return self.sockets[local].source_for(peer)

    def set_reach(self, local: Address, source: Address, hop_limit: int) -> None:
        """Choose interface and hop limit of what a socket sends to groups."""
        self.network.set_reach(self.sockets[local], source[0], hop_limit)
        self.hop_limits[local] = hop_limit

    def join_group(
        self, local: Address, source: Address, group: Address, origins: Sequence[str]
    ) -> None:
        """Open a socket that hears a group, and watch it."""
        udp, hop_limit = self.sockets[local], self.hop_limits[local]
        heard = self.network.hear(udp, group, source[0], hop_limit, origins)
        self.group_sockets[local, group] = heard
        self.network.watch(heard, self._on_readable)

    def leave_group(self, local: Address, group: Address) -> None:
        """Close the socket that heard a group, which ends its membership."""
        self.network.close(self.group_sockets.pop((local, group)))

    # Running ----------------------------------------------------------------------------------

    def _on_readable(self, udp: Udp) -> None:
        self._drain_one(udp)
        self.settle()
        self.on_progress()

    def _drain_one(self, udp: Udp) -> None:
        for arrival in udp.receive_all():
            if isinstance(arrival, Arrival):
                self.provider.receive_untrusted(
                    udp.opened, arrival.data, arrival.source, arrival.destination, self.now_s
                )
            else:
                self.provider.unreachable_untrusted(
                    udp.opened, arrival.quote, arrival.peer, self.now_s, port=arrival.port
                )
            self._send()

    def _on_change(self) -> None:
        self._follow_network()
        self.settle()
        self.on_progress()

    def _follow_network(self) -> None:
        """Tell the provider which addresses and routes have changed (RS18, W96)."""
        for change in self.network.changes():
            if isinstance(change, AddressChanged):
                self.provider.interface_changed(change.host, self.now_s, is_up=change.is_up)
            else:
                self.provider.routes_changed()

    def drain(self) -> None:
        """Handle every datagram that is queued at any socket right now."""
        self._follow_network()
        for udp in self.network.ready():
            self._drain_one(udp)
        self.settle()

    def settle(self) -> None:
        """Send what is to be sent and set the timer."""
        self._send()
        self.provider.dropped.clear()
        next_s = self.provider.next_timer_s()
        if self._timer is not None:
            if next_s == self._timer.when():
                return
            self._timer.cancel()
            self._timer = None
        if next_s is not None:
            self._timer = self.loop.call_at(next_s, self._on_timer)

    def _send(self) -> None:
        datagrams, self.provider.datagrams = self.provider.datagrams, []
        for datagram in datagrams:
            udp = self._socket_of(datagram.source)
            refusal = None if udp is None else udp.send(self._as_sent(udp, datagram))
            if udp is None or refusal is not None:
                self.unsent_count += 1
            if udp is not None and refusal is not None and refusal.errno in UNREACHABLE:
                self.provider.unreachable_untrusted(
                    udp.local, datagram.data, datagram.destination, self.now_s, port=False
                )

    def _as_sent(self, udp: Udp, datagram: SendDatagram) -> SendDatagram:
        """Return a datagram with the group that it really goes to, if it goes to one."""
        if self.hop_limits.get(udp.local) != 0 or not is_group_host(datagram.destination[0]):
            return datagram
        group = reached_group(datagram.destination, udp.family, 0)
        return SendDatagram(datagram.data, datagram.source, group)

    def _socket_of(self, source: Address) -> Udp | None:
        """Return the socket bound to this address, or to its port on all addresses."""
        wildcard = WILDCARDS[6 if ":" in source[0] else 4]
        return self.sockets.get(source) or self.sockets.get((wildcard, source[1]))

    def _on_timer(self) -> None:
        self._timer = None
        self.drain()
        self.provider.expire_timers(self.now_s)
        self.settle()
        self.on_progress()

    def close(self) -> None:
        """Close every socket and stop the timer; peers are told nothing (D38)."""
        if self._timer is not None:
            self._timer.cancel()
        for local, group in [*self.group_sockets]:
            self.leave_group(local, group)
        for address in [*self.sockets]:
            self.release(address)
        self.network.shut()
