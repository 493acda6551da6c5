"""The WSP* calls of multipoint sockets, without I/O.

A provider is one process's view. It owns sockets and UDP endpoints, turns calls into inputs of the
core and reports of the core into network events. Whoever drives it hands in datagrams and the time
and takes away `datagrams` to send, `signalled` event objects and `completions` of blocking calls.

Calls return at once. One that would block a blocking socket returns a `Blocked` token instead of a
result; its outcome is a `Completion` with the same token later.
"""

from mpwire.core.address import Address
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.control import Control
from mpwire.winsock.errors import SocketError
from mpwire.winsock.farewell import Farewell
from mpwire.winsock.joining import Joining
from mpwire.winsock.polling import Polling
from mpwire.winsock.protocols import (
    C_FLAGS,
    D_FLAGS,
    ENTRIES,
    Protocol,
    ProtocolEntry,
    entry_of,
)
from mpwire.winsock.selecting import Selecting
from mpwire.winsock.sockets import Role, Socket
from mpwire.winsock.transport import canonical


class Provider(Joining, Polling, Control, Farewell, Selecting):
    """Hold the sockets of one process and offer every call on them."""

    # Life of a socket -------------------------------------------------------------------------

    def enum_protocols(self) -> list[ProtocolEntry]:
        """Return every protocol that sockets can be created for (WSPEnumProtocols, W1, W2)."""
        return [*ENTRIES.values()]

    def socket(
        self, flags: SocketFlag, family: int = 4, protocol: int = Protocol.MPW_ROOTED
    ) -> int:
        """Create a socket and return its descriptor.

        Args:
            flags: exactly one C and one D flag, or neither for an ordinary socket (W3).
            family: 4 or 6.
            protocol: number of a protocol entry, which says what roots there can be (W4).

        Raises:
            SocketError: WSAEINVAL for any other set of flags (D1); WSAEPROTONOSUPPORT;
                WSAEAFNOSUPPORT; WSAEMFILE.
        """
        if self.in_condition:
            raise SocketError(WsaError.WSAEINPROGRESS, "a condition function is running")
        entry = entry_of(protocol, family)
        entry.check_flags(flags)
        self.check_descriptor_free()
        role = Role.PLAIN
        if flags & (C_FLAGS | D_FLAGS):
            role = Role.ROOT if flags & SocketFlag.C_ROOT else Role.LEAF
        socket = Socket(self.new_handle(), role, flags, family, entry)
        if entry.one_way and role is not Role.PLAIN:
            socket.join_flag = entry.direction(JoinFlag.BOTH, flags)
        self.sockets[socket.handle] = socket
        return socket.handle

    def bind(self, handle: int, address: Address) -> None:
        """Give the socket a local address.

        Raises:
            SocketError: WSAEINVAL bound already; WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL, and what
                the transport says.
        """
        socket = self.find(handle)
        if socket.endpoint is not None:
            raise SocketError(WsaError.WSAEINVAL, "the socket is bound")
        self.open_endpoint(socket, canonical(address, socket.family))

    # Names and errors -------------------------------------------------------------------------

    def getsockname(self, handle: int) -> Address:
        """Return the local address.

        Raises:
            SocketError: WSAEINVAL unbound.
        """
        socket = self.find(handle)
        if socket.membership is not None:
            return socket.membership.local
        if socket.participant is not None:
            return socket.participant.local
        if socket.endpoint is None:
            raise SocketError(WsaError.WSAEINVAL, "the socket is not bound")
        return socket.endpoint.local

    def getpeername(self, handle: int) -> Address:
        """Return the address of the other end.

        Raises:
            SocketError: WSAENOTCONN.
        """
        socket = self.find(handle)
        if socket.peer is None or not socket.usable:
            raise SocketError(WsaError.WSAENOTCONN, "the socket is not joined")
        return socket.peer

    def callee_data(self, handle: int) -> bytes:
        """Return what the acceptor handed back; valid once the join has succeeded (W16)."""
        return self.find(handle).callee_data

    # Being driven -----------------------------------------------------------------------------

    def receive_untrusted(
        self, opened: Address, data: bytes, source: Address, destination: Address, now_s: float
    ) -> None:
        """Take a datagram that arrived at the UDP address `opened`; nothing is ever raised."""
        endpoint = self.endpoints.get(opened)
        if endpoint is not None:
            endpoint.receive_untrusted(data, source, destination, now_s)
            self.collect(endpoint, now_s)

    def unreachable_untrusted(
        self, opened: Address, quote: bytes, peer: Address, now_s: float, *, port: bool
    ) -> None:
        """Take an ICMP unreachable that quotes a datagram sent from `opened`."""
        endpoint = self.endpoints.get(opened)
        if endpoint is not None:
            endpoint.unreachable_untrusted(quote, peer, now_s, port=port)
            self.collect(endpoint, now_s)

    def next_timer_s(self) -> float | None:
        """Return when `expire_timers` has something to do next."""
        times_s = (self.agenda.next_s(), self.deadlines.next_s())
        return min((time_s for time_s in times_s if time_s is not None), default=None)

    def expire_timers(self, now_s: float) -> None:
        """Let every timer expire that is due."""
        for local in self.agenda.due(now_s):
            endpoint = self.endpoints[local]
            endpoint.expire_timers(now_s)
            self.collect(endpoint, now_s)
        self.expire_waiting(now_s)
