"""What of a run's forgotten parts the judge must still know, in little room.

A long run is judged in parts: exchanges that are over are forgotten with everything that agents
said of them. Whoever judges the rest must not take what was forgotten for missing: the numbers of
event lines would have gaps, and calls would seem to have been asked before their time.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from mpwire.wire.messages import Cancel, JoinReq, Message

TAGS_KEPT = 1 << 16
"""Tags of forgotten exchanges that are known again; the oldest is forgotten first."""


class Straggler(Exception):  # noqa: N818 - no error, but news
    """Something came that belongs to what was forgotten."""


class Spans:
    """A set of numbers, most of which follow each other."""

    def __init__(self) -> None:
        """Begin with none."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, number: int) -> bool:
        """Tell whether a number is there."""
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def __len__(self) -> int:
        """Count the gapless stretches."""
        return len(self._firsts)

    def add(self, number: int) -> None:
        """Put a number in."""
        if number in self:
            return
        place = bisect_right(self._firsts, number)
        joins_last = place > 0 and self._lasts[place - 1] == number - 1
        joins_next = place < len(self._firsts) and self._firsts[place] == number + 1
        if joins_last and joins_next:
            self._lasts[place - 1] = self._lasts.pop(place)
            del self._firsts[place]
        elif joins_last:
            self._lasts[place - 1] = number
        elif joins_next:
            self._firsts[place] = number
        else:
            self._firsts.insert(place, number)
            self._lasts.insert(place, number)

    def past(self, number: int) -> int:
        """Return the first number from this one on that is not there."""
        place = bisect_right(self._firsts, number) - 1
        there = place >= 0 and number <= self._lasts[place]
        return self._lasts[place] + 1 if there else number


@dataclass(slots=True)
class Carried:
    """What is known of the parts of a run that were judged and forgotten."""

    numbers: dict[str, Spans] = field(default_factory=dict)
    """Numbers of event lines, by host."""
    descriptors: dict[str, Spans] = field(default_factory=dict)
    """Descriptors that were closed, by host."""
    tags: dict[int, None] = field(default_factory=dict)
    """Tags of exchanges that are over."""
    passed: dict[int, int] = field(default_factory=dict)
    """The newest frame of exchanges that are over, but kept, by tag."""
    clock: dict[int, int] = field(default_factory=dict)
    """Time of the frame that came before a record which is still held, by number."""

    def number(self, host: str, number: int) -> None:
        """Note the number of an event line that was forgotten."""
        self.numbers.setdefault(host, Spans()).add(number)

    def retire(self, host: str, descriptor: int) -> None:
        """Note that a descriptor was closed and forgotten."""
        self.descriptors.setdefault(host, Spans()).add(descriptor)

    def bury(self, tags: Iterable[int]) -> None:
        """Note that an exchange was forgotten."""
        for tag in tags:
            self.tags[tag] = None
            self.passed.pop(tag, None)
        while len(self.tags) > TAGS_KEPT:
            del self.tags[next(iter(self.tags))]

    def knows_message(self, message: Message, number: int) -> bool:
        """Tell whether a message is about what was forgotten, or about what was sent since."""
        tag = message.destination_tag
        if isinstance(message, JoinReq | Cancel):
            tag = message.init_tag
        return tag in self.tags or number > self.passed.get(tag, number)

    def knows_socket(self, host: str, descriptor: int | None) -> bool:
        """Tell whether a descriptor was forgotten."""
        spans = self.descriptors.get(host)
        return spans is not None and descriptor is not None and descriptor in spans
