"""The run file: one pcapng that holds everything about a run, and any other capture.

`RunWriter` writes one, `open_run` reads one (finished or left behind by a crash, and plain pcap
and pcapng of other programs), `annotate` adds the verdict where Wireshark shows it.
"""

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from mpwire.capture import completeness
from mpwire.capture.batches import Batch
from mpwire.capture.blocks import Block, Custom, Interface, Packet, Section, Statistics
from mpwire.capture.framefile import (
    VERDICT_MARK,
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
    sync,
    sync_folder,
    write_lines,
)
from mpwire.capture.recordfile import Lines, RecordFile, RecordTally, is_ours
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
from mpwire.capture.writer import Writer
from mpwire.errors import InputError

__all__ = ["Frame", "RunFile", "RunWriter", "annotate", "open_run"]

RUN_FILE_NAME: Final = "run.pcapng"
HELD_OCTETS: Final = 4 * 1024 * 1024
"""The frames of other programs' captures are held in memory up to this size of the file."""
COMMENT_CHARACTERS_MAX: Final = 8192

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
    if held.octets > held_octets and not journal_of(path).exists():
        with held.opened() as stream:
            run = scan.survey(stream, held.opened)
        if run is not None:
            return run
        scan = _Scan(path)
    with held.opened() as stream:
        scan.read(stream)
    journal = journal_of(path)
    if (scan.is_run or not scan.has_header) and journal.exists():
        with journal.open("rb") as lines:
            scan.read_journal(journal, lines)
    return scan.result()


def annotate(path: Path | str, verdict: dict[str, object], comments: dict[int, str]) -> None:
    """Store a verdict in a run file, and comments with the frames they are about.

    What an earlier call stored is replaced. The file is written anew beside the old one and then
    takes its place, so that at every moment there is one whole run file. A journal that a crash
    left becomes part of it.

    Args:
        path: the run file or its folder.
        verdict: anything JSON can hold.
        comments: by frame number.

    Raises:
        InputError: as `open_run`; and for a capture that is no run file.
    """
    run = open_run(path)
    if run.run is None:
        raise InputError(f"{run.path}: not a run file; verdicts are stored only in run files")
    if run.unknown_records:
        raise InputError(
            f"{run.path}: written by a later edition of mpwire, which knows the records "
            f"{', '.join(run.unknown_records)}; storing a verdict here would drop them"
        )
    handle, name = tempfile.mkstemp(prefix=".run-", suffix=".pcapng", dir=run.path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            _write(stream, run, verdict, comments)
            sync(stream)
        temporary.chmod(run.path.stat().st_mode & 0o777)
        temporary.replace(run.path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    journal_of(run.path).unlink(missing_ok=True)
    sync_folder(run.path.parent)


def _write(
    stream: BinaryIO, run: RunFile, verdict: dict[str, object], comments: dict[int, str]
) -> None:
    pcapng = Writer(stream, application=APPLICATION)
    hosts = {host.name: host for host in run.run.vantages} if run.run else {}
    numbers = {}
    for interface in run.interfaces:
        host = hosts.get(interface.name)
        numbers[interface.name] = pcapng.interface(
            interface.name,
            linktype=interface.linktype,
            snaplen_octets=interface.snaplen_octets,
            mac=host.mac if host else None,
            addresses=host.addresses if host else (),
        )
    for frame in run.frames:
        said = [] if frame.comment is None else [frame.comment]
        if frame.number and frame.number in comments:
            said.append((VERDICT_MARK + comments[frame.number])[:COMMENT_CHARACTERS_MAX])
        pcapng.packet(
            numbers[frame.vantage],
            frame.data,
            frame.time_ns,
            direction=frame.direction,
            packetid=frame.number or None,
            original_octets=frame.original_octets,
            comments=said,
        )
    for one in run.statistics:
        pcapng.statistics(
            numbers[one.interface.name],
            one.time_ns,
            received_count=one.received_count,
            dropped_count=one.dropped_count,
            os_dropped_count=one.os_dropped_count,
        )
    kept = (record for record in run.records if not isinstance(record, StoredVerdict))
    encode = msgspec.json.Encoder().encode
    lines = (encode(record) + b"\n" for record in chain(kept, [StoredVerdict(verdict=verdict)]))
    write_lines(pcapng, lines)


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
        self._orders: list[str] = []
        """Byte order of every section, where it is surveyed."""

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

    def survey(
        self, stream: BufferedReader, opened: Callable[[], BufferedReader]
    ) -> RunFile | None:
        """Count what is there and see what is missing, without holding it.

        Returns: None for a run file that is not whole, which only a closer look can tell of.
        """
        reader = batch_reader_of(stream, str(self.path))
        numbered, start_octets, tally = True, 0, RecordTally(0)
        for batch in reader.batches():
            self._tally.add_batch(batch)
            numbered = numbered and _numbered(batch)
            for block in reader.others:
                self._survey(block)
                if isinstance(block, Custom) and is_ours(block):
                    if not start_octets:
                        start_octets = block.offset_octets
                        tally = RecordTally(self._tally.packet_count)
                    self._lines.feed(str(self.path), block.payload[len(MAGIC) :])
                    for record in self._lines.taken():
                        tally.add(record)
            reader.others.clear()
        self.interfaces = reader.interfaces
        self.lost += reader.lost
        whole = numbered and tally.whole() and tally.frame_count == self._tally.packet_count
        cut = self.lost or self._lines.unknown or self._lines.unfinished_octets()
        if self.is_run and (not whole or cut or self._orders != ["<"]):
            return None
        run = self.result(summed=True)
        name = str(self.path)
        run.frames = FrameFile(opened, name, self._tally.packet_count)
        if self.is_run:
            run.records = RecordFile(opened, name, start_octets, tally.count)
        return run

    def _survey(self, block: Block) -> None:
        """Take what is no packet."""
        if isinstance(block, Statistics):
            self.statistics.append(block)
        elif isinstance(block, Section):
            self.is_run |= block.application == APPLICATION
            self._orders.append(block.byte_order)
        elif isinstance(block, Custom):
            self.is_run |= is_ours(block)

    def read_journal(self, path: Path, journal: Iterable[bytes]) -> None:
        """Take the records from the journal: what the file has of them is a part of it."""
        self.is_run = True
        self._lines = Lines()
        for number, line in enumerate(journal, 1):
            self._lines.feed(f"{path}: line {number}", line)
        self.lost.append(f"{path}: the journal is still there: the run did not end properly")
        self._lose_rest(path)

    def _lose_rest(self, path: Path) -> None:
        octets = self._lines.unfinished_octets()
        if octets:
            self.lost.append(f"{path}: the last record was cut after {octets} octets")

    def result(self, *, summed: bool = False) -> RunFile:
        """Return what was found; summed: frames and records were only counted, and are whole."""
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
            incomplete=list(self._incomplete(summed=summed)),
        )

    def _incomplete(self, *, summed: bool) -> Iterator[str]:
        yield from self.lost
        yield from self._tally.gaps()
        yield from completeness.drop_counters(self.statistics)
        if self.is_run and not summed:
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
