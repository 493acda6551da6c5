"""Combine the parts of a verdict: what an endpoint lacks hides nothing that was shown."""

from pathlib import Path

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.records import AgentExit, End, Step
from mpwire.oracle import judge
from mpwire.oracle.judgement import Judgement
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_story import Line, Move, play, without
from tests.oracle.oracle_tales import tour


def lacking(call: str) -> list[Move]:
    """Let leaf2 be asked once more, at the very end, for something it does not implement."""
    asked = {"id": 900, "call": call, "args": {"socket": 1}}
    said = {"id": 900, "unsupported": call}
    return [Line("last?", "leaf2", "to", asked), Line("last!", "leaf2", "from", said)]


def scripted(run: RunFile, folder: Path, *, lines_after: int) -> Judgement:
    """Judge a run whose script was over so many records before its agents left."""
    place = next(n for n, one in enumerate(run.records) if isinstance(one, AgentExit))
    place -= lines_after + 2 * 4  # the end sentinels stand between
    step = Step(time_ns=1, line=9, text="a step", state="done", after=len(run.frames) - 8)
    end = run.of(End)[0]
    counted = msgspec.structs.replace(end, records=end.records + 1)
    rest = [counted if one is end else one for one in run.records[place:]]
    records = [*run.records[:place], step, *rest]
    return judge(rewritten(run, folder / "scripted.pcapng", records=records))


def test_a_missing_call_is_unsupported(tmp_path: Path) -> None:
    """Say so when nothing is wrong besides."""
    judgement = judge(play([*tour(), *lacking("getpeername")], tmp_path))
    assert judgement.verdict is Verdict.UNSUPPORTED
    assert judgement.unsupported == ["leaf2: call 900 getpeername: getpeername"]


def test_a_violation_outranks_a_missing_call(tmp_path: Path) -> None:
    """Show what was shown, whatever the endpoint lacks."""
    moves = without(tour(), "leaf1 FD_CONNECT")
    judgement = judge(play([*moves, *lacking("getpeername")], tmp_path))
    assert judgement.verdict is Verdict.FAIL
    assert judgement.unsupported


def test_a_missing_call_breaks_no_rule(tmp_path: Path) -> None:
    """Take an answer `unsupported` for no answer to hold against the endpoint."""
    for call in ("join_leaf", "send", "recv", "close", "socket"):
        for descriptor in (1, 2):
            line = Line("x?", "leaf2", "to", {"id": 900, "call": call, "args": {
                "socket": descriptor, "flags": ["C_ROOT"], "address": ["10.77.0.1", 61717],
            }})  # fmt: skip
            judgement = judge(play([*tour(), line, lacking(call)[1]], tmp_path))
            assert judgement.verdict is Verdict.UNSUPPORTED, (call, judgement.findings)


def test_no_script_needs_exit(tmp_path: Path) -> None:
    """Let an agent leave at the end of its input instead."""
    judgement = judge(play([*tour(), *lacking("exit")], tmp_path))
    assert (judgement.verdict, judgement.unsupported) == (Verdict.PASS, [])


def test_only_what_the_script_needs_counts(tmp_path: Path) -> None:
    """Tell a barrier of the script from the one after it."""
    run = play([*tour(), *lacking("barrier")], tmp_path)
    assert scripted(run, tmp_path, lines_after=0).verdict is Verdict.UNSUPPORTED
    judgement = scripted(run, tmp_path, lines_after=2)
    assert (judgement.verdict, judgement.unsupported) == (Verdict.PASS, [])


def test_without_the_last_barrier_its_questions_stay_open(tmp_path: Path) -> None:
    """Conclude nothing from the silence of an agent that was never proved to be done."""
    moves = tour()
    last = max(n for n, move in enumerate(moves) if move.label == "barrier root?")
    moves = [move for n, move in enumerate(moves) if n not in (last, last + 1)]
    asked = Line("b?", "root", "to", {"id": 900, "call": "barrier", "args": {}})
    said = Line("b!", "root", "from", {"id": 900, "unsupported": "barrier"})
    run = play([*without(moves, "leaf3 FD_CLOSE P"), asked, said], tmp_path)
    judgement = scripted(run, tmp_path, lines_after=2)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.incomplete == []
    assert judgement.rule("EV16").undecided == 1
