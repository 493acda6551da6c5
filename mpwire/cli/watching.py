"""The live view of a run: the ladder as it grows, and the step that is under way."""

import signal
from types import TracebackType
from typing import Self

from mpwire.capture import Frame
from mpwire.capture.frames import LinkType
from mpwire.cli.output import Output
from mpwire.lab.plan import Plan
from mpwire.lab.progress import (
    AnyProgress,
    EventReported,
    FrameLost,
    FrameSeen,
    SocketMade,
    Started,
    StepChanged,
)
from mpwire.report import Cast, Ladder, Row
from mpwire.report.ladder import SocketEvent
from mpwire.report.telling import printable, shortened
from mpwire.report.verdict import counted, line

HEADER_ROWS_MIN = 12


class Watcher:
    """Show a run on a terminal while it goes on."""

    def __init__(self, output: Output, plan: Plan, *, ladder: bool, all_frames: bool) -> None:
        """Prepare; entering the block shows that something is under way."""
        hosts = plan.hosts
        self._output = output
        self._plan = plan
        self._shows_ladder = ladder
        self._cast = Cast(
            lifelines=[host.name for host in hosts],
            addresses={
                one.partition("/")[0]: host.name for host in hosts for one in host.addresses
            },
            on_the_way=frozenset(plan.topology.router_ports),
        )
        self._ladder = Ladder(
            self._cast,
            output.width,
            all_frames=all_frames,
            grows=True,
            header_every=max(HEADER_ROWS_MIN, output.height - 4),
        )
        self._steps = 0
        spinner = "dots" if output.knows_unicode else "line"
        starting = f"{plan.name}: starting {counted(len(hosts), 'host')}"
        self._status = output.console.status(starting, spinner=spinner)

    def __call__(self, progress: AnyProgress) -> None:
        """Take what the lab says."""
        match progress:
            case Started():
                _hold_interrupts(hold=False)
                self._start(progress)
            case StepChanged():
                self._step(progress)
            case SocketMade():
                self._cast.sockets[progress.host, progress.socket] = progress.name
            case EventReported():
                self._print(self._ladder.event(_event(progress)))
            case FrameSeen():
                self._print(self._ladder.frame(_frame(progress)))
            case FrameLost():
                self._ladder.lose(progress.number, progress.receiver, progress.reason)
            case _:
                self._print(self._ladder.finish())

    def _start(self, progress: Started) -> None:
        hosts = counted(len(progress.hosts), "host")
        how = ", ".join(filter(None, (progress.carrier, progress.decided_by)))
        told = f"{hosts} on {progress.fabric} ({how}), {counted(progress.steps, 'step')}"
        self._output.line(line((printable(progress.name), "bold"), (f"  {told}", "dim")))

    def _step(self, step: StepChanged) -> None:
        if self._ladder.origin_ns is None and step.line:
            self._ladder.origin_ns = step.time_ns
        if step.state == "started":
            self._steps += bool(step.line)
            total = len(self._plan.script) + len(self._plan.expect)
            place = f"{min(self._steps, total)}/{total} " if step.line else ""
            room = max(20, self._output.width - 20)
            self._status.update(f"{place}{shortened(printable(step.text), room)}")
        self._print(self._ladder.step(step.line, step.text, step.state, step.reason))

    def _print(self, rows: list[Row]) -> None:
        if self._shows_ladder:
            self._output.lines(row.text for row in rows)

    def __enter__(self) -> Self:
        """Show that something is under way, and hold Ctrl-C until the lab can end in order."""
        _hold_interrupts(hold=True)
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear the line that showed it."""
        self._status.stop()
        _hold_interrupts(hold=False)


def _event(progress: EventReported) -> SocketEvent:
    return SocketEvent(
        host=progress.host,
        socket=progress.socket,
        event=progress.event,
        code=progress.code,
        seq=progress.seq,
        time_ns=progress.time_ns,
    )


def _frame(progress: FrameSeen) -> Frame:
    data = bytes.fromhex(progress.data)
    return Frame(
        number=progress.number,
        vantage=progress.host,
        direction=progress.direction,
        time_ns=progress.time_ns,
        data=data,
        linktype=LinkType.ETHERNET,
        original_octets=len(data),
    )


def _hold_interrupts(*, hold: bool) -> None:
    """Let Ctrl-C wait while the lab starts, which takes a moment, or let it through."""
    signal.pthread_sigmask(signal.SIG_BLOCK if hold else signal.SIG_UNBLOCK, [signal.SIGINT])
