"""What every provider call is written with: the sockets, the endpoints, and blocking calls."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from mpwire.core import Endpoint, Entropy, Membership, TimerPlan
from mpwire.core.address import Address
from mpwire.core.agenda import Agenda
from mpwire.core.casting import Cast
from mpwire.core.events import Dropped, SendDatagram
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.contract import CONTRACT
from mpwire.winsock.errors import SocketError
from mpwire.winsock.protocols import ProtocolEntry
from mpwire.winsock.sessions import group_of, new_session
from mpwire.winsock.sockets import Role, Socket
from mpwire.winsock.transport import Transport

MAXIMUM_SOCKETS: Final = 65_536
"""Descriptors one provider hands out before WSAEMFILE."""
NO_SOCKET: Final = 0
"""The handle of a call that waits on no socket in particular; no socket has it."""


@dataclass(slots=True)
class Accepted:
    """What WSPAccept returns: the new descriptor and who is behind it."""

    socket: int
    address: Address
    caller_data: bytes | None


@dataclass(slots=True, frozen=True)
class Message:
    """One message and what there is to know of it."""

    payload: bytes
    private: bool
    """Whether it is side chat, which nobody else was sent (W61)."""
    origin: int
    """Member ID of who wrote it."""


@dataclass(slots=True, frozen=True)
class Ready:
    """What WSPSelect found: the descriptors of each set that are ready, ascending."""

    read: tuple[int, ...] = ()
    write: tuple[int, ...] = ()
    exceptional: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Return how many descriptors are ready."""
        return len(self.read) + len(self.write) + len(self.exceptional)


@dataclass(slots=True, frozen=True)
class WindowMessage:
    """One message of WSPAsyncSelect: one event of one socket (W100)."""

    window: int
    message: int
    socket: int
    """wParam."""
    event: NetworkEvent
    """Low word of lParam."""
    error: WsaError
    """High word of lParam."""


Value: TypeAlias = int | bytes | Message | Accepted | Ready


@dataclass(slots=True)
class Blocked:
    """A call on a blocking socket that waits; its outcome comes as a `Completion`."""

    token: int
    call: str
    handle: int
    retry: Callable[[float], Value | None] | None
    """Tries again; returns None if there is still nothing. None: not to be tried (again) now."""
    give_up: Callable[[], Value] | None = None
    """What it comes to when its time is over."""


@dataclass(slots=True)
class Closing:
    """A close that waits, and the memberships that it waits for."""

    waiting: Blocked
    remaining: set[Membership]


@dataclass(slots=True)
class Completion:
    """The outcome of a blocking call: a value, or the error it failed with."""

    token: int
    value: Value | None
    error: SocketError | None


class ProviderBase:
    """Keep the state of one provider; the calls are in the classes built on this one."""

    def __init__(
        self,
        transport: Transport,
        entropy: Entropy,
        plan: TimerPlan | None = None,
        maximum_sockets: int = MAXIMUM_SOCKETS,
    ) -> None:
        """Start with no sockets.

        Args:
            transport: opens UDP addresses.
            entropy: source of tags, sequence starts and jitter.
            plan: the timers to work with and to announce.
            maximum_sockets: descriptors before WSAEMFILE.
        """
        self.transport = transport
        self.entropy = entropy
        self.plan = plan or TimerPlan()
        self.maximum_sockets = maximum_sockets
        self.datagrams: list[SendDatagram] = []
        self.signalled: set[int] = set()
        """Event objects that are set; whoever waits on one enumerates, which resets it."""
        self.signallers: dict[int, dict[int, None]] = {}
        """Per event object, the sockets that have set it and have not been enumerated since."""
        self.messages: dict[int, deque[WindowMessage]] = {}
        """Per window, the messages that WSPAsyncSelect has posted and nobody has taken."""
        self.completions: list[Completion] = []
        self.dropped: list[Dropped] = []
        self.sockets: dict[int, Socket] = {}
        self.endpoints: dict[Address, Endpoint] = {}
        self.agenda: Agenda[Address] = Agenda()
        """When the timers of which endpoint are due."""
        self.holders: dict[Address, Socket] = {}
        """The open R or L that owns an endpoint."""
        self.owners: dict[Membership, Socket] = {}
        """The socket that stands for a membership: P, A, or an L that joins."""
        self.capacities: dict[str, int] = {}
        """What the network carries each way at a local address, where that is known."""
        self.lost: set[str] = set()
        """Local addresses whose interface is lost."""
        self.blocked: dict[int, Blocked] = {}
        """Every call that waits, by token."""
        self.blocked_on: dict[int, dict[int, Blocked]] = {}
        """The same by the handle of their socket, so that waking one looks at no other."""
        self.polls: dict[int, Callable[[], Ready]] = {}
        """How each waiting WSPSelect looks, by token."""
        self.deadlines: Agenda[int] = Agenda()
        """When which waiting call ends for want of anything else, by token."""
        self.closing: dict[Membership, Closing] = {}
        """The close that waits for the end of a membership."""
        self.in_condition = False
        """Whether a condition function runs; no other call is allowed meanwhile."""
        self._last_handle = 0
        self._last_token = 0

    # Sockets ----------------------------------------------------------------------------------

    def find(self, handle: int) -> Socket:
        """Return the socket of a descriptor.

        Raises:
            SocketError: WSAENOTSOCK; WSAEINPROGRESS inside a condition function.
        """
        if self.in_condition:
            raise SocketError(WsaError.WSAEINPROGRESS, "a condition function is running")
        socket = self.sockets.get(handle)
        if socket is None:
            raise SocketError(WsaError.WSAENOTSOCK, f"{handle} is no socket")
        return socket

    def bind_implicitly(self, socket: Socket) -> Endpoint:
        """Return the endpoint of a socket, binding it to a free port first if needed (W9)."""
        if socket.endpoint is None:
            self.open_endpoint(socket, None)
        assert socket.endpoint is not None
        return socket.endpoint

    def open_endpoint(self, socket: Socket, address: Address | None) -> None:
        """Bind a socket to a UDP address; a root gets its session with it."""
        local = self.transport.open(address, socket.family)
        profile = socket.protocol.profile
        session = None
        if socket.role is Role.ROOT:
            session = new_session(socket, local, self.entropy)
        capacity = self.capacity_at(local[0], socket.protocol)
        socket.endpoint = Endpoint(local, self.plan, self.entropy, session, profile, capacity)
        self.endpoints[local] = socket.endpoint
        self.holders[local] = socket
        if session is not None and session.facts.description.group:
            self.reach_group(socket)

    def reach_group(self, root: Socket) -> None:
        """Prepare to send to the group of a root's session, as far as its scope says."""
        endpoint = root.endpoint
        assert endpoint is not None
        assert endpoint.session is not None
        group = group_of(endpoint.session.facts.description)
        try:
            source = self.transport.source_for(endpoint.local, group)
        except SocketError:
            endpoint.cast = None  # every member gets a copy of its own
            return
        self.transport.set_reach(endpoint.local, source, root.options.scope)
        endpoint.cast = Cast(source, group)

    def check_network(self, endpoint: Endpoint) -> None:
        """Raise WSAENETDOWN when the interface that an endpoint is bound to is lost."""
        if endpoint.local[0] in self.lost:
            raise SocketError(WsaError.WSAENETDOWN, f"{endpoint.local[0]} is lost")

    def capacity_at(self, host: str, protocol: ProtocolEntry) -> int:
        """Return what a protocol can carry each way at a local address, octets per second."""
        capacity = self.capacities.get(host, protocol.capacity_octets_per_s)
        return min(capacity, protocol.capacity_octets_per_s)

    def open_sockets(self) -> list[Socket]:
        """Return every socket that has a descriptor, once each."""
        return [*dict.fromkeys(self.sockets.values())]

    def check_descriptor_free(self) -> None:
        """Raise WSAEMFILE when no descriptor is left."""
        if len(self.sockets) >= self.maximum_sockets:
            raise SocketError(WsaError.WSAEMFILE, f"{self.maximum_sockets} sockets are open")

    def new_handle(self) -> int:
        """Return a descriptor never used before."""
        self._last_handle += 1
        return self._last_handle

    def signal(self, socket: Socket, wanted: bool) -> None:
        """Set the event object of a socket, if an occurrence asks for it (W86), or post (W100)."""
        if wanted and socket.record.window is not None:
            to = socket.record.window
            self.messages.setdefault(to.window, deque()).extend(
                WindowMessage(to.window, to.message, socket.handle, event, code)
                for event, code in self.hand_out(socket)
            )
        elif wanted and socket.record.event_object is not None:
            self.signalled.add(socket.record.event_object)
            self.signallers.setdefault(socket.record.event_object, {})[socket.handle] = None

    def hand_out(self, socket: Socket) -> list[tuple[NetworkEvent, WsaError]]:
        """Take the nominated events out of the record of a socket, for its application."""
        found = socket.record.enumerate()
        if (NetworkEvent.FD_CONNECT, WsaError.SUCCESS) in found:
            socket.untold = False
        return found

    def unmark(self, socket: Socket) -> bool:
        """Forget that a socket has set its event object, which stays as it is; return if it had."""
        event_object = socket.record.event_object
        signallers = self.signallers.get(event_object, {}) if event_object is not None else {}
        return socket.handle in signallers and signallers.pop(socket.handle) is None

    def occur(self, socket: Socket, event: NetworkEvent, code: WsaError = WsaError.SUCCESS) -> None:
        """Record that something new happened on an open socket."""
        assert socket.role in CONTRACT[event].on, (event, socket.role)
        if code is not WsaError.SUCCESS:
            socket.error = code
        if socket.handle in self.sockets:
            self.signal(socket, socket.record.occur(event, code))

    # Blocking calls ---------------------------------------------------------------------------

    def block(
        self,
        call: str,
        socket: Socket | None,
        retry: Callable[[float], Value | None] | None = None,
    ) -> Blocked:
        """Note that a call waits, on a socket or (WSPSelect) on none in particular."""
        self._last_token += 1
        handle = NO_SOCKET if socket is None else socket.handle
        waiting = Blocked(self._last_token, call, handle, retry)
        self.blocked[waiting.token] = waiting
        self.blocked_on.setdefault(handle, {})[waiting.token] = waiting
        return waiting

    def wake(self, call: str, socket: Socket, now_s: float) -> None:
        """Let calls that wait on a socket try again, the oldest first.

        A try may wake others, but never itself.
        """
        for waiting in [*self.blocked_on.get(socket.handle, {}).values()]:
            retry = waiting.retry
            if waiting.call != call or retry is None:
                continue
            waiting.retry = None
            try:
                value = retry(now_s)
            except SocketError as error:
                self.finish(waiting, error=error)
            else:
                if value is None:
                    waiting.retry = retry
                    return
                self.finish(waiting, value)

    def expire_waiting(self, now_s: float) -> None:
        """End the waiting calls whose time is over."""
        for token in self.deadlines.due(now_s):
            waiting = self.blocked[token]
            assert waiting.give_up is not None
            self.finish(waiting, waiting.give_up())

    def look_again(self) -> None:
        """Let calls that wait for any of several sockets look at them again."""

    def finish(
        self, waiting: Blocked, value: Value | None = None, error: SocketError | None = None
    ) -> None:
        """Complete a waiting call."""
        del self.blocked[waiting.token]
        others = self.blocked_on[waiting.handle]
        del others[waiting.token]
        if not others:
            del self.blocked_on[waiting.handle]
        self.deadlines.note(waiting.token, None)
        self.polls.pop(waiting.token, None)
        self.completions.append(Completion(waiting.token, value, error))

    def finish_all(self, socket: Socket, call: str | None, outcome: Value | SocketError) -> int:
        """Complete the calls that wait on a socket, of one kind or all; return how many did."""
        found = [
            waiting
            for waiting in self.blocked_on.get(socket.handle, {}).values()
            if call in {None, waiting.call}
        ]
        for waiting in found:
            if isinstance(outcome, SocketError):
                self.finish(waiting, error=outcome)
            else:
                self.finish(waiting, outcome)
        return len(found)
