"""SO_LINGER with a time: closing waits for the other ends, then aborts (W81, D33).

A close is finished when every membership that it ends is over: the peer has acknowledged the CLOSE
and with it all data before, has ended the membership itself, or is given up.
"""

from functools import partial
from typing import Final

from mpwire.core import Endpoint, Membership
from mpwire.core.events import AbortRequested
from mpwire.core.table import State
from mpwire.vocabulary import WsaError
from mpwire.winsock.base import Blocked, Closing
from mpwire.winsock.errors import SocketError
from mpwire.winsock.gathering import Gathering
from mpwire.winsock.sockets import Role, Socket

LONGEST_LINGER_S: Final = 65_535
"""What l_linger has room for."""
ENDED_AT_ONCE: Final = frozenset({State.CROSSED, State.DRAINING})
"""What a close need not wait for: a join that was not completed, and an end whose peer has closed,
because nobody reads what it still receives."""


class Lingering(Gathering):
    """Choose how closing ends, and wait for it."""

    def set_linger(self, handle: int, linger_s: float | None) -> None:
        """Choose how the socket closes (W81).

        Args:
            handle: the socket.
            linger_s: None closes gracefully in the background, 0 abortively; a time waits for the
                graceful end that long and aborts then.

        Raises:
            SocketError: WSAEINVAL negative, or longer than l_linger has room for.
        """
        socket = self.find(handle)
        if linger_s is not None and not 0 <= linger_s <= LONGEST_LINGER_S:
            raise SocketError(WsaError.WSAEINVAL, f"{linger_s} s is no time to linger")
        socket.linger_s = linger_s

    def check_close_finishes(self, socket: Socket) -> None:
        """Refuse a close that would have to wait on a socket that never waits (W81).

        Raises:
            SocketError: WSAEWOULDBLOCK; nothing has begun, the descriptor stays valid. Whoever
                wants to close it turns linger off, sets it to 0 s, or shuts the socket down first
                and waits for FD_CLOSE (D33).
        """
        if socket.linger_s and not socket.blocking and self.unfinished(socket):
            raise SocketError(WsaError.WSAEWOULDBLOCK, "closing would wait for the other end")

    def unfinished(self, socket: Socket) -> list[Membership]:
        """Return what a close of this socket has to wait for."""
        session = socket.endpoint.session if socket.endpoint is not None else None
        if socket.role is Role.ROOT and session is not None:
            memberships = [*session.members.values()]
        else:
            memberships = [] if socket.membership is None else [socket.membership]
        return [one for one in memberships if one.is_live and one.state not in ENDED_AT_ONCE]

    def await_end(
        self, socket: Socket, endpoint: Endpoint, memberships: list[Membership], now_s: float
    ) -> Blocked | None:
        """Wait until these memberships are over; return nothing if they are, or nobody waits."""
        remaining = {one for one in memberships if one.is_live}
        if not (socket.linger_s and socket.blocking and remaining):
            return None
        deadline_s = now_s + socket.linger_s
        waiting = self.block("close", socket)
        closing = Closing(waiting, remaining)
        self.closing.update((one, closing) for one in remaining)
        waiting.give_up = partial(self._give_up, closing, endpoint, deadline_s)
        self.deadlines.note(waiting.token, deadline_s)
        return waiting

    def _give_up(self, closing: Closing, endpoint: Endpoint, deadline_s: float) -> int:
        """Abort what is not over in time: the peer sees a reset (W81, W82)."""
        for membership in [*closing.remaining]:
            del self.closing[membership]
            endpoint.call(membership, AbortRequested(), deadline_s)
        self.collect(endpoint, deadline_s)
        return 0
