"""The judgement and the script's outcome together: neither hides the other."""

from pathlib import Path
from typing import Literal

import pytest

from mpwire.capture import RunFile
from mpwire.capture.records import AgentExit, AgentLine, Sentinel, Step
from mpwire.report.assessment import FailedStep, assess
from mpwire.report.verdict import texts, verdict_lines
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_story import Exit, play, without
from tests.oracle.oracle_tales import tour


def with_step(
    run: RunFile, reason: str | None, *, line: int = 7, state: Literal["done", "failed"] = "failed"
) -> RunFile:
    """Add the outcome of a step to a run that has been read."""
    step = Step(time_ns=1, line=line, text="a step", state=state, reason=reason)
    run.records = [*run.records[:-1], step, run.records[-1]]
    return run


@pytest.fixture
def good(tmp_path: Path) -> RunFile:
    """Return a correct run, complete."""
    return play(tour(), tmp_path)


@pytest.fixture
def bad(tmp_path: Path) -> RunFile:
    """Return a complete run that breaks a rule."""
    return play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)


def test_a_good_run_passes(good: RunFile) -> None:
    assessment = assess(with_step(good, None, state="done"))
    assert assessment.verdict is Verdict.PASS
    assert assessment.failed_steps == []
    assert not assessment.interrupted


@pytest.mark.parametrize(
    ("reason", "verdict", "kind"),
    [
        ("expected FD_CLOSE on R, seen nothing", Verdict.FAIL, "failed"),
        ("unsupported: recv by leaf1", Verdict.UNSUPPORTED, "unsupported"),
        ("interrupted", Verdict.INCONCLUSIVE, "interrupted"),
        (None, Verdict.FAIL, "failed"),
    ],
)
def test_a_script_that_failed_is_no_pass(
    good: RunFile, reason: str | None, verdict: Verdict, kind: str
) -> None:
    assessment = assess(with_step(good, reason))
    assert assessment.verdict is verdict
    assert [step.kind for step in assessment.failed_steps] == [kind]


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("expected something", Verdict.FAIL),
        ("interrupted", Verdict.FAIL),
        ("unsupported: recv by leaf1", Verdict.FAIL),
    ],
)
def test_a_violation_is_a_violation_whatever_the_script_did(
    bad: RunFile, reason: str, verdict: Verdict
) -> None:
    assert assess(with_step(bad, reason)).verdict is verdict


def test_what_the_harness_could_not_prove_is_not_held_against_the_endpoint(good: RunFile) -> None:
    good.records = [one for one in good.records if not isinstance(one, Sentinel)]
    assert assess(with_step(good, "no echo", line=0)).verdict is Verdict.INCONCLUSIVE
    assert assess(with_step(good, "expected it")).verdict is Verdict.FAIL


def test_an_agent_that_died_fails_the_run(tmp_path: Path) -> None:
    """Say FAIL with the reason, although an incomplete record decides no rule."""
    run = play([*tour(), Exit("died", "leaf1", status=3, expected=False)], tmp_path)
    assessment = assess(with_step(run, "leaf1's agent ended with status 3", line=0))
    assert assessment.judgement.verdict is Verdict.INCONCLUSIVE
    assert assessment.verdict is Verdict.FAIL
    assert assessment.failed_steps[0].reason == "leaf1's agent ended with status 3"


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("unsupported: recv by leaf1", "leaf1's agent ended with status 3", Verdict.FAIL),
        ("unsupported: recv by leaf1", "interrupted", Verdict.UNSUPPORTED),
    ],
)
def test_what_weighs_more_wins(good: RunFile, first: str, second: str, verdict: Verdict) -> None:
    assert assess(with_step(with_step(good, first), second, line=0)).verdict is verdict


def test_what_the_caller_knows_is_added_once(good: RunFile) -> None:
    known = FailedStep(line=7, text="a step", reason="interrupted", kind="interrupted")
    more = FailedStep(line=0, text="the end", reason="interrupted", kind="interrupted")
    assessment = assess(with_step(good, "interrupted"), [known, more])
    assert [step.text for step in assessment.failed_steps] == ["a step", "the end"]
    assert assessment.interrupted


REFUSED = "unsupported: 'drop the first ACCEPT' on the fabric bridge"


def not_begun(run: RunFile) -> RunFile:
    """Leave what a run has on record that was refused before any agent was started."""
    kept = [
        one
        for one in run.records
        if not isinstance(one, AgentLine | AgentExit)
        and not (isinstance(one, Sentinel) and one.stage == "start")
    ]
    run.records = kept
    return run


def test_of_a_run_that_was_never_begun_the_reason_alone_is_told(tmp_path: Path) -> None:
    run = with_step(not_begun(play([], tmp_path)), REFUSED, line=0)
    assessment = assess(run)
    assert assessment.verdict is Verdict.UNSUPPORTED
    assert assessment.judgement.incomplete == [REFUSED]
    text = texts(verdict_lines(assessment, 100))
    assert text.count(REFUSED) == 1
    assert "sentinel" not in text
    assert "wire framing" not in text
    run.incomplete = ["the end record is missing"]
    assert "the end record is missing" in texts(verdict_lines(assess(run), 100))


def test_a_run_that_was_begun_tells_what_is_missing(good: RunFile) -> None:
    good.records = [one for one in good.records if not isinstance(one, Sentinel)]
    assessment = assess(with_step(good, REFUSED))
    assert assessment.begun
    assert "no sentinel at the start" in texts(verdict_lines(assessment, 100))
