"""The same session from several vantages: what one decides, no other contradicts."""

import random
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mpwire.capture import Frame, RunFile, open_run
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.lab import testbed as testbeds
from mpwire.lab.session import TOUR
from mpwire.oracle import Judgement, judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.library import simulated as simulated_ones
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_edits import Fault
from tests.oracle.oracle_faults import WIRE
from tests.oracle.oracle_story import NAMES, play

LIBRARY = simulated_ones()
DECIDED_AT_LEAST = 45
"""Rules that every vantage of the quick tour decides."""
CUTS = 3
CHECKSUMS = "R6"
"""A capture of another program does not say which checksums its network card was to fill in."""
NEEDS_SIDES = {CHECKSUMS, "R17", "R55", "R76"}
"""These ask what a node knew as it sent: where no direction is on record, nobody can tell."""

View = Callable[[RunFile, Path], RunFile]


def plain(run: RunFile, path: Path, frames: Iterable[Frame], *, directions: bool) -> RunFile:
    """Write frames as another program would: no records, no agents' lines."""
    path.mkdir(exist_ok=True)
    return rewritten(
        run,
        path / "plain.pcapng",
        frames=frames,
        records=[],
        application="tcpdump",
        directions=directions,
    )


def everywhere(run: RunFile, path: Path) -> RunFile:
    """Capture at all hosts."""
    return plain(run, path, run.frames, directions=True)


def at(host: str) -> View:
    """Return what captures at one host."""

    def view(run: RunFile, path: Path) -> RunFile:
        frames = [frame for frame in run.frames if frame.vantage == host]
        return plain(run, path, frames, directions=True)

    view.__name__ = f"at_{host}"
    return view


def in_the_middle(run: RunFile, path: Path) -> RunFile:
    """Capture at the switch, once what each host sent, in the oldest of formats."""
    path.mkdir(exist_ok=True)
    file = path / "middle.pcap"
    with file.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 1))
        for frame in run.frames:
            if frame.direction == "out":
                seconds, nanoseconds = divmod(frame.time_ns, 1_000_000_000)
                size = len(frame.data)
                stream.write(struct.pack("<IIII", seconds, nanoseconds, size, size) + frame.data)
    return open_run(file)


def simulated(path: Path, folder: Path) -> RunFile:
    """Play a testbed."""
    return open_run(run_simulated(testbeds.load(path), folder).run_file)


def verdicts(judgement: Judgement) -> dict[str, Verdict]:
    """Return the rules that are decided, and how."""
    open_ones = (Verdict.INCONCLUSIVE,)
    return {one.id: one.verdict for one in judgement.rules if one.verdict not in open_ones}


def failed(judgement: Judgement) -> set[str]:
    """List the rules that fail."""
    return {one.id for one in judgement.rules if one.verdict is Verdict.FAIL}


@pytest.mark.parametrize("view", [everywhere, at("root"), in_the_middle])
def test_the_quick_tour_is_judged_alike_from_everywhere(view: View, tmp_path: Path) -> None:
    run = simulated(TOUR, tmp_path)
    whole, seen = judge(run), judge(view(run, tmp_path / "view"))
    assert whole.verdict is Verdict.PASS
    assert seen.verdict is Verdict.INCONCLUSIVE
    decided, known = verdicts(seen), verdicts(whole)
    assert len(decided) >= DECIDED_AT_LEAST
    assert {rule: known[rule] for rule in decided} == decided


@pytest.mark.parametrize("fault", WIRE, ids=[f"{n}-{one.rule}" for n, one in enumerate(WIRE)])
def test_no_vantage_passes_what_it_has_seen_fail(fault: Fault, tmp_path: Path) -> None:
    """Find nothing else wrong than the whole record shows, and nothing right of what it saw wrong.

    A rule that fails on the whole record may pass on a part of it that lacks frames of every
    finding: what was seen there was right. With all frames of one finding it may not.
    """
    run = play(fault.edit(fault.plot()), tmp_path)
    whole = judge(run)
    wrong = failed(whole)
    for view in (everywhere, at(NAMES[0]), at(NAMES[1]), in_the_middle):
        capture = view(run, tmp_path / view.__name__)
        there = {frame.data for frame in capture.frames}
        shown = {
            finding.rule
            for finding in whole.findings
            if finding.verdict is Verdict.FAIL
            and all(
                frame.vantage in view.__name__ or view is everywhere or view is in_the_middle
                for frame in run.frames
                if frame.number in finding.frames
            )
            and all(frame.data in there for frame in run.frames if frame.number in finding.frames)
        }
        decided = verdicts(judge(capture))
        assert {rule for rule, one in decided.items() if one is Verdict.FAIL} <= wrong
        passed = {rule for rule, one in decided.items() if one is Verdict.PASS} & shown
        assert passed <= (NEEDS_SIDES if view is in_the_middle else {CHECKSUMS}), view.__name__


def one_way(frame: Frame) -> tuple[str, str] | None:
    """Return from whom to whom a datagram goes."""
    datagram = decode_frame(frame.linktype, frame.data)
    if not isinstance(datagram, Datagram):
        return None
    return datagram.source[0], datagram.destination[0]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_direction_that_was_not_captured_makes_no_violation(path: Path, tmp_path: Path) -> None:
    """Cut what one host sends to another, from anywhere on, out of a session that is right.

    Where the network changes messages so that nobody notices, only the record of the run knows.
    The run has captures at routers as well; other programs are thought to capture at hosts.
    """
    run = simulated(path, tmp_path)
    assert run.run is not None
    assert judge(run).verdict is Verdict.PASS
    draw = random.Random(path.stem)
    ways = sorted({way for frame in run.frames if (way := one_way(frame)) is not None})
    for cut in range(CUTS):
        way, since = draw.choice(ways), draw.choice((0, draw.randrange(len(run.frames))))
        kept = [
            frame
            for place, frame in enumerate(run.frames)
            if place < since or one_way(frame) != way
        ]
        hosts = {host.name for host in run.run.hosts}
        there = [frame for frame in kept if frame.vantage in hosts]
        middle = [frame for frame in there if frame.direction == "out"]
        captures = [rewritten(run, tmp_path / f"{cut}.pcapng", frames=kept)]
        if not any("unnoticed" in fault for fault in run.run.faults):
            captures.append(plain(run, tmp_path / "plain", there, directions=True))
            captures.append(plain(run, tmp_path / "middle", middle, directions=False))
        for capture in captures:
            judgement = judge(capture)
            assert failed(judgement) == set(), (way, since, judgement.findings)
            gone = len(kept) < len(run.frames) or capture.run is None
            assert judgement.verdict is (Verdict.INCONCLUSIVE if gone else Verdict.PASS)
