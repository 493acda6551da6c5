"""A lab that goes step by step, as its caller sees it: say a step, wait until it is done."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from mpwire.lab import dialogue
from mpwire.lab.dialogue import Answered, AnyQuestion
from mpwire.lab.launch import LabError
from mpwire.lab.progress import AnyProgress, Failure
from mpwire.lab.session import Follower, RunOutcome
from mpwire.lab.steps import AnyExpectation, AnyStep


class ListeningLab(Protocol):
    """A lab that was given an order with `live`; `mpwire.lab.launch.LabProcess` is one."""

    def lines(self) -> Iterator[dict[str, object]]:
        """Yield what it says until the run has ended."""

    def say(self, line: bytes) -> None:
        """Tell it one line."""

    def wait(self) -> int:
        """Wait for its end and return its exit status."""

    def close(self) -> None:
        """End it at once, if it has not ended."""


class LiveLab:
    """Drive a lab; use it as a context manager, so that leaving the block ends the lab."""

    def __init__(
        self,
        lab: ListeningLab,
        folder: Path,
        on_progress: Callable[[AnyProgress], None] | None = None,
    ) -> None:
        """Take over a lab that writes its run file to a folder."""
        self.folder = folder
        self._lab = lab
        self._lines = lab.lines()
        self._follower = Follower(on_progress)
        self._listens = True

    def begin(self) -> Failure | None:
        """Wait until the agents are ready; return why they are not, if so.

        Raises:
            MachineError: this machine cannot run it.
            LabError: the lab process died.
        """
        failure = self._answer().failed
        self._listens = failure is None
        return failure

    def perform(self, step: AnyStep | AnyExpectation) -> Answered:
        """Carry out a step.

        Raises:
            LabError: the lab process died.
        """
        return self._asked(dialogue.Perform(step=step))

    def events(self, socket: str) -> tuple[str, ...]:
        """List what a socket has reported, as the sentences write it.

        Raises:
            LabError: the lab process died.
        """
        return self._asked(dialogue.Events(socket=socket)).events

    def processes(self) -> Mapping[str, int]:
        """Tell the process id of each host's agent, in the lab's own numbering."""
        return self._asked(dialogue.Processes()).processes

    def finish(self) -> RunOutcome:
        """End the run in order.

        Raises:
            LabError: the lab process died.
        """
        if self._listens:  # one that has not begun ends by itself
            self._lab.say(msgspec.json.encode(dialogue.Finish()))
        return self.wait()

    def wait(self) -> RunOutcome:
        """Wait for the end of the run: one that was asked to end, or whose script is played.

        Raises:
            MachineError: this machine cannot run it.
            LabError: the lab process died.
        """
        for line in self._lines:
            self._follower.take(line)
        return self._follower.outcome(self.folder, self._lab.wait())

    def _asked(self, question: AnyQuestion) -> Answered:
        self._lab.say(msgspec.json.encode(question))
        return self._answer()

    def _answer(self) -> Answered:
        for line in self._lines:
            answer = self._follower.take(line)
            if answer is not None:
                return answer
        self._follower.outcome(self.folder, self._lab.wait())
        raise LabError("the lab has ended")

    def close(self) -> None:
        """End the lab at once, if it has not ended."""
        self._lab.close()

    def __enter__(self) -> Self:
        """Return the lab itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
