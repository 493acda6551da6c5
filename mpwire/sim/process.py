"""The reference agent as a process that is none: its own loop time, its own end, no pipe.

A line that the agent says reaches the harness at once, as a line in a pipe is there before the
agent does anything else. What the harness writes reaches the agent a little later. A fault inside
the agent ends it with status 1 and its traceback as standard error, and nothing else.
"""

import asyncio
import signal
import traceback
from collections.abc import Callable
from typing import Final

from mpwire.io.agent import Agent
from mpwire.io.lines import LineReader
from mpwire.sim.loop import VirtualLoop
from mpwire.sim.stack import Stack
from mpwire.sim.transit import LINK_LATENCY_S

PIPE_LATENCY_S: Final = LINK_LATENCY_S + 10e-6
"""From the harness into an agent: what was delivered to its host before is in its sockets then."""
Callback = Callable[[], object]


class AgentTimer:
    """A timer of an agent."""

    def __init__(self, handle: asyncio.TimerHandle) -> None:
        """Stand for a timer of the loop."""
        self._handle = handle

    def cancel(self) -> None:
        """Forget it."""
        self._handle.cancel()

    def when(self) -> float:
        """Tell when it is due."""
        return self._handle.when()


class AgentLoop:
    """The part of the loop that one agent sees: it can be frozen, and it ends with the agent."""

    def __init__(self, loop: VirtualLoop, on_fault: Callable[[str], None]) -> None:
        """Live in a loop; `on_fault` takes the traceback of what a callback raised."""
        self.frozen = False
        self.ended = False
        self._loop = loop
        self._on_fault = on_fault
        self._late: list[Callback] = []
        """What came due while the agent was frozen."""

    def time(self) -> float:
        """Return the virtual time."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callback, /) -> AgentTimer:
        """Call something at a time."""
        return AgentTimer(self._loop.call_at(when, self.run, callback))

    def call_soon(self, callback: Callback, /) -> None:
        """Call something soon."""
        self._loop.call_soon(self.run, callback)

    def call_later(self, delay_s: float, callback: Callback, /) -> None:
        """Call something after a while."""
        self._loop.call_later(delay_s, self.run, callback)

    def run(self, callback: Callback) -> None:
        """Do something in the agent, now or when it goes on."""
        if self.ended:
            return
        if self.frozen:
            self._late.append(callback)
            return
        try:
            callback()
        except Exception:  # noqa: BLE001 - whatever an endpoint under test does ends that endpoint
            self._on_fault(traceback.format_exc())

    def thaw(self) -> None:
        """Go on, with what came due meanwhile first."""
        self.frozen = False
        late, self._late = self._late, []
        for callback in late:
            self.run(callback)


class _Reader(LineReader):
    """Lines that the harness has written."""

    def __init__(self) -> None:
        super().__init__(-1)
        self._given: list[bytes] = []

    def give(self, line: bytes | None) -> None:
        """Take one line without its end; None ends the input."""
        if line is None:
            self.ended = True
        elif line.strip():
            self._given.append(line)

    def fill(self) -> None:
        """Take what is there."""
        self.lines += self._given
        self._given.clear()

    def wait(self) -> None:
        """Take what is there: who is asked answers at once."""
        if not self._given:
            self.ended = True
        self.fill()


class SimPipes:
    """Both directions between the harness and an agent."""

    def __init__(
        self,
        process: "SimProcess",
        on_line: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        """Begin to listen; what was said before is heard now."""
        self._process = process
        self._on_line = on_line
        self._on_end = on_end
        self._listening = True
        process.listener = self
        process.loop.call_soon(process.begin)

    def write(self, line: bytes) -> None:
        """Write one line, given without its end."""
        self._process.take(line)

    def close_input(self) -> None:
        """Let the agent read the end of its input."""
        self._process.take(None)

    def finish(self) -> None:
        """Hear nothing more: what was said was heard when it was said."""
        self.end()

    def stop_listening(self) -> None:
        """Hear no more."""
        self._listening = False

    def hear(self, octets: bytes) -> None:
        """Take what the agent says."""
        for line in octets.splitlines():
            if self._listening:
                self._on_line(line)

    def end(self) -> None:
        """Learn that the agent's output has ended."""
        if self._listening:
            self._listening = False
            self._on_end("")


class SimProcess:
    """One agent."""

    pid = None

    def __init__(self, loop: VirtualLoop, stack: Stack) -> None:
        """Prepare an agent on a host; it begins when somebody listens."""
        from mpwire.sim.network import SimNetwork  # noqa: PLC0415 - which needs the loop of agents

        self.listener: SimPipes | None = None
        self.loop = AgentLoop(loop, self._fail)
        self._stack = stack
        self._said = ""
        self._reader = _Reader()
        self._status: asyncio.Future[int] = loop.create_future()
        network = SimNetwork(stack, self.loop)
        self._agent = Agent(self.loop, network, self._reader, self._say, self._leave)

    def pipes(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None]) -> SimPipes:
        """Listen to the agent."""
        return SimPipes(self, on_line, on_end)

    def begin(self) -> None:
        """Say hello."""
        self._agent.hello()

    def _say(self, octets: bytes) -> None:
        if self.listener is not None:
            self.listener.hear(octets)

    def take(self, line: bytes | None) -> None:
        """Take a line of input; while the agent asks, at once."""
        self._reader.give(line)
        self.loop.call_later(PIPE_LATENCY_S, self._serve)

    def _serve(self) -> None:
        self._agent.on_input()

    def _leave(self) -> None:
        self._end(0)

    def _fail(self, told: str) -> None:
        """End with a fault, unless this was killed in the midst of a call: the dead say nothing."""
        if not self.loop.ended:
            self._said = told
        self._end(1)

    def _end(self, status: int) -> None:
        if self.loop.ended:
            return
        self.loop.ended = True
        if self._agent.driver is not None:
            self._agent.driver.close()
        self._stack.close()
        if not self._status.done():
            self._status.set_result(status)
        if self.listener is not None:
            self.listener.end()

    def stderr(self) -> str:
        """Return the traceback of a fault."""
        return self._said

    def kill(self) -> None:
        """End the agent between two steps of its program."""
        self._end(-signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Freeze the agent, let it go on, or end it."""
        if number == signal.SIGSTOP:
            self.loop.frozen = True
        elif number == signal.SIGCONT:
            self.loop.thaw()
        else:
            self._end(-number)

    async def wait(self) -> int:
        """Wait for the agent's end and return its exit status, negative for a signal."""
        return await asyncio.shield(self._status)
