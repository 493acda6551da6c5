"""WSPShutdown and WSPCloseSocket."""

from mpwire.core import Endpoint, Membership
from mpwire.core.events import AbortRequested, CloseRequested, Withdrawn
from mpwire.core.session import SessionInput
from mpwire.core.table import State
from mpwire.vocabulary import JoinFlag, ShutdownHow, WsaError
from mpwire.winsock.errors import SocketError
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.registries import CloseReason, RejectReason

REASON = {
    Role.ROOT: CloseReason.DISMANTLE,
    Role.ROOT_LEAF: CloseReason.EXPEL,
    Role.LEAF: CloseReason.LEAVE,
    Role.INVITED: CloseReason.LEAVE,
}
OVER = frozenset({State.GONE, State.LINGERING})


class Ending(Reactions):
    """End sockets, memberships and sessions."""

    def set_linger(self, handle: int, linger_s: float | None) -> None:
        """Choose how the socket closes: None gracefully in the background, 0 abortively.

        Raises:
            SocketError: WSAENOPROTOOPT for a positive time, which this provider does not wait.
        """
        socket = self.find(handle)
        if linger_s not in {None, 0}:
            raise SocketError(WsaError.WSAENOPROTOOPT, "linger is off or 0 s here")
        socket.linger_s = linger_s

    def shutdown(self, handle: int, how: ShutdownHow, now_s: float) -> None:
        """End one or both directions; ending the send side tells the peer (W69, W78, W79).

        Without half close, which is not negotiated, ending the send side of a member ends its
        membership; of R, its session (D5); of P, its leaf's membership (D40).

        Raises:
            SocketError: WSAEINVAL against the join flags; WSAENOTCONN; WSAEOPNOTSUPP.
        """
        socket = self.find(handle)
        if socket.role is Role.PLAIN:
            raise SocketError(WsaError.WSAEOPNOTSUPP, "the socket has no multipoint flags")
        if how is ShutdownHow.SEND and socket.join_flag is JoinFlag.RECEIVER_ONLY:
            raise SocketError(WsaError.WSAEINVAL, "the socket does not send")
        if how is ShutdownHow.RECEIVE and socket.join_flag is JoinFlag.SENDER_ONLY:
            raise SocketError(WsaError.WSAEINVAL, "the socket does not receive")
        endpoint = socket.endpoint
        connected = socket.usable and (socket.membership is not None or socket.role is Role.ROOT)
        if endpoint is None or not connected:
            raise SocketError(WsaError.WSAENOTCONN, "the socket is not joined")
        if how is not ShutdownHow.SEND:
            socket.receive_shut = True
            socket.queue.clear()
        if how is not ShutdownHow.RECEIVE and not socket.send_shut:
            socket.send_shut = True
            if socket.role is Role.ROOT:
                self._dismantle(socket, endpoint, now_s)
            elif socket.ended is None:
                self._end_membership(socket, endpoint, now_s)
        self.collect(endpoint, now_s)

    def close(self, handle: int, now_s: float) -> None:
        """Give the descriptor back; nothing is ever recorded on it again (W76).

        A socket with an outstanding join cancels it (W25); a member leaves, P expels its leaf, R
        dismantles its session (W66-W68); with linger 0 all of that abortively (W82).
        """
        socket = self.find(handle)
        del self.sockets[handle]
        aborted = SocketError(WsaError.WSA_OPERATION_ABORTED, "the socket was closed")
        self.finish_all(socket, None, aborted)
        endpoint = socket.endpoint
        if endpoint is None:
            return
        if socket.parent is None:
            del self.holders[endpoint.local]
        if socket.role is Role.ROOT:
            self._dismantle(socket, endpoint, now_s)
        else:
            if socket.parent is None:
                endpoint.stop_listening(RejectReason.SESSION_CLOSING, now_s)
            self._end_membership(socket, endpoint, now_s)
        if socket.membership is not None:
            self.owners.pop(socket.membership, None)
        self.collect(endpoint, now_s)

    def _end_membership(self, socket: Socket, endpoint: Endpoint, now_s: float) -> None:
        """Withdraw, abort or close the membership that a P, L or A stands for."""
        membership = socket.membership
        if membership is None or membership.state is State.GONE:
            return
        original = socket.parent or socket
        if original.pending is socket:
            original.pending = None
            if endpoint.session is not None:
                endpoint.session.invitation = None
            self.owners.pop(membership, None)
            endpoint.call(membership, Withdrawn(), now_s)
        else:
            self._end(membership, endpoint, REASON[socket.role], socket.linger_s, now_s)

    def _end(
        self,
        membership: Membership,
        endpoint: Endpoint,
        reason: CloseReason,
        linger_s: float | None,
        now_s: float,
    ) -> None:
        event = AbortRequested() if linger_s == 0 else CloseRequested(reason)
        endpoint.call(membership, event, now_s)

    def _dismantle(self, root: Socket, endpoint: Endpoint, now_s: float) -> None:
        """End the session for everybody: members, waiting requests, the invitation (RS11-RS14)."""
        session = endpoint.session
        assert session is not None
        if root.pending is not None:
            self._withdraw_invitation(root, endpoint, now_s)
        endpoint.stop_listening(RejectReason.SESSION_CLOSING, now_s)
        members = [*session.members.values()]
        if not session.is_ending:
            waits = bool(members) and root.linger_s != 0
            session.step(SessionInput.DISMANTLED if waits else SessionInput.ENDED_EMPTY)
        for membership in members:
            if membership.state not in OVER:
                self._end(membership, endpoint, CloseReason.DISMANTLE, root.linger_s, now_s)

    def _withdraw_invitation(self, root: Socket, endpoint: Endpoint, now_s: float) -> None:
        """Cancel the outstanding invitation; its P stays dead and hears nothing (D28)."""
        pending = root.pending
        assert pending is not None
        self._end_membership(pending, endpoint, now_s)
        pending.membership = None
