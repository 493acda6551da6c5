"""EV1-EV10, EV21: FD_ACCEPT, FD_CONNECT and FD_WRITE."""

from typing import Any

from mpwire.core.address import Address
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.reports import SUCCESS, coded, doubled, never, say
from mpwire.testing.broken.seams import once, record, wrap
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider
from mpwire.winsock.record import FD_ACCEPT, FD_CONNECT, FD_WRITE, EventRecord
from mpwire.winsock.sockets import Socket
from mpwire.wire.codec import decode_untrusted
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import JoinReq

# FD_ACCEPT ------------------------------------------------------------------------------------


@patch("EV1", "rooted-lan", "root")
def accept_without_cookie() -> None:
    """FD_ACCEPT is recorded for a JOIN_REQ that has proven nothing, instead of a CHALLENGE."""

    def gullible(original: Any, self: Provider, opened: Address, data: bytes, *others: Any) -> None:
        if self.endpoints[opened].listener is not None and _is_unproven_request(data):
            self.occur(self.holders[opened], FD_ACCEPT)
        else:
            original(self, opened, data, *others)

    wrap(Provider, "receive_untrusted", gullible)


def _is_unproven_request(data: bytes) -> bool:
    try:
        message = decode_untrusted(data)
    except DecodeError:
        return False
    return isinstance(message, JoinReq) and message.cookie is None


@patch("EV1", "rooted-lan", "root")
def accept_never_reported() -> None:
    """Requests are queued, and nobody is told."""
    never(FD_ACCEPT)
    put(EventRecord, "still_holds", lambda *_: False)


@patch("EV2", "rooted-lan", "root")
def accept_reported_twice() -> None:
    """Every FD_ACCEPT is handed out twice."""
    doubled(FD_ACCEPT)


# FD_CONNECT -----------------------------------------------------------------------------------


@patch("EV3", "rooted-lan", "leaf1")
def connect_never_reported() -> None:
    """An ACCEPT arrives and is confirmed, but FD_CONNECT(0) is never recorded."""
    never(FD_CONNECT, lambda _socket, code: code is SUCCESS)


@patch("EV3", "rooted-lan", "root")
def connect_on_new_socket() -> None:
    """FD_CONNECT is recorded on the socket that WSPJoinLeaf returned instead of the original."""

    def confused(
        occur: Any, self: Provider, socket: Socket, event: NetworkEvent, code: WsaError
    ) -> None:
        joined = socket.pending
        for other in self.open_sockets():
            if other.parent is socket and other.membership and other.membership.initiator:
                joined = other
        if event is FD_CONNECT and joined is not None and joined is not socket:
            self.signal(joined, joined.record.occur(event, WsaError(code)))
        else:
            occur(self, socket, event, WsaError(code))

    record(confused)


@patch("EV3", "rooted-lan", "leaf1")
def connected_when_asked() -> None:
    """FD_CONNECT(0) is recorded when WSPJoinLeaf returns, before anybody has answered."""

    def hopeful(original: Any, self: Provider, handle: int, *others: Any, **named: Any) -> Any:
        joined = original(self, handle, *others, **named)
        say(self, self.sockets[handle], FD_CONNECT)
        return joined

    wrap(Provider, "join_leaf", hopeful)


@patch("EV4", "join-glare", "leaf1")
def crossing_never_reported() -> None:
    """A join that was folded into an invitation ends without FD_CONNECT."""
    never(FD_CONNECT)


@patch("EV5", "rooted-lan", "leaf3")
def refusal_as_timeout() -> None:
    """A refused join gets FD_CONNECT(WSAETIMEDOUT)."""
    coded(FD_CONNECT, WsaError.WSAETIMEDOUT, lambda _socket, code: code is not SUCCESS)


@patch("EV5", "rooted-lan", "leaf3")
def refusal_never_reported() -> None:
    """A refused join ends without an event."""
    never(FD_CONNECT, lambda _socket, code: code is not SUCCESS)


@patch("EV6", "rooted-bystander", "root")
def unreachable_as_timeout() -> None:
    """A join that met a closed port gets FD_CONNECT(WSAETIMEDOUT)."""
    coded(FD_CONNECT, WsaError.WSAETIMEDOUT, lambda _socket, code: code is not SUCCESS)


@patch("EV6", "unheard", "leaf1")
def timeout_never_reported() -> None:
    """A join that nobody answered is cancelled, and no event tells of it."""
    never(FD_CONNECT)


@patch("EV7", "join-withdrawn", "root")
def withdrawal_reported() -> None:
    """A join that the application took back ends with FD_CONNECT all the same."""

    def tell(original: Any, self: Provider, socket: Socket, *others: Any) -> None:
        original(self, socket, *others)
        say(self, socket, FD_CONNECT, WsaError.WSAECONNREFUSED)

    wrap(Provider, "_withdraw", tell)


@patch("EV8", "open-lan", "alice")
def entered_and_not_told() -> None:
    """A join of a nonrooted session ends without FD_CONNECT."""
    never(FD_CONNECT)


# FD_WRITE -------------------------------------------------------------------------------------


@patch("EV9", "rooted-lan", "leaf1")
def never_sendable() -> None:
    """A leaf that has joined is never told that it may send."""
    never(FD_WRITE)


@patch("EV10", "rooted-lan", "leaf1")
def sendable_again_and_again() -> None:
    """Every send is followed by another FD_WRITE, although none would have blocked."""

    def ready(original: Any, self: Provider, handle: int, *others: Any, **named: Any) -> Any:
        sent = original(self, handle, *others, **named)
        say(self, self.sockets[handle], FD_WRITE)
        return sent

    wrap(Provider, "send", ready)


@patch("EV10", "full-window", "root")
def room_never_reported() -> None:
    """After a send that would have blocked nobody is told when there is room again."""
    first = once()
    never(FD_WRITE, lambda _socket, _code: not first())


@patch("EV21", "rooted-lan", "leaf1")
def sendable_before_connected() -> None:
    """FD_WRITE is handed out before the FD_CONNECT that makes it true."""
    wrap(EventRecord, "enumerate", lambda original, self: original(self)[::-1])
