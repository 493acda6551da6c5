"""Judge a long run in parts, with the verdict it has as a whole.

The run is read in order. What is held is judged by all rules; then what is settled is forgotten,
and the rest is judged once more: the difference is what the forgotten part was worth, together
with everything that it made of the rest. What that is does not matter: the same is said of the
rest when it is judged again with what came since, and cancels out. So every outcome counts once,
as long as what comes later adds the same to the rest as it would have added to the whole.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from mpwire.capture import Frame, RunFile
from mpwire.capture.passing import seen_from_hosts
from mpwire.capture.records import AgentLine, AnyRecord, Decision, Step
from mpwire.oracle.carried import Carried, Straggler
from mpwire.oracle.case import Case
from mpwire.oracle.collecting import collecting_once
from mpwire.oracle.limits import Limits
from mpwire.oracle.remains import Remains
from mpwire.oracle.settling import Settled, settled
from mpwire.oracle.tally import Tally
from mpwire.oracle.trace import LOSS, REGAIN

EVERYTHING: Final = 1 << 40
STEPS_KEPT: Final = 4


class Ledger:
    """What is held of a run, and what was counted so far."""

    def __init__(self, run: RunFile, limits: Limits, *, complete: bool, until_ns: int) -> None:
        """Begin with nothing."""
        self._run = run
        self._limits = limits
        self._complete = complete
        self._until_ns = until_ns
        self._held: list[tuple[int, Frame | AnyRecord]] = []
        self._remains = Remains()
        self._carried = Carried()
        self._now_ns = 0
        self._room = limits.held
        self.tally = Tally()
        self.levels: dict[str, int] = {}
        self.watch: Callable[[int], None] = lambda _held: None
        """Is told how much is held, before and after something was forgotten."""

    def judge(self) -> Case:
        """Judge everything, and return the last case."""
        for position, item in seen_from_hosts(self._run):
            self._held.append((position, item))
            if isinstance(item, Frame):
                self._now_ns = max(self._now_ns, item.time_ns)
            if len(self._held) >= self._room:
                self._forget()
        case, rest = self._case(), Tally(EVERYTHING)
        self._count(case, rest)
        self.tally.add(rest)
        return case

    def _case(self) -> Case:
        frames = [item for _, item in self._held if isinstance(item, Frame)]
        records = [item for _, item in self._held if not isinstance(item, Frame)]
        run = msgspec.structs.replace(self._run, frames=frames, records=records)
        case = Case(run, self._remains, self._until_ns, self._carried)
        self._check(case)
        return case

    def _count(self, case: Case, tally: Tally, sign: int = 1) -> None:
        tally.take(case, complete=self._complete)
        for event in case.events.judged:
            self.levels[event.level] = self.levels.get(event.level, 0) + sign

    @collecting_once
    def _forget(self) -> None:
        """Count what is settled, and hold it no longer."""
        self.watch(len(self._held))
        case = self._case()
        gone = settled(case, self._now_ns, self._limits.quiet)
        if len(gone.frames) + len(gone.lines) > self._limits.share * len(self._held):
            whole, rest = Tally(EVERYTHING), Tally(EVERYTHING)
            self._count(case, whole)
            self._drop(case, gone)
            self._count(self._case(), rest, -1)
            self.tally.add(whole.less(rest))
        self.watch(len(self._held))
        more = max(self._limits.held, int(self._limits.growth * len(self._held)))
        self._room = len(self._held) + more

    def _drop(self, case: Case, gone: Settled) -> None:
        """Forget what is settled, and note what must be known of it."""
        lines = {
            id(item.record) for item in case.trace.agent_records if item.position in gone.lines
        }
        speaking = {packet.number for packet in case.trace.packets}
        speaking |= {report.position[0] for report in case.trace.reports}
        speaking |= {frame.number for frame, _ in case.trace.odd}
        lines |= self._old_steps()
        kept = [
            (position, item)
            for position, item in self._held
            if not _is_gone(item, gone, lines, speaking)
        ]
        times = {item.number: item.time_ns for _, item in self._held if isinstance(item, Frame)}
        times |= self._carried.clock
        there = {item.number for _, item in kept if isinstance(item, Frame)}
        self._carried.clock = {
            position: times[position]
            for position, item in kept
            if position in times and position not in there
        }
        self._held = kept
        for host, number in gone.event_numbers:
            self._carried.number(host, number)
        for socket in gone.sockets:
            for descriptor in (socket.descriptor, *socket.duplicates):
                self._carried.retire(socket.host, descriptor)
        self._carried.bury(gone.tags)
        self._carried.passed |= gone.passed

    def _old_steps(self) -> set[int]:
        """Name the steps of the script that tell nothing any more."""
        steps = [item for _, item in self._held if isinstance(item, Step)]
        told = [step for step in steps[1:-STEPS_KEPT] if not LOSS.fullmatch(step.text)]
        return {id(step) for step in told if not REGAIN.fullmatch(step.text)}

    def _check(self, case: Case) -> None:
        """Look for what belongs to something forgotten."""
        carried = self._carried
        for log in case.logs.values():
            sockets = [call.socket for call in log.calls] + [one.socket for one in log.reports]
            if any(carried.knows_socket(log.host, socket) for socket in sockets):
                raise Straggler
        for packet in case.trace.packets:
            message = packet.message
            if message is not None and carried.knows_message(message, packet.number):
                raise Straggler


def _is_gone(item: Frame | AnyRecord, gone: Settled, lines: set[int], speaking: set[int]) -> bool:
    """Tell whether an item is forgotten.

    Args:
        item: the item.
        gone: what is settled.
        lines: the identities of the agents' lines and steps among it.
        speaking: the frames that mean anything.
    """
    match item:
        case Frame(number=number) | Decision(frame=number):
            return number in gone.frames or number not in speaking
        case AgentLine() | Step():
            return id(item) in lines
        case _:
            return False
