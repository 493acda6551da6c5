"""Play a testbed step by step, as somebody asks for it: what runs in the lab instead of a script.

Everything but the script is as ever: the agents say hello and are configured, and in the end all
settles, they leave, and the record is complete.
"""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never

from mpwire.lab import dialogue
from mpwire.lab.actions import perform
from mpwire.lab.dialogue import Answered, AnyQuestion, AnyTold
from mpwire.lab.plan import Plan
from mpwire.lab.progress import Failure
from mpwire.lab.runner import BEGINNING, Fabric, Runner
from mpwire.lab.stage import name
from mpwire.lab.switch import RunRecorder

Ask = Callable[[], Awaitable[AnyQuestion | None]]
"""Wait for the next question; None when nobody will ask any more."""


class LiveRunner(Runner):
    """One run, whose script is what is asked for."""

    def __init__(
        self,
        plan: Plan,
        fabric: Fabric,
        recorder: RunRecorder,
        tell: Callable[[AnyTold], None],
        ask: Ask,
        *,
        watched: bool = False,
        command: Sequence[str] = (),
    ) -> None:
        """Prepare; see `Runner`. The plan's own script is not played."""
        super().__init__(plan, fabric, recorder, tell, watched=watched, command=command)
        self._answer_with = tell
        self._ask = ask

    async def _play(self) -> Failure | None:
        failure = await self._step(0, BEGINNING, self._begin)
        self._answer(failed=failure)
        while failure is None:
            asked = await self._ask()
            if asked is None:
                return None
            match asked:
                case dialogue.Finish():
                    return None
                case dialogue.Perform():
                    await self._carry_out(asked)
                case dialogue.Events():
                    view = self._stage.sockets[asked.socket]
                    self._answer(events=tuple(name(one) for one in self._stage.reports(view)))
                case dialogue.Processes():
                    self._answer(processes=self._processes())
                case _:
                    assert_never(asked)
        return failure

    async def _carry_out(self, asked: dialogue.Perform) -> None:
        step, stage = asked.step, self._stage
        act = functools.partial(perform, stage, step)
        failure = await self._step(step.line, step.text, act)
        received, stage.received = stage.received, None
        self._answer(failed=failure, received=None if received is None else received.hex())

    def _processes(self) -> dict[str, int]:
        pids = {host: link.process.pid for host, link in self._links.items()}
        return {host: pid for host, pid in pids.items() if pid is not None}

    def _answer(
        self,
        *,
        failed: Failure | None = None,
        received: str | None = None,
        events: tuple[str, ...] = (),
        processes: dict[str, int] | None = None,
    ) -> None:
        self._answer_with(
            Answered(
                time_ns=self._journal.clock.now_ns(),
                failed=failed,
                received=received,
                events=events,
                processes=processes or {},
            )
        )
