"""A conversation with one agent process, in which nothing it prints goes unwatched.

What every line has to keep, whatever is being checked, is noted as an *offence*: lines of the
schema and nothing else, results as the schema has them, one answer for each call and none for
others, event numbers without gaps, one hello. Checks look at what was answered.
"""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from mpwire.lab.contract import schema

CONTRACT: Final = 1
CHUNK_OCTETS: Final = 65_536
START: Final = 3
"""How many times the patience for an answer a program may take to start."""
LINE_OCTETS_MAX: Final = 1 << 20
QUIET_S: Final = 0.1
"""How long an agent is listened to that is to say nothing."""
STDERR_OCTETS: Final = 300

Line = dict[str, Any]


class Broken(Exception):  # noqa: N818 - an outcome of a check
    """The agent broke the contract."""

    def __init__(self, reason: str, line: str = "") -> None:
        """Say what is wrong, and which line shows it."""
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Lacking(Exception):  # noqa: N818 - an outcome of a check
    """The agent does not implement what the check needs."""


@dataclass(slots=True, frozen=True)
class Offence:
    """Something that no line may do."""

    check: str
    """The check that speaks of it."""
    reason: str
    line: str


@dataclass(slots=True)
class Heard:
    """What an agent has said so far."""

    events: list[Line] = field(default_factory=list)
    asks: list[Line] = field(default_factory=list)
    answers: dict[int, Line] = field(default_factory=dict)
    nameless: list[Line] = field(default_factory=list)
    """`invalid` without an id."""
    order: list[Line] = field(default_factory=list)


class Talk:
    """Talk to an agent; use it as a context manager, which ends the process."""

    def __init__(self, command: Sequence[str], patience_s: float) -> None:
        """Start the agent.

        Raises: OSError: there is no such program.
        """
        self.offences: list[Offence] = []
        self.heard = Heard()
        self.hello: Line | None = None
        self.patience_s = patience_s
        self.ended = False
        """Its output has ended."""
        self._names: dict[int, str] = {}
        self._last_id = 0
        self._seq = 0
        self._rest = b""
        self._unwritten = b""
        self._child = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._stdin, self._stdout = self._child.stdin, self._child.stdout
        self._stderr = self._child.stderr
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe.fileno(), False)

    def __enter__(self) -> Self:
        """Talk."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, if it has not ended, and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for pipe in (self._stdin, self._stdout, self._stderr):
            pipe.close()

    # To the agent -------------------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """Hand octets to the agent, as far as it takes them now; the rest follows while we wait."""
        self._unwritten += octets
        self._flush()

    def begin(self, name: str, arguments: Mapping[str, object] | None = None) -> int:
        """Make a call, and return its id."""
        self._last_id += 3  # ids need not be consecutive
        self._names[self._last_id] = name
        line = {"id": self._last_id, "call": name, "args": arguments or {}}
        self.write(json.dumps(line).encode() + b"\n")
        return self._last_id

    def begin_raw(self, name: str, octets: bytes) -> int:
        """Write a call, or the beginning of one, whose id is 1."""
        self._names[1] = name
        self.write(octets)
        return 1

    def call(self, name: str, **arguments: object) -> Line:
        """Make a call and return the line that answers it."""
        return self.answer(self.begin(name, arguments))

    def result(self, name: str, **arguments: object) -> Line:
        """Make a call that is to succeed, and return its result.

        Raises:
            Lacking: the agent does not implement it.
            Broken: it failed, or was not answered.
        """
        line = self.call(name, **arguments)
        if "unsupported" in line:
            raise Lacking(str(line["unsupported"]))
        if "result" not in line:
            raise Broken(f"{name} did not succeed", json.dumps(line))
        result: Line = line["result"]
        if (wrong := schema.result_problem(name, result)) is not None:
            raise Broken(f"{name}: {wrong}", json.dumps(line))
        return result

    def close_input(self) -> None:
        """Let the agent read the end of its input."""
        self._flush()
        self._stdin.close()

    # From the agent -----------------------------------------------------------------------------

    def greet(self) -> Line:
        """Wait for the hello and return what it says.

        Raises: Broken: the first line is another, or none comes.
        """
        start_s = START * self.patience_s
        self.until(lambda: self.hello is not None or bool(self.offences), "no hello", start_s)
        if self.hello is None:
            raise Broken(self.offences[0].reason, self.offences[0].line)
        return self.hello

    def answer(self, number: int) -> Line:
        """Wait for the answer to a call.

        Raises: Broken: there is none in time.
        """
        answers = self.heard.answers
        self.until(lambda: number in answers, f"no answer to {self._names[number]}")
        return answers[number]

    def wait_for(self, event: str, socket: int, purpose: str = "") -> Line:
        """Wait until an event of a socket has been reported.

        Raises: Broken: it does not come in time.
        """
        self.until(lambda: self.seen(event, socket) is not None, f"no {event} {purpose}".rstrip())
        found = self.seen(event, socket)
        assert found is not None
        return found

    def seen(self, event: str, socket: int) -> Line | None:
        """Return the first line about an event of a socket, if there is one."""
        matching = (
            line
            for line in self.heard.events
            if (line.get("event"), line.get("socket")) == (event, socket)
        )
        return next(matching, None)

    def until(
        self, holds: Callable[[], bool], missing: str, patience_s: float | None = None
    ) -> None:
        """Listen until something holds.

        Raises: Broken: it does not in time, or the agent has ended.
        """
        patience_s = patience_s or self.patience_s
        limit_s = time.monotonic() + patience_s
        while not holds():
            if self.ended:
                raise Broken(f"{missing}: {self._end()}", self._last())
            left_s = limit_s - time.monotonic()
            if left_s <= 0:
                raise Broken(f"{missing} within {patience_s:g} s{self._silence()}", self._last())
            self._listen(left_s)

    def quiet(self) -> bool:
        """Listen for a moment, and tell whether nothing was said."""
        before = len(self.heard.order) + len(self.offences)
        limit_s = time.monotonic() + QUIET_S
        while not self.ended and (left_s := limit_s - time.monotonic()) > 0:
            self._listen(left_s)
        return len(self.heard.order) + len(self.offences) == before

    def status(self) -> int:
        """Wait for the end of the process and return its exit status, negative for a signal.

        Raises: Broken: it does not end in time.
        """
        self.until(lambda: self.ended, "no end of output")
        try:
            return self._child.wait(self.patience_s)
        except subprocess.TimeoutExpired:
            raise Broken(f"no end of the process within {self.patience_s:g} s") from None

    def _end(self) -> str:
        try:
            status = self._child.wait(1)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        return f"it {how}{self._aside()}"

    def _silence(self) -> str:
        """Say what was heard of an agent that has not said one whole line."""
        if self.heard.order:
            return ""
        return f": {'no line was ended' if self._rest else 'nothing was said'}{self._aside()}"

    def _aside(self) -> str:
        """Quote the last line on standard error, as far as it is there."""
        said = (self._stderr.read() or b"").decode("utf-8", "replace").strip()
        return f" ({said.splitlines()[-1][:STDERR_OCTETS]})" if said else ""

    def _last(self) -> str:
        if self.heard.order:
            return json.dumps(self.heard.order[-1])
        return self._rest.decode("utf-8", "replace")

    def _flush(self) -> None:
        while self._unwritten:
            try:
                count = os.write(self._stdin.fileno(), self._unwritten)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._unwritten = b""
                return
            self._unwritten = self._unwritten[count:]

    def _listen(self, wait_s: float) -> None:
        writable = [self._stdin] if self._unwritten else []
        ready, able, _ = select.select([self._stdout], writable, [], wait_s)
        if able:
            self._flush()
        if not ready:
            return
        chunk = os.read(self._stdout.fileno(), CHUNK_OCTETS)
        if not chunk:
            self.ended = True
            if self._rest:
                self._offend("lines", "the last line has no end", self._rest)
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > LINE_OCTETS_MAX:
            self._offend("lines", f"a line of more than {LINE_OCTETS_MAX} octets", self._rest)
            self._rest = b""

    def _take(self, octets: bytes) -> None:
        try:
            line = json.loads(octets)
        except (ValueError, RecursionError) as error:
            self._offend("lines", f"no JSON: {error}", octets)
            return
        said = line.get("hello") if isinstance(line, dict) else None
        number = said.get("contract") if isinstance(said, dict) else CONTRACT
        if number != CONTRACT:
            self._offend("version", f"expected contract {CONTRACT}, found {number}", octets)
            return
        wrong = schema.line_problem(line)
        if wrong is not None:
            self._offend("lines", wrong, octets)
            return
        if self.hello is None and "hello" not in line:
            self._offend("hello", "the first line is no hello", octets)
        self.heard.order.append(line)
        if "hello" in line:
            if self.hello is not None:
                self._offend("hello", "hello is said once", octets)
            self.hello = line["hello"]
        elif "event" in line:
            self._seq += 1
            if line["seq"] != self._seq:
                self._offend("sequence", f"expected seq {self._seq}, found {line['seq']}", octets)
                self._seq = line["seq"]
            self.heard.events.append(line)
        elif "ask" in line:
            self.heard.asks.append(line)
        else:
            self._take_answer(line, octets)

    def _take_answer(self, line: Line, octets: bytes) -> None:
        number = line["id"]
        if number is None:
            self.heard.nameless.append(line)
        elif number in self.heard.answers:
            self._offend("ids", f"a second answer to call {number}", octets)
        elif number not in self._names and "invalid" not in line:
            self._offend("ids", f"nobody has made a call {number}", octets)
        else:
            self.heard.answers[number] = line
            if "result" in line:
                wrong = schema.result_problem(self._names[number], line["result"])
                if wrong is not None:
                    self._offend("results", f"{self._names[number]}: {wrong}", octets)

    def _offend(self, check: str, reason: str, octets: bytes) -> None:
        self.offences.append(Offence(check, reason, octets.decode("utf-8", "replace")))
