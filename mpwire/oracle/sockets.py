"""Follow descriptors: what each socket is, what was selected on it and what became of it.

R is a c_root socket, P a per-leaf handle in the root process, L a c_leaf socket, A what
WSPAccept returns in a leaf process (semantics.md 0.3), S an ordinary socket. Everything here
follows from the calls and their answers alone; packets come in later.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from mpwire.oracle.calls import AgentLog, Call
from mpwire.oracle.trace import NEVER, START, Endpoint, Position, canonical
from mpwire.vocabulary import NetworkEvent

if TYPE_CHECKING:
    from mpwire.oracle.membership import Attempt, Membership

ANY_ADDRESSES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
DEFAULT_BACKLOG = 5
"""What an agent listens with unless it is told."""
MAXIMUM_BACKLOG = 200
"""Larger backlogs count as this one (W101)."""


class Kind(StrEnum):
    """What a socket is in the session."""

    ROOT = "R"
    HANDLE = "P"
    LEAF = "L"
    ACCEPTED = "A"
    ORDINARY = "S"
    """Made without multipoint flags."""


@dataclass(slots=True)
class Selection:
    """One WSPEventSelect: what it nominated, from when on."""

    asked: Position
    answered: Position
    mask: int
    report: bool
    window: int | None = None
    """Where WSPAsyncSelect has events posted as messages, instead of an event object."""


@dataclass(slots=True, eq=False)
class Socket:
    """One descriptor of one host."""

    host: str
    descriptor: int
    kind: Kind
    flags: frozenset[str]
    created: Position
    """Where the call that made it was asked."""
    maker: Call
    parent: "Socket | None" = None
    duplicates: list[int] = field(default_factory=list)
    """Further descriptors of it (W84), in the order in which they were made."""
    open_descriptors: set[int] = field(default_factory=set)
    """Those of all its descriptors whose close was not asked yet, as the calls are replayed."""
    closes: dict[int, Call] = field(default_factory=dict)
    """The close of each descriptor that was closed."""
    local: Endpoint | None = None
    listening: Position = NEVER
    backlogs: list[tuple[Position, int]] = field(default_factory=list)
    """What listen was given, and where it was asked."""
    selections: list[Selection] = field(default_factory=list)
    closing: Call | None = None
    lingers: list[Call] = field(default_factory=list)
    shutdowns: list[Call] = field(default_factory=list)
    joins: list[Call] = field(default_factory=list)
    accepts: list[Call] = field(default_factory=list)
    sends: list[Call] = field(default_factory=list)
    receives: list[Call] = field(default_factory=list)
    ioctls: list[Call] = field(default_factory=list)
    attempt: "Attempt | None" = None
    """For P and A, and the newest of L: the join it stands for."""
    membership: "Membership | None" = None
    born: Position = START
    """Where its process began."""
    died: Position = NEVER
    """Where its process ended, if another has taken its place since."""

    @property
    def name(self) -> str:
        """Name it as findings do."""
        return f"{self.host}:{self.kind}{self.descriptor}"

    @property
    def closed(self) -> Position:
        """Where its close was asked, if it succeeded, or its process gave way to another."""
        return self.closing.asked if self.closing else self.died

    @property
    def gone(self) -> Position:
        """Where its close was answered: nothing may be reported on it from there on."""
        return self.closing.answered if self.closing else self.died

    def given_back(self, descriptor: int) -> Position:
        """Return where the close of one of its descriptors was answered."""
        close = self.closes.get(descriptor)
        return close.answered if close is not None else self.died

    def has(self, descriptor: int | None) -> bool:
        """Tell whether a descriptor is one of its own."""
        return descriptor == self.descriptor or descriptor in self.duplicates

    def selection_at(self, position: Position) -> Selection | None:
        """Return the selection that stands at a position."""
        before = [one for one in self.selections if one.asked <= position]
        return before[-1] if before else None

    def nominated(self, event: str, since: Position) -> tuple[Position, bool] | None:
        """Return from where on, at or after a position, an event was selected, and if reported.

        Conditions that hold already are recorded when the selection is made (W97).
        """
        bit = NetworkEvent[event]
        current: Selection | None = None
        for selection in self.selections:
            if selection.asked > since:
                break
            current = selection
        if current is not None and current.mask & bit:
            return since, current.report
        for selection in self.selections:
            if selection.asked > since and selection.mask & bit:
                return selection.asked, selection.report
        return None

    def listens_at(self, position: Position) -> bool:
        """Tell whether it was listening and open at a position."""
        return self.listening < position < self.gone

    def backlog_at(self, position: Position) -> int:
        """Return how many requests may wait at a position."""
        return next((size for asked, size in reversed(self.backlogs) if asked < position), 1)

    def loopback_off(self, position: Position) -> bool:
        """Tell whether what it sent at a position did not come back to it (W65)."""
        said = [
            call
            for call in self.ioctls
            if call.text("code") == "SIO_MULTIPOINT_LOOPBACK" and call.answered <= position
        ]
        return bool(said) and not said[-1].args.get("value")

    def is_at(self, endpoint: Endpoint) -> bool:
        """Tell whether it is bound to this address and port (a wildcard address fits any)."""
        if self.local is None:
            return False
        address, port = self.local
        return port == endpoint[1] and (address in ANY_ADDRESSES or address == endpoint[0])


class SocketTable:
    """All sockets of all hosts."""

    def __init__(self, logs: dict[str, AgentLog]) -> None:
        """Replay the calls of every agent in the order of its lines."""
        self.all: list[Socket] = []
        self._open: dict[tuple[str, int], Socket] = {}
        for log in logs.values():
            moments = [(call.asked, 0, call) for call in log.calls]
            moments += [(call.answered, 1, call) for call in log.calls if call.ok]
            for _, answered, call in sorted(moments, key=lambda moment: moment[:2]):
                if answered:
                    self._create(call)
                else:
                    self._apply(call)
        for socket in self.all:
            log = logs[socket.host]
            socket.born = log.life_at(socket.created).begun
            socket.died = log.died(socket.created)

    def get(self, host: str, descriptor: int) -> Socket | None:
        """Return the socket of a descriptor; descriptors are never reused."""
        return self._open.get((host, descriptor))

    def _add(self, socket: Socket) -> None:
        self.all.append(socket)
        socket.open_descriptors.add(socket.descriptor)
        self._open.setdefault((socket.host, socket.descriptor), socket)

    def _create(self, call: Call) -> None:
        """Make the socket that a successful call returned."""
        descriptor = (call.result or {}).get("socket")
        if call.name == "duplicate_socket" and isinstance(descriptor, int):
            self._duplicate(call, descriptor)
            return
        if call.name not in ("socket", "join_leaf", "accept") or not isinstance(descriptor, int):
            if call.name == "getsockname" and call.socket is not None:
                self._named(call)
            return
        if (call.host, descriptor) in self._open:
            return
        if call.name == "socket":
            listed = call.args.get("flags")
            flags = frozenset(str(flag) for flag in listed) if isinstance(listed, list) else ()
            kind = Kind.ROOT if "C_ROOT" in flags else Kind.LEAF if flags else Kind.ORDINARY
            self._add(Socket(call.host, descriptor, kind, frozenset(flags), call.asked, call))
            return
        parent = self.get(call.host, call.socket or 0)
        if parent is not None:
            kind = Kind.HANDLE if parent.kind is Kind.ROOT else Kind.ACCEPTED
            self._inherit(call, descriptor, kind, parent)

    def _duplicate(self, call: Call, descriptor: int) -> None:
        """Note another descriptor of a socket: it lives until the last of them is closed (W84)."""
        socket = self.get(call.host, call.socket or 0)
        if socket is not None and (call.host, descriptor) not in self._open:
            socket.duplicates.append(descriptor)
            socket.open_descriptors.add(descriptor)
            self._open[call.host, descriptor] = socket

    def _inherit(self, call: Call, descriptor: int, kind: Kind, parent: Socket) -> None:
        """Give a new socket its parent's properties (W13, W47)."""
        child = Socket(call.host, descriptor, kind, parent.flags, call.asked, call, parent)
        child.local = parent.local
        for selection in parent.selections:
            if selection.asked <= call.asked:
                child.selections.append(
                    Selection(
                        call.asked,
                        call.answered,
                        selection.mask,
                        selection.report,
                        selection.window,
                    )
                )
        del child.selections[:-1]
        child.ioctls += parent.ioctls
        self._add(child)

    def _named(self, call: Call) -> None:
        socket = self.get(call.host, call.socket or 0)
        endpoint = endpoint_of((call.result or {}).get("address"))
        if socket is not None and endpoint is not None:
            socket.local = endpoint

    def _apply(self, call: Call) -> None:
        """Note a call at the socket it is about."""
        socket = self.get(call.host, call.socket or 0)
        if socket is None:
            return
        match call.name:
            case "bind" if call.ok:
                socket.local = endpoint_of(call.args.get("address")) or socket.local
            case "listen" if call.ok:
                socket.listening = min(socket.listening, call.asked)
                backlog = call.args.get("backlog", DEFAULT_BACKLOG)
                if isinstance(backlog, int):
                    socket.backlogs.append((call.asked, min(max(backlog, 1), MAXIMUM_BACKLOG)))
            case "event_select" | "async_select" if call.ok:
                socket.selections.append(_selection(call))
            case "close" if call.ok and socket.closing is None:
                socket.closes.setdefault(call.socket or 0, call)
                socket.open_descriptors.discard(call.socket or 0)
                if not socket.open_descriptors:
                    socket.closing = call
            case "shutdown" if call.ok:
                socket.shutdowns.append(call)
            case "set_linger" if call.ok:
                socket.lingers.append(call)
            case "join_leaf":
                socket.joins.append(call)
            case "accept":
                socket.accepts.append(call)
            case "send":
                socket.sends.append(call)
            case "ioctl" if call.ok:
                socket.ioctls.append(call)
            case "recv":
                socket.receives.append(call)
            case _:
                pass


def _selection(call: Call) -> Selection:
    """Read what was selected, and whether the agent reports it or a window is sent messages."""
    mask = event_mask(call.args.get("events"))
    if call.name == "event_select":
        report = call.args.get("report", True) is True
        return Selection(call.asked, call.answered, mask, report)
    window = call.args.get("window")
    number = window if isinstance(window, int) else 0
    return Selection(call.asked, call.answered, mask, report=False, window=number)


def event_mask(names: object) -> int:
    """Return the bits of a list of event names; unknown names are none."""
    mask = 0
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and name in NetworkEvent.__members__:
            mask |= NetworkEvent[name]
    return mask


def endpoint_of(value: object) -> Endpoint | None:
    """Return the address and port of a JSON pair, or None."""
    match value:
        case [str() as address, int() as port]:
            return canonical(address), port
        case _:
            return None
