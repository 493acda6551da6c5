"""What does not fit through a network on the way: owed by nobody who was told so."""

from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.frames import Other, decode_frame
from mpwire.capture.runfile import Frame
from mpwire.lab import testbed
from mpwire.oracle.judge import judge
from mpwire.oracle.trace import Trace
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict

NARROW = Path(__file__).parents[2] / "testbeds" / "routed-narrow.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFile:
    """Run the testbed whose network is too narrow for a message, until the leaf has given up."""
    folder = tmp_path_factory.mktemp("narrow")
    text = NARROW.read_text("utf-8").partition("  - P1 sees")[0] + "  - everything settles\n"
    run_simulated(testbed.parse(text, NARROW, {}), folder)
    return open_run(folder)


def told(frame: Frame) -> bool:
    """Find the ICMP errors that say how much fits."""
    decoded = decode_frame(frame.linktype, frame.data)
    return isinstance(decoded, Other) and bool(decoded.unreachable and decoded.unreachable.mtu)


def test_a_repair_that_does_not_get_through_is_not_owed(run: RunFile) -> None:
    judgement = judge(run)
    assert judgement.verdict is Verdict.PASS
    assert judgement.findings == []


def test_what_was_being_asked_for_as_a_series_begins_is_of_the_one_before(tmp_path: Path) -> None:
    """A timer and a SYNC that meet: the NACK leaves before its sender has read the SYNC."""
    fault = "drop the 1st ACCEPT from root to leaf1"
    run_simulated(testbed.load(NARROW, faults=[fault]), tmp_path)
    assert judge(open_run(tmp_path)).findings == []


def test_who_was_not_told_has_to_try(run: RunFile) -> None:
    untold = [frame for frame in run.frames if not told(frame)]
    assert len(untold) < len(run.frames)
    judgement = judge(msgspec.structs.replace(run, frames=untold))
    assert judgement.rule("R115").undecided  # the record lacks what was left out


def test_what_hosts_were_told_is_read(run: RunFile) -> None:
    trace = Trace(run)
    narrows = [one for one in trace.narrows if one.host == "root"]
    assert {(one.address, one.mtu) for one in narrows} == {("10.77.1.2", 600)}
    large = next(packet for packet in trace.packets if packet.octets > 900)
    small = next(packet for packet in trace.packets if packet.octets < 500)
    here, there = narrows[0].position, "10.77.1.2"
    later = (here[0] + 1, 0)
    assert trace.fits(large, "root", there, here)
    assert not trace.fits(large, "root", there, later)
    assert trace.fits(small, "root", there, later)
    assert trace.fits(large, "leaf2", there, later)
    assert trace.fits(large, "root", "10.77.0.3", later)
