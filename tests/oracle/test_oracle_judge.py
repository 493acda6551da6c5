"""Hold the judge to complete stories: correct ones pass, all of their events demanded."""

from pathlib import Path

import pytest

from mpwire.oracle import Level, judge
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_story import play
from tests.oracle.oracle_tales import three, tour


@pytest.mark.parametrize("plot", [tour, three])
def test_correct_session_passes(plot: object, tmp_path: Path) -> None:
    """Find nothing wrong with a correct session, and every event demanded by packets."""
    assert callable(plot)
    judgement = judge(play(plot(), tmp_path))
    assert [(f.rule, f.endpoint, f.reason) for f in judgement.findings] == []
    assert judgement.verdict is Verdict.PASS
    assert {event.level for event in judgement.events} == {Level.MUST}
