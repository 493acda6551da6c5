"""Drive a provider with real UDP sockets and an asyncio loop.

After everything that happens (a call, datagrams, a timer) `settle` puts out what the provider wants
sent, sets the one timer, and tells whoever listens. Sockets are drained before timers fire, so that
an answer which has arrived in time always wins over its own time-out.
"""

import asyncio
import selectors
from collections.abc import Callable, Sequence

from mpwire.core import Entropy, TimerPlan
from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.core.groups import is_group_host
from mpwire.io.multicast import GroupSocket, reached_group, set_reach
from mpwire.io.udp import UNREACHABLE, Arrival, UdpSocket
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.transport import WILDCARDS


class Driver:
    """Own the UDP sockets of one provider and its place in an event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        entropy: Entropy,
        plan: TimerPlan,
        on_progress: Callable[[], None],
    ) -> None:
        """Make a provider that lives on `loop`.

        Args:
            loop: gives the time and says when sockets are readable.
            entropy: for the provider.
            plan: timers for the provider.
            on_progress: called after datagrams or timers were handled; events may wait.
        """
        self.loop = loop
        self.on_progress = on_progress
        self.sockets: dict[Address, UdpSocket] = {}
        self.group_sockets: dict[tuple[Address, Address], GroupSocket] = {}
        """What hears a group for an open address, by that address and the group."""
        self.hop_limits: dict[Address, int] = {}
        self.provider = Provider(self, entropy, plan)
        self.unsent_count = 0
        """Datagrams that the kernel refused."""
        self._ready = selectors.DefaultSelector()
        """Tells which of many sockets have something queued, without asking each."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now_s(self) -> float:
        """Return the time of the loop, which is all the time there is."""
        return self.loop.time()

    # Transport of the provider ----------------------------------------------------------------

    def open(self, address: Address | None, family: int) -> Address:
        """Bind a UDP socket and watch it."""
        udp = UdpSocket(address, family)
        self.sockets[udp.local] = udp
        self._watch(udp)
        return udp.local

    def _watch(self, udp: UdpSocket) -> None:
        self.loop.add_reader(udp.socket, self._on_readable, udp)
        self._ready.register(udp.socket, selectors.EVENT_READ, udp)

    def _close_socket(self, udp: UdpSocket) -> None:
        self.loop.remove_reader(udp.socket)
        self._ready.unregister(udp.socket)
        udp.close()

    def release(self, address: Address) -> None:
        """Close a UDP socket, once what it has to say is out: an ABORT may be its last word."""
        self._send()
        udp = self.sockets.pop(address)
        self.hop_limits.pop(address, None)
        self._close_socket(udp)

    def source_for(self, local: Address, peer: Address) -> Address:
        """Return the concrete address from which a bound socket reaches a peer."""
        return self.sockets[local].source_for(peer)

    def set_reach(self, local: Address, source: Address, hop_limit: int) -> None:
        """Choose interface and hop limit of what a socket sends to groups."""
        set_reach(self.sockets[local], source[0], hop_limit)
        self.hop_limits[local] = hop_limit

    def join_group(
        self, local: Address, source: Address, group: Address, origins: Sequence[str]
    ) -> None:
        """Open a socket that hears a group, and watch it."""
        heard = GroupSocket(group, self.sockets[local], source[0], self.hop_limits[local])
        try:
            heard.join(origins)
        except SocketError:
            heard.close()
            raise
        self.group_sockets[local, group] = heard
        self._watch(heard)

    def leave_group(self, local: Address, group: Address) -> None:
        """Close the socket that heard a group, which ends its membership."""
        self._close_socket(self.group_sockets.pop((local, group)))

    # Running ----------------------------------------------------------------------------------

    def _on_readable(self, udp: UdpSocket) -> None:
        self._drain_one(udp)
        self.settle()
        self.on_progress()

    def _drain_one(self, udp: UdpSocket) -> None:
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

    def drain(self) -> None:
        """Handle every datagram that is queued at any socket right now."""
        for key, _ in self._ready.select(0):
            self._drain_one(key.data)
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

    def _as_sent(self, udp: UdpSocket, datagram: SendDatagram) -> SendDatagram:
        """Return a datagram with the group that it really goes to, if it goes to one."""
        if self.hop_limits.get(udp.local) != 0 or not is_group_host(datagram.destination[0]):
            return datagram
        group = reached_group(datagram.destination, udp.family, 0)
        return SendDatagram(datagram.data, datagram.source, group)

    def _socket_of(self, source: Address) -> UdpSocket | None:
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
        self._ready.close()
