"""The whole chain, as its users rely on it: a lab, a capture, a verdict that cannot be fooled."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, RunWriter, open_run
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.pcapng import Reader
from mpwire.capture.records import AgentLine, AnyRecord, End
from mpwire.capture.runfile import Frame
from mpwire.lab.session import TOUR, run_testbed
from mpwire.oracle import Judgement, judge
from mpwire.vocabulary import Verdict

HERE = Path(__file__).parent
TESTBEDS = HERE.parents[1] / "testbeds"
PACKET_BLOCK = 6

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> RunFile:
    """Run the tour once; what is done to its run file is done to copies."""
    outcome = run_testbed(TOUR, tmp_path_factory.mktemp("tour"))
    assert outcome.failure is None
    return open_run(outcome.run_file)


def failed(judgement: Judgement) -> set[str]:
    """Return the ids of the rules that failed."""
    return {rule.id for rule in judgement.rules if rule.verdict is Verdict.FAIL}


def test_the_reference_endpoint_passes_its_tour(tour: RunFile) -> None:
    judgement = judge(tour)
    assert judgement.verdict is Verdict.PASS
    assert judgement.incomplete == []
    levels: Counter[str] = Counter(event.level for event in judgement.events)
    assert levels.total() >= 20
    assert levels["must"] >= 0.95 * levels.total()
    assert set(levels) <= {"must", "may"}


@pytest.mark.parametrize("testbed", sorted(TESTBEDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_reference_endpoint_passes_every_testbed(testbed: Path, tmp_path: Path) -> None:
    outcome = run_testbed(testbed, tmp_path)
    assert outcome.failure is None
    judgement = judge(open_run(outcome.run_file))
    assert failed(judgement) == set()
    assert judgement.verdict is Verdict.PASS


def blocks(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a little-endian pcapng file into blocks: type, octets."""
    start = 0
    while start < len(octets):
        size = int.from_bytes(octets[start + 4 : start + 8], "little")
        yield int.from_bytes(octets[start : start + 4], "little"), octets[start : start + size]
        start += size


def test_a_run_file_that_lacks_any_one_frame_decides_nothing(tour: RunFile, tmp_path: Path) -> None:
    parts = [*blocks(Path(tour.path).read_bytes())]
    places = [place for place, (kind, _) in enumerate(parts) if kind == PACKET_BLOCK]
    assert len(places) == len(tour.frames)
    cut = tmp_path / "cut.pcapng"
    verdicts = []
    for place in places:
        cut.write_bytes(b"".join(part for at, (_, part) in enumerate(parts) if at != place))
        verdicts.append(judge(open_run(cut)).verdict)
    assert set(verdicts) == {Verdict.INCONCLUSIVE}


def event_lines(run: RunFile) -> list[AgentLine]:
    """Return the event lines of a run."""
    return [
        line
        for line in run.of(AgentLine)
        if line.direction == "from" and bytes(line.line).startswith(b'{"event"')
    ]


def rewrite(run: RunFile, folder: Path, without: AnyRecord | None = None) -> RunFile:
    """Write a run anew, as if one record had never been made."""
    assert run.run is not None
    with RunWriter(folder, run.run.hosts) as writer:
        for _, item in run.timeline():
            if isinstance(item, Frame):
                assert item.direction is not None
                writer.frame(item.vantage, item.direction, item.data, item.time_ns)
            elif item is not without and not isinstance(item, End):
                writer.record(item)
    return open_run(folder)


def test_a_run_written_anew_is_judged_alike(tour: RunFile, tmp_path: Path) -> None:
    again = judge(rewrite(tour, tmp_path / "again"))
    assert again.verdict is Verdict.PASS
    assert [(rule.id, rule.passed) for rule in again.rules] == [
        (rule.id, rule.passed) for rule in judge(tour).rules
    ]


def test_any_event_that_was_not_reported_is_missed(tour: RunFile, tmp_path: Path) -> None:
    for number, line in enumerate(event_lines(tour)):
        judgement = judge(rewrite(tour, tmp_path / str(number), without=line))
        assert judgement.verdict is Verdict.FAIL, bytes(line.line)
        assert any(rule.startswith("EV") for rule in failed(judgement)), bytes(line.line)


def test_an_event_deleted_from_the_file_is_missed(tour: RunFile, tmp_path: Path) -> None:
    octets = Path(tour.path).read_bytes()
    line = event_lines(tour)[0]
    record = msgspec.json.encode(line) + b"\n"
    assert octets.count(record) == 1
    with Path(tour.path).open("rb") as stream:
        assert sum(1 for _ in Reader(stream, "tour")) > len(tour.frames)
    edited = tmp_path / "edited.pcapng"
    edited.write_bytes(_without(octets, record))
    run = open_run(edited)
    assert len(event_lines(run)) == len(event_lines(tour)) - 1
    assert judge(run).verdict is Verdict.FAIL


def _without(octets: bytes, record: bytes) -> bytes:
    """Delete a record from the custom block that holds it, keeping every length true."""
    kept = []
    for _, block in blocks(octets):
        if record in block:
            body = block[8:-4].replace(record, b"")
            body += b"\n" * (-len(body) % 4)
            size = (len(body) + 12).to_bytes(4, "little")
            kept.append(block[:4] + size + body + size)
        else:
            kept.append(block)
    return b"".join(kept)


@pytest.mark.parametrize(
    ("name", "verdict", "broken"),
    [
        ("rooted-lan", Verdict.PASS, set()),
        ("close-not-acknowledged", Verdict.FAIL, {"R56"}),
    ],
)
def test_the_shipped_captures_are_judged_as_they_say(
    name: str, verdict: Verdict, broken: set[str]
) -> None:
    judgement = judge(open_run(HERE.parents[1] / "pcaps" / f"{name}.pcapng"))
    assert judgement.verdict is verdict
    assert failed(judgement) == broken


needs_tcpdump = pytest.mark.skipif(
    shutil.which("tcpdump") is None or os.geteuid() != 0,
    reason="this machine cannot run it: tcpdump changes its user, which only root's labs allow",
)


@needs_tcpdump
def test_what_tcpdump_sees_beside_the_root_breaks_no_rule(tmp_path: Path) -> None:
    capture = tmp_path / "root.pcap"
    agent = [sys.executable, str(HERE / "capturing_agent.py"), str(capture)]
    outcome = run_testbed(TOUR, tmp_path, agents={"root": agent})
    assert outcome.failure is None
    assert judge(open_run(outcome.run_file)).verdict is Verdict.PASS
    seen = open_run(capture)
    of_root = [frame for frame in open_run(outcome.run_file).frames if frame.vantage == "root"]
    assert len(seen.frames) > 0.8 * len(of_root)
    judgement = judge(seen)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert failed(judgement) == set()
    assert sum(rule.passed for rule in judgement.rules) > 100


@needs_tcpdump
@pytest.mark.parametrize("name", ["routed-lan", "routed-lan-ipv6"])
def test_what_tcpdump_sees_on_a_router_is_counted_once(name: str, tmp_path: Path) -> None:
    capture = tmp_path / "router.pcap"
    agent = [sys.executable, str(HERE / "capturing_agent.py"), str(capture), "router"]
    outcome = run_testbed(TESTBEDS / f"{name}.yaml", tmp_path, agents={"root": agent})
    assert outcome.failure is None
    seen = open_run(capture)
    decoded = [decode_frame(one.linktype, one.data) for one in seen.frames]
    messages = [one.payload for one in decoded if isinstance(one, Datagram)]
    again = len(messages) - len(set(messages))
    assert again > 0.4 * len(messages)
    judgement = judge(seen)
    assert f"{again} frames show packets again" in judgement.incomplete[1]
    assert failed(judgement) == set()
    assert sum(rule.passed for rule in judgement.rules) > 100
