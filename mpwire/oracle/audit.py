"""Ask of a long run whether its record proves that nothing is missing, in one pass.

What the gate concludes of decisions needs the frames they name, and these stand near them. So a
window of frames is held; a run in which they stand elsewhere gets no answer here, and is looked at
as a whole.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mpwire.capture import Frame, RunFile
from mpwire.capture.deliveries import decides
from mpwire.capture.records import (
    PORT_DOWN,
    AgentLine,
    AnyRecord,
    Decision,
    Sentinel,
    Step,
    StoredVerdict,
)
from mpwire.oracle.gate import (
    UNACCOUNTED,
    UNDECIDED,
    accounted,
    interface_set,
    same,
    strange,
)

WINDOW_FRAMES: Final = 1 << 14
"""A decision names no frames further back, of each direction."""


@dataclass(slots=True)
class Audit:
    """What one pass over a run has found."""

    decides: bool = True
    """The fabric decides about every frame, and says so."""
    frame_count: int = 0
    """The frames of the run are numbered from 1 to this."""
    rare: list[AnyRecord] = field(default_factory=list)
    """Records of which a run has few."""
    frames: list[Frame] = field(default_factory=list)
    """The frames that the gate wants to see."""
    until_ns: int = 0
    """Time of the newest frame."""
    sound: bool = True
    """What is about a frame stands near it."""
    _strange: list[str] = field(default_factory=list)
    _unaccounted: list[tuple[int, str]] = field(default_factory=list)
    recorded: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Frames by vantage and direction."""
    _sent: dict[int, Frame] = field(default_factory=dict)
    _came: dict[int, Frame] = field(default_factory=dict)
    _decided: set[int] = field(default_factory=set)
    _accounted: set[int] = field(default_factory=set)

    def take(self, item: Frame | AnyRecord) -> None:
        """Look at one item of the timeline."""
        match item:
            case Frame():
                self._frame(item)
            case Decision():
                self._decision(item)
            case Step(state="failed"):
                self.rare.append(item)
            case Step(text=text) if interface_set(text)[0]:
                self.rare.append(item)
            case Step() | AgentLine() | StoredVerdict():
                pass
            case Sentinel(request=request, reply=reply):
                self.rare.append(item)
                there = [*self._sent.values(), *self._came.values()]
                self.frames += (frame for frame in there if frame.number in (request, reply))
            case _:
                self.rare.append(item)

    def _frame(self, frame: Frame) -> None:
        self.until_ns = max(self.until_ns, frame.time_ns)
        self.recorded[frame.vantage, frame.direction or ""] += 1
        window = {"out": self._sent, "in": self._came}.get(frame.direction or "")
        if window is None:
            return
        window[frame.number] = frame
        if len(window) > WINDOW_FRAMES:
            self._leave(window)

    def _leave(self, window: dict[int, Frame]) -> None:
        """Let the oldest frame of a window go, which must be accounted for by now."""
        number = next(iter(window))
        frame = window.pop(number)
        if not self.decides:
            return
        if frame.direction == "out":
            if number not in self._decided:
                self._unaccounted.append((number, UNDECIDED))
            self._decided.discard(number)
        else:
            if number not in self._accounted and accounted(frame):
                self._unaccounted.append((number, UNACCOUNTED))
            self._accounted.discard(number)

    def _decision(self, decision: Decision) -> None:
        sent = self._seen(self._sent, decision.frame)
        self.sound &= self.decides
        self._decided.add(decision.frame)
        if decision.reason == PORT_DOWN:
            self.rare.append(decision)
        if decision.delivered is None:
            return
        came = self._seen(self._came, decision.delivered)
        self._accounted.add(decision.delivered)
        if not same(sent, came, decision):
            self._strange.append(strange(decision))
        if decision.changed is not None and came is not None:
            self.rare.append(decision)
            self.frames.append(came)

    def _seen(self, window: dict[int, Frame], number: int) -> Frame | None:
        """Return a frame that a decision names; None where there is no frame of that number."""
        frame = window.get(number)
        self.sound &= frame is not None or not 1 <= number <= self.frame_count
        return frame

    def unaccounted(self) -> list[str]:
        """Say what the fabric does not account for, as the gate does of a whole run."""
        rest = sorted(self._unaccounted)
        return [*self._strange, *(f"frame {number}: {what}" for number, what in rest)]

    def reduced(self, run: RunFile) -> RunFile:
        """Return the run without all that was accounted for."""
        return msgspec.structs.replace(run, frames=self.frames, records=self.rare)

    def close(self) -> None:
        """Look at what is left."""
        for window in (self._sent, self._came):
            while window:
                self._leave(window)


def audit(run: RunFile) -> Audit:
    """Pass over a run whose frames are numbered without gaps."""
    found = Audit(decides(run.run), len(run.frames))
    for _, item in run.timeline():
        found.take(item)
    found.close()
    return found
