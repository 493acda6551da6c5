"""CR24-CR25: what the host's network tells sockets: flows, routes and addresses that change.

These events are edges. Each is told once for everything that happened until its ioctl is called
again, and those of routes and addresses only to who has called it. What changes routes and
addresses in a lab are steps of its script, which the record names.
"""

from collections.abc import Iterator
from typing import Final

from mpwire.oracle.calls import AWAITING_CHANGES, AgentLog, Call, Report
from mpwire.oracle.case import Case
from mpwire.oracle.registry import PASSED, Outcome, rule
from mpwire.oracle.sockets import Socket
from mpwire.oracle.trace import NEVER, Loss, Position
from mpwire.vocabulary import NetworkEvent, WsaError

ASKING: Final = {
    "FD_QOS": "SIO_GET_QOS",
    "FD_ROUTING_INTERFACE_CHANGE": "SIO_ROUTING_INTERFACE_CHANGE",
    "FD_ADDRESS_LIST_CHANGE": "SIO_ADDRESS_LIST_CHANGE",
}
"""The ioctl that lets each of these events be told again."""
CODES: Final = {"SIO_GET_QOS": 0xC8000007, **AWAITING_CHANGES}
"""Their numbers, by which they may be called as well."""
UNASKED: Final = frozenset({"FD_QOS"})
"""Events that need not be asked for the first time."""


@rule(
    "CR24",
    "FD_QOS, FD_ROUTING_INTERFACE_CHANGE and FD_ADDRESS_LIST_CHANGE are told once until their "
    "ioctl is called again; the latter two only to who has called it, and only after a change.",
    source="semantics W92, W96, D53",
    group="calls",
    needs="events",
    vantage="E",
)
def cr24(case: Case) -> Iterator[Outcome]:
    """Look for a call between each report and the one before it on the same socket."""
    for log in case.logs.values():
        before: dict[tuple[Socket, str], Report] = {}
        for report in log.changes:
            socket = case.sockets.get(report.host, report.socket)
            if socket is None or report.event not in ASKING:
                continue
            earlier = before.get((socket, report.event))
            before[socket, report.event] = report
            yield _told(socket, report, *_objection(case, log, socket, report, earlier))


def _objection(
    case: Case, log: AgentLog, socket: Socket, report: Report, earlier: Report | None
) -> tuple[str, str]:
    """Say what was expected and what was there instead; nothing if a report is in order."""
    if earlier is None and report.event in UNASKED:
        return "", ""
    since = earlier.position if earlier is not None else socket.created
    asked = [
        call
        for call in _asking(log, socket, report.event)
        if call.asked < report.position and call.answered > since
    ]
    if not asked:
        return f"{ASKING[report.event]} before it is told", "no such call"
    first = max(min(call.asked for call in asked), since)
    if report.event in UNASKED or report.position > case.trace.script_ended:
        return "", ""
    moved = any(
        host == report.host and first <= position < report.position
        for host, position in case.trace.changes
    )
    return ("", "") if moved else ("a change of the host's network", "none")


def _told(socket: Socket, report: Report, expected: str, seen: str) -> Outcome:
    if not expected:
        return PASSED
    told = f"{report} on {socket.name}"
    frames = (max(report.position[0], 1),)
    return Outcome("fail", frames, socket.name, expected, seen, f"{told}: expected {expected}")


def _asking(log: AgentLog, socket: Socket, event: str) -> Iterator[Call]:
    """Yield the calls on a socket that ask to be told of an event, and did not fail."""
    name = ASKING[event]
    for call in log.calls:
        about = call.name == "ioctl" and call.args.get("code") in (name, CODES[name])
        if about and socket.has(call.socket) and call.error in (None, WsaError.WSAEWOULDBLOCK):
            yield call


@rule(
    "CR25",
    "Who asked by SIO_ADDRESS_LIST_CHANGE or SIO_ROUTING_INTERFACE_CHANGE is told when the host "
    "loses its addresses or its interface.",
    source="semantics W96, D53",
    group="calls",
    needs="events",
    vantage="E",
)
def cr25(case: Case) -> Iterator[Outcome]:
    """Look at who has asked, wherever the lab takes a host what it is reached by."""
    for loss in case.losses:
        log = case.logs.get(loss.host)
        if log is None or not _was_up(case, loss):
            continue
        for socket in case.sockets.all:
            if socket.host == loss.host and socket.created < loss.begun < socket.closed:
                for event in sorted(ASKING.keys() - UNASKED):
                    yield from _due(case, log, socket, event, loss)


def _was_up(case: Case, loss: Loss) -> bool:
    """Tell whether there was something to lose: what was lost before had been given back."""
    before = [at for host, at in case.trace.changes if host == loss.host and at < loss.begun]
    return not before or before[-1] not in {one.begun for one in case.trace.losses}


def _due(case: Case, log: AgentLog, socket: Socket, event: str, loss: Loss) -> Iterator[Outcome]:
    """Judge whether a socket was told of a loss, if it had to be."""
    asked = [call for call in _asking(log, socket, event) if call.answered <= loss.begun]
    due = case.settled(socket.host, loss.done)
    if not asked or due is None or due > socket.closed or not _selected(socket, event, loss, due):
        return
    told = [one for one in log.changes if one.event == event and socket.has(one.socket)]
    if any(asked[-1].asked < one.position < loss.begun for one in told):
        return  # of something that came before
    if any(loss.begun < one.position < due for one in told):
        yield PASSED
        return
    frames = (max(due[0], 1),)
    expected = f"{event} when its host lost what it is reached by"
    yield Outcome("fail", frames, socket.name, expected, "none", f"{socket.name} was not told")


def _selected(socket: Socket, event: str, loss: Loss, due: Position) -> bool:
    """Tell whether an event was selected with reports from a loss until it had to be told."""
    selection = socket.selection_at(loss.begun)
    if selection is None or not selection.report or selection is not socket.selection_at(due):
        return False
    answered = selection.answered < NEVER and selection.answered <= loss.begun
    return answered and bool(selection.mask & NetworkEvent[event])
