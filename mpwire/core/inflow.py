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
NACK_SENDS: Final = 8
"""NACKs of one series (R91)."""
FEWEST_NACKS: Final = 3
"""NACKs after which a SYNC begins another series; one more each time that is in vain (11.4)."""
SERIES_IN_VAIN: Final = 8
"""Series that SYNCs have begun, before what the next one still promises counts as lost (11.4)."""


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
    asked: int = 0
    """NACKs for what is missing since a SYNC last began a series."""
    in_vain: int = 0
    """How often a SYNC began one, since RcvNext last moved."""
    asked_s: float = 0.0
    """When the first NACK left, since RcvNext last moved."""
    begun_s: float = 0.0
    """When a SYNC last began a series."""

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
        if in_order:
            self.asked = self.in_vain = 0
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

    def ask(self, now_s: float) -> tuple[tuple[int, int], ...]:
        """Note that a NACK goes out, and return what it names."""
        if not self.asked and not self.in_vain:
            self.asked_s = now_s
        self.asked += 1
        return self.missing()

    def begins_anew(self, now_s: float) -> bool:
        """Note a SYNC; tell whether it is time for another series of what was missing before.

        An origin that answers each NACK by SYNC is thus asked less and less often, and one that
        only repeats SYNC by its law as often as it does (11.4).
        """
        if self.asked < min(FEWEST_NACKS + self.in_vain, NACK_SENDS):
            return False
        self.asked, self.begun_s = 0, now_s
        self.in_vain += 1
        return True

    def is_forlorn(self, lead: int, patience_s: float) -> bool:
        """Tell whether a SYNC is not believed any more that says that all before `lead` was sent.

        The last series has begun when even a peer that was not heard would have been given up.
        """
        return (
            after(lead, self.next_seq) > 0
            and self.in_vain >= SERIES_IN_VAIN
            and self.begun_s - self.asked_s >= patience_s
            and self.asked >= NACK_SENDS
        )

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
