"""A few broken endpoints in labs; `python -m mpwire.testing.mutants` runs all there are."""

from pathlib import Path

import pytest

from mpwire.testing.broken import PATCHES
from mpwire.testing.broken.trial import try_patch, try_reference
from mpwire.vocabulary import Verdict

QUICK = (
    "abort-as-graceful",
    "accept-and-reject",
    "accept-reported-twice",
    "caller-data-swallowed",
    "close-reported-twice",
    "events-misnumbered",
    "fragmentation-allowed",
    "group-data-too-far",
    "newest-first",
    "private-words-from-seven",
    "repair-unmarked",
    "repaired-unasked",
    "second-request-outstanding",
    "tag-of-zero",
)

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_endpoint_is_caught_by_its_rule(name: str, tmp_path: Path) -> None:
    trial = try_patch(PATCHES[name], tmp_path)
    assert trial.outcome == "killed", (trial.fired, trial.incomplete)
    assert trial.verdict is Verdict.FAIL
    assert trial.is_good


def test_the_correct_endpoint_passes_where_a_broken_one_fails(tmp_path: Path) -> None:
    trial = try_reference("lost-one", tmp_path)
    assert (trial.outcome, trial.fired, trial.incomplete) == ("passed", (), ())


def test_a_scene_that_cannot_be_played_convicts_nobody(tmp_path: Path) -> None:
    trial = try_reference("atlantis", tmp_path)
    assert trial.verdict is Verdict.INCONCLUSIVE
    assert trial.outcome == "not passed"
    assert "atlantis" in trial.incomplete[0]
