"""The text of a failure: what a test claimed, what the judge says, where the run file is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mpwire.report import Assessment
from mpwire.report.verdict import texts, verdict_lines
from mpwire.vocabulary import Verdict

COLUMNS: Final = 100


def is_wrong(assessment: Assessment) -> bool:
    """Tell whether a run is no good: something failed, or what was looked at is undecided.

    A run in which there was nothing to judge proves nothing, and nothing is wrong with it.
    """
    judgement = assessment.judgement
    if assessment.verdict is not Verdict.INCONCLUSIVE:
        return assessment.verdict is Verdict.FAIL
    undecided = any(rule.undecided for rule in judgement.rules)
    return bool(judgement.incomplete or assessment.failed_steps or undecided)


def told(assessment: Assessment | None, broken: Sequence[str], run_file: Path) -> str:
    """Tell everything about a run."""
    parts = [*broken]
    if assessment is not None:
        parts += [texts(verdict_lines(assessment, COLUMNS))]
    return "\n".join([*parts, f"  run file     {run_file}"])
