"""A socket of a host as an object: its unread network events, and waiting for the next change."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Self, TypeVar

from mpwire.io.errors import NotNowError, error_of
from mpwire.io.host import Host
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Blocked, SocketError

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


class ObservedSocket:
    """One descriptor of a host, and what has happened on it."""

    def __init__(self, host: Host, handle: int) -> None:
        """Start to observe a descriptor."""
        self.host = host
        self.handle = handle
        self.closed = False
        self.unread: dict[NetworkEvent, WsaError] = {}
        """Events nobody has read, in the order they happened."""
        self._join: asyncio.Future[WsaError] | None = None
        """The join that was started last, until FD_CONNECT tells its outcome."""
        self._waiters: set[asyncio.Future[None]] = set()
        host.observers[handle] = self

    @property
    def now(self) -> float:
        """Return the time of the loop."""
        return self.host.now_s

    def on_event(self, event: NetworkEvent, code: WsaError) -> None:
        """Take a network event from the host."""
        self.unread[event] = code
        if event is NetworkEvent.FD_CONNECT and self._join is not None and not self._join.done():
            self._join.set_result(code)
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def change(self) -> None:
        """Wait until something has happened on this socket."""
        waiter: asyncio.Future[None] = self.host.loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

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
