"""Inferred events as text."""

from pathlib import Path

import msgspec

from mpwire.capture import open_run
from mpwire.oracle import Level
from mpwire.oracle.inferring import InferredEvent, InferredSocket, SocketRole, infer
from mpwire.report.assessment import assess
from mpwire.report.timeline import SOCKETS_SHOWN, timeline_lines
from mpwire.report.verdict import texts

PCAPS = Path(__file__).parents[2] / "pcaps"


def test_each_socket_has_its_timeline() -> None:
    run = open_run(PCAPS / "rooted-lan.pcapng")
    text = texts(timeline_lines(infer(msgspec.structs.replace(run, records=[])), 100))
    assert "    10.77.0.2:61717  c_root\n      must  FD_ACCEPT  " in text
    assert "    10.77.0.2:61717  leaf handle with 10.77.0.3:61717\n" in text
    assert "\n      must  FD_CONNECT WSAECONNREFUSED     REJECT arrived in frame 42" in text
    assert "\n      never FD_ACCEPT, FD_CONNECT, FD_WRITE, FD_READ\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_equal_events_in_a_row_are_one_line() -> None:
    events = [
        InferredEvent(
            event="FD_READ",
            code=0,
            level=Level.MUST,
            rule="EV11",
            frames=(number,),
            time_ns=0,
            cause=f"DATA in frame {number}",
        )
        for number in (7, 8, 9)
    ]
    socket = InferredSocket(endpoint="10.0.0.1:1", role=SocketRole.LEAF, peer="", events=events)
    text = texts(timeline_lines([socket], 100))
    assert "      must  FD_READ x3                     DATA in frame 7 ... frame 9\n" in text


def test_a_socket_that_may_report_more_is_not_said_never_to() -> None:
    socket = InferredSocket(
        endpoint="10.0.0.1:1", role=SocketRole.SESSION, peer="", events=[], in_part=True
    )
    text = texts(timeline_lines([socket], 100))
    assert "\n      more  may be caused by peers that this capture does not show" in text
    assert "never" not in text


def test_many_sockets_are_counted() -> None:
    socket = InferredSocket(endpoint="10.0.0.1:1", role=SocketRole.LEAF, peer="", events=[])
    text = texts(timeline_lines([socket] * (SOCKETS_SHOWN + 2), 100))
    assert text.endswith("    and 2 more sockets (--json lists all)")


def test_of_a_long_capture_the_beginning_is_told_and_that_said() -> None:
    """Infer from the first frames alone."""
    run = open_run(PCAPS / "rooted-lan.pcapng")
    capture = msgspec.structs.replace(run, records=[])
    whole, part = assess(capture), assess(capture, inferred_max=40)
    assert (whole.inferred_frames, part.inferred_frames) == (0, 40)
    frames = {one for socket in part.inferred for event in socket.events for one in event.frames}
    assert 20 < max(frames) <= 40
    text = texts(timeline_lines(part.inferred, 100, part.inferred_frames))
    assert "  from the first 40 frames alone; what comes later is not told\n" in text
