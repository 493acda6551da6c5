"""What a capture lacks, as sentences: no verdict about silence without an empty list."""

from collections.abc import Iterable, Iterator, Sequence

from mpwire.capture.blocks import Packet, Statistics
from mpwire.capture.records import (
    AgentLine,
    AnyRecord,
    Decision,
    End,
    Run,
    Sentinel,
    StoredVerdict,
    position_of,
)

SHOWN_MAX = 8


def packet_gaps(packets: Sequence[Packet]) -> Iterator[str]:
    """Say which packets were cut, carry no stamp, or follow packets known to be lost."""
    cut = [n for n, p in enumerate(packets, 1) if p.original_octets > len(p.data)]
    if cut:
        yield f"packets captured only in part: {_some(cut)}"
    timeless = [n for n, p in enumerate(packets, 1) if p.time_ns is None]
    if timeless:
        yield f"packets without a time: {_some(timeless)}"
    dropped = sum(packet.dropped_count for packet in packets)
    if dropped:
        yield f"the capturing program lost {dropped} packets between those it kept"


def drop_counters(statistics: Iterable[Statistics]) -> Iterator[str]:
    """Say which interfaces dropped packets; later statistics of one interface replace earlier."""
    newest = {one.interface.index: one for one in statistics}
    for one in newest.values():
        dropped = (one.dropped_count or 0) + (one.os_dropped_count or 0)
        if dropped:
            yield f"{one.interface.name}: {dropped} packets dropped while capturing"


def number_gaps(packets: Sequence[Packet]) -> Iterator[str]:
    """Say where the frame numbers of a run are not 1, 2, 3 in this order."""
    nameless = [n for n, packet in enumerate(packets, 1) if packet.packetid is None]
    if nameless:
        yield f"packets without a frame number, by place in the file: {_some(nameless)}"
    numbers = [packet.packetid for packet in packets if packet.packetid is not None]
    seen: set[int] = set()
    twice = []
    unordered = []
    newest = 0
    for number in numbers:
        if number in seen:
            twice.append(number)
        elif number < newest:
            unordered.append(number)
        seen.add(number)
        newest = max(newest, number)
    if twice:
        yield f"frames more than once: {_some(twice)}"
    if unordered:
        yield f"frames out of order: {_some(unordered)}"
    if 0 in seen:
        yield "a frame has the number 0; numbers start at 1"
    missing_count = newest - len(seen - {0})
    if missing_count:
        missing = (number for number in range(1, newest) if number not in seen)
        yield f"missing frames: {_some(missing, missing_count)}"


def record_gaps(records: Sequence[AnyRecord], packets: Sequence[Packet]) -> Iterator[str]:
    """Say where the records of a run contradict themselves or its frames."""
    records = [record for record in records if not isinstance(record, StoredVerdict)]
    runs = sum(isinstance(record, Run) for record in records)
    if runs != 1:
        yield f"{runs} run records where one is expected"
    ends = [record for record in records if isinstance(record, End)]
    if not ends:
        yield "no end record: the run was not finished"
    elif len(ends) > 1 or records[-1] is not ends[0]:
        yield f"{len(ends)} end records, or records after the end"
    else:
        yield from _end_mismatches(ends[0], records, packets)
    known = {packet.packetid for packet in packets}
    strangers = sorted({number for number in _named_frames(records) if number not in known})
    if strangers:
        yield f"records name frames that are not there: {_some(strangers)}"
    positions = [position_of(record) for record in records if not isinstance(record, Decision)]
    positions = [position for position in positions if position]
    if positions != sorted(positions):
        yield "records are out of order"


def _end_mismatches(
    end: End, records: Sequence[AnyRecord], packets: Sequence[Packet]
) -> Iterator[str]:
    lines = sum(isinstance(record, AgentLine) for record in records)
    counts = (
        ("frames", end.frames, len(packets)),
        ("agent lines", end.agent_lines, lines),
        ("records", end.records, len(records) - 1),
    )
    for name, expected, found in counts:
        if expected != found:
            yield f"{found} {name} where the end record says {expected}"


def _named_frames(records: Iterable[AnyRecord]) -> Iterator[int]:
    for record in records:
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
