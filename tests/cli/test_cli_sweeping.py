"""`mpwire run --every`: one lab per message, one table, and nobody blamed for the network."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from mpwire.capture import open_run
from mpwire.cli.sweeping import events_of, lost_events
from mpwire.oracle import Judgement
from mpwire.oracle.judgement import JudgedEvent, Level
from mpwire.vocabulary import Verdict, WsaError
from tests.cli.meetings import session_of

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
HOME = Path(__file__).parents[2]
SCHEMA = json.loads((HOME / "docs" / "cli-schema.json").read_text("utf-8"))
MEETING = session_of('leaf1 sends "hello" on L1', 'root receives "hello" on R', scale=0.05)


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    path = tmp_path / "meeting.yaml"
    path.write_text(MEETING, "utf-8")
    return path


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["drop", "dup", "reorder", "kill-after"])
def test_no_message_is_missed_for_good(
    mpwire: Mpwire, meeting: Path, tmp_path: Path, kind: str
) -> None:
    done = mpwire("run", meeting, "--every", kind, "--sample", 3, "--json", "--out", tmp_path / "o")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert done.returncode == 0, done.stdout
    assert document["every"] == kind
    assert document["messages"] >= 9
    assert document["counts"] == {"PASS": 3}
    assert [lab["lost"] for lab in document["labs"]] == [[]] * 3
    assert any(lab["met"] for lab in document["labs"])
    assert kind == "kill-after" or not any(lab["stopped"] for lab in document["labs"])
    assert not [
        path for path in (tmp_path / "o").iterdir() if path.is_dir() and not path.is_symlink()
    ]


def test_nobody_misses_what_a_killed_host_can_no_longer_report(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    meeting.write_text(MEETING.replace("  - P1 sees FD_CLOSE\n", ""), "utf-8")
    options = ("--every", "kill-after", "--fabric", "sim", "--quiet", "--out", tmp_path / "o")
    done = mpwire("run", meeting, *options)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(" PASS\n")


def test_reports_blame_nobody_for_a_script_that_a_kill_has_stopped(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    done = mpwire(
        *("run", meeting, "--every", "kill-after", "--fabric", "sim", "--sample", 4),
        *("--junit", report, "--out", tmp_path / "o"),
    )
    assert done.returncode == 0
    assert "killed by signal 9" in done.stdout
    (suite,) = ET.fromstring(report.read_bytes())  # noqa: S314 - our own
    counted = [suite.get(count) for count in ("tests", "failures", "skipped")]
    assert counted == ["4", "0", "0"]


def test_latest_leads_to_what_is_left(mpwire: Mpwire, meeting: Path, tmp_path: Path) -> None:
    options = ("--fabric", "sim", "--quiet", "--out", tmp_path / "o")
    sweep = ("run", meeting, "--every", "drop", "--sample", 2, *options)
    assert mpwire(*sweep).returncode == 0
    assert list((tmp_path / "o").iterdir()) == []
    mpwire("run", meeting, *options)
    mpwire("run", meeting, *options)
    assert mpwire(*sweep).returncode == 0
    assert (tmp_path / "o" / "latest").resolve() == (tmp_path / "o" / "meeting-2").resolve()


def test_a_sample_is_drawn_of_cases_alone(mpwire: Mpwire, meeting: Path) -> None:
    done = mpwire("run", meeting, "--sample", 3)
    assert (done.returncode, done.stderr) == (2, "--sample: expected --every beside it\n")


@pytest.mark.lab
def test_the_table_has_a_line_for_each_lab(mpwire: Mpwire, meeting: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = mpwire(
        *("run", meeting, "--every", "drop-pair", "--sample", 3, "--jobs", 2, "--seed", 4),
        *("--junit", report, "--out", tmp_path / "o"),
    )
    head, *rows, total = done.stdout.splitlines()
    assert head.startswith("--every drop-pair  meeting: ")
    assert "3 labs of " in head
    assert head.endswith("drawn with seed 4")
    assert [row.split()[:3] for row in rows] == [[str(n), "PASS", "drop"] for n in (1, 2, 3)]
    assert all(" + drop the " in row for row in rows)
    assert total == "3 labs: 3 PASS"
    (suite,) = ET.fromstring(report.read_bytes())  # noqa: S314 - our own
    assert suite.get("name") == "meeting --every drop-pair"
    assert [case.get("name") for case in suite] == [row.split("PASS ")[1].strip() for row in rows]
    assert {suite.get(count) for count in ("failures", "skipped", "errors")} == {"0"}


@pytest.mark.lab
def test_a_testbed_that_does_not_pass_is_told_as_it_is(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    meeting.write_text(MEETING.replace('receives "hello"', 'receives "goodbye"'), "utf-8")
    report = tmp_path / "report.xml"
    done = mpwire("run", meeting, "--every", "drop", "--junit", report, "--out", tmp_path / "o")
    assert done.returncode == 1
    assert " FAIL  meeting" in done.stdout
    assert "labs" not in done.stdout
    assert 'failures="1"' in report.read_text("utf-8")


@pytest.mark.lab
def test_a_lab_that_did_not_pass_is_kept(mpwire: Mpwire, meeting: Path, tmp_path: Path) -> None:
    impatient = "  - R sees FD_WRITE\n  - root selects nothing on R\n  - leaf1 sends"
    text = MEETING.replace("  - leaf1 sends", impatient)
    text = text.replace("  - root receives", "  - everything settles\n  - root receives")
    meeting.write_text(text, "utf-8")
    done = mpwire("run", meeting, "--every", "drop", "--quiet", "--out", tmp_path / "o")
    *rows, total = done.stdout.splitlines()
    (row,) = [one for one in rows if "drop the 1st DATA from leaf1 to root" in one]
    assert " INCONCLUSIVE " in row
    assert "  line 15: expected success" in row
    run = open_run(Path(row.rpartition("kept in ")[2]))
    assert run.incomplete == []
    assert run.run is not None
    again = ["--fault", "drop the 1st DATA from leaf1 to root"]
    assert run.run.command[1:5] == ["run", str(meeting), "--out", str(tmp_path / "o")]
    assert run.run.command[-2:] == again
    assert run.run.faults == again[1:]
    assert total.endswith(f" PASS, {len(rows)} INCONCLUSIVE")
    assert done.returncode == 3


@pytest.mark.lab
@pytest.mark.usefixtures("bridge")
def test_a_sweep_goes_through_a_bridge_as_well(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    done = mpwire(
        *("run", meeting, "--every", "drop", "--sample", 2, "--fabric", "bridge"),
        *("--out", tmp_path / "o"),
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "2 labs: 2 PASS"


@pytest.mark.lab
def test_a_fabric_without_what_a_testbed_needs_supports_no_case(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    meeting.write_text(meeting.read_text("utf-8") + "needs: [snooping]\n", "utf-8")
    done = mpwire(
        *("run", meeting, "--every", "drop", "--sample", 1, "--fabric", "switch"),
        *("--out", tmp_path / "o"),
    )
    assert done.returncode == 5
    assert "unsupported: 'snooping', which the fabric switch does not have" in done.stdout
    assert "labs" not in done.stdout, "there is nothing to take a message from"


def test_one_testbed_at_a_time(mpwire: Mpwire, meeting: Path) -> None:
    done = mpwire("run", meeting, meeting, "--every", "drop")
    assert done.returncode == 2
    assert done.stderr == "--every: expected one testbed, found 2\n"


def event(name: str, code: int = 0, host: str = "root", socket: int = 1) -> JudgedEvent:
    return JudgedEvent(
        host=host, socket=socket, event=name, code=code, seq=1, level=Level.MUST, rule="EV1"
    )


def judgement(*events: JudgedEvent) -> Judgement:
    return Judgement(verdict=Verdict.PASS, run_file="", rules=[], events=list(events))


def test_a_missing_event_is_lost_however_often_others_came() -> None:
    reset = int(WsaError.WSAECONNRESET)
    whole = events_of(
        judgement(
            event("FD_ACCEPT"), event("FD_ACCEPT"), event("FD_READ"), event("FD_CLOSE", reset)
        )
    )
    other = events_of(judgement(event("FD_ACCEPT"), event("FD_READ"), event("FD_READ")))
    assert lost_events(whole, whole) == []
    assert lost_events(whole, other) == [
        "FD_ACCEPT of root's socket 1",
        "FD_CLOSE WSAECONNRESET of root's socket 1",
    ]
    assert lost_events(events_of(judgement(event("FD_READ"), event("FD_READ"))), other) == []
