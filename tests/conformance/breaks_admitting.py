"""Break W39 to W51: a leaf asks, and both on one socket."""

from concurrent.futures import ThreadPoolExecutor
from copy import copy

from mpwire.core import Endpoint, Membership
from mpwire.core.listener import Entry, Listener
from mpwire.vocabulary import Condition, WsaError
from mpwire.winsock import Accepted, Provider, SocketError
from mpwire.winsock.record import FD_ACCEPT, EventRecord
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.registries import RejectReason
from tests.conformance.mistakes import connect_at_once, mistake_refusal, mute
from tests.conformance.registry import MonkeyPatch, Original, breaks, mistake, wrap

# F. A leaf asks -------------------------------------------------------------------------------


@breaks(39)
def request_is_not_indicated(patch: MonkeyPatch) -> None:
    """A leaf's request waits at R without FD_ACCEPT."""
    mute(patch, Role.ROOT)


@breaks(40)
def admitted_leaf_gives_no_p(patch: MonkeyPatch) -> None:
    """What WSPAccept returns for R carries data like a leaf's end."""

    def wrong(original: Original, self: Provider, *others: object) -> Accepted:
        accepted: Accepted = original(self, *others)
        self.sockets[accepted.socket].role = Role.INVITED
        return accepted

    wrap(patch, Provider, "_admit", wrong)


@breaks(41)
def leaf_is_told_before_it_is_admitted(patch: MonkeyPatch) -> None:
    """L gets FD_CONNECT(0) when its request leaves, not when the root has accepted."""
    connect_at_once(patch, Role.LEAF)


@breaks(42)
def refused_leaf_seems_unanswered(patch: MonkeyPatch) -> None:
    """L gets FD_CONNECT(ETIMEDOUT) when the root's condition function rejects."""
    mistake_refusal(patch, of_invitation=False)


@breaks(43)
def deferring_loses_the_request(patch: MonkeyPatch) -> None:
    """A request that was deferred leaves the queue."""

    def wrong(
        original: Original, self: Provider, socket: Socket, entry: Entry, *others: object
    ) -> object:
        try:
            return original(self, socket, entry, *others)
        except SocketError as error:
            if error.code is WsaError.WSATRY_AGAIN:
                assert socket.endpoint is not None
                assert socket.endpoint.listener is not None
                socket.endpoint.listener.take(entry)
            raise

    wrap(patch, Provider, "_decide", wrong)


@breaks(43)
def deferred_request_is_not_asked_about_again(patch: MonkeyPatch) -> None:
    """A request that was deferred is accepted next time without asking the condition function."""

    def wrong(original: Original, self: Provider, entry: Entry, *others: object) -> object:
        again = entry.membership.deferred
        return (Condition.ACCEPT, None) if again else original(self, entry, *others)

    wrap(patch, Provider, "ask", wrong)


@breaks(44)
def deferring_re_enables(patch: MonkeyPatch) -> None:
    """FD_ACCEPT goes on being indicated while the head of the queue is deferred."""

    def indicates(listener: Listener) -> bool:
        return any(entry.gone is None and not entry.parked for entry in listener.entries)

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        try:
            return original(self, socket, *others)
        except SocketError:
            socket.record.reenable(FD_ACCEPT)
            raise

    patch.setattr(Listener, "indicates", property(indicates))
    wrap(patch, Provider, "_decide", wrong)


@breaks(45)
def dead_request_vanishes(patch: MonkeyPatch) -> None:
    """A request that ended leaves the queue, so that WSPAccept never learns of it."""

    def wrong(_original: Original, self: Listener, membership: Membership, _code: object) -> None:
        self.entries = [entry for entry in self.entries if entry.membership is not membership]

    wrap(patch, Listener, "mark_gone", wrong)


@breaks(45)
def every_dead_request_was_reset(patch: MonkeyPatch) -> None:
    """A request that ran out of time looks like one that its peer has ended."""

    def wrong(original: Original, self: Listener, membership: Membership, _code: object) -> None:
        original(self, membership, WsaError.WSAECONNRESET)

    wrap(patch, Listener, "mark_gone", wrong)


@breaks(46)
def condition_sees_the_wrong_caller(patch: MonkeyPatch) -> None:
    """The condition function gets the local address for the caller's, and the other way round."""

    def wrong(original: Original, self: Provider, entry: Entry, *others: object) -> object:
        request = copy(entry.membership)
        request.peer, request.local = request.local, request.peer
        return original(self, Entry(request), *others)

    wrap(patch, Provider, "ask", wrong)


@breaks(46)
def condition_runs_on_another_thread(patch: MonkeyPatch) -> None:
    """The condition function runs on a thread of the provider's own."""

    def wrong(original: Original, *others: object) -> object:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(original, *others).result()

    wrap(patch, Provider, "ask", wrong)


@breaks(47)
def selection_is_not_inherited_by_accepting(patch: MonkeyPatch) -> None:
    """The socket that WSPAccept returns starts without a selection."""

    def wrong(original: Original, self: Provider, *others: object) -> Accepted:
        accepted: Accepted = original(self, *others)
        self.sockets[accepted.socket].record = EventRecord()
        return accepted

    wrap(patch, Provider, "_admit", wrong)


@breaks(47)
def accepted_socket_accepts(patch: MonkeyPatch) -> None:
    """WSPAccept on a P takes the next request of its R."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> object:
        parent = self.find(handle).parent
        return original(self, parent.handle if parent else handle, *others)

    wrap(patch, Provider, "accept", wrong)


@breaks(47)
def accepting_ends_the_listening(patch: MonkeyPatch) -> None:
    """A listener that has accepted a request listens no more."""

    def wrong(
        original: Original, self: Provider, socket: Socket, endpoint: Endpoint, *others: object
    ) -> object:
        accepted = original(self, socket, endpoint, *others)
        endpoint.stop_listening(RejectReason.NOT_LISTENING, others[-1])  # type: ignore[arg-type]
        return accepted

    wrap(patch, Provider, "_admit", wrong)


@breaks(48)
def who_does_not_listen_would_block(patch: MonkeyPatch) -> None:
    """WSPAccept on a socket that does not listen fails with EWOULDBLOCK."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> object:
        endpoint = self.find(handle).endpoint
        if endpoint is None or endpoint.listener is None:
            raise SocketError(WsaError.WSAEWOULDBLOCK, "no request waits")
        return original(self, handle, *others)

    wrap(patch, Provider, "accept", wrong)


@breaks(48)
def nothing_queued_is_invalid(patch: MonkeyPatch) -> None:
    """WSPAccept on an empty queue fails with EINVAL."""
    mistake(patch, Provider, "accept", WsaError.WSAEWOULDBLOCK, becomes=WsaError.WSAEINVAL)


@breaks(48)
def descriptors_have_no_limit(patch: MonkeyPatch) -> None:
    """WSPAccept never runs out of descriptors."""
    wrap(patch, Provider, "check_descriptor_free", lambda *_: None)


@breaks(48)
def any_answer_is_an_acceptance(patch: MonkeyPatch) -> None:
    """A condition function that answers something else has accepted."""

    def wrong(original: Original, *others: object) -> object:
        try:
            return original(*others)
        except SocketError as error:
            if error.code is WsaError.WSAEINVAL:
                return Condition.ACCEPT, None
            raise

    wrap(patch, Provider, "ask", wrong)


# G. Both on one socket ------------------------------------------------------------------------


@breaks(49)
def listening_root_cannot_invite(patch: MonkeyPatch) -> None:
    """WSPJoinLeaf on a listening R fails with EINVAL, as WSPConnect on a listener does."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        if socket.endpoint is not None and socket.endpoint.listener is not None:
            raise SocketError(WsaError.WSAEINVAL, "the socket listens")
        return original(self, socket, *others)

    wrap(patch, Provider, "_check_join", wrong)


@breaks(50)
def listening_root_cannot_send(patch: MonkeyPatch) -> None:
    """WSPSend on a listening R fails with EOPNOTSUPP."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> object:
        endpoint = self.find(handle).endpoint
        if endpoint is not None and endpoint.listener is not None:
            raise SocketError(WsaError.WSAEOPNOTSUPP, "the socket listens")
        return original(self, handle, *others)

    wrap(patch, Provider, "send", wrong)


@breaks(51)
def invitation_holds_up_requests(patch: MonkeyPatch) -> None:
    """WSPAccept on R finds nothing while an invitation of R is outstanding."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> object:
        if self.find(handle).pending is not None:
            raise SocketError(WsaError.WSAEWOULDBLOCK, "an invitation is outstanding")
        return original(self, handle, *others)

    wrap(patch, Provider, "accept", wrong)
