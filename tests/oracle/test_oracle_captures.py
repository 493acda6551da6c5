"""Judge captures of other programs: one vantage, no records, perhaps losses."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpwire.capture import RunFile
from mpwire.oracle import Judgement, judge
from mpwire.oracle.registry import RULES, TIMED
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_asides import ASIDES, glare
from tests.oracle.oracle_crossings import CROSSINGS
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_details import DETAILS
from tests.oracle.oracle_edits import Fault, Plotted
from tests.oracle.oracle_faults import FAULTS, WIRE
from tests.oracle.oracle_groups import CASTS, cast
from tests.oracle.oracle_limits import LIMITS
from tests.oracle.oracle_story import NAMES, PORT, Send, play
from tests.oracle.oracle_streams import STREAMS, whispered
from tests.oracle.oracle_tales import three, tour

SHOWN = frozenset(rule.id for rule in RULES.values() if rule.needs in ("frame", "frames"))


CORRECT = (tour, three, *ASIDES, *DETAILS, *STREAMS, *CROSSINGS, *CASTS, *LIMITS)


def captured(run: RunFile, path: Path, vantage: str | None, *, directions: bool) -> RunFile:
    """Write what a capture program in one namespace would have written."""
    frames = [frame for frame in run.frames if vantage in (None, frame.vantage)]
    return rewritten(
        run, path, frames=frames, records=[], application="tcpdump", directions=directions
    )


def failed(judgement: Judgement) -> set[str]:
    """List the rules that fail."""
    return {finding.rule for finding in judgement.findings if finding.verdict is Verdict.FAIL}


@pytest.mark.parametrize("directions", [True, False])
@pytest.mark.parametrize("vantage", [*NAMES[:2], None])
@pytest.mark.parametrize(
    "plot", [tour, three, *ASIDES, *DETAILS, *STREAMS, *CROSSINGS, *CASTS, *LIMITS]
)
def test_correct_session_has_no_violation(
    plot: Plotted,
    vantage: str | None,
    directions: bool,
    tmp_path: Path,
) -> None:
    """Find no wire violation in what any one interface saw, and say nothing about events."""
    run = play(plot(), tmp_path)
    judgement = judge(captured(run, tmp_path / "x.pcapng", vantage, directions=directions))
    assert failed(judgement) == set()
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.events == []
    assert "no run record" in judgement.incomplete[0]
    for result in judgement.rules:
        if RULES[result.id].needs == "events":
            assert not result.exercised


def test_wire_rules_pass_on_one_vantage(tmp_path: Path) -> None:
    """Judge at the root alone everything that frames at hand can show."""
    passed: set[str] = set()
    for plot in (tour, whispered, cast):
        run = play(plot(), tmp_path)
        judgement = judge(captured(run, tmp_path / "x.pcapng", "root", directions=False))
        passed |= {result.id for result in judgement.rules if result.verdict is Verdict.PASS}
    assert passed >= SHOWN


@pytest.mark.parametrize(
    "fault",
    [fault for fault in WIRE if fault.rule in SHOWN],
    ids=[f"{n}-{f.rule}" for n, f in enumerate(WIRE) if f.rule in SHOWN],
)
def test_violations_are_seen_by_a_bystander(fault: Fault, tmp_path: Path) -> None:
    """Catch with one capture of all interfaces whatever frames alone show."""
    run = play(fault.edit(fault.plot()), tmp_path)
    judgement = judge(captured(run, tmp_path / "x.pcapng", None, directions=True))
    if fault.rule != "R6":
        assert fault.rule in failed(judgement)
    assert failed(judgement) <= SHOWN


@pytest.mark.parametrize("fault", WIRE, ids=[f"{n}-{f.rule}" for n, f in enumerate(WIRE)])
def test_silence_proves_nothing_in_a_plain_capture(fault: Fault, tmp_path: Path) -> None:
    """Never fail by a rule that rests on something not being there."""
    run = play(fault.edit(fault.plot()), tmp_path)
    judgement = judge(captured(run, tmp_path / "x.pcapng", "root", directions=True))
    assert failed(judgement) <= SHOWN


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("plot", [tour, glare])
def test_losses_never_make_a_violation(plot: Plotted, data: st.DataObject, tmp_path: Path) -> None:
    """Lose any frames of a correct session: what is left breaks no rule."""
    run = play(plot(), tmp_path)
    kept = data.draw(st.lists(st.sampled_from(range(len(run.frames))), unique=True))
    frames = [run.frames[place] for place in sorted(kept)]
    directions = data.draw(st.booleans())
    capture = rewritten(
        run,
        tmp_path / "lossy.pcapng",
        frames=frames,
        records=[],
        application="tcpdump",
        directions=directions,
    )
    assert failed(judge(capture)) == set()
    assert failed(judge(rewritten(run, tmp_path / "lossy-run.pcapng", frames=frames))) == set()


@pytest.mark.parametrize(
    ("ports", "broken"),
    [((4000, 443), set()), ((4000, PORT), {"R2"}), ((PORT, 443), {"R2"})],
)
def test_others_may_begin_like_mpw(
    ports: tuple[int, int], broken: set[str], tmp_path: Path
) -> None:
    """Charge nobody whose datagrams begin with the magic by chance, as some of any protocol do."""
    source_port, target_port = ports
    octets = b"mp" + bytes(30)
    stranger = Send("stranger", "leaf1", "leaf2", None, octets=octets, source_port=source_port)
    stranger = replace(stranger, target_port=target_port)
    run = play([*tour(), stranger], tmp_path)
    judgement = judge(captured(run, tmp_path / "x.pcapng", None, directions=False))
    assert failed(judgement) == broken


def test_who_speaks_mpw_on_other_ports_is_judged(tmp_path: Path) -> None:
    """Move a session to other ports; one datagram of it is broken."""
    moved = [
        replace(one, source_port=4000, target_port=4000) if isinstance(one, Send) else one
        for one in tour()
    ]
    wrong = Send("wrong", "leaf1", "root", None, octets=b"mp" + bytes(30), source_port=4000)
    run = play([*moved, replace(wrong, target_port=4000)], tmp_path)
    judgement = judge(captured(run, tmp_path / "x.pcapng", None, directions=False))
    assert failed(judgement) == {"R2"}


def test_rules_of_time_are_left_open_where_clocks_disagree(tmp_path: Path) -> None:
    """Let copies leave too early; only clocks that agree show it."""
    timed = next(one for one in FAULTS if one.rule in TIMED)
    run = play(timed.edit(timed.plot()), tmp_path)
    assert timed.rule in failed(judge(run))
    run.clocks = "the clocks drift"
    judgement = judge(run)
    assert timed.rule not in failed(judgement)
    assert any("the clocks drift" in one.reason for one in judgement.rule(timed.rule).findings)
