"""Exit statuses."""

from mpwire.cli.status import OF_VERDICT, WORST_FIRST, Status, worst
from mpwire.vocabulary import Verdict


def test_every_verdict_has_a_status_and_every_status_a_weight() -> None:
    assert set(OF_VERDICT) == set(Verdict)
    assert set(WORST_FIRST) == set(Status)


def test_the_worst_prevails_and_nothing_is_well() -> None:
    assert worst([]) is Status.PASS
    assert worst([Status.PASS, Status.INCONCLUSIVE]) is Status.INCONCLUSIVE
    assert worst([Status.USAGE, Status.VIOLATION, Status.INCONCLUSIVE]) is Status.VIOLATION
    assert worst([Status.VIOLATION, Status.INTERRUPTED]) is Status.INTERRUPTED
