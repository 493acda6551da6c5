"""CR28-CR32: what an application looks up, and what it asks of the network."""

from typing import Any

from mpwire.io import values
from mpwire.testing.broken.patches import patch, put
from mpwire.testing.broken.seams import alter, wrap
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider
from mpwire.winsock.protocols import ProtocolEntry
from mpwire.wire.messages import JoinReq


@patch("CR28", "socket-enumerations", "leaf1")
def every_code_written() -> None:
    """An enumeration writes 0 as the code of everything that has not happened."""
    written = values.network_events

    def all_of_them(found: Any, fill: int | None) -> Any:
        return written(found, None if fill is None else 0)

    put(values, "network_events", all_of_them)


@patch("CR29", "socket-enumerations", "leaf1")
def event_object_reset_unasked() -> None:
    """An enumeration resets the event object of the selection, though it is given none."""

    def resetting(original: Any, self: Provider, handle: int, *event_object: int) -> Any:
        found = original(self, handle, *event_object)
        self.signalled.discard(self.find(handle).record.event_object or 0)
        return found

    wrap(Provider, "enum_network_events", resetting)


@patch("CR29", "socket-enumerations", "leaf1")
def no_event_object_taken() -> None:
    """An enumeration that names an event object which is none succeeds."""

    def easy(original: Any, self: Provider, handle: int, *event_object: int) -> Any:
        return original(self, handle, *(one for one in event_object if one))

    wrap(Provider, "enum_network_events", easy)


@patch("CR30", "socket-protocols", "root")
def roots_of_planes_without_root() -> None:
    """Sockets are created with roots of planes that are not rooted."""

    def lenient(_original: Any, _self: ProtocolEntry, _flags: Any) -> None:
        return None

    wrap(ProtocolEntry, "check_flags", lenient)


@patch("CR31", "join-flow", "leaf1")
def half_of_the_flow() -> None:
    """Requests ask for the direction of sending only."""
    alter(
        JoinReq,
        lambda message: message.qos is not None,
        qos=lambda message: type(message.qos)(
            sending_octets_per_s=message.qos.sending_octets_per_s, receiving_octets_per_s=0
        ),
    )


@patch("CR32", "join-cancelled", "leaf1")
def join_never_called_back() -> None:
    """WSPCancelBlockingCall ends no call."""

    def deaf(_original: Any, _self: Provider, _token: int, _now_s: float) -> None:
        return None

    wrap(Provider, "cancel_blocking_call", deaf)


@patch("CR32", "join-cancelled", "leaf1")
def call_back_taken_for_an_abort() -> None:
    """A join that is called back fails with WSAECONNABORTED."""

    def aborted(original: Any, self: Provider, *others: Any) -> None:
        original(self, *others)
        for ended in self.completions:
            if ended.error is not None:
                ended.error.code = WsaError.WSAECONNABORTED

    wrap(Provider, "cancel_blocking_call", aborted)
