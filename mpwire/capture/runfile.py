"""The run file: one pcapng that holds everything about a run, and any other capture.

`RunWriter` writes one, `open_run` reads one (finished or left behind by a crash, and plain pcap
and pcapng of other programs).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from mpwire.capture import completeness
from mpwire.capture.batches import Batch
from mpwire.capture.blocks import Block, Custom, Interface, Packet, Section, Statistics
from mpwire.capture.completeness import RecordGaps
from mpwire.capture.framefile import (
    Frame,
    FrameFile,
    batch_reader_of,
    frame_of,
    reader_of,
)
from mpwire.capture.recorder import (
    APPLICATION,
    MAGIC,
    RunWriter,
    journal_of,
)
from mpwire.capture.recordfile import JournalFile, Lines, RecordFile, is_ours
from mpwire.capture.records import (
    AgentExit,
    AgentLine,
    AnyRecord,
    Decision,
    Record,
    Run,
    Step,
    StoredVerdict,
    position_of,
)
from mpwire.capture.spool import Copy, Held
from mpwire.errors import InputError

__all__ = ["Frame", "RunFile", "RunWriter", "open_run"]

RUN_FILE_NAME: Final = "run.pcapng"
HELD_OCTETS: Final = 4 * 1024 * 1024
"""The frames of other programs' captures are held in memory up to this size of the file."""

AnyKind = TypeVar("AnyKind", bound=Record)


class RunFile(msgspec.Struct, kw_only=True):
    """A capture, read."""

    path: Path
    interfaces: list[Interface]
    frames: Sequence[Frame]
    """In file order, which in a run is the order in which the fabric handled them.

    Those of a long capture are read anew whenever somebody iterates over them.
    """
    records: Sequence[AnyRecord]
    """In the order in which they were recorded; empty for other programs' captures.

    Those of a long run that is whole are read anew whenever somebody iterates over them.
    """
    statistics: list[Statistics]
    unknown_records: dict[str, int]
    """How many records of which kinds a later edition wrote."""
    incomplete: list[str]
    """Why the capture proves nothing by silence; empty for a complete one."""
    clocks: str = ""
    """Why times of different vantages must not be compared; empty where they may."""

    @property
    def run(self) -> Run | None:
        """The record that says what ran, or None for another program's capture."""
        return next((record for record in self.records if isinstance(record, Run)), None)

    def of(self, kind: type[AnyKind]) -> list[AnyKind]:
        """Return the records of one kind, in order."""
        return list(self.each(kind))

    def each(self, kind: type[AnyKind]) -> Iterator[AnyKind]:
        """Yield the records of one kind, in order."""
        return (record for record in self.records if isinstance(record, kind))

    def some(self, numbers: Collection[int]) -> "RunFile":
        """Return what concerns the frames of some numbers, as a run of its own."""
        if isinstance(self.frames, FrameFile):
            frames = self.frames.some(numbers)
        else:
            frames = [frame for frame in self.frames if frame.number in numbers]
        records = [record for record in self.records if _concerns(record, numbers)]
        return msgspec.structs.replace(self, frames=frames, records=records)

    def timeline(self) -> Iterator[tuple[int, Frame | AnyRecord]]:
        """Yield (position, item): frames and records in the order in which they happened.

        The position of a frame is its number; that of a record is the number of the last frame
        before it. A record at a position below k cannot have been caused by frame k.
        """
        position = 0
        frames = iter(self.frames)
        waiting = next(frames, None)
        for record in self.records:
            reached = max(position, position_of(record))
            while waiting is not None and waiting.number <= reached:
                position = max(position, waiting.number)
                yield position, waiting
                waiting = next(frames, None)
            position = reached
            yield position, record
        while waiting is not None:
            position = max(position, waiting.number)
            yield position, waiting
            waiting = next(frames, None)


def _concerns(record: AnyRecord, numbers: Collection[int]) -> bool:
    """Tell whether a record is about one of some frames, or stands behind it, or about the run."""
    match record:
        case Decision(frame=frame, delivered=delivered):
            return frame in numbers or delivered in numbers
        case Step(after=after) | AgentLine(after=after) | AgentExit(after=after):
            return max(after, 1) in numbers
        case StoredVerdict():
            return False
        case _:
            return True


def open_run(path: Path | str, held_octets: int = HELD_OCTETS) -> RunFile:
    """Read a run file, the folder of a run, or any pcap or pcapng file.

    A run that was not finished is read from the file and the journal beside it. What is missing
    is said in `incomplete`. Of a long capture of another program, and of a long run that is whole,
    frames and records are counted, and read again by whoever wants them; what comes from a pipe
    goes to a temporary file for that.

    Args:
        path: the file or folder.
        held_octets: larger captures are not held in memory.

    Raises:
        InputError: not there, not a capture, or damaged; names file and octet offset.
    """
    path = Path(path)
    if path.is_dir():
        path /= RUN_FILE_NAME
    try:
        return _open(path, held_octets)
    except OSError as error:
        raise InputError(f"{error.filename or path}: {error.strerror or error}") from error


def _open(path: Path, held_octets: int) -> RunFile:
    held = Held(path.open("rb")) if path.is_file() else Copy(path)
    scan = _Scan(path)
    journal = Held(journal_of(path).open("rb")) if journal_of(path).exists() else None
    if held.octets + (journal.octets if journal else 0) > held_octets:
        run = scan.survey(held, journal)
        if run is not None:
            return run
        scan = _Scan(path)
    with held.opened() as stream:
        scan.read(stream)
    if (scan.is_run or not scan.has_header) and journal is not None:
        with journal.opened() as lines:
            scan.read_journal(lines)
    return scan.result()


class _Scan:
    """Everything found while reading one capture."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_run = False
        self.has_header = False
        self.interfaces: list[Interface] = []
        self.frames: list[Frame] = []
        self.statistics: list[Statistics] = []
        self.lost: list[str] = []
        self._tally = completeness.PacketTally()
        self._lines = Lines()
        self._summing = False
        """Frames and records are counted, and not held."""
        self._orders: list[str] = []
        """Byte order of every section, where it is surveyed."""
        self._start_octets = 0
        """Where the first of our blocks begins."""
        self._gaps = RecordGaps((), 0)

    def read(self, stream: BufferedReader) -> None:
        reader = reader_of(stream, str(self.path))
        for block in reader:
            self.has_header = True
            if type(block) is Packet:
                self._tally.add(block)
                self.frames.append(frame_of(block))
            elif isinstance(block, Statistics):
                self.statistics.append(block)
            elif isinstance(block, Section):
                self.is_run |= block.application == APPLICATION
            elif isinstance(block, Custom) and is_ours(block):
                self.is_run = True
                where = f"{self.path}: octet {block.offset_octets}"
                self._lines.feed(where, block.payload[len(MAGIC) :])
        self.interfaces = reader.interfaces
        self.lost += reader.lost
        self._lose_rest(self.path)

    def survey(self, held: Held, journal: Held | None) -> RunFile | None:
        """Count what is there and see what is missing, without holding it.

        Returns: None for a run file that only a closer look can tell of: one whose frames are not
            numbered by their places, or that somebody else has put together.
        """
        self._summing = numbered = True
        with held.opened() as stream:
            reader = batch_reader_of(stream, str(self.path))
            for batch in reader.batches():
                self._tally.add_batch(batch)
                numbered = numbered and _numbered(batch)
                for block in reader.others:
                    self._survey(block)
                reader.others.clear()
        self.interfaces = reader.interfaces
        self.lost += reader.lost
        self._lose_rest(self.path)
        name = str(self.path)
        frame_count = self._tally.packet_count
        records = RecordFile(held.opened, name, self._start_octets, self._gaps.count)
        if journal is not None and self.is_run:
            self._gaps = RecordGaps(range(1, frame_count + 1), frame_count)
            with journal.opened() as lines:
                self.read_journal(lines)
            place = str(journal_of(self.path))
            records = JournalFile(journal.opened, place, 0, self._gaps.count)
        between = self._gaps.frame_count != frame_count and self._gaps.count
        if self.is_run and (not numbered or between or self._orders != ["<"]):
            return None
        if journal is not None and not self._orders:
            return None  # so short that only the journal tells what it was
        run = self.result()
        run.frames = FrameFile(held.opened, name, frame_count)
        if self.is_run:
            run.records = records
        return run

    def _survey(self, block: Block) -> None:
        """Take what is no packet."""
        if isinstance(block, Statistics):
            self.statistics.append(block)
        elif isinstance(block, Section):
            self.is_run |= block.application == APPLICATION
            self._orders.append(block.byte_order)
        elif isinstance(block, Custom) and is_ours(block):
            self.is_run = True
            if not self._start_octets:
                self._start_octets = block.offset_octets
                frame_count = self._tally.packet_count
                self._gaps = RecordGaps(range(1, frame_count + 1), frame_count)
            where = f"{self.path}: octet {block.offset_octets}"
            self._lines.feed(where, block.payload[len(MAGIC) :])
            self._sum_up()

    def _sum_up(self) -> None:
        for record in self._lines.taken():
            self._gaps.add(record)

    def read_journal(self, journal: Iterable[bytes]) -> None:
        """Take the records from the journal: what the file has of them is a part of it."""
        path = journal_of(self.path)
        self.is_run = True
        self._lines = Lines()
        for number, line in enumerate(journal, 1):
            self._lines.feed(f"{path}: line {number}", line)
            if self._summing:
                self._sum_up()
        self.lost.append(f"{path}: the journal is still there: the run did not end properly")
        self._lose_rest(path)

    def _lose_rest(self, path: Path) -> None:
        octets = self._lines.unfinished_octets()
        if octets:
            self.lost.append(f"{path}: the last record was cut after {octets} octets")

    def result(self) -> RunFile:
        """Return what was found."""
        if not self.is_run:
            # Another program's packet identifiers need not be dense: count instead.
            for place, frame in enumerate(self.frames, 1):
                frame.number = place
        return RunFile(
            path=self.path,
            interfaces=self.interfaces,
            frames=self.frames,
            records=self._lines.records,
            statistics=self.statistics,
            unknown_records=self._lines.unknown,
            incomplete=list(self._incomplete()),
        )

    def _incomplete(self) -> Iterator[str]:
        yield from self.lost
        yield from self._tally.gaps()
        yield from completeness.drop_counters(self.statistics)
        if self.is_run and self._summing:
            yield from self._gaps.sentences()
        elif self.is_run:
            numbers = [frame.number for frame in self.frames]
            yield from completeness.number_gaps(numbers)
            yield from completeness.record_gaps(self._lines.records, numbers)
        for kind, count in self._lines.unknown.items():
            yield f"{count} records of the unknown kind {kind!r}"


def _numbered(batch: Batch) -> bool:
    """Tell whether the packets of a batch carry their places in the file as numbers."""
    return all(
        packet is not None and packet.packetid == batch.first + place
        for place in range(len(batch))
        for packet in (batch.packets.get(place),)
    )
