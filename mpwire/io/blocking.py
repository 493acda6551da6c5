"""Multipoint sockets with plain calls: each returns when it is done, or raises.

    with Root(("127.0.0.1", 0)) as root:
        root.listen()
        handle = root.accept()
        root.send(b"to every leaf")

Behind them is `mpwire.io.aio`, on the loop of one background thread: so a membership answers probes
and ends in order while the program computes something else, and threads may share sockets. A
condition function runs inside `accept`, on the thread that called it (W46). A call that times out
or is interrupted is cancelled as a task would be: nothing is lost, and a join is withdrawn.
"""

from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from mpwire.core import TimerPlan
from mpwire.core.address import Address
from mpwire.io import aio
from mpwire.io.aio import C_LEAF, C_ROOT, ConditionCallable
from mpwire.io.background import Callback, background
from mpwire.io.errors import DisconnectedError
from mpwire.io.host import Host
from mpwire.io.observed import Event
from mpwire.vocabulary import JoinFlag, ShutdownHow, SocketFlag
from mpwire.winsock import Message
from mpwire.winsock.control import Answer as Output
from mpwire.winsock.control import Ioctl, Option, Setting
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.scope import MultipointIoctl
from mpwire.wire.messages import Qos

Result = TypeVar("Result")


def _do(function: Callable[..., Result], *args: Any, **options: Any) -> Result:  # noqa: ANN401
    """Call something on the loop's thread."""

    async def work() -> Result:
        return function(*args, **options)

    return background().run(work())


def new_host(plan: TimerPlan | None = None, seed: bytes | None = None) -> Host:
    """Make a host with timers and entropy of its own, for sockets to be created on."""
    return _do(Host, plan, seed)


class MultipointSocket:
    """One multipoint socket: R or L, which are created, P or A, which calls on those return."""

    def __init__(self, inner: aio.MultipointSocket, timeout_s: float | None = None) -> None:
        """Stand for an asyncio socket; programs create a `Root` or a `Leaf`."""
        self.inner = inner
        self.timeout_s = timeout_s

    def settimeout(self, timeout_s: float | None) -> None:
        """Let calls that wait raise TimedOutError after so many seconds; None: never."""
        self.timeout_s = timeout_s

    def gettimeout(self) -> float | None:
        """Return after how many seconds calls that wait give up."""
        return self.timeout_s

    @property
    def handle(self) -> int:
        """Return the descriptor."""
        return self.inner.handle

    @property
    def closed(self) -> bool:
        """Tell whether the socket was closed."""
        return self.inner.closed

    @property
    def caller_data(self) -> bytes | None:
        """Return what came with the request that `accept` made this socket of."""
        return self.inner.caller_data

    @property
    def callee_data(self) -> bytes:
        """Return what came back with the join that made this socket a member."""
        return self.inner.callee_data

    def _wrap(self, inner: aio.MultipointSocket) -> "MultipointSocket":
        return self if inner is self.inner else MultipointSocket(inner, self.timeout_s)

    # Becoming members -------------------------------------------------------------------------

    def listen(self, backlog: int = 5) -> None:
        """Let requests (R) or invitations (L) queue for `accept`."""
        _do(self.inner.listen, backlog)

    def join_leaf(
        self,
        address: Address,
        *,
        flags: JoinFlag = JoinFlag.BOTH,
        caller_data: bytes | None = None,
        callee_capacity: int = 512,
        sqos: Qos | None = None,
    ) -> "MultipointSocket":
        """Invite the leaf that listens at `address` (R), or join the session of that root (L).

        Returns:
            the new socket that stands for the leaf, or this socket itself: see `mpwire.io.aio`.
        """
        work = self.inner.join_leaf(
            address,
            flags=flags,
            caller_data=caller_data,
            callee_capacity=callee_capacity,
            sqos=sqos,
        )
        return self._wrap(background().run(work, self.timeout_s))

    def accept(
        self, condition: ConditionCallable | None = None, *, callee_data: bytes | None = None
    ) -> "MultipointSocket":
        """Wait for a request (R) or an invitation (L) and decide about it.

        Args:
            condition: asked about the request, inside this call and on this thread; None accepts.
            callee_data: what an acceptance without condition hands back.

        Returns:
            P of an R, the session socket A of an L; `caller_data` is there.

        Raises:
            MultipointError: as WSPAccept: JoinRefusedError the condition function rejected,
                DeferredError it deferred, MembershipResetError the request was withdrawn.
        """
        ask = None if condition is None else Callback(condition)
        work = self.inner.accept(ask, callee_data=callee_data)
        return self._wrap(background().run(work, self.timeout_s, ask))

    # Data -------------------------------------------------------------------------------------

    def send(self, data: bytes, *, private: bool = False) -> int:
        """Send one message to every leaf (R) or along the session (L, A); wait for room.

        With a protocol that has side chat, what a P sends is for its leaf alone, and what a leaf
        sends in `private` for its P (W61).
        """
        return background().run(self.inner.send(data, private=private), self.timeout_s)

    def recv(self) -> bytes:
        """Receive one message.

        Raises:
            MultipointError: as WSPRecv; DisconnectedError after a graceful end.
        """
        return background().run(self.inner.recv(), self.timeout_s)

    def recv_message(self) -> Message:
        """Receive one message, with its origin and whether it is private; else as `recv`."""
        return background().run(self.inner.recv_message(), self.timeout_s)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over messages until the membership has ended gracefully."""
        while True:
            try:
                message = self.recv()
            except DisconnectedError:
                return
            yield message

    def events(self) -> Iterator[Event]:
        """Iterate over the network events of this socket, up to FD_CLOSE or its own close."""
        events = self.inner.events()

        async def following() -> Event | None:
            return await anext(events, None)

        while (event := background().run(following(), self.timeout_s)) is not None:
            yield event

    # Names and options ------------------------------------------------------------------------

    def getsockname(self) -> Address:
        """Return the local address."""
        return _do(self.inner.getsockname)

    def getpeername(self) -> Address:
        """Return the address of the other end."""
        return _do(self.inner.getpeername)

    def getsockopt(self, option: Option) -> Setting:
        """Return an option: SO_ERROR, SO_LINGER, ..."""
        return _do(self.inner.getsockopt, option)

    def setsockopt(self, option: Option, value: float | None) -> None:
        """Set an option."""
        _do(self.inner.setsockopt, option, value)

    def ioctl(self, code: Ioctl | MultipointIoctl, value: object = None) -> Output:
        """Serve a control code; what would wait tells by a network event instead."""
        return _do(self.inner.ioctl, code, value)

    def set_linger(self, seconds: float | None) -> None:
        """Choose how `close` ends: None gracefully in the background, 0 abortively.

        With a time, `close` waits that long for the graceful end, and aborts then.
        """
        _do(self.inner.set_linger, seconds)

    def duplicate(self) -> "MultipointSocket":
        """Return another descriptor of this socket, which ends with the last of them (W84)."""
        return MultipointSocket(_do(self.inner.duplicate), self.timeout_s)

    # Ending -----------------------------------------------------------------------------------

    def shutdown(self, how: ShutdownHow = ShutdownHow.BOTH) -> None:
        """End one or both directions; at R, ending the send side dismantles the session."""
        _do(self.inner.shutdown, how)

    def send_disconnect(self, data: bytes | None = None) -> None:
        """End the send direction with a last word for the other end."""
        _do(self.inner.send_disconnect, data)

    def recv_disconnect(self) -> bytes:
        """End the receive direction; return the last word that has come."""
        return _do(self.inner.recv_disconnect)

    def close(self) -> None:
        """Give the socket back: a leaf leaves, P expels its leaf, R dismantles its session.

        Unless it is to linger for a time, it returns at once: then the membership ends in the
        background, or abortively if that time is 0 (W81). Whoever waits on this socket, in
        another thread, fails with CancelledCallError.
        """
        _do(self.inner.close)
        if self.inner.lingers:
            background().run(self.inner.wait_closed())

    def wait_closed(self) -> None:
        """Wait until the other ends have acknowledged the close, or are given up."""
        background().run(self.inner.wait_closed(), self.timeout_s)

    def __enter__(self) -> Self:
        """Return the socket."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close the socket, with R also its P; unless leaving by an error, wait for the end."""
        background().run(self.inner.__aexit__(kind), self.timeout_s)


class Root(MultipointSocket):
    """A c_root/d_root socket: the one end of a session that every leaf is tied to."""

    def __init__(
        self,
        address: Address,
        *,
        protocol: Protocol = Protocol.MPW_ROOTED,
        flags: SocketFlag = C_ROOT,
        host: Host | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Create a root and bind it: see `mpwire.io.aio.Root`."""
        inner = _do(aio.Root, address, protocol=protocol, flags=flags, host=host)
        super().__init__(inner, timeout_s)


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
        timeout_s: float | None = None,
    ) -> None:
        """Create a leaf, and bind it if it has an address: see `mpwire.io.aio.Leaf`."""
        inner = _do(aio.Leaf, address, family=family, protocol=protocol, flags=flags, host=host)
        super().__init__(inner, timeout_s)


def join(
    address: Address,
    *,
    flags: JoinFlag = JoinFlag.BOTH,
    caller_data: bytes | None = None,
    callee_capacity: int = 512,
    protocol: Protocol = Protocol.MPW_ROOTED,
    host: Host | None = None,
    timeout_s: float | None = None,
) -> MultipointSocket:
    """Create a leaf and let it join the session of the root at `address`."""
    work = aio.join(
        address,
        flags=flags,
        caller_data=caller_data,
        callee_capacity=callee_capacity,
        protocol=protocol,
        host=host,
    )
    return MultipointSocket(background().run(work, timeout_s), timeout_s)
