"""One datagram lost anywhere: the reference endpoint breaks no rule, the judge blames nobody."""

from pathlib import Path

import pytest

from mpwire.vocabulary import Verdict
from tests.acceptance.losses import lose

TESTBED = Path(__file__).parents[2] / "testbeds" / "rooted-lan.yaml"

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 11, 29, 30, 32, 34, 35])
def test_a_lost_control_message_is_made_up_for(number: int, tmp_path: Path) -> None:
    lossy = lose(TESTBED, number, tmp_path)
    assert lossy.datagram_count >= 35
    assert lossy.judgement.verdict is Verdict.PASS
    assert lossy.failure is None


@pytest.mark.parametrize("number", [24, 27])
def test_lost_data_is_nobodys_fault_as_long_as_nothing_repairs_it(
    number: int, tmp_path: Path
) -> None:
    lossy = lose(TESTBED, number, tmp_path)
    assert [rule.id for rule in lossy.judgement.rules if rule.verdict is Verdict.FAIL] == []
    assert lossy.failure is not None
    assert "FD_READ" in lossy.failure
