"""Side chat: private data between P and its leaf, where the protocol entry has it (W61, D36).

At the root a socket of its own stands for each leaf, so that all that is sent and received on P is
private. At the leaf private and group data share the session socket: a send says which of the two
it is, and a received message is marked.
"""

from mpwire.core import Endpoint, Membership
from mpwire.core.events import DataTaken, SideSubmitted
from mpwire.core.membership import CARRYING, JOINED_OR_ABOUT_TO
from mpwire.vocabulary import WsaError
from mpwire.winsock.contract import FD_READ, FD_WRITE
from mpwire.winsock.errors import SocketError
from mpwire.winsock.hearing import Hearing
from mpwire.winsock.sockets import Received, Role, Socket


class Chatting(Hearing):
    """Move private data between the root and one leaf."""

    def send_in_private(self, socket: Socket, payload: bytes, now_s: float) -> int | None:
        """Give a message to the other end alone; return None when there is no room for it.

        Raises:
            SocketError: WSAESHUTDOWN, also by R; WSAENOTCONN, or what the membership ended with;
                WSAEOPNOTSUPP without side chat; WSAEMSGSIZE.
        """
        if socket.send_shut:
            raise SocketError(WsaError.WSAESHUTDOWN, "the send side was shut down")
        membership = self.chat_of(socket)
        if len(payload) > membership.max_payload:
            limit = membership.max_payload
            raise SocketError(WsaError.WSAEMSGSIZE, f"{len(payload)} octets, at most {limit} fit")
        endpoint = socket.endpoint
        assert endpoint is not None
        assert membership.side is not None
        if not membership.side.has_room:
            return None
        endpoint.call(membership, SideSubmitted(payload), now_s)
        return len(payload)

    def chat_of(self, socket: Socket) -> Membership:
        """Return the membership whose private data a socket can send now.

        Raises:
            SocketError: WSAENOTCONN, or what the membership ended with; WSAEOPNOTSUPP.
        """
        membership = socket.membership
        if socket.role is Role.LEAF and membership is None and socket.participant is None:
            raise SocketError(WsaError.WSAENOTCONN, "the socket is not joined")
        if membership is not None and membership.send_ended:
            raise SocketError(WsaError.WSAESHUTDOWN, "the session was shut down")
        if membership is None or membership.side is None or not membership.may_send:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"no side chat on this {socket.role.value}")
        if membership.state not in JOINED_OR_ABOUT_TO or membership.pending_close is not None:
            raise SocketError(socket.ended or WsaError.WSAENOTCONN, "the membership has ended")
        return membership

    def check_hears_chat(self, handle: Socket) -> None:
        """Raise WSAEOPNOTSUPP for a P whose leaf cannot send it anything (D36)."""
        membership = handle.membership
        if membership is None or membership.side is None or not membership.may_receive:
            raise SocketError(WsaError.WSAEOPNOTSUPP, "no side chat on this P")

    def chat_opened(self, membership: Membership) -> None:
        """Record FD_WRITE on the P of a leaf that has joined and chats (1N)."""
        handle = self.owners.get(membership)
        opened = membership.side is not None and membership.may_send
        if opened and handle is not None and handle.role is Role.ROOT_LEAF:
            self.occur(handle, FD_WRITE)

    def chat_received(self, endpoint: Endpoint, received: Received, now_s: float) -> None:
        """Queue a private message on P, or on the leaf's session socket (W61)."""
        assert received.membership is not None
        socket = self.owners.get(received.membership)
        self.deliver(endpoint, socket, received, now_s)

    def chat_room_made(self, membership: Membership, now_s: float) -> None:
        """Let private sending go on: FD_WRITE (W95)."""
        socket = self.owners.get(membership)
        if socket is None:
            return
        if socket.wants_chat_room and socket.may_ever_send:
            socket.wants_chat_room = False
            self.occur(socket, FD_WRITE)
        self.wake("send in private", socket, now_s)

    def deliver(
        self, endpoint: Endpoint, socket: Socket | None, received: Received, now_s: float
    ) -> None:
        """Queue a message on the socket it is for; nobody waits for room that is not wanted."""
        if socket is None or not socket.may_ever_receive:
            self.give_room(endpoint, received, now_s)
            return
        socket.put(received)
        self.occur(socket, FD_READ)
        self.wake("recv", socket, now_s)

    def give_room(self, endpoint: Endpoint, taken: Received, now_s: float) -> None:
        """Let the sender know in time that a message has left the queue (protocol.md 11.3)."""
        if taken.membership is not None and taken.membership.state in CARRYING:
            event = DataTaken(taken.origin, 1, private=taken.private)
            endpoint.call(taken.membership, event, now_s)
