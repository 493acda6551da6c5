"""Judge in parts what is not whole: crashed runs, and records that do not account for frames."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.recorder import journal_of
from mpwire.capture.records import AnyRecord, Decision, position_of
from mpwire.oracle import judge
from mpwire.oracle.audit import audit
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_churn import churn
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_story import record
from tests.oracle.test_oracle_parts import PARTS, WHOLE, numbers_held

ROUNDS = 10
SEEDS = range(3)
Damage = Callable[[RunFile, Path, Random], None]


def crashed(run: RunFile, path: Path, random: Random) -> None:
    """Leave a file of frames and a journal, as far as they had come."""
    newest = random.randrange(len(run.frames) // 2, len(run.frames))
    kept = [frame for frame in run.frames if frame.number <= newest]
    rewritten(run, path, frames=kept, records=[])
    encode = msgspec.json.Encoder().encode
    lines = [encode(one) + b"\n" for one in run.records if position_of(one) < newest]
    journal_of(path).write_bytes(b"".join(lines))


def undecided(run: RunFile, path: Path, random: Random) -> None:
    """Leave out what was decided about a frame."""
    gone = random.choice(run.of(Decision))
    rewritten(run, path, records=[one for one in run.records if one is not gone])


def misdelivered(run: RunFile, path: Path, random: Random) -> None:
    """Let a decision name a frame that is not there."""
    wrong = random.choice([one for one in run.of(Decision) if one.delivered])
    made: list[AnyRecord] = [
        msgspec.structs.replace(wrong, delivered=5000) if one is wrong else one
        for one in run.records
    ]
    rewritten(run, path, records=made)


@pytest.mark.parametrize("damage", [crashed, undecided, misdelivered])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_not_whole_is_judged_alike(damage: Damage, seed: int, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    run = open_run(record(churn(ROUNDS), tmp_path / "whole"))
    path = tmp_path / "damaged.pcapng"
    damage(run, path, Random(seed))
    found = judge(open_run(path, held_octets=0), PARTS)
    assert found.to_json() == judge(open_run(path), WHOLE).to_json()
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.incomplete


def test_a_crashed_run_is_not_held(tmp_path: Path) -> None:
    """Forget what is settled, though the record ends too early."""
    (tmp_path / "whole").mkdir()
    run = open_run(record(churn(ROUNDS), tmp_path / "whole"))
    path = tmp_path / "damaged.pcapng"
    crashed(run, path, Random(1))
    left = open_run(path, held_octets=0)
    assert audit(left).sound
    held = numbers_held(left, PARTS)
    assert any(after < before for before, after in pairwise(held))


def test_a_decision_far_from_its_frame_is_a_matter_of_the_whole_run(tmp_path: Path) -> None:
    """Name a frame that arrived elsewhere: it is there, but not where the decision is."""
    run = open_run(record(churn(ROUNDS), tmp_path))
    decisions = [one for one in run.of(Decision) if one.delivered]
    first, last = decisions[0], decisions[-1]
    swapped = msgspec.structs.replace(first, delivered=last.delivered)
    records = [swapped if one is first else one for one in run.records]
    strange = msgspec.structs.replace(run, records=records)
    assert judge(strange, PARTS).to_json() == judge(strange, WHOLE).to_json()
