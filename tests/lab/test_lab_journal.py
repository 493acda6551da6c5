"""One order of frames, lines and steps; one live view for whoever watches."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Literal

import pytest

from mpwire.capture.blocks import Seen
from mpwire.capture.records import AgentLine, AnyRecord, Decision, Step
from mpwire.errors import BrokenRunError, MachineError
from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.journal import Journal
from mpwire.lab.links import Report
from mpwire.lab.progress import AnyProgress, EventReported, FrameLost, FrameSeen, StepChanged

BETWEEN = bytes(6) + b"\x02" * 6 + b"frame"
FROM_SWITCH = bytes(6) + SWITCH_MAC + b"echo"
TO_SWITCH = SWITCH_MAC + bytes(6) + b"echo"


class Tape:
    """Keep what is recorded, in order."""

    def __init__(self) -> None:
        self.entries: list[object] = []

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        assert host
        assert direction
        assert time_ns
        self.entries.append(data)
        return len(self.entries)

    def frames(self, seen: Sequence[Seen], /) -> int:
        first, *_ = [self.frame(*at, data, time_ns) for at, data, time_ns in seen]
        return first

    def record(self, record: AnyRecord, /) -> None:
        self.entries.append(record)


def test_the_harness_own_echoes_are_recorded_but_are_no_traffic() -> None:
    tape, told = Tape(), list[AnyProgress]()
    journal = Journal(tape, told.append)
    for number, frame in enumerate((FROM_SWITCH, BETWEEN, TO_SWITCH), 1):
        assert journal.frame("h", "in", frame, 5) == number
    assert tape.entries == [FROM_SWITCH, BETWEEN, TO_SWITCH]
    assert (journal.traffic_count, journal.frame_count) == (1, 3)
    assert told == [FrameSeen(time_ns=5, number=2, host="h", direction="in", data=BETWEEN.hex())]


@pytest.mark.parametrize("direction", ["to", "from"])
def test_frames_that_were_sent_before_a_line_come_before_it(
    direction: Literal["to", "from"],
) -> None:
    tape = Tape()
    journal = Journal(tape)
    waiting = [BETWEEN]
    journal.drain = lambda: [journal.frame("h", "out", waiting.pop(), 1) for _ in waiting[:]]
    journal.agent_line("h", direction, b"{}")
    assert tape.entries[0] == BETWEEN
    assert isinstance(tape.entries[1], AgentLine)
    assert (tape.entries[1].direction, bytes(tape.entries[1].line)) == (direction, b"{}")


def test_only_who_watches_hears_of_frames_and_events() -> None:
    for watched in (True, False):
        told = list[AnyProgress]()
        journal = Journal(Tape(), told.append, watched=watched)
        journal.frame("h", "in", BETWEEN, 1)
        for receiver, delivered in (("i", None), ("j", 2), ("", None)):
            journal.record(Decision(frame=1, receiver=receiver, delivered=delivered, reason="why"))
        journal.event("h", Report(1, "FD_READ", 0, 1))
        journal.step(3, "text", "failed", "reason")
        kinds = [FrameSeen, FrameLost, EventReported, StepChanged] if watched else [StepChanged]
        assert [type(line) for line in told] == kinds


def test_nobody_needs_to_listen() -> None:
    tape = Tape()
    journal = Journal(tape)
    journal.event("h", Report(1, "FD_READ", 0, 1))
    journal.step(3, "text", "done")
    assert [type(entry) for entry in tape.entries] == [Step]


class Full(Tape):
    """Have room for so many entries."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def _take_room(self) -> None:
        if len(self.entries) >= self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        self._take_room()
        return super().frame(host, direction, data, time_ns)

    def frames(self, seen: Sequence[Seen], /) -> int:
        self._take_room()
        return super().frames(seen)

    def record(self, record: AnyRecord, /) -> None:
        self._take_room()
        super().record(record)


ONE: Seen = (("h", "in"), BETWEEN, 5)


@pytest.mark.parametrize(
    "note",
    [
        lambda journal: journal.frame("h", "in", BETWEEN, 5),
        lambda journal: journal.frames([ONE, ONE]),
        lambda journal: journal.agent_line("h", "to", b"{}"),
    ],
)
def test_what_cannot_be_noted_is_told_once_and_ends_the_notes(
    note: Callable[[Journal], object],
) -> None:
    tape = Full(1)
    journal = Journal(tape)
    calls: list[str] = []
    journal.failed = lambda: calls.append("failed")
    assert journal.frame("h", "in", BETWEEN, 5) == 1
    journal.check()
    note(journal)
    note(journal)
    tape.room = 9
    note(journal)
    assert (calls, tape.entries, journal.frame_count) == (["failed"], [BETWEEN], 1)
    with pytest.raises(BrokenRunError, match="the run was broken off: No space left on device"):
        journal.check()


def test_a_fabric_that_fails_while_a_line_is_noted_disturbs_nobody() -> None:
    def refuse() -> None:
        raise MachineError("the daemon refuses")

    tape = Tape()
    journal = Journal(tape)
    journal.drain = refuse
    journal.step(7, "leaf1 closes L1", "started")
    assert tape.entries == []
    with pytest.raises(BrokenRunError, match="the run was broken off: the daemon refuses"):
        journal.check()
