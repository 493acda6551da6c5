"""WSPSelect: which of some sockets can be read, or written, without waiting (W26, W102).

It looks at the state of sockets and never at their records, so that it disturbs no event selection.
It has nothing to say of joins: a nonblocking join that succeeds makes a socket writable only once
FD_CONNECT has told of it, and one that fails makes nothing ready at all. There is no urgent data
and no WSPConnect, so that the third set is always empty.
"""

from collections.abc import Iterable
from functools import partial

from mpwire.vocabulary import JoinFlag, WsaError
from mpwire.winsock.base import Blocked, Ready
from mpwire.winsock.errors import SocketError
from mpwire.winsock.sockets import Role, Socket
from mpwire.winsock.transfer import Transfer


class Polling(Transfer):
    """Look at the readiness of sockets, now or until something is ready."""

    def select(
        self,
        read: Iterable[int],
        write: Iterable[int],
        exceptional: Iterable[int],
        now_s: float,
        timeout_s: float | None = None,
    ) -> Ready | Blocked:
        """Return which descriptors are ready, at once if any is; else wait.

        Args:
            read: readable: a request, a message, or the end of the membership waits (D22).
            write: writable: a send would not fail for want of room or of somebody to send to.
            exceptional: never ready.
            now_s: the time in seconds.
            timeout_s: seconds to wait at most; 0 looks and returns, None waits for ever.

        Returns:
            what is ready, nothing after the time-out; or the token of a call that waits.

        Raises:
            SocketError: WSAEINVAL no descriptor at all, or a negative time; WSAENOTSOCK.
        """
        sets = tuple(tuple(sorted({*one})) for one in (read, write, exceptional))
        if not any(sets):
            raise SocketError(WsaError.WSAEINVAL, "no socket is named")
        if timeout_s is not None and timeout_s < 0:
            raise SocketError(WsaError.WSAEINVAL, f"{timeout_s} s is no time to wait")
        ready = self._look(*sets)
        if ready.count or timeout_s == 0:
            return ready
        waiting = self.block("select", None)
        waiting.give_up = Ready
        self.polls[waiting.token] = partial(self._look, *sets)
        if timeout_s is not None:
            self.deadlines.note(waiting.token, now_s + timeout_s)
        return waiting

    def _look(
        self, read: tuple[int, ...], write: tuple[int, ...], exceptional: tuple[int, ...]
    ) -> Ready:
        for handle in exceptional:
            self.find(handle)
        return Ready(
            tuple(handle for handle in read if self.is_readable(self.find(handle))),
            tuple(handle for handle in write if self.is_writable(self.find(handle))),
        )

    def is_readable(self, socket: Socket) -> bool:
        """Tell whether an accept or a receive would find something, if only an end (W75)."""
        listener = None
        if socket.parent is None and socket.endpoint is not None:
            listener = socket.endpoint.listener
        if listener is not None and listener.head is not None:
            return True
        return bool(socket.queue) or socket.ended is not None

    def is_writable(self, socket: Socket) -> bool:
        """Tell whether a send would go out now, and whether that may be said already (W26)."""
        original = socket.parent or socket
        if original.untold or not socket.usable:
            return False
        try:
            self._check_direction(socket, JoinFlag.RECEIVER_ONLY, "sending")
            if socket.role is Role.ROOT_LEAF:
                chat = self.chat_of(socket).side
                return chat is not None and chat.has_room and not socket.send_shut
            if socket.participant is not None:
                return socket.participant.has_receiver and not socket.send_shut
            receivers = self._receivers(socket)
        except SocketError:
            return False
        return not socket.send_shut and self.has_room(socket, receivers)

    def look_again(self) -> None:
        """Complete the waiting calls that find something ready now, or a socket gone (W83)."""
        for token, look in [*self.polls.items()]:
            try:
                ready = look()
            except SocketError as error:
                self.finish(self.blocked[token], error=error)
            else:
                if ready.count:
                    self.finish(self.blocked[token], ready)
