"""An asyncio loop in virtual time: nothing waits, the clock jumps to the next thing to do."""

import asyncio
import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mpwire.errors import LocalProtocolError

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

EPOCH_NS = 1_800_000_000 * 1_000_000_000
"""Where every simulated run begins, in nanoseconds since 1970: the same run has the same stamps."""


class StandstillError(LocalProtocolError):
    """Everything waits for something that cannot come any more."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Run callbacks in the order of their times, without ever waiting."""

    def __init__(self) -> None:
        """Begin at time zero."""
        self._virtual_s = 0.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        """Return the virtual time, in seconds since the loop was made."""
        return self._virtual_s

    def skip(self, duration_s: float) -> None:
        """Let time pass."""
        self._virtual_s += duration_s

    def now_ns(self) -> int:
        """Return the time that stamps frames, in nanoseconds since 1970."""
        return EPOCH_NS + round(self._virtual_s * 1e9)

    def now_s(self) -> float:
        """Return the time that waiting is measured by."""
        return self._virtual_s


class _Impatient(selectors.SelectSelector):
    """Look at descriptors without waiting for them; what would be waited is skipped.

    A loop in virtual time has none but the one by which signals wake it.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now, or nothing after a jump in time.

        Raises:
            StandstillError: nothing is due, ever.
        """
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise StandstillError("everything in the simulation waits, and nothing is due")
        self._loop.skip(timeout)
        return []

    def get_map(self) -> "Mapping[FileDescriptorLike, selectors.SelectorKey]":
        """Return what is watched."""
        return super().get_map()
