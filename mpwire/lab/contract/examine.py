"""Examine an agent: every check, each with an agent of its own, and a verdict for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mpwire.errors import InputError
from mpwire.lab.contract.checks import ALWAYS, CHECKS, Bench, Check
from mpwire.lab.contract.sessions import checks
from mpwire.lab.contract.talk import Broken, Lacking, Offence, Talk
from mpwire.lab.testbed import DEFAULT_AGENT
from mpwire.vocabulary import Verdict

REFERENCE: Final = DEFAULT_AGENT
REFERENCE_PATIENCE_S: Final = 30.0


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
    offences: list[Offence] = []
    for check in _every_check():
        if not only or check.name in only:
            yield _carried_out(check, command, patience_s, offences)
    for name, about in ALWAYS.items():
        if not only or name in only:
            first = next((one for one in offences if one.check == name), None)
            yield (
                Finding(name, about, Verdict.PASS)
                if first is None
                else Finding(name, about, Verdict.FAIL, first.reason, first.line)
            )


def _every_check() -> tuple[Check, ...]:
    return (*CHECKS, *checks(lambda: Talk(REFERENCE, REFERENCE_PATIENCE_S)))


def _carried_out(
    check: Check, command: Sequence[str], patience_s: float, offences: list[Offence]
) -> Finding:
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
    found = [offence for talk in bench.talks for offence in talk.offences]
    offences += found
    own = next((one for one in found if one.check == check.name), None)
    if own is not None:
        verdict, reason, line = Verdict.FAIL, own.reason, own.line
    return Finding(check.name, check.about, verdict, reason, line)
