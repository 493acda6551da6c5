"""Quality of service: what a join asks for, what the network carries, and FD_QOS (W17, W96).

A flow specification belongs to the socket that asks (R, L); A has the mirror image of what the root
asked for. SIO_SET_QOS states it beforehand and lpSQOS of a join overrides that. A join that asks
for more than the network carries fails with WSAEOPNOTSUPP, here or, by REJECT(11), at the other
end. When the network comes to carry less than was agreed, or more again, FD_QOS tells of it once.
"""

from mpwire.vocabulary import JoinFlag, WsaError
from mpwire.winsock.contract import FD_QOS, Role
from mpwire.winsock.errors import SocketError
from mpwire.winsock.parameters import check_qos
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.sockets import Socket
from mpwire.wire.messages import Qos

NO_DEMAND = Qos(sending_octets_per_s=0, receiving_octets_per_s=0)


def mirrored(qos: Qos | None) -> Qos | None:
    """Return a flow specification as the other end sees it."""
    if qos is None:
        return None
    return Qos(
        sending_octets_per_s=qos.receiving_octets_per_s,
        receiving_octets_per_s=qos.sending_octets_per_s,
    )


def within(qos: Qos, capacity: int) -> Qos:
    """Return what a network of this capacity carries of a flow specification."""
    return Qos(
        sending_octets_per_s=min(qos.sending_octets_per_s, capacity),
        receiving_octets_per_s=min(qos.receiving_octets_per_s, capacity),
    )


def in_direction(qos: Qos, flag: JoinFlag) -> Qos:
    """Return a flow specification without the direction that a join leaves out (W17)."""
    return Qos(
        sending_octets_per_s=0 if flag is JoinFlag.RECEIVER_ONLY else qos.sending_octets_per_s,
        receiving_octets_per_s=0 if flag is JoinFlag.SENDER_ONLY else qos.receiving_octets_per_s,
    )


class Quality(Reactions):
    """Agree on flow specifications, and watch over them."""

    def wanted_qos(self, socket: Socket, sqos: Qos | None, flag: JoinFlag) -> Qos | None:
        """Return the flow specification of a join of this socket (W17).

        It is lpSQOS, else what SIO_SET_QOS said; on a protocol whose first leaf settles it, that of
        the first leaf.

        Raises:
            SocketError: WSAEFAULT, WSAEINVAL no flow specification; WSAEOPNOTSUPP more than the
                network carries.
        """
        sqos = check_qos(sqos)
        session = socket.endpoint.session if socket.endpoint else None
        settled = socket.protocol.first_leaf_settles_qos and session and session.has_member()
        if sqos is None or settled:
            sqos = socket.sqos
        if sqos is None:
            return None
        wanted = in_direction(sqos, flag)
        if within(wanted, self._capacity(socket)) != wanted:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"{wanted} is more than the network carries")
        return wanted

    def _capacity(self, socket: Socket) -> int:
        host = socket.endpoint.local[0] if socket.endpoint else ""
        return self.capacity_at(host, socket.protocol)

    def set_qos(self, socket: Socket, value: object) -> None:
        """State what later joins ask for (SIO_SET_QOS).

        Raises:
            SocketError: WSAEFAULT, WSAEINVAL no flow specification, or a socket that has none;
                WSAEOPNOTSUPP more than the network carries.
        """
        self._check_kind(socket)
        qos = check_qos(value)
        if qos is None:
            raise SocketError(WsaError.WSAEFAULT, "no flow specification is given")
        if within(qos, self._capacity(socket)) != qos:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"{qos} is more than the network carries")
        socket.sqos = socket.carried = qos

    def get_qos(self, socket: Socket) -> Qos:
        """Return what the network carries of the flow specification; re-enables FD_QOS."""
        self._check_kind(socket)
        socket.record.called("SIO_GET_QOS")
        return socket.carried or NO_DEMAND

    def _check_kind(self, socket: Socket) -> None:
        if socket.role in {Role.PLAIN, Role.ROOT_LEAF}:
            raise SocketError(WsaError.WSAEINVAL, f"a {socket.role.value} socket has no flows")

    def capacity_changed(self, host: str, octets_per_s: int | None) -> None:
        """Learn what the network of a local address carries each way; None: no less than ever.

        A socket bound to every address has that of the wildcard. Sockets whose agreed flow
        specification it concerns record FD_QOS, once per change (W96).
        """
        if octets_per_s is None:
            self.capacities.pop(host, None)
        else:
            self.capacities[host] = octets_per_s
        for socket in self.open_sockets():
            if socket.endpoint is None or socket.endpoint.local[0] != host:
                continue
            capacity = socket.endpoint.capacity_octets_per_s = self._capacity(socket)
            if socket.sqos is None or not socket.is_joined:
                continue
            carried = within(socket.sqos, capacity)
            if carried != socket.carried:
                socket.carried = carried
                self.occur(socket, FD_QOS)
