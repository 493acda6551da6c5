"""WSPEventSelect, WSPAsyncSelect and WSPEnumNetworkEvents: who is told of network events, and how.

A socket has one selection. WSPEventSelect sets an event object and leaves the record to be
enumerated; WSPAsyncSelect posts one message per event to a window, and what is posted counts as
read. Either replaces the other (W91), and what re-enables an event is the same for both (W100).
"""

from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.base import WindowMessage
from mpwire.winsock.contract import FD_READ
from mpwire.winsock.errors import SocketError
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.record import Window
from mpwire.winsock.sockets import Socket


class Selecting(Reactions):
    """Nominate network events, and hand them out."""

    def event_select(
        self, handle: int, event_object: int | None, events: NetworkEvent, now_s: float
    ) -> None:
        """Nominate network events and the event object they set; makes the socket nonblocking.

        Replaces the older selection (W91). What is recorded, or true by now, signals at once (W97).

        Raises:
            SocketError: WSAEINVAL on a socket that awaits completion (D8).
        """
        socket = self._selectable(handle)
        self.unmark(socket)
        selected = event_object if events else None
        self.signal(socket, socket.record.select(events, selected))
        if socket.endpoint is not None:
            self.collect(socket.endpoint, now_s)

    def async_select(
        self, handle: int, window: int, message: int, events: NetworkEvent, now_s: float
    ) -> None:
        """Nominate network events that are posted to a window; makes the socket nonblocking.

        Replaces the older selection (W91). What holds by now is posted at once (W97), even if it
        was said before (D7).

        Raises:
            SocketError: WSAEINVAL on a socket that awaits completion (D8), or no window.
        """
        socket = self._selectable(handle)
        if events and window <= 0:
            raise SocketError(WsaError.WSAEINVAL, f"{window} is no window")
        self.unmark(socket)
        target = Window(window, message) if events else None
        self.signal(socket, socket.record.select(events, None, target))
        if events and socket.queue:
            self.signal(socket, socket.record.still_holds(FD_READ))
        if socket.endpoint is not None:
            self.collect(socket.endpoint, now_s)

    def _selectable(self, handle: int) -> Socket:
        """Return a socket that may select, which is nonblocking from now on (W7)."""
        socket = self.find(handle)
        if socket.is_unusable_handle:
            raise SocketError(WsaError.WSAEINVAL, "the socket awaits its own completion")
        socket.blocking = False
        return socket

    def get_message(self, window: int) -> WindowMessage | None:
        """Take the oldest message of a window, None when there is none."""
        queue = self.messages.get(window)
        return queue.popleft() if queue else None

    def enum_network_events(
        self, handle: int, event_object: int | None = None
    ) -> list[tuple[NetworkEvent, WsaError]]:
        """Hand out and clear the record, and reset the event object if one is named (W87).

        It knows only what WSPEventSelect nominated (W90).

        Raises:
            SocketError: WSAENOTSOCK; WSAEINVAL no event object, and nothing has changed (W88).
        """
        socket = self.find(handle)
        if event_object is not None and event_object <= 0:
            raise SocketError(WsaError.WSAEINVAL, f"{event_object} is no event object")
        if event_object is not None:
            self.signalled.discard(event_object)
        self.unmark(socket)
        return self.hand_out(socket)

    def is_signalled(self, event_object: int) -> bool:
        """Tell whether an event object is set, and leave it so."""
        return event_object in self.signalled

    def take_signal(self, event_object: int) -> list[int]:
        """Reset an event object and return the sockets that have set it, to be enumerated."""
        self.signalled.discard(event_object)
        return sorted(self.signallers.pop(event_object, ()))
