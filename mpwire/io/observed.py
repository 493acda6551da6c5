"""A socket of a host as an object: its events, waiting for the next, its names and options."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Self, TypeVar

from mpwire.core.address import Address
from mpwire.io.errors import NotNowError, error_of
from mpwire.io.host import Host
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Blocked, SocketError
from mpwire.winsock.control import Answer as Output
from mpwire.winsock.control import Ioctl, Option, Setting
from mpwire.winsock.scope import MultipointIoctl

Result = TypeVar("Result")


class Event(NamedTuple):
    """One network event of a socket, as WSPEnumNetworkEvents tells it."""

    event: NetworkEvent
    code: WsaError


class Events:
    """Iterate over the network events of a socket, up to FD_CLOSE or the socket's own close.

    The events are those of the one record a socket has: several iterations share them. An event
    that happens again before it is read is one event, as in Winsock.
    """

    def __init__(self, socket: "ObservedSocket") -> None:
        """Iterate over the events of `socket`."""
        self.socket = socket
        self.ended = False

    def __aiter__(self) -> Self:
        """Return the iteration itself."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event."""
        unread = self.socket.unread
        while not unread:
            if self.ended or self.socket.closed:
                raise StopAsyncIteration
            await self.socket.change()
        event = next(iter(unread))
        self.ended = event is NetworkEvent.FD_CLOSE
        return Event(event, unread.pop(event))


class Record:
    """What has happened on a socket, whichever of its descriptors is asked."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.unread: dict[NetworkEvent, WsaError] = {}
        """Events nobody has read, in the order they happened."""
        self.join: asyncio.Future[WsaError] | None = None
        """The join that was started last, until FD_CONNECT tells its outcome."""
        self.waiters: set[asyncio.Future[None]] = set()

    def on_event(self, event: NetworkEvent, code: WsaError) -> None:
        """Take a network event from the host."""
        self.unread[event] = code
        if event is NetworkEvent.FD_CONNECT and self.join is not None and not self.join.done():
            self.join.set_result(code)
        self.wake()

    def wake(self) -> None:
        """Let everybody look again who waits for a change."""
        waiters, self.waiters = self.waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class ObservedSocket:
    """One descriptor of a host, and what has happened on its socket."""

    def __init__(self, host: Host, handle: int, record: Record | None = None) -> None:
        """Start to observe a descriptor; duplicates of one socket share its record."""
        self.host = host
        self.handle = handle
        self.closed = False
        self._record = record or Record()
        host.observers[handle] = self._record

    @property
    def unread(self) -> dict[NetworkEvent, WsaError]:
        """Return the events nobody has read, in the order they happened."""
        return self._record.unread

    @property
    def now(self) -> float:
        """Return the time of the loop."""
        return self.host.now_s

    async def change(self) -> None:
        """Wait until something has happened on this socket."""
        waiter: asyncio.Future[None] = self.host.loop.create_future()
        self._record.waiters.add(waiter)
        try:
            await waiter
        finally:
            self._record.waiters.discard(waiter)

    def _call(self, function: Callable[..., Result], *args: object, **options: object) -> Result:
        """Call the provider, carry out what it wants done, and translate its error."""
        try:
            return function(*args, **options)
        except SocketError as error:
            raise error_of(error.code, error.reason) from None
        finally:
            self.host.progress()

    async def _try(self, function: Callable[[], Result | Blocked]) -> Result:
        """Call the provider again after every change, for as long as the call would block."""
        while True:
            if self.closed:
                raise error_of(WsaError.WSA_OPERATION_ABORTED, "the socket was closed")
            try:
                result = self._call(function)
            except NotNowError as error:
                if error.code is not WsaError.WSAEWOULDBLOCK:
                    raise
            else:
                assert not isinstance(result, Blocked), "selecting events made it nonblocking"
                return result
            await self.change()

    def events(self) -> Events:
        """Iterate over the network events of this socket."""
        return Events(self)

    # Names and options ------------------------------------------------------------------------

    def getsockname(self) -> Address:
        """Return the local address."""
        return self._call(self.host.provider.getsockname, self.handle)

    def getpeername(self) -> Address:
        """Return the address of the other end."""
        return self._call(self.host.provider.getpeername, self.handle)

    def getsockopt(self, option: Option) -> Setting:
        """Return an option: SO_ERROR, SO_LINGER, ..."""
        return self._call(self.host.provider.getsockopt, self.handle, option)

    def setsockopt(self, option: Option, value: float | None) -> None:
        """Set an option."""
        self._call(self.host.provider.setsockopt, self.handle, option, value)

    def ioctl(self, code: Ioctl | MultipointIoctl, value: object = None) -> Output:
        """Serve a control code; what would wait tells by a network event instead."""
        answer = self._call(self.host.provider.ioctl, self.handle, code, value, self.now)
        assert not isinstance(answer, Blocked), "selecting events made it nonblocking"
        return answer

    def set_linger(self, seconds: float | None) -> None:
        """Choose how `close` ends: None gracefully in the background, 0 abortively.

        With a time, gracefully as well, and abortively if that has not ended by then.
        """
        self._call(self.host.provider.set_linger, self.handle, seconds)
