"""The JSON Schema of the agent contract: every line, and per call its arguments and its result."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from mpwire.core.address import Address
from mpwire.io.calls import (
    CALLS,
    AnswerLine,
    AskLine,
    CallLine,
    ErrorLine,
    EventLine,
    EventName,
    FamilyName,
    FlowBody,
    HelloLine,
    InvalidLine,
    ProtocolName,
    ResultLine,
    UnsupportedLine,
)


class Nothing(msgspec.Struct):
    """An empty result."""


class SocketResult(msgspec.Struct):
    """A descriptor; of a blocking join also what the acceptor handed back."""

    socket: int
    callee_data: str | UnsetType = UNSET


class Accepted(msgspec.Struct):
    """Result of `accept`."""

    socket: int
    address: Address
    caller_data: str | None


class ProtocolBody(msgspec.Struct):
    """One protocol entry, as WSAPROTOCOL_INFO has it."""

    protocol: int
    name: ProtocolName
    service_flags: list[str]
    """Names of the XP1_ bits that are set."""
    socket_type: str
    families: list[FamilyName]
    message_octets: int


class Protocols(msgspec.Struct):
    """Result of `enum_protocols`."""

    protocols: list[ProtocolBody]


class NetworkEventBody(msgspec.Struct):
    """One bit of a network-event record, and its error code."""

    event: EventName
    code: int


class NetworkEvents(msgspec.Struct):
    """Result of `enum_network_events`; `codes`, by bit, is there if `fill` was."""

    events: list[NetworkEventBody]
    codes: list[int] = []


class EventObjectState(msgspec.Struct):
    """Result of `event_object`."""

    signalled: bool


class WindowMessageBody(msgspec.Struct):
    """One message of `async_select`."""

    message: int
    socket: int
    event: EventName
    code: int


class WindowMessages(msgspec.Struct):
    """Result of `get_message`; null when there is none."""

    message: WindowMessageBody | None


class ReadySockets(msgspec.Struct):
    """Result of `select`."""

    read: list[int]
    write: list[int]
    exceptional: list[int]


class CalleeData(msgspec.Struct):
    """Result of `callee_data`."""

    callee_data: str


class Sent(msgspec.Struct):
    """Result of `send`."""

    octets: int


class Received(msgspec.Struct):
    """Result of `recv_disconnect`."""

    data: str


class ReceivedMessage(Received):
    """Result of `recv`; `private` is there only if it is true."""

    private: bool = False


class Name(msgspec.Struct):
    """Result of `getsockname` and `getpeername`."""

    address: Address


class Value(msgspec.Struct):
    """Result of `ioctl` and `getsockopt`: what the code or the option is about."""

    value: bool | int | float | str | Address | FlowBody | None


RESULTS: Final[dict[str, type[msgspec.Struct]]] = dict.fromkeys(CALLS, Nothing) | {
    "enum_protocols": Protocols,
    "socket": SocketResult,
    "duplicate_socket": SocketResult,
    "enum_network_events": NetworkEvents,
    "event_object": EventObjectState,
    "get_message": WindowMessages,
    "select": ReadySockets,
    "join_leaf": SocketResult,
    "callee_data": CalleeData,
    "accept": Accepted,
    "send": Sent,
    "recv": ReceivedMessage,
    "recv_disconnect": Received,
    "ioctl": Value,
    "getsockopt": Value,
    "getsockname": Name,
    "getpeername": Name,
}
"""The result object of every call."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of every line, in both directions."""
    to_agent = [CallLine, AnswerLine]
    from_agent = [
        HelloLine,
        ResultLine,
        ErrorLine,
        UnsupportedLine,
        InvalidLine,
        EventLine,
        AskLine,
    ]
    lines, definitions = msgspec.json.schema_components([*to_agent, *from_agent])
    parts, more = msgspec.json.schema_components([*CALLS.values(), *RESULTS.values()])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mpwire agent contract, version 1",
        "description": "One JSON object per line; see docs/agents.md.",
        "oneOf": [
            {"title": "to the agent", "oneOf": list(lines[: len(to_agent)])},
            {"title": "from the agent", "oneOf": list(lines[len(to_agent) :])},
        ],
        "calls": dict(zip(CALLS, parts[: len(CALLS)], strict=True)),
        "results": dict(zip(RESULTS, parts[len(CALLS) :], strict=True)),
        "$defs": definitions | more,
    }
