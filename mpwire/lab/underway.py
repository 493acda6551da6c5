"""Frames that have been given to a bridge and come out of it, for some hosts, at some moment."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

NONE: Final = 0
"""Number of no frame."""
WINDOW_COUNT: Final = 1 << 13
"""Of so many frames the oldest has come out long ago wherever it ever will."""


class Sent(NamedTuple):
    """A frame as its sender sent it."""

    number: int
    sender: str
    """The port."""


@dataclass(slots=True, eq=False)
class _Passing:
    sent: Sent
    key: tuple[str | None, bytes]
    reached: set[str] = field(default_factory=set)


class UnderWay:
    """Tell which frame it is that comes out of a bridge, which changes none and names none.

    It is the newest with these octets that was given to the bridge of that network by another
    port, and has not come out for this one yet.
    """

    def __init__(self, networks: Mapping[str, str]) -> None:
        """Begin with none.

        Args: networks: by port; where there is only one they may be left out.
        """
        self._network = networks.get
        self._oldest: deque[_Passing] = deque()
        self._equal: dict[tuple[str | None, bytes], list[_Passing]] = {}

    def __len__(self) -> int:
        """Count the frames that are known."""
        return len(self._oldest)

    def add(self, sent: Sent, frame: bytes) -> None:
        """Take note of a frame that is about to be given to a bridge."""
        passing = _Passing(sent, (self._network(sent.sender), frame))
        self._oldest.append(passing)
        self._equal.setdefault(passing.key, []).append(passing)

    def out(self, frame: bytes, receiver: str) -> Sent | None:
        """Tell which frame has come out for a port; None for one that nobody has sent."""
        for passing in reversed(self._equal.get((self._network(receiver), frame), ())):
            if receiver not in passing.reached and receiver != passing.sent.sender:
                passing.reached.add(receiver)
                return passing.sent
        return None

    @property
    def newest(self) -> int:
        """Give the number of the newest frame that is known; 0 when there is none."""
        return self._oldest[-1].sent.number if self._oldest else 0

    def forget(self, until: int) -> Iterator[Sent]:
        """Forget frames up to that number, and what is too old; yield what came out for nobody."""
        while self._oldest:
            is_old = len(self._oldest) > WINDOW_COUNT
            if not is_old and self._oldest[0].sent.number > until:
                return
            passing = self._oldest.popleft()
            equal = self._equal[passing.key]
            equal.remove(passing)
            if not equal:
                del self._equal[passing.key]
            if not passing.reached:
                yield passing.sent
