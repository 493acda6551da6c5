"""What goes out of one origin to one receiver: what has left, what may leave, what may be repaired.

Every receiver has an outflow of its own, so that a leaf costs only what it has not acknowledged;
the payloads are shared.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mpwire.core.inflow import HORIZON, INITIAL_WINDOW
from mpwire.core.pacing import BURST, Pacer
from mpwire.core.serial import after, plus

HIGHEST_ATTEMPT: Final = 255
"""What the Attempt octet can count; a message repaired that often is not repaired again."""
REPAIRS_PER_NACK: Final = 64
"""Repairs one NACK can cause; whoever misses more asks again (11.4)."""


@dataclass(slots=True)
class Outflow:
    """Keep what one receiver has not acknowledged of one origin."""

    next_seq: int
    """Sequence number of the next message to be submitted."""
    repairs: bool = False
    """Whether REPAIR is in effect; without it nothing that has left is kept, nor counted."""
    pacer: Pacer | None = None
    """How fast messages may leave, once the session has said so."""
    sent_seq: int = field(init=False)
    """Sequence number of the next message to leave."""
    acked_seq: int = field(init=False)
    """The receiver's RcvNext: everything before it has arrived."""
    limit: int = field(init=False)
    """First sequence number the receiver has no room for."""
    kept: dict[int, bytes] = field(default_factory=dict)
    """Messages submitted and not acknowledged."""
    attempts: dict[int, int] = field(default_factory=dict)
    """How often a message has left, if more than once."""
    syncs: int = 0
    """Copies of SYNC sent since the last new message."""
    ended: bool = False
    """Whether this is a relayed origin that has left: nothing more will be submitted."""
    by_group: set[int] = field(default_factory=set)
    """Messages submitted that are to leave by multicast, once for all who hear the group."""
    silence: int = 0
    """SYNCs sent since anything left, or was acknowledged."""

    def __post_init__(self) -> None:
        """Start with nothing sent."""
        self.sent_seq = self.acked_seq = self.next_seq
        self.limit = plus(self.next_seq, INITIAL_WINDOW)

    @property
    def has_window(self) -> bool:
        """Tell whether the receiver has room for one more message."""
        return not self.repairs or after(self.limit, self.next_seq) > 0

    @property
    def has_room(self) -> bool:
        """Tell whether one more message may be submitted: it leaves at once, or soon."""
        return self.has_window and self.unsent < BURST

    @property
    def unsent(self) -> int:
        """Return how many messages wait for the window or for their time."""
        return after(self.next_seq, self.sent_seq)

    @property
    def is_acknowledged(self) -> bool:
        """Tell whether everything submitted has arrived, as far as anybody says."""
        return not self.kept

    @property
    def lags(self) -> bool:
        """Tell whether the receiver owes a DATA_ACK: for messages, or for room to send more."""
        return bool(self.kept) or not self.has_window

    def submit(self, seq: int, payload: bytes, *, by_group: bool = False) -> None:
        """Add the next message."""
        self.next_seq = plus(seq, 1)
        self.kept[seq] = payload
        if by_group:
            self.by_group.add(seq)

    @property
    def is_held_back(self) -> bool:
        """Tell whether messages wait, although the receiver has room."""
        window = not self.repairs or after(self.limit, self.sent_seq) > 0
        return window and self.sent_seq != self.next_seq

    @property
    def is_paced(self) -> bool:
        """Tell whether the next message waits for its own time, not for that of the group."""
        return self.is_held_back and self.sent_seq not in self.by_group

    def leaving(self, now_s: float) -> Iterator[tuple[int, bytes]]:
        """Yield the messages that may leave now by themselves, once each."""
        while self.is_paced and (self.pacer is None or self.pacer.admits(now_s)):
            yield self._leave()

    def leave_by_group(self, now_s: float) -> None:
        """Note that the next message has left by multicast: it takes its share of the pace."""
        assert self.pacer is not None
        self.pacer.admits(now_s)
        self.by_group.discard(self.sent_seq)
        self._leave()

    def _leave(self) -> tuple[int, bytes]:
        seq, self.sent_seq = self.sent_seq, plus(self.sent_seq, 1)
        self.syncs = self.silence = 0
        return seq, self.kept[seq] if self.repairs else self.kept.pop(seq)

    def withdraw(self) -> None:
        """Take back what has not left."""
        while self.next_seq != self.sent_seq:
            self.next_seq = plus(self.next_seq, -1)
            del self.kept[self.next_seq]

    def acknowledge(self, rcv_next: int, window: int) -> int | None:
        """Take a DATA_ACK; return how many messages have arrived, None if they never left."""
        if after(rcv_next, self.sent_seq) > 0 or window > HORIZON:
            return None
        arrived = max(after(rcv_next, self.acked_seq), 0)
        if arrived:
            self.silence = 0
        for _ in range(arrived):
            self.kept.pop(self.acked_seq, None)
            self.attempts.pop(self.acked_seq, None)
            self.acked_seq = plus(self.acked_seq, 1)
        if not self.kept:
            self.kept.clear()  # an emptied dictionary keeps its table; a cleared one has none
        limit = plus(rcv_next, window)
        if after(limit, self.limit) > 0:
            self.limit = limit
        return arrived

    def repairable(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (seq, Attempt, payload) of what a NACK names, has left, and is still kept."""
        count = 0
        for first, last in ranges:
            length = min(after(last, first) + 1, HORIZON)
            for seq in (plus(first, offset) for offset in range(length)):
                attempt = self.attempts.get(seq, 1) + 1
                left = after(self.sent_seq, seq) > 0
                if seq not in self.kept or not left or attempt > HIGHEST_ATTEMPT:
                    continue
                self.attempts[seq] = attempt
                yield seq, attempt, self.kept[seq]
                count += 1
                if count == REPAIRS_PER_NACK:
                    return
