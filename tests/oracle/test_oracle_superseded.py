"""A request that a newer one of the same socket has ended is not pending any more (9.3)."""

from pathlib import Path

from mpwire.capture import open_run
from mpwire.lab import testbed as testbeds
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict

EXPIRES = Path(__file__).parents[2] / "testbeds" / "join-expires.yaml"


def test_who_asks_anew_waits_with_the_newest_request_only(tmp_path: Path) -> None:
    """Lose the CANCEL of the first request, which nothing else tells the root of."""
    plan = testbeds.load(EXPIRES, faults=["drop the 1st CANCEL from leaf1 to root"])
    judgement = judge(open_run(run_simulated(plan, tmp_path).run_file))
    assert [one.id for one in judgement.rules if one.verdict is Verdict.FAIL] == []
    assert judgement.verdict is Verdict.PASS
    assert judgement.rule("R60").passed
