"""Run files in every state: finished, crashed, cut, tampered with, and other programs' captures."""

import itertools
import os
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import annotate, open_run
from mpwire.capture.pcapng import Custom, Reader, Writer
from mpwire.capture.recorder import APPLICATION, MAGIC, PEN, RunWriter, write_lines
from mpwire.capture.records import AgentLine, Decision, End, Step, StoredVerdict
from mpwire.capture.runfile import Frame
from mpwire.errors import InputError


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


def lines_file(path: Path, *lines: bytes) -> Path:
    """Write a file that holds these lines as records and no packet."""
    with path.open("wb") as stream:
        write_lines(Writer(stream, application=APPLICATION), lines)
    return path


# a finished run


def test_a_finished_run_is_whole(
    small_file: Path, payloads: list[bytes], times_ns: list[int]
) -> None:
    run = open_run(small_file)
    assert run.incomplete == []
    assert [interface.name for interface in run.interfaces] == ["root", "leaf1"]
    assert [frame.number for frame in run.frames] == [1, 2, 3, 4, 5, 6]
    assert [frame.vantage for frame in run.frames] == ["root", "leaf1"] * 3
    assert [frame.direction for frame in run.frames] == ["out", "in"] * 2 + ["out", "out"]
    assert [frame.time_ns for frame in run.frames] == times_ns
    assert [frame.data[-len(p) :] for frame, p in zip(run.frames, payloads, strict=True)] == (
        payloads
    )
    assert [frame.comment for frame in run.frames] == [None, None, "the first", None, None, None]
    assert run.run is not None
    assert run.run.seed == 7
    assert [host.name for host in run.run.hosts] == ["root", "leaf1"]
    assert [line.line for line in run.of(AgentLine)] == [
        msgspec.Raw(b'{"id": 1, "call": "listen"}'),
        msgspec.Raw(b'{"event": "FD_ACCEPT", "seq": 1}'),
    ]
    assert len(run.of(Decision)) == 3


def test_a_run_is_opened_by_file_folder_or_text(small_file: Path) -> None:
    run = open_run(small_file)
    assert open_run(small_file.parent) == run
    assert open_run(str(small_file)) == run


def test_timeline_is_causal(small_file: Path) -> None:
    timeline = list(open_run(small_file).timeline())
    shown = [
        (position, item.number if isinstance(item, Frame) else type(item).__name__)
        for position, item in timeline
    ]
    assert shown == [
        (0, "Run"),
        (0, "Testbed"),
        (1, 1),
        (2, 2),
        (2, "Decision"),
        (2, "Sentinel"),
        (2, "Step"),
        (2, "AgentLine"),
        (3, 3),
        (4, 4),
        (4, "Decision"),
        (4, "AgentLine"),
        (5, 5),
        (5, "Decision"),
        (6, 6),
        (6, "AgentExit"),
        (6, "Counters"),
        (6, "End"),
    ]


def test_timeline_of_frames_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.interface("eth0")
        writer.packet(0, b"a", 5)
        writer.packet(0, b"b", 4)
    timeline = open_run(path).timeline()
    assert [(position, type(item)) for position, item in timeline] == [(1, Frame), (2, Frame)]


# cut and tampered with


def test_a_run_cut_at_any_octet_is_read_and_said_to_be_incomplete(small_file: Path) -> None:
    data = small_file.read_bytes()
    whole = open_run(small_file)
    ends = block_ends(data)
    for cut in range(1, len(data)):
        small_file.write_bytes(data[:cut])
        run = open_run(small_file)
        assert run.frames == whole.frames[: len(run.frames)]
        assert run.records == whole.records[: len(run.records)]
        assert len(run.frames) == min(6, max(0, sum(end <= cut for end in ends) - 4))
        assert run.incomplete
        assert any("the file was cut" in reason for reason in run.incomplete) == (cut not in ends)
        assert "no end record: the run was not finished" in run.incomplete or cut < ends[1]


@pytest.mark.parametrize("index", range(6))
def test_a_frame_that_was_cut_out_is_missed(small_file: Path, index: int) -> None:
    small_file.write_bytes(without_block(small_file.read_bytes(), 3 + index))
    incomplete = open_run(small_file).incomplete
    assert "5 frames where the end record says 6" in incomplete
    assert (f"missing frames: {index + 1}" in incomplete) == (index < 5)


def test_a_frame_that_stands_twice_or_elsewhere(small_file: Path) -> None:
    data = small_file.read_bytes()
    ends = block_ends(data)
    blocks = [data[a:b] for a, b in itertools.pairwise(ends)]
    small_file.write_bytes(b"".join([*blocks[:5], blocks[4], *blocks[5:]]))
    assert "frames more than once: 2" in open_run(small_file).incomplete
    blocks[4], blocks[5] = blocks[5], blocks[4]
    small_file.write_bytes(b"".join(blocks))
    assert "frames out of order: 2" in open_run(small_file).incomplete


def test_a_run_without_its_records_is_no_foreign_capture(small_file: Path) -> None:
    small_file.write_bytes(without_block(small_file.read_bytes(), 11))
    run = open_run(small_file)
    assert run.run is None
    assert "0 run records where one is expected" in run.incomplete


def test_records_of_a_later_edition(small_file: Path) -> None:
    with small_file.open("ab") as stream:
        section = BytesIO()
        write_lines(Writer(section), [b'{"kind":"weather","sun":1}\n'] * 2)
        stream.write(section.getvalue())
    run = open_run(small_file)
    assert run.incomplete == ["2 records of the unknown kind 'weather'"]
    assert run.unknown_records == {"weather": 2}
    with pytest.raises(InputError, match="written by a later edition of mpwire"):
        annotate(small_file, {}, {})


def test_fields_of_a_later_edition_are_ignored(tmp_path: Path) -> None:
    path = lines_file(
        tmp_path / "a.pcapng",
        b'{"kind":"end","frames":0,"agent_lines":0,"records":0,"time_ns":1,"mood":"fine"}\n',
    )
    assert open_run(path).records == [End(frames=0, agent_lines=0, records=0, time_ns=1)]


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"{}",
        b'{"kind":5}',
        b'{"kind":"end"}',
        b'{"kind":"end","frames":"six"}',
        b'{"kind":"testbed","path":"\xff","text":""}',
        b"[" * 200_000,
        b'{"kind":"stored_verdict","verdict":' + b'{"a":' * 100_000,
    ],
)
def test_lines_that_are_no_records(tmp_path: Path, line: bytes) -> None:
    path = lines_file(tmp_path / "a.pcapng", line + b"\n")
    with pytest.raises(InputError, match=r"a\.pcapng: octet \d+: not a record: "):
        open_run(path)


def test_custom_blocks_of_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.custom(PEN, b"not ours")
        writer.custom(PEN + 1, MAGIC + b"not ours")
    run = open_run(path)
    assert (run.records, run.incomplete) == ([], [])


def test_a_record_larger_than_a_block(small_file: Path, tmp_path: Path) -> None:
    verdict: dict[str, object] = {"text": "x" * 1_000_000}
    annotate(small_file, verdict, {})
    assert open_run(small_file).of(StoredVerdict) == [StoredVerdict(verdict=verdict)]
    data = small_file.read_bytes()
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(data[: block_ends(data)[-2]])
    assert any("the last record was cut after" in reason for reason in open_run(cut).incomplete)


# after a crash


def test_an_unfinished_run_is_read_with_its_journal(small_run: RunWriter) -> None:
    run = open_run(small_run.path)
    assert len(run.frames) == 6
    assert len(run.records) == 11
    assert run.incomplete == [
        f"{small_run.journal_path}: the journal is still there: the run did not end properly",
        "no end record: the run was not finished",
    ]


def test_a_run_that_had_just_begun(new_run: RunWriter) -> None:
    run = open_run(new_run.path)
    assert (run.frames, run.records) == ([], [])
    assert "0 run records where one is expected" in run.incomplete


def test_a_journal_cut_at_any_octet(small_run: RunWriter) -> None:
    journal = small_run.journal_path.read_bytes()
    whole = open_run(small_run.path).records
    for cut in range(len(journal)):
        small_run.journal_path.write_bytes(journal[:cut])
        run = open_run(small_run.path)
        lines = journal[:cut].count(b"\n")
        assert run.records == whole[:lines]
        rest = cut - (journal[:cut].rfind(b"\n") + 1)
        lost = f"{small_run.journal_path}: the last record was cut after {rest} octets"
        assert (lost in run.incomplete) == bool(rest)


def test_a_journal_that_is_damaged_within(small_run: RunWriter) -> None:
    journal = small_run.journal_path.read_bytes()
    small_run.journal_path.write_bytes(journal.replace(b'{"kind":"testbed"', b'{"kind";"testbed"'))
    with pytest.raises(InputError, match=r"run\.journal: line 2: not a record"):
        open_run(small_run.path)


def test_a_crash_while_the_records_are_moved(
    small_run: RunWriter, small_file: Path, tmp_path: Path
) -> None:
    # The journal is whole with its end record; the file has any part of the records.
    whole = open_run(small_file)
    data = small_file.read_bytes()
    encoded = [msgspec.json.encode(record) + b"\n" for record in whole.records]
    small_run.journal_path.write_bytes(b"".join(encoded))
    for cut in [*range(block_ends(data)[9], len(data), 97), len(data)]:
        small_file.write_bytes(data[:cut])
        run = open_run(tmp_path)
        assert run.frames == whole.frames
        assert run.records == whole.records
        assert "the journal is still there" in "\n".join(run.incomplete)


def test_frames_that_did_not_reach_the_disk_are_missed(small_run: RunWriter) -> None:
    data = small_run.path.read_bytes()
    small_run.path.write_bytes(data[: block_ends(data)[6]])
    incomplete = open_run(small_run.path).incomplete
    assert "records name frames that are not there: 4, 5" in incomplete
    assert "a record follows frame 6, but 3 frames are there" in incomplete


def test_a_header_that_did_not_reach_the_disk(small_run: RunWriter) -> None:
    small_run.path.write_bytes(small_run.path.read_bytes()[:10])
    run = open_run(small_run.path)
    assert len(run.records) == 11
    assert any("the file was cut" in reason for reason in run.incomplete)


def test_a_journal_beside_a_foreign_capture_is_left_alone(tmp_path: Path) -> None:
    with (tmp_path / "a.pcapng").open("wb") as stream:
        Writer(stream)
    (tmp_path / "a.journal").write_text("dear diary")
    assert open_run(tmp_path / "a.pcapng").incomplete == []


# other captures


def test_a_foreign_capture_is_numbered_by_place(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.interface("eth0")
        writer.packet(0, b"a", 5, packetid=900)
        writer.packet(0, b"b", 4)
    run = open_run(path)
    assert run.run is None
    assert [(f.number, f.data, f.direction) for f in run.frames] == [
        (1, b"a", None),
        (2, b"b", None),
    ]
    assert run.incomplete == []


def test_a_pcap(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    header = "d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000"
    path.write_bytes(bytes.fromhex(header + "01000000 02000000 01000000 01000000 aa"))
    assert open_run(path).frames == [
        Frame(
            number=1,
            vantage="capture",
            direction=None,
            time_ns=10**9 + 2000,
            data=b"\xaa",
            linktype=1,
            original_octets=1,
        )
    ]


def test_foreign_captures_say_what_they_lack(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    simple = bytes.fromhex("03000000 14000000 01000000 a1000000 14000000")
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.interface("eth0")
        writer.packet(0, b"a", 5, original_octets=9)
        stream.write(simple)
        writer.statistics(0, 6, dropped_count=9)
        writer.statistics(0, 7, dropped_count=2, os_dropped_count=1)
    run = open_run(path)
    assert [frame.time_ns for frame in run.frames] == [5, 0]
    assert run.incomplete == [
        "packets captured only in part, by place in the file: 1",
        "packets without a time, by place in the file: 2",
        "eth0: 3 packets dropped while capturing",
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "octet 0: neither pcap nor pcapng: it is empty"),
        (b"\x7fELF", "octet 0: neither pcap nor pcapng: it begins with 7f 45 4c 46"),
        (b"\x0a\x0dx", "octet 0: neither pcap nor pcapng: it begins with 0a 0d 78"),
        (b"{}", "octet 0: neither pcap nor pcapng: it begins with 7b 7d"),
    ],
)
def test_what_is_no_capture(tmp_path: Path, data: bytes, found: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InputError) as raised:
        open_run(path)
    assert str(raised.value) == f"{path}: {found}"


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.pcapng: No such file or directory"):
        open_run(tmp_path)


def test_a_pipe_can_be_read(small_file: Path) -> None:
    data = small_file.read_bytes()
    readable, writable = os.pipe()
    try:
        os.write(writable, data)
        os.close(writable)
        assert len(open_run(f"/dev/fd/{readable}").frames) == 6
    finally:
        os.close(readable)


def test_a_run_may_be_copied_and_renamed(
    small_run: RunWriter, tmp_path: Path, record_run: Callable[[Path], RunWriter]
) -> None:
    del small_run
    target = tmp_path / "kept"
    target.mkdir()
    with record_run(target):
        pass
    shutil.copy(target / "run.pcapng", tmp_path / "other-name.pcapng")
    assert open_run(tmp_path / "other-name.pcapng").incomplete == []


def test_steps_keep_their_order(small_file: Path) -> None:
    run = open_run(small_file)
    assert [step.after for step in run.of(Step)] == [2]
    with small_file.open("rb") as stream:
        customs = [block for block in Reader(stream, "file") if isinstance(block, Custom)]
    assert [custom.pen for custom in customs] == [PEN]
