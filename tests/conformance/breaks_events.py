"""Break W86 to W100: the event record."""

from dataclasses import replace

from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider, SocketError
from mpwire.winsock.base import WindowMessage
from mpwire.winsock.contract import FD_QOS
from mpwire.winsock.record import (
    CONTRACT,
    FD_ACCEPT,
    FD_CLOSE,
    FD_CONNECT,
    FD_READ,
    FD_WRITE,
    EventRecord,
    Phase,
)
from mpwire.winsock.sockets import Socket
from tests.conformance.registry import MonkeyPatch, Original, breaks, wrap

# K. Events ------------------------------------------------------------------------------------


@breaks(86)
def event_object_is_never_set(patch: MonkeyPatch) -> None:
    """Events are recorded, but nobody is woken."""
    wrap(patch, Provider, "signal", lambda *_: None)


@breaks(87)
def enumerating_leaves_the_object_set(patch: MonkeyPatch) -> None:
    """WSPEnumNetworkEvents does not reset the event object that it is given."""

    def wrong(original: Original, self: Provider, handle: int, *_: object) -> object:
        return original(self, handle)

    wrap(patch, Provider, "enum_network_events", wrong)


@breaks(87)
def enumerating_keeps_the_record(patch: MonkeyPatch) -> None:
    """WSPEnumNetworkEvents does not clear what it hands out."""

    def wrong(original: Original, self: EventRecord) -> object:
        phases = {**self.phases}
        found = original(self)
        self.phases = phases
        return found

    wrap(patch, EventRecord, "enumerate", wrong)


@breaks(88)
def enumerating_resets_the_object_unasked(patch: MonkeyPatch) -> None:
    """WSPEnumNetworkEvents resets the event object of the socket when it is given none."""

    def wrong(
        original: Original, self: Provider, handle: int, event_object: int | None = None
    ) -> object:
        return original(self, handle, event_object or self.find(handle).record.event_object)

    wrap(patch, Provider, "enum_network_events", wrong)


@breaks(89)
def every_nominated_event_gets_a_code(patch: MonkeyPatch) -> None:
    """WSPEnumNetworkEvents writes a code for every event that is nominated."""

    def wrong(original: Original, self: EventRecord) -> object:
        found = dict(original(self))
        return [(event, found.get(event, WsaError.SUCCESS)) for event in CONTRACT]

    wrap(patch, EventRecord, "enumerate", wrong)


@breaks(90)
def events_nobody_nominated_are_reported(patch: MonkeyPatch) -> None:
    """WSPEnumNetworkEvents hands out everything that was recorded."""

    def wrong(original: Original, self: EventRecord) -> object:
        mask, self.mask = self.mask, NetworkEvent(0b111111)
        found = original(self)
        self.mask = mask
        return found

    wrap(patch, EventRecord, "enumerate", wrong)


@breaks(91)
def selections_add_up(patch: MonkeyPatch) -> None:
    """A new selection keeps what the older one nominated."""

    def wrong(
        original: Original, self: EventRecord, mask: NetworkEvent, event_object: int | None
    ) -> object:
        return original(self, self.mask | mask, event_object or self.event_object)

    wrap(patch, EventRecord, "select", wrong)


@breaks(91)
def first_event_object_stays(patch: MonkeyPatch) -> None:
    """A new selection goes on setting the event object of the older one."""

    def wrong(
        original: Original,
        self: EventRecord,
        mask: NetworkEvent,
        event_object: int | None,
        *others: object,
    ) -> object:
        return original(self, mask, self.event_object or event_object, *others)

    wrap(patch, EventRecord, "select", wrong)


@breaks(92)
def reported_events_do_not_stay_quiet(patch: MonkeyPatch) -> None:
    """An event that was enumerated is recorded again without its re-enabling call."""

    def wrong(original: Original, self: EventRecord, event: NetworkEvent, *code: object) -> object:
        if self.phases[event] is Phase.REPORTED:
            self.enter(event, Phase.IDLE)
        return original(self, event, *code)

    wrap(patch, EventRecord, "occur", wrong)


@breaks(92)
def sending_re_enables_reading(patch: MonkeyPatch) -> None:
    """A send re-enables FD_READ as well."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> object:
        self.find(handle).record.reenable(FD_READ)
        return original(self, handle, *others)

    wrap(patch, Provider, "send", wrong)


@breaks(93)
def rejecting_does_not_re_enable(patch: MonkeyPatch) -> None:
    """WSPAccept re-enables FD_ACCEPT only when it succeeds."""

    def wrong(original: Original, self: Provider, socket: Socket, *others: object) -> object:
        phase = socket.record.phases[FD_ACCEPT]
        try:
            return original(self, socket, *others)
        except SocketError:
            socket.record.enter(FD_ACCEPT, phase)
            raise

    wrap(patch, Provider, "_accept_head", wrong)


@breaks(94)
def level_is_taken_for_edge(patch: MonkeyPatch) -> None:
    """What still holds after the re-enabling call is not recorded again."""
    wrap(patch, EventRecord, "still_holds", lambda *_: False)


@breaks(95)
def every_send_tells_of_room(patch: MonkeyPatch) -> None:
    """FD_WRITE is recorded after each successful send."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> object:
        value = original(self, handle, *others)
        socket = self.sockets[handle]
        socket.record.reenable(FD_WRITE)
        self.occur(socket, FD_WRITE)
        return value

    wrap(patch, Provider, "send", wrong)


@breaks(95)
def joining_does_not_tell_of_room(patch: MonkeyPatch) -> None:
    """FD_WRITE is not recorded when a socket has joined."""

    def wrong(
        original: Original, self: Provider, socket: Socket, event: NetworkEvent, *code: object
    ) -> None:
        if event is not FD_WRITE:
            original(self, socket, event, *code)

    wrap(patch, Provider, "occur", wrong)


@breaks(96)
def change_is_told_on_every_question(patch: MonkeyPatch) -> None:
    """SIO_GET_QOS records FD_QOS again, as if that were level-triggered."""

    def wrong(original: Original, self: Provider, socket: Socket) -> object:
        qos = original(self, socket)
        self.occur(socket, FD_QOS)
        return qos

    wrap(patch, Provider, "get_qos", wrong)


@breaks(97)
def selection_waits_for_something_new(patch: MonkeyPatch) -> None:
    """A selection is not told of what has been recorded already."""

    def wrong(original: Original, self: EventRecord, *others: object) -> bool:
        original(self, *others)
        return False

    wrap(patch, EventRecord, "select", wrong)


@breaks(98)
def events_carry_codes_of_calls(patch: MonkeyPatch) -> None:
    """FD_CONNECT may carry EALREADY."""
    row = CONTRACT[FD_CONNECT]
    patch.setitem(CONTRACT, FD_CONNECT, row._replace(codes=(*row.codes, WsaError.WSAEALREADY)))


@breaks(100)
def messages_are_merged(patch: MonkeyPatch) -> None:
    """Events of one socket that wait for the window come as one message with several bits."""

    def wrong(original: Original, self: Provider, window: int) -> WindowMessage | None:
        message: WindowMessage | None = original(self, window)
        queue = self.messages.get(window)
        while message is not None and queue and queue[0].socket == message.socket:
            message = replace(message, event=message.event | queue.popleft().event)
        return message

    wrap(patch, Provider, "get_message", wrong)


@breaks(98)
def close_may_carry_anything(patch: MonkeyPatch) -> None:
    """FD_CLOSE may carry ETIMEDOUT."""
    row = CONTRACT[FD_CLOSE]
    patch.setitem(CONTRACT, FD_CLOSE, row._replace(codes=(*row.codes, WsaError.WSAETIMEDOUT)))
