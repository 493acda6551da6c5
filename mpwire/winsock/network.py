"""The network of the host: interfaces lost, addresses and routes that change (RS18, W96).

Whoever drives the provider tells it. A lost interface ends what lived on it with WSAENETDOWN, and
lets no join start from there. The two notifications an application can ask for, by ioctl, come once
per asking.
"""

from typing import Final

from mpwire.core.address import Address
from mpwire.core.events import AbortRequested, Withdrawn
from mpwire.core.table import State
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.base import Blocked
from mpwire.winsock.contract import CONTRACT, FD_ADDRESS_LIST_CHANGE, FD_ROUTING_INTERFACE_CHANGE
from mpwire.winsock.errors import SocketError
from mpwire.winsock.parameters import check_name
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.sockets import Socket
from mpwire.winsock.transport import canonical

ADDRESS_LIST: Final = "SIO_ADDRESS_LIST_CHANGE"
ROUTE: Final = "SIO_ROUTING_INTERFACE_CHANGE"
MEMBERS: Final = frozenset(
    {
        State.ACCEPTING,
        State.JOINED,
        State.SUSPECT,
        State.HALF_CLOSING,
        State.CLOSING,
        State.DRAINING,
    }
)
"""Ends that a lost interface ends."""
DONE: Final = 0
"""What an ioctl without output comes to."""


class Network(Reactions):
    """Follow the host's network."""

    # What the driver tells --------------------------------------------------------------------

    def interface_changed(self, host: str, now_s: float, *, is_up: bool) -> None:
        """Learn that the interface of a local address was lost, or is there (again), or is new.

        Args:
            host: the local address.
            now_s: the time in seconds.
            is_up: whether the address can be used.
        """
        if not is_up and host in self.lost:
            return
        if is_up:
            self.lost.discard(host)
        else:
            self.lost.add(host)
            self._lose(host, now_s)
        self._tell_of_addresses(6 if ":" in host else 4)
        self.routes_changed()

    def routes_changed(self) -> None:
        """Learn that the routes of the host may have changed."""
        for socket in self.open_sockets():
            if socket.watched is None:
                continue
            destination, source = socket.watched
            found = self._source_towards(socket, destination)
            if found != source:
                socket.watched = destination, found
                self.occur(socket, FD_ROUTING_INTERFACE_CHANGE)
                self.finish_all(socket, ROUTE, DONE)

    def _tell_of_addresses(self, family: int) -> None:
        for socket in self.open_sockets():
            if socket.family == family and socket.role in CONTRACT[FD_ADDRESS_LIST_CHANGE].on:
                self.occur(socket, FD_ADDRESS_LIST_CHANGE)
                self.finish_all(socket, ADDRESS_LIST, DONE)

    def _lose(self, host: str, now_s: float) -> None:
        """End what lives on a lost address: joins by WSAENETUNREACH, members by WSAENETDOWN."""
        for socket in self.open_sockets():
            joining = socket.pending.membership if socket.pending else None
            if joining is not None and joining.local[0] == host and socket.endpoint is not None:
                self._join_failed(socket.endpoint, joining, WsaError.WSAENETUNREACH)
                socket.endpoint.call(joining, Withdrawn(), now_s)
                self.collect(socket.endpoint, now_s)
        for membership, socket in [*self.owners.items()]:
            endpoint = socket.endpoint
            if membership.local[0] == host and membership.state in MEMBERS and endpoint is not None:
                self._ended(endpoint, membership, WsaError.WSAENETDOWN, now_s)
                endpoint.call(membership, AbortRequested(), now_s)
                self.collect(endpoint, now_s)

    # What applications ask for ----------------------------------------------------------------

    def await_route_change(self, socket: Socket, destination: object) -> Blocked:
        """Serve SIO_ROUTING_INTERFACE_CHANGE: end when another address of ours reaches it.

        Raises:
            SocketError: WSAEWOULDBLOCK nonblocking: the event will tell; WSAEINVAL unbound;
                WSAEFAULT, WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL no destination.
        """
        self._check_kind_for(socket, FD_ROUTING_INTERFACE_CHANGE)
        name = canonical(check_name(destination), socket.family)
        socket.watched = name, self._source_towards(socket, name)
        return self._await_change(socket, ROUTE)

    def await_address_change(self, socket: Socket) -> Blocked:
        """Serve SIO_ADDRESS_LIST_CHANGE: end when an address of the family comes or goes.

        Raises:
            SocketError: WSAEWOULDBLOCK nonblocking: the event will tell.
        """
        self._check_kind_for(socket, FD_ADDRESS_LIST_CHANGE)
        return self._await_change(socket, ADDRESS_LIST)

    def _await_change(self, socket: Socket, call: str) -> Blocked:
        socket.record.called(call)
        if socket.blocking:
            return self.block(call, socket)
        raise SocketError(WsaError.WSAEWOULDBLOCK, f"{call} has nothing to tell yet")

    def _check_kind_for(self, socket: Socket, event: NetworkEvent) -> None:
        if socket.role not in CONTRACT[event].on:
            raise SocketError(
                WsaError.WSAEINVAL, f"{event.name} is not for a {socket.role.value} socket"
            )

    def route_to(self, socket: Socket, destination: object) -> Address:
        """Serve SIO_ROUTING_INTERFACE_QUERY: the address of ours that reaches a destination.

        Raises:
            SocketError: WSAEINVAL unbound; WSAENETUNREACH; WSAEFAULT, WSAEAFNOSUPPORT,
                WSAEADDRNOTAVAIL no destination.
        """
        source = self._source_towards(socket, canonical(check_name(destination), socket.family))
        if source is None:
            raise SocketError(WsaError.WSAENETUNREACH, f"nothing reaches {destination}")
        return source

    def _source_towards(self, socket: Socket, destination: Address) -> Address | None:
        if socket.endpoint is None:
            raise SocketError(WsaError.WSAEINVAL, "the socket is not bound")
        try:
            source = self.transport.source_for(socket.endpoint.local, destination)
        except SocketError:
            return None
        return None if source[0] in self.lost else source
