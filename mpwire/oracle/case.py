"""The case before the judge: the trace and everything that was rebuilt from it."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from mpwire.capture import RunFile
from mpwire.oracle.bind import Bindings, bind
from mpwire.oracle.calls import AWAITING_CHANGES, AgentLog, Call, read_agents
from mpwire.oracle.carried import Carried
from mpwire.oracle.history import History
from mpwire.oracle.membership import Attempt, End, Membership
from mpwire.oracle.opening import openings
from mpwire.oracle.remains import Remains
from mpwire.oracle.sockets import Kind, Socket, SocketTable
from mpwire.oracle.trace import NEVER, START, Loss, Packet, Position, Trace
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Message

if TYPE_CHECKING:
    from mpwire.oracle.events import EventJudge
    from mpwire.oracle.inbox import Deliverable

MAY_BLOCK = frozenset({"join_leaf", "accept", "recv", "send"})
"""Calls that may stay open on a socket without event selection."""
GONE = (WsaError.WSAENETDOWN, WsaError.WSAENETUNREACH)
"""What sockets report whose interface is gone."""
AWAITED = (*AWAITING_CHANGES, *AWAITING_CHANGES.values())
"""Ioctls that may, too."""


class Case:
    """What rules look at; everything is built once, when first asked for."""

    def __init__(
        self,
        run: RunFile,
        remains: Remains | None = None,
        until_ns: int = 0,
        carried: Carried | None = None,
    ) -> None:
        """Read a run file, another capture, or a part of one.

        Args:
            run: the record, or the part of it that belongs together.
            remains: what is remembered of the parts before.
            until_ns: how far the record as a whole is known to go.
            carried: what else is known of the parts before, of a run.
        """
        self.remains = remains if remains is not None else Remains()
        clock = carried.clock if carried is not None else None
        self.trace = Trace(run, until_ns, clock, self.remains.summing)
        self.history = History(self.trace)
        self.logs: dict[str, AgentLog] = read_agents(self.trace.agent_records, carried)
        self.sockets = SocketTable(self.logs)
        self.inboxes: dict[End, list[Deliverable]] = {}
        """What each side was given to read; filled by `oracle.inbox`."""
        self.leading: dict[int, set[int]] = {}
        """The leaves that are a session's d_root, by Session ID; filled by `oracle.aims`."""
        self.losses = [one for one in self.trace.losses if self._noticed(one)]
        """Interfaces that hosts were taken, and know it."""
        everything: list[Attempt | End] = [*self.history.attempts, *self.ends()]
        for one in everything:
            log = self.logs.get(one.host or "")
            lost = [loss.begun for loss in self.losses if loss.host == one.host]
            lost = [position for position in lost if position > one.begun]
            one.died = min([log.died(one.begun) if log else NEVER, *lost])
        self.bindings: Bindings = bind(self.sockets, self.history.attempts)
        self.openings = openings(self.trace, self.history, self.sockets, self.logs)

    def _noticed(self, loss: Loss) -> bool:
        """Tell whether a host has to know of a loss, or says that it does.

        What was given back before its agent came round to look was never gone, to the agent: it
        was frozen, or busy.
        """
        log = self.logs.get(loss.host)
        if log is not None and any(
            report.code in GONE and report.position > loss.begun for report in log.reports
        ):
            return True
        due = self.settled(loss.host, loss.done)
        return loss.until == NEVER or (due is not None and due <= loss.until)

    @cached_property
    def sent(self) -> list[Packet]:
        """List all decoded transmissions, each once."""
        return [packet for packet in self.trace.sent() if packet.message is not None]

    def sent_of(self, *kinds: type[Message]) -> Iterator[Packet]:
        """Yield the transmissions of some types."""
        return (packet for packet in self.sent if isinstance(packet.message, kinds))

    @cached_property
    def own(self) -> list[Packet]:
        """List what was captured at its sender's own interface, in order."""
        return [p for p in self.trace.packets if p.direction == "out" and p.message is not None]

    @cached_property
    def delivered(self) -> list[Packet]:
        """List what was captured at its receiver's own interface, in order."""
        return [p for p in self.trace.packets if p.direction == "in" and p.message is not None]

    @cached_property
    def events(self) -> "EventJudge":
        """Return the judged event timeline."""
        from mpwire.oracle.events import EventJudge  # noqa: PLC0415 - events builds on cases

        return EventJudge(self)

    def settled(self, host: str | None, position: Position) -> Position | None:
        """Return where a host has provably worked off what was delivered to it at a position."""
        log = self.logs.get(host) if host else None
        return log.barrier_after(position) if log else None

    def silent_from(self, host: str | None, position: Position) -> Position:
        """Return from where a host can no longer send what it had sent before it knew better.

        Its frames and its agent's lines take different ways to the record, so a frame that left
        before a barrier was answered may be recorded after that answer; but not after the answer
        to a second barrier, asked when the first one had been answered.
        """
        first = self.settled(host, position)
        second = self.settled(host, first) if first is not None else None
        return second if second is not None else NEVER

    def overdue(self, host: str | None, time_ns: float) -> Position:
        """Return from where on a host has provably let a timer pass that was due at a time.

        Whoever answers a barrier that was asked after that time has run since, and whoever then
        answers another call has come round to its timers in between; what left before that call
        was asked is on record when its answer is.
        """
        first = self.settled(host, self.trace.moment(int(time_ns)))
        log = self.logs.get(host) if host else None
        if first is None or log is None:
            return NEVER
        return log.answered_after(first)

    def unanswered(self) -> Iterator[Call]:
        """Yield the calls that must have been answered and were not.

        A call that may block stays open, and so does what an agent was doing when it was killed.
        """
        for log in self.logs.values():
            for call in log.unanswered:
                if not log.life_at(call.asked).killed and not self._blocks(call):
                    yield call

    def _blocks(self, call: Call) -> bool:
        if call.name == "select":
            return True
        socket = self.sockets.get(call.host, call.socket or 0)
        waits = call.name == "ioctl" and call.args.get("code") in AWAITED
        if socket is None or not (waits or call.name in MAY_BLOCK):
            return False
        return not any(one.mask for one in socket.selections if one.asked < call.asked)

    def killed(self, host: str | None, position: Position) -> bool:
        """Tell whether the script killed the agent that a host had at a position."""
        log = self.logs.get(host) if host else None
        return log is not None and log.life_at(position).killed

    def life_begun(self, host: str | None, position: Position) -> Position:
        """Return where the agent began that a host had at a position."""
        log = self.logs.get(host) if host else None
        return log.life_at(position).begun if log else START

    def life_end(self, host: str | None, position: Position) -> Position:
        """Return where the agent that a host had at a position ended or was told to end."""
        log = self.logs.get(host) if host else None
        return log.life_at(position).ended if log else NEVER

    def ends(self) -> Iterator[End]:
        """Yield both sides of every membership."""
        for membership in self.history.memberships:
            yield from membership.ends

    def socket_of(self, end: End) -> Socket | None:
        """Return the socket that stands for one side of a membership."""
        return self.bindings.handle_of(end.membership, at_root=end.is_root)

    def session_socket(self, end: End) -> Socket | None:
        """Return the socket on which a side reads and writes group data."""
        socket = self.socket_of(end)
        return socket.parent if socket is not None and end.is_root else socket

    def memberships_of(self, root: Socket) -> Iterator[Membership]:
        """Yield the memberships whose handles came from a c_root socket."""
        for membership, sockets in self.bindings.handles.items():
            if any(s.kind is Kind.HANDLE and s.parent is root for s in sockets):
                yield membership

    def bound_at(self, host: str | None, packet: Packet, *, sending: bool) -> Iterator[Socket]:
        """Yield the open sockets of a host at the address a packet comes from or goes to."""
        endpoint = packet.source if sending else packet.destination
        for socket in self.sockets.all:
            there = socket.host == host and socket.is_at(endpoint)
            if there and socket.created < packet.position < socket.closed:
                yield socket
