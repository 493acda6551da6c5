"""The text of a failure: what a test claimed, what the judge says, where the run file is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import pytest

from mpwire.report import Assessment
from mpwire.report.assessment import UNSUPPORTED_PREFIX
from mpwire.report.verdict import idle_lines, texts, verdict_lines
from mpwire.vocabulary import Verdict

COLUMNS: Final = 100


class IdleFaultWarning(pytest.PytestWarning):
    """No message met a fault of a lab."""


def is_wrong(assessment: Assessment) -> bool:
    """Tell whether a run is no good: something failed, or what was looked at is undecided.

    A run in which there was nothing to judge proves nothing, and nothing is wrong with it.
    """
    judgement = assessment.judgement
    if assessment.verdict is not Verdict.INCONCLUSIVE:
        return assessment.verdict is Verdict.FAIL
    undecided = any(rule.undecided for rule in judgement.rules)
    return bool(judgement.incomplete or assessment.failed_steps or undecided)


def skip_unsupported(reasons: Sequence[str]) -> NoReturn:
    """Skip a test because of what an endpoint, or the network, cannot do."""
    told = [reason.removeprefix(UNSUPPORTED_PREFIX).strip() for reason in reasons]
    text = f"UNSUPPORTED: {'; '.join(dict.fromkeys(told))}"
    raise pytest.skip.Exception(text, _use_item_location=True)  # of the test, not of this line


def lacked(assessment: Assessment) -> list[str]:
    """List what a run lacked: what the judge has found, and what stopped the script."""
    steps = [step.reason for step in assessment.failed_steps if step.kind == "unsupported"]
    return [*assessment.judgement.unsupported, *steps]


def warn_of_idle_faults(item: pytest.Item, assessment: Assessment) -> None:
    """Warn of faults that did nothing, so that the test does not show what it seems to show."""
    for text in idle_lines(assessment):
        item.warn(IdleFaultWarning(text))


def told(assessment: Assessment | None, broken: Sequence[str], run_file: Path) -> str:
    """Tell everything about a run."""
    parts = [*broken]
    if assessment is not None:
        parts += [texts(verdict_lines(assessment, COLUMNS))]
    return "\n".join([*parts, f"  run file     {run_file}"])
