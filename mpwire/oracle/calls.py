"""Read agents' lines: calls with their answers, reported events, barriers, the end of the process.

The meaning of the lines is that of docs/agents.md and nothing else. What is not a line of that
contract is kept in `oddities`, so that a rule can say so.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from mpwire.capture.records import LIFE, AgentExit, AgentLine
from mpwire.oracle.carried import Carried, Spans
from mpwire.oracle.trace import NEVER, START, AgentRecord, Position
from mpwire.vocabulary import NetworkEvent, WsaError

EVENT_ORDER = ("FD_CONNECT", "FD_ACCEPT", "FD_READ", "FD_WRITE", "FD_CLOSE")
"""Order in which an agent prints the bits of one enumeration."""
EVENT_NAMES = frozenset(str(event.name) for event in NetworkEvent if event <= NetworkEvent.FD_CLOSE)
"""The events of a session."""
PARTING = {"send_disconnect": "SEND", "recv_disconnect": "RECEIVE"}
"""Calls that are a `shutdown` of one direction, with data."""
SETS = frozenset({"read", "write", "exceptional"})
"""Arguments and results of a select: lists of descriptors."""
AWAITING_CHANGES = {
    "SIO_ROUTING_INTERFACE_CHANGE": 0x88000015,
    "SIO_ADDRESS_LIST_CHANGE": 0x28000017,
}
"""Ioctls that wait for a change of the host's network, with the numbers that name them, too."""
CHANGE_NAMES = frozenset(str(event.name) for event in NetworkEvent) - EVENT_NAMES
"""The events of the host's network, which are no matter of the wire."""


class Line(msgspec.Struct, forbid_unknown_fields=False):
    """Any line of the contract; which fields are set says which line it is."""

    id: int | None = None
    call: str | int | None = None
    args: dict[str, object] = {}
    result: dict[str, object] | None = None
    error: dict[str, object] | None = None
    unsupported: str | None = None
    invalid: str | None = None
    event: str | None = None
    socket: int | None = None
    code: int | None = None
    seq: int | None = None
    hello: dict[str, object] | None = None
    ask: int | None = None
    condition: dict[str, object] | None = None
    answer: int | None = None
    decision: str | None = None
    callee_data: str | None = None


_LINES = msgspec.json.Decoder(Line)


@dataclass(slots=True, eq=False)
class Call:
    """One call to an agent, with its answer when there was one."""

    host: str
    id: int
    name: str
    args: dict[str, object]
    asked: Position
    asked_ns: int
    answered: Position = NEVER
    result: dict[str, object] | None = None
    error: int | None = None
    """Winsock code of a failed call."""
    unsupported: str | None = None
    invalid: str | None = None

    @property
    def ok(self) -> bool:
        """Tell whether the call succeeded."""
        return self.result is not None

    @property
    def socket(self) -> int | None:
        """Give the descriptor the call is about."""
        value = self.args.get("socket")
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        """Return a text argument, or None."""
        value = self.args.get(name)
        return value if isinstance(value, str) else None

    def outcome(self) -> str:
        """Say how the call ended, in words."""
        if self.result is not None:
            return "success"
        if self.error is not None:
            return error_name(self.error)
        if self.unsupported is not None:
            return "unsupported"
        return "invalid" if self.invalid is not None else "no answer"

    def __str__(self) -> str:
        """Name the call as findings do."""
        return f"call {self.id % LIFE} {self.name}"


@dataclass(slots=True, eq=False)
class Report:
    """One network event that the application learned of."""

    host: str
    socket: int
    event: str
    code: int
    seq: int | None
    position: Position

    def __str__(self) -> str:
        """Name the event as findings do."""
        return self.event if self.code == 0 else f"{self.event}({error_name(self.code)})"


@dataclass(slots=True)
class Decided:
    """How the application answered an `ask` of an accept call."""

    call: int
    condition: dict[str, object]
    asked: Position
    decision: str | None = None
    callee_data: str | None = None
    answered: Position = NEVER


@dataclass(slots=True)
class Life:
    """One process of a host's agent, from where it is heard of first."""

    begun: Position = START
    ended: Position = NEVER
    """Where the process ended, or was told to end."""
    exit: AgentExit | None = None

    @property
    def killed(self) -> bool:
        """Tell whether the script ended the agent in the middle of things."""
        return self.exit is not None and self.exit.expected and self.exit.status != 0


@dataclass(slots=True)
class AgentLog:
    """Everything a host's agent was told and said; it may have been started several times.

    The numbers of a later process (calls, sockets, events) are made unique by adding `LIFE`.
    """

    host: str
    calls: list[Call] = field(default_factory=list)
    unsupported: list[Call] = field(default_factory=list)
    """Calls that the agent does not implement: nothing was done, so no rule is about them."""
    reports: list[Report] = field(default_factory=list)
    """The events of sessions."""
    changes: list[Report] = field(default_factory=list)
    """The events of the host's network."""
    decided: dict[int, Decided] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    """Ids of answers to calls that nobody asked, or that were answered before."""
    numbers: list[int] = field(default_factory=list)
    """Numbers of the event lines, as they came."""
    gaps: list[int] = field(default_factory=list)
    """Numbers of event lines that are missing or out of order."""
    lives: list[Life] = field(default_factory=lambda: [Life()])
    outstanding: dict[int, Call] = field(default_factory=dict)
    """Calls that have no answer, by id."""
    barriers: list[Call] = field(default_factory=list)
    """Barriers that were answered, in the order in which they were asked."""
    forgotten: Spans = field(default_factory=Spans)
    """Numbers of event lines that are only known to have been there."""

    configured: list[Call] = field(default_factory=list)
    """Calls that told the agent its timers."""
    exits: list[Call] = field(default_factory=list)
    """Calls that told the agent to end."""
    unanswered: list[Call] = field(default_factory=list)
    """Calls without an answer, of those that were killed, too."""
    _soonest: list[Position] = field(default_factory=list)
    """The first answer to this call or a later one, call by call."""

    @property
    def spoken(self) -> bool:
        """Tell whether any event was reported."""
        return bool(self.reports or len(self.forgotten))

    def life_at(self, position: Position) -> Life:
        """Return the process that lived at a position, or had lived last."""
        begun = [life for life in self.lives if life.begun <= position]
        return begun[-1] if begun else self.lives[0]

    def died(self, position: Position) -> Position:
        """Return where the process of a position ended, if another has taken its place since."""
        life = self.life_at(position)
        return NEVER if life is self.lives[-1] else life.ended

    def answered_after(self, position: Position) -> Position:
        """Return where the same process first answered a call asked after a position."""
        if len(self._soonest) != len(self.calls):
            soonest = NEVER
            for call in reversed(self.calls):
                soonest = min(soonest, call.answered)
                self._soonest.append(soonest)
            self._soonest.reverse()
        until, calls = self.died(position), self.calls
        place = bisect_right(calls, position, key=lambda call: call.asked)
        if until == NEVER:
            return self._soonest[place] if place < len(calls) else NEVER
        last = bisect_left(calls, until, key=lambda call: call.asked)
        return min((call.answered for call in calls[place:last]), default=NEVER)

    def barrier_after(self, position: Position) -> Position | None:
        """Return where the same process answered the first barrier asked after a position."""
        place = bisect_right(self.barriers, position, key=lambda call: call.asked)
        answered = self.barriers[place].answered if place < len(self.barriers) else NEVER
        return answered if answered <= self.died(position) and answered < NEVER else None


def error_name(code: int) -> str:
    """Name a Winsock code, or show the number of one we do not know."""
    try:
        return WsaError(code).name
    except ValueError:
        return str(code)


def read_agents(records: list[AgentRecord], carried: Carried | None = None) -> dict[str, AgentLog]:
    """Sort agents' lines by host and join answers to calls; carried: known of earlier parts."""
    logs: dict[str, AgentLog] = {}
    known = carried.numbers if carried is not None else {}
    for item in records:
        log = logs.get(item.host)
        if log is None:
            log = logs[item.host] = AgentLog(item.host)
            log.forgotten = known.get(item.host, log.forgotten)
        life = log.lives[-1]
        if isinstance(item.record, AgentExit):
            life.exit = item.record
            life.ended = min(life.ended, item.position)
            log.outstanding.clear()
            continue
        if life.exit is not None:
            log.lives.append(Life(item.position))
        _read_line(log, item, item.record)
    for log in logs.values():
        log.unsupported = [call for call in log.calls if call.unsupported is not None]
        log.calls = [call for call in log.calls if call.unsupported is None]
        log.configured = [call for call in log.calls if call.name == "configure" and call.ok]
        log.exits = [call for call in log.calls if call.name == "exit"]
        log.unanswered = [call for call in log.calls if call.answered == NEVER]
        log.barriers = [call for call in log.calls if call.name == "barrier" and call.ok]
        _number(log)
    return logs


def _read_line(log: AgentLog, item: AgentRecord, record: AgentLine) -> None:
    try:
        line = _LINES.decode(record.line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        log.oddities.append(f"no line of the agent contract: {bytes(record.line)[:80]!r}")
        return
    if len(log.lives) > 1:
        line = _renumbered(line, LIFE * (len(log.lives) - 1))
    if record.direction == "to":
        _told(log, item, line)
    else:
        _said(log, item, line)


def _renumbered(line: Line, offset: int) -> Line:
    """Make what a later process numbers unique: its calls, questions, sockets and events."""
    for name in ("id", "socket", "ask", "answer", "seq"):
        value = getattr(line, name)
        setattr(line, name, None if value is None else value + offset)
    line.call = line.call + offset if isinstance(line.call, int) else line.call
    line.args = {name: _moved(name, value, offset) for name, value in line.args.items()}
    if line.result is not None:
        line.result = {name: _moved(name, value, offset) for name, value in line.result.items()}
    return line


def _moved(name: str, value: object, offset: int) -> object:
    """Make descriptors in an argument or a result unique."""
    if isinstance(value, dict):
        return {inner: _moved(inner, one, offset) for inner, one in value.items()}
    if isinstance(value, list):
        return [_moved("socket" if name in SETS else name, one, offset) for one in value]
    return value + offset if name == "socket" and isinstance(value, int) else value


def _told(log: AgentLog, item: AgentRecord, line: Line) -> None:
    if line.answer is not None:
        asked = log.decided.get(line.answer)
        if asked is not None:
            asked.decision, asked.callee_data = line.decision, line.callee_data
            asked.answered = item.position
    elif line.id is not None and isinstance(line.call, str):
        name, args = line.call, line.args
        if name in PARTING:
            name, args = "shutdown", {**args, "how": PARTING[name]}
        call = Call(log.host, line.id, name, args, item.position, item.time_ns)
        log.calls.append(call)
        log.outstanding.setdefault(line.id, call)
        if line.call == "exit":
            log.lives[-1].ended = min(log.lives[-1].ended, item.position)


def _said(log: AgentLog, item: AgentRecord, line: Line) -> None:
    if line.event is not None:
        if line.event not in EVENT_NAMES | CHANGE_NAMES or line.socket is None:
            log.oddities.append(f"an event line that names no event or no socket: {line.event}")
            return
        log.numbers.append(line.seq or 0)
        told = log.reports if line.event in EVENT_NAMES else log.changes
        told.append(
            Report(log.host, line.socket, line.event, line.code or 0, line.seq or 0, item.position)
        )
    elif line.ask is not None and isinstance(line.call, int):
        log.decided[line.ask] = Decided(line.call, line.condition or {}, item.position)
    elif line.id is not None:
        call = log.outstanding.pop(line.id, None)
        if call is None:
            log.orphans.append(line.id)
            log.oddities.append(f"an answer to call {line.id}, which is not outstanding")
            return
        _answered(log, call, item.position, line)
    elif line.hello is None:
        log.oddities.append("a line that is none of the contract's")


def _answered(log: AgentLog, call: Call, position: Position, line: Line) -> None:
    call.answered = position
    call.result, call.unsupported, call.invalid = line.result, line.unsupported, line.invalid
    if line.error is not None:
        code = line.error.get("code")
        call.error = code if isinstance(code, int) else -1
    for socket, entry in _enumerated(call):
        code = entry.get("code")
        found = code if isinstance(code, int) else 0
        told = log.reports if entry["event"] in EVENT_NAMES else log.changes
        told.append(Report(log.host, socket, str(entry["event"]), found, None, position))


def _enumerated(call: Call) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the events that a call handed out: an enumeration, or one message of a window."""
    result = call.result or {}
    entries: object = result.get("events") if call.name == "enum_network_events" else None
    message = result.get("message") if call.name == "get_message" else None
    if isinstance(message, dict):
        entries = [message]
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("event") in EVENT_NAMES | CHANGE_NAMES:
            socket = entry.get("socket", call.socket)
            if isinstance(socket, int):
                yield socket, entry


def _number(log: AgentLog) -> None:
    """Find the numbers that event lines skip: they count 1, 2, 3, ..."""
    expected = 1
    for number in log.numbers:
        if number // LIFE > expected // LIFE:
            expected = number // LIFE * LIFE + 1
        expected = log.forgotten.past(expected)
        if number != expected:
            log.gaps.extend(range(expected, number) if number > expected else [expected])
        expected = number + 1
