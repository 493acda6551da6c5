"""The assessment as JUnit XML."""

from pathlib import Path
from xml.etree import ElementTree as ET

from mpwire.capture import open_run
from mpwire.report.assessment import FailedStep, assess
from mpwire.report.junit import erroneous, junit_document, suite_of
from tests.oracle.oracle_story import play, without
from tests.oracle.oracle_tales import tour


def failures(suite: ET.Element) -> dict[str, str]:
    """Give message by first word of each case that failed."""
    return {
        (case.get("name") or "").split()[0]: failure.get("message") or ""
        for case in suite.findall("testcase")
        if (failure := case.find("failure")) is not None
    }


def test_a_pass_has_a_case_per_rule_that_looked(tmp_path: Path) -> None:
    assessment = assess(play(tour(), tmp_path))
    suite = suite_of(assessment)
    looked = [result for result in assessment.judgement.rules if result.exercised]
    assert int(suite.get("tests", "0")) == len(looked) + 2
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
    names = [case.get("name", "") for case in suite.findall("testcase")]
    assert names[0].startswith("R1 Magic is 0x6D70")
    assert names[-2:] == ["the script succeeds", "nothing is missing from the record"]


def test_a_violation_is_a_failure_spelled_out(tmp_path: Path) -> None:
    suite = suite_of(assess(play(without(tour(), "leaf1 CONFIRM"), tmp_path)))
    failed = failures(suite)
    assert "R42" in failed
    assert failed["R42"].startswith("ACCEPT arrived in frame")
    (text,) = (
        case.findtext("failure", "")
        for case in suite.findall("testcase")
        if case.get("name", "").startswith("R42 ")
    )
    assert "expected CONFIRM" in text
    assert "├───── ACCEPT" in text or "├──── ACCEPT" in text


def test_a_violation_says_how_to_see_it_again() -> None:
    """End with the command that made the run, as the text does."""
    pcaps = Path(__file__).parents[2] / "pcaps"
    assessment = assess(open_run(pcaps / "close-not-acknowledged.pcapng"))
    text = suite_of(assessment).findtext("testcase/failure", "")
    assert text.endswith(f"\n  again        {assessment.command}\n")
    assert assessment.command
    assert "close-not-acknowledged" in assessment.command


def test_what_stayed_open_is_skipped_with_the_reason(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    run.records = run.records[:-3]  # without the counters of hosts
    assessment = assess(run)
    suite = suite_of(assessment)
    assert assessment.judgement.incomplete
    (missing,) = (
        case for case in suite.findall("testcase") if case.get("name", "").startswith("nothing is")
    )
    skipped = missing.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "; ".join(assessment.judgement.incomplete)


def test_a_step_that_failed_is_a_failure(tmp_path: Path) -> None:
    step = FailedStep(line=7, text="leaf1 sees FD_CLOSE", reason="saw nothing", kind="failed")
    suite = suite_of(assess(play(tour(), tmp_path), [step]))
    assert failures(suite) == {"the": "line 7: leaf1 sees FD_CLOSE: saw nothing"}


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    suite = erroneous("x.pcap", "is no capture\x1b[31m")
    assert suite.get("errors") == "1"
    error = suite.find("testcase/error")
    assert error is not None
    assert error.get("message") == "is no capture\\x1b[31m"


def test_the_document_adds_up(tmp_path: Path) -> None:
    right = suite_of(assess(play(tour(), tmp_path)))
    wrong = suite_of(assess(play(without(tour(), "leaf1 CONFIRM"), tmp_path)))
    root = ET.fromstring(junit_document([right, wrong, erroneous("x", "y")]))  # noqa: S314 - ours
    assert root.tag == "testsuites"
    total = sum(int(suite.get("tests", "0")) for suite in root)
    assert root.get("tests") == str(total)
    assert root.get("errors") == "1"
    assert int(root.get("failures", "0")) == len(failures(wrong))
