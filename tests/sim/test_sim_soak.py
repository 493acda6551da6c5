"""Sessions and networks drawn at random, with the numbers that once found something."""

from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.lab import testbed as testbeds
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.benchmarks.random_testbeds import drawn, from_library
from tests.library import FOLDER, simulated

LIBRARY = simulated()
FOUND = (407, 635, 819, 1937, 2370)
"""CONFIRM lost and proved by SIDE, windows of who has left, repairs for others, a frozen root;
all of a time when no disasters were drawn."""


@pytest.mark.parametrize(
    ("number", "disasters"), [*((n, True) for n in range(1, 11)), *((n, False) for n in FOUND)]
)
def test_a_correct_endpoint_passes_on_any_network(
    number: int, disasters: bool, tmp_path: Path
) -> None:
    path = tmp_path / "random.yaml"
    path.write_text(drawn(number, disasters=disasters), "utf-8")
    outcome = run_simulated(testbeds.load(path), tmp_path)
    judgement = judge(open_run(tmp_path))
    assert [(one.rule, one.reason) for one in judgement.findings] == []
    assert outcome.failure is None
    assert judgement.verdict is Verdict.PASS


def test_the_same_number_draws_the_same() -> None:
    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert from_library(3, LIBRARY) == from_library(3, LIBRARY)


def test_every_drawn_testbed_is_right(tmp_path: Path) -> None:
    path = tmp_path / "random.yaml"
    kinds = set()
    for number in range(100):
        path.write_text(drawn(number), "utf-8")
        plan = testbeds.load(path)
        kinds |= {type(step).__name__ for step in (*plan.script, *plan.faults)}
    assert {"Cut", "Freeze", "Crash", "Drop", "Duplicate", "Reorder", "Corrupt", "Hold"} <= kinds


def test_who_is_killed_in_the_midst_of_a_call_leaves_no_word(tmp_path: Path) -> None:
    path = FOLDER / "join-again.yaml"
    plan = testbeds.load(path, faults=["kill root after the 1st ABORT from root to leaf2"])
    outcome = run_simulated(plan, tmp_path)
    assert outcome.failure is not None
    assert outcome.failure.reason == "root's agent was killed by signal 9"
    assert [*tmp_path.glob("*.stderr")] == []
    assert judge(open_run(tmp_path)).findings == []
