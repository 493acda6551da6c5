"""What the lines of the agent contract say of values, and what the provider says instead."""

from typing import Any, TypeAlias

from mpwire.io import calls
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Accepted, Message
from mpwire.winsock.base import Ready
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.protocols import ProtocolEntry, SocketType
from mpwire.winsock.scope import MultipointIoctl
from mpwire.wire.messages import Qos

FAMILIES = {"inet": 4, "inet6": 6}
SOCKET_TYPES = {SocketType.DATAGRAM: "SOCK_DGRAM", SocketType.SEQUENCED_PACKET: "SOCK_SEQPACKET"}
MAXIMUM_EVENTS = 10
"""FD_MAX_EVENTS: how many error codes WSANETWORKEVENTS has."""
Result: TypeAlias = dict[str, Any]


class UnsupportedCallError(Exception):
    """The call, or an argument of it, is not implemented."""


class InvalidCallError(Exception):
    """The line is no call of the contract."""


def octets(text: str | None) -> bytes | None:
    """Read hexadecimal text."""
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise InvalidCallError(f"{text!r} is not hexadecimal") from None


def mask(names: list[calls.EventName]) -> NetworkEvent:
    """Read a list of events."""
    events = NetworkEvent(0)
    for name in names:
        events |= NetworkEvent[name]
    return events


def flow(body: calls.FlowBody | None) -> Qos | None:
    """Read a flow specification."""
    if body is None:
        return None
    return Qos(sending_octets_per_s=body.sending, receiving_octets_per_s=body.receiving)


def flow_body(qos: Qos) -> calls.FlowBody:
    """Write a flow specification."""
    return calls.FlowBody(qos.sending_octets_per_s, qos.receiving_octets_per_s)


def accepted(value: Accepted) -> Result:
    """Write what WSPAccept returns."""
    data = None if value.caller_data is None else value.caller_data.hex()
    return {"socket": value.socket, "address": value.address, "caller_data": data}


def received(value: Message) -> Result:
    """Write what WSPRecv returns; what is not private goes without saying."""
    mark = {"private": True} if value.private else {}
    return {"data": value.payload.hex(), **mark}


def network_events(found: list[tuple[NetworkEvent, WsaError]], fill: int | None) -> Result:
    """Write what WSPEnumNetworkEvents returns, and the array of codes if it was filled before."""
    result: Result = {"events": [{"event": event.name, "code": code} for event, code in found]}
    if fill is not None:
        codes = [fill] * MAXIMUM_EVENTS
        for event, code in found:
            codes[event.bit_length() - 1] = code
        result["codes"] = codes
    return result


def ready(value: Ready) -> Result:
    """Write what WSPSelect returns."""
    return {"read": value.read, "write": value.write, "exceptional": value.exceptional}


def described(entry: ProtocolEntry) -> Result:
    """Say of a protocol entry what WSAPROTOCOL_INFO would."""
    return {
        "protocol": entry.protocol,
        "name": entry.name,
        "service_flags": [
            f"XP1_{flag.name}" for flag in type(entry.service_flags) if flag in entry.service_flags
        ],
        "socket_type": SOCKET_TYPES[entry.socket_type],
        "families": [name for name, family in FAMILIES.items() if family in entry.families],
        "message_octets": entry.max_payload_octets,
    }


def ioctl_code(name: str | int) -> int:
    """Read a control code: its name, or any number at all."""
    if isinstance(name, int):
        return name
    for codes in (Ioctl, MultipointIoctl):
        if name in codes.__members__:
            return codes[name]
    raise UnsupportedCallError(f"ioctl: {name}")


def option_number(name: str | int) -> int:
    """Read a socket option: its name, or any number at all."""
    if isinstance(name, int):
        return name
    if name not in Option.__members__:
        raise UnsupportedCallError(f"option: {name}")
    return Option[name]


def setting(value: calls.Setting) -> object:
    """Read what an ioctl or an option is set to."""
    return flow(value) if isinstance(value, calls.FlowBody) else value


def settled(value: object) -> Result:
    """Write what an ioctl or an option is."""
    match value:
        case Qos():
            return {"value": flow_body(value)}
        case ProtocolEntry():
            return {"value": value.name}
        case _:
            return {"value": value}
