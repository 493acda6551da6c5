"""WSPShutdown and WSPCloseSocket."""

from mpwire.core import Endpoint, Membership
from mpwire.core.events import AbortRequested, CloseRequested, Withdrawn
from mpwire.core.session import SessionInput
from mpwire.core.table import State
from mpwire.vocabulary import JoinFlag, ShutdownHow, WsaError
from mpwire.winsock.base import Blocked
from mpwire.winsock.duplicates import Duplicates
from mpwire.winsock.errors import SocketError
from mpwire.winsock.lingering import Lingering
from mpwire.winsock.record import FD_CLOSE
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.registries import CloseReason, RejectReason

REASON = {
    Role.ROOT: CloseReason.DISMANTLE,
    Role.ROOT_LEAF: CloseReason.EXPEL,
    Role.LEAF: CloseReason.LEAVE,
    Role.INVITED: CloseReason.LEAVE,
}


class Ending(Lingering, Duplicates):
    """End sockets, memberships and sessions."""

    def shutdown(self, handle: int, how: int, now_s: float) -> None:
        """End one or both directions; ending the send side tells the peer (W69, W78, W79).

        Ending the send side of a member ends its membership; of R, its session (D5); of P, its
        leaf's membership (D40). Where both ends have half close, SD_SEND ends one direction of it
        only: what the other end still sends is received until it ends its own (W80).

        Raises:
            SocketError: WSAEINVAL no direction, or against the join flags; WSAENOTCONN;
                WSAEOPNOTSUPP.
        """
        socket = self.find(handle)
        if socket.role is Role.PLAIN:
            raise SocketError(WsaError.WSAEOPNOTSUPP, "the socket has no multipoint flags")
        try:
            how = ShutdownHow(how)
        except ValueError:
            raise SocketError(WsaError.WSAEINVAL, f"{how} is no SD_ direction") from None
        if how is ShutdownHow.SEND and socket.join_flag is JoinFlag.RECEIVER_ONLY:
            raise SocketError(WsaError.WSAEINVAL, "the socket does not send")
        if how is ShutdownHow.RECEIVE and socket.join_flag is JoinFlag.SENDER_ONLY:
            raise SocketError(WsaError.WSAEINVAL, "the socket does not receive")
        endpoint = socket.endpoint
        member = socket.membership is not None or socket.participant is not None
        connected = socket.usable and (member or socket.role is Role.ROOT)
        if endpoint is None or not connected:
            raise SocketError(WsaError.WSAENOTCONN, "the socket is not joined")
        if how is not ShutdownHow.SEND:
            self._stop_receiving(socket, endpoint, now_s)
        if how is not ShutdownHow.RECEIVE:
            self._stop_sending(socket, endpoint, how, now_s)
        self.collect(endpoint, now_s)

    def _stop_sending(
        self, socket: Socket, endpoint: Endpoint, how: ShutdownHow, now_s: float
    ) -> None:
        """Tell the peer that nothing more comes; with SD_BOTH, that it is over (W78, W80)."""
        half = how is ShutdownHow.SEND
        if half and socket.send_shut:
            return
        socket.send_shut = True
        if socket.role is Role.ROOT:
            self._dismantle(socket, endpoint, now_s, half=half)
        else:  # a participant of a nonrooted session tells nobody
            self._end_membership(socket, endpoint, now_s, half=half)

    def _stop_receiving(self, socket: Socket, endpoint: Endpoint, now_s: float) -> None:
        """Throw away what nobody will read; an FD_CLOSE that waited for it waits no more (W73)."""
        socket.receive_shut = True
        while socket.queue:
            self.give_room(endpoint, socket.take(), now_s)
        error = SocketError(WsaError.WSAESHUTDOWN, "the receive side was shut down")
        self.finish_all(socket, "recv", error)
        if socket.ended is not None:
            self.occur(socket, FD_CLOSE, socket.ended)

    def close(self, handle: int, now_s: float) -> Blocked | None:
        """Give the descriptor back; nothing is ever recorded on it again (W76).

        While a duplicate of it is open the socket lives on (W84). With the last one, it ends:
        A socket with an outstanding join cancels it (W25); a member leaves, P expels its leaf, R
        dismantles its session (W66-W68); with linger 0 all of that abortively (W82).

        Returns:
            with linger on a blocking socket that has something to wait for, a token: it completes
            with 0 when all is acknowledged, or aborted because the time was over.

        Raises:
            SocketError: WSAEWOULDBLOCK the same on a nonblocking socket; nothing has begun (W81).
        """
        socket = self.find(handle)
        if not socket.duplicates:
            self.check_close_finishes(socket)
        if not self.drop_descriptor(socket, handle):
            return None
        self.unmark(socket)
        endpoint = socket.endpoint
        if endpoint is None:
            self.look_again()
            return None
        unfinished = self.unfinished(socket)
        aborted = SocketError(WsaError.WSA_OPERATION_ABORTED, "the socket was closed")
        if socket.pending is not None:
            self._withdraw(socket, endpoint, aborted, now_s)
        elif socket.parent is not None and socket.parent.pending is socket:
            self._withdraw(socket.parent, endpoint, aborted, now_s)
        self.finish_all(socket, None, aborted)
        if socket.parent is None:
            del self.holders[endpoint.local]
        if socket.role is Role.ROOT:
            self._dismantle(socket, endpoint, now_s)
        else:
            if socket.parent is None:
                endpoint.stop_listening(RejectReason.SESSION_CLOSING, now_s)
                self.leave_session(socket, endpoint, now_s)
            self._end_membership(socket, endpoint, now_s)
        if socket.membership is not None:
            self.owners.pop(socket.membership, None)
        self.collect(endpoint, now_s)
        return self.await_end(socket, endpoint, unfinished, now_s)

    def cancel_blocking_call(self, token: int, now_s: float) -> None:
        """Cancel a waiting call, which completes with WSAEINTR; a join is withdrawn (W28)."""
        waiting = self.blocked.get(token)
        if waiting is None:
            return
        error = SocketError(WsaError.WSAEINTR, f"{waiting.call} was cancelled")
        socket = self.sockets.get(waiting.handle)
        if waiting.call == "join_leaf" and socket is not None:
            endpoint = self.bind_implicitly(socket)
            self._withdraw(socket, endpoint, error, now_s)
            self.collect(endpoint, now_s)
        else:
            self.finish(waiting, error=error)

    def _withdraw(
        self, original: Socket, endpoint: Endpoint, error: SocketError, now_s: float
    ) -> None:
        """Cancel an outstanding join; no event tells of it (D21, D28)."""
        assert original.pending is not None
        membership = original.pending.membership
        assert membership is not None
        self.give_up_join(endpoint, original, error)
        endpoint.call(membership, Withdrawn(), now_s)

    def _end_membership(
        self, socket: Socket, endpoint: Endpoint, now_s: float, *, half: bool = False
    ) -> None:
        """Close the membership that a P, L or A stands for, or abort it."""
        if socket.membership is not None:
            self._end(socket, socket.membership, endpoint, now_s, half=half)

    def _end(
        self,
        socket: Socket,
        membership: Membership,
        endpoint: Endpoint,
        now_s: float,
        *,
        half: bool,
    ) -> None:
        """End one membership; linger says how, but only when the handle itself goes (W81)."""
        aborts = socket.linger_s == 0 and socket.handle not in self.sockets
        if membership.state is not State.GONE:
            graceful = CloseRequested(REASON[socket.role], socket.farewell, half)
            event = AbortRequested() if aborts else graceful
            endpoint.call(membership, event, now_s)
            if endpoint.session is not None and not half:
                self._room_made(endpoint, membership, now_s)

    def _dismantle(
        self, root: Socket, endpoint: Endpoint, now_s: float, *, half: bool = False
    ) -> None:
        """End the session for everybody: members, waiting requests, the invitation (RS11-RS14)."""
        session = endpoint.session
        assert session is not None
        if root.pending is not None:
            interrupted = SocketError(WsaError.WSAEINTR, "the session was dismantled")
            self._withdraw(root, endpoint, interrupted, now_s)
        endpoint.stop_listening(RejectReason.SESSION_CLOSING, now_s)
        refused = SocketError(WsaError.WSAEINVAL, "the socket does not listen any more")
        self.finish_all(root, "accept", refused)
        members = [*session.members.values()]
        if not session.is_ending:
            session.step(SessionInput.DISMANTLED if members else SessionInput.ENDED_EMPTY)
        for membership in members:
            self._end(root, membership, endpoint, now_s, half=half)
