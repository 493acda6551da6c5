"""Infer events from packets alone, and compare with what agents reported of the same packets."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import RunFile, open_run
from mpwire.oracle import Level
from mpwire.oracle.case import Case
from mpwire.oracle.inferring import CLOSED, UNSEEN, InferredSocket, SocketRole, infer
from tests.oracle.oracle_asides import crossing, dead, shut, unanswered, withdrawn
from tests.oracle.oracle_details import linger_zero
from tests.oracle.oracle_edits import Plotted
from tests.oracle.oracle_groups import CASTS
from tests.oracle.oracle_story import play
from tests.oracle.oracle_streams import STREAMS, drained
from tests.oracle.oracle_tales import three, tour

PCAPS = Path(__file__).parents[2] / "pcaps"
SEEN_TO_THE_END = [plot for plot in STREAMS if plot is not drained]
"""The last frame of `drained` comes seconds before what it leads to."""
COUNTED = ("FD_ACCEPT", "FD_CONNECT", "FD_CLOSE")
"""Events of which each occurrence has a cause of its own."""

Seen = Counter[tuple[str, str, int]]


def stripped(run: RunFile, vantage: str | None = None, *, sides: bool = True) -> RunFile:
    """Return what tcpdump would have written: at every host, at one, or in the middle."""
    frames = [one for one in run.frames if vantage in (None, one.vantage)]
    if not sides:
        frames = [
            msgspec.structs.replace(one, direction=None, vantage="wire")
            for one in frames
            if one.direction == "out"
        ]
    return msgspec.structs.replace(run, frames=frames, records=[])


ROOT, LISTENER = "10.77.0.2:61717", "10.77.0.4:61717"


@pytest.mark.parametrize(
    ("vantages", "sides", "in_part"),
    [
        (("root", "leaf1", "leaf2", "leaf3"), True, set()),
        (("root", "leaf1", "leaf2", "leaf3"), False, {LISTENER}),
        (("root",), True, {LISTENER}),
        (("root",), False, {LISTENER}),
        (("leaf1",), True, {ROOT}),
        (("leaf1",), False, {ROOT}),
        (("leaf1", "leaf3"), True, {ROOT}),
        (("leaf2",), True, {ROOT}),
    ],
)
def test_what_other_peers_may_cause_is_left_open(
    vantages: tuple[str, ...], sides: bool, in_part: set[str]
) -> None:
    """In a leaf's capture, do not say what the root's session socket never reports.

    A capture between the hosts of a star looks as if it had been taken at the root.
    """
    run = open_run(PCAPS / "rooted-lan.pcapng")
    frames = [one for one in run.frames if one.vantage in vantages]
    if not sides and len(vantages) == 1:
        frames = [msgspec.structs.replace(one, direction=None) for one in frames]
    found = infer(
        stripped(msgspec.structs.replace(run, frames=frames), sides=sides or len(vantages) == 1)
    )
    assert {socket.endpoint for socket in found if socket.in_part} == in_part


def reported(run: RunFile) -> Seen:
    """Count what agents reported, by address."""
    case = Case(run)
    address = {name: at for at, name in case.trace.host_of.items()}
    return Counter(
        (address[log.host], report.event, report.code)
        for log in case.logs.values()
        for report in log.reports
        if report.event in COUNTED
    )


def inferred(sockets: list[InferredSocket], *levels: Level) -> Seen:
    """Count what must or may be reported, by address."""
    return Counter(
        (socket.endpoint.rsplit(":", 1)[0], event.event, event.code)
        for socket in sockets
        for event in socket.events
        if event.event in COUNTED and event.level in levels
    )


@pytest.mark.parametrize("plot", [tour, three, *SEEN_TO_THE_END, *CASTS])
def test_packets_explain_all_that_agents_report(plot: Plotted, tmp_path: Path) -> None:
    run = play(plot(), tmp_path)
    explained = inferred(infer(stripped(run)), Level.MUST, Level.MAY)
    assert reported(run) - explained == Counter()


def test_packets_of_a_real_run_demand_what_its_agents_reported() -> None:
    run = open_run(PCAPS / "rooted-lan.pcapng")
    sockets = infer(stripped(run))
    assert inferred(sockets, Level.MUST) - reported(run) == Counter()
    assert reported(run) - inferred(sockets, Level.MUST, Level.MAY) == Counter()
    assert [one.role for one in sockets if one.endpoint == "10.77.0.4:61717"] == [
        SocketRole.LISTENER,
        SocketRole.ACCEPTED,
    ]


@pytest.mark.parametrize("vantage", ["root", "leaf1", None])
def test_one_vantage_never_demands_more(vantage: str | None) -> None:
    """Demand of a partial capture only what the packets of the whole one demand."""
    run = open_run(PCAPS / "rooted-lan.pcapng")
    whole = inferred(infer(stripped(run)), Level.MUST)
    part = inferred(infer(stripped(run, vantage, sides=vantage is not None)), Level.MUST)
    assert part - whole - inferred(infer(stripped(run)), Level.MAY) == Counter()
    assert part


def test_what_nobody_saw_arrive_is_no_must() -> None:
    """Know that ACCEPT arrived, because CONFIRM answers it; but not that REJECT did."""
    run = stripped(open_run(PCAPS / "rooted-lan.pcapng"), sides=False)
    connects = [
        event
        for socket in infer(run)
        for event in socket.events
        if event.event == "FD_CONNECT" and socket.endpoint == "10.77.0.5:61717"
    ]
    refused, joined = connects
    assert (refused.code, refused.level, refused.condition) == (10061, Level.MAY, UNSEEN)
    assert (joined.code, joined.level, joined.condition) == (0, Level.MUST, "")


def test_who_closed_itself_may_have_closed_the_socket(tmp_path: Path) -> None:
    sockets = infer(stripped(play(shut(), tmp_path)))
    closes = [one for socket in sockets for one in socket.events if one.event == "FD_CLOSE"]
    assert any(one.condition == CLOSED and one.level is Level.MAY for one in closes)


def test_who_withdraws_a_join_is_told_nothing(tmp_path: Path) -> None:
    sockets = infer(stripped(play(withdrawn(), tmp_path)))
    assert inferred(sockets, Level.MUST) == reported(play(withdrawn(), tmp_path))


@pytest.mark.parametrize("plot", [crossing, dead, unanswered, linger_zero])
def test_bad_endings_are_explained(plot: Plotted, tmp_path: Path) -> None:
    run = play(plot(), tmp_path)
    explained = inferred(infer(stripped(run)), Level.MUST, Level.MAY)
    assert reported(run) - explained == Counter()


def test_causes_name_frames_of_the_capture() -> None:
    run = stripped(open_run(PCAPS / "rooted-lan.pcapng"), "root")
    numbers = {frame.number for frame in run.frames}
    for socket in infer(run):
        for event in socket.events:
            assert set(event.frames) <= numbers
            assert all(f"frame {number}" in event.cause for number in event.frames)
            assert "call " not in event.cause
