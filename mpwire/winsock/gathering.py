"""Sessions without a control root: WSPJoinLeaf with a group, data for everybody, leaving (W52-W55).

Nobody is asked and nobody answers. The join is complete, FD_CONNECT(0), once the group has been
joined and the first announcement was handed on (K14). Nobody ever records FD_ACCEPT or FD_CLOSE
here, because nobody is connected (W52, W99).
"""

from typing import Final

from mpwire.core import Endpoint
from mpwire.core.address import Address
from mpwire.core.groups import is_source_specific, session_name
from mpwire.core.participant import Participant
from mpwire.vocabulary import JoinFlag, WsaError
from mpwire.winsock.contract import FD_CONNECT, FD_READ, FD_WRITE
from mpwire.winsock.directions import leaf_direction
from mpwire.winsock.errors import SocketError
from mpwire.winsock.scope import Scope, hears_itself
from mpwire.winsock.sockets import Received, Socket
from mpwire.winsock.transport import canonical_group
from mpwire.wire.registries import LeafDirection

BY_EVENT: Final = frozenset({WsaError.WSAENETUNREACH, WsaError.WSAENOBUFS})
"""What a nonblocking join fails with by event (1M); anything else fails the call."""


class Gathering(Scope):
    """Be in sessions that nobody owns."""

    def join_session(self, socket: Socket, address: Address, flag: JoinFlag, now_s: float) -> int:
        """Join the nonrooted session of a group; complete when it returns, in either mode (W23).

        Args:
            socket: an L that has not joined.
            address: the group's address and port.
            flag: direction; who only sends listens to no group (W63).
            now_s: the time in seconds.

        Raises:
            SocketError: WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL no group; WSAEINVAL a source-specific
                group without origins; WSAEOPNOTSUPP no multicast here; WSAENETUNREACH and
                WSAENOBUFS if the socket blocks.
        """
        group = canonical_group(address, socket.family)
        listens = flag is not JoinFlag.SENDER_ONLY
        if listens and is_source_specific(group[0]) and not socket.options.origins:
            raise SocketError(WsaError.WSAEINVAL, f"{group[0]} needs SIO_MPW_ORIGINS")
        endpoint = self.bind_implicitly(socket)
        socket.record.called("join_leaf")
        try:
            local = self._reach(socket, endpoint, group, listens=listens)
        except SocketError as error:
            if socket.blocking or error.code not in BY_EVENT:
                raise
            socket.error = error.code
            self.occur(socket, FD_CONNECT, error.code)
            return socket.handle
        socket.participant = Participant(
            local=local,
            group=group,
            name=session_name(group, socket.options.session_name),
            plan=self.plan,
            entropy=self.entropy,
            direction=leaf_direction(flag, socket.flags),
            data_rooted=socket.protocol.data_rooted,
        )
        socket.join_flag, socket.untold = flag, not socket.blocking
        endpoint.enter(socket.participant, now_s)
        self.occur(socket, FD_CONNECT)
        if socket.may_ever_send and socket.participant.may_send(now_s):
            self.occur(socket, FD_WRITE)
        self.collect(endpoint, now_s)
        return socket.handle

    def _reach(
        self, socket: Socket, endpoint: Endpoint, group: Address, *, listens: bool
    ) -> Address:
        """Prepare to send to a group, and listen to it; return where we are in it."""
        local = self.transport.source_for(endpoint.local, group)
        self.transport.set_reach(endpoint.local, local, socket.options.scope)
        if listens:
            self.transport.join_group(endpoint.local, local, group, socket.options.origins)
        return local

    def send_to_session(self, socket: Socket, payload: bytes, now_s: float) -> int:
        """Send one message to the group, and to this socket itself if it wants its own (W65).

        Raises:
            SocketError: WSAEMSGSIZE; WSAENOTCONN no d_root is there (3.3).
        """
        endpoint, participant = socket.endpoint, socket.participant
        assert endpoint is not None
        assert participant is not None
        limit = socket.protocol.max_payload_octets
        if len(payload) > limit:
            raise SocketError(WsaError.WSAEMSGSIZE, f"{len(payload)} octets, at most {limit} fit")
        socket.record.called("send")
        if not participant.may_send(now_s):
            raise SocketError(WsaError.WSAENOTCONN, "no d_root is in the session")
        endpoint.send_to_session(payload)
        self.loop_back(socket, payload, now_s)
        self.collect(endpoint, now_s)
        return len(payload)

    def loop_back(self, socket: Socket, payload: bytes, now_s: float) -> None:
        """Give a socket its own message, if it is of the kind that hears itself (D31)."""
        if hears_itself(socket) and socket.options.loopback and socket.may_ever_receive:
            socket.put(Received(payload, None, 0))
            self.occur(socket, FD_READ)
            self.wake("recv", socket, now_s)

    def leave_session(self, socket: Socket, endpoint: Endpoint, now_s: float) -> None:
        """Leave a nonrooted session, if the socket is in one; the others record nothing (W54)."""
        participant = socket.participant
        if participant is None:
            return
        if participant.direction & LeafDirection.RECEIVE:
            self.transport.leave_group(endpoint.local, participant.group)
        endpoint.leave(now_s)
