"""WSPListen, WSPJoinLeaf and WSPAccept."""

from collections.abc import Callable
from functools import partial

from mpwire.core import Endpoint, Membership
from mpwire.core.address import Address
from mpwire.core.events import Admitted, Deferred, Refused
from mpwire.core.listener import Entry, Listener
from mpwire.core.membership import OFFERED_VERSIONS
from mpwire.vocabulary import Condition, JoinFlag, SocketFlag, WsaError
from mpwire.winsock.base import Accepted, Blocked
from mpwire.winsock.condition import ConditionFunction, Conditions
from mpwire.winsock.directions import MIRRORED, flag_of, leaf_direction
from mpwire.winsock.errors import SocketError
from mpwire.winsock.gathering import Gathering
from mpwire.winsock.parameters import (
    MAXIMUM_JOIN_DATA_OCTETS,
    check_address_room,
    check_callee_capacity,
    check_caller_data,
    check_name,
)
from mpwire.winsock.quality import Quality, mirrored
from mpwire.winsock.record import FD_CONNECT
from mpwire.winsock.sockets import Role, Socket
from mpwire.winsock.transport import canonical_peer
from mpwire.wire.codec import pad_join_request
from mpwire.wire.messages import JoinReq, Qos
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import RejectReason
from mpwire.wire.registries import Role as WireRole


def _grease(dice: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return a TLV that nobody may mind, of a reserved type 0x?A?A (protocol.md 14)."""
    code = 0x0A0A | (dice[0] & 0x70) << 8 | dice[1] & 0xF0
    return ((code, dice[2 : 2 + dice[1] % 16]),)


class Joining(Conditions, Quality, Gathering):
    """Become a listener, ask for a membership, or admit one."""

    def listen(self, handle: int, backlog: int, now_s: float) -> None:
        """Wait for leaves (R) or for invitations (L); a second call changes the backlog (D24).

        Raises:
            SocketError: WSAEINVAL unbound, joining, or no listener's role; WSAEISCONN a member
                (W101); WSAEOPNOTSUPP connectionless, or a c_leaf/d_root.
        """
        socket = self.find(handle)
        endpoint = self._listening_endpoint(socket)
        if endpoint.listener is None:
            role = WireRole.C_LEAF_TO_ROOT if endpoint.session else WireRole.C_ROOT
            endpoint.listener = Listener(role, backlog)
        for membership in endpoint.listener.resize(backlog):
            endpoint.call(membership, Refused(RejectReason.BACKLOG_FULL), now_s)
        self.collect(endpoint, now_s)

    def _listening_endpoint(self, socket: Socket) -> Endpoint:
        if not socket.protocol.control_rooted:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"{socket.protocol.name} has no listeners")
        if socket.role not in {Role.ROOT, Role.LEAF}:
            raise SocketError(WsaError.WSAEINVAL, f"a {socket.role.value} socket cannot listen")
        self.check_data_role(socket)
        if socket.role is Role.LEAF and socket.flags & SocketFlag.D_ROOT:
            raise SocketError(WsaError.WSAEOPNOTSUPP, "an invitation cannot make a d_root")
        if socket.role is Role.LEAF and socket.membership is not None:
            code = WsaError.WSAEINVAL if socket.pending else WsaError.WSAEISCONN
            raise SocketError(code, "the socket joins, or has joined, a session")
        if socket.endpoint is None:
            raise SocketError(WsaError.WSAEINVAL, "the socket is not bound")
        if socket.endpoint.session is not None and socket.endpoint.session.is_ending:
            raise SocketError(WsaError.WSAEINVAL, "the session has been dismantled")
        return socket.endpoint

    def check_data_role(self, socket: Socket) -> None:
        """Raise WSAEOPNOTSUPP on a one-way plane for a d_root that is not the c_root."""
        if not socket.protocol.one_way:
            return
        if bool(socket.flags & SocketFlag.C_ROOT) is not bool(socket.flags & SocketFlag.D_ROOT):
            raise SocketError(WsaError.WSAEOPNOTSUPP, "data goes from the c_root one way")

    # WSPJoinLeaf ------------------------------------------------------------------------------

    def join_leaf(
        self,
        handle: int,
        address: Address,
        now_s: float,
        *,
        flags: int = JoinFlag.BOTH,
        caller_data: bytes | None = None,
        callee_capacity: int = 0,
        sqos: Qos | None = None,
    ) -> int | Blocked:
        """Invite a leaf (R) or join a session at its root (L).

        Args:
            handle: R or L.
            address: of one leaf, or of the root.
            now_s: the time in seconds.
            flags: dwFlags, one of `JoinFlag` (W14).
            caller_data: for the condition function of whoever is asked (W15).
            callee_capacity: octets of callee data there is room for (W16).
            sqos: flow specification of this socket; overrides SIO_SET_QOS (W17).

        Returns:
            a new descriptor for R, the same one for L (W10, W11); at once when nonblocking, with
            FD_CONNECT on `handle` to follow; else a token whose completion gives the descriptor.

        Raises:
            SocketError: table 1M of the semantics; never WSAEWOULDBLOCK.
        """
        socket = self.find(handle)
        flag = self._check_join(socket, flags)
        caller_data = check_caller_data(caller_data, socket.protocol)
        room = check_callee_capacity(callee_capacity)
        name = check_name(address)
        qos = self.wanted_qos(socket, sqos, flag)
        if not socket.protocol.control_rooted:
            return self.join_session(socket, name, flag, now_s)
        address = canonical_peer(name, socket.family)
        endpoint = self.bind_implicitly(socket)
        self.check_network(endpoint)
        if self._is_member(endpoint, address):
            raise SocketError(WsaError.WSAEISCONN, f"{address} is a member")
        if socket.role is Role.ROOT:
            self.check_descriptor_free()
        try:
            local = self.transport.source_for(endpoint.local, address)
        except SocketError as error:
            if socket.blocking or error.code is not WsaError.WSAENETUNREACH:
                raise
            return self._fail_at_once(socket, error.code)
        socket.record.called("join_leaf")
        socket.asked_flag, socket.callee_capacity = flag, room
        socket.sqos = socket.carried = qos
        request = self._request(socket, endpoint, flag, caller_data)
        self._ask_for(request, qos, room)
        membership = endpoint.join(local, address, request, now_s)
        joined = self._joining(socket, endpoint, membership)
        if endpoint.listener is not None:
            endpoint.listener.park(address)
        self.collect(endpoint, now_s)
        return self.block("join_leaf", socket) if socket.blocking else joined.handle

    def _joining(self, socket: Socket, endpoint: Endpoint, membership: Membership) -> Socket:
        """Give a join that has begun the socket that will stand for the leaf: P, or L itself."""
        joined = self._new_leaf(socket) if socket.role is Role.ROOT else socket
        joined.membership, joined.usable = membership, False
        self.owners[membership] = joined
        socket.pending = joined
        if endpoint.session is not None:
            endpoint.session.invitation = membership
        return joined

    def _fail_at_once(self, socket: Socket, code: WsaError) -> int:
        """Fail a nonblocking join that no datagram can leave for, by event as ever (W23, W37)."""
        socket.record.called("join_leaf")
        joined = self._new_leaf(socket) if socket.role is Role.ROOT else socket
        joined.usable = False
        self.occur(socket, FD_CONNECT, code)
        return joined.handle

    def _check_join(self, socket: Socket, flags: int) -> JoinFlag:
        if socket.role is Role.PLAIN:
            raise SocketError(WsaError.WSAEINVAL, "the socket has no multipoint flags")
        if socket.pending is not None:
            raise SocketError(WsaError.WSAEALREADY, "a join is outstanding")
        if socket.is_unusable_handle:
            raise SocketError(WsaError.WSAEINVAL, "the socket awaits its own completion")
        if socket.role is not Role.ROOT and socket.is_member:
            raise SocketError(WsaError.WSAEISCONN, "the socket is a member of a session")
        self.check_data_role(socket)
        endpoint = socket.endpoint
        if socket.role is Role.LEAF and endpoint is not None and endpoint.listener is not None:
            raise SocketError(WsaError.WSAEINVAL, "a listening c_leaf cannot join")
        if endpoint is not None and endpoint.session is not None and endpoint.session.is_ending:
            raise SocketError(WsaError.WSAEINVAL, "the session has been dismantled")
        try:
            flag = JoinFlag(flags)
        except ValueError:
            raise SocketError(WsaError.WSAEINVAL, f"{flags} is no JL_ flag") from None
        flag = socket.protocol.direction(flag, socket.flags)
        if socket.role is Role.ROOT and socket.join_flag not in {None, flag}:
            raise SocketError(WsaError.WSAEINVAL, "the first join fixed the direction of R")
        return flag

    def _is_member(self, endpoint: Endpoint, address: Address) -> bool:
        return any(membership.is_live for membership in endpoint.by_peer.get(address, ()))

    def _request(
        self, socket: Socket, endpoint: Endpoint, flag: JoinFlag, caller_data: bytes | None
    ) -> JoinReq:
        """Build the JOIN_REQ of a new attempt: new InitTag, new Txn."""
        session = endpoint.session
        direction = MIRRORED[flag] if session else leaf_direction(flag, socket.flags)
        dice = self.entropy.octets(20)
        return JoinReq(
            flags=HeaderFlag.G if dice[0] & 1 else 0,
            session_id=0 if session is None else session.facts.session_id,
            sender_id=0 if session is None else 1,
            seq=self.entropy.sequence(),
            init_tag=self.entropy.tag(),
            role=WireRole.C_LEAF_TO_ROOT if session is None else WireRole.C_ROOT,
            jl=flag,
            leaf_dir=direction,
            planes=endpoint.profile.planes,
            next_data_seq=(
                self.entropy.sequence() if session is None else session.facts.next_data_seq
            ),
            max_payload=endpoint.profile.max_payload_octets,
            timers=self.plan.announced(),
            caps=endpoint.profile.capabilities,
            versions=OFFERED_VERSIONS,
            caller_data=caller_data,
            extra=_grease(dice[1:]) if dice[0] & 2 else (),
        )

    def _ask_for(self, request: JoinReq, qos: Qos | None, room: int) -> None:
        """Say what flow specification and how much callee data a request wants, and pad it."""
        request.qos = qos
        if room < MAXIMUM_JOIN_DATA_OCTETS:
            request.callee_room = room
        pad_join_request(request)

    def _new_leaf(self, parent: Socket) -> Socket:
        """Make the P of R, or the A of L: it inherits the selection and the mode (W13, W47)."""
        role = Role.ROOT_LEAF if parent.role is Role.ROOT else Role.INVITED
        socket = Socket(
            handle=self.new_handle(),
            role=role,
            flags=SocketFlag.C_LEAF | SocketFlag.D_LEAF,
            family=parent.family,
            protocol=parent.protocol,
            record=parent.record.inherited(),
            endpoint=parent.endpoint,
            parent=parent,
            options=parent.options,
            blocking=parent.blocking,
            linger_s=parent.linger_s,
        )
        self.sockets[socket.handle] = socket
        return socket

    # WSPAccept --------------------------------------------------------------------------------

    def accept(
        self,
        handle: int,
        condition: ConditionFunction | None,
        now_s: float,
        *,
        context: object = None,
        address_octets: int | None = None,
    ) -> Accepted | Blocked:
        """Decide about the request at the head of the queue.

        Args:
            handle: a listening R or L.
            condition: decides; None accepts.
            now_s: the time in seconds.
            context: handed to the condition function (dwCallbackData).
            address_octets: size of the buffer for the address, if the caller has one (addrlen).

        Raises:
            SocketError: WSAEOPNOTSUPP connectionless; WSAEINVAL not listening, or no answer of a
                condition function; WSAEFAULT no room for the address;
                WSAEWOULDBLOCK nothing waits; WSAEMFILE; WSAECONNREFUSED the condition function
                rejected; WSATRY_AGAIN it deferred; WSAECONNRESET, WSAEACCES the request is gone
                (W42-W48, D17).
        """
        socket = self.find(handle)
        endpoint = socket.endpoint
        if not socket.protocol.control_rooted:
            raise SocketError(WsaError.WSAEOPNOTSUPP, f"{socket.protocol.name} has no listeners")
        if socket.parent is not None or endpoint is None or endpoint.listener is None:
            raise SocketError(WsaError.WSAEINVAL, "the socket does not listen")
        check_address_room(address_octets, socket.family)
        accept_head = partial(self._accept_head, socket, condition, context)
        accepted = accept_head(now_s)
        if accepted is not None:
            return accepted
        if socket.blocking:
            return self.block("accept", socket, accept_head)
        raise SocketError(WsaError.WSAEWOULDBLOCK, "no request waits")

    def _accept_head(
        self, socket: Socket, condition: ConditionFunction | None, context: object, now_s: float
    ) -> Accepted | None:
        """Decide about the head, or return None when nothing waits.

        Re-enables FD_ACCEPT, however it ends, unless the head is deferred (W92, W93).
        """
        endpoint = socket.endpoint
        assert endpoint is not None
        assert endpoint.listener is not None
        entry = endpoint.listener.head
        reenables = True
        try:
            if entry is None:
                return None
            decide = partial(self.ask, entry, condition, context)
            return self._decide(socket, entry, decide, now_s)
        except SocketError as error:
            reenables = error.code is not WsaError.WSATRY_AGAIN
            raise
        finally:
            if reenables:
                socket.record.called("accept")
            self.collect(endpoint, now_s)

    def _decide(
        self,
        socket: Socket,
        entry: Entry,
        decide: Callable[[], tuple[Condition, bytes | None]],
        now_s: float,
    ) -> Accepted:
        """Ask the condition function about an entry and do what it says."""
        endpoint = socket.endpoint
        assert endpoint is not None
        assert endpoint.listener is not None
        if entry.gone is not None:
            endpoint.listener.take(entry)
            raise SocketError(entry.gone, "the request has ended")
        self.check_descriptor_free()
        decision, callee_data = decide()
        if decision is Condition.DEFER:
            endpoint.call(entry.membership, Deferred(), now_s)
            raise SocketError(WsaError.WSATRY_AGAIN, "the condition function deferred")
        endpoint.listener.take(entry)
        if decision is Condition.REJECT:
            endpoint.call(entry.membership, Refused(RejectReason.APP_REFUSED), now_s)
            raise SocketError(WsaError.WSAECONNREFUSED, "the condition function rejected")
        return self._admit(socket, endpoint, entry.membership, callee_data, now_s)

    def _admit(
        self,
        socket: Socket,
        endpoint: Endpoint,
        membership: Membership,
        callee_data: bytes | None,
        now_s: float,
    ) -> Accepted:
        """Make the P or A that stands for a membership; data given to it waits for CONFIRM."""
        accepted = self._new_leaf(socket)
        accepted.membership = membership
        socket.untold = False
        if endpoint.session is None:
            accepted.join_flag = flag_of(membership.leaf_dir)
            accepted.sqos = accepted.carried = mirrored(membership.request.qos)
        self.owners[membership] = accepted
        endpoint.call(membership, Admitted(callee_data), now_s)
        if endpoint.session is not None:
            endpoint.session.add(membership)
        return Accepted(accepted.handle, membership.peer, membership.request.caller_data)
