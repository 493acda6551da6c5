"""What a capture lacks, as sentences: no verdict about silence without an empty list."""

from collections.abc import Container, Iterable, Iterator, Sequence

from mpwire.capture.batches import Batch
from mpwire.capture.blocks import Packet, Statistics
from mpwire.capture.records import (
    AgentLine,
    AnyRecord,
    Decision,
    End,
    Run,
    Sentinel,
    StoredVerdict,
    Timed,
)

SHOWN_MAX = 8


class _Places:
    """How many packets there are of a kind, and where the first ones stand."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[int] = []

    def add(self, place: int) -> None:
        self.count += 1
        if len(self._first) < SHOWN_MAX:
            self._first.append(place)

    def __str__(self) -> str:
        return _some(self._first, self.count)


class PacketTally:
    """What packets themselves say about packets that are missing, summed up while reading."""

    def __init__(self) -> None:
        """Start with nothing amiss."""
        self.packet_count = 0
        self._cut = _Places()
        self._timeless = _Places()
        self._dropped_count = 0

    def add(self, packet: Packet) -> None:
        """Take one packet into account."""
        self.packet_count += 1
        if packet.original_octets > len(packet.data):
            self._cut.add(self.packet_count)
        if packet.time_ns is None:
            self._timeless.add(self.packet_count)
        self._dropped_count += packet.dropped_count

    def add_batch(self, batch: Batch) -> None:
        """Take many packets into account; most have nothing to say but that they are whole."""
        if batch.originals == batch.captured and not batch.packets:
            self.packet_count += len(batch)
            return
        for place in range(len(batch)):
            packet = batch.packets.get(place)
            if packet is not None:
                self.add(packet)
                continue
            self.packet_count += 1
            if batch.originals[place] > batch.captured[place]:
                self._cut.add(self.packet_count)

    def gaps(self) -> Iterator[str]:
        """Say which packets were cut, carry no stamp, or follow packets known to be lost."""
        if self._cut.count:
            yield f"packets captured only in part, by place in the file: {self._cut}"
        if self._timeless.count:
            yield f"packets without a time, by place in the file: {self._timeless}"
        if self._dropped_count:
            yield f"the capturing program lost {self._dropped_count} packets between those it kept"


def drop_counters(statistics: Iterable[Statistics]) -> Iterator[str]:
    """Say which interfaces dropped packets; later statistics of one interface replace earlier."""
    newest = {one.interface.index: one for one in statistics}
    for one in newest.values():
        dropped = (one.dropped_count or 0) + (one.os_dropped_count or 0)
        if dropped:
            yield f"{one.interface.name}: {dropped} packets dropped while capturing"


def number_gaps(numbers: Sequence[int]) -> Iterator[str]:
    """Say where the frame numbers of a run are not 1, 2, 3 in this order; 0 means none."""
    nameless = [place for place, number in enumerate(numbers, 1) if not number]
    if nameless:
        yield f"packets without a frame number, by place in the file: {_some(nameless)}"
    seen: set[int] = set()
    twice = []
    unordered = []
    newest = 0
    for number in numbers:
        if number in seen and number:
            twice.append(number)
        elif 0 < number < newest:
            unordered.append(number)
        seen.add(number)
        newest = max(newest, number)
    if twice:
        yield f"frames more than once: {_some(twice)}"
    if unordered:
        yield f"frames out of order: {_some(unordered)}"
    missing_count = newest - len(seen - {0})
    if missing_count:
        missing = (number for number in range(1, newest) if number not in seen)
        yield f"missing frames: {_some(missing, missing_count)}"


class RecordGaps:
    """Where the records of a run contradict themselves or its frames, summed up while reading."""

    def __init__(self, numbers: Container[int], frame_count: int) -> None:
        """Begin with no record.

        Args:
            numbers: the numbers of the frames that are there.
            frame_count: how many these are.
        """
        self.frame_count = frame_count
        self.count = 0
        """Records so far, the stored verdict not among them."""
        self._numbers = numbers
        self._run_count = self._line_count = self._last_after = self._newest_after = 0
        self._ends: list[End] = []
        self._behind = False
        """Something stands behind the first end record."""
        self._ordered = True
        self._strangers: set[int] = set()

    def add(self, record: AnyRecord) -> None:
        """Take one record into account."""
        if isinstance(record, StoredVerdict):
            return
        self.count += 1
        self._behind = bool(self._ends)
        self._strangers.update(
            number for number in _named_frames(record) if number not in self._numbers
        )
        if isinstance(record, Timed):
            self._line_count += isinstance(record, AgentLine)
            self._ordered &= self._last_after <= record.after
            self._last_after = record.after
            self._newest_after = max(self._newest_after, record.after)
        elif isinstance(record, Run):
            self._run_count += 1
        elif isinstance(record, End):
            self._ends.append(record)

    def sentences(self) -> Iterator[str]:
        """Say what does not fit."""
        if self._run_count != 1:
            yield f"{self._run_count} run records where one is expected"
        if not self._ends:
            yield "no end record: the run was not finished"
        elif len(self._ends) > 1 or self._behind:
            yield f"{len(self._ends)} end records, or records after the end"
        else:
            yield from self._end_mismatches(self._ends[0])
        if self._strangers:
            yield f"records name frames that are not there: {_some(sorted(self._strangers))}"
        if not self._ordered:
            yield "records are out of order"
        if self._newest_after > self.frame_count:
            yield (
                f"a record follows frame {self._newest_after}, "
                f"but {self.frame_count} frames are there"
            )

    def _end_mismatches(self, end: End) -> Iterator[str]:
        counts = (
            ("frames", end.frames, self.frame_count),
            ("agent lines", end.agent_lines, self._line_count),
            ("records", end.records, self.count - 1),
        )
        for name, expected, found in counts:
            if expected != found:
                yield f"{found} {name} where the end record says {expected}"


def record_gaps(records: Iterable[AnyRecord], numbers: Sequence[int]) -> Iterator[str]:
    """Say where the records of a run contradict themselves or its frames."""
    gaps = RecordGaps(set(numbers), len(numbers))
    for record in records:
        gaps.add(record)
    yield from gaps.sentences()


def _named_frames(record: AnyRecord) -> Iterator[int]:
    if isinstance(record, Decision):
        yield record.frame
        if record.delivered is not None:
            yield record.delivered
    elif isinstance(record, Sentinel):
        yield record.request
        yield record.reply


def _some(numbers: Iterable[int], count: int | None = None) -> str:
    """List numbers, the first few where there are many."""
    shown: list[str] = []
    total = 0
    for number in numbers:
        total += 1
        if len(shown) < SHOWN_MAX:
            shown.append(str(number))
        elif count is not None:
            break
    more = (total if count is None else count) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
