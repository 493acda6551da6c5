"""What a capture of another program leaves in doubt is no violation: changes on the way, order."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from mpwire.capture import Frame, RunFile
from mpwire.oracle import Judgement, judge
from mpwire.oracle.limits import Limits
from mpwire.vocabulary import Verdict
from mpwire.wire.numbers import CloseReason, MessageType
from tests.oracle.oracle_cuts import rewritten
from tests.oracle.oracle_details import despaired
from tests.oracle.oracle_edits import again, moves_of
from tests.oracle.oracle_plots import BEFORE_DATA
from tests.oracle.oracle_story import Move, Send, find, play, the
from tests.oracle.oracle_streams import Stream, windowed
from tests.oracle.oracle_tales import tour

RESERVED_FLAGS = 42 + 4
"""Where the flags of a message stand in a frame of these stories."""
MAGIC, CHECKSUM = 42, 40
HEADER_TYPE = 42 + 3
CUT = (
    Limits(whole=0, batch=1, over=32, repeated=2, tidy=1),
    Limits(whole=0, batch=1, over=32, repeated=20, patience=1, stride=2, tidy=1),
)
"""Every exchange is judged as soon as it is over, and what is repeated before that, or counted."""


def captured(
    run: RunFile,
    path: Path,
    frames: Iterable[Frame],
    *,
    directions: bool = False,
    limits: Limits | None = None,
) -> Judgement:
    """Judge frames as another program would have written them."""
    file = path / "captured.pcapng"
    capture = rewritten(
        run, file, frames=frames, records=[], application="tcpdump", directions=directions
    )
    return judge(capture) if limits is None else judge(capture, limits)


def failed(judgement: Judgement) -> set[str]:
    """List the rules that fail."""
    return {one.id for one in judgement.rules if one.verdict is Verdict.FAIL}


def changed(frame: Frame, place: int) -> Frame:
    """Turn an octet over."""
    data = frame.data[:place] + bytes([frame.data[place] ^ 0xFF]) + frame.data[place + 1 :]
    return msgspec.structs.replace(frame, data=data)


def sent(run: RunFile) -> list[Frame]:
    """List what hosts sent as it passed between them."""
    return [one for one in run.frames if one.direction == "out" and one.data[12:14] == b"\x08\0"]


def test_what_was_changed_on_the_way_is_nobodys_word(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    frames = sent(run)
    for place in range(len(frames)):
        some = [*frames[:place], changed(frames[place], RESERVED_FLAGS), *frames[place + 1 :]]
        assert failed(captured(run, tmp_path, some)) == set()


def test_what_is_no_message_for_a_changed_octet_is_nobodys_either(tmp_path: Path) -> None:
    run = play(tour(), tmp_path)
    frames = sent(run)
    frames[-1] = changed(frames[-1], MAGIC)
    assert failed(captured(run, tmp_path, frames)) == set()


@pytest.mark.parametrize("limits", CUT)
def test_who_writes_right_checksums_is_remembered(limits: Limits, tmp_path: Path) -> None:
    """Judge what was changed on the way when what left before it has long been judged."""
    run = play(windowed(), tmp_path)
    data, answers = (
        [one for one in sent(run) if one.data[HEADER_TYPE] == kind]
        for kind in (MessageType.DATA, MessageType.DATA_ACK)
    )
    answers = [msgspec.structs.replace(one, time_ns=data[-1].time_ns) for one in answers * 12]
    for place in range(0, len(data), 4):
        some = [*data[:place], changed(data[place], MAGIC), *data[place + 1 :], *answers]
        assert failed(captured(run, tmp_path, some, limits=limits)) == set()


def test_who_fragmented_what_was_captured_on_the_way_is_open(tmp_path: Path) -> None:
    """Know it only where it leaves: a tunnel may fragment in spite of Don't Fragment."""
    run = play(moves_of("leaf1 CLOSE", flags_and_offset=0)(tour()), tmp_path)
    assert failed(judge(run)) == {"R5"}
    assert failed(captured(run, tmp_path, run.frames, directions=True)) == {"R5"}
    judgement = captured(run, tmp_path, sent(run))
    assert failed(judgement) == set()
    assert judgement.rule("R5").verdict is Verdict.INCONCLUSIVE


def test_a_host_that_sums_up_nothing_is_judged_by_what_it_says(tmp_path: Path) -> None:
    """Know an adapter that fills in checksums by all of them being wrong."""
    run = play(tour(), tmp_path)
    frames = [changed(frame, CHECKSUM) for frame in sent(run)]
    assert failed(captured(run, tmp_path, frames)) == set()
    frames[5] = changed(frames[5], RESERVED_FLAGS)
    assert failed(captured(run, tmp_path, frames)) == {"R12"}


def inviting_again() -> list[Move]:
    """Let the root invite to a session that it has dismantled."""
    moves = tour()
    last = max(place for place, move in enumerate(moves) if isinstance(move, Send))
    return [*moves[: last + 1], the(moves, "leaf2 JOIN_REQ 1"), *moves[last + 1 :]]


def test_only_the_root_knows_that_an_invitation_came_after_the_end(tmp_path: Path) -> None:
    assert find(inviting_again(), "leaf2 JOIN_REQ 1")
    run = play(inviting_again(), tmp_path)
    assert "R24" in failed(judge(run))
    at_root = [frame for frame in run.frames if frame.vantage == "root"]
    assert "R24" in failed(captured(run, tmp_path, at_root, directions=True))
    judgement = captured(run, tmp_path, at_root)
    assert failed(judgement) == set()
    assert judgement.rule("R24").verdict is Verdict.INCONCLUSIVE


def test_stamps_that_contradict_the_file_put_nothing_after_the_end(tmp_path: Path) -> None:
    run = play(inviting_again(), tmp_path)
    at_root = [frame for frame in run.frames if frame.vantage == "root"]
    first = min(frame.time_ns for frame in at_root)
    (wrong,) = [one for one in judge(run).rule("R24").findings if one.verdict is Verdict.FAIL]
    *_, again_in = wrong.frames
    frames = [
        msgspec.structs.replace(one, time_ns=first) if one.number == again_in else one
        for one in at_root
    ]
    judgement = captured(run, tmp_path, frames, directions=True)
    assert failed(judgement) == set()
    assert judgement.rule("R24").verdict is Verdict.INCONCLUSIVE


def test_captures_with_other_clocks_put_nothing_after_the_end(tmp_path: Path) -> None:
    """Append what was captured at the invited leaf to what was captured at the last one."""
    run = play(tour(), tmp_path)
    frames = [one for host in ("leaf3", "leaf2") for one in run.frames if one.vantage == host]
    for directions in (True, False):
        assert failed(captured(run, tmp_path, frames, directions=directions)) == set()


def test_a_closer_may_have_heard_what_was_not_captured(tmp_path: Path) -> None:
    """Leave open whether the peer got on before one more copy of CLOSE (12.2)."""
    run = play(again("CLOSE 5", attempt=6)(despaired()), tmp_path)
    assert "R77" in failed(judge(run))
    judgement = captured(run, tmp_path, run.frames, directions=True)
    assert failed(judgement) == set()
    assert judgement.rule("R77").verdict is Verdict.INCONCLUSIVE


def closing(times: int = 6, *, read_late: bool) -> list[Move]:
    """Let an acknowledgement reach the root just before its first CLOSE, and be read at some time.

    Args: times: how many copies of the CLOSE leave; read_late: nothing shows that it was read
        before that CLOSE left.
    """
    tale = Stream()
    (join,) = tale.meet("leaf1")
    tale.submit("root", 1, b"one")
    tale.carry(join, b"one", BEFORE_DATA)
    tale.take("leaf1", 1, b"one")
    tale.ack("DATA_ACK", join, BEFORE_DATA + 1)
    if not read_late:
        tale.barrier("root")
        tale.barrier("root")
    close, _ = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "close", {}, socket=1)
    for attempt in range(1, times + 1):
        copy = msgspec.structs.replace(close, attempt=attempt)
        tale.send(f"CLOSE {attempt}", "root", "leaf1", copy, delivered=False)
        tale.pause(f"RTO {attempt}", min(2**attempt, 16))
    return tale.moves


def test_a_closer_may_have_read_after_its_close_what_came_before_it(tmp_path: Path) -> None:
    late = play(closing(read_late=True), tmp_path)
    assert "R77" not in failed(judge(late))
    later_still = play(closing(7, read_late=True), tmp_path)
    assert failed(judge(later_still)) == {"R77"}
    before = play(closing(read_late=False), tmp_path)
    assert failed(judge(before)) == {"R77"}
