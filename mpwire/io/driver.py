"""Drive a provider with real UDP sockets and an asyncio loop.

After everything that happens (a call, datagrams, a timer) `settle` puts out what the provider wants
sent, sets the one timer, and tells whoever listens. Sockets are drained before timers fire, so that
an answer which has arrived in time always wins over its own time-out.
"""

import asyncio
from collections.abc import Callable

from mpwire.core import Entropy, TimerPlan
from mpwire.core.address import Address
from mpwire.io.udp import UNREACHABLE, Arrival, UdpSocket
from mpwire.winsock import Provider


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
        self.provider = Provider(self, entropy, plan)
        self.unsent_count = 0
        """Datagrams that the kernel refused."""
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
        self.loop.add_reader(udp.socket, self._on_readable, udp)
        return udp.local

    def release(self, address: Address) -> None:
        """Close a UDP socket, once what it has to say is out: an ABORT may be its last word."""
        self._send()
        udp = self.sockets.pop(address)
        self.loop.remove_reader(udp.socket)
        udp.close()

    def source_for(self, local: Address, peer: Address) -> Address:
        """Return the concrete address from which a bound socket reaches a peer."""
        return self.sockets[local].source_for(peer)

    # Running ----------------------------------------------------------------------------------

    def _on_readable(self, udp: UdpSocket) -> None:
        self._drain_one(udp)
        self.settle()
        self.on_progress()

    def _drain_one(self, udp: UdpSocket) -> None:
        for arrival in udp.receive_all():
            if isinstance(arrival, Arrival):
                self.provider.receive_untrusted(
                    udp.local, arrival.data, arrival.source, arrival.destination, self.now_s
                )
            else:
                self.provider.unreachable_untrusted(
                    udp.local, arrival.quote, arrival.peer, self.now_s, port=arrival.port
                )
            self._send()

    def drain(self) -> None:
        """Handle every datagram that is queued at any socket right now."""
        for udp in [*self.sockets.values()]:
            if udp.local in self.sockets:
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
            refusal = None if udp is None else udp.send(datagram)
            if udp is None or refusal is not None:
                self.unsent_count += 1
            if udp is not None and refusal is not None and refusal.errno in UNREACHABLE:
                self.provider.unreachable_untrusted(
                    udp.local, datagram.data, datagram.destination, self.now_s, port=False
                )

    def _socket_of(self, source: Address) -> UdpSocket | None:
        """Return the socket bound to this address, or to its port on all addresses."""
        exact = self.sockets.get(source)
        if exact is not None:
            return exact
        return next((udp for udp in self.sockets.values() if udp.local[1] == source[1]), None)

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
        for address in [*self.sockets]:
            self.release(address)
