"""How long hosts may talk before a lab gives up waiting for their silence.

What counts is the time in which they could fall silent. While a fault holds back what they say they
can not, so that time is not theirs: an answer that is held for a minute comes after a minute, and
nobody has talked for so long. But hosts that answer each other without end do so however late their
answers are, and are not waited for without end either.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

DELAYED_FLIGHT_COUNT: Final = 32
"""Flights one after the other that may be held back; after more, their time counts as any other."""


class Silence:
    """Wait for hosts to fall silent, for as long as they may talk."""

    def __init__(self, deadline_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now.

        Args: deadline_s: how long they may talk; clock: tells the time, in seconds.
        """
        self._deadline_s = deadline_s
        self._clock = clock
        self._start_s = clock()
        self._held_s = 0.0
        self._flight_count = 0

    def is_awaited(self) -> bool:
        """Tell whether they may still talk."""
        excused_s = self._held_s if self._flight_count <= DELAYED_FLIGHT_COUNT else 0.0
        return self._clock() - self._start_s - excused_s < self._deadline_s

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Wait for a flight that is held back, on nobody's time."""
        since_s = self._clock()
        try:
            yield
        finally:
            self._held_s += self._clock() - since_s
            self._flight_count += 1

    def broken(self) -> str:
        """Say that they have talked for too long."""
        held = f", and {self._flight_count} times what was held back" if self._flight_count else ""
        return f"hosts still talk after {self._deadline_s:g} s{held}"
