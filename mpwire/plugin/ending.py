"""The end of a test with a lab: the verdict becomes the test's outcome, or part of its report."""

import pytest

from mpwire.errors import MpwireError
from mpwire.plugin.lab import Lab
from mpwire.plugin.pausing import pause
from mpwire.plugin.telling import is_wrong, lacked, skip_unsupported, told, warn_of_idle_faults
from mpwire.report import Assessment
from mpwire.vocabulary import Verdict

SIMULATED = "mpwire_simulated_because"


def judge(item: pytest.Item, lab: Lab) -> None:
    """Fail a test whose body has passed when its lab is not well."""
    _note_fabric(item, lab)
    try:
        if lab.check_events():
            pause(item, lab.running.begun, "\n".join(lab.broken))
        assessment = lab.judged()
    except MpwireError as error:
        pytest.fail(told(None, [str(error)], lab.keep()), pytrace=False)
    warn_of_idle_faults(item, assessment)
    judged_here = not lab.finished_by_test
    if assessment.verdict is Verdict.UNSUPPORTED and judged_here:
        lab.drop()
        skip_unsupported(lacked(assessment))
    if lab.broken or (judged_here and is_wrong(assessment)):
        pytest.fail(told(assessment, lab.broken, lab.keep()), pytrace=False)
    lab.drop()


def after_failure(item: pytest.Item, lab: Lab, error: BaseException, when: str) -> None:
    """Add the verdict to the report of a test that has failed already."""
    _note_fabric(item, lab)
    if isinstance(error, pytest.skip.Exception):
        lab.close()
        lab.drop()
        return
    pause(item, lab.running.begun, str(error))
    assessment: Assessment | None = None
    broken = []
    try:
        assessment = lab.judged()
    except MpwireError as trouble:
        broken.append(str(trouble))
    item.add_report_section(when, "mpwire", told(assessment, [*lab.broken, *broken], lab.keep()))


def _note_fabric(item: pytest.Item, lab: Lab) -> None:
    if lab.running.begun.instead:
        item.user_properties.append((SIMULATED, lab.running.begun.instead))
