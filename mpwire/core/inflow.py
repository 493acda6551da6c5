"""What arrives of one origin: what is new, what is missing, and how much more has room."""

from dataclasses import dataclass, field
from typing import Final

from mpwire.core.serial import after, plus

BUFFER: Final = 256
"""Messages of one origin that wait for the application before the window is closed (11.3)."""
INITIAL_WINDOW: Final = 32
"""Messages a sender may have out before the first DATA_ACK tells it more (11.3)."""
ACKNOWLEDGE_AFTER: Final = 8
"""New messages after which DATA_ACK does not wait for its timer (11.3)."""
HORIZON: Final = 1024
"""How far from the others a message may be that is not repaired (R84, 11.2)."""
RANGES: Final = 32
"""Ranges one NACK has room for."""


@dataclass(slots=True)
class Inflow:
    """Track the sequence numbers of one origin, and under REPAIR put its messages in order."""

    next_seq: int
    """First sequence number not yet received (RcvNext)."""
    repairs: bool = False
    """Whether REPAIR is in effect: in order and without a gap, instead of as it comes."""
    ahead: dict[int, bytes] = field(default_factory=dict)
    """Messages received beyond a gap."""
    lead: int = field(init=False)
    """Sequence number after the last message that is known to exist."""
    unread: int = 0
    """Messages handed up that the application has not taken yet."""
    backlog: int = 0
    """Messages that the slowest receiver of a relay has not acknowledged yet."""
    unacknowledged: int = 0
    """Messages received since the last DATA_ACK."""
    limit: int = field(init=False)
    """First sequence number that the origin was not given room for."""

    def __post_init__(self) -> None:
        """Give the origin the room it counts on before it is told of any."""
        self.lead = self.next_seq
        self.limit = plus(self.next_seq, INITIAL_WINDOW)

    def take(self, seq: int, payload: bytes) -> list[bytes] | None:
        """Note the arrival of message `seq`.

        Returns:
            the messages that can be handed up now, in order; None if it is a duplicate, or so
            far ahead that nobody allowed it.
        """
        if after(seq, self.next_seq) < 0 or seq in self.ahead or not self._reaches(seq):
            return None
        self.unacknowledged += 1
        lead = self.lead
        self.announce(plus(seq, 1))
        self.ahead[seq] = payload if self.repairs else b""
        in_order = []
        while self.next_seq in self.ahead:
            in_order.append(self.ahead.pop(self.next_seq))
            self.next_seq = plus(self.next_seq, 1)
        if not self.repairs:
            for number in range(after(self.lead, lead)):
                self.ahead.pop(plus(lead, number - HORIZON), None)
            return [payload]
        self.unread += len(in_order)
        return in_order

    def _reaches(self, seq: int) -> bool:
        """Tell whether a message is where one may be; what is lost for good stops none after it."""
        if self.repairs:
            return after(seq, self.limit) < 0
        return -HORIZON <= after(seq, self.lead) < HORIZON

    def announce(self, lead: int) -> None:
        """Note that every message before `lead` exists."""
        if after(lead, self.lead) > 0:
            self.lead = lead

    @property
    def has_gap(self) -> bool:
        """Tell whether a message is missing that is known to exist."""
        return self.next_seq != self.lead

    def complete_to(self, final_seq: int) -> bool:
        """Tell whether everything up to and including `final_seq` has arrived."""
        return after(final_seq, self.next_seq) < 0

    def missing(self) -> tuple[tuple[int, int], ...]:
        """Return the first ranges (first, last) of what is missing, as many as a NACK names."""
        ranges: list[tuple[int, int]] = []
        first = self.next_seq
        for seq in [*sorted(self.ahead, key=lambda seq: after(seq, self.next_seq)), self.lead]:
            if seq != first and len(ranges) < RANGES:
                ranges.append((first, plus(seq, -1)))
            first = plus(seq, 1)
        return tuple(ranges)

    @property
    def window(self) -> int:
        """Return how many messages from RcvNext on there is room for."""
        return max(BUFFER - max(self.unread, self.backlog), after(self.limit, self.next_seq), 0)

    def acknowledge(self) -> int:
        """Note that a DATA_ACK goes out, and return its Window; room once given is never taken."""
        self.unacknowledged = 0
        self.limit = plus(self.next_seq, self.window)
        return self.window

    @property
    def reopens(self) -> bool:
        """Tell whether the origin should hear at once that there is room again."""
        left = after(self.limit, self.next_seq)
        return left < ACKNOWLEDGE_AFTER and self.window >= BUFFER // 2
