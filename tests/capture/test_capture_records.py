"""Records: their kinds, agent lines taken over verbatim, and their place among the frames."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.records import (
    KINDS,
    AgentExit,
    AgentLine,
    AnyRecord,
    Counters,
    Decision,
    End,
    Sentinel,
    Step,
    StoredVerdict,
    position_of,
    verbatim,
)


def test_kinds() -> None:
    assert list(KINDS) == [
        "run",
        "testbed",
        "step",
        "agent_line",
        "agent_exit",
        "decision",
        "sentinel",
        "counters",
        "outage",
        "end",
        "stored_verdict",
    ]


def test_a_record_is_one_json_object_named_by_kind() -> None:
    record = AgentLine(
        time_ns=5, host="leaf1", direction="from", line=verbatim(b'{ "id" : 1e0 }\n'), after=3
    )
    line = msgspec.json.encode(record)
    assert line == (
        b'{"kind":"agent_line","time_ns":5,"host":"leaf1","direction":"from",'
        b'"line":{ "id" : 1e0 },"after":3}'
    )
    assert msgspec.json.decode(line, type=AnyRecord) == record


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id": 1, "result": {}}\r\n', b'{"id": 1, "result": {}}'),
        (b"5", b"5"),
        (b"", b'""'),
        (b"Segmentation fault\n", b'"Segmentation fault"'),
        (b'{"id": 1', b'"{\\"id\\": 1"'),
        (b"\xff\xfe", '"��"'.encode()),
        (b'"\xff"', '"\\"�\\""'.encode()),
        (b'{"id":\n1}', b'"{\\"id\\":\\n1}"'),
        (b'{"id":\r1}', b'"{\\"id\\":\\r1}"'),
        (b"[" * 32 + b"]" * 32, b"[" * 32 + b"]" * 32),
        (b"[" * 33 + b"]" * 33, b'"' + b"[" * 33 + b"]" * 33 + b'"'),
        (b'{"a":' * 33 + b"1" + b"}" * 33, b'"' + b'{\\"a\\":' * 33 + b"1" + b"}" * 33 + b'"'),
        (b"[" * 100_000, b'"' + b"[" * 100_000 + b'"'),
    ],
)
def test_agent_lines_are_kept_and_always_json(line: bytes, expected: bytes) -> None:
    assert bytes(verbatim(line)) == expected


@given(st.binary())
def test_verbatim_is_always_one_line_of_json(line: bytes) -> None:
    kept = verbatim(line)
    msgspec.json.decode(kept)
    assert b"\n" not in bytes(kept)
    assert verbatim(bytes(kept)) == kept


@pytest.mark.parametrize(
    ("record", "position"),
    [
        (Step(time_ns=0, line=1, text="", state="done", after=4), 4),
        (
            AgentLine(time_ns=0, host="", direction="to", line=msgspec.Raw(b"1"), after=5),
            5,
        ),
        (AgentExit(time_ns=0, host="", status=0, expected=True, after=6), 6),
        (Decision(frame=3, receiver="", delivered=7), 7),
        (Decision(frame=3, receiver="", delivered=None, reason="lost"), 3),
        (Sentinel(host="", stage="start", request=2, reply=1), 2),
        (Counters(host="", interface={}, udp={}, capture={}), 0),
        (End(frames=9, agent_lines=0, records=0, time_ns=0), 9),
        (StoredVerdict(verdict={}), 0),
    ],
)
def test_position(record: AnyRecord, position: int) -> None:
    assert position_of(record) == position
