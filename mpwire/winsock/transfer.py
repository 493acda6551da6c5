"""WSPSend and WSPRecv of group data."""

from functools import partial

from mpwire.core import Membership, casting
from mpwire.core.events import DataSubmitted
from mpwire.core.serial import plus
from mpwire.core.session import ADMITTED
from mpwire.vocabulary import JoinFlag, WsaError
from mpwire.winsock.base import Blocked
from mpwire.winsock.errors import SocketError
from mpwire.winsock.gathering import Gathering
from mpwire.winsock.record import FD_CLOSE, FD_READ
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS


class Transfer(Gathering):
    """Move group data between R and the leaf ends; P carries none (W60, D36)."""

    def send(self, handle: int, payload: bytes, now_s: float) -> int | Blocked:
        """Send one message to every receiving leaf (R), or to the root (L, A).

        Returns:
            octets sent; on a blocking socket, while a receiver has no room, a token.

        Raises:
            SocketError: WSAEOPNOTSUPP on P or against the direction (W62); WSAENOTCONN nobody to
                send to (D35); WSAESHUTDOWN (W79); WSAEMSGSIZE for the receiver that takes least
                (R88); WSAEWOULDBLOCK while a receiver has no room, FD_WRITE follows (W95, D35);
                WSAECONNRESET, WSAECONNABORTED after an abortive end.
        """
        socket = self.find(handle)
        self._check_direction(socket, JoinFlag.RECEIVER_ONLY, "sending")
        socket.record.called("send")
        sent = self._send(socket, payload, now_s)
        if sent is None and socket.blocking:
            return self.block("send", socket, partial(self._send, socket, payload))
        assert socket.endpoint is not None
        self.collect(socket.endpoint, now_s)
        if sent is None:
            socket.wants_room = True
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
        session = endpoint.session
        if session.full if session is not None else not receivers[0].has_room:
            return None
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
        """Receive one message.

        Raises:
            SocketError: WSAEOPNOTSUPP on P or against the direction (W62); WSAENOTCONN;
                WSAESHUTDOWN (W79); WSAEWOULDBLOCK nothing is there; after the end of the
                membership WSAEDISCON, or WSAECONNRESET and the like if it was abortive (W75).
        """
        socket = self.find(handle)
        self._check_direction(socket, JoinFlag.SENDER_ONLY, "receiving")
        if socket.receive_shut:
            raise SocketError(WsaError.WSAESHUTDOWN, "the receive side was shut down")
        message = self._take(socket, now_s)
        assert socket.endpoint is not None
        self.collect(socket.endpoint, now_s)
        if message is not None:
            return message
        if socket.blocking:
            return self.block("recv", socket, partial(self._take, socket))
        raise SocketError(WsaError.WSAEWOULDBLOCK, "no message waits")

    def _take(self, socket: Socket, now_s: float) -> bytes | None:
        """Take the oldest message, or None; re-enables FD_READ and lets FD_CLOSE follow (W73)."""
        socket.record.called("recv")
        if not socket.queue:
            if socket.ended is not None:
                code = socket.ended or WsaError.WSAEDISCON
                raise SocketError(code, "the membership has ended")
            if not socket.is_joined:
                raise SocketError(WsaError.WSAENOTCONN, "the socket is not joined")
            return None
        received = socket.queue.popleft()
        assert socket.endpoint is not None
        self.give_room(socket.endpoint, received, now_s)
        if socket.queue:
            self.signal(socket, socket.record.still_holds(FD_READ))
        elif socket.ended is not None:
            self.occur(socket, FD_CLOSE, socket.ended)
        return received.payload

    def _check_direction(self, socket: Socket, opposite: JoinFlag, verb: str) -> None:
        if socket.is_unusable_handle:
            raise SocketError(WsaError.WSAENOTCONN, "the socket awaits its own completion")
        if socket.role in {Role.ROOT_LEAF, Role.PLAIN}:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"{verb} is not for {socket.role.value}")
        if socket.join_flag is opposite:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"the join flags exclude {verb}")
