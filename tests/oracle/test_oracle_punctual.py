"""In virtual time nobody is late without being wrong, and the judge says so."""

from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.lab import testbed
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.mutation.applying import change
from tests.mutation.arena import fight
from tests.mutation.mutants import source_of
from tests.mutation.reach import known
from tests.mutation.scenarios import Aimed, aimed

JITTER = ("mpwire.core.timers", "uniform(0.9, 1.1)", "uniform(1.2, 1.3)")
SILENCE = ("mpwire.core.membership", "uniform(0.8, 1.2)", "uniform(1.4, 1.5)")
FIRST = ("mpwire.core.receiving", "flow.unacknowledged == 1", "flow.unacknowledged == 2")
FEWER = ("mpwire.core.receiving", "end.nacks < NACK_SENDS", "end.nacks < 4")
SLOWER = ("mpwire.core.receiving", "2.0**end.nacks", "3.0**end.nacks")
LOSSY = ("drop 10 % of messages",)


@pytest.mark.parametrize(
    ("rule", "edit", "run"),
    [
        ("R76", JITTER, Aimed("rooted-lan", ("drop the first ACCEPT",))),
        ("R76", JITTER, Aimed("rooted-lan", ("drop the first JOIN_REQ",))),
        ("R72", SILENCE, Aimed("end-crash")),
        ("R112", FIRST, Aimed("rooted-dialogue", LOSSY, 2)),
        ("R91", FEWER, Aimed("rooted-lan", ("drop 30 % of messages",), 6)),
        ("R91", SLOWER, Aimed("conference-lan", LOSSY, 3)),
    ],
)
def test_an_endpoint_that_waits_too_long_is_warned(
    rule: str, edit: tuple[str, str, str], run: Aimed
) -> None:
    name, right, wrong = edit
    source = source_of(name)
    assert right in source
    rounds, lost = known([aimed(run)])
    assert not lost
    outcome = fight(change(name, source.replace(right, wrong)), rounds)
    assert outcome.fate == "killed"
    assert (outcome.way, outcome.rules) == ("warning", (rule,))


def test_who_was_stopped_is_not_late(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "testbeds" / "rooted-lan.yaml"
    faults = ["freeze leaf1 after every DATA for 20 to 60 ms"]
    run_simulated(testbed.load(path, faults=faults), tmp_path)
    judgement = judge(open_run(tmp_path))
    assert judgement.findings == []
    assert judgement.verdict is Verdict.PASS
