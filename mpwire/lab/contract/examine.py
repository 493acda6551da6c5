"""Examine an agent: every check, each with an agent of its own, and a verdict for each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mpwire.errors import InputError
from mpwire.lab.contract.checks import ALWAYS, CHECKS, Bench, Check
from mpwire.lab.contract.sessions import checks
from mpwire.lab.contract.talk import Broken, Heard, Lacking, Offence, Talk
from mpwire.lab.testbed import DEFAULT_AGENT
from mpwire.vocabulary import Verdict

REFERENCE: Final = DEFAULT_AGENT
REFERENCE_PATIENCE_S: Final = 30.0
LOOKED_AT: Final[dict[str, tuple[str, Callable[[Heard], bool]]]] = {
    "lines": ("line", lambda heard: bool(heard.order)),
    "results": ("result", lambda heard: any("result" in one for one in heard.answers.values())),
    "sequence": ("event", lambda heard: bool(heard.events)),
}
"""What each check that always runs looks at, and whether there was any."""


@dataclass(slots=True, frozen=True)
class Finding:
    """What came of one check."""

    name: str
    about: str
    verdict: Verdict
    reason: str = ""
    line: str = ""
    """The line that shows it."""


def names() -> list[str]:
    """List the names of all checks."""
    return [check.name for check in _every_check()] + list(ALWAYS)


def examine(
    command: Sequence[str], patience_s: float, only: Sequence[str] = ()
) -> Iterator[Finding]:
    """Carry out the checks and yield what came of each, at last of those that always run.

    If the first hears no hello, the others are not run.

    Args:
        command: what starts the agent.
        patience_s: how long an answer may take.
        only: names of checks; all, if empty.
    Raises:
        InputError: there is no check of that name, or no such program.
    """
    unknown = [name for name in only if name not in names()]
    if unknown:
        raise InputError(f"found no check {unknown[0]!r}, expected one of {', '.join(names())}")
    talks: list[Talk] = []
    for check in _every_check():
        if only and check.name not in only:
            continue
        if talks and all(talk.hello is None for talk in talks):
            yield _not_run(check, talks)
        else:
            yield _carried_out(check, command, patience_s, talks)
    for name, about in ALWAYS.items():
        if not only or name in only:
            yield _watched(name, about, talks)


def _every_check() -> tuple[Check, ...]:
    return (*CHECKS, *checks(lambda: Talk(REFERENCE, REFERENCE_PATIENCE_S)))


def _carried_out(
    check: Check, command: Sequence[str], patience_s: float, talks: list[Talk]
) -> Finding:
    """Carry out a check, and add what was talked to all that was."""
    bench = Bench(lambda: Talk(command, patience_s))
    verdict, reason, line = Verdict.PASS, "", ""
    try:
        check.run(bench)
    except Broken as broken:
        verdict, reason, line = Verdict.FAIL, broken.reason, broken.line
    except Lacking as lacking:
        verdict, reason = Verdict.UNSUPPORTED, str(lacking)
    except OSError as error:
        raise InputError(f"{command[0]}: {error.strerror}, expected an agent") from None
    talks += bench.talks
    own = _offence(bench.talks, check.name)
    if own is not None:
        verdict, reason, line = Verdict.FAIL, own.reason, own.line
    return Finding(check.name, check.about, verdict, reason, line)


def _not_run(check: Check, talks: Sequence[Talk]) -> Finding:
    """Spare a check on a program that said no hello; it may have broken what is asked already."""
    own = _offence(talks, check.name)
    if own is not None:
        return Finding(check.name, check.about, Verdict.FAIL, own.reason, own.line)
    return Finding(check.name, check.about, Verdict.INCONCLUSIVE, "not run")


def _watched(name: str, about: str, talks: Sequence[Talk]) -> Finding:
    """Say what came of a check that always runs: of lines that nobody said it proves nothing."""
    own = _offence(talks, name)
    if own is not None:
        return Finding(name, about, Verdict.FAIL, own.reason, own.line)
    kind, shows = LOOKED_AT[name]
    if any(shows(talk.heard) for talk in talks):
        return Finding(name, about, Verdict.PASS)
    return Finding(name, about, Verdict.INCONCLUSIVE, f"no {kind} was heard")


def _offence(talks: Sequence[Talk], check: str) -> Offence | None:
    """Find the first offence that a check speaks of."""
    offences = (offence for talk in talks for offence in talk.offences)
    return next((one for one in offences if one.check == check), None)
