"""Exit statuses: what a shell, a script or a CI job learns from a command."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from mpwire.vocabulary import Verdict


class Status(IntEnum):
    """Exit statuses of all commands."""

    PASS = 0
    """Everything that was judged is right."""
    VIOLATION = 1
    """A rule was broken, or a testbed saw what it did not expect."""
    USAGE = 2
    """The command line or a file is wrong."""
    INCONCLUSIVE = 3
    """Nothing is proved either way."""
    MACHINE = 4
    """This machine lacks something; `mpwire doctor` says what."""
    UNSUPPORTED = 5
    """An endpoint does not implement what the testbed needs."""
    INTERRUPTED = 130
    """Ctrl-C; what there was by then is saved."""


OF_VERDICT: Final = {
    Verdict.PASS: Status.PASS,
    Verdict.FAIL: Status.VIOLATION,
    Verdict.INCONCLUSIVE: Status.INCONCLUSIVE,
    Verdict.UNSUPPORTED: Status.UNSUPPORTED,
}
WORST_FIRST: Final = (
    Status.INTERRUPTED,
    Status.MACHINE,
    Status.VIOLATION,
    Status.USAGE,
    Status.INCONCLUSIVE,
    Status.UNSUPPORTED,
    Status.PASS,
)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the status that weighs most: a violation found is never hidden by a lesser trouble."""
    return min(statuses, key=WORST_FIRST.index, default=Status.PASS)
