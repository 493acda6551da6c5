"""WSPIoctl, WSPGetSockOpt and WSPSetSockOpt.

Values are Python's: a bool for BOOL, an address for a sockaddr, `Qos` for a flow specification.
A code that is none fails with WSAEINVAL, one that Winsock knows and this provider cannot serve with
WSAEOPNOTSUPP. An option that there is not, or that cannot be set, fails with WSAENOPROTOOPT.
"""

from enum import IntEnum
from typing import TypeAlias

from mpwire.core.address import Address
from mpwire.vocabulary import WsaError
from mpwire.winsock.base import Blocked
from mpwire.winsock.ending import Ending
from mpwire.winsock.errors import SocketError
from mpwire.winsock.network import Network
from mpwire.winsock.protocols import ProtocolEntry
from mpwire.winsock.quality import Quality
from mpwire.winsock.scope import MultipointIoctl
from mpwire.winsock.sockets import Socket
from mpwire.wire.messages import Qos


class Ioctl(IntEnum):
    """Control codes of WSPIoctl; values are those of winsock2.h."""

    FIONREAD = 0x4004667F
    """Octets that wait to be received."""
    SIOCATMARK = 0x40047307
    """Only for streams with urgent data, which there are none of."""
    FIONBIO = 0x8004667E
    """bool: whether calls return at once."""
    SIO_ADDRESS_LIST_CHANGE = 0x28000017
    """Ends when a local address comes or goes; re-enables FD_ADDRESS_LIST_CHANGE."""
    SIO_ROUTING_INTERFACE_QUERY = 0xC8000014
    """Address: which local address reaches it."""
    SIO_ROUTING_INTERFACE_CHANGE = 0x88000015
    """Address: ends when another one does; re-enables FD_ROUTING_INTERFACE_CHANGE."""
    SIO_GET_QOS = 0xC8000007
    """The flow specification as the network carries it; re-enables FD_QOS."""
    SIO_SET_QOS = 0x8800000B
    """Qos: what later joins ask for."""
    SIO_GET_GROUP_QOS = 0xC8000008
    SIO_SET_GROUP_QOS = 0x8800000C
    SIO_ASSOCIATE_HANDLE = 0x88000001
    SIO_ENABLE_CIRCULAR_QUEUEING = 0x28000002
    SIO_FIND_ROUTE = 0x48000003
    SIO_FLUSH = 0x28000004
    SIO_GET_BROADCAST_ADDRESS = 0x48000005
    SIO_GET_EXTENSION_FUNCTION_POINTER = 0xC8000006
    SIO_TRANSLATE_HANDLE = 0xC800000D
    SIO_ADDRESS_LIST_QUERY = 0x48000016


class Option(IntEnum):
    """Options of level SOL_SOCKET; values are those of winsock2.h."""

    SO_ACCEPTCONN = 0x0002
    """bool: whether the socket listens."""
    SO_LINGER = 0x0080
    """Seconds that closing lingers, None for not at all."""
    SO_DONTLINGER = 0xFF7F
    """bool: whether SO_LINGER is off."""
    SO_ERROR = 0x1007
    """WsaError of the socket, which reading clears."""
    SO_TYPE = 0x1008
    SO_MAX_MSG_SIZE = 0x2003
    """Octets of the largest message."""
    SO_PROTOCOL_INFO = 0x2005
    """The protocol entry."""
    SO_CONDITIONAL_ACCEPT = 0x3002
    """bool: whether nobody is connected before WSPAccept; always true here (D32)."""


Answer: TypeAlias = int | Qos | Address | Blocked
Setting: TypeAlias = int | float | ProtocolEntry | None


class Control(Quality, Network, Ending):
    """Read and change what sockets are set to."""

    def ioctl(self, handle: int, code: int, value: object, now_s: float) -> Answer:
        """Serve a control code (WSPIoctl).

        Returns:
            its output, 0 if it has none; the token of a call that waits.

        Raises:
            SocketError: WSAEINVAL no code, or not one for this socket; WSAEFAULT no value for it;
                WSAEOPNOTSUPP it cannot be served; WSAEWOULDBLOCK it would wait.
        """
        del now_s
        socket = self.find(handle)
        match code:
            case Ioctl.FIONBIO:
                self.set_blocking(handle, blocking=not value)
                return 0
            case Ioctl.FIONREAD:
                return sum(len(received.payload) for received in socket.queue)
            case Ioctl.SIO_ADDRESS_LIST_CHANGE:
                return self.await_address_change(socket)
            case Ioctl.SIO_ROUTING_INTERFACE_CHANGE:
                return self.await_route_change(socket, value)
            case Ioctl.SIO_ROUTING_INTERFACE_QUERY:
                return self.route_to(socket, value)
            case Ioctl.SIO_GET_QOS:
                return self.get_qos(socket)
            case Ioctl.SIO_SET_QOS:
                self.set_qos(socket, value)
                return 0
            case _ if code in [*MultipointIoctl]:
                self.multipoint_ioctl(socket, code, value)
                return 0
        raise SocketError(_objection(code), f"{code:#x} cannot be served")

    def set_blocking(self, handle: int, *, blocking: bool) -> None:
        """Choose the mode (FIONBIO).

        Raises:
            SocketError: WSAEINVAL blocking while events are selected (W7).
        """
        socket = self.find(handle)
        if blocking and socket.record.mask:
            raise SocketError(WsaError.WSAEINVAL, "events are selected on this socket")
        socket.blocking = blocking

    def getsockopt(self, handle: int, option: int) -> Setting:
        """Return an option of a socket (WSPGetSockOpt).

        Raises:
            SocketError: WSAENOPROTOOPT.
        """
        socket = self.find(handle)
        match option:
            case Option.SO_ACCEPTCONN:
                return _listens(socket)
            case Option.SO_LINGER:
                return socket.linger_s
            case Option.SO_DONTLINGER:
                return socket.linger_s is None
            case Option.SO_ERROR:
                return self.socket_error(handle)
            case Option.SO_TYPE:
                return socket.protocol.socket_type
            case Option.SO_MAX_MSG_SIZE:
                return socket.protocol.max_payload_octets
            case Option.SO_PROTOCOL_INFO:
                return socket.protocol
            case Option.SO_CONDITIONAL_ACCEPT:
                return True
        raise SocketError(WsaError.WSAENOPROTOOPT, f"{option:#x} is no option")

    def setsockopt(self, handle: int, option: int, value: float | None) -> None:
        """Set an option of a socket (WSPSetSockOpt).

        Raises:
            SocketError: WSAENOPROTOOPT there is none such to be set; WSAEINVAL not to this value.
        """
        socket = self.find(handle)
        match option, bool(value):
            case Option.SO_LINGER, _:
                self.set_linger(handle, value)
            case Option.SO_DONTLINGER, dont:
                self.set_linger(handle, None if dont else socket.linger_s or 0)
            case Option.SO_CONDITIONAL_ACCEPT, True:
                pass
            case Option.SO_CONDITIONAL_ACCEPT, False:
                raise SocketError(WsaError.WSAEINVAL, "nobody is connected before WSPAccept here")
            case _:
                raise SocketError(WsaError.WSAENOPROTOOPT, f"{option:#x} is no option to set")

    def socket_error(self, handle: int) -> WsaError:
        """Return and clear SO_ERROR (W104)."""
        socket = self.find(handle)
        error, socket.error = socket.error, WsaError.SUCCESS
        return error


def _objection(code: int) -> WsaError:
    """Return why a control code is not served."""
    if code == Ioctl.SIOCATMARK or code not in [*Ioctl]:
        return WsaError.WSAEINVAL
    return WsaError.WSAEOPNOTSUPP


def _listens(socket: Socket) -> bool:
    return (
        socket.parent is None
        and socket.endpoint is not None
        and socket.endpoint.listener is not None
    )
