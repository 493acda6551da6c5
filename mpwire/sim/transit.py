"""What is on its way inside a simulated host or cable, in order."""

from collections import deque
from collections.abc import Callable
from typing import Final

from mpwire.sim.neighbours import Later

LINK_LATENCY_S: Final = 50e-6
"""From the cable into a host's sockets, or through a router."""


class Transit:
    """Do things a little later; what is due at the same moment keeps its order.

    A loop calls what is due at one moment in any order; a cable does not.
    """

    def __init__(self, loop: Later) -> None:
        """Begin with nothing under way."""
        self.count = 0
        """How much is under way."""
        self._loop = loop
        self._due: dict[float, deque[tuple[Callable[..., None], tuple[object, ...]]]] = {}
        """What is under way, by when it arrives."""

    def later(self, delay_s: float, act: Callable[..., None], *args: object) -> None:
        """Do something soon."""
        self.count += 1
        due_s = self._loop.time() + delay_s
        self._due.setdefault(due_s, deque()).append((act, args))
        self._loop.call_later(delay_s, self._arrive, due_s)

    def _arrive(self, due_s: float) -> None:
        self.count -= 1
        act, args = self._due[due_s].popleft()
        if not self._due[due_s]:
            del self._due[due_s]
        act(*args)
