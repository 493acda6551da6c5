"""`mpwire check`: judged anew, from the file alone, by a process that knows nothing else."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from mpwire.capture import annotate, open_run
from mpwire.capture.records import AgentLine
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_story import record, without
from tests.oracle.oracle_tales import tour

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
PCAPS = Path(__file__).parents[2] / "pcaps"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cli-schema.json").read_text("utf-8"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a run file that breaks EV3."""
    (tmp_path / "broken").mkdir()
    return record(without(tour(), "leaf1 FD_CONNECT"), tmp_path / "broken")


@pytest.fixture
def foreign(tmp_path: Path, story: Path) -> Path:
    """Return the same session as another program would have captured it."""
    path = tmp_path / "foreign.pcapng"
    rewritten(open_run(story), path, records=[], application="dumpcap", directions=False)
    return path


def verdict(done: subprocess.CompletedProcess[str]) -> object:
    """Return the verdict of a JSON document that is as published."""
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    return document["verdict"]


def test_a_good_run_passes(mpwire: Mpwire, story: Path) -> None:
    done = mpwire("check", story)
    assert done.returncode == 0
    assert done.stdout.lstrip().startswith("PASS")
    assert done.stderr == ""


def test_quiet_is_one_line(mpwire: Mpwire, story: Path) -> None:
    done = mpwire("check", "-q", story)
    assert done.stdout.startswith(" PASS ")
    assert len(done.stdout.splitlines()) == 1


def test_a_violation_is_status_1_with_rule_and_frames(mpwire: Mpwire, broken: Path) -> None:
    done = mpwire("check", broken)
    assert done.returncode == 1
    assert "✗ EV3" in done.stdout
    document = json.loads(mpwire("check", "--json", broken).stdout)
    (rule,) = [rule for rule in document["rules"] if rule["verdict"] == "FAIL"]
    assert rule["id"] == "EV3"
    assert rule["frames"]


def test_captures_of_others_are_inconclusive_without_violation(
    mpwire: Mpwire, foreign: Path
) -> None:
    done = mpwire("check", "--json", foreign)
    assert done.returncode == 3
    assert verdict(done) == "INCONCLUSIVE"
    document = json.loads(done.stdout)
    assert document["incomplete"]
    assert not [rule for rule in document["rules"] if rule["verdict"] == "FAIL"]
    assert "no run record" in mpwire("check", foreign).stdout


def test_standard_input_is_a_capture(mpwire: Mpwire, foreign: Path) -> None:
    assert mpwire("check", "-", stdin=foreign.read_bytes()).returncode == 3


def test_the_stored_verdict_is_not_read(mpwire: Mpwire, story: Path, broken: Path) -> None:
    before = [json.loads(mpwire("check", "--json", path).stdout) for path in (story, broken)]
    for path, lie in ((story, "FAIL"), (broken, "PASS")):
        frames = {frame.number: f"breaks R1: {lie}" for frame in open_run(path).frames}
        annotate(path, {"verdict": lie, "rules": []}, frames)
    after = [json.loads(mpwire("check", "--json", path).stdout) for path in (story, broken)]
    assert before == after


@pytest.mark.lab
def test_a_run_from_which_an_event_was_deleted_fails(
    mpwire: Mpwire, toured: Path, tmp_path: Path
) -> None:
    run = open_run(toured)
    events = [
        line
        for line in run.of(AgentLine)
        if line.host == "leaf1" and b'"event":"FD_CONNECT"' in bytes(line.line)
    ]
    assert len(events) == 1
    kept = [one for one in run.records if one is not events[0]]
    rewritten(run, tmp_path / "cut.pcapng", records=kept)
    assert mpwire("check", toured).returncode == 0
    done = mpwire("check", tmp_path / "cut.pcapng")
    assert done.returncode == 1
    assert "✗ EV3" in done.stdout


def test_a_run_from_which_a_frame_was_cut_is_inconclusive(
    mpwire: Mpwire, story: Path, tmp_path: Path
) -> None:
    run = open_run(story)
    rewritten(run, tmp_path / "cut.pcapng", frames=[*run.frames[:20], *run.frames[21:]])
    assert mpwire("check", tmp_path / "cut.pcapng").returncode == 3


def test_several_files_are_a_table_and_the_worst_status(
    mpwire: Mpwire, story: Path, broken: Path, foreign: Path, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pcap"
    junk.write_bytes(b"junk")
    done = mpwire("check", story, broken, foreign, junk)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "PASS",
        "FAIL",
        "INCONCLUSIVE",
        "ERROR",
        "4",
    ]
    assert "EV3" in done.stdout
    assert done.stdout.endswith("4 files: 1 PASS, 1 FAIL, 1 INCONCLUSIVE, 1 ERROR\n")
    done = mpwire("check", "--json", story, broken, foreign, junk)
    assert verdict(done) == "FAIL"
    assert [one["verdict"] for one in json.loads(done.stdout)["results"]] == [
        "PASS",
        "FAIL",
        "INCONCLUSIVE",
        "ERROR",
    ]


def test_folders_and_globs(mpwire: Mpwire, story: Path, tmp_path: Path) -> None:
    for name in ("a-1", "a-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(story, tmp_path / "runs" / name / "run.pcapng")
    (tmp_path / "runs" / "latest").symlink_to("a-2")
    assert "2 files: 2 PASS" in mpwire("check", "runs", cwd=tmp_path).stdout
    assert "2 files: 2 PASS" in mpwire("check", "runs/a-*", cwd=tmp_path).stdout
    assert mpwire("check", "runs/latest", cwd=tmp_path).stdout.count("PASS") == 1


@pytest.mark.parametrize("content", [None, b"", b"junk", b"\n\r\r\n" + bytes(30)])
def test_what_is_no_capture_is_one_line_and_status_2(
    mpwire: Mpwire, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "x.pcapng"
    if content is not None:
        path.write_bytes(content)
    done = mpwire("check", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{path}: ")
    assert len(done.stderr.splitlines()) == 1
    done = mpwire("check", "--json", path)
    assert done.returncode == 2
    jsonschema.validate(json.loads(done.stdout), SCHEMA)
    assert json.loads(done.stdout)["error"]["kind"] == "input"


def test_a_reader_that_goes_away_does_not_change_the_status(
    broken: Path, environment: dict[str, str], argv: list[str]
) -> None:
    pipeline = f"set -o pipefail; {' '.join(argv)} check {broken} | true"
    done = subprocess.run(
        ["bash", "-c", pipeline], capture_output=True, env=environment, timeout=20, check=False
    )
    assert done.returncode == 1
    assert done.stderr == b""


def test_a_terminal_that_knows_no_unicode(mpwire: Mpwire, broken: Path) -> None:
    done = mpwire("check", broken, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert "x EV3" in done.stdout


def test_a_report_for_ci_servers(mpwire: Mpwire, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = mpwire("check", str(PCAPS / "close-not-acknowledged.pcapng"), "--junit", str(report))
    assert done.returncode == 1
    root = ET.parse(report).getroot()  # noqa: S314 - written by ourselves
    assert root.get("failures") == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["report.xml"]


def test_a_report_of_several_files_has_a_suite_for_each(mpwire: Mpwire, tmp_path: Path) -> None:
    report, junk = tmp_path / "report.xml", tmp_path / "junk.pcap"
    junk.write_bytes(b"no capture")
    done = mpwire("check", *sorted(PCAPS.glob("*.pcapng")), junk, "--junit", report)
    assert done.returncode == 1
    root = ET.parse(report).getroot()  # noqa: S314 - written by ourselves
    found = [(suite.get("failures"), suite.get("errors")) for suite in root]
    assert found == [("1", "0"), ("0", "0"), ("0", "1")]


def test_a_report_needs_its_folder(mpwire: Mpwire, tmp_path: Path) -> None:
    report = tmp_path / "nowhere" / "report.xml"
    done = mpwire("check", str(PCAPS / "rooted-lan.pcapng"), "--junit", str(report))
    assert done.returncode == 2
    assert done.stderr == f"--junit {report}: expected a file in a folder that is there\n"
    assert not done.stdout


def test_a_failure_says_how_to_make_it_again(mpwire: Mpwire) -> None:
    done = mpwire("check", str(PCAPS / "close-not-acknowledged.pcapng"))
    assert (
        "  again        mpwire run '--agent=leaf2=python -m mpwire.testing.broken "
        "close-not-acknowledged' testbeds/rooted-lan.yaml\n"
    ) in done.stdout


def test_a_capture_of_another_program_gets_a_timeline(mpwire: Mpwire, foreign: Path) -> None:
    done = mpwire("check", str(foreign))
    assert done.returncode == 3
    assert "\n  inferred events\n" in done.stdout
    assert "  c_root\n      must  FD_ACCEPT" in done.stdout
    document = json.loads(mpwire("check", str(foreign), "--json").stdout)
    jsonschema.validate(document, SCHEMA)
    assert {one["role"] for one in document["inferred"]} >= {"c_root", "c_leaf", "leaf handle"}
