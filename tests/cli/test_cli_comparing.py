"""`mpwire run --fabric all`: every testbed on every fabric, compared."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from mpwire.capture import open_run
from tests.cli.meetings import session_of

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
HOME = Path(__file__).parents[2]
SCHEMA = json.loads((HOME / "docs" / "cli-schema.json").read_text("utf-8"))
SHORT = session_of("everything settles")
SECOND_IS_BROKEN = """\
import os, sys
try:
    os.mkdir(sys.argv[1])
    module = ["mpwire.io.agent"]
except FileExistsError:
    module = ["mpwire.testing.broken", "connect-never-reported"]
os.execv(sys.executable, [sys.executable, "-m", *module])
"""
pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("bridge")]


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Return a testbed of nine steps."""
    path = tmp_path / "short.yaml"
    path.write_text(SHORT, "utf-8")
    return path


def test_fabrics_that_agree_are_a_line_each_and_a_suite(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "runs", tmp_path / "report.xml"
    done = mpwire("run", "--fabric", "all", short, "--out", out, "--junit", report)
    assert done.returncode == 0, done.stdout + done.stderr
    head, row, last = done.stdout.splitlines()
    assert head.split() == ["sim", "switch", "bridge"]
    assert row.split() == ["short", "PASS", "PASS", "PASS", "agree"]
    assert last == "1 testbed: 1 agree, 0 differ"
    runs = [open_run(out / f"short-{number}").run for number in (1, 2, 3)]
    assert [run.fabric for run in runs if run] == ["sim", "switch", "bridge"]
    commands = [run.command for run in runs if run]
    assert [command[command.index("--fabric") + 1] for command in commands] == [
        "sim",
        "switch",
        "bridge",
    ]
    suites = ET.fromstring(report.read_bytes()).findall("testsuite")  # noqa: S314 - our own
    assert len(suites) == 4
    assert suites[-1].get("name") == "short on all fabrics"
    assert suites[-1].get("failures") == "0"


def test_what_one_fabric_cannot_do_is_shown_and_not_compared(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    short.write_text(short.read_text("utf-8") + "needs: [kernel]\n", "utf-8")
    fault = ("--fault", "drop the first ACCEPT")
    out = ("--out", tmp_path / "runs")
    done = mpwire("run", "--fabric", "all", "--json", *fault, short, *out)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    (testbed,) = document["testbeds"]
    assert (testbed["agreed"], testbed["verdict"]) == (True, "PASS")
    assert [run["verdict"] for run in testbed["runs"]] == ["UNSUPPORTED", "PASS", "PASS"]
    assert "'kernel', which the fabric sim does not have" in testbed["runs"][0]["why"]


def test_a_fabric_that_cannot_do_it_alone_is_no_pass(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    short.write_text(short.read_text("utf-8") + "needs: [snooping]\n", "utf-8")
    done = mpwire("run", "--fabric", "switch", short, "--out", tmp_path / "runs")
    assert done.returncode == 5
    assert " UNSUPPORTED " in done.stdout


def test_the_first_difference_is_named_and_fails(
    mpwire: Mpwire, short: Path, tmp_path: Path
) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text(SECOND_IS_BROKEN, "utf-8")
    command = shlex.join([sys.executable, str(agent), str(tmp_path / "was-here")])
    out, report = tmp_path / "runs", tmp_path / "report.xml"
    done = mpwire(
        *("run", "--fabric", "all", "--json", short, "--out", out, "--junit", report),
        *("--agent", f"leaf1={command}"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    (testbed,) = document["testbeds"]
    assert (testbed["agreed"], testbed["verdict"]) == (False, "FAIL")
    sim, switch, bridge = testbed["runs"]
    assert (sim["verdict"], sim["run_file"]) == ("UNSUPPORTED", None)
    assert "leaf1 has " in sim["why"]
    assert switch["verdict"] == "PASS"
    assert bridge["verdict"] != "PASS"
    assert set(testbed["difference"]["seen"]) == {"switch", "bridge"}
    suites = ET.fromstring(report.read_bytes()).findall("testsuite")  # noqa: S314 - our own
    assert suites[-1].find("testcase/failure") is not None


def test_one_fault_for_every_message_needs_one_fabric(mpwire: Mpwire, short: Path) -> None:
    done = mpwire("run", "--fabric", "all", "--every", "drop", short)
    assert done.returncode == 2
    assert "expected one fabric" in done.stderr


FROZEN = """\
  - leaf1 freezes
  - leaf1 loses its interface
"""
MISSED = FROZEN + "  - leaf1 regains its interface\n  - leaf1 thaws\n"


@pytest.mark.parametrize(("while_joined", "told"), [(FROZEN, True), (MISSED, False)])
def test_what_a_frozen_agent_missed_is_the_same_everywhere(
    mpwire: Mpwire, tmp_path: Path, *, while_joined: str, told: bool
) -> None:
    """What is still gone in the end it notices; what has come back meanwhile was never gone."""
    path = tmp_path / "frozen.yaml"
    path.write_text(SHORT.partition("  - everything settles")[0] + while_joined, "utf-8")
    done = mpwire("run", "--fabric", "all", path, "--out", tmp_path / "runs")
    assert done.stdout.splitlines()[1].split() == ["frozen", "PASS", "PASS", "PASS", "agree"]
    recorded = (tmp_path / "runs" / "latest" / "run.pcapng").read_bytes()
    assert (b'"event":"FD_CLOSE","socket":1,"code":10050' in recorded) is told
