"""Recording a run: numbers, order, what is on the disk at which moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from mpwire.capture.pcapng import Custom, Interface, Packet, Reader, Section, Statistics, Writer
from mpwire.capture.recorder import CHUNK_OCTETS, MAGIC, RunWriter, write_lines
from mpwire.capture.records import AgentLine, Counters, Decision, End, Host, Step
from mpwire.capture.runfile import open_run
from mpwire.errors import InputError, LocalProtocolError

HOSTS = [Host(name="root", mac="02:00:00:00:00:01", addresses=[])]
START = 1_700_000_000_123_456_789


def blocks_of(path: Path) -> list[object]:
    """Read all blocks of a file that is whole."""
    with path.open("rb") as stream:
        reader = Reader(stream, path.name)
        blocks = list(reader)
    assert reader.lost == []
    return list(blocks)


def test_records_stand_after_the_last_packet(small_run: RunWriter) -> None:
    path = small_run.finish()
    kinds = [type(block) for block in blocks_of(path)]
    assert kinds == [Section, *[Interface] * 2, *[Packet] * 6, *[Statistics] * 2, Custom]
    assert not small_run.journal_path.exists()


def test_frames_are_numbered_as_they_come(new_run: RunWriter) -> None:
    assert [new_run.frame("root", "out", b"", n) for n in (5, 4, 3)] == [1, 2, 3]
    assert new_run.frame_count == 3
    packets = [b for b in blocks_of(new_run.finish()) if isinstance(b, Packet)]
    assert [packet.packetid for packet in packets] == [1, 2, 3]


def test_records_are_stamped_with_the_frames_before_them(new_run: RunWriter) -> None:
    step = Step(time_ns=1, line=1, text="", state="done", after=99)
    new_run.record(step)
    assert step.after == 0
    new_run.frame("root", "out", b"", 2)
    new_run.record(step)
    assert step.after == 1


def test_interface_statistics_count_frames_and_drops(tmp_path: Path) -> None:
    hosts = [*HOSTS, Host(name="leaf1", mac="02:00:00:00:00:02", addresses=[])]
    run = RunWriter(tmp_path, hosts)
    run.frame("root", "out", b"", 2)
    run.record(Counters(host="root", interface={}, udp={}, capture={"dropped": 3}))
    statistics = [b for b in blocks_of(run.finish(9)) if isinstance(b, Statistics)]
    assert [(s.received_count, s.os_dropped_count, s.time_ns) for s in statistics] == [
        (1, 3, 9),
        (0, None, 9),
    ]


def test_end_record_closes_the_run(small_run: RunWriter) -> None:
    run = open_run(small_run.finish())
    assert run.records[-1] == End(frames=6, agent_lines=2, records=11, time_ns=START + 10)
    assert run.incomplete == []


def test_only_finish_writes_the_end(new_run: RunWriter) -> None:
    with pytest.raises(LocalProtocolError, match="finish"):
        new_run.record(End(frames=0, agent_lines=0, records=0, time_ns=0))


def test_agent_lines_that_are_no_json_are_kept(new_run: RunWriter) -> None:
    raw = msgspec.Raw(b'oops "\n')
    new_run.record(AgentLine(time_ns=1, host="root", direction="from", line=raw))
    (line,) = open_run(new_run.finish()).of(AgentLine)
    assert msgspec.json.decode(line.line) == 'oops "'


def test_frames_of_strangers_are_refused_and_not_counted(new_run: RunWriter) -> None:
    with pytest.raises(LocalProtocolError, match="no host 'leaf9' in this run: root"):
        new_run.frame("leaf9", "out", b"", 1)
    with pytest.raises(LocalProtocolError, match="stamp"):
        new_run.frame("root", "out", b"", -1)
    assert new_run.frame("root", "out", b"", 1) == 1


def test_nothing_is_overwritten(small_file: Path) -> None:
    before = small_file.read_bytes()
    with pytest.raises(InputError, match=r"run\.pcapng: File exists"):
        RunWriter(small_file, HOSTS)
    assert small_file.read_bytes() == before


def test_a_foreign_journal_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run.journal").write_text("mine")
    with pytest.raises(InputError, match=r"run\.journal: File exists"):
        RunWriter(tmp_path, HOSTS)
    assert (tmp_path / "run.journal").read_text() == "mine"
    assert not (tmp_path / "run.pcapng").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        RunWriter(tmp_path / "nowhere" / "run.pcapng", HOSTS)


def test_hosts_that_cannot_be_written_leave_no_files(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="interface 'x'"):
        RunWriter(tmp_path, [Host(name="x", mac="?", addresses=[])])
    assert list(tmp_path.iterdir()) == []


def test_two_hosts_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="two hosts"):
        RunWriter(tmp_path, HOSTS * 2)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_ends_well_finishes_the_run(tmp_path: Path) -> None:
    with RunWriter(tmp_path, HOSTS) as run:
        run.frame("root", "out", b"", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pcapng"]
    assert open_run(tmp_path).of(End)


def test_a_block_may_finish_the_run_itself(tmp_path: Path) -> None:
    with RunWriter(tmp_path, HOSTS) as run:
        run.finish(77)
    assert [end.time_ns for end in open_run(tmp_path).of(End)] == [77]


def test_a_block_that_raises_leaves_the_run_unfinished(tmp_path: Path) -> None:
    with pytest.raises(KeyError), RunWriter(tmp_path, HOSTS) as run:
        raise KeyError(run.frame("root", "out", b"", 1))
    assert {path.name for path in tmp_path.iterdir()} == {"run.pcapng", "run.journal"}
    assert len(open_run(tmp_path).frames) == 1


def test_records_are_on_the_disk_with_the_frames_before_them(
    new_run: RunWriter, tmp_path: Path
) -> None:
    new_run.frame("root", "out", b"abc", 1)
    new_run.record(Decision(frame=1, receiver="root", delivered=None, reason="test"))
    assert not open_run(tmp_path).records  # decisions are as many as frames: they may wait
    new_run.record(Step(time_ns=1, line=1, text="", state="done"))
    seen = open_run(tmp_path)
    assert (len(seen.frames), len(seen.records)) == (1, 2)


def test_frames_are_on_the_disk_100_ms_later(new_run: RunWriter, tmp_path: Path) -> None:
    new_run.frame("root", "out", b"abc", 10**9)
    assert len(open_run(tmp_path).frames) == 1
    new_run.frame("root", "out", b"abc", 10**9 + 10**8)
    assert len(open_run(tmp_path).frames) == 1
    new_run.frame("root", "out", b"abc", 10**9 + 10**8 + 1)
    assert len(open_run(tmp_path).frames) == 3


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import frame_of, record_small_run
run = record_small_run(Path(sys.argv[1]))
run.frame("root", "out", frame_of(b"never seen"), 1_700_000_000_123_456_800)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_keeps_everything_recorded(
    tmp_path: Path, small_file: Path, payloads: list[bytes]
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    tests = Path(__file__).parent
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(tests)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.returncode == -signal.SIGKILL
    left = open_run(folder)
    whole = open_run(small_file)
    assert left.frames == whole.frames
    assert len(left.frames) == len(payloads)
    assert left.records == whole.records[:-1]
    assert any("the journal is still there" in reason for reason in left.incomplete)
    assert "no end record: the run was not finished" in left.incomplete


def texts_of(lines: list[bytes]) -> list[bytes]:
    """Write lines as custom blocks and return their texts."""
    stream = BytesIO()
    write_lines(Writer(stream), lines)
    stream.seek(0)
    payloads = [b.payload for b in Reader(stream, "file") if isinstance(b, Custom)]
    assert all(payload.startswith(MAGIC) for payload in payloads)
    return [payload[len(MAGIC) :] for payload in payloads]


def test_custom_blocks_end_at_line_ends() -> None:
    lines = [b"x" * 1000 + b"\n"] * 400
    texts = texts_of(lines)
    assert len(texts) == 4
    assert all(len(text) <= CHUNK_OCTETS + 3 for text in texts)
    assert all(text.endswith((b"x\n", b"\n\n")) for text in texts)
    assert [line for line in b"".join(texts).split(b"\n") if line] == [b"x" * 1000] * 400


@pytest.mark.parametrize("extra", [0, 1, 2, 3, 4, CHUNK_OCTETS])
def test_a_line_larger_than_a_block_continues_in_the_next(extra: int) -> None:
    lines = [b"first\n", b"y" * (CHUNK_OCTETS + extra - 1) + b"\n", b"last\n"]
    texts = texts_of(lines)
    assert [line + b"\n" for line in b"".join(texts).split(b"\n") if line] == lines
    assert all(len(text) <= CHUNK_OCTETS for text in texts)


def test_no_lines_no_blocks() -> None:
    assert texts_of([]) == []


def test_one_hundred_thousand_frames_are_read_back(
    new_run: RunWriter, udp_frame: Callable[[bytes], bytes]
) -> None:
    data = udp_frame(bytes(100))
    for number in range(1, 100_001):
        new_run.frame("root", "out", data, number)
        new_run.record(Decision(frame=number, receiver="root", delivered=None))
    seen = open_run(new_run.finish())
    assert len(seen.frames) == len(seen.of(Decision)) == 100_000
    assert seen.incomplete == ["0 run records where one is expected"]


def test_a_journal_leads_to_its_run_file(tmp_path: Path) -> None:
    journal, whole = tmp_path / "run.journal", tmp_path / "run.pcapng"
    journal.write_bytes(b'{"kind": "run"}\n')
    with pytest.raises(InputError, match="neither pcap nor pcapng"):
        open_run(journal)
    whole.touch()
    with pytest.raises(InputError) as raised:
        open_run(journal)
    assert str(raised.value) == f"{journal}: the journal of a run; open {whole} instead"
