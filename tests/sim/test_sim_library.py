"""The library of testbeds in the simulation."""

import itertools
import re
from pathlib import Path
from typing import Literal

import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.records import Decision, Run, Step
from mpwire.errors import MachineError
from mpwire.lab import testbed
from mpwire.lab.every import Sent, messages
from mpwire.lab.session import run_testbed
from mpwire.lab.sight import sighting
from mpwire.report import assess
from mpwire.report.agreement import spans_of
from mpwire.sim import RunRequest, run_on_fabric, run_simulated
from mpwire.vocabulary import Verdict
from tests.library import everything
from tests.library import simulated as simulated_ones
from tests.mutation.scenarios import settled

LIBRARY = simulated_ones()
TOUR = Path(__file__).parents[2] / "testbeds" / "rooted-lan.yaml"


def simulated(path: Path, folder: Path, seed: int | None = None) -> RunFile:
    """Run a testbed and read what it left."""
    run_simulated(testbed.load(path, seed=seed), folder)
    return open_run(folder)


def races(run: RunFile) -> list[str]:
    """Name sockets with an FD_WRITE, and then an FD_ACCEPT, that no step and no barrier parts.

    The two have causes at two hosts, and on a busy machine they come in either order.
    """
    seen = {
        sees.group(1): step.text
        for step in run.of(Step)
        if (sees := re.match(r"(\w+) sees .*FD_WRITE", step.text))
    }
    found = []
    for where, sequences in spans_of(run):
        for socket, events in sequences.items():
            told = [one.told for one in events]
            pairs = set(itertools.pairwise(told))
            if ("FD_WRITE", "FD_ACCEPT") in pairs and socket.partition(":")[2] not in seen:
                found.append(f"{socket} {where}: {', '.join(told)}")
    return found


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_testbed_passes(path: Path, tmp_path: Path) -> None:
    run = simulated(path, tmp_path)
    assessment = assess(run)
    assert [(one.rule, one.reason) for one in assessment.judgement.findings] == []
    assert assessment.judgement.incomplete == []
    assert assessment.verdict is Verdict.PASS
    assert races(run) == [], "another leaf asks while the first one is let in: say what comes first"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_testbed_passes_when_everything_settles_after_each_step(
    path: Path, tmp_path: Path
) -> None:
    """Let barriers say all the time what was read: the judge then leaves nothing open."""
    slowly = tmp_path / "settled.yaml"
    slowly.write_text(settled(path.read_text("utf-8")), "utf-8")
    assessment = assess(simulated(slowly, tmp_path))
    assert [(one.rule, one.reason) for one in assessment.judgement.findings] == []
    assert assessment.verdict is Verdict.PASS


@pytest.mark.parametrize("path", sorted({*everything()} - {*LIBRARY}), ids=lambda path: path.stem)
def test_what_needs_more_than_the_simulation_has_is_unsupported(path: Path, tmp_path: Path) -> None:
    assessment = assess(simulated(path, tmp_path))
    assert assessment.verdict is Verdict.UNSUPPORTED
    assert "which the fabric sim does not have" in assessment.failed_steps[0].reason


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    """Have every frame and every stamp again; another seed has others."""
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    first, again, other = (
        simulated(TOUR, folder, seed) for folder, seed in zip(folders, (7, 7, 8), strict=True)
    )
    assert first.frames == again.frames
    assert [one for one in first.records if not isinstance(one, Run)] == [
        one for one in again.records if not isinstance(one, Run)
    ]
    assert first.frames != other.frames


def test_time_is_virtual(tmp_path: Path) -> None:
    """Let the seconds of a dead peer pass in no time, yet stand in the record."""
    run = simulated(TOUR.with_name("end-crash.yaml"), tmp_path)
    assert run.frames[-1].time_ns - run.frames[0].time_ns > 2e9


def test_agents_that_stand_still_again_and_again_go_on_in_the_end(tmp_path: Path) -> None:
    """Let every freeze end, also those that begin while another one lasts."""
    fault = "freeze root after every message for 1 to 9 ms"
    run_simulated(testbed.load(TOUR, faults=[fault]), tmp_path)
    assessment = assess(open_run(tmp_path))
    assert assessment.judgement.incomplete == []
    assert assessment.verdict is Verdict.PASS


@pytest.mark.lab
@pytest.mark.usefixtures("bridge")
@pytest.mark.parametrize("fabric", ["switch", "bridge"])
def test_the_same_seed_decides_the_same_on_any_fabric(
    tmp_path: Path, fabric: Literal["switch", "bridge"]
) -> None:
    """Compare what befell each message that both runs have, by link, type and number."""
    (tmp_path / "sim").mkdir()
    lossy = TOUR.with_name("fault-lossy.yaml")
    here = _fates(simulated(lossy, tmp_path / "sim"))
    there = _fates(open_run(run_testbed(lossy, tmp_path, fabric=fabric).run_file))
    common = here.keys() & there.keys()
    assert len(common) > 30
    assert any(here[key] for key in common)
    assert {key: here[key] for key in common} == {key: there[key] for key in common}


def _fates(run: RunFile) -> dict[Sent, str | None]:
    """Return what met each message, by what it is."""
    frames = {frame.number: frame for frame in run.frames}
    reasons: dict[tuple[int, str], str | None] = {}
    for one in sorted(run.of(Decision), key=lambda one: one.frame):
        if sighting(frames[one.frame].data).message:
            reasons[one.frame, one.receiver] = one.reason
    return dict(zip(messages(run), reasons.values(), strict=True))


def test_another_program_cannot_be_simulated(tmp_path: Path) -> None:
    request = RunRequest(fabric="sim", agents={"leaf1": ["./my-agent"]})
    with pytest.raises(MachineError, match="sim runs the reference agent only, and leaf1 has"):
        run_on_fabric(TOUR, tmp_path, request)
    assert list(tmp_path.iterdir()) == []
