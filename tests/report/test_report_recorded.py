"""The ladder of a run file: what is marked, what is cut out."""

from collections.abc import Callable
from pathlib import Path

from mpwire.capture.records import AgentLine, verbatim
from mpwire.oracle import judge
from mpwire.report.cast import cast_of
from mpwire.report.recorded import event_of, excerpt, ladder_of, ladder_rows, marks_of, origin_ns
from mpwire.wire.messages import Cancel
from tests.oracle.oracle_story import Line, after, play, without
from tests.oracle.oracle_tales import tour
from tests.report.report_stage import START_NS, Stage

Begin = Callable[..., Stage]
CANCEL = Cancel(init_tag=7, reason=2)


def test_frames_of_findings_are_marked(tmp_path: Path) -> None:
    run = play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)
    marks = marks_of(judge(run))
    assert any("EV3" in rules for rules in marks.frames.values())
    assert not marks.events


def test_an_event_without_cause_is_marked_and_not_the_frames_before_it(tmp_path: Path) -> None:
    again = Line("", "leaf3", "from", {"event": "FD_CLOSE", "socket": 1, "code": 0, "seq": 0})
    run = play(after(tour(), "leaf3 FD_CLOSE", again), tmp_path)
    marks = marks_of(judge(run))
    assert ["EV20"] in marks.events.values()
    assert not any("EV20" in rules for rules in marks.frames.values())


def test_an_excerpt_shows_the_frame_and_what_is_around_it(tmp_path: Path) -> None:
    run = play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)
    judgement = judge(run)
    (finding,) = [one for one in judgement.findings if one.rule == "EV3"]
    cast, marks = cast_of(run), marks_of(judgement)
    rows = excerpt(run, 100, finding.frames, cast=cast, marks=marks)
    text = [row.text.plain for row in rows]
    assert text[0].startswith("frame")
    assert text[1].strip() == "⋮"
    assert any(row.marked and " ACCEPT " in row.text.plain for row in rows)
    assert len(text) <= 10


def test_an_event_without_cause_is_in_the_excerpt_of_the_frame_before_it(tmp_path: Path) -> None:
    again = Line("", "leaf3", "from", {"event": "FD_CLOSE", "socket": 1, "code": 0, "seq": 0})
    run = play(after(tour(), "leaf3 CLOSE_ACK", again), tmp_path)
    judgement = judge(run)
    (finding,) = [one for one in judgement.findings if one.rule == "EV20"]
    rows = excerpt(run, 100, finding.frames, cast=cast_of(run), marks=marks_of(judgement))
    assert any(row.text.plain.endswith("FD_CLOSE ✗ EV20") for row in rows)


def test_excerpts_of_frames_far_apart_leave_out_what_is_between(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    ours = [n for row in ladder_rows(ladder_of(run, 100), run.timeline()) for n in row.frames]
    rows = excerpt(run, 100, (ours[0], ours[-1]), cast=cast_of(run), marks=marks_of(judge(run)))
    assert sum(row.text.plain.strip() == "⋮" for row in rows) == 1


def test_an_excerpt_of_frames_that_are_hidden_is_empty(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.frame("root", "in", bytes(12) + b"\x08\x06" + bytes(28))
    run = made.run()
    assert excerpt(run, 80, (1,), cast=cast_of(run), marks=marks_of(judge(run))) == []


def test_excerpts_and_the_whole_ladder_agree_on_the_time(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    whole = {row.text.plain for row in ladder_rows(ladder_of(run, 100), run.timeline())}
    last = [n for row in ladder_rows(ladder_of(run, 100), run.timeline()) for n in row.frames][-1]
    rows = excerpt(run, 100, (last,), cast=cast_of(run), marks=marks_of(judge(run)))
    assert {row.text.plain for row in rows[2:]} <= whole


def test_time_begins_with_the_script_or_with_the_first_message(stage: Begin) -> None:
    made = stage("root", "leaf1")
    made.frame("root", "in", bytes(60))
    made.step(0, "the agents say hello")
    made.send("root", "leaf1", CANCEL)
    made.step(3, "root closes R")
    run = made.run()
    assert origin_ns(run) == START_NS + 3_000_000
    run.records = []
    assert origin_ns(run) == START_NS + 2_000_000
    run.frames = run.frames[:1]
    assert origin_ns(run) is None


def test_only_event_lines_are_events() -> None:
    for raw in (b'{"id": 1, "result": {}}', b'"text"', b'{"event": 5}'):
        line = AgentLine(time_ns=1, host="root", direction="from", line=verbatim(raw))
        assert event_of(line) is None
    raw = b'{"event": "FD_READ", "socket": 2, "code": 0, "seq": 9}'
    said = event_of(AgentLine(time_ns=1, host="root", direction="from", line=verbatim(raw)))
    assert said is not None
    assert (said.event, said.socket, said.seq) == ("FD_READ", 2, 9)
