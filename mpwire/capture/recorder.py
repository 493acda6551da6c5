"""Write a run file while the run goes on.

Frames go to `run.pcapng` as they come, records to `run.journal` beside it, because readers such
as tshark count every block after the first packet as a frame. `finish` moves the records behind
the last packet and removes the journal. A crash at any moment leaves both files, and
`mpwire.capture.runfile.open_run` reads them in either state.

One thread writes. The order of its calls is the order of the run: it numbers the frames 1, 2, 3
and stamps every record with the number of frames before it, so an event recorded before frame k
cannot have been caused by frame k.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from mpwire.capture.blocks import Direction, Seen
from mpwire.capture.records import (
    AgentLine,
    AnyRecord,
    Counters,
    Decision,
    End,
    Host,
    Timed,
    verbatim,
)
from mpwire.capture.writer import Writer
from mpwire.errors import InputError, LocalProtocolError

APPLICATION: Final = "mpwire run"
"""shb_userappl of a run file: a file that says so and has no records has lost them."""

PEN: Final = 32473
"""The enterprise number that RFC 5612 reserves for examples, as mpwire has none of its own.

Anyone may use it, so our payloads open with a magic of their own.
"""
MAGIC: Final = b"mpwire1\n"

CHUNK_OCTETS: Final = 128 * 1024
"""JSON Lines per custom block; tshark refuses blocks above 256 KiB."""
BUFFER_OCTETS: Final = 256 * 1024
FLUSH_NS: Final = 100_000_000
"""A killed run loses at most this much recorded time of frames."""

_AT, _TIME_NS = itemgetter(0), itemgetter(2)


class RunWriter:
    """Record one run: frames, records, and at the end one file with both.

    As a context manager it finishes when the block ends well, and keeps pcapng and journal as
    they are when the block raises.
    """

    def __init__(self, path: Path, hosts: Sequence[Host]) -> None:
        """Create the run file with one interface per host; never overwrite one.

        Args:
            path: a folder, in which it becomes run.pcapng, or the file itself.
            hosts: the vantages; their names are the interfaces' names.

        Raises:
            InputError: the file or its journal exists or cannot be made.
            LocalProtocolError: hosts with one name, or with addresses that are none.
        """
        self.path = path / "run.pcapng" if path.is_dir() else path
        self.journal_path = journal_of(self.path)
        _describe(Writer(BytesIO()), hosts)  # so that wrong hosts leave no files behind
        try:
            # The journal first: who sees the run file may rely on it.
            self._journal = self.journal_path.open("xb", buffering=BUFFER_OCTETS)
            try:
                self._stream = self.path.open("xb", buffering=BUFFER_OCTETS)
            except OSError:
                self._journal.close()
                self.journal_path.unlink()
                raise
        except OSError as error:
            raise InputError(f"{error.filename}: {error.strerror}") from error
        self._pcapng = Writer(self._stream, application=APPLICATION)
        self._interfaces = _describe(self._pcapng, hosts)
        self._counters: dict[str, Counters] = {}
        self._recorded = dict.fromkeys(self._interfaces, 0)
        self._frame_count = 0
        self._record_count = 0
        self._agent_line_count = 0
        self._newest_ns = 0
        self._flushed_ns = 0
        self._encode = msgspec.json.Encoder().encode
        with suppress(OSError):  # what cannot be written now, the first record will tell of
            self.flush()

    @property
    def frame_count(self) -> int:
        """Number of frames so far, which is the number of the newest frame."""
        return self._frame_count

    def frame(
        self, host: str, direction: Direction, data: bytes, time_ns: int, comment: str | None = None
    ) -> int:
        """Record a frame at a host's port and return its number.

        Args:
            host: the vantage.
            direction: "out" when the host sent it, "in" when it is delivered to the host.
            data: the Ethernet frame, whole.
            time_ns: nanoseconds since 1970.
            comment: what Wireshark shows beside it.

        Raises:
            LocalProtocolError: an unknown host, or a stamp that does not fit.
        """
        interface = self._interfaces.get(host)
        if interface is None:
            raise LocalProtocolError(f"no host {host!r} in this run: {', '.join(self._interfaces)}")
        number = self._frame_count + 1
        self._pcapng.packet(
            interface,
            data,
            time_ns,
            direction=direction,
            packetid=number,
            comments=() if comment is None else (comment,),
        )
        self._frame_count = number
        self._recorded[host] += 1
        self._newest_ns = max(self._newest_ns, time_ns)
        if time_ns - self._flushed_ns > FLUSH_NS:
            self.flush()
        return number

    def frames(self, seen: Sequence[Seen]) -> int:
        """Record frames in their order, all or none, and return the number of the first.

        Raises:
            LocalProtocolError: as `frame`.
        """
        first = self._frame_count + 1
        if not seen:
            return first
        self._pcapng.packets(seen, self._interfaces, first)
        self._frame_count += len(seen)
        for (host, _), count in Counter(map(_AT, seen)).items():
            self._recorded[host] += count
        newest_ns = max(map(_TIME_NS, seen))
        self._newest_ns = max(self._newest_ns, newest_ns)
        if newest_ns - self._flushed_ns > FLUSH_NS:
            self.flush()
        return first

    def record(self, record: AnyRecord) -> None:
        """Append a record to the journal; fill in its `after`.

        Everything but decisions is rare, so it is written through: the journal of a killed run
        then ends in what happened last.

        Raises:
            LocalProtocolError: an `End`, which only `finish` can know.
        """
        if isinstance(record, End):
            raise LocalProtocolError("finish() writes the end record")
        self._append(record)
        if not isinstance(record, Decision):
            self.flush()

    def _append(self, record: AnyRecord) -> None:
        if isinstance(record, Timed):
            record.after = self._frame_count
            self._newest_ns = max(self._newest_ns, record.time_ns)
        if isinstance(record, AgentLine):
            record.line = verbatim(record.line)
            self._agent_line_count += 1
        elif isinstance(record, Counters):
            self._counters[record.host] = record
        self._journal.write(self._encode(record) + b"\n")
        self._record_count += 1

    def flush(self) -> None:
        """Hand everything to the kernel, frames first: no record may outlive what it follows."""
        self._stream.flush()
        self._journal.flush()
        self._flushed_ns = self._newest_ns

    def finish(self, time_ns: int | None = None) -> Path:
        """Write the end record, move all records into the run file and return its path.

        Args:
            time_ns: when the run ended; the newest time recorded where it is not given.
        """
        ended_ns = self._newest_ns if time_ns is None else time_ns
        self._append(
            End(
                frames=self._frame_count,
                agent_lines=self._agent_line_count,
                records=self._record_count,
                time_ns=ended_ns,
            )
        )
        self.flush()
        for host, interface in self._interfaces.items():
            counters = self._counters.get(host)
            self._pcapng.statistics(
                interface,
                ended_ns,
                received_count=self._recorded[host],
                os_dropped_count=counters.capture.get("dropped") if counters else None,
            )
        with self.journal_path.open("rb") as journal:
            write_lines(self._pcapng, journal)
        sync(self._stream)
        self.close()
        self.journal_path.unlink()
        return self.path

    def close(self) -> None:
        """Close both files as they are; a run that was not finished stays unfinished."""
        try:
            self._stream.close()
        finally:
            self._journal.close()

    def __enter__(self) -> Self:
        """Record within a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the run, or leave it unfinished if the block raised."""
        if error is None and not self._stream.closed:
            self.finish()
        self.close()


def _describe(pcapng: Writer, hosts: Sequence[Host]) -> dict[str, int]:
    """Describe one interface per host and return their numbers by name."""
    interfaces = {
        host.name: pcapng.interface(host.name, mac=host.mac, addresses=host.addresses)
        for host in hosts
    }
    if len(interfaces) < len(hosts):
        raise LocalProtocolError("two hosts of one run have the same name")
    return interfaces


def journal_of(path: Path) -> Path:
    """Return where the journal of a run file stands."""
    return path.with_suffix(".journal")


def write_lines(pcapng: Writer, lines: Iterable[bytes]) -> None:
    """Write JSON Lines as custom blocks.

    A block ends where a line ends, unless a single line is larger than a block. Blank lines,
    which JSON Lines readers skip, pad the last line to 32 bits, so that no length is needed.
    """
    for chunk in _chunks(lines):
        pcapng.custom(PEN, MAGIC + chunk + b"\n" * (-len(chunk) % 4))


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    chunk = bytearray()
    for line in lines:
        if chunk and len(chunk) + len(line) > CHUNK_OCTETS:
            yield bytes(chunk)
            chunk.clear()
        chunk += line
        while len(chunk) > CHUNK_OCTETS:
            yield bytes(chunk[:CHUNK_OCTETS])
            del chunk[:CHUNK_OCTETS]
    if chunk:
        yield bytes(chunk)


def sync_folder(path: Path) -> None:
    """Make a rename inside the folder survive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sync(stream: BinaryIO) -> None:
    """Flush a stream down to the disk."""
    stream.flush()
    os.fsync(stream.fileno())
