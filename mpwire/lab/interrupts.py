"""Ctrl-C while labs run: the first one ends them in order, and none is lost."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from mpwire.lab.progress import Failure


class Interrupts:
    """Whether Ctrl-C came."""

    came = False

    def claim(self, failure: Failure | None) -> None:
        """See that one that came too late to stop this run stops what comes after it.

        Raises:
            KeyboardInterrupt: the run does not say that it was interrupted, and was.
        """
        if self.came and (failure is None or failure.kind != "interrupted"):
            raise KeyboardInterrupt


@contextlib.contextmanager
def first_interrupt(act: Callable[[], object]) -> Iterator[Interrupts]:
    """Let the first Ctrl-C do something else than to raise KeyboardInterrupt.

    A program that handles SIGINT in its own way, or runs this in a thread, is left to itself.
    """
    interrupts = Interrupts()
    usual = signal.default_int_handler
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not usual:
        yield interrupts
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, usual)
        interrupts.came = True
        act()

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, usual)


class Stop:
    """Ends labs that other threads run: those that run now, and whichever begins later."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._stopped = False

    def now(self) -> None:
        """End them all; they do so in order, and soon."""
        with self._lock:
            self._stopped = True
            for end in self._ends:
                end()

    @contextlib.contextmanager
    def reaches(self, end: Callable[[], None]) -> Iterator[None]:
        """Have a lab ended by `end` if that is wanted while it runs."""
        with self._lock:
            self._ends.append(end)
            if self._stopped:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)
