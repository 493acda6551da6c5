"""Prove that every rule passes on a correct story and fails on a broken one."""

from pathlib import Path

import pytest

from mpwire.oracle import judge
from mpwire.oracle.registry import RULES
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_aims import AIMS
from tests.oracle.oracle_asides import ASIDES
from tests.oracle.oracle_asked import ASKED
from tests.oracle.oracle_changes import NOTICES
from tests.oracle.oracle_configured import CONFIGURED
from tests.oracle.oracle_crossings import CROSSINGS
from tests.oracle.oracle_details import DETAILS
from tests.oracle.oracle_edits import Fault, Plotted
from tests.oracle.oracle_faults import FAULTS
from tests.oracle.oracle_groups import CASTS
from tests.oracle.oracle_halves import HALVES
from tests.oracle.oracle_impaired import IMPAIRED
from tests.oracle.oracle_limits import LIMITS
from tests.oracle.oracle_lives import LIVES
from tests.oracle.oracle_losses import LOSSES, unexplained
from tests.oracle.oracle_mutants import QUEUES
from tests.oracle.oracle_ordinary import ORDINARY
from tests.oracle.oracle_story import play
from tests.oracle.oracle_streams import STREAMS
from tests.oracle.oracle_tales import three, tour
from tests.oracle.oracle_whispers import WHISPERS

STORIES = (
    *ASIDES,
    *DETAILS,
    *STREAMS,
    *CROSSINGS,
    *CASTS,
    *LIMITS,
    *AIMS,
    *HALVES,
    *LIVES,
    *WHISPERS,
    *IMPAIRED,
    *QUEUES,
    *LOSSES,
    *NOTICES,
    *ASKED,
    *CONFIGURED,
    *ORDINARY,
)
CORRECT: tuple[Plotted, ...] = (tour, three, *STORIES)


@pytest.mark.parametrize("plot", CORRECT)
def test_correct_story_passes(plot: Plotted, tmp_path: Path) -> None:
    """Find nothing wrong with what is correct."""
    judgement = judge(play(plot(), tmp_path))
    assert [(f.rule, f.endpoint, f.reason) for f in judgement.findings] == []
    assert judgement.verdict is Verdict.PASS


def test_every_rule_is_exercised_by_a_correct_story(tmp_path: Path) -> None:
    """Know for every rule that it can pass."""
    exercised: set[str] = set()
    for plot in CORRECT:
        results = judge(play(plot(), tmp_path)).rules
        exercised |= {result.id for result in results if result.passed}
    assert exercised == set(RULES)


@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{place}-{fault.rule}" for place, fault in enumerate(FAULTS)]
)
def test_broken_story_fails(fault: Fault, tmp_path: Path) -> None:
    """Catch the broken endpoint with the right rule, and name frames and reason."""
    judgement = judge(play(fault.edit(fault.plot()), tmp_path))
    failed = [finding for finding in judgement.findings if finding.verdict is Verdict.FAIL]
    assert fault.rule in {finding.rule for finding in failed}, failed
    assert judgement.verdict is Verdict.FAIL
    assert all(finding.reason and finding.expected for finding in failed)
    assert judgement.rule(fault.rule).verdict is Verdict.FAIL


def test_every_rule_catches_somebody() -> None:
    """Know for every rule that it can fail."""
    assert {fault.rule for fault in FAULTS} == set(RULES)


def test_what_only_the_host_can_know_is_not_decided(tmp_path: Path) -> None:
    """Say that FD_CLOSE(WSAENETDOWN) may be, where no lab has taken the interface."""
    judgement = judge(play(unexplained(), tmp_path))
    (finding,) = judgement.findings
    assert (finding.rule, finding.verdict) == ("EV28", Verdict.INCONCLUSIVE)
    assert finding.reason == "nothing on record says what became of the host's interface"
    assert judgement.verdict is Verdict.INCONCLUSIVE
