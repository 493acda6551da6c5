"""WSPSendDisconnect, WSPRecvDisconnect, and WSPConnect, which multipoint sockets do not have.

Disconnect data travels with CLOSE where the protocol entry has it (W85). It is for the application
at the other end of a membership: P for what a leaf sent, L or A for what the root sent.
"""

from mpwire.core.address import Address
from mpwire.vocabulary import ShutdownHow, WsaError
from mpwire.winsock.ending import Ending
from mpwire.winsock.errors import SocketError
from mpwire.winsock.parameters import check_disconnect_data, check_name
from mpwire.winsock.protocols import ServiceFlag
from mpwire.winsock.sockets import Role, Socket
from mpwire.winsock.transport import canonical_peer


class Farewell(Ending):
    """Part with words, and refuse what is no multipoint call."""

    def send_disconnect(self, handle: int, data: bytes | None, now_s: float) -> None:
        """Shut the send side down as WSPShutdown does, with disconnect data if there is any.

        Raises:
            SocketError: WSAENOPROTOOPT the protocol has no disconnect data; WSAEFAULT too long;
                and what `shutdown` says.
        """
        socket = self.find(handle)
        if data:
            self._check_offered(socket)
        farewell = check_disconnect_data(data)
        if socket.send_shut:
            return
        socket.farewell = farewell
        try:
            self.shutdown(handle, ShutdownHow.SEND, now_s)
        except SocketError:
            socket.farewell = None
            raise

    def recv_disconnect(self, handle: int, now_s: float) -> bytes:
        """Shut the receive side down; return the disconnect data that has come, else nothing.

        Raises:
            SocketError: WSAENOPROTOOPT the protocol has no disconnect data; and what `shutdown`
                says.
        """
        socket = self.find(handle)
        self._check_offered(socket)
        self.shutdown(handle, ShutdownHow.RECEIVE, now_s)
        return (socket.membership.disconnect_data if socket.membership else None) or b""

    def _check_offered(self, socket: Socket) -> None:
        if ServiceFlag.DISCONNECT_DATA not in socket.protocol.service_flags:
            raise SocketError(
                WsaError.WSAENOPROTOOPT, f"{socket.protocol.name} has no disconnect data"
            )

    def connect(self, handle: int, address: Address, now_s: float) -> None:
        """Refuse an ordinary connection (W38, D25); it never succeeds.

        No listener of these protocols admits anything but multipoint requests, and no message of
        MPW asks for an ordinary connection: the refusal is certain before anything is sent.

        Raises:
            SocketError: WSAEOPNOTSUPP on a multipoint socket; WSAECONNREFUSED on an ordinary one;
                WSAEFAULT, WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL no name.
        """
        del now_s
        socket = self.find(handle)
        if socket.role is not Role.PLAIN:
            raise SocketError(WsaError.WSAEOPNOTSUPP, "multipoint sockets join instead")
        peer = canonical_peer(check_name(address), socket.family)
        raise SocketError(WsaError.WSAECONNREFUSED, f"{peer} admits multipoint requests only")
