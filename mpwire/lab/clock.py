"""What time it is in a lab: the kernel's, or that of a simulated network."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tell the time."""

    def now_ns(self) -> int:
        """Return the time that stamps frames and records, in nanoseconds since 1970."""

    def now_s(self) -> float:
        """Return the time that waiting is measured by, in seconds since whenever."""


class KernelClock:
    """The clocks of this machine."""

    def now_ns(self) -> int:
        """Read the clock that stamps frames."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME)

    def now_s(self) -> float:
        """Read the clock that never jumps."""
        return time.monotonic()


KERNEL_CLOCK = KernelClock()
