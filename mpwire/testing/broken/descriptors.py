"""CR21-CR23: sockets with several descriptors, and without multipoint flags."""

from typing import Any

from mpwire.core.admission import Admission
from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.seams import wrap
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.messages import JoinReq
from mpwire.wire.registries import RejectReason


@patch("CR21", "socket-duplicates", "leaf1")
def twins_die_together() -> None:
    """Closing one descriptor of a socket makes the others unusable, and the socket lives on."""

    def together(original: Any, self: Provider, socket: Socket, handle: int) -> bool:
        last: bool = original(self, socket, handle)
        for other in (socket.handle, *socket.duplicates):
            self.sockets.pop(other, None)
        return last

    wrap(Provider, "drop_descriptor", together)


@patch("CR17", "socket-duplicates", "leaf1")
def ends_with_the_first_descriptor() -> None:
    """Closing one descriptor of a socket ends its membership, though another one is open."""

    def first(original: Any, self: Provider, socket: Socket, handle: int) -> bool:
        original(self, socket, handle)
        return True

    wrap(Provider, "drop_descriptor", first)


@patch("CR22", "socket-ordinary", "leaf1")
def joins_without_flags() -> None:
    """WSPJoinLeaf on an ordinary socket succeeds, and nothing leaves."""

    def generous(original: Any, self: Provider, handle: int, *others: Any, **named: Any) -> Any:
        if self.find(handle).role is Role.PLAIN:
            return handle
        return original(self, handle, *others, **named)

    wrap(Provider, "join_leaf", generous)


@patch("CR10", "socket-ordinary", "leaf1")
def asks_without_flags() -> None:
    """WSPJoinLeaf on an ordinary socket fails as it should, and its request leaves all the same."""

    def meddlesome(original: Any, self: Provider, handle: int, *others: Any, **named: Any) -> Any:
        socket = self.find(handle)
        if socket.role is Role.PLAIN:
            socket.role = Role.LEAF
            original(self, handle, *others, **named)
            raise SocketError(WsaError.WSAEINVAL, "broken")
        return original(self, handle, *others, **named)

    wrap(Provider, "join_leaf", meddlesome)


@patch("CR23", "socket-ordinary", "leaf1")
def connects_to_listeners() -> None:
    """WSPConnect to a listening c_leaf succeeds."""
    wrap(Provider, "connect", lambda *_: None)


@patch("EV1", "socket-ordinary", "leaf2")
def listening_leaf_admits_anybody() -> None:
    """A listening c_leaf queues requests that are no invitations."""

    def lenient(original: Any, self: Admission, request: JoinReq, *others: Any) -> Any:
        reason = original(self, request, *others)
        wrong_role = reason in {RejectReason.WRONG_ROLE, RejectReason.NO_SUCH_SESSION}
        return None if wrong_role and self.endpoint.session is None else reason

    wrap(Admission, "_objection", lenient)
