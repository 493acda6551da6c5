"""One socket event that packets and calls demand or allow: where, when, why.

An expectation opens at the position of its cause: an event line before it cannot be explained by
it. It is due when the agent's first barrier after the cause was answered: if the line is not
there by then, the endpoint did not report what it had to.

An agent tells of an event before it answers the call that takes what the event announced. So a
line after that answer is no line of this event: whatever it says happened again.
"""

from dataclasses import dataclass

from mpwire.oracle.calls import Call, Report, error_name
from mpwire.oracle.case import Case
from mpwire.oracle.judgement import Level
from mpwire.oracle.sockets import Socket
from mpwire.oracle.trace import NEVER, Position
from mpwire.vocabulary import NetworkEvent


@dataclass(slots=True, eq=False)
class Expectation:
    """An event that must or may be reported on a socket."""

    socket: Socket
    event: str
    code: int
    rule: str
    level: Level
    opens: Position
    due: Position | None
    """Where it must have been reported; None where nothing proves that it had to be by then."""
    owed: bool
    """False where the application had closed the socket, or its agent had ended, before."""
    frames: tuple[int, ...]
    cause: str
    taken: Position | None = None
    """Where the call that took what it announces was answered: a later line is another event's."""
    report: Report | None = None
    """The event line that was matched to it."""

    def __str__(self) -> str:
        """Name the event as findings do."""
        code = f"({error_name(self.code)})" if self.code else ""
        return f"{self.event}{code} on {self.socket.name}"


def expect(
    case: Case,
    socket: Socket,
    event: str,
    *,
    rule: str,
    opens: Position,
    cause: str,
    code: int = 0,
    level: Level = Level.MUST,
    frames: tuple[int, ...] = (),
    settled: Position | None = None,
    taker: Call | None = None,
) -> Expectation | None:
    """Build an expectation; None if the event was not selected or the socket was gone.

    Args:
        case: the case.
        socket: where the event is to be reported.
        event: name of the FD_ bit.
        rule: the window rule that speaks of it.
        opens: position of the cause.
        cause: the cause in words.
        code: the error code of the event.
        level: how strongly it is expected.
        frames: the frames that cause it.
        settled: position from which a barrier proves that the cause was worked off; `opens`
            if not given.
        taker: the call that took what the event announces.
    """
    nominated = socket.nominated(event, opens)
    if nominated is None:
        return None
    begin, reported = nominated
    if begin >= socket.gone:
        return None
    from_where = max(begin, settled if settled is not None else opens)
    if not _nominates(socket, event, from_where):
        level = Level.MAY  # it was cancelled before the cause was certain to be worked off
    due = case.settled(socket.host, from_where)
    if due is not None and not reported:
        due = _enumerated(case, socket, due)
    if due is not None and due > socket.closed:
        due = None
    unproved = due is None and reported and socket.closed == NEVER
    taken = taker.answered if taker and reported and _told(socket, begin, taker) else None
    owed = due is not None or taken is not None or (unproved and _lives(case, socket, from_where))
    return Expectation(socket, event, code, rule, level, begin, due, owed, frames, cause, taken)


def _lives(case: Case, socket: Socket, position: Position) -> bool:
    """Tell whether an agent lives on after a position, and is not killed."""
    killed = case.killed(socket.host, position)
    return not killed and position < case.life_end(socket.host, position)


def _nominates(socket: Socket, event: str, position: Position) -> bool:
    """Tell whether the selection that stands at a position has an event."""
    selection = socket.selection_at(position)
    return selection is not None and bool(selection.mask & NetworkEvent[event])


def _told(socket: Socket, since: Position, taker: Call) -> bool:
    """Tell whether a call took what had happened before under a selection that still stood."""
    reselected = any(since < one.asked < taker.answered for one in socket.selections)
    return since < taker.asked and taker.answered < socket.closed and not reselected


def _enumerated(case: Case, socket: Socket, since: Position) -> Position | None:
    """Return where the application looked itself, after a position, at unreported events.

    Where events are posted as messages that is when none was left in the window.
    """
    log = case.logs.get(socket.host)
    selection = socket.selection_at(since)
    window = selection.window if selection is not None else None
    for call in log.calls if log else ():
        if not since < call.asked or call.answered == NEVER:
            continue
        if window is None:
            looked = call.ok and call.name == "enum_network_events" and socket.has(call.socket)
        else:
            emptied = call.result is not None and call.result.get("message") is None
            looked = call.name == "get_message" and emptied and call.args.get("window") == window
        if looked:
            return call.answered
    return None
