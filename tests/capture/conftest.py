"""A small run, recorded the way the lab records one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpwire.capture.recorder import RunWriter
from mpwire.capture.records import (
    AgentExit,
    AgentLine,
    Counters,
    Decision,
    Host,
    Run,
    Sentinel,
    Step,
    Testbed,
    verbatim,
)

START_NS = 1_700_000_000_123_456_789
PAYLOADS = (b"ping", b"one", b"two")


def frame_of(payload: bytes) -> bytes:
    """Build 10.77.0.1:5 -> 10.77.0.2:6 in Ethernet, with an absent UDP checksum."""
    udp = bytes.fromhex("00050006") + (8 + len(payload)).to_bytes(2, "big") + bytes(2) + payload
    words = [0x4500, 20 + len(udp), 0, 0x4000, 0x4011, 0x0A4D, 1, 0x0A4D, 2]
    words.insert(5, 0xFFFF - sum(words) % 0xFFFF)
    header = b"".join(word.to_bytes(2, "big") for word in words)
    return bytes.fromhex("020000000002 020000000001 0800") + header + udp


def record_small_run(folder: Path) -> RunWriter:
    """Record six frames and eleven records, and leave the run unfinished."""
    hosts = [
        Host(name="root", mac="02:00:00:00:00:01", addresses=["10.77.0.1/24"], agent=["agent"]),
        Host(name="leaf1", mac="02:00:00:00:00:02", addresses=["10.77.0.2/24", "fd77::2/64"]),
    ]
    run = RunWriter(folder, hosts)
    run.record(
        Run(
            version="0.1.0",
            command=["mpwire", "run"],
            started_ns=START_NS,
            seed=7,
            fabric="switch",
            carrier="tap",
            contract=1,
            hosts=hosts,
        )
    )
    run.record(Testbed(path="testbeds/small.yaml", text="hosts: [root, leaf1]\n"))
    sent = run.frame("root", "out", frame_of(PAYLOADS[0]), START_NS + 1)
    received = run.frame("leaf1", "in", frame_of(PAYLOADS[0]), START_NS + 2)
    run.record(Decision(frame=sent, receiver="leaf1", delivered=received))
    run.record(Sentinel(host="leaf1", stage="start", request=sent, reply=received))
    run.record(Step(time_ns=START_NS + 3, line=1, text="leaf1 listens", state="started"))
    call = verbatim(b'{"id": 1, "call": "listen"}\n')
    run.record(AgentLine(time_ns=START_NS + 4, host="leaf1", direction="to", line=call))
    sent = run.frame("root", "out", frame_of(PAYLOADS[1]), START_NS + 5, "the first")
    received = run.frame("leaf1", "in", frame_of(PAYLOADS[1]), START_NS + 6)
    run.record(Decision(frame=sent, receiver="leaf1", delivered=received))
    event = verbatim(b'{"event": "FD_ACCEPT", "seq": 1}\n')
    run.record(AgentLine(time_ns=START_NS + 7, host="leaf1", direction="from", line=event))
    sent = run.frame("root", "out", frame_of(PAYLOADS[2]), START_NS + 8)
    run.record(Decision(frame=sent, receiver="leaf1", delivered=None, reason="lost on purpose"))
    run.frame("leaf1", "out", frame_of(PAYLOADS[2]), START_NS + 9)
    run.record(AgentExit(time_ns=START_NS + 10, host="leaf1", status=0, expected=True))
    run.record(Counters(host="leaf1", interface={}, udp={}, capture={"dropped": 0}))
    return run


@pytest.fixture
def small_run(tmp_path: Path) -> Iterator[RunWriter]:
    """Return the unfinished small run."""
    run = record_small_run(tmp_path)
    yield run
    run.close()


@pytest.fixture
def new_run(tmp_path: Path) -> Iterator[RunWriter]:
    """Return a run of one host, root, that has not begun."""
    run = RunWriter(tmp_path, [Host(name="root", mac="02:00:00:00:00:01", addresses=[])])
    yield run
    run.close()


@pytest.fixture
def small_file(small_run: RunWriter) -> Path:
    """Return the finished small run."""
    return small_run.finish()


@pytest.fixture
def record_run() -> Callable[[Path], RunWriter]:
    """Return what records the small run into a folder."""
    return record_small_run


@pytest.fixture
def udp_frame() -> Callable[[bytes], bytes]:
    """Return what builds a frame around a UDP payload."""
    return frame_of


@pytest.fixture
def payloads() -> list[bytes]:
    """Return the payloads of the frames of the small run."""
    return [PAYLOADS[n] for n in (0, 0, 1, 1, 2, 2)]


@pytest.fixture
def times_ns() -> list[int]:
    """Return the stamps of the frames of the small run."""
    return [START_NS + n for n in (1, 2, 5, 6, 8, 9)]
