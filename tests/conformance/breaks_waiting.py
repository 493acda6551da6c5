"""Break W20 to W32: blocking and nonblocking joins, one at a time."""

from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Blocked, Provider, SocketError
from mpwire.winsock.record import FD_CONNECT, EventRecord, Phase
from mpwire.winsock.sockets import Role, Socket
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

# C. Blocking and nonblocking ------------------------------------------------------------------


@breaks(20)
def blocking_join_returns_early(patch: MonkeyPatch) -> None:
    """A join on a blocking socket returns its descriptor before anybody has answered."""

    def wrong(
        original: Original, self: Provider, handle: int, *others: object, **named: object
    ) -> object:
        value = original(self, handle, *others, **named)
        pending = self.sockets[handle].pending
        return pending.handle if isinstance(value, Blocked) and pending else value

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(21)
def started_join_would_block(patch: MonkeyPatch) -> None:
    """A join that was started on a nonblocking socket fails with EWOULDBLOCK."""

    def wrong(original: Original, *others: object, **named: object) -> object:
        value = original(*others, **named)
        if isinstance(value, int):
            raise SocketError(WsaError.WSAEWOULDBLOCK, "the join has been started")
        return value

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(22)
def connect_on_the_new_socket(patch: MonkeyPatch) -> None:
    """The end of R's join is told by FD_CONNECT on P, and not on R."""

    def wrong(
        original: Original, self: Provider, socket: Socket, event: NetworkEvent, *others: object
    ) -> None:
        children = [one for one in self.sockets.values() if one.parent is socket]
        target = children[-1] if event is FD_CONNECT and children else socket
        original(self, target, event, *others)

    wrap(patch, Provider, "occur", wrong)


@breaks(23)
def failure_at_once_is_silent(patch: MonkeyPatch) -> None:
    """A join that fails before anything was sent records no FD_CONNECT."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        handle = original(self, socket, *others)
        socket.record.enter(FD_CONNECT, Phase.IDLE)
        return handle

    wrap(patch, Provider, "_fail_at_once", wrong)


@breaks(24)
def new_socket_is_usable_at_once(patch: MonkeyPatch) -> None:
    """The P of a join that is outstanding can be used like any other."""

    def wrong(original: Original, self: Provider, *others: object, **named: object) -> object:
        value = original(self, *others, **named)
        if isinstance(value, int):
            self.sockets[value].usable = True
        return value

    wrap(patch, Provider, "join_leaf", wrong)


@breaks(25)
def closing_does_not_cancel(patch: MonkeyPatch) -> None:
    """Closing the P of a join that is outstanding frees the descriptor and nothing else."""

    def wrong(original: Original, self: Provider, handle: int, now_s: float) -> None:
        socket = self.find(handle)
        if socket.parent is not None and socket.parent.pending is socket:
            del self.sockets[handle]
        else:
            original(self, handle, now_s)

    wrap(patch, Provider, "close", wrong)


@breaks(25)
def cancelled_join_is_not_withdrawn(patch: MonkeyPatch) -> None:
    """Closing the P of a join that is outstanding frees the slot and leaves the request out."""

    def wrong(
        _original: Original, self: Provider, original: Socket, endpoint: object, *others: object
    ) -> None:
        self.give_up_join(endpoint, original, others[0])  # type: ignore[arg-type]

    wrap(patch, Provider, "_withdraw", wrong)


@breaks(26)
def select_tells_of_the_join(patch: MonkeyPatch) -> None:
    """A join that succeeded makes the socket writable before FD_CONNECT has told of it."""

    def wrong(original: Original, self: Provider, socket: Socket) -> object:
        (socket.parent or socket).untold = False
        return original(self, socket)

    wrap(patch, Provider, "is_writable", wrong)


@breaks(27)
def second_join_is_silent(patch: MonkeyPatch) -> None:
    """FD_CONNECT is recorded for the first join of a socket only."""

    def wrong(original: Original, self: EventRecord, call: str) -> None:
        if call != "join_leaf":
            original(self, call)

    wrap(patch, EventRecord, "called", wrong)


@breaks(27)
def connect_is_told_again_and_again(patch: MonkeyPatch) -> None:
    """FD_CONNECT stays in the record when it is enumerated."""

    def wrong(original: Original, self: EventRecord) -> object:
        phase = self.phases[FD_CONNECT]
        found = original(self)
        if phase is Phase.RECORDED:
            self.enter(FD_CONNECT, phase)
        return found

    wrap(patch, EventRecord, "enumerate", wrong)


@breaks(28)
def blocking_join_cannot_be_cancelled(patch: MonkeyPatch) -> None:
    """WSPCancelBlockingCall is ignored; the join goes on waiting."""
    wrap(patch, Provider, "cancel_blocking_call", lambda *_: None)


# D. One request at a time ---------------------------------------------------------------------


@breaks(29)
def two_joins_outstanding(patch: MonkeyPatch) -> None:
    """A second join may be started while the first is outstanding."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        membership = socket.membership
        if socket.pending is not None:
            socket.pending = socket.membership = None
        try:
            return original(self, socket, *others)
        finally:
            socket.membership = membership

    wrap(patch, Provider, "_check_join", wrong)


@breaks(30)
def member_joins_again(patch: MonkeyPatch) -> None:
    """A c_leaf that is a member may join another session."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        if socket.role is Role.LEAF and socket.pending is None:
            socket.membership = None
        return original(self, socket, *others)

    wrap(patch, Provider, "_check_join", wrong)


@breaks(31)
def root_joins_once(patch: MonkeyPatch) -> None:
    """A c_root with a member counts as connected: another join fails with EISCONN."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        session = socket.endpoint.session if socket.endpoint else None
        if session is not None and session.members and socket.pending is None:
            raise SocketError(WsaError.WSAEISCONN, "R has a member")
        return original(self, socket, *others)

    wrap(patch, Provider, "_check_join", wrong)


@breaks(32)
def failure_keeps_the_slot(patch: MonkeyPatch) -> None:
    """A join that failed counts as outstanding for ever."""

    def wrong(
        original: Original, self: Provider, endpoint: object, socket: Socket, error: SocketError
    ) -> None:
        pending = socket.pending
        original(self, endpoint, socket, error)
        socket.pending = pending

    wrap(patch, Provider, "give_up_join", wrong)


@breaks(32)
def success_keeps_the_slot(patch: MonkeyPatch) -> None:
    """A join of R that succeeded counts as outstanding for ever."""

    def wrong(original: Original, self: Provider, endpoint: object, socket: Socket) -> None:
        pending = socket.pending
        original(self, endpoint, socket)
        if pending is not None and pending.usable and pending is not socket:
            socket.pending = pending

    wrap(patch, Provider, "_release_join", wrong)
