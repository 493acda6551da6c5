"""Feed the judge nonsense: whatever a file holds, it gives a verdict and never raises."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpwire.capture import RunFile
from mpwire.capture.records import AgentLine, AnyRecord, verbatim
from mpwire.oracle import judge
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_asides import calls, crossing, glare
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_edits import Plotted
from tests.oracle.oracle_story import play
from tests.oracle.oracle_tales import tour

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "call", "args", "socket", "event", "seq", "code", "result"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def judged(run: RunFile) -> Verdict:
    """Judge and turn the judgement into JSON."""
    judgement = judge(run)
    assert msgspec.json.encode(judgement.to_json())
    return judgement.verdict


@SETTINGS
@given(data=st.data())
@pytest.mark.parametrize("plot", [tour, glare, crossing])
def test_any_octets_are_judged(plot: Plotted, data: st.DataObject, tmp_path: Path) -> None:
    """Change octets of datagrams anywhere behind the UDP header."""
    run = play(plot(), tmp_path)
    frames = list(run.frames)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(frames) - 1))
        frame = frames[place]
        if len(frame.data) > 43:
            octet = data.draw(st.integers(42, len(frame.data) - 1))
            changed = bytearray(frame.data)
            changed[octet] = data.draw(st.integers(0, 255))
            frames[place] = msgspec.structs.replace(frame, data=bytes(changed))
    judged(rewritten(run, tmp_path / "changed.pcapng", frames=frames))


@SETTINGS
@given(data=st.data())
@pytest.mark.parametrize("plot", [tour, calls])
def test_any_lines_are_judged(plot: Plotted, data: st.DataObject, tmp_path: Path) -> None:
    """Let agents and harness say anything."""
    run = play(plot(), tmp_path)
    records: list[AnyRecord] = list(run.records)
    places = [n for n, one in enumerate(records) if isinstance(one, AgentLine)]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=6)):
        line = verbatim(msgspec.json.encode(data.draw(JSON)))
        records[place] = msgspec.structs.replace(records[place], line=line)
    assert judged(rewritten(run, tmp_path / "changed.pcapng", records=records))


def test_empty_capture_is_inconclusive(tmp_path: Path) -> None:
    """Say nothing about nothing."""
    run = play(tour(), tmp_path)
    empty = rewritten(run, tmp_path / "x.pcapng", frames=[], records=[], application="tcpdump")
    assert judged(empty) is Verdict.INCONCLUSIVE


def test_unsupported_call_hides_nothing(tmp_path: Path) -> None:
    """Give FAIL when an agent that lacks a call breaks its contract besides."""
    run = play(tour(), tmp_path)
    records: list[AnyRecord] = [
        msgspec.structs.replace(one, line=verbatim(b'{"id": 2, "unsupported": "listen"}'))
        if isinstance(one, AgentLine) and b'"result"' in bytes(one.line) and one.host == "leaf3"
        else one
        for one in run.records
    ]
    judgement = judge(rewritten(run, tmp_path / "x.pcapng", records=records))
    assert judgement.verdict is Verdict.FAIL
    assert "listen" in judgement.unsupported[0]
