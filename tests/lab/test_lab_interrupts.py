"""Ctrl-C while labs run, and labs that one thread ends in another."""

import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.lab.interrupts import Interrupts, Stop
from mpwire.lab.progress import AnyProgress, Ended, Failure, StepChanged
from mpwire.lab.session import RunOutcome, run_testbed
from mpwire.sim import RunRequest, run_on_fabric

AGENT = Path(__file__).with_name("scripted_agent.py")
SILENT = (sys.executable, "-I", "-S", str(AGENT), "{}")
HANGING = (*SILENT[:-1], json.dumps({"socket": [[]]}))
"""Agents without a network: one that does what it is told, one that never answers."""


def bed(folder: Path, *steps: str) -> Path:
    path = folder / "bed.yaml"
    lines = "".join(f"  - {step}\n" for step in steps)
    path.write_text(f"about: x\nhosts: [root, leaf1]\nscript:\n{lines}", "utf-8")
    return path


def failure(kind: str) -> Failure:
    return Failure(line=1, text="x", reason="x", kind=kind)  # type: ignore[arg-type]  # as given


def test_ctrl_c_is_claimed_unless_the_run_says_that_it_was_interrupted() -> None:
    interrupts = Interrupts()
    interrupts.claim(None)
    interrupts.came = True
    interrupts.claim(failure("interrupted"))
    for other in (None, failure("failed"), failure("unsupported")):
        with pytest.raises(KeyboardInterrupt):
            interrupts.claim(other)


@pytest.mark.lab
@pytest.mark.usefixtures("labs")
def test_ctrl_c_that_comes_when_a_lab_has_ended_is_not_lost(tmp_path: Path) -> None:
    def interrupt(line: AnyProgress) -> None:
        if isinstance(line, Ended):
            signal.raise_signal(signal.SIGINT)

    path = bed(tmp_path, "everything settles")
    with pytest.raises(KeyboardInterrupt):
        run_testbed(path, tmp_path, agents={"default": SILENT}, on_progress=interrupt)
    assert open_run(tmp_path / "latest").incomplete == []


@pytest.mark.parametrize("late", [False, True])
def test_ctrl_c_in_the_simulation_stops_the_script_or_what_comes_after_it(
    tmp_path: Path, late: bool
) -> None:
    path = bed(tmp_path, "root opens R as c_root/d_root", "everything settles")
    seen: list[AnyProgress] = []
    run_on_fabric(path, tmp_path, RunRequest(fabric="sim"), seen.append)
    steps = [line for line in seen if isinstance(line, StepChanged)]
    at = len(seen) - 1 if late else seen.index(steps[0])
    again: list[AnyProgress] = []

    def interrupt(line: AnyProgress) -> None:
        again.append(line)
        if len(again) == at + 1:
            signal.raise_signal(signal.SIGINT)

    if late:
        with pytest.raises(KeyboardInterrupt):
            run_on_fabric(path, tmp_path, RunRequest(fabric="sim"), interrupt)
        assert (tmp_path / "latest").readlink() == Path("bed-2")
        assert open_run(tmp_path / "latest").incomplete == []
        return
    stopped = run_on_fabric(path, tmp_path, RunRequest(fabric="sim"), interrupt).failure
    assert stopped is not None
    assert stopped.kind == "interrupted"


@pytest.mark.lab
@pytest.mark.usefixtures("labs")
def test_another_thread_ends_labs_that_run_and_labs_that_begin(tmp_path: Path) -> None:
    stop = Stop()
    path = bed(tmp_path, "root opens R as c_root/d_root")
    outcomes: list[RunOutcome] = []
    opening = threading.Event()

    def watch(line: AnyProgress) -> None:
        if isinstance(line, StepChanged) and (line.line, line.state) == (4, "started"):
            opening.set()

    def run() -> None:
        outcomes.append(
            run_testbed(path, tmp_path, agents={"default": HANGING}, on_progress=watch, stop=stop)
        )

    thread = threading.Thread(target=run)
    thread.start()
    assert opening.wait(30)
    stop.now()
    thread.join(30)
    run()
    assert [one.failure and one.failure.kind for one in outcomes] == ["interrupted", "interrupted"]


@pytest.fixture
def labs(inside: Callable[..., object]) -> None:
    """Skip where no lab can run."""
