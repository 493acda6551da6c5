"""A virtual network for providers: seeded faults, virtual time, the same seed the same trace.

    bus = Bus(seed=7, loss=0.1)
    root, leaf = bus.provider("10.0.0.1"), bus.provider("10.0.0.2")
    ...
    bus.run(5.0)

Datagrams are lost, duplicated and delayed by a generator of the bus's own, so that a failing test
is repeated by its seed. Nothing ever waits: time jumps to the next delivery or timer.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mpwire.core import Entropy, TimerPlan
from mpwire.core.address import Address
from mpwire.core.agenda import Agenda
from mpwire.core.events import SendDatagram
from mpwire.core.groups import is_group_host
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.wire.codec import decode_untrusted
from mpwire.wire.messages import Message

EPHEMERAL_PORT: Final = 61_000
MAXIMUM_STEPS: Final = 1_000_000
"""Deliveries and timers after which a run is taken for a loop."""
ALL_EVENTS: Final = (
    NetworkEvent.FD_CONNECT
    | NetworkEvent.FD_ACCEPT
    | NetworkEvent.FD_READ
    | NetworkEvent.FD_WRITE
    | NetworkEvent.FD_CLOSE
)


@dataclass(slots=True)
class Transit:
    """One datagram on the bus, and what became of it."""

    time_s: float
    source: Address
    destination: Address
    data: bytes
    copies: int
    """0 when it was lost, 2 when it was duplicated; of a group's datagram the sum of all."""

    @property
    def message(self) -> Message:
        """Return the datagram decoded."""
        return decode_untrusted(self.data)

    @property
    def name(self) -> str:
        """Return the class name of the message."""
        return type(self.message).__name__


@dataclass(slots=True)
class BusTransport:
    """The addresses of one host on the bus."""

    bus: "Bus"
    host: str
    ports: set[int] = field(default_factory=set)

    def open(self, address: Address | None, family: int) -> Address:
        """Take a port of this host."""
        del family
        host, port = address or (self.host, 0)
        if host not in {self.host, "0.0.0.0", "::"}:  # noqa: S104 - nothing is bound, it is virtual
            raise SocketError(WsaError.WSAEADDRNOTAVAIL, f"{host} is not {self.host}")
        if port == 0:
            port = next(free for free in range(EPHEMERAL_PORT, 65_536) if free not in self.ports)
        if port in self.ports:
            raise SocketError(WsaError.WSAEADDRINUSE, f"port {port} of {self.host} is taken")
        self.ports.add(port)
        opened = (self.host, port)
        self.bus.places[opened] = self.bus.providers[self.host]
        return opened

    def release(self, address: Address) -> None:
        """Give the port back."""
        self.ports.remove(address[1])
        del self.bus.places[address]
        for listeners in self.bus.groups.values():
            listeners.pop(address, None)

    def set_reach(self, local: Address, source: Address, hop_limit: int) -> None:
        """Note whether what is sent to groups stays on this host."""
        del source
        self.bus.reaches[local] = hop_limit

    def join_group(
        self, local: Address, source: Address, group: Address, origins: Sequence[str]
    ) -> None:
        """Hear what is sent to a group."""
        del source
        if group in self.bus.refused_groups:
            raise SocketError(self.bus.refused_groups[group], f"{group[0]} cannot be joined")
        self.bus.groups.setdefault(group, {})[local] = tuple(origins)

    def leave_group(self, local: Address, group: Address) -> None:
        """Hear it no more."""
        del self.bus.groups[group][local]

    def source_for(self, local: Address, peer: Address) -> Address:
        """Return the local address itself, unless the peer's host is cut off."""
        if peer[0] in self.bus.unreachable:
            raise SocketError(WsaError.WSAENETUNREACH, f"no route to {peer[0]}")
        return local


class Bus:
    """Carry datagrams between providers and keep the time for all of them."""

    def __init__(
        self,
        seed: int = 0,
        *,
        loss: float = 0.0,
        duplication: float = 0.0,
        delay_s: float = 0.001,
        jitter_s: float = 0.0,
        plan: TimerPlan | None = None,
        traced: bool = True,
    ) -> None:
        """Start an empty network.

        Args:
            seed: fixes faults, tags and jitter.
            loss: probability that a datagram is lost.
            duplication: probability that it arrives twice.
            delay_s: seconds every datagram takes at least.
            jitter_s: seconds it may take more, drawn evenly; reorders.
            plan: timers of the providers.
            traced: whether to keep every datagram in `trace`.
        """
        self.random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self.seed = seed
        self.loss, self.duplication = loss, duplication
        self.delay_s, self.jitter_s = delay_s, jitter_s
        self.plan = plan or TimerPlan()
        self.now_s = 0.0
        self.providers: dict[str, Provider] = {}
        self.places: dict[Address, Provider] = {}
        self.groups: dict[Address, dict[Address, tuple[str, ...]]] = {}
        """Who listens to a group, and to which hosts only."""
        self.reaches: dict[Address, int] = {}
        """Hop limit of what an address sends to groups."""
        self.refused_groups: dict[Address, WsaError] = {}
        """Groups that cannot be joined, and what the call fails with."""
        self.unreachable: set[str] = set()
        self.trace: list[Transit] = []
        self.traced = traced
        self.judge: Callable[[Transit], int] | None = None
        """Decides instead of `loss` whether a datagram arrives, or how often."""
        self._lives: Counter[str] = Counter()
        self._flying: list[tuple[float, int, Address, Transit]] = []
        self._agenda: Agenda[Provider] = Agenda()
        self._count = 0

    def __repr__(self) -> str:
        """Name the seed, so that a failing test can be repeated."""
        return f"Bus(seed={self.seed})"

    def provider(self, host: str) -> Provider:
        """Add a host with one process on it; one that was removed has other tags than before."""
        self._lives[host] += 1
        life = f" {self._lives[host]}" if self._lives[host] > 1 else ""
        entropy = Entropy(f"{self.seed} {host}{life}".encode())
        transport = BusTransport(self, host)
        self.providers[host] = Provider(transport, entropy, self.plan)
        return self.providers[host]

    def remove(self, host: str) -> None:
        """Take a host off the network, as if its process had been killed (D38)."""
        gone = self.providers.pop(host)
        self.places = {place: one for place, one in self.places.items() if one is not gone}
        self._agenda = Agenda()
        self.flush()

    def flush(self) -> None:
        """Put what the providers want to send on the wire."""
        for provider in self.providers.values():
            self._settle(provider)

    def _settle(self, provider: Provider) -> None:
        """Take from one provider what it wants sent, and note when its timers are due."""
        datagrams, provider.datagrams = provider.datagrams, []
        for datagram in datagrams:
            self.inject(datagram)
        self._agenda.note(provider, provider.next_timer_s())

    def inject(self, datagram: SendDatagram) -> None:
        """Put a datagram on the wire, whoever it is from."""
        transit = Transit(
            self.now_s, datagram.source, datagram.destination, datagram.data, copies=0
        )
        in_group = is_group_host(datagram.destination[0])
        is_kept = in_group and self._reach_of(datagram.source) == 0
        if self.traced and not is_kept:
            self.trace.append(transit)
        for receiver in self._listeners(transit) if in_group else [transit.destination]:
            copies = self._copies(transit)
            transit.copies += copies
            for _ in range(copies):
                self._count += 1
                at_s = self.now_s + self.delay_s + self.jitter_s * self.random.random()
                heapq.heappush(self._flying, (at_s, self._count, receiver, transit))

    def _copies(self, transit: Transit) -> int:
        """Decide the fate of a datagram on its way to one receiver."""
        if self.judge is not None:
            return int(self.judge(transit))
        if self.random.random() < self.loss:
            return 0
        return 2 if self.random.random() < self.duplication else 1

    def _listeners(self, transit: Transit) -> list[Address]:
        """Return the addresses that hear a datagram to a group, also on its own host.

        Those with a hop limit of 0 hear only each other, and only on one host.
        """
        host, kept = transit.source[0], self._reach_of(transit.source) == 0
        return [
            listener
            for listener, origins in self.groups.get(transit.destination, {}).items()
            if (not origins or host in origins)
            and kept is (self._reach_of(listener) == 0)
            and (host == listener[0] or not kept)
        ]

    def _reach_of(self, local: Address) -> int:
        """Return the hop limit of an address, open or not; 1 if it has none of its own."""
        return self.reaches.get(local, 1)

    def next_s(self) -> float | None:
        """Return when something happens next: a delivery or a timer."""
        timer_s = self._agenda.next_s()
        flight_s = self._flying[0][0] if self._flying else None
        return min((at_s for at_s in (flight_s, timer_s) if at_s is not None), default=None)

    def run(self, for_s: float, called: Iterable[Provider] | None = None) -> None:
        """Let everything happen that happens within the next `for_s` seconds.

        Args:
            for_s: how long, in seconds of the bus.
            called: the only providers that were called since the last run, if that is known; with
                thousands of hosts it takes long to look at each.
        """
        end_s = self.now_s + for_s
        for provider in self.providers.values() if called is None else called:
            self._settle(provider)
        for _ in range(MAXIMUM_STEPS):
            next_s = self.next_s()
            if next_s is None or next_s > end_s:
                self.now_s = end_s
                return
            self.now_s = max(self.now_s, next_s)
            for provider in self._step():
                self._settle(provider)
        raise AssertionError(f"{self!r}: no end after {MAXIMUM_STEPS} steps")

    def _step(self) -> list[Provider]:
        """Deliver a datagram, or let the timers expire that are due; return who was concerned."""
        if self._flying and self._flying[0][0] <= self.now_s:
            _, _, receiver, transit = heapq.heappop(self._flying)
            provider = self.places.get(receiver)
            if provider is None:
                return []
            provider.receive_untrusted(
                receiver, transit.data, transit.source, transit.destination, self.now_s
            )
            return [provider]
        due = [*self._agenda.due(self.now_s)]
        for provider in due:
            provider.expire_timers(self.now_s)
        return due

    def names(self) -> list[str]:
        """Return the message names on the wire so far, in order."""
        return [transit.name for transit in self.trace]
