"""The ioctls of multipoint sockets: loopback, scope, and what a session is called.

SIO_MULTIPOINT_LOOPBACK and SIO_MULTICAST_SCOPE are those of Winsock (W65). The others are this
provider's own: an IP group needs more of a name than WSPJoinLeaf has parameters for.
"""

from enum import IntEnum
from typing import Final

from mpwire.core.address import Address
from mpwire.core.groups import is_source_specific
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.winsock.contract import Role
from mpwire.winsock.errors import SocketError
from mpwire.winsock.protocols import Multicast
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.sockets import Socket
from mpwire.winsock.transport import canonical_group, canonical_peer

HIGHEST_SCOPE: Final = 255
"""Routers that a datagram may cross at most: what Hop Limit can count."""


class MultipointIoctl(IntEnum):
    """Codes of the ioctls that multipoint sockets have; the first two are those of winsock2.h."""

    SIO_MULTIPOINT_LOOPBACK = 0x88000009
    """bool: whether what this socket sends comes back to it; default on (D31)."""
    SIO_MULTICAST_SCOPE = 0x8800000A
    """int: 0 this host only, 1 the local segment (default), n across so many routers less one."""
    SIO_MPW_ORIGINS = 0x98000001
    """list of hosts: those that a source-specific group is joined for."""
    SIO_MPW_SESSION_NAME = 0x98000002
    """str: tells nonrooted sessions of one group address apart; default empty."""
    SIO_MPW_GROUP = 0x98000003
    """Address: the group of a root's multicast session; default from its Session ID."""


C = MultipointIoctl


def hears_itself(socket: Socket) -> bool:
    """Tell whether loopback means anything: a d_leaf of a nonrooted data plane, not P (W65)."""
    return (
        bool(socket.flags & SocketFlag.D_LEAF)
        and not socket.protocol.data_rooted
        and socket.role is not Role.ROOT_LEAF
    )


def chooses_scope(socket: Socket) -> bool:
    """Tell whether it is for this socket to say how far its group data goes."""
    chooser = Role.ROOT if socket.protocol.control_rooted else Role.LEAF
    return socket.protocol.multicast is not Multicast.NONE and socket.role is chooser


def names_session(socket: Socket) -> bool:
    """Tell whether this socket is about to join a session that a group address names."""
    nonrooted = not socket.protocol.control_rooted
    return nonrooted and socket.role is Role.LEAF and socket.participant is None


class Scope(Reactions):
    """Serve the ioctls of multipoint sockets."""

    def multipoint_ioctl(self, socket: Socket, code: int, value: object) -> None:
        """Serve one ioctl of `MultipointIoctl`.

        Raises:
            SocketError: WSAEINVAL for a value or a socket that it does not fit (W65).
        """
        match code, value:
            case C.SIO_MULTIPOINT_LOOPBACK, bool() if hears_itself(socket):
                socket.options.loopback = value
            case C.SIO_MULTICAST_SCOPE, int() if chooses_scope(socket):
                self._set_scope(socket, value)
            case C.SIO_MPW_ORIGINS, list() | tuple() if names_session(socket):
                socket.options.origins = tuple(
                    canonical_peer((str(host), 1), socket.family)[0] for host in value
                )
            case C.SIO_MPW_SESSION_NAME, str() if names_session(socket):
                socket.options.session_name = value
            case C.SIO_MPW_GROUP, (str(host), int(port)) if chooses_scope(socket):
                self._set_group(socket, (host, port))
            case _:
                raise SocketError(WsaError.WSAEINVAL, f"{C(code).name} does not fit this socket")

    def _set_group(self, root: Socket, group: Address) -> None:
        """Choose the group of a session that nobody has been told of."""
        self._check_undescribed(root)
        group = canonical_group(group, root.family)
        specific = root.protocol.multicast is Multicast.ONE_SOURCE
        if is_source_specific(group[0]) is not specific:
            raise SocketError(WsaError.WSAEINVAL, f"{group[0]} is no group of this protocol")
        root.options.group = group

    def _check_undescribed(self, socket: Socket) -> None:
        """Raise WSAEINVAL on an R that is bound: its session has been described (R40)."""
        if socket.role is Role.ROOT and socket.endpoint is not None:
            raise SocketError(WsaError.WSAEINVAL, "the session has its group and scope by now")

    def _set_scope(self, socket: Socket, scope: int) -> None:
        """Change how far data goes; what listens on this host only has to listen anew."""
        if not 0 <= scope <= HIGHEST_SCOPE or isinstance(scope, bool):
            raise SocketError(WsaError.WSAEINVAL, f"{scope} is no scope")
        self._check_undescribed(socket)
        before, socket.options.scope = socket.options.scope, scope
        endpoint, participant = socket.endpoint, socket.participant
        if endpoint is None or participant is None:
            return
        listens = participant.group in endpoint.groups
        anew = listens and bool(before) is not bool(scope)
        if anew:
            self.transport.leave_group(endpoint.local, participant.group)
        self.transport.set_reach(endpoint.local, participant.local, scope)
        if anew:
            self.transport.join_group(
                endpoint.local, participant.local, participant.group, socket.options.origins
            )
