"""Who is due next, among many who each have at most one next time."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Owner = TypeVar("Owner")


@dataclass(slots=True)
class Agenda(Generic[Owner]):
    """Keep the next time of many owners: O(log n) to change one, O(1) to see the earliest.

    A time that was replaced stays in the heap until it surfaces.
    """

    _heap: list[tuple[float, int, Owner]] = field(default_factory=list)
    _noted: dict[Owner, tuple[float, int]] = field(default_factory=dict)
    _count: int = 0

    def note(self, owner: Owner, at_s: float | None) -> None:
        """Replace the next time of an owner; None takes it off."""
        if at_s is None:
            self._noted.pop(owner, None)
            return
        noted = self._noted.get(owner)
        if noted is not None and noted[0] == at_s:
            return
        self._count += 1
        self._noted[owner] = (at_s, self._count)
        heapq.heappush(self._heap, (at_s, self._count, owner))

    def next_s(self) -> float | None:
        """Return the earliest time, None when nobody has one."""
        while self._heap:
            at_s, count, owner = self._heap[0]
            if self._noted.get(owner) == (at_s, count):
                return at_s
            heapq.heappop(self._heap)
        return None

    def due(self, now_s: float) -> Iterator[Owner]:
        """Take off, one by one, every owner whose time has come, the earliest first.

        Whoever is noted anew meanwhile, for a time that has come as well, comes again.
        """
        while (at_s := self.next_s()) is not None and at_s <= now_s:
            _, _, owner = heapq.heappop(self._heap)
            del self._noted[owner]
            yield owner
