"""One datagram lost anywhere: the reference endpoint breaks no rule, the judge blames nobody."""

from pathlib import Path

import pytest

from mpwire.vocabulary import Verdict
from tests.acceptance.losses import lose

TESTBED = Path(__file__).parents[2] / "testbeds" / "rooted-lan.yaml"

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 11, 24, 27, 29, 30, 32, 34, 35])
def test_a_lost_datagram_is_made_up_for(number: int, tmp_path: Path) -> None:
    lossy = lose(TESTBED, number, tmp_path)
    assert lossy.datagram_count >= 35
    assert lossy.judgement.verdict is Verdict.PASS
    assert lossy.failure is None
