"""Take something away from a complete record: silence must then prove nothing."""

import itertools
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.blocks import BlockType
from mpwire.capture.records import (
    PORT_DOWN,
    AgentExit,
    AgentLine,
    AnyRecord,
    Counters,
    Decision,
    End,
    Outage,
    Sentinel,
    Step,
    StoredVerdict,
)
from mpwire.oracle import Judgement, judge
from mpwire.oracle.judgement import Level
from mpwire.oracle.limits import Limits
from mpwire.oracle.trace import Trace
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_asides import deferred, glare, latecomer, reset
from tests.oracle.oracle_cuts import event_lines, on_bridge, rewritten, without_record
from tests.oracle.oracle_edits import Plotted, setting
from tests.oracle.oracle_story import Exit, play, record, without
from tests.oracle.oracle_tales import three, tour

SMALL = Limits(whole=0)
PCAPS = Path(__file__).parents[2] / "pcaps"


def failures(judgement: Judgement) -> list[str]:
    """List the findings that fail, in words."""
    return [f"{f.rule}: {f.reason}" for f in judgement.findings if f.verdict is Verdict.FAIL]


@pytest.mark.parametrize("plot", [tour, three, glare, deferred, latecomer, reset])
def test_any_cut_frame_makes_the_run_inconclusive(plot: Plotted, tmp_path: Path) -> None:
    """Cut each frame in turn: never PASS, never FAIL, and the gate says why."""
    run = play(plot(), tmp_path)
    for victim in run.frames:
        kept = [frame for frame in run.frames if frame is not victim]
        judgement = judge(rewritten(run, tmp_path / "cut.pcapng", frames=kept))
        assert failures(judgement) == [], victim.number
        assert judgement.verdict is Verdict.INCONCLUSIVE, victim.number
        assert judgement.incomplete


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("plot", [tour, three, glare, deferred, latecomer, reset])
def test_any_deleted_event_fails(plot: Plotted, counted: bool, tmp_path: Path) -> None:
    """Delete each event line in turn: its event was not reported, whoever says so."""
    run = play(plot(), tmp_path)
    for victim in event_lines(run):
        records = without_record(run, victim, counted=counted)
        judgement = judge(rewritten(run, tmp_path / "deleted.pcapng", records=records))
        assert judgement.verdict is Verdict.FAIL, bytes(victim.line)
        rules = {f.rule for f in judgement.findings if f.verdict is Verdict.FAIL}
        assert any(rule.startswith("EV") for rule in rules), (bytes(victim.line), rules)


def test_a_deleted_line_is_mentioned(tmp_path: Path) -> None:
    """Say in the reason that lines are missing, and that the numbers have a gap."""
    run = play(tour(), tmp_path)
    victim = event_lines(run)[0]
    records = without_record(run, victim, counted=True)
    judgement = judge(rewritten(run, tmp_path / "deleted.pcapng", records=records))
    reasons = "\n".join(failures(judgement))
    assert "1 agent lines are missing from the record" in reasons
    assert "event line 1 is missing" in reasons


@pytest.mark.parametrize("kind", [b'"hello"', b'"ask"', b'"answer"', b'"call":"'])
def test_a_line_that_no_rule_charges_is_missing(kind: bytes, tmp_path: Path) -> None:
    """Miss what the agent need not have said, or what the harness said: nothing is proved."""
    run = open_run(PCAPS / "rooted-lan.pcapng")
    lines = [one for one in run.of(AgentLine) if kind in bytes(one.line)]
    assert lines
    for victim in lines:
        if kind == b'"call":"' and victim.direction == "from":
            continue
        records = without_record(run, victim, counted=True)
        judgement = judge(rewritten(run, tmp_path / "deleted.pcapng", records=records))
        assert failures(judgement) == [], bytes(victim.line)
        assert judgement.verdict is Verdict.INCONCLUSIVE, bytes(victim.line)
        assert any("agent lines where" in reason for reason in judgement.incomplete)


def test_a_deleted_answer_is_charged(tmp_path: Path) -> None:
    """Hold an answer that is not there against the agent: it has answered later calls."""
    run = play(tour(), tmp_path)
    victim = next(one for one in run.of(AgentLine) if b'"result"' in bytes(one.line))
    records = without_record(run, victim, counted=True)
    judgement = judge(rewritten(run, tmp_path / "deleted.pcapng", records=records))
    assert judgement.rule("CR19").verdict is Verdict.FAIL
    assert judgement.verdict is Verdict.FAIL


def test_one_charge_excuses_one_line(tmp_path: Path) -> None:
    """Find that more is missing than an agent is charged with."""
    run = open_run(PCAPS / "rooted-lan.pcapng")
    hello = next(one for one in run.of(AgentLine) if b'"hello"' in bytes(one.line))
    records = without_record(run, hello, counted=True)
    records.remove(event_lines(run)[0])
    judgement = judge(rewritten(run, tmp_path / "deleted.pcapng", records=records))
    assert judgement.verdict is Verdict.INCONCLUSIVE


def altered_records(run: RunFile, kind: type[AnyRecord], **changes: object) -> list[AnyRecord]:
    """Return the records with the first of a kind changed."""
    done = False
    records: list[AnyRecord] = []
    for one in run.records:
        if isinstance(one, kind) and not done:
            done = True
            records.append(msgspec.structs.replace(one, **changes))
        else:
            records.append(one)
    return records


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        (Counters, {"interface": {"tx_dropped": 3}}, "tx_dropped is 3"),
        (Counters, {"udp": {"RcvbufErrors": 1}}, "RcvbufErrors is 1"),
        (Counters, {"udp": {"Udp6RcvbufErrors": 1}}, "UDP counter Udp6RcvbufErrors is 1"),
        (Counters, {"udp": {"Udp6InCsumErrors": 1}}, "UDP counter Udp6InCsumErrors is 1"),
        (Counters, {"capture": {"dropped": 2}}, "dropped 2 frames"),
        (Counters, {"host": "nobody"}, "no drop counters"),
        (Sentinel, {"stage": "end"}, "no sentinel at the start"),
        (Sentinel, {"request": 10_000}, "no sentinel at the start"),
        (AgentExit, {"expected": False, "status": 1}, "ended with status 1"),
        (AgentExit, {"host": "nobody"}, "not on record"),
        (Decision, {"delivered": 20}, "is not what frame"),
        (End, {"frames": 3}, "frames where the end record says 3"),
    ],
)
def test_gate_names_the_reason(
    kind: type[AnyRecord], changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    """Find each lack by itself."""
    run = play(tour(), tmp_path)
    records = altered_records(run, kind, **changes)
    judgement = judge(rewritten(run, tmp_path / "altered.pcapng", records=records))
    assert failures(judgement) == []
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert any(reason in one for one in judgement.incomplete), judgement.incomplete


def outage_records(run: RunFile, *between: AnyRecord, host: str = "leaf1") -> list[AnyRecord]:
    """Return the records with the loss and the return of an interface, and what is between."""
    lost, regained = f"{host} loses its interface", f"{host} regains its interface"
    last = run.of(Counters)[0]
    place, after = run.records.index(last), len(run.frames)
    going = Step(time_ns=1, line=9, text=lost, state="started", after=after)
    gone = Step(time_ns=1, line=9, text=lost, state="done", after=after)
    back = Step(time_ns=1, line=9, text=regained, state="done", after=after)
    return [*run.records[:place], going, *between, gone, back, *run.records[place:]]


def refused(run: RunFile, receiver: str = "leaf1") -> Decision:
    """Return the decision about a frame that met an interface that was down."""
    first = next(one for one in run.frames if one.direction == "out" and one.vantage == "root")
    return Decision(frame=first.number, receiver=receiver, delivered=None, reason=PORT_DOWN)


@pytest.mark.parametrize(
    ("explained", "counted", "host", "complete"),
    [
        ({"tx": 2}, {"tx_dropped": 2}, "leaf1", True),
        ({"tx": 2}, {"tx_dropped": 3}, "leaf1", False),
        ({"tx": 2}, {"rx_dropped": 1}, "leaf1", False),
        ({"tx": 2}, {"tx_errors": 1}, "leaf1", False),
        ({"rx": 2}, {"rx_dropped": 2}, "leaf1", True),
        ({"rx": 2}, {"rx_dropped": 1}, "leaf1", True),
        ({"rx": 2}, {"rx_dropped": 3}, "leaf1", False),
        ({"rx": 2}, {"tx_dropped": 1}, "leaf1", False),
        ({"tx": 2, "rx": 1}, {"tx_dropped": 2, "rx_dropped": 1}, "leaf1", True),
        ({"tx": 2}, {"tx_dropped": 2}, "leaf2", False),
        ({"rx": 2}, {"rx_dropped": 2}, "leaf2", False),
    ],
)
def test_an_interface_drops_what_its_script_explains(
    explained: dict[str, int],
    counted: dict[str, int],
    host: str,
    complete: bool,
    tmp_path: Path,
) -> None:
    """Excuse what leaf1's interface dropped when it was taken down, not when another's was."""
    run = play(tour(), tmp_path)
    outages = [Outage(host="leaf1", tx_dropped=explained["tx"])] if "tx" in explained else []
    refusals = [refused(run)] * explained.get("rx", 0)
    records = outage_records(run, *outages, *refusals, host=host)
    records = [
        msgspec.structs.replace(one, interface=counted)
        if isinstance(one, Counters) and one.host == "leaf1"
        else one
        for one in records
    ]
    reasons = [
        one
        for one in judge(rewritten(run, tmp_path / "out.pcapng", records=records)).incomplete
        if "interface counter" in one
    ]
    assert (reasons == []) is complete, reasons
    assert all("leaf1: interface counter" in one for one in reasons)


def test_nothing_is_explained_outside_the_outage(tmp_path: Path) -> None:
    """Excuse no drop that the record puts before the loss or after the return."""
    run = play(tour(), tmp_path)
    strays: list[AnyRecord] = [Outage(host="leaf1", tx_dropped=1), refused(run)]
    records = outage_records(run)
    place = next(number for number, one in enumerate(records) if isinstance(one, Counters))
    counted = msgspec.structs.replace(
        run.of(Counters)[0], host="leaf1", interface={"tx_dropped": 1, "rx_dropped": 1}
    )
    for there in (0, place):
        made = [
            counted if isinstance(one, Counters) and one.host == "leaf1" else one
            for one in (*records[:there], *strays, *records[there:])
        ]
        judgement = judge(rewritten(run, tmp_path / "stray.pcapng", records=made))
        assert sum("interface counter" in one for one in judgement.incomplete) == 2


def blocks(data: bytes) -> list[int]:
    """Return where the blocks of a pcapng file begin, and its end."""
    places = [0]
    while places[-1] < len(data):
        places.append(places[-1] + int.from_bytes(data[places[-1] + 4 :][:4], "little"))
    return places


@pytest.mark.parametrize("name", ["rooted-lan", "close-not-acknowledged"])
def test_a_file_that_was_cut_proves_nothing_but_what_it_shows(name: str, tmp_path: Path) -> None:
    """Cut a run file between blocks and inside them, anywhere: never PASS, no new FAIL."""
    data = (PCAPS / f"{name}.pcapng").read_bytes()
    known = {f.rule for f in judge(open_run(PCAPS / f"{name}.pcapng")).findings}
    places = blocks(data)
    cuts = [cut for place in places[1:-1:5] for cut in (place, place + 7)]
    for cut in cuts:
        (tmp_path / "cut.pcapng").write_bytes(data[:cut])
        judgement = judge(open_run(tmp_path / "cut.pcapng"))
        failed = {f.rule for f in judgement.findings if f.verdict is Verdict.FAIL}
        assert failed <= known, cut
        assert judgement.verdict is (Verdict.FAIL if failed else Verdict.INCONCLUSIVE), cut
        assert judgement.incomplete, cut


def test_a_frame_that_was_cut_out_of_the_file_is_missed(tmp_path: Path) -> None:
    """Cut the block of each frame out of a run file: the file is well formed, and not whole."""
    data = (PCAPS / "rooted-lan.pcapng").read_bytes()
    places = blocks(data)
    frames = [
        (first, last)
        for first, last in itertools.pairwise(places)
        if int.from_bytes(data[first : first + 4], "little") == BlockType.ENHANCED_PACKET
    ]
    assert len(frames) > 50
    for first, last in frames[::3]:
        (tmp_path / "cut.pcapng").write_bytes(data[:first] + data[last:])
        judgement = judge(open_run(tmp_path / "cut.pcapng"))
        assert failures(judgement) == []
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert any("missing frames" in one or "frames where" in one for one in judgement.incomplete)


def test_decisions_must_account_for_every_frame(tmp_path: Path) -> None:
    """Miss a decision, and a delivery that nobody decided."""
    run = play(tour(), tmp_path)
    victim = run.of(Decision)[10]
    records = [one for one in run.records if one is not victim]
    judgement = judge(rewritten(run, tmp_path / "undecided.pcapng", records=records))
    text = "\n".join(judgement.incomplete)
    assert f"frame {victim.frame}: no decision" in text
    assert f"frame {victim.delivered}: delivered, but by no decision" in text
    assert judgement.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("plot", [tour, three, glare, deferred, latecomer, reset])
def test_a_bridge_decides_nothing_and_its_record_is_complete(plot: Plotted, tmp_path: Path) -> None:
    """Judge the same session as one on a bridge: counters and equal octets prove as much."""
    run = play(plot(), tmp_path)
    there = on_bridge(run, tmp_path / "bridge.pcapng")
    assert not there.of(Decision)
    expected, judgement = judge(run), judge(there)
    assert judgement.incomplete == []
    assert judgement.verdict is expected.verdict is Verdict.PASS
    assert [rule.count for rule in judgement.rules] == [rule.count for rule in expected.rules]


@pytest.mark.parametrize("decided_by", ["", "netem"])
@pytest.mark.parametrize(
    ("counted", "reason"),
    [
        ({"sent": 1}, "leaf1: sent {more} frames by the kernel's count, {count} heard"),
        ({"received": 1}, "leaf1: was sent "),
        ({"sent": 1, "heard": 1}, "leaf1: {more} frames received, {count} on record"),
        ({"dropped": 3}, "leaf1: the capture dropped 3 frames"),
    ],
)
def test_a_frame_that_the_kernel_counts_must_be_on_record(
    counted: dict[str, int], reason: str, decided_by: str, tmp_path: Path
) -> None:
    """Count a frame that nobody has heard, as a whole and in parts."""
    run = play(tour(), tmp_path)
    count = sum(f.vantage == "leaf1" and f.direction == "out" for f in run.frames)
    there = on_bridge(run, tmp_path / "bridge.pcapng", decided_by, **counted)
    told = reason.format(more=count + 1, count=count)
    for judgement in (judge(there), judge(there, SMALL)):
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert any(one.startswith(told) for one in judgement.incomplete), judgement.incomplete


def test_decisions_of_a_bridge_count_for_as_much_as_those_of_a_switch(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    for decided_by in ("gates", "netem", "martians"):
        there = on_bridge(run, tmp_path / f"{decided_by}.pcapng", decided_by)
        assert judge(there).verdict is judge(run).verdict is Verdict.PASS
        victim = there.of(Decision)[10]
        records = [one for one in there.records if one is not victim]
        cut = rewritten(there, tmp_path / f"{decided_by}-cut.pcapng", records=records)
        for judgement in (judge(cut), judge(cut, SMALL)):
            assert judgement.verdict is Verdict.INCONCLUSIVE
            assert f"frame {victim.frame}: no decision of the fabric" in judgement.incomplete


def test_what_comes_out_of_a_bridge_must_have_gone_in(tmp_path: Path) -> None:
    """Change an octet on the way, which no bridge does."""
    run = play(tour(), tmp_path)
    victim = run.of(Decision)[10].delivered
    frames = [
        msgspec.structs.replace(frame, data=frame.data[:-1] + bytes([frame.data[-1] ^ 1]))
        if frame.number == victim
        else frame
        for frame in run.frames
    ]
    altered = msgspec.structs.replace(run, frames=frames)
    judgement = judge(on_bridge(altered, tmp_path / "bridge.pcapng"))
    assert f"frame {victim}: delivered, but not as anybody has sent it" in judgement.incomplete


def test_incomplete_run_still_fails_by_single_frames(tmp_path: Path) -> None:
    """Judge what one frame shows, however little of the rest is there."""
    run = play(setting(-1, 1, "leaf1 JOIN_REQ 1")(tour()), tmp_path)
    judgement = judge(rewritten(run, tmp_path / "cut.pcapng", frames=run.frames[:-1]))
    assert judgement.incomplete
    assert judgement.verdict is Verdict.FAIL
    assert {f.rule for f in judgement.findings if f.verdict is Verdict.FAIL} == {"R8"}


def test_stored_verdict_is_never_read(tmp_path: Path) -> None:
    """Give the same answer whatever the file says of itself."""
    run = play(tour(), tmp_path)
    lie = StoredVerdict(verdict={"verdict": "FAIL"})
    again = judge(rewritten(run, tmp_path / "lie.pcapng", records=[*run.records, lie]))
    assert again.verdict is Verdict.PASS
    assert again.to_json()["rules"] == judge(run).to_json()["rules"]


def test_crashed_run_is_inconclusive(tmp_path: Path) -> None:
    """Judge what a crash left behind: the journal instead of the end record."""
    path = record(tour(), tmp_path)
    run = open_run(path)
    records = [one for one in run.records if not isinstance(one, End)]
    judgement = judge(rewritten(run, tmp_path / "crash.pcapng", records=records))
    assert judgement.verdict is Verdict.INCONCLUSIVE


def test_no_barrier_leaves_a_missing_event_open(tmp_path: Path) -> None:
    """Without a barrier after the cause nothing proves that the event was due."""
    moves = [move for move in tour() if not move.label.startswith("barrier")]
    moves = without(moves, "leaf3 FD_CLOSE P")
    judgement = judge(play(moves, tmp_path))
    assert failures(judgement) == []
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.rule("EV16").undecided == 1


def test_what_an_ended_agent_was_given_is_not_owed(tmp_path: Path) -> None:
    """An agent that has ended owes nothing for what reaches its host afterwards."""
    moves = tour()
    place = next(n for n, move in enumerate(moves) if move.label == "leaf3 CLOSE")
    rest = [move for move in moves[place:] if not move.label.startswith("barrier leaf3")]
    moves = [*moves[:place], Exit("kill", "leaf3", status=-9), *rest]
    labels = ("leaf3 FD_CLOSE", "leaf3 CLOSE_ACK", "leaf3 FD_CLOSE P")
    judgement = judge(play(without(moves, *labels), tmp_path))
    assert failures(judgement) == []


def test_levels_are_counted(tmp_path: Path) -> None:
    """Give the counts of the JSON document."""
    judgement = judge(play(tour(), tmp_path))
    counts = judgement.counts()
    assert counts["reported"] == counts["must"] == len(judgement.events)
    assert all(event.level is Level.MUST and event.frames for event in judgement.events)
    document = judgement.to_json()
    assert document["verdict"] == "PASS"
    assert document["events"] == counts
    assert msgspec.json.decode(msgspec.json.encode(document)) == document


def corrupted(
    run: RunFile, *octets: int, said: int | list[int] | None, counted: int
) -> list[AnyRecord]:
    """Invert octets of the first delivered datagram's payload; return what the record says of it.

    Args: said: what the decision names; counted: wrong checksums that its host counted.
    """
    decision = next(one for one in run.of(Decision) if one.delivered and one.receiver)
    frame = next(one for one in run.frames if one.number == decision.delivered)
    data = bytearray(frame.data)
    for octet in octets:
        data[14 + 20 + 8 + octet] ^= 0xFF
    frame.data = bytes(data)
    wrong = {"InErrors": counted, "InCsumErrors": counted}
    records: list[AnyRecord] = []
    for one in run.records:
        if one is decision:
            records.append(msgspec.structs.replace(decision, changed=said))
        elif isinstance(one, Counters) and one.host == decision.receiver:
            records.append(msgspec.structs.replace(one, udp={**one.udp, **wrong}))
        else:
            records.append(one)
    return records


@pytest.mark.parametrize(
    ("octets", "said", "counted", "complete"),
    [
        ((40,), 40, 1, True),
        ((40,), 40, 0, True),
        ((40,), 41, 1, False),
        ((40, 41), 40, 1, False),
        ((40, 41), [41, 40], 1, True),
        ((40, 41), [40, 42], 1, False),
        ((40,), None, 1, False),
        ((), 40, 0, False),
        ((40,), 40, 2, False),
    ],
)
def test_an_octet_changes_where_the_decision_says_and_nowhere_else(
    octets: tuple[int, ...],
    said: int | list[int] | None,
    counted: int,
    complete: bool,
    tmp_path: Path,
) -> None:
    run = play(tour(), tmp_path)
    records = corrupted(run, *octets, said=said, counted=counted)
    judgement = judge(rewritten(run, tmp_path / "corrupted.pcapng", records=records))
    assert (judgement.incomplete == []) is complete, judgement.incomplete


def test_what_a_kernel_threw_away_was_not_delivered_to_anybody(tmp_path: Path) -> None:
    """Find no fault with a checksum that the fabric made wrong, and no delivery either."""
    run = play(tour(), tmp_path)
    whole = len(Trace(run).packets)
    records = corrupted(run, 40, said=40, counted=1)
    trace = Trace(rewritten(run, tmp_path / "corrupted.pcapng", records=records))
    assert len(trace.packets) == whole - 1
    assert [one.arrivals for one in trace.packets if one.direction == "out"].count([]) == 1


@pytest.mark.parametrize(
    ("linktype", "told"),
    [(1, []), (9, ["link type 9 (ppp)"]), (4711, ["link type 4711 (unknown)"])],
)
def test_frames_that_nobody_reads_are_told(linktype: int, told: list[str], tmp_path: Path) -> None:
    """Say of a capture why nothing in it was judged, which looks like a capture of nothing."""
    run = play(tour(), tmp_path)
    run.records = []
    run.interfaces = [msgspec.structs.replace(one, linktype=linktype) for one in run.interfaces]
    for frame in run.frames:
        frame.linktype = linktype
    reasons = judge(run).incomplete
    assert [one for one in reasons if "link type" in one] == [
        f"frames of {one} are not read, so nothing in them is judged" for one in told
    ]
