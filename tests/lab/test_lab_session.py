"""Testbeds over real namespaces: what `mpwire run` does, from the file to the run file."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from mpwire.capture import open_run
from mpwire.capture.records import AgentExit, Counters, Run, Sentinel, Step, Testbed
from mpwire.errors import InputError, MachineError
from mpwire.lab import session
from mpwire.lab.launch import LabError
from mpwire.lab.progress import (
    AnyProgress,
    Ended,
    EventReported,
    FrameSeen,
    SocketMade,
    Started,
    StepChanged,
)
from mpwire.lab.session import TOUR, run_testbed

pytestmark = pytest.mark.lab

AGENT = Path(__file__).with_name("scripted_agent.py")
Carrier = Literal["tap", "veth"]
SILENT = (sys.executable, "-I", "-S", str(AGENT), "{}")
"""An agent without a network, for what is not about the network."""


def bed(folder: Path, *steps: str) -> Path:
    path = folder / "bed.yaml"
    lines = "".join(f"  - {step}\n" for step in steps)
    path.write_text(f"about: x\nhosts: [root, leaf1]\nscript:\n{lines}", "utf-8")
    return path


def test_the_tour_runs_to_its_end_and_its_record_is_complete(
    tmp_path: Path, carrier: Carrier
) -> None:
    outcome = run_testbed(TOUR, tmp_path / "out", carrier=carrier, command=["mpwire", "run"])
    assert outcome.failure is None
    assert (outcome.carrier, outcome.folder.name) == (carrier, "tour-1")
    assert [path.name for path in outcome.folder.iterdir()] == ["run.pcapng"]
    run = open_run(outcome.run_file)
    assert run.incomplete == []
    assert run.run is not None
    assert (run.run.command, run.run.carrier, run.run.seed) == (["mpwire", "run"], carrier, 1)
    hosts = ["root", "leaf1", "leaf2", "leaf3"]
    assert [interface.name for interface in run.interfaces] == hosts

    exits = [one for one in run.records if isinstance(one, AgentExit)]
    assert sorted(one.host for one in exits) == sorted(hosts)
    assert {one.expected for one in exits} == {True}
    counters = [one.host for one in run.records if isinstance(one, Counters)]
    assert counters == hosts
    sentinels = [(one.host, one.stage) for one in run.records if isinstance(one, Sentinel)]
    assert sorted(sentinels) == sorted((host, at) for host in hosts for at in ("start", "end"))
    (text,) = [one.text for one in run.records if isinstance(one, Testbed)]
    assert text == TOUR.read_text("utf-8")
    assert isinstance(run.records[0], Run)
    assert {one.state for one in run.records if isinstance(one, Step)} == {"started", "done"}


@pytest.mark.usefixtures("labs")
def test_progress_tells_all_that_the_file_says_in_the_same_order(tmp_path: Path) -> None:
    told: list[AnyProgress] = []
    outcome = run_testbed(TOUR, tmp_path, on_progress=told.append)
    run = open_run(outcome.run_file)
    assert isinstance(told[0], Started)
    assert told[0].hosts == ("root", "leaf1", "leaf2", "leaf3")
    assert told[0].addresses["leaf1"] == ("10.77.0.3",)
    assert told[0].macs["leaf1"] == "02:4d:50:00:00:03"
    assert isinstance(told[-1], Ended)
    assert told[-1].failed is None
    frames = {frame.number: frame for frame in run.frames}
    seen = [line for line in told if isinstance(line, FrameSeen)]
    assert seen
    for line in seen:
        frame = frames[line.number]
        assert (frame.vantage, frame.direction, frame.data.hex(), frame.time_ns) == (
            line.host,
            line.direction,
            line.data,
            line.time_ns,
        )
    assert [line.number for line in seen] == sorted(line.number for line in seen)
    steps = [(one.line, one.state) for one in run.records if isinstance(one, Step)]
    assert [(line.line, line.state) for line in told if isinstance(line, StepChanged)] == steps
    made = {(line.host, line.socket): line.name for line in told if isinstance(line, SocketMade)}
    assert sorted(made.values()) == ["A2", "L1", "L2", "L3", "P1", "P2", "P3", "R"]
    events = [line for line in told if isinstance(line, EventReported)]
    assert {(line.host, line.socket) for line in events} <= set(made)
    assert [line.after for line in events] == sorted(line.after for line in events)


@pytest.mark.usefixtures("labs")
def test_runs_are_numbered_and_latest_leads_to_the_newest(tmp_path: Path) -> None:
    path = bed(tmp_path, "everything settles")
    for number in (1, 2):
        outcome = run_testbed(path, tmp_path / "out", agents={"default": SILENT})
        assert outcome.folder == tmp_path / "out" / f"bed-{number}"
        assert (tmp_path / "out" / "latest").resolve() == outcome.folder
        assert (tmp_path / "out" / "latest" / "run.pcapng").exists()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["bed-1", "bed-2", "latest"]


def test_a_wrong_file_starts_and_leaves_nothing(tmp_path: Path) -> None:
    path = bed(tmp_path, "root opns R as c_root/d_root")
    with pytest.raises(InputError, match=r"bed\.yaml:4:10: found 'opns'"):
        run_testbed(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write there"):
        run_testbed(TOUR, tmp_path / "file" / "out")


@pytest.mark.usefixtures("labs")
def test_a_crashing_agent_leaves_a_whole_file_and_its_last_words(tmp_path: Path) -> None:
    rules = {"bind": [[{"result": {}}, {"stderr": "oh no"}, {"exit": 3}]]}
    crashing = (*SILENT[:-1], json.dumps(rules))
    path = bed(tmp_path, "root opens R as c_root/d_root", "R sees FD_CLOSE")
    outcome = run_testbed(path, tmp_path, agents={"default": SILENT, "root": crashing})
    assert outcome.failure is not None
    assert outcome.failure.reason == "root's agent exited with status 3 (oh no)"
    assert (outcome.failure.line, outcome.failure.text) == (5, "R sees FD_CLOSE")
    assert (outcome.folder / "root.stderr").read_text("utf-8") == "oh no\n"
    run = open_run(outcome.folder)
    assert run.incomplete == []
    exits = {one.host: one for one in run.records if isinstance(one, AgentExit)}
    assert (exits["root"].status, exits["root"].expected) == (3, False)
    assert (exits["leaf1"].status, exits["leaf1"].expected) == (0, True)


@pytest.mark.usefixtures("labs")
def test_an_agent_that_supports_nothing_is_unsupported(tmp_path: Path) -> None:
    rules = {call: [[{"unsupported": call}]] for call in ("configure", "barrier", "exit")}
    agent = (*SILENT[:-1], json.dumps(rules))
    outcome = run_testbed(bed(tmp_path, "everything settles"), tmp_path, agents={"default": agent})
    assert outcome.failure is not None
    assert outcome.failure.kind == "unsupported"


@pytest.mark.usefixtures("labs")
def test_ctrl_c_stops_the_script_and_keeps_the_record(tmp_path: Path) -> None:
    def interrupt(line: AnyProgress) -> None:
        if isinstance(line, StepChanged) and (line.line, line.state) == (5, "started"):
            signal.raise_signal(signal.SIGINT)

    path = bed(tmp_path, "root opens R as c_root/d_root", "R sees FD_CLOSE")
    outcome = run_testbed(path, tmp_path, agents={"default": SILENT}, on_progress=interrupt)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.line) == ("interrupted", 5)
    assert open_run(outcome.folder).incomplete == []


@pytest.mark.usefixtures("labs")
def test_a_second_ctrl_c_ends_the_lab_at_once(tmp_path: Path) -> None:
    hanging = (*SILENT[:-1], json.dumps({"exit": [[{"listen": True}]], "barrier": [[]]}))

    def interrupt(line: AnyProgress) -> None:
        if isinstance(line, StepChanged) and line.state == "started" and line.line in (0, 5):
            signal.raise_signal(signal.SIGINT)

    path = bed(tmp_path, "root opens R as c_root/d_root", "R sees FD_CLOSE")
    with pytest.raises(KeyboardInterrupt):
        run_testbed(path, tmp_path, agents={"default": hanging}, on_progress=interrupt)
    assert (tmp_path / "bed-1" / "run.pcapng").exists()


@pytest.mark.parametrize(
    ("lines", "kind", "text"),
    [
        (['{"lacks": "no tun"}'], MachineError, "no tun"),
        (['{"progress": "dance"}'], LabError, "nobody understands"),
        ([], LabError, "the lab ended with status 0"),
    ],
)
def test_a_lab_that_ends_otherwise_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    kind: type[Exception],
    text: str,
) -> None:
    """A supervisor that cannot run the lab, played by a program that prints the same."""
    played = tmp_path / "supervisor.py"
    played.write_text("".join(f"print({line!r})\n" for line in lines), "utf-8")
    monkeypatch.setattr("mpwire.lab.launch.SUPERVISOR", played)
    with pytest.raises(kind, match=text):
        run_testbed(TOUR, tmp_path / "out")
    assert not (tmp_path / "out" / "latest").exists()
    assert (tmp_path / "out" / "tour-1").exists() == (kind is LabError)


def test_the_lab_process_starts_without_what_only_the_caller_needs() -> None:
    heavy = ("ruamel.yaml", "pydantic", "typer", "rich", "scapy")
    said = f"import sys, mpwire.lab.inner; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", said],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert found.stdout == "[]\n"


def test_a_testbed_is_found_from_wherever_the_package_is() -> None:
    assert session.TOUR.parent == Path(session.__file__).parent


@pytest.fixture
def labs(inside: Callable[..., object]) -> None:
    """Skip where no lab can run."""
