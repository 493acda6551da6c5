"""Break W66 to W71: leaving and dismantling."""

from mpwire.core import Endpoint, member
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider
from mpwire.winsock.record import FD_CLOSE
from mpwire.winsock.sockets import Role, Socket
from tests.conformance.mistakes import on_close_seen
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

GRACEFUL = WsaError.SUCCESS


@breaks(66)
def leaving_is_not_told(patch: MonkeyPatch) -> None:
    """P stays silent when its leaf leaves."""

    def wrong(
        original: Original, self: Provider, socket: Socket, code: WsaError, now_s: float
    ) -> None:
        root_is_there = socket.parent is not None and not socket.parent.send_shut
        if socket.role is Role.ROOT_LEAF and code is GRACEFUL and root_is_there:
            socket.ended = code
        else:
            original(self, socket, code, now_s)

    on_close_seen(patch, wrong)


@breaks(66)
def leaving_is_told_to_the_root_too(patch: MonkeyPatch) -> None:
    """R gets FD_CLOSE when one of its leaves leaves."""

    def wrong(
        original: Original, self: Provider, socket: Socket, code: WsaError, now_s: float
    ) -> None:
        original(self, socket, code, now_s)
        if socket.role is Role.ROOT_LEAF and socket.parent is not None:
            self.occur(socket.parent, FD_CLOSE, code)

    on_close_seen(patch, wrong)


@breaks(67)
def closing_p_expels_nobody(patch: MonkeyPatch) -> None:
    """Closing the P of a member frees the descriptor and nothing else."""

    def wrong(original: Original, self: Provider, handle: int, now_s: float) -> None:
        socket = self.find(handle)
        if socket.role is Role.ROOT_LEAF and socket.is_joined:
            del self.sockets[handle]
        else:
            original(self, handle, now_s)

    wrap(patch, Provider, "close", wrong)


@breaks(67)
def closing_p_expels_everybody(patch: MonkeyPatch) -> None:
    """Closing the P of one member ends the membership of all."""

    def wrong(original: Original, self: Provider, handle: int, now_s: float) -> None:
        socket = self.find(handle)
        original(self, handle, now_s)
        if socket.role is Role.ROOT_LEAF and socket.parent is not None:
            for other in [*self.sockets.values()]:
                if other.parent is socket.parent:
                    original(self, other.handle, now_s)

    wrap(patch, Provider, "close", wrong)


@breaks(68)
def dismantling_forgets_accepted_leaves(patch: MonkeyPatch) -> None:
    """When R is closed, the P of a leaf that had asked gets no FD_CLOSE."""

    def wrong(
        original: Original, self: Provider, socket: Socket, code: WsaError, now_s: float
    ) -> None:
        root_is_gone = socket.parent is not None and socket.parent.handle not in self.sockets
        asked = socket.membership is not None and not socket.membership.initiator
        if socket.role is Role.ROOT_LEAF and root_is_gone and asked:
            socket.ended = code
        else:
            original(self, socket, code, now_s)

    on_close_seen(patch, wrong)


@breaks(68)
def dismantling_forgets_the_newest_leaf(patch: MonkeyPatch) -> None:
    """When R is closed, the leaf that joined last is not told."""

    def wrong(
        original: Original, self: Provider, root: Socket, endpoint: Endpoint, now_s: float
    ) -> None:
        if endpoint.session is not None and len(endpoint.session.members) > 1:
            endpoint.session.members.popitem()
        original(self, root, endpoint, now_s)

    wrap(patch, Provider, "_dismantle", wrong)


@breaks(69)
def shutdown_frees_the_root(patch: MonkeyPatch) -> None:
    """Shutting R down gives its descriptor back."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        socket = self.find(handle)
        original(self, handle, *others)
        if socket.role is Role.ROOT and socket.send_shut:
            del self.sockets[handle]

    wrap(patch, Provider, "shutdown", wrong)


@breaks(69)
def closing_tells_a_second_time(patch: MonkeyPatch) -> None:
    """Closing an R that was shut down records FD_CLOSE on every P once more."""

    def wrong(original: Original, self: Provider, handle: int, now_s: float) -> None:
        root = self.find(handle)
        original(self, handle, now_s)
        for socket in [*self.sockets.values()]:
            if socket.parent is root and socket.ended is not None:
                socket.record.reenable(FD_CLOSE)
                self.occur(socket, FD_CLOSE, socket.ended)

    wrap(patch, Provider, "close", wrong)


@breaks(70)
def leaves_go_on_without_the_root(patch: MonkeyPatch) -> None:
    """A leaf may go on sending when its session has ended."""

    def wrong(
        original: Original, self: Provider, handle: int, payload: bytes, *others: object
    ) -> object:
        if self.find(handle).ended is not None:
            return len(payload)
        return original(self, handle, payload, *others)

    wrap(patch, Provider, "send", wrong)


@breaks(71)
def what_is_missing_is_not_waited_for(patch: MonkeyPatch) -> None:
    """A leaf sees the end before data that was sent earlier but comes later."""
    wrap(patch, member, "is_complete", lambda *_: True)


@breaks(71)
def what_is_unread_goes_with_the_end(patch: MonkeyPatch) -> None:
    """A graceful end throws away what has arrived and was not read."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> None:
        socket.queue = ()
        original(self, socket, *others)

    on_close_seen(patch, wrong)
