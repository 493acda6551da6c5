"""What came nearest to what a violation lacks."""

from pathlib import Path

from mpwire.capture import RunFile
from mpwire.oracle import Finding, judge
from mpwire.report.nearest import nearest
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_story import altered, message_of, play, without
from tests.oracle.oracle_tales import tour


def broken(run: RunFile, rule: str) -> Finding:
    """Return the first violation of a rule."""
    findings = judge(run).rule(rule).findings
    return next(finding for finding in findings if finding.verdict is Verdict.FAIL)


def test_an_answer_with_another_seq_is_found(tmp_path: Path) -> None:
    moves = tour()
    seq = message_of(moves, "leaf2 CLOSE_ACK").seq
    run = play(altered(moves, "leaf2 CLOSE_ACK", seq=seq + 3), tmp_path)
    name, differs = nearest(run, broken(run, "R56"))
    assert name.startswith("CLOSE_ACK in frame ")
    assert differs == f"seq is {seq + 3}, that of the CLOSE is {seq}"


def test_copies_that_differ_are_compared_field_by_field(tmp_path: Path) -> None:
    run = play(altered(tour(), "leaf1 JOIN_REQ 2", max_payload=1000), tmp_path)
    name, *differs = nearest(run, broken(run, "R31"))
    assert name.startswith("JOIN_REQ in frame ")
    assert "max_payload is 1000, was 1156" in differs
    assert "attempt is 2, was 1" in differs


def test_nothing_resembles_an_answer_that_was_never_sent(tmp_path: Path) -> None:
    run = play(without(tour(), "leaf2 CLOSE_ACK"), tmp_path)
    assert nearest(run, broken(run, "R56")) == []


def test_a_finding_without_frames_has_nothing_near(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    lonely = Finding(rule="CR1", verdict=Verdict.FAIL, endpoint="leaf1", expected="CONFIRM")
    assert nearest(run, lonely) == []
