"""How fast messages may leave for one receiver: MaxRate, less on a path that loses (11.8)."""

from dataclasses import dataclass, field
from typing import Final

BURST: Final = 32
"""Messages that may leave at once after a pause (R87)."""
WHOLE: Final = 0.999
"""What counts as a token, so that rounding of the time never asks for another wait."""
JUDGED_AFTER: Final = 8
"""Messages an interval needs before the share of its losses means anything."""
CONGESTED: Final = 0.05
"""Share of repairs from which on the rate is halved."""
BROKEN: Final = 0.20
"""Share of repairs that breaks the circuit when it lasts."""
BROKEN_INTERVALS: Final = 3
"""Intervals in a row with such a share after which one message per interval leaves."""


@dataclass(slots=True)
class Pacer:
    """A token bucket whose rate follows the losses of each interval."""

    maximum_pps: float
    """MaxRate of the session in messages per second."""
    interval_s: float
    """RTOinit: how long losses are counted before the rate is set anew."""
    rate_pps: float = field(init=False)
    tokens: float = float(BURST)
    filled_s: float | None = None
    """When the tokens were counted last, in seconds."""
    began_s: float = 0.0
    """When the interval began."""
    sent: int = 0
    """Messages that left in this interval."""
    repaired: int = 0
    """Repairs asked for in this interval."""
    broken: int = 0
    """Intervals in a row that lost more than BROKEN."""

    def __post_init__(self) -> None:
        """Begin at full speed; the window of the receiver bounds the beginning anyway."""
        self.rate_pps = self.maximum_pps

    def is_ready(self, now_s: float) -> bool:
        """Tell whether one message may leave now."""
        self._roll(now_s)
        self._fill(now_s)
        return self.tokens >= WHOLE

    def admits(self, now_s: float) -> bool:
        """Tell whether one message may leave now, and count it."""
        if not self.is_ready(now_s):
            return False
        self.tokens -= 1
        self.sent += 1
        return True

    def next_s(self, now_s: float) -> float:
        """Return when the next message may leave."""
        self._fill(now_s)
        return now_s + max(1 - self.tokens, 0.0) / self.rate_pps

    def note_repairs(self, count: int) -> None:
        """Count messages that had to be sent again: each stands for a loss."""
        self.repaired += count

    def _fill(self, now_s: float) -> None:
        last_s = now_s if self.filled_s is None else self.filled_s
        burst = BURST if self.broken < BROKEN_INTERVALS else 1
        self.tokens = min(burst, self.tokens + (now_s - last_s) * self.rate_pps)
        self.filled_s = now_s

    def _roll(self, now_s: float) -> None:
        """Judge the interval that is over, if enough happened in it, and begin the next.

        One in which nothing left goes on until something does; what was repaired in it belongs to
        none that is judged.
        """
        over = now_s >= self.began_s + self.interval_s
        if self.sent == 0:
            self.began_s = now_s
            self.repaired = 0 if over else self.repaired
            return
        if not over:
            return
        if self.sent >= JUDGED_AFTER or self.broken >= BROKEN_INTERVALS:
            self._judge(self.repaired / self.sent)
        self.began_s, self.sent, self.repaired = now_s, 0, 0

    def _judge(self, loss: float) -> None:
        floor_pps = min(JUDGED_AFTER / self.interval_s, self.maximum_pps)
        used_pps = self.sent / self.interval_s
        self.broken = self.broken + 1 if loss > BROKEN else 0
        if self.broken >= BROKEN_INTERVALS:
            self.rate_pps = 1 / self.interval_s
        elif loss > CONGESTED:
            self.rate_pps = max(min(self.rate_pps, used_pps) / 2, floor_pps)
        else:
            self.rate_pps = max(min(2 * self.rate_pps, self.maximum_pps), floor_pps)
