"""A capture on the way, where each packet stands twice, is judged as if each stood once."""

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mpwire.capture import Frame, RunFile, open_run
from mpwire.capture.frames import LinkType
from mpwire.capture.writer import Writer
from mpwire.lab import testbed as testbeds
from mpwire.oracle import Judgement, judge
from mpwire.oracle.inferring import infer
from mpwire.oracle.limits import Limits
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.library import simulated
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_edits import Fault
from tests.oracle.oracle_faults import WIRE
from tests.oracle.oracle_story import play, summed
from tests.oracle.oracle_tales import three, tour

ROUTED = [path for path in simulated() if path.stem.startswith("routed-")]
CUT = Limits(whole=0, batch=1, over=32, repeated=20, patience=1, stride=2, tidy=1)
OUTGOING, FOR_OTHERS = 4, 3
LATER_NS = 700

Seen = tuple[int, bytes]
"""Link type and octets of a frame."""
View = Callable[[bytes], Iterable[Seen]]


def once(data: bytes) -> Iterator[Seen]:
    """Stand between two hosts."""
    yield LinkType.ETHERNET, data


def at_router(data: bytes) -> Iterator[Seen]:
    """Capture on both ports of a router."""
    yield LinkType.ETHERNET, data
    yield LinkType.ETHERNET, sent_on(data)


def at_router_on_any(data: bytes) -> Iterator[Seen]:
    """Capture on the pseudo-interface of all interfaces of a router."""
    yield LinkType.LINUX_SLL2, cooked(data, 2, 0)
    yield LinkType.LINUX_SLL2, cooked(sent_on(data), 3, OUTGOING)


def at_bridge_on_any(data: bytes) -> Iterator[Seen]:
    """Capture on the pseudo-interface of all interfaces of a bridge: port, bridge, port."""
    yield LinkType.LINUX_SLL2, cooked(data, 2, FOR_OTHERS)
    yield LinkType.LINUX_SLL2, cooked(data, 4, FOR_OTHERS)
    yield LinkType.LINUX_SLL2, cooked(data, 3, OUTGOING)


def by_mirror(data: bytes) -> Iterator[Seen]:
    """Capture at a mirror of two ports, which says nothing of which one it was."""
    yield LinkType.ETHERNET, data
    yield LinkType.ETHERNET, data


def sent_on(data: bytes) -> bytes:
    """Do what a router does: other link addresses, a hop less."""
    if data[12:14] != b"\x08\x00":
        return data
    header = data[14:22] + bytes([data[22] - 1]) + data[23:24] + b"\0\0" + data[26:34]
    total = struct.pack("!H", 0xFFFF - summed(header))
    return bytes(11) + b"\7\x08\0" + header[:10] + total + data[26:]


def cooked(data: bytes, interface: int, kind: int) -> bytes:
    """Replace the Ethernet header; kind: whether it came for this host, for others, or left."""
    head = struct.pack(">HIHBB8s", 0, interface, 1, kind, 6, data[6:12])
    return data[12:14] + head + data[14:]


def seen_by(view: View, run: RunFile, path: Path) -> RunFile:
    """Write what a capture program on the way sees of what hosts sent, without directions."""
    with path.open("wb") as stream:
        writer = Writer(stream, application="tcpdump")
        interface: dict[int, int] = {}
        for frame in run.frames:
            if frame.direction == "out":
                for place, (linktype, data) in enumerate(view(frame.data)):
                    if linktype not in interface:
                        interface[linktype] = writer.interface("any", linktype=linktype)
                    at_ns = frame.time_ns + place * LATER_NS
                    writer.packet(interface[linktype], data, at_ns)
    return open_run(path)


def failed(judgement: Judgement) -> set[str]:
    """List the rules that fail."""
    return {one.id for one in judgement.rules if one.verdict is Verdict.FAIL}


def counted(judgement: Judgement) -> list[tuple[object, ...]]:
    """Say what every rule counted."""
    return [(one.id, one.verdict, one.passed, one.failed, one.undecided) for one in judgement.rules]


VIEWS = (at_router, at_router_on_any, at_bridge_on_any)


@pytest.mark.parametrize("fault", WIRE, ids=[f"{n}-{one.rule}" for n, one in enumerate(WIRE)])
def test_every_violation_is_seen_as_from_where_packets_pass_once(
    fault: Fault, tmp_path: Path
) -> None:
    """Catch on a router and on a bridge whatever is caught between them, and nothing else."""
    run = play(fault.edit(fault.plot()), tmp_path)
    single = judge(seen_by(once, run, tmp_path / "once.pcapng"))
    for view in VIEWS:
        judgement = judge(seen_by(view, run, tmp_path / "view.pcapng"))
        assert counted(judgement) == counted(single), view.__name__
    mirrored = judge(seen_by(by_mirror, run, tmp_path / "mirror.pcapng"))
    assert failed(mirrored) == failed(single)


@pytest.mark.parametrize("plot", [tour, three])
def test_long_captures_are_judged_alike(plot: Callable[[], object], tmp_path: Path) -> None:
    run = play(plot(), tmp_path)  # type: ignore[arg-type]  # both are stories
    capture = seen_by(at_router, run, tmp_path / "view.pcapng")
    cut = open_run(capture.path, held_octets=0)
    assert counted(judge(cut, CUT)) == counted(judge(capture))


def test_the_verdict_says_what_stands_there_again(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    judgement = judge(seen_by(at_router, run, tmp_path / "view.pcapng"))
    count = sum(
        frame.direction == "out" and frame.data[12:14] == b"\x08\x00" for frame in run.frames
    )
    assert judgement.incomplete[1:] == [
        f"{count} frames show packets again that were seen before on their way; each counts once"
    ]


def test_events_are_inferred_once(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)

    def told(view: View) -> list[tuple[str, str, int, str]]:
        found = infer(seen_by(view, run, tmp_path / "view.pcapng"))
        events = [(one.endpoint, event) for one in found for event in one.events]
        return [(endpoint, one.event, one.code, one.level) for endpoint, one in events]

    for view in (*VIEWS, by_mirror):
        assert told(view) == told(once), view.__name__


@pytest.mark.parametrize("path", ROUTED, ids=lambda path: path.stem)
def test_a_router_of_a_simulated_network_sees_no_violation(path: Path, tmp_path: Path) -> None:
    """Judge all ports of each router as one capture, with and without directions, alike."""
    run = open_run(run_simulated(testbeds.load(path), tmp_path).run_file)
    assert run.run is not None
    for router in run.run.routers:
        there = [one for one in run.frames if one.vantage.startswith(f"{router.name}.")]
        found = []
        for directions in (True, False):
            capture = written(run, tmp_path / "x.pcapng", there, directions=directions)
            judgement = judge(capture)
            assert failed(judgement) == set()
            assert len(judgement.incomplete) == 2
            found.append(counted(judgement))
        assert found[0] == found[1]


def written(run: RunFile, path: Path, frames: list[Frame], *, directions: bool) -> RunFile:
    """Write frames as another program would."""
    return rewritten(
        run, path, frames=frames, records=[], application="tcpdump", directions=directions
    )
