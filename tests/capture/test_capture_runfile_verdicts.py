"""Storing a verdict in a run file: replaced, never mixed up with evidence, never half written."""

import os
import threading
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import annotate, open_run
from mpwire.capture.pcapng import Packet, Reader, Writer
from mpwire.capture.recorder import APPLICATION, RunWriter, write_lines
from mpwire.capture.records import StoredVerdict
from mpwire.capture.runfile import RunFile
from mpwire.errors import InputError
from tests.capture.runs import run_record


def block_ends(data: bytes) -> list[int]:
    """Return where the blocks of a little-endian file end."""
    ends = [0]
    while ends[-1] < len(data):
        ends.append(ends[-1] + int.from_bytes(data[ends[-1] + 4 : ends[-1] + 8], "little"))
    return ends


def without_block(data: bytes, index: int) -> bytes:
    """Cut one block out of a file."""
    ends = block_ends(data)
    return data[: ends[index]] + data[ends[index + 1] :]


def comments_of(path: Path) -> list[tuple[str, ...]]:
    """Return the comments of all packets, verdicts included."""
    with path.open("rb") as stream:
        return [block.comments for block in Reader(stream, "file") if isinstance(block, Packet)]


def same_but_verdict(run: RunFile, other: RunFile) -> bool:
    """Tell whether two runs differ in nothing but the verdict."""
    records = [record for record in run.records if not isinstance(record, StoredVerdict)]
    others = [record for record in other.records if not isinstance(record, StoredVerdict)]
    return (run.frames, records, run.interfaces) == (other.frames, others, other.interfaces)


def test_annotate_stores_verdict_and_comments(small_file: Path) -> None:
    before = open_run(small_file)
    annotate(small_file, {"verdict": "FAIL", "rules": [{"id": "R1"}]}, {3: "FAIL R1", 4: "x"})
    after = open_run(small_file)
    assert after.incomplete == []
    assert same_but_verdict(before, after)
    assert after.of(StoredVerdict) == [
        StoredVerdict(verdict={"verdict": "FAIL", "rules": [{"id": "R1"}]})
    ]
    assert comments_of(small_file)[2:4] == [("the first", "verdict: FAIL R1"), ("verdict: x",)]
    assert after.frames[2].comment == "the first"
    assert after.frames[3].comment is None


def test_a_long_run_stays_what_it_was_when_it_is_annotated(small_file: Path) -> None:
    """Let somebody read on in the file that was judged, after the verdict took its place."""
    expected = open_run(small_file)
    before = open_run(small_file, held_octets=0)
    annotate(small_file, {"verdict": "PASS"}, {1: "a comment that moves all octets after it"})
    assert list(before.frames) == list(expected.frames)
    assert list(before.records) == list(expected.records)


def test_a_long_run_can_come_through_a_pipe(small_file: Path, tmp_path: Path) -> None:
    expected = open_run(small_file)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(small_file.read_bytes(),))
    feeder.start()
    run = open_run(pipe, held_octets=0)
    feeder.join()
    assert (list(run.frames), list(run.records)) == (expected.frames, expected.records)


def test_annotating_again_replaces(small_file: Path) -> None:
    annotate(small_file, {"n": 1}, {1: "old"})
    once = small_file.read_bytes()
    annotate(small_file.parent, {"n": 2}, {2: "new"})
    assert open_run(small_file).of(StoredVerdict) == [StoredVerdict(verdict={"n": 2})]
    assert comments_of(small_file)[:2] == [(), ("verdict: new",)]
    annotate(small_file, {"n": 1}, {1: "old"})
    assert small_file.read_bytes() == once


def test_annotate_keeps_what_is_amiss(small_file: Path) -> None:
    data = small_file.read_bytes()
    small_file.write_bytes(without_block(data, 5))
    before = open_run(small_file)
    annotate(small_file, {}, {})
    after = open_run(small_file)
    assert before.incomplete == after.incomplete != []
    assert same_but_verdict(before, after)


def test_annotate_keeps_missing_numbers_cuts_and_drops(tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    encoded = msgspec.json.encode(run_record())
    with path.open("wb") as stream:
        writer = Writer(stream, application=APPLICATION)
        writer.interface("a", linktype=101, snaplen_octets=4)
        writer.packet(0, b"1234", 1, packetid=1, original_octets=9)
        writer.packet(0, b"5", 2)
        writer.statistics(0, 3, dropped_count=4)
        write_lines(writer, [encoded + b"\n"])
    before = open_run(path)
    assert [frame.number for frame in before.frames] == [1, 0]
    assert "packets without a frame number, by place in the file: 2" in before.incomplete
    annotate(path, {}, {0: "nobody"})
    after = open_run(path)
    assert before.incomplete == after.incomplete
    assert same_but_verdict(before, after)
    assert comments_of(path) == [(), ()]


def test_annotate_takes_the_journal_of_a_crash_in(small_run: RunWriter) -> None:
    before = open_run(small_run.path)
    annotate(small_run.path, {"verdict": "INCONCLUSIVE"}, {})
    after = open_run(small_run.path)
    assert same_but_verdict(before, after)
    assert not small_run.journal_path.exists()
    assert after.incomplete == ["no end record: the run was not finished"]


def test_annotate_leaves_one_whole_file_whatever_happens(small_file: Path) -> None:
    before = small_file.read_bytes()
    with pytest.raises(TypeError):
        annotate(small_file, {"verdict": object()}, {})
    assert small_file.read_bytes() == before
    assert [path.name for path in small_file.parent.iterdir()] == ["run.pcapng"]


def test_annotate_keeps_the_permissions(small_file: Path) -> None:
    small_file.chmod(0o640)
    annotate(small_file, {}, {})
    assert small_file.stat().st_mode & 0o777 == 0o640


def test_long_comments_are_cut(small_file: Path) -> None:
    annotate(small_file, {}, {1: "x" * 100_000})
    assert comments_of(small_file)[0][0].startswith("verdict: xxx")
    assert open_run(small_file).incomplete == []


def test_annotate_refuses_foreign_captures(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        Writer(stream)
    with pytest.raises(InputError, match="not a run file"):
        annotate(path, {}, {})
