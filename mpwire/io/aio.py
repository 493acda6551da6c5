"""Multipoint sockets for asyncio: await what blocks, iterate over messages and network events.

    async with Root(("127.0.0.1", 0)) as root:
        root.listen()
        handle = await root.accept()
        await root.send(b"to every leaf")

Calls have the names of the provider's and fail with the errors of `mpwire.io.errors`. What waits,
waits for a network event and then tries again; nothing is taken from a socket before the task that
asked for it runs on, so that cancelling a task loses neither message nor request nor event, and no
call starts a task of its own. Cancelling a task that joins withdraws the join: as Winsock has it, a
root closes the new socket (W25) and stays what it was; a leaf can only be closed (W28), and is.
"""

from collections.abc import Callable
from typing import Final, Self, TypeAlias

from mpwire.core import Membership
from mpwire.core.address import Address
from mpwire.io.errors import DisconnectedError, error_of
from mpwire.io.host import ALL_EVENTS, EVENT_OBJECT, Host, current_host
from mpwire.io.observed import ObservedSocket, Record
from mpwire.vocabulary import Condition, JoinFlag, NetworkEvent, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock import Blocked, ConditionArguments, ConditionFunction, Message, SocketError
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.messages import Qos

Answer: TypeAlias = Condition | tuple[Condition, bytes | None]
ConditionCallable: TypeAlias = Callable[[ConditionArguments], Answer]
"""Decides about a join request: accept, reject or defer it; with callee data, as a pair."""

C_ROOT: Final = SocketFlag.C_ROOT | SocketFlag.D_ROOT
C_LEAF: Final = SocketFlag.C_LEAF | SocketFlag.D_LEAF


class MultipointSocket(ObservedSocket):
    """One multipoint socket: R or L, which are created, P or A, which calls on those return."""

    def __init__(
        self,
        host: Host,
        handle: int,
        parent: "MultipointSocket | None" = None,
        record: Record | None = None,
    ) -> None:
        """Stand for a descriptor of `host`; programs create a `Root` or a `Leaf`."""
        super().__init__(host, handle, record)
        self.parent = parent
        self.leaves: dict[int, MultipointSocket] = {}
        """The open sockets that calls on this one returned."""
        self.caller_data: bytes | None = None
        """What came with the request that `accept` made this socket of."""
        self.callee_data = b""
        """What came back with the join that made this socket a member."""
        self._ending: list[Membership] = []
        self.lingers = False
        """Whether it was closed with a time to linger."""
        if parent is not None:
            parent.leaves[handle] = self

    # Becoming members -------------------------------------------------------------------------

    def listen(self, backlog: int = 5) -> None:
        """Let requests (R) or invitations (L) queue for `accept`."""
        self._call(self.host.provider.listen, self.handle, backlog, self.now)

    async def join_leaf(
        self,
        address: Address,
        *,
        flags: JoinFlag = JoinFlag.BOTH,
        caller_data: bytes | None = None,
        callee_capacity: int = 512,
        sqos: Qos | None = None,
    ) -> "MultipointSocket":
        """Invite the leaf that listens at `address` (R), or join the session of that root (L).

        Args:
            address: of the leaf, or of the root.
            flags: the direction in which this socket will act.
            caller_data: goes along with the request.
            callee_capacity: octets of callee data there is room for.
            sqos: flow specification to ask for.

        Returns:
            the new socket that stands for the leaf, or this socket itself; `callee_data` is there.

        Raises:
            MultipointError: as WSPJoinLeaf, and as its FD_CONNECT says.
        """
        provider, outcome = self.host.provider, self.host.loop.create_future()

        def start() -> MultipointSocket:
            joined = provider.join_leaf(
                self.handle,
                address,
                self.now,
                flags=flags,
                caller_data=caller_data,
                callee_capacity=callee_capacity,
                sqos=sqos,
            )
            assert not isinstance(joined, Blocked), "selecting events made it nonblocking"
            self._record.join = outcome
            self.unread.pop(NetworkEvent.FD_CONNECT, None)  # that of an older join (D6)
            return self if joined == self.handle else MultipointSocket(self.host, joined, self)

        joined = self._call(start)
        try:
            code = await outcome
        except BaseException:
            joined.close()
            raise
        if code is not WsaError.SUCCESS:
            if joined is not self:
                joined.close()
            raise error_of(code, f"the join of {address[0]} port {address[1]} failed")
        joined.callee_data = provider.callee_data(self.handle)
        return joined

    async def accept(
        self, condition: ConditionCallable | None = None, *, callee_data: bytes | None = None
    ) -> "MultipointSocket":
        """Wait for a request (R) or an invitation (L) and decide about it.

        Args:
            condition: asked about the request, inside this call; None accepts it.
            callee_data: what an acceptance without condition hands back.

        Returns:
            P of an R, the session socket A of an L; `caller_data` is there.

        Raises:
            MultipointError: as WSPAccept: JoinRefusedError the condition function rejected,
                DeferredError it deferred, MembershipResetError the request was withdrawn.
        """
        ask = _condition(condition, callee_data)

        def take() -> MultipointSocket | Blocked:
            accepted = self.host.provider.accept(self.handle, ask, self.now)
            if isinstance(accepted, Blocked):
                return accepted
            socket = MultipointSocket(self.host, accepted.socket, self)
            socket.caller_data = accepted.caller_data
            return socket

        return await self._try(take)

    # Data -------------------------------------------------------------------------------------

    async def send(self, data: bytes, *, private: bool = False) -> int:
        """Send one message to every leaf (R) or along the session (L, A); wait for room.

        What a P sends is for its leaf alone; what a leaf sends in `private` is for its P (W61).
        Both need a protocol with side chat: MPW_DIALOGUE.
        """
        return await self._try(
            lambda: self.host.provider.send(self.handle, data, self.now, private=private)
        )

    async def recv(self) -> bytes:
        """Receive one message.

        Raises:
            MultipointError: as WSPRecv; DisconnectedError after a graceful end.
        """
        return (await self.recv_message()).payload

    async def recv_message(self) -> Message:
        """Receive one message, with its origin and whether it is private; else as `recv`."""
        return await self._try(lambda: self.host.provider.recv_message(self.handle, self.now))

    def __aiter__(self) -> Self:
        """Iterate over messages until the membership has ended gracefully."""
        return self

    async def __anext__(self) -> bytes:
        """Receive the next message."""
        try:
            return await self.recv()
        except DisconnectedError:
            raise StopAsyncIteration from None

    def _bind(self, address: Address) -> None:
        try:
            self._call(self.host.provider.bind, self.handle, address)
        except BaseException:
            self.close()
            raise

    def duplicate(self) -> "MultipointSocket":
        """Return another descriptor of this socket, which ends with the last of them (W84).

        They share everything: members, messages, options and network events.

        Raises:
            MultipointError: as WSPDuplicateSocket.
        """
        handle = self._call(self.host.provider.duplicate, self.handle)
        return MultipointSocket(self.host, handle, self.parent, self._record)

    # Ending -----------------------------------------------------------------------------------

    def shutdown(self, how: ShutdownHow = ShutdownHow.BOTH) -> None:
        """End one or both directions; at R, ending the send side dismantles the session."""
        self._call(self.host.provider.shutdown, self.handle, how, self.now)
        self._after_shutdown()

    def send_disconnect(self, data: bytes | None = None) -> None:
        """End the send direction with a last word for the other end."""
        self._call(self.host.provider.send_disconnect, self.handle, data, self.now)
        self._after_shutdown()

    def recv_disconnect(self) -> bytes:
        """End the receive direction; return the last word that has come."""
        word = self._call(self.host.provider.recv_disconnect, self.handle, self.now)
        self._after_shutdown()
        return word

    def _after_shutdown(self) -> None:
        if self.host.provider.find(self.handle).pending is None:
            self._interrupt(WsaError.WSAEINTR, "the session was dismantled")
        self._record.wake()

    def _interrupt(self, code: WsaError, reason: str) -> None:
        """Fail the join that waits: no FD_CONNECT will come (D28)."""
        join = self._record.join
        if join is not None and not join.done():
            join.set_exception(error_of(code, reason))

    def close(self) -> None:
        """Give the socket back: a leaf leaves, P expels its leaf, R dismantles its session.

        Returns at once; the membership ends in the background unless linger is 0 (W81), and
        `wait_closed` waits for it. Whoever waits on this socket fails with CancelledCallError.
        """
        if self.closed:
            return
        provider = self.host.provider
        socket = provider.find(self.handle)
        is_last = not socket.duplicates
        ending = _members_of(socket) if is_last else []
        self._call(self._begin_close, socket)
        self.closed = True
        self._ending = ending
        del self.host.observers[self.handle]
        if self.parent is not None:
            self.parent.leaves.pop(self.handle, None)
        if is_last:
            self._interrupt(WsaError.WSA_OPERATION_ABORTED, "the socket was closed")
        self._record.wake()

    def _begin_close(self, socket: Socket) -> None:
        """Close; nobody waits in the call, but only a blocking socket can linger for a time."""
        provider = self.host.provider
        self.lingers = bool(socket.linger_s) and not socket.duplicates
        if self.lingers:
            provider.event_select(self.handle, None, NetworkEvent(0), self.now)
            provider.set_blocking(self.handle, blocking=True)
        provider.close(self.handle, self.now)

    async def wait_closed(self) -> None:
        """Wait until the other ends have acknowledged the close, or are given up."""
        while self._ending:
            if self._ending[-1].is_live:
                await self.host.change()
            else:
                self._ending.pop()

    async def __aenter__(self) -> Self:
        """Return the socket."""
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Close the socket, with R also its P; unless leaving by an error, wait for the end."""
        leaves = [*self.leaves.values()] if isinstance(self, Root) else []
        if leaves and not self.closed and self.host.provider.find(self.handle).duplicates:
            leaves = []  # the session lives on
        self.close()
        for leaf in leaves:
            leaf.close()
        if kind is None:
            await self.wait_closed()


class Root(MultipointSocket):
    """A c_root/d_root socket: the one end of a session that every leaf is tied to."""

    def __init__(
        self,
        address: Address,
        *,
        protocol: Protocol = Protocol.MPW_ROOTED,
        flags: SocketFlag = C_ROOT,
        host: Host | None = None,
    ) -> None:
        """Create a root and bind it.

        Args:
            address: local IP address and port, port 0 for a free one.
            protocol: the protocol entry.
            flags: C_ROOT and a D flag.
            host: where the socket lives, unless on the host of the running loop.

        Raises:
            MultipointError: as WSPSocket and WSPBind.
        """
        host = host or current_host()
        super().__init__(host, _open(host, flags, _family(address), protocol))
        self._bind(address)


class Leaf(MultipointSocket):
    """A c_leaf/d_leaf socket: joins a session, or listens for invitations."""

    def __init__(
        self,
        address: Address | None = None,
        *,
        family: int = 4,
        protocol: Protocol = Protocol.MPW_ROOTED,
        flags: SocketFlag = C_LEAF,
        host: Host | None = None,
    ) -> None:
        """Create a leaf, and bind it if it has an address; it needs one to listen.

        Args:
            address: local IP address and port; None to be bound by the join.
            family: 4 or 6, where `address` does not say it.
            protocol: the protocol entry.
            flags: C_LEAF and a D flag.
            host: where the socket lives, unless on the host of the running loop.

        Raises:
            MultipointError: as WSPSocket and WSPBind.
        """
        host = host or current_host()
        family = family if address is None else _family(address)
        super().__init__(host, _open(host, flags, family, protocol))
        if address is not None:
            self._bind(address)


def _members_of(socket: Socket) -> list[Membership]:
    """Return the memberships that a socket's close ends."""
    session = socket.endpoint.session if socket.endpoint is not None else None
    if socket.role is Role.ROOT and session is not None:
        return [*session.members.values()]
    return [socket.membership] if socket.membership is not None else []


def _family(address: Address) -> int:
    return 6 if ":" in address[0] else 4


def _open(host: Host, flags: SocketFlag, family: int, protocol: Protocol) -> int:
    """Create a socket that tells its events to the host."""
    try:
        handle = host.provider.socket(flags, family, protocol)
    except SocketError as error:
        raise error_of(error.code, error.reason) from None
    host.provider.event_select(handle, EVENT_OBJECT, ALL_EVENTS, host.now_s)
    return handle


async def join(
    address: Address,
    *,
    flags: JoinFlag = JoinFlag.BOTH,
    caller_data: bytes | None = None,
    callee_capacity: int = 512,
    protocol: Protocol = Protocol.MPW_ROOTED,
    host: Host | None = None,
) -> Leaf:
    """Create a leaf and let it join the session of the root at `address`."""
    leaf = Leaf(family=_family(address), protocol=protocol, host=host)
    try:
        await leaf.join_leaf(
            address, flags=flags, caller_data=caller_data, callee_capacity=callee_capacity
        )
    except BaseException:
        leaf.close()
        raise
    return leaf


def _condition(
    condition: ConditionCallable | None, callee_data: bytes | None
) -> ConditionFunction | None:
    """Return the condition function as the provider calls it."""
    if condition is None:
        return None if callee_data is None else lambda _: (Condition.ACCEPT, callee_data)

    def ask(arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        answer = condition(arguments)
        return answer if isinstance(answer, tuple) else (answer, None)

    return ask
