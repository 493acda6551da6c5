"""The timers of protocol.md 10, as announced on the wire, and the queue of running ones."""

import heapq
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Final, Generic, TypeVar

from mpwire.core.entropy import Entropy
from mpwire.wire.messages import Timers

CANCEL_SENDS: Final = 3
"""Copies of a CANCEL before its sender stops waiting for CANCEL_ACK."""
PROBE_SENDS: Final = 4
"""Unanswered copies of a PROBE after which the peer is dead."""
QUEUE_GRACE_S: Final = 10.0
"""How much longer than the initiator a responder keeps a queued request (T_PEND + 10 s)."""
CONTROLLED: Final = 1
"""TFlags bit: these timers belong to a test network (RFC 8085 section 3.6)."""

Owner = TypeVar("Owner")


class TimerName(Enum):
    """The timers a membership can have running at once."""

    __hash__ = object.__hash__  # members are singletons; this one runs in C

    RETRANSMIT = "retransmit"
    """The next copy of the outstanding request (JOIN_REQ, poll, ACCEPT, CANCEL, CLOSE, PROBE)."""
    LIMIT = "limit"
    """The end of the state: T_PEND, queue expiry, T_DRAIN without progress, or T_LINGER."""
    KEEPALIVE = "keepalive"
    """Silence after which the peer is probed."""
    ACKNOWLEDGE = "acknowledge"
    """The latest moment for DATA_ACK (T_ACK)."""
    NACK = "nack"
    """The next NACK for what is missing (T_NACK, doubling)."""
    PACE = "pace"
    """When the next message may leave."""
    SYNC = "sync"
    """The next SYNC for a receiver that has not acknowledged everything (T_SYNC, doubling)."""
    SIDE = "side"
    """The next copy of the private message that is out."""


@dataclass(slots=True)
class TimerPlan:
    """Durations one endpoint works with and announces in TIMERS (all in seconds)."""

    rto_initial_s: float = 1.0
    rto_maximum_s: float = 16.0
    keepalive_s: float = 20.0
    dead_s: float = 45.0
    pend_s: float = 180.0
    linger_s: float = 40.0
    drain_s: float = 6.0
    poll_s: float = 5.0
    cookie_life_s: float = 30.0
    retransmissions: int = 5
    """Sends of JOIN_REQ, ACCEPT and CLOSE before giving up (MRC)."""

    @property
    def acknowledge_s(self) -> float:
        """Return T_ACK: how long a DATA_ACK may wait for more to acknowledge (11.3)."""
        return self.rto_initial_s / 20

    @property
    def nack_s(self) -> float:
        """Return T_NACK: how long a gap may be mere reordering (11.4)."""
        return self.rto_initial_s / 50

    @property
    def sync_s(self) -> float:
        """Return T_SYNC: silence after the last DATA before SYNC tells where it ended (11.4)."""
        return self.rto_initial_s / 4

    def scaled(self, factor: float) -> "TimerPlan":
        """Return the plan with every duration multiplied by `factor`."""
        durations = {
            item.name: getattr(self, item.name) * factor
            for item in fields(self)
            if item.name.endswith("_s")
        }
        return TimerPlan(**durations, retransmissions=self.retransmissions)

    def announced(self) -> Timers:
        """Return the TIMERS value that tells the peer and every observer this plan."""
        return Timers(
            rto_initial_ms=_ms(self.rto_initial_s),
            rto_maximum_ms=_ms(self.rto_maximum_s),
            keepalive_ms=_ms(self.keepalive_s),
            dead_ms=_ms(self.dead_s),
            pend_ms=_ms(self.pend_s),
            linger_ms=_ms(self.linger_s),
            drain_ms=_ms(self.drain_s),
            mrc=self.retransmissions,
            tflags=0 if self == TimerPlan() else CONTROLLED,
        )

    def interval_s(self, sends: int, entropy: Entropy) -> float:
        """Return the wait after the `sends`-th copy: RTO * 2**(k-1), capped, times U[0.9, 1.1]."""
        doubled_s = self.rto_initial_s * (1 << (sends - 1))
        return min(doubled_s, self.rto_maximum_s) * entropy.uniform(0.9, 1.1)


def _ms(duration_s: float) -> int:
    return max(1, round(duration_s * 1000))


@dataclass(slots=True)
class TimerQueue(Generic[Owner]):
    """Keep the running timers of many owners, the earliest first.

    Setting a timer that runs replaces it. Replaced entries stay in the heap and are skipped when
    they surface: O(log n) for everything, whatever the number of memberships.
    """

    _heap: list[tuple[float, int, Owner, TimerName]] = field(default_factory=list)
    _running: dict[tuple[Owner, TimerName], int] = field(default_factory=dict)
    """The number of the entry that counts."""
    _count: int = 0

    def set(self, owner: Owner, name: TimerName, at_s: float) -> None:
        """Start timer `name` of `owner` to expire at `at_s`, instead of an earlier setting."""
        self._count += 1
        self._running[owner, name] = self._count
        heapq.heappush(self._heap, (at_s, self._count, owner, name))

    def hasten(self, owner: Owner, name: TimerName, at_s: float) -> None:
        """Start timer `name` of `owner`, or let it expire sooner; never later than it would.

        A second entry with the number of the first: the one that surfaces first is the timer.
        """
        count = self._running.get((owner, name))
        if count is None:
            self.set(owner, name, at_s)
        else:
            heapq.heappush(self._heap, (at_s, count, owner, name))

    def clear(self, owner: Owner, name: TimerName) -> None:
        """Stop timer `name` of `owner`, if it runs."""
        self._running.pop((owner, name), None)

    def running(self) -> list[tuple[Owner, TimerName]]:
        """Return which timers run, in no order of time."""
        return [*self._running]

    def next_s(self) -> float | None:
        """Return when the earliest timer expires, None when none runs."""
        while self._heap:
            at_s, count, owner, name = self._heap[0]
            if self._running.get((owner, name)) == count:
                return at_s
            heapq.heappop(self._heap)
        return None

    def pop_expired(self, now_s: float) -> tuple[Owner, TimerName] | None:
        """Take the earliest timer that is due at `now_s` out of the queue."""
        at_s = self.next_s()
        if at_s is None or at_s > now_s:
            return None
        _, _, owner, name = heapq.heappop(self._heap)
        del self._running[owner, name]
        return owner, name
