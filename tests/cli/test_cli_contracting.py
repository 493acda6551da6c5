"""`mpwire agent-check`: a table for people, one document for programs, a status for CI."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema

from mpwire.lab.contract.examine import names

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
HOME = Path(__file__).parents[2]
SCHEMA = json.loads((HOME / "docs" / "cli-schema.json").read_text("utf-8"))
WRONG = HOME / "tests" / "lab" / "contract" / "wrong_agent.py"
FEW = ("--check", "hello", "--check", "ids", "--check", "lines")


def test_a_right_agent_gets_a_line_for_each_check_and_status_0(mpwire: Mpwire) -> None:
    done = mpwire("agent-check", *FEW, "mpwire", "agent")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split()[:2] for line in done.stdout.splitlines()]
    assert lines[:3] == [["✓", "hello"], ["✓", "ids"], ["✓", "lines"]]
    assert lines[4][0] == "PASS"
    assert done.stdout.endswith("  3 PASS\n")


def test_a_wrong_one_is_shown_the_line_and_gets_status_1(mpwire: Mpwire) -> None:
    done = mpwire("agent-check", *FEW, sys.executable, WRONG, "ids")
    assert done.returncode == 1
    assert "✓ hello" in done.stdout
    assert "✗ ids" in done.stdout
    assert "a second answer to call" in done.stdout
    assert '"unsupported": "frobnicate"' in done.stdout
    assert "2 PASS, 1 FAIL" in done.stdout
    brief = mpwire("agent-check", "-q", *FEW, sys.executable, WRONG, "ids")
    assert "✓" not in brief.stdout
    assert "✗ ids" in brief.stdout


def test_what_an_agent_lacks_is_told_and_is_no_fault(mpwire: Mpwire) -> None:
    leaf = "python -m mpwire.testing.peers.javascript"
    done = mpwire("agent-check", "--check", "ask", "--check", "hello", leaf)
    assert done.returncode == 0
    assert "– ask" in done.stdout
    assert "unsupported: listen, accept" in done.stdout
    alone = mpwire("agent-check", "--check", "ask", leaf)  # nothing is shown by that
    assert alone.returncode == 5


def test_the_document_is_that_of_the_schema(mpwire: Mpwire) -> None:
    done = mpwire("agent-check", "--json", *FEW, "--", sys.executable, WRONG, "lines")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert (done.returncode, document["verdict"]) == (1, "FAIL")
    verdicts = {check["name"]: check["verdict"] for check in document["checks"]}
    assert verdicts == {"hello": "FAIL", "ids": "PASS", "lines": "FAIL"}
    (lines,) = (check for check in document["checks"] if check["name"] == "lines")
    assert lines["line"] == "DEBUG: said it"
    assert document["agent"] == [sys.executable, str(WRONG), "lines"]


def test_options_behind_the_command_are_the_commands(mpwire: Mpwire) -> None:
    done = mpwire("agent-check", "--check", "hello", sys.executable, "-c", "print(1)", "--json")
    assert done.returncode == 1
    assert "expected an object, found 1" in done.stdout


def test_what_says_no_hello_is_told_so_once_and_gets_status_1(mpwire: Mpwire) -> None:
    done = mpwire("agent-check", "--patience", "0.1", "sleep", "60")
    assert done.returncode == 1
    assert done.stdout.count("no hello within 0.3 s: nothing was said") == 1
    assert "✓" not in done.stdout
    assert "? lines " in done.stdout
    assert done.stdout.endswith(f"{len(names()) - 1} INCONCLUSIVE, 1 FAIL\n")
    nothing = mpwire("agent-check", "--check", "lines", "mpwire", "agent")
    assert nothing.returncode == 3


def test_what_cannot_be_started_is_told(mpwire: Mpwire) -> None:
    done = mpwire("agent-check", "no-such-agent")
    assert (done.returncode, done.stderr) == (
        2,
        "COMMAND: found no program 'no-such-agent', expected an agent\n",
    )
    done = mpwire("agent-check", "'")
    assert (done.returncode, done.stderr) == (2, "COMMAND: expected what starts an agent\n")
    assert mpwire("agent-check").returncode == 2


def test_every_check_is_in_the_contract() -> None:
    contract = (HOME / "docs" / "agents.md").read_text("utf-8")
    for name in names():
        assert f"| `{name}` |" in contract
