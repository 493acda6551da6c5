"""Where runs of one testbed part, and where they may."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.records import AgentExit, AgentLine, Host, Step
from mpwire.report.agreement import BARRIER, Difference, collapsed, first_difference, spans_of
from mpwire.vocabulary import Verdict
from tests.capture.runs import run_record

Line = str | tuple[str, str] | tuple[str, str, int]
SETTLES = "settles"
"""Stands for a barrier."""
DIES = "dies"
"""Stands for the end of an agent."""
PASS = Verdict.PASS


def run_of(folder: Path, lines: Sequence[Line], fabric: str = "sim") -> RunFile:
    """Record what agents reported: (host, event, code), or a barrier."""
    hosts = [
        Host(name=name, mac=f"02:00:00:00:00:0{place}", addresses=[])
        for place, name in enumerate(("root", "leaf1"), 1)
    ]
    path = folder / f"{fabric}{len(list(folder.iterdir()))}"
    path.mkdir()
    with RunWriter(path, hosts) as writer:
        writer.record(run_record(hosts, fabric=fabric, carrier=""))
        for number, line in enumerate(lines, 1):
            if line == SETTLES:
                for state in ("started", "done"):
                    step = Step(time_ns=1, line=10 * number, text=BARRIER, state="done")
                    writer.record(msgspec.structs.replace(step, state=state))
            elif line[0] == DIES:
                writer.record(AgentExit(time_ns=1, host=line[1], status=-9, expected=True))
            else:
                host, event, code = (*line, 0)[:3]
                writer.frame(host, "in", bytes(60), number)
                said = {"event": event, "socket": 1, "code": code, "seq": number}
                raw = msgspec.Raw(json.dumps(said).encode())
                writer.record(AgentLine(time_ns=1, host=host, direction="from", line=raw))
    return open_run(path)


def differ(folder: Path, one: Sequence[Line], other: Sequence[Line]) -> Difference | None:
    """Compare two runs that both passed."""
    runs = {"sim": run_of(folder, one), "bridge": run_of(folder, other)}
    return first_difference(runs, dict.fromkeys(runs, PASS))


def test_what_happens_at_two_hosts_may_come_in_either_order(tmp_path: Path) -> None:
    one: list[Line] = [("root", "FD_ACCEPT"), ("leaf1", "FD_CONNECT")]
    assert differ(tmp_path, one, one[::-1]) is None


def test_events_of_one_socket_have_one_order(tmp_path: Path) -> None:
    one: list[Line] = [("leaf1", "FD_CONNECT"), ("leaf1", "FD_CLOSE", 10054)]
    found = differ(tmp_path, one, one[::-1])
    assert found is not None
    assert str(found) == (
        "leaf1:socket 1, from the start to the end, event 1: sim FD_CONNECT (after frame 1),"
        " bridge FD_CLOSE WSAECONNRESET (after frame 1)"
    )


def test_an_event_that_one_fabric_lacks_is_named_with_its_barriers(tmp_path: Path) -> None:
    one: list[Line] = [("leaf1", "FD_CONNECT"), SETTLES, ("leaf1", "FD_CLOSE"), SETTLES]
    found = differ(tmp_path, one, [one[0], SETTLES, SETTLES])
    assert found is not None
    assert (found.socket, found.where, found.place) == (
        "leaf1:socket 1",
        "from line 20 to line 40",
        1,
    )
    assert found.seen == {"sim": "FD_CLOSE (after frame 2)", "bridge": "nothing"}


def test_an_event_on_the_other_side_of_a_barrier_is_another_one(tmp_path: Path) -> None:
    early: list[Line] = [("leaf1", "FD_CONNECT"), SETTLES]
    found = differ(tmp_path, early, early[::-1])
    assert found is not None
    assert found.seen["bridge"] == "nothing"


def test_another_error_is_another_event(tmp_path: Path) -> None:
    one, other = ("leaf1", "FD_CLOSE", 10054), ("leaf1", "FD_CLOSE", 12345)
    found = differ(tmp_path, [one], [other])
    assert found is not None
    assert found.seen["bridge"] == "FD_CLOSE 12345 (after frame 1)"


@pytest.mark.parametrize(
    "other",
    [
        ["FD_READ", "FD_READ", "FD_WRITE"],
        ["FD_WRITE", "FD_READ"],
    ],
)
def test_runs_about_data_count_as_one(tmp_path: Path, other: list[str]) -> None:
    plain: list[Line] = [("leaf1", name) for name in ("FD_CONNECT", "FD_READ", "FD_WRITE")]
    assert differ(tmp_path, plain, [plain[0], *[("leaf1", name) for name in other]]) is None


def test_runs_about_data_do_not_reach_over_another_event() -> None:
    rows = [("FD_READ", 1), ("FD_WRITE", 2), ("FD_CLOSE", 3), ("FD_READ", 4)]
    assert [(one.told, one.frame) for one in collapsed(rows)] == [
        ("FD_READ and FD_WRITE", 1),
        ("FD_CLOSE", 3),
        ("FD_READ", 4),
    ]
    assert [one.told for one in collapsed([("FD_READ WSAECONNRESET", 1)] * 2)] == [
        "FD_READ WSAECONNRESET"
    ] * 2


def test_sockets_of_another_life_are_other_sockets(tmp_path: Path) -> None:
    lines: list[Line] = [("leaf1", "FD_CONNECT"), (DIES, "leaf1"), ("leaf1", "FD_CONNECT")]
    ((where, found),) = spans_of(run_of(tmp_path, lines))
    assert where == "from the start to the end"
    assert sorted(found) == ["leaf1:socket 1", "leaf1:socket 1000001"]


def test_verdicts_are_compared_when_events_agree(tmp_path: Path) -> None:
    runs = {name: run_of(tmp_path, [("leaf1", "FD_CONNECT")], name) for name in ("sim", "bridge")}
    found = first_difference(runs, {"sim": PASS, "bridge": Verdict.INCONCLUSIVE})
    assert str(found) == "verdicts: sim PASS, bridge INCONCLUSIVE"
    assert first_difference({}, {}) is None
