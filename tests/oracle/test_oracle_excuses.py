"""Object to nothing that a correct endpoint does, and to the same thing without its excuse."""

from pathlib import Path

import pytest

from mpwire.oracle import judge
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_excuses import EXCUSES, Excuse
from tests.oracle.oracle_story import play


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda one: f"{one.rule}-{one.plot.__name__}")
def test_what_is_excused_is_neither_wrong_nor_open(excuse: Excuse, tmp_path: Path) -> None:
    result = judge(play(excuse.plot(), tmp_path)).rule(excuse.rule)
    assert (result.failed, result.undecided) == (0, 0), result.findings


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda one: f"{one.rule}-{one.plot.__name__}")
def test_without_its_excuse_it_is_wrong(excuse: Excuse, tmp_path: Path) -> None:
    run = play(excuse.unexcused(excuse.plot()), tmp_path)
    assert judge(run).rule(excuse.rule).verdict is Verdict.FAIL
