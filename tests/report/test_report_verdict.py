"""The verdict as text: enough to check the judge by hand."""

from pathlib import Path

import pytest

from mpwire.capture import RunFile
from mpwire.capture.records import Step, Testbed
from mpwire.report.assessment import assess
from mpwire.report.verdict import (
    FINDINGS_PER_RULE,
    counted,
    headline,
    line,
    texts,
    verdict_lines,
    wrapped,
)
from tests.oracle.oracle_story import Line, after, before, play, without
from tests.oracle.oracle_tales import tour


def told(run: RunFile, width: int = 100, *, ladder: bool = True) -> str:
    """Give a run's verdict as plain text."""
    return texts(verdict_lines(assess(run), width, ladder=ladder))


def closing(host: str, socket: int) -> Line:
    """Report an FD_CLOSE that nothing explains."""
    return Line("", host, "from", {"event": "FD_CLOSE", "socket": socket, "code": 0, "seq": 0})


def test_a_pass_is_a_line_per_group(tmp_path: Path) -> None:
    text = told(play(tour(), tmp_path))
    assert text.startswith(" PASS  run0.pcapng  ")
    for title in ("wire framing", "identity", "join", "close", "event windows", "calls", "data"):
        assert f"✓ {title}" in text
    assert "✓ completeness  nothing is missing from the record" in text
    assert "(100 %)" in text
    assert "✗" not in text


def test_a_violation_is_spelled_out(tmp_path: Path) -> None:
    text = told(play(without(tour(), "leaf1 FD_CONNECT"), tmp_path))
    assert text.startswith(" FAIL ")
    assert "✗ event windows" in text
    assert "broken: EV3" in text
    _, _, finding = text.partition("  ✗ EV3  ")
    assert finding.startswith("FD_CONNECT(0) is reported on the socket that joins")
    assert "endpoint leaf1 socket 1" in finding
    assert "expected FD_CONNECT" in finding
    assert "seen     no such event" in finding
    assert "├──── ACCEPT ───►│" in finding


def test_a_delivery_is_told_with_the_frame_that_the_ladder_shows(tmp_path: Path) -> None:
    run = play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)
    (finding,) = assess(run).judgement.rule("EV3").findings
    (arrived,) = finding.frames
    both = f"{arrived} (sent as {arrived - 1})"
    _, _, text = told(run).partition("  ✗ EV3  ")
    assert f"frame    {both}\n" in text
    assert f"ACCEPT arrived in frame {both}" in " ".join(text.split())
    (row,) = (row for row in text.splitlines() if "─ ACCEPT ─" in row)
    assert row.split()[0].strip("✗") == f"{arrived - 1}", "the ladder shows the copy that was sent"


def test_the_ladder_can_be_left_out(tmp_path: Path) -> None:
    run = play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)
    assert "ACCEPT ─" not in told(run, ladder=False)


def test_many_findings_of_one_rule_are_counted(tmp_path: Path) -> None:
    moves = tour()
    for _ in range(FINDINGS_PER_RULE + 2):
        moves = after(moves, "leaf3 FD_CLOSE", closing("leaf3", 1))
    text = told(play(moves, tmp_path))
    assert "and 2 more of EV20 (--json lists all)" in text
    assert text.count("frame      ms") == 1, "one ladder for what is in one place"


def test_what_is_missing_is_listed(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    run.incomplete = [f"reason {n}" for n in range(9)]
    text = told(run)
    assert text.startswith(" INCONCLUSIVE ")
    assert "? completeness  what is not there proves nothing:" in text
    assert "reason 0" in text
    assert "and 3 more" in text


def test_a_failed_step_is_told_with_its_line(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    for number, text, reason in (
        (31, "L1 sees FD_CLOSE", "expected FD_CLOSE on L1, seen nothing"),
        (0, "everything settles", "expected FD_CLOSE on L1, seen nothing"),
    ):
        step = Step(time_ns=1, line=number, text=text, state="failed", reason=reason)
        run.records = [*run.records[:-1], step, run.records[-1]]
    testbed = Testbed(path="beds/story.yaml", text="")
    run.records = [run.records[0], testbed, *run.records[1:]]
    text = told(run)
    assert text.startswith(" FAIL  story ")
    assert "✗ testbed, line 31  L1 sees FD_CLOSE\n      expected FD_CLOSE on L1, seen" in text
    assert "everything settles" not in text, "one cause is told once"


def test_unsupported_calls_are_told(tmp_path: Path) -> None:
    moves = before(
        tour(),
        "dismantle?",
        Line("", "leaf1", "to", {"id": 999, "call": "set_linger", "args": {}}),
        Line("", "leaf1", "from", {"id": 999, "unsupported": "set_linger"}),
    )
    text = told(play(moves, tmp_path))
    assert text.startswith(" UNSUPPORTED ")
    assert "– unsupported: leaf1: " in text
    assert "set_linger" in text


def test_open_questions_are_told_where_the_record_is_complete(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    assessment = assess(run)
    rule = assessment.judgement.rule("R1")
    finding = assess(play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)).judgement.findings[0]
    finding.verdict = type(finding.verdict).INCONCLUSIVE
    finding.reason = "who knows about leaf1:L1"
    rule.findings = [finding, finding]
    text = texts(verdict_lines(assessment, 100))
    assert "  ? R1  who knows about leaf1 socket 1 (and 1 more)" in text
    assessment.judgement.incomplete = ["a gap"]
    assert "? R1" not in texts(verdict_lines(assessment, 100))


def test_nothing_exercised_is_no_tick(tmp_path: Path) -> None:
    run = play([], tmp_path)
    text = told(run)
    assert text.startswith(" INCONCLUSIVE ")
    assert "· join" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_sentences_are_wrapped(tmp_path: Path, width: int) -> None:
    text = told(play(without(tour(), "leaf1 FD_CONNECT"), tmp_path), width)
    _, _, finding = text.partition("  ✗ EV3  ")
    assert max(len(row) for row in finding.splitlines()) <= width


def test_small_helpers() -> None:
    assert [counted(1, "rule"), counted(0, "rule"), counted(5, "rule")] == [
        "1 rule",
        "0 rules",
        "5 rules",
    ]
    assert [one.plain for one in wrapped(("ab ", ""), ("", ""), 80)] == ["ab "]
    assert line(("a", ""), ("b", "bold")).plain == "ab"


def test_the_headline_names_verdict_and_size(tmp_path: Path) -> None:
    text = headline(assess(play(tour(), tmp_path))).plain
    assert text.startswith(" PASS  run0.pcapng  ")
    assert text.endswith(" events")
