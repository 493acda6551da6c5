"""Tell an event that was never reported from two that were reported as one.

A record of network events is a set of bits, so two occurrences may share a line; an endpoint that
swallows an event and goes on counting must not hide behind that.
"""

from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.oracle import Judgement, Level, judge
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_asides import ASIDES
from tests.oracle.oracle_cuts import event_lines, renumbered, rewritten, without_record
from tests.oracle.oracle_details import DETAILS
from tests.oracle.oracle_edits import Plotted, chatter, moved
from tests.oracle.oracle_story import Move, after, find, play, the, without
from tests.oracle.oracle_tales import three, tour

PCAPS = Path(__file__).parents[2] / "pcaps"


def still_passing(run: RunFile, folder: Path) -> list[str]:
    """List the lines of events that must be whose absence, nobody counting them, is not noticed."""
    musts = {(one.host, one.seq) for one in judge(run).events if one.level is Level.MUST}
    unnoticed: list[str] = []
    for victim in event_lines(run):
        line = msgspec.json.decode(bytes(victim.line))
        if "seq" not in line or (victim.host, line["seq"]) not in musts:
            continue  # optional, or an answer of WSPEnumNetworkEvents
        records = renumbered(without_record(run, victim, counted=False), victim.host)
        judgement = judge(rewritten(run, folder / "cut.pcapng", records=records))
        if judgement.verdict is not Verdict.FAIL:
            unnoticed.append(f"{victim.host}: {line}")
    return unnoticed


def failed(judgement: Judgement) -> set[str]:
    """Name the rules that fail."""
    return {result.id for result in judgement.rules if result.failed}


@pytest.mark.parametrize("plot", [tour, three, chatter, *ASIDES, *DETAILS])
def test_no_event_of_a_story_can_be_kept_back(plot: Plotted, tmp_path: Path) -> None:
    """Miss each event line in turn, though all that are there count 1, 2, 3."""
    assert still_passing(play(plot(), tmp_path), tmp_path) == []


def test_no_event_of_a_real_run_can_be_kept_back(tmp_path: Path) -> None:
    """Miss each event line of the reference run in turn."""
    assert still_passing(open_run(PCAPS / "rooted-lan.pcapng"), tmp_path) == []


def test_a_line_after_the_receive_is_about_the_next_message(tmp_path: Path) -> None:
    """Name the message that nobody was told of, not the one after it."""
    run = play(unsettled(without(chatter(), "FD_READ one")), tmp_path)
    judgement = judge(run)
    assert failed(judgement) == {"EV11"}
    (finding,) = judgement.rule("EV11").findings
    assert "was taken by a call that was answered" in finding.reason
    first = next(event for event in judgement.events if event.event == "FD_READ")
    assert finding.frames < first.frames


def test_a_line_before_the_answer_may_stand_for_two(tmp_path: Path) -> None:
    """Let an agent enumerate once, after a receive took the first of two messages."""
    moves = without(chatter(), "FD_READ two")
    moves = moved("FD_READ one", ahead_of="recv one!")(unsettled(moves))
    assert failed(judge(play(moves, tmp_path))) == set()


def test_one_line_after_the_answer_is_not_two(tmp_path: Path) -> None:
    """Demand a line of its own for what was taken before the only line."""
    moves = unsettled(without(chatter(), "FD_READ one", "FD_READ two"))
    line = the(chatter(), "FD_READ two")
    assert failed(judge(play(after(moves, "recv one!", line), tmp_path))) == {"EV11"}


def unsettled(moves: list[Move]) -> list[Move]:
    """Leave out the barriers between the messages and the end of the reading."""
    begin, end = find(moves, "DATA b'one'"), find(moves, "recv two!")
    return [
        move
        for place, move in enumerate(moves)
        if not (begin < place < end and move.label.startswith("barrier"))
    ]
