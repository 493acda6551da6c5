"""The run file: one pcapng that holds everything about a run, and any other capture.

`RunWriter` writes one, `open_run` reads one (finished or left behind by a crash, and plain pcap
and pcapng of other programs), `annotate` adds the verdict where Wireshark shows it.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from mpwire.capture import completeness
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
    PEN,
    RunWriter,
    journal_of,
    sync,
    sync_folder,
    write_lines,
)
from mpwire.capture.records import KINDS, AnyRecord, Record, Run, StoredVerdict, position_of
from mpwire.capture.spool import Copy
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

    Those of another program's long capture are read anew whenever somebody iterates over them.
    """
    records: list[AnyRecord]
    """In the order in which they were recorded; empty for other programs' captures."""
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
        return [record for record in self.records if isinstance(record, kind)]

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


def open_run(path: Path | str, held_octets: int = HELD_OCTETS) -> RunFile:
    """Read a run file, the folder of a run, or any pcap or pcapng file.

    A run that was not finished is read from the file and the journal beside it. What is missing
    is said in `incomplete`. Of a long capture of another program the frames are counted, and read
    again by whoever wants them; what comes from a pipe goes to a temporary file for that.

    Args:
        path: the file or folder.
        held_octets: larger captures of other programs are not held in memory.

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
    opened: Callable[[], BufferedReader] = lambda: path.open("rb")  # noqa: E731 - or a copy's
    octets = path.stat().st_size
    if not path.is_file():
        copy = Copy(path)
        opened, octets = copy.opened, copy.octets
    scan = _Scan(path)
    if octets > held_octets:
        with opened() as stream:
            run = scan.survey(stream, opened)
        if run is not None:
            return run
        scan = _Scan(path)
    with opened() as stream:
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
    kept = [record for record in run.records if not isinstance(record, StoredVerdict)]
    encode = msgspec.json.Encoder().encode
    lines = (encode(record) + b"\n" for record in [*kept, StoredVerdict(verdict=verdict)])
    write_lines(pcapng, lines)


class _Kind(msgspec.Struct):
    kind: str


class _Lines:
    """Turn chunks of JSON Lines into records."""

    def __init__(self) -> None:
        self.records: list[AnyRecord] = []
        self.unknown: dict[str, int] = {}
        self._rest = b""
        self._decoder = msgspec.json.Decoder(AnyRecord)

    def feed(self, where: str, chunk: bytes) -> None:
        """Decode the lines that end in this chunk; an error names the place."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                self._line(where, line)

    def _line(self, where: str, line: bytes) -> None:
        try:
            self.records.append(self._decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            kind = _kind_of(line)
            if kind is None or kind in KINDS:
                raise InputError(f"{where}: not a record: {error}") from error
            self.unknown[kind] = self.unknown.get(kind, 0) + 1

    def unfinished_octets(self) -> int:
        """Octets of a line that has no end."""
        return len(self._rest)


def _kind_of(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Kind).kind
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


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
        self._lines = _Lines()

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
            elif isinstance(block, Custom) and _is_ours(block):
                self.is_run = True
                where = f"{self.path}: octet {block.offset_octets}"
                self._lines.feed(where, block.payload[len(MAGIC) :])
        self.interfaces = reader.interfaces
        self.lost += reader.lost
        self._lose_rest(self.path)

    def survey(
        self, stream: BufferedReader, opened: Callable[[], BufferedReader]
    ) -> RunFile | None:
        """Count the frames and see what is missing, without holding them; None for a run file."""
        reader = batch_reader_of(stream, str(self.path))
        for batch in reader.batches():
            self._tally.add_batch(batch)
            if self._survey(reader.others):
                return None
        if self._survey(reader.others):
            return None
        self.interfaces = reader.interfaces
        self.lost += reader.lost
        run = self.result()
        run.frames = FrameFile(opened, str(self.path), self._tally.packet_count)
        return run

    def _survey(self, blocks: list[Block]) -> bool:
        """Take what is no packet; tell whether it makes the capture a run file."""
        self.statistics += (block for block in blocks if isinstance(block, Statistics))
        ours = any(
            (isinstance(block, Section) and block.application == APPLICATION)
            or (isinstance(block, Custom) and _is_ours(block))
            for block in blocks
        )
        blocks.clear()
        return ours

    def read_journal(self, path: Path, journal: Iterable[bytes]) -> None:
        """Take the records from the journal: what the file has of them is a part of it."""
        self.is_run = True
        self._lines = _Lines()
        for number, line in enumerate(journal, 1):
            self._lines.feed(f"{path}: line {number}", line)
        self.lost.append(f"{path}: the journal is still there: the run did not end properly")
        self._lose_rest(path)

    def _lose_rest(self, path: Path) -> None:
        octets = self._lines.unfinished_octets()
        if octets:
            self.lost.append(f"{path}: the last record was cut after {octets} octets")

    def result(self) -> RunFile:
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
        if self.is_run:
            numbers = [frame.number for frame in self.frames]
            yield from completeness.number_gaps(numbers)
            yield from completeness.record_gaps(self._lines.records, numbers)
        for kind, count in self._lines.unknown.items():
            yield f"{count} records of the unknown kind {kind!r}"


def _is_ours(block: Custom) -> bool:
    return block.pen == PEN and block.payload.startswith(MAGIC)
