"""CR26, CR27: what WSPSelect says of sockets.

It looks at what has become of a socket, so that it is judged where that leaves no doubt: what a
host had provably worked off before it was asked is there, and what had not reached it when it
answered is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mpwire.oracle.aims import awaits_d_root
from mpwire.oracle.calls import AgentLog, Call
from mpwire.oracle.case import Case
from mpwire.oracle.expect_write import sending, usable_since
from mpwire.oracle.inbox import Deliverable, readers, reads
from mpwire.oracle.membership import End
from mpwire.oracle.registry import Outcome, rule
from mpwire.oracle.rules.calls import said
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.streams import INITIAL_WINDOW
from mpwire.wire.messages import Abort, Cancel, Close, Pending
from mpwire.wire.numbers import Capability


@dataclass(slots=True, frozen=True)
class Look:
    """One socket that a select was asked about."""

    call: Call
    socket: Socket
    descriptor: int

    def asked(self, name: str) -> bool:
        """Tell whether it was asked about in one of the sets."""
        listed = self.call.args.get(name)
        return isinstance(listed, list) and self.descriptor in listed

    def found(self, name: str) -> bool:
        """Tell whether it was found in one of the sets."""
        listed = (self.call.result or {}).get(name)
        return isinstance(listed, list) and self.descriptor in listed

    def outcome(self, right: bool, expected: str, seen: str) -> Outcome:
        """Say what became of it."""
        return said(right, self.call, self.socket, expected=expected, seen=seen)


def looks(case: Case, log: AgentLog) -> Iterator[Look]:
    """Yield what every select of a host that was answered looked at."""
    for call in log.calls:
        if call.name != "select" or not call.ok:
            continue
        sets = (call.args.get(name) for name in ("read", "write", "exceptional"))
        named = {one for listed in sets if isinstance(listed, list) for one in listed}
        for descriptor in sorted(one for one in named if isinstance(one, int)):
            socket = case.sockets.get(log.host, descriptor)
            if socket is not None:
                yield Look(call, socket, descriptor)


@rule(
    "CR26",
    "WSPSelect says nothing of a join: before its end was told the socket is not writable, and no "
    "socket is ever found in the third set.",
    source="semantics W26, D50",
    group="calls",
    needs="events",
    vantage="E",
)
def cr26(case: Case) -> Iterator[Outcome]:
    """Look at sockets whose joins nobody has been told of, and at the third set."""
    for log in case.logs.values():
        for look in looks(case, log):
            if look.found("exceptional"):
                yield look.outcome(False, "no socket in the third set", "this one in it")
            elif look.asked("write") and _untold(case, look):
                ready = look.found("write")
                yield look.outcome(not ready, "no word of its join", "the socket writable")


def _untold(case: Case, look: Look) -> bool:
    """Tell whether a socket had begun a join, and nobody could know yet that one succeeded."""
    original = look.socket.parent or look.socket
    joins = [join.call for join in case.bindings.joins if join.socket is original]
    begun = [call for call in joins if call.ok and call.answered < look.call.asked]
    blocking = any("callee_data" in (call.result or {}) for call in begun)
    accepted = any(call.ok and call.asked < look.call.answered for call in original.accepts)
    told = (one for one in case.events.reports_of(original, "FD_CONNECT") if one.code == 0)
    known = any(report.position < look.call.answered for report in told)
    return bool(begun) and not (blocking or accepted or known)


@rule(
    "CR27",
    "WSPSelect finds a socket readable while a request, data or an end waits at it, and writable "
    "while it is a member that has room, and at no other time.",
    source="semantics W102, D22",
    group="calls",
    needs="events",
    vantage="E",
)
def cr27(case: Case) -> Iterator[Outcome]:
    """Compare with what had reached each socket, and with what it had sent."""
    given = dict(readers(case))
    for log in case.logs.values():
        for look in looks(case, log):
            if look.asked("read"):
                due = _readable(case, look, given.get(look.socket, []))
                yield from _compared(look, "read", due, "readable")
            if look.asked("write") and not _untold(case, look):
                yield from _compared(look, "write", _writable(case, look), "writable")


def _compared(look: Look, name: str, due: bool | None, word: str) -> Iterator[Outcome]:
    """Judge one set; None: either may be."""
    found = look.found(name)
    if due is not None:
        expected = f"the socket {word}" if due else f"the socket not {word}"
        yield look.outcome(found is due, expected, f"it {word}" if found else f"it not {word}")


def _readable(case: Case, look: Look, items: list[Deliverable]) -> bool | None:
    """Tell whether there was something to receive or to accept; None: not to be known."""
    call, socket = look.call, look.socket
    if any(one.text("how") != "SEND" and one.asked < call.answered for one in socket.shutdowns):
        return None
    taken = [one for one in reads(socket) if one.asked < call.answered]
    waited = sum(item.certain and _settled(case, look, item) for item in items)
    told = case.events.reports_of(socket, "FD_CLOSE")
    ended = socket.kind is not Kind.ROOT and any(one.position < call.asked for one in told)
    if waited > len(taken) or ended or _asked_for(case, look):
        return True
    taken = [one for one in taken if one.answered < call.asked]
    came = sum(item.released < call.answered for item in items)
    queue = case.bindings.queues.get(socket, [])
    waiting = [entry for entry in queue if entry.arrival.position < call.answered]
    waiting = [
        entry
        for entry in waiting
        if entry.taken is None or not entry.taken.consumes or entry.taken.call.answered > call.asked
    ]
    shared = any(opening.socket is socket for opening in case.openings)
    if came > len(taken) or waiting or shared or _ended(case, look):
        return None
    return False


def _settled(case: Case, look: Look, item: Deliverable) -> bool:
    known = case.settled(look.socket.host, item.released)
    return known is not None and known < look.call.asked


def _asked_for(case: Case, look: Look) -> bool:
    """Tell whether a request was certainly at the head of the queue, or behind another one."""
    call, socket = look.call, look.socket
    if socket.joins:
        return False  # who is invited is parked
    for entry in case.bindings.queues.get(socket, []):
        shelf = entry.attempt.shelf
        queued = any(packet.position < call.asked for packet in shelf.sent(Pending))
        taken = entry.taken is not None and entry.taken.call.asked < call.answered
        gone = any(packet.position < call.answered for packet in shelf.arrived(Cancel))
        known = case.settled(socket.host, entry.arrival.position)
        if queued and not (taken or gone) and known is not None and known < call.asked:
            return True
    return False


def _ended(case: Case, look: Look) -> bool:
    """Tell whether anything had ended at a socket, which may leave something to be received."""
    socket, until = look.socket, look.call.answered
    ends = [end for end in case.ends() if socket in (case.socket_of(end), case.session_socket(end))]
    packets = (
        packet for end in ends for packet in [*end.arrived(Close, Abort), *end.sent(Close, Abort)]
    )
    lost = (one.begun < until for one in case.trace.losses if one.host == socket.host)
    return any(packet.position < until for packet in packets) or (bool(ends) and any(lost))


def _writable(case: Case, look: Look) -> bool | None:
    """Tell whether a send would have gone out; None: not to be known."""
    call, socket = look.call, look.socket
    if any(opening.socket is socket for opening in case.openings):
        return None
    ends = [end for end in case.ends() if _sends_by(case, end, socket)]
    begun = [end for end in ends if end.membership.accept.position < call.answered]
    if not begun:
        return False
    shut = any(one.asked < call.answered for one in socket.shutdowns)
    if socket.kind is Kind.HANDLE or shut or len(socket.sends) >= INITIAL_WINDOW:
        return None
    return any(_may_send(case, end, call) for end in begun) or None


def _sends_by(case: Case, end: End, socket: Socket) -> bool:
    """Tell whether what is sent on a socket goes to the other side of a membership."""
    if socket.kind is Kind.HANDLE:
        chats = bool(end.membership.caps & Capability.SIDECHAT)
        return chats and end.is_root and case.socket_of(end) is socket
    return case.session_socket(end) is socket


def _may_send(case: Case, end: End, call: Call) -> bool:
    """Tell whether a side was certainly a member that sends, all the while."""
    since = usable_since(case, end)
    known = case.settled(call.host, since[1].position) if since is not None else None
    alive = end.ended() > call.answered and end.peer_closed() > call.answered
    may = bool(end.membership.leaf_dir & sending(end)) and not awaits_d_root(case, end)
    return alive and may and known is not None and known < call.asked
