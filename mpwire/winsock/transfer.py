"""WSPSend and WSPRecv: group data of R and the leaf ends, private data of P and the leaf ends."""

from collections.abc import Callable
from functools import partial

from mpwire.core import Membership, casting
from mpwire.core.events import DataSubmitted
from mpwire.core.serial import plus
from mpwire.core.session import ADMITTED
from mpwire.vocabulary import JoinFlag, WsaError
from mpwire.winsock.base import Blocked, Message
from mpwire.winsock.errors import SocketError
from mpwire.winsock.gathering import Gathering
from mpwire.winsock.record import FD_CLOSE, FD_READ
from mpwire.winsock.sockets import Received, Role, Socket
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS


class Transfer(Gathering):
    """Move group data between R and the leaf ends; P carries private data only (W60, D36)."""

    def send(
        self, handle: int, payload: bytes, now_s: float, *, private: bool = False
    ) -> int | Blocked:
        """Send one message to every receiving leaf (R), to its leaf (P), or to the root (L, A).

        Args:
            handle: the socket.
            payload: the message.
            now_s: the time in seconds.
            private: from L or A to the P that stands for it, instead of to the session; what P
                sends is always private.

        Returns:
            octets sent; on a blocking socket, while a receiver has no room, a token.

        Raises:
            SocketError: WSAEOPNOTSUPP against the direction (W62), or private without side chat
                (D36); WSAENOTCONN nobody to send to (D35); WSAESHUTDOWN (W79); WSAEMSGSIZE for the
                receiver that takes least (R88); WSAEWOULDBLOCK while a receiver has no room,
                FD_WRITE follows (W95, D35); WSAECONNRESET, WSAECONNABORTED after an abortive end.
        """
        socket = self.find(handle)
        self._check_direction(socket, JoinFlag.RECEIVER_ONLY, "sending")
        private |= socket.role is Role.ROOT_LEAF
        send = self.send_in_private if private else self._send
        socket.record.called("send")
        sent = send(socket, payload, now_s)
        if sent is None and socket.blocking:
            call = "send in private" if private else "send"
            return self.block(call, socket, partial(send, socket, payload))
        assert socket.endpoint is not None
        self.collect(socket.endpoint, now_s)
        if sent is None:
            socket.wants_room |= not private
            socket.wants_chat_room |= private
            raise SocketError(WsaError.WSAEWOULDBLOCK, "a receiver has no room")
        return sent

    def _send(self, socket: Socket, payload: bytes, now_s: float) -> int | None:
        """Give a message to every receiver, or to none when one of them has no room."""
        if socket.send_shut:
            raise SocketError(WsaError.WSAESHUTDOWN, "the send side was shut down")
        if socket.participant is not None:
            return self.send_to_session(socket, payload, now_s)
        receivers = self._receivers(socket)
        limit = min((one.max_payload for one in receivers), default=MAX_PAYLOAD_OCTETS)
        if len(payload) > limit:
            raise SocketError(WsaError.WSAEMSGSIZE, f"{len(payload)} octets, at most {limit} fit")
        endpoint = socket.endpoint
        assert endpoint is not None
        if not self.has_room(socket, receivers):
            return None
        session = endpoint.session
        if session is None:
            seq = receivers[0].outflow.next_seq
        else:
            seq = session.facts.next_data_seq
            session.facts.next_data_seq = plus(seq, 1)
        casting.distribute(endpoint, receivers, DataSubmitted(seq, payload), now_s)
        if session is not None:
            session.full.update(one for one in receivers if not one.has_room)
        self.loop_back(socket, payload, now_s)
        return len(payload)

    def has_room(self, socket: Socket, receivers: list[Membership]) -> bool:
        """Tell whether every receiver of a socket's messages can take one more (D35)."""
        session = socket.endpoint.session if socket.endpoint else None
        return receivers[0].has_room if session is None else not session.full

    def _receivers(self, socket: Socket) -> list[Membership]:
        """Return the ends that a message of this socket goes to, as of now (D35)."""
        session = socket.endpoint.session if socket.endpoint else None
        if socket.role is Role.ROOT and session is not None and session.has_member():
            return session.receivers()
        membership = socket.membership
        if membership is None or membership.state not in ADMITTED:
            raise SocketError(socket.ended or WsaError.WSAENOTCONN, "the socket is not joined")
        return [membership]

    def recv(self, handle: int, now_s: float) -> bytes | Blocked:
        """Receive one message, whoever it is for; `recv_message` tells private ones.

        Raises:
            SocketError: WSAEOPNOTSUPP against the direction (W62), or on P without side chat
                (D36); WSAENOTCONN; WSAESHUTDOWN (W79); WSAEWOULDBLOCK nothing is there; after
                the end of the membership WSAEDISCON, or WSAECONNRESET and the like if it was
                abortive (W75).
        """
        received = self._recv(handle, now_s, self._take_payload)
        assert isinstance(received, bytes | Blocked)
        return received

    def recv_message(self, handle: int, now_s: float) -> Message | Blocked:
        """Receive one message, with its origin and whether it is private (W61).

        Raises:
            SocketError: as `recv`.
        """
        received = self._recv(handle, now_s, self._take_message)
        assert isinstance(received, Message | Blocked)
        return received

    def _recv(
        self, handle: int, now_s: float, take: Callable[[Socket, float], bytes | Message | None]
    ) -> bytes | Message | Blocked:
        socket = self.find(handle)
        self._check_direction(socket, JoinFlag.SENDER_ONLY, "receiving")
        if socket.role is Role.ROOT_LEAF:
            self.check_hears_chat(socket)
        if socket.receive_shut:
            raise SocketError(WsaError.WSAESHUTDOWN, "the receive side was shut down")
        message = take(socket, now_s)
        assert socket.endpoint is not None
        self.collect(socket.endpoint, now_s)
        if message is not None:
            return message
        if socket.blocking:
            return self.block("recv", socket, partial(take, socket))
        raise SocketError(WsaError.WSAEWOULDBLOCK, "no message waits")

    def _take_payload(self, socket: Socket, now_s: float) -> bytes | None:
        received = self._take(socket, now_s)
        return None if received is None else received.payload

    def _take_message(self, socket: Socket, now_s: float) -> Message | None:
        received = self._take(socket, now_s)
        if received is None:
            return None
        return Message(received.payload, received.private, received.origin)

    def _take(self, socket: Socket, now_s: float) -> Received | None:
        """Take the oldest message, or None; re-enables FD_READ and lets FD_CLOSE follow (W73)."""
        socket.record.called("recv")
        if not socket.queue:
            if socket.ended is not None:
                code = socket.ended or WsaError.WSAEDISCON
                raise SocketError(code, "the membership has ended")
            if not socket.is_joined:
                raise SocketError(WsaError.WSAENOTCONN, "the socket is not joined")
            return None
        received = socket.take()
        assert socket.endpoint is not None
        self.give_room(socket.endpoint, received, now_s)
        if socket.queue:
            self.signal(socket, socket.record.still_holds(FD_READ))
        elif socket.ended is not None:
            self.occur(socket, FD_CLOSE, socket.ended)
        return received

    def _check_direction(self, socket: Socket, opposite: JoinFlag, verb: str) -> None:
        if socket.is_unusable_handle:
            raise SocketError(WsaError.WSAENOTCONN, "the socket awaits its own completion")
        if socket.role is Role.PLAIN:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"{verb} is not for {socket.role.value}")
        if socket.join_flag is opposite:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"the join flags exclude {verb}")
