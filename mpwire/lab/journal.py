"""Where everything that happens in a run is noted once: for the run file and for the live view."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from mpwire.capture.blocks import Seen
from mpwire.capture.records import AgentExit, AgentLine, AnyRecord, Decision, Step
from mpwire.errors import BrokenRunError, MpwireError
from mpwire.lab import progress
from mpwire.lab.clock import KERNEL_CLOCK, Clock
from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.links import Report
from mpwire.lab.switch import RunRecorder

Tell = Callable[[progress.AnyProgress], None]


class Journal:
    """Pass frames and records on to a run file, and say what a person wants to watch.

    It is the fabric's recorder and the links' log, so all of it has one order. Whoever notes
    something in the middle of something else is not disturbed by a recorder or a fabric that
    fails: nothing is noted after that, and `failed` is called.
    """

    def __init__(
        self,
        recorder: RunRecorder,
        tell: Tell | None = None,
        *,
        watched: bool = True,
        clock: Clock = KERNEL_CLOCK,
    ) -> None:
        """Write to a recorder.

        Args: tell: takes the live view; watched: it wants frames and events, too; clock: stamps
            what is noted here.
        """
        self.clock = clock
        self.traffic_count = 0
        """Frames between hosts so far; the harness's own echoes are none."""
        self.frame_count = 0
        self.drain: Callable[[], object] = lambda: None
        """Reads what hosts have sent by now, so that lines follow the frames they follow."""
        self.failed: Callable[[], object] = lambda: None
        """Called when something could not be noted, once."""
        self._broken: BrokenRunError | None = None
        self._recorder = recorder
        self._tell = tell
        self._watched = watched and tell is not None

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        """Record a frame; return its number, or the last one's where nothing is noted."""
        if self._broken is None:
            try:
                number = self._recorder.frame(host, direction, data, time_ns)
            except OSError as error:
                self._fail(error)
            else:
                self._noticed(number, [((host, direction), data, time_ns)])
        return self.frame_count

    def frames(self, seen: Sequence[Seen], /) -> int:
        """Record frames one after the other; return the first one's number."""
        if self._broken is None:
            try:
                first = self._recorder.frames(seen)
            except OSError as error:
                self._fail(error)
            else:
                self._noticed(first, seen)
                return first
        return self.frame_count

    def _noticed(self, first: int, seen: Sequence[Seen]) -> None:
        """Count frames and show them, which have their numbers."""
        self.frame_count = first + len(seen) - 1
        for number, ((host, direction), data, time_ns) in enumerate(seen, first):
            if SWITCH_MAC in (data[:6], data[6:12]):
                continue
            self.traffic_count += 1
            if self._watched:
                self.tell(
                    progress.FrameSeen(
                        time_ns=time_ns,
                        number=number,
                        host=host,
                        direction=direction,
                        data=data.hex(),
                    )
                )

    def record(self, record: AnyRecord, /) -> None:
        """Record anything else."""
        if self._broken is not None:
            return
        try:
            self._recorder.record(record)
        except OSError as error:
            self._fail(error)
        if isinstance(record, Decision) and self._watched:
            self._decided(record)

    def _decided(self, decision: Decision) -> None:
        """Show what is lost; what is held back shows when it arrives."""
        if decision.delivered is None and decision.receiver:
            self.tell(
                progress.FrameLost(
                    time_ns=self.clock.now_ns(),
                    number=decision.frame,
                    receiver=decision.receiver,
                    reason=decision.reason or "",
                )
            )

    @property
    def trouble(self) -> str:
        """Say why nothing is noted any more; nothing if all could be."""
        return "" if self._broken is None else str(self._broken)

    def check(self) -> None:
        """Do nothing, if all could be noted.

        Raises:
            BrokenRunError: it could not, which says why.
        """
        if self._broken is not None:
            raise self._broken

    def _fail(self, error: OSError | MpwireError) -> None:
        why = error.strerror if isinstance(error, OSError) else str(error)
        self._broken = BrokenRunError(f"the run was broken off: {why or error}")
        self._broken.__cause__ = error
        self.failed()

    def _drained(self) -> None:
        if self._broken is None:
            try:
                self.drain()
            except (OSError, MpwireError) as error:
                self._fail(error)

    def tell(self, line: progress.AnyProgress) -> None:
        """Say something to whoever watches."""
        if self._tell is not None:
            self._tell(line)

    def agent_line(self, host: str, direction: Literal["to", "from"], line: bytes) -> None:
        """Record one line of the agent contract."""
        self._drained()
        self.record(
            AgentLine(
                time_ns=self.clock.now_ns(), host=host, direction=direction, line=msgspec.Raw(line)
            )
        )

    def event(self, host: str, report: Report) -> None:
        """Show an event; its line has just been recorded."""
        if not self._watched:
            return
        self.tell(
            progress.EventReported(
                time_ns=self.clock.now_ns(),
                host=host,
                socket=report.socket,
                event=report.event,
                code=report.code,
                seq=report.seq,
                after=self.frame_count,
            )
        )

    def exited(self, host: str, status: int, *, expected: bool) -> None:
        """Record the end of an agent."""
        self._drained()
        self.record(
            AgentExit(time_ns=self.clock.now_ns(), host=host, status=status, expected=expected)
        )

    def step(
        self,
        line: int,
        text: str,
        state: Literal["started", "done", "failed"],
        reason: str | None = None,
    ) -> None:
        """Record where the script is."""
        self._drained()
        time_ns = self.clock.now_ns()
        self.record(Step(time_ns=time_ns, line=line, text=text, state=state, reason=reason))
        self.tell(
            progress.StepChanged(time_ns=time_ns, line=line, text=text, state=state, reason=reason)
        )
