"""Each check of the agent contract passes for right agents, and fails for a wrong one."""

import contextlib
import os
import select
import shlex
import sys
from pathlib import Path

import pytest

from mpwire.errors import InputError
from mpwire.lab.contract.checks import ALWAYS
from mpwire.lab.contract.examine import REFERENCE, Finding, examine, names
from mpwire.vocabulary import Verdict
from tests.lab.contract.wrong_agent import MISTAKES

WRONG = Path(__file__).with_name("wrong_agent.py")
PATIENCE_S = 20.0
SHORT_S = 4.0
"""For mistakes that show in what does not come."""

WRONG_AT = {
    # mistake: (check, what its reason says)
    "hello": ("hello", "hello is said once"),
    "hello-late": ("hello", "the first line is no hello"),
    "chatter": ("hello", "something is said that nobody asked for"),
    "version": ("version", "expected contract 1, found 2"),
    "listed": ("listed", "expected each call once"),
    "listed-lacking": ("listed", "hello lists bind"),
    "unlisted": ("unlisted", "hello does not list enum_protocols: expected unsupported"),
    "unknown-call": ("unknown-call", "expected unsupported"),
    "unknown-argument": ("unknown-argument", "expected unsupported"),
    "ids": ("ids", "a second answer to call"),
    "ids-swapped": ("ids", "this is no answer to"),
    "ids-foreign": ("ids", "nobody has made a call 1000001"),
    "errors": ("errors", "expected 10038, WSAENOTSOCK"),
    "errors-none": ("errors", "expected an error of"),
    "malformed": ("malformed", "exited with status 1"),
    "malformed-ignored": ("malformed", "no answer to this is no JSON within"),
    "malformed-done": ("malformed", "expected invalid for this is no JSON"),
    "arguments": ("arguments", "expected invalid for"),
    "descriptors": ("descriptors", "expected a new descriptor, found 1 after [1]"),
    "descriptors-zero": ("descriptors", "expected a new descriptor, found 0"),
    "configure": ("configure", "configure after the first socket"),
    "configure-names": ("configure", "expected invalid for a timer of no name"),
    "long-lines": ("long-lines", "no answer to frobnicate within"),
    "pieces": ("pieces", "half a line was answered"),
    "concurrent": ("concurrent", "no answer to barrier within"),
    "exit": ("exit", "expected status 0, found 3"),
    "exit-talks": ("exit", "something was said after exit"),
    "end-of-input": ("end-of-input", "no end of output within"),
    "events": ("events", "expected FD_CONNECT, FD_WRITE, FD_READ, FD_CLOSE, each with code 0"),
    "events-lost": ("events", "no FD_CLOSE within"),
    "barrier": ("barrier", "expected FD_READ before the answer to barrier"),
    "no-report": ("no-report", "found an event that was not to be reported"),
    "duplicates": ("duplicates", "expected another descriptor than 2"),
    "duplicates-die": ("duplicates", "recv did not succeed"),
    "select": ("select", "expected select to wait until there is something"),
    "select-empty": ("select", "expected socket 2 to be readable"),
    "ask": ("ask", "expected to be asked"),
    "ask-lets-in": ("ask", "expected accept to fail with WSAECONNREFUSED"),
    "lines": ("lines", "no JSON"),
    "lines-schema": ("lines", 'code: expected integer, found "0"'),
    "results": ("results", 'socket: result.socket: expected integer, found "1"'),
    "sequence": ("sequence", "expected seq 1, found 2"),
}
SLOW = ("malformed-ignored", "long-lines", "concurrent", "end-of-input", "events-lost")
NEEDS_ANOTHER = {"lines": "ids", "lines-schema": "events", "results": "descriptors",
                 "sequence": "events"}  # fmt: skip
"""Of the checks that always run: one in which the lines come up."""


LACKING = {"ask": "listen, accept", "duplicates": "duplicate_socket", "select": "select"}
"""Checks that the leaf in JavaScript has no calls for."""
UNSEEN = {
    "results": (Verdict.INCONCLUSIVE, "no result was heard"),
    "sequence": (Verdict.INCONCLUSIVE, "no event was heard"),
}
RESULTLESS = {"hello", "version", "unlisted", "unknown-call", "unknown-argument", "errors",
              "arguments"}  # fmt: skip
"""Checks in which no call succeeds."""
EVENTFUL = {"events", "barrier", "duplicates", "select", "ask"}
"""Checks in which something is reported."""
CHECKED = [name for name in names() if name not in ALWAYS]


def found(command: list[str], *only: str, patience_s: float = PATIENCE_S) -> dict[str, Finding]:
    return {one.name: one for one in examine(command, patience_s, only)}


def require_passed_or_unseen(findings: dict[str, Finding], *, results: bool, events: bool) -> None:
    """Require that lines which came up are right, and that of no others anything is said."""
    expected = {
        "lines": (Verdict.PASS, ""),
        "results": UNSEEN["results"] if not results else (Verdict.PASS, ""),
        "sequence": UNSEEN["sequence"] if not events else (Verdict.PASS, ""),
    }
    assert {name: (findings[name].verdict, findings[name].reason) for name in ALWAYS} == expected


def test_every_check_has_a_mistake_that_it_finds() -> None:
    assert WRONG_AT.keys() == MISTAKES.keys() - {"root-only"}
    assert {check for check, _ in WRONG_AT.values()} == set(names())


@pytest.mark.parametrize("mistake", WRONG_AT)
def test_a_mistake_is_found_by_its_check(mistake: str) -> None:
    check, reason = WRONG_AT[mistake]
    others = [NEEDS_ANOTHER[mistake]] if check in ALWAYS else []
    patience_s = SHORT_S if mistake in SLOW else PATIENCE_S
    command = [sys.executable, str(WRONG), mistake]
    finding = found(command, check, *others, patience_s=patience_s)[check]
    assert finding.verdict is Verdict.FAIL
    assert reason in finding.reason
    if reason.startswith(("expected unsupported", "a second", "nobody", "no JSON", "hello is")):
        assert finding.line  # what shows it is shown


@pytest.mark.parametrize("name", CHECKED)
def test_the_reference_agent_passes_every_check(name: str) -> None:
    findings = found(list(REFERENCE), name, *ALWAYS)
    assert findings[name].verdict is Verdict.PASS
    require_passed_or_unseen(findings, results=name not in RESULTLESS, events=name in EVENTFUL)


@pytest.mark.parametrize("name", CHECKED)
def test_the_leaf_in_javascript_passes_what_it_supports(name: str) -> None:
    command = [sys.executable, "-m", "mpwire.testing.peers.javascript"]
    findings = found(command, name, *ALWAYS)
    found_of = (findings[name].verdict, findings[name].reason)
    lacking = LACKING.get(name)
    assert found_of == ((Verdict.UNSUPPORTED, lacking) if lacking else (Verdict.PASS, ""))
    require_passed_or_unseen(
        findings,
        results=name not in RESULTLESS | {"ask"},
        events=name in EVENTFUL - LACKING.keys(),
    )


def test_an_agent_that_is_a_root_only_is_checked_as_a_root() -> None:
    command = [sys.executable, str(WRONG), "root-only"]
    only = ("events", "barrier", "no-report", "duplicates", "select", "ask", "concurrent")
    verdicts = {name: one.verdict for name, one in found(command, *only).items()}
    assert verdicts == dict.fromkeys(only, Verdict.PASS)


def test_what_is_no_agent_at_all_fails_and_says_how_it_ended() -> None:
    (finding,) = found(
        [sys.executable, "-c", "raise SystemExit('no such thing')"], "hello"
    ).values()
    assert finding.verdict is Verdict.FAIL
    assert finding.reason == "no hello: it exited with status 1 (no such thing)"


@pytest.mark.parametrize(
    ("said", "reason", "line"),
    [
        ("", "no hello within 0.3 s: nothing was said", ""),
        ("printf abc; echo usage >&2;", "no hello within 0.3 s: no line was ended (usage)", "abc"),
    ],
)
def test_of_what_says_no_hello_the_first_check_alone_is_run(
    said: str, reason: str, line: str
) -> None:
    first, *others = found(["sh", "-c", f"{said} exec sleep 60"], patience_s=0.1).values()
    assert (first.verdict, first.reason, first.line) == (Verdict.FAIL, reason, line)
    assert [one.name for one in others] == names()[1:]
    assert {one.verdict for one in others} == {Verdict.INCONCLUSIVE}
    assert {one.reason for one in others if one.name not in ALWAYS} == {"not run"}


def test_what_the_first_check_heard_counts_for_checks_that_are_not_run() -> None:
    findings = found(["sh", "-c", "echo DEBUG; exec sleep 60"])
    failed = {one.name for one in findings.values() if one.verdict is Verdict.FAIL}
    assert failed == {"hello", "lines"}
    wrong = [sys.executable, str(WRONG), "version"]
    other = found(wrong, "hello", "version", "listed")
    assert other["version"].reason == "expected contract 1, found 2"
    assert other["listed"].reason == "not run"


def test_what_an_agent_has_started_ends_with_it(tmp_path: Path) -> None:
    kept = tmp_path / "pid"
    found(
        ["sh", "-c", f"sleep 600 & echo $! > {shlex.quote(str(kept))}; wait"],
        "hello",
        patience_s=0.1,
    )
    pidfd = None
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(int(kept.read_text("utf-8")))
    if pidfd is not None:  # killed, and not reaped yet by whoever does that here
        assert select.select([pidfd], [], [], 20)[0]
        os.close(pidfd)


def test_lines_that_nobody_said_prove_nothing() -> None:
    findings = found(list(REFERENCE), *ALWAYS)
    assert {one.verdict for one in findings.values()} == {Verdict.INCONCLUSIVE}


def test_a_check_that_nobody_knows_is_told() -> None:
    with pytest.raises(InputError, match="found no check 'helo', expected one of hello, version"):
        found(list(REFERENCE), "helo")


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="expected an agent"):
        found(["/nowhere/agent"], "hello")
