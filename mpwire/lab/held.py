"""Frames that have been decided about and wait: for a time, or for a later frame to pass them."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from mpwire.lab.decide import Copy, Strike


@dataclass(slots=True, eq=False)
class Held:
    """One delivery to be."""

    number: int
    """Of the frame, as its sender sent it."""
    frame: bytes
    """As it will arrive."""
    sender: str
    """Host that made it."""
    receiver: str
    """Port that gets it."""
    copy: Copy
    cause: str | None = None
    strikes: tuple[Strike, ...] = ()
    """What it does to agents."""
    gone: bool = False
    """It was passed, and waits no more."""


class HeldFrames:
    """Keep deliveries in the order in which they are due."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heap: list[tuple[float, int, Held]] = []
        self._passable: dict[tuple[str, str], list[Held]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Count what waits."""
        return sum(not held.gone for _, _, held in self._heap)

    @property
    def next_due_s(self) -> float | None:
        """Tell when the next one is due; None when nothing waits."""
        while self._heap and self._heap[0][2].gone:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    @property
    def last_due_s(self) -> float:
        """Tell when the last one is due; 0 when nothing waits."""
        return max((due_s for due_s, _, held in self._heap if not held.gone), default=0.0)

    def add(self, held: Held, now_s: float) -> None:
        """Let a delivery wait as its copy says."""
        self._count += 1
        heapq.heappush(self._heap, (now_s + held.copy.delay_s, self._count, held))
        if held.copy.passed:
            self._passable.setdefault((held.sender, held.receiver), []).append(held)

    def due(self, now_s: float) -> Iterator[Held]:
        """Yield what is due, the oldest first."""
        while (due_s := self.next_due_s) is not None and due_s <= now_s:
            held = heapq.heappop(self._heap)[2]
            if held.copy.passed:
                self._passable[held.sender, held.receiver].remove(held)
            yield held

    def passed_by(self, passing: Held) -> Iterator[Held]:
        """Yield what waited for a frame between the same hosts to pass it."""
        waiting = self._passable.get((passing.sender, passing.receiver), ())
        for held in [one for one in waiting if one.number < passing.number]:
            if not held.gone:
                self._passable[held.sender, held.receiver].remove(held)
                held.gone = True
                yield held
