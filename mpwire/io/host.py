"""What a facade's sockets live on: one provider and its driver, on one asyncio loop.

A host is to its loop what a process is to Winsock: it owns the descriptors, and goes on serving a
membership that is still ending when its socket has been closed. Every socket selects all its events
with one event object; whenever that is set, the host enumerates the sockets that set it and hands
each of them its events. No task runs in here: only readers and one timer of the loop.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final, Protocol

from mpwire.core import Entropy, TimerPlan
from mpwire.io.driver import Driver
from mpwire.io.network import KernelNetwork
from mpwire.vocabulary import NetworkEvent, WsaError

EVENT_OBJECT: Final = 1
"""The one event object of all sockets of a host."""
ALL_EVENTS: Final = (
    NetworkEvent.FD_CONNECT
    | NetworkEvent.FD_ACCEPT
    | NetworkEvent.FD_READ
    | NetworkEvent.FD_WRITE
    | NetworkEvent.FD_CLOSE
    | NetworkEvent.FD_QOS
    | NetworkEvent.FD_ROUTING_INTERFACE_CHANGE
    | NetworkEvent.FD_ADDRESS_LIST_CHANGE
)


class Observer(Protocol):
    """Whoever wants to know what happens on a socket."""

    def on_event(self, event: NetworkEvent, code: WsaError) -> None:
        """Take one network event of the socket."""


class Host:
    """Hold the sockets of one loop."""

    def __init__(self, plan: TimerPlan | None = None, seed: bytes | None = None) -> None:
        """Start on the running loop.

        Args:
            plan: timers, those of the specification unless given.
            seed: origin of tags and jitter, the system's entropy unless given.
        """
        self.loop = asyncio.get_running_loop()
        entropy = Entropy(os.urandom(32) if seed is None else seed)
        self.driver = Driver(
            self.loop, KernelNetwork(self.loop), entropy, plan or TimerPlan(), self.progress
        )
        self.provider = self.driver.provider
        self.observers: dict[int, Observer] = {}
        """Whoever observes a socket, by its descriptor."""
        self._waiters: set[asyncio.Future[None]] = set()
        self._is_waking = False
        self._keeper = self._keep()
        with suppress(StopIteration):  # run it to its yield, where the end of the loop finds it
            self._keeper.__anext__().send(None)

    async def _keep(self) -> AsyncGenerator[None, None]:
        """Close the UDP sockets when the loop shuts its generators down, before it closes."""
        try:
            yield
        finally:
            self.close()

    @property
    def now_s(self) -> float:
        """Return the time of the loop."""
        return self.loop.time()

    def progress(self) -> None:
        """Put out what is to be sent and tell everybody what happened."""
        self.driver.settle()
        self.provider.completions.clear()  # of closes that linger; nothing else blocks here
        for handle in self.provider.take_signal(EVENT_OBJECT):
            events = self.provider.enum_network_events(handle)
            observer = self.observers.get(handle)
            if observer is not None:
                for event, code in events:
                    observer.on_event(event, code)
        if self._waiters and not self._is_waking:
            self._is_waking = True
            self.loop.call_soon(self._wake)

    def _wake(self) -> None:
        """Wake who waits for any change, once for all that one turn of the loop has brought."""
        self._is_waking = False
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def change(self) -> None:
        """Wait until something has happened on this host."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def close(self) -> None:
        """Close every UDP socket; peers are told nothing (D38)."""
        HOSTS.pop(self.loop, None)
        self.driver.close()


HOSTS: Final[dict[asyncio.AbstractEventLoop, Host]] = {}
"""The host of each loop that has one."""


def current_host() -> Host:
    """Return the host of the running loop, made when it is first asked for."""
    loop = asyncio.get_running_loop()
    if loop not in HOSTS:
        HOSTS[loop] = Host()
    return HOSTS[loop]
