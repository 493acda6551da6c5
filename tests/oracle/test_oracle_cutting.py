"""Judge captures cut into exchanges, and find the same as in one piece."""

from pathlib import Path

import pytest

from mpwire.capture import RunFile, open_run
from mpwire.oracle import Judgement, judge
from mpwire.oracle.limits import Limits
from tests.oracle.oracle_aims import AIMS, ASTRAY
from tests.oracle.oracle_asides import ASIDES
from tests.oracle.oracle_crossings import CROSSINGS
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_details import DETAILS
from tests.oracle.oracle_edits import Fault, Plotted
from tests.oracle.oracle_faults import WIRE
from tests.oracle.oracle_groups import CASTS
from tests.oracle.oracle_halves import HALVES, PARTIAL
from tests.oracle.oracle_limits import LIMITS
from tests.oracle.oracle_story import play
from tests.oracle.oracle_streams import STREAMS
from tests.oracle.oracle_tales import three, tour

WHOLE = Limits(whole=1 << 40)
ROOMY = Limits(whole=0)
"""Every exchange in a dossier of its own, all judged together at the end."""
NARROW = Limits(whole=0, batch=1, over=32, repeated=2, tidy=1)
"""Every exchange judged alone, as soon as it is over, and what is repeated before that."""
COUNTED = Limits(whole=0, batch=1, over=32, repeated=20, patience=1, stride=2, tidy=1)
"""What is repeated is learned at once, and counted where it can be."""
CORRECT = (
    *(tour, three, *ASIDES, *DETAILS, *STREAMS),
    *(*CROSSINGS, *CASTS, *LIMITS, *AIMS, *HALVES),
)
FAULTS = (*WIRE, *ASTRAY, *PARTIAL)


def plain(run: RunFile, path: Path, *, directions: bool) -> RunFile:
    """Write what one capture program on all interfaces would have written."""
    return rewritten(run, path, records=[], application="tcpdump", directions=directions)


def found(judgement: Judgement) -> dict[str, tuple[object, ...]]:
    """Say what every rule counted and found, whatever the order."""
    return {
        result.id: (
            result.passed,
            result.failed,
            result.undecided,
            result.warned,
            sorted((one.verdict, tuple(sorted(one.frames)), one.seen) for one in result.findings),
        )
        for result in judgement.rules
    }


@pytest.mark.parametrize("limits", [ROOMY, NARROW, COUNTED], ids=["roomy", "narrow", "counted"])
@pytest.mark.parametrize("plot", CORRECT)
def test_correct_sessions_are_judged_alike(plot: Plotted, limits: Limits, tmp_path: Path) -> None:
    """Cut a capture without directions as finely as can be."""
    capture = plain(play(plot(), tmp_path), tmp_path / "x.pcapng", directions=False)
    cut = open_run(capture.path, held_octets=0)
    assert found(judge(cut, limits)) == found(judge(capture, WHOLE))


@pytest.mark.parametrize("limits", [NARROW, COUNTED], ids=["narrow", "counted"])
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{n}-{f.rule}" for n, f in enumerate(FAULTS)])
def test_faults_are_judged_alike(fault: Fault, limits: Limits, tmp_path: Path) -> None:
    """Find every fault that a capture without directions shows, and no other."""
    run = play(fault.edit(fault.plot()), tmp_path)
    capture = plain(run, tmp_path / "x.pcapng", directions=False)
    cut = open_run(capture.path, held_octets=0)
    assert found(judge(cut, limits)) == found(judge(capture, WHOLE))


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{n}-{f.rule}" for n, f in enumerate(FAULTS)])
def test_directed_captures_are_judged_alike(fault: Fault, tmp_path: Path) -> None:
    """Keep together what rules about hosts look at."""
    run = play(fault.edit(fault.plot()), tmp_path)
    capture = plain(run, tmp_path / "x.pcapng", directions=True)
    assert found(judge(capture, ROOMY)) == found(judge(capture, WHOLE))
