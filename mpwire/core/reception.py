"""Which data of one origin has arrived: duplicates out, the first gap known."""

from dataclasses import dataclass, field
from typing import Final

from mpwire.core.serial import after, plus

WINDOW: Final = 1024
"""How far ahead of the first missing sequence number a message may be (protocol.md 11)."""


@dataclass(slots=True)
class Reception:
    """Track the sequence numbers received from one origin."""

    next_seq: int
    """First sequence number not yet received (RcvNext)."""
    ahead: set[int] = field(default_factory=set)
    """Sequence numbers received beyond a gap."""

    def take(self, seq: int) -> bool:
        """Note the arrival of `seq`; return whether it is new and inside the window."""
        distance = after(seq, self.next_seq)
        if not 0 <= distance < WINDOW or seq in self.ahead:
            return False
        self.ahead.add(seq)
        while self.next_seq in self.ahead:
            self.ahead.remove(self.next_seq)
            self.next_seq = plus(self.next_seq, 1)
        return True

    def complete_to(self, final_seq: int) -> bool:
        """Tell whether everything up to and including `final_seq` has arrived."""
        return after(final_seq, self.next_seq) < 0
