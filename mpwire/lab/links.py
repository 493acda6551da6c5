"""The harness's end of the agent contract (docs/agents.md): one link per agent.

A link writes calls and matches answers; events and questions may come at any moment between. It
trusts nothing: an agent under test may crash, hang, or print anything without end. Whatever breaks
the contract ends the link with a reason that says what was printed, every open call fails with it,
and nothing more is read. Both directions are recorded line by line, before all else.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import msgspec

from mpwire.lab.patience import came_in_time
from mpwire.lab.pipes import AgentProcess
from mpwire.lab.steps import CHANGES, EVENTS

CONTRACT: Final = 1
UNASKED_OCTETS_MAX: Final = 1 << 20
"""What an agent may add to the record between two answers: some thousand events, and no flood."""
LAST_PATIENCE_S: Final = 1.0
"""How long a barrier may take that is to tell whether a silent agent still lives."""
RECORD_OCTETS: Final = 100
"""What every line costs in the record, however short it is."""

Decision = Literal["accept", "reject", "defer"]
Decide = Callable[[Mapping[str, Any]], Decision]
"""Answer of a condition function to what is known of a request."""


class Refused(Exception):  # noqa: N818 - an outcome that scripts may expect
    """A call failed with a Winsock error; the text is for who did not expect that."""

    def __init__(self, call: str, code: int, name: str) -> None:
        self.code = code
        self.name = name
        super().__init__(f"expected success of {call}, seen {name}")


class Unsupported(Exception):  # noqa: N818 - a verdict
    """The agent does not implement a call."""


class AgentFault(Exception):  # noqa: N818 - the agent's, not ours
    """The agent died, fell silent or broke the contract; the text says which."""


class Log(Protocol):
    """Record what passes over a link."""

    def agent_line(self, host: str, direction: Literal["to", "from"], line: bytes) -> None:
        """Record one line without its newline."""

    def event(self, host: str, report: "Report") -> None:
        """Learn of an event that an agent reported."""


class Bell:
    """Wake whoever waits for something to change; nothing is lost between look and wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Say that something changed."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def until(self, holds: Callable[[], bool], patience_s: float) -> bool:
        """Wait until something holds; False when it does not in time."""
        try:
            async with asyncio.timeout(patience_s):
                while not holds():
                    await self._rung.wait()
        except TimeoutError:
            return holds()
        return True


@dataclass(slots=True)
class Report:
    """One event line of an agent."""

    socket: int
    event: str
    code: int
    seq: int
    taken: bool = False
    """A step of the script waited for it."""
    used: bool = False
    """The accept or receive that it announced was made."""


class _Hello(msgspec.Struct):
    contract: int
    calls: list[str]
    lacks: list[str] = []


class _Error(msgspec.Struct):
    code: int
    name: str


class _Line(msgspec.Struct, omit_defaults=True):
    """Any line an agent may print; which fields are there says which line it is."""

    hello: _Hello | None = None
    id: int | None = None
    result: dict[str, Any] | None = None
    error: _Error | None = None
    unsupported: str | None = None
    invalid: str | None = None
    event: str | None = None
    socket: int | None = None
    code: int | None = None
    seq: int | None = None
    ask: int | None = None
    call: int | None = None
    condition: dict[str, Any] | None = None


@dataclass(slots=True)
class _Call:
    answer: asyncio.Future[dict[str, Any]]
    name: str
    decide: Decide | None


class AgentLink:
    """Drive one agent."""

    def __init__(self, host: str, process: AgentProcess, log: Log, bell: Bell) -> None:
        """Take over a freshly started agent; call inside a running loop."""
        self.host = host
        self.process = process
        self.reports: list[Report] = []
        self.calls: frozenset[str] = frozenset()
        """What the agent says it implements; below, what it says it is not told of."""
        self.lacks: frozenset[str] = frozenset()
        self.fault: AgentFault | None = None
        """Set once the agent can no longer be used."""
        self.leaving = False
        """The agent was told to exit, so its end is no fault."""
        self.dismissed = False
        """The agent was ended because nobody waits for it any more, which is no fault of it."""
        self.thaws_s = 0.0
        """Until this time of the loop a fault has stopped it, so it cannot answer."""
        self.crashed = False
        """The script had the agent killed, so its end is no fault."""
        self.silenced = False
        """The agent broke the contract, so nothing it printed later was read."""
        self._log = log
        self._bell = bell
        self._open: dict[int, _Call] = {}
        self._left = False
        self.last_id = 0
        self._unasked_octets = 0
        self._greeted = False
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(_Line).decode
        self._pipes = process.pipes(self._take_line, self._end)
        self._ending: asyncio.Task[None] | None = None

    def begin(
        self, name: str, arguments: Mapping[str, object], decide: Decide | None = None
    ) -> asyncio.Future[dict[str, Any]]:
        """Write a call and return its answer to be; `decide` serves questions about it."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_retrieve)
        if self.fault is not None:
            answer.set_exception(self.fault)
            return answer
        self.last_id += 1
        self._open[self.last_id] = _Call(answer, name, decide)
        self._write({"id": self.last_id, "call": name, "args": arguments})
        return answer

    async def call(
        self,
        name: str,
        arguments: Mapping[str, object],
        patience_s: float,
        decide: Decide | None = None,
        *,
        blocks: bool = False,
    ) -> dict[str, Any]:
        """Make a call and wait for its result; one that cannot block and stays open is a fault.

        Raises:
            Refused: the call failed.
            Unsupported: the agent does not implement it.
            AgentFault: there will be no answer.
        """
        answer = self.begin(name, arguments, decide)
        try:
            return await self.answered(answer, name, patience_s)
        except AgentFault as fault:
            if not answer.done() and not blocks:
                await self._ask_once_more(name)
                self.give_up(str(fault))
            raise

    async def _ask_once_more(self, unanswered: str) -> None:
        """Let a barrier tell whether an agent lives that owes an answer.

        If it answers this one, the other was forgotten, which the judge holds against it (CR19);
        if not, it hangs, and nobody knows whether it would have answered.
        """
        if unanswered != "barrier":
            await asyncio.wait([self.begin("barrier", {})], timeout=LAST_PATIENCE_S)

    async def answered(
        self, answer: asyncio.Future[dict[str, Any]], name: str, patience_s: float
    ) -> dict[str, Any]:
        """Wait for the answer to a call begun earlier; raise as `call` does."""
        if not await came_in_time(answer, patience_s, lambda: self.thaws_s):
            raise AgentFault(f"{self.host} did not answer {name} within {patience_s:.3g} s")
        return answer.result()

    async def greet(self, patience_s: float) -> None:
        """Wait for the agent's first line.

        Raises:
            AgentFault: there is none, or it speaks another contract.
        """
        if not await self._bell.until(lambda: self._greeted or bool(self.fault), patience_s):
            self.give_up(f"{self.host} did not say hello within {patience_s:.3g} s")
        if self.fault:
            raise self.fault

    async def leave(self, patience_s: float) -> int:
        """Tell the agent to exit and return its exit status; kill it if it stays."""
        self.leaving = True
        try:
            if self.fault is None:
                await self.call("exit", {}, patience_s)
        except (AgentFault, Refused, Unsupported):
            pass  # the end of its input tells it the same
        self._pipes.close_input()
        try:
            async with asyncio.timeout(patience_s if self.fault is None else 1.0):
                status = await self.process.wait()
        except TimeoutError:
            self.process.kill()
            status = await self.process.wait()
        self._pipes.finish()
        self._left = True
        return status

    async def crash(self, patience_s: float) -> int:
        """Kill the agent, read what it had printed, and return its exit status."""
        self.crashed = True
        self.process.kill()
        status = await self.process.wait()
        self._pipes.close_input()
        self._pipes.finish()
        await self._bell.until(lambda: self.fault is not None, patience_s)
        self._left = True
        return status

    def holds_up(self) -> bool:
        """Tell whether the end of the run waits for this agent."""
        awaited = any(call.name in ("barrier", "exit") for call in self._open.values())
        return awaited or (self.leaving and not self._left)

    def dismiss(self) -> None:
        """End the agent at once; whatever it was asked stays unanswered."""
        self.dismissed = self.dismissed or self.fault is None
        self.give_up(f"{self.host}'s agent was ended")
        self.process.kill()

    def reported(self, socket: int | None) -> list[Report]:
        """List what the agent has reported of one socket, oldest first."""
        return [report for report in self.reports if report.socket == socket]

    def _write(self, line: Mapping[str, object]) -> None:
        octets = self._encode(line)
        self._log.agent_line(self.host, "to", octets)
        self._pipes.write(octets)

    def _take_line(self, line: bytes) -> None:
        self._log.agent_line(self.host, "from", line)
        self._unasked_octets += len(line) + RECORD_OCTETS
        wrong = self._take(line) if self.fault is None else None
        if wrong is None and self._unasked_octets > UNASKED_OCTETS_MAX:
            wrong = self._broken(line, "more than anybody asked for")
        if wrong is not None:
            self.silenced = True
            self._pipes.stop_listening()
            self.give_up(wrong)
        self._bell.ring()

    def _end(self, reason: str) -> None:
        """The agent's output ended; `reason` says why if it was not the agent's doing."""
        if reason:
            self.give_up(f"{self.host}'s agent {reason}")
        elif self.leaving:
            self.give_up(f"{self.host} has exited")
        else:
            self._ending = asyncio.create_task(self._find_out())

    async def _find_out(self) -> None:
        """Say how the process ended, in a moment or it has not."""
        try:
            async with asyncio.timeout(1.0):
                status = await self.process.wait()
        except TimeoutError:
            self.give_up(f"{self.host}'s agent closed its output")
            return
        how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        last = self.process.stderr().strip().rpartition("\n")[2]
        self.give_up(f"{self.host}'s agent {how}" + (f" ({last[:200]})" if last else ""))

    def give_up(self, reason: str) -> None:
        """Use the agent no more: every open call fails with the reason, now."""
        if self.fault is not None:
            return
        self.fault = AgentFault(reason)
        for call in self._open.values():
            if not call.answer.done():
                call.answer.set_exception(self.fault)
        self._open.clear()
        self._bell.ring()

    def _take(self, raw: bytes) -> str | None:
        """Act on one line; return what is wrong with it."""
        try:
            line = self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._broken(raw, str(error))
        if not self._greeted:
            if line.hello is None:
                return self._broken(raw, "the first line must be the hello")
            return self._take_hello(line.hello)
        if line.event is not None:
            return self._take_event(line, raw)
        if line.ask is not None:
            return self._take_question(line, raw)
        if line.id is not None:
            return self._take_answer(line, raw)
        return self._broken(raw, "it is neither an answer, an event nor a question")

    def _broken(self, raw: bytes, why: str) -> str:
        said = raw.strip()[:120].decode("utf-8", "replace")
        return f"{self.host} broke the agent contract ({why}): {said}"

    def _take_hello(self, hello: _Hello) -> str | None:
        if hello.contract != CONTRACT:
            return f"{self.host} speaks contract {hello.contract}, expected {CONTRACT}"
        self.calls, self.lacks = frozenset(hello.calls), frozenset(hello.lacks)
        self._greeted = True
        return None

    def _take_event(self, line: _Line, raw: bytes) -> str | None:
        if line.event not in EVENTS + CHANGES or line.socket is None or line.code is None:
            return self._broken(raw, "an event needs a known name, a socket and a code")
        expected = self.reports[-1].seq + 1 if self.reports else 1
        if line.seq != expected:
            return self._broken(raw, f"events are numbered without gaps, expected {expected}")
        report = Report(line.socket, line.event, line.code, expected)
        self.reports.append(report)
        self._log.event(self.host, report)
        return None

    def _take_question(self, line: _Line, raw: bytes) -> str | None:
        call = self._open.get(line.call or 0)
        if call is None or call.decide is None or line.condition is None:
            return self._broken(raw, "no open call has a condition to be asked for")
        self._write({"answer": line.ask, "decision": call.decide(line.condition)})
        return None

    def _take_answer(self, line: _Line, raw: bytes) -> str | None:
        call = self._open.get(line.id or 0)
        if call is None:
            return self._broken(raw, "no call with this id is open")
        error: Exception | None = None
        if line.error is not None:
            error = Refused(call.name, line.error.code, line.error.name)
        elif line.unsupported is not None:
            error = Unsupported(f"unsupported: {line.unsupported} by {self.host}")
        elif line.invalid is not None:
            error = AgentFault(f"{self.host} finds {call.name} no valid call: {line.invalid}")
        elif line.result is None:
            return self._broken(raw, "an answer has a result, an error, unsupported or invalid")
        del self._open[line.id or 0]
        self._unasked_octets = 0
        if error is None:
            call.answer.set_result(line.result or {})
        else:
            call.answer.set_exception(error)
        return None


def _retrieve(answer: asyncio.Future[dict[str, Any]]) -> None:
    """Look at an exception, so that nobody complains when a step did not."""
    if not answer.cancelled():
        answer.exception()
