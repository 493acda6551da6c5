"""A run that is not whole tells the same whether it is held in memory or read again and again."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.framefile import FrameFile
from mpwire.capture.recorder import journal_of
from mpwire.capture.recordfile import JournalFile
from mpwire.capture.runfile import HELD_OCTETS
from mpwire.errors import InputError

Recorder = Callable[[Path], RunWriter]
STEP_OCTETS = 23
"""Files are cut at every so many octets."""


def opened(path: Path, held_octets: int) -> RunFile | str:
    """Read a file, or say why that cannot be done."""
    try:
        return open_run(path, held_octets)
    except InputError as error:
        return str(error)


def same(path: Path) -> RunFile | None:
    """Read in both ways, compare, and return what is read again; None for what cannot be read."""
    held, read = opened(path, HELD_OCTETS), opened(path, 0)
    if isinstance(held, str) or isinstance(read, str):
        assert held == read
        return None
    assert list(read.frames) == list(held.frames)
    assert list(read.records) == list(held.records)
    read_again = msgspec.structs.replace(read, frames=held.frames, records=held.records)
    assert read_again == held
    return read


def test_a_file_may_be_cut_anywhere(small_file: Path, tmp_path: Path) -> None:
    octets = small_file.read_bytes()
    path = tmp_path / "cut.pcapng"
    found = []
    for end in range(STEP_OCTETS, len(octets), STEP_OCTETS):
        path.write_bytes(octets[:end])
        found.append(same(path))
    assert sum(run is not None and bool(run.incomplete) for run in found) > len(found) / 2


def test_a_run_that_crashed_is_read_from_file_and_journal(
    record_run: Recorder, tmp_path: Path
) -> None:
    writer = record_run(tmp_path)
    writer.close()
    octets, lines = writer.path.read_bytes(), journal_of(writer.path).read_bytes()
    for end in range(STEP_OCTETS, len(lines), STEP_OCTETS):
        writer.path.write_bytes(octets[: len(octets) * end // len(lines)])
        journal_of(writer.path).write_bytes(lines[:end])
        same(writer.path)
    writer.path.write_bytes(octets)
    journal_of(writer.path).write_bytes(lines)
    run = same(writer.path)
    assert run is not None
    assert isinstance(run.frames, FrameFile)
    assert isinstance(run.records, JournalFile)
    assert "no end record: the run was not finished" in run.incomplete


def test_a_finished_run_whose_journal_is_still_there_is_read_from_that(
    record_run: Recorder, tmp_path: Path
) -> None:
    writer = record_run(tmp_path)
    writer.flush()
    lines = journal_of(writer.path).read_bytes()
    journal_of(writer.finish()).write_bytes(lines)
    run = same(writer.path)
    assert run is not None
    assert isinstance(run.records, JournalFile)
    assert len(run.records) == len(lines.splitlines())


def test_a_journal_beside_the_capture_of_another_program_is_not_read(
    small_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.pcapng"
    path.write_bytes(small_file.read_bytes().replace(b"mpwire", b"others"))
    same(path)
    journal_of(path).write_bytes(b"no journal\n")
    run = same(path)
    assert run is None or run.run is None


def test_records_that_cannot_be_read_are_named(record_run: Recorder, tmp_path: Path) -> None:
    writer = record_run(tmp_path)
    writer.close()
    journal_of(writer.path).write_bytes(b"{}\nnone\n")
    assert same(writer.path) is None
