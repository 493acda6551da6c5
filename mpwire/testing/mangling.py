"""Datagrams that no conformant peer sends, made from ones that were sent.

Some are broken octets, which the codec must refuse. The others are harder: they decode, carry the
right tags and come from the right address, and yet say what their sender would never say.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from mpwire.core.events import SendDatagram
from mpwire.errors import LocalProtocolError
from mpwire.testing.bus import Transit
from mpwire.wire.codec import decode_untrusted, encode
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import Message

NUMBERS: Final = (0, 1, 2, 3, 7, 40, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**64 - 1)
TRIES: Final = 10
"""Changes that are tried before a datagram is let go as it is."""
HEADER: Final = ("session_id", "destination_tag", "seq", "sender_id", "attempt")


def mutant(random: Random, transits: Sequence[Transit]) -> SendDatagram:
    """Return a datagram like one of those that were sent, but wrong in one or two ways."""
    one, other = random.choice(transits), random.choice(transits)
    data = one.data
    for _ in range(TRIES):
        change = random.choice((_break_octets, _change_field, _cross, _change_field, _cross))
        data = change(random, data, other.data)
        if data != one.data and random.random() < 0.7:
            break
    route = random.choice((one, one, one, one, other))
    return SendDatagram(data, route.source, route.destination)


def _break_octets(random: Random, data: bytes, _other: bytes) -> bytes:
    """Flip, cut, repeat or overwrite octets."""
    if not data:
        return data
    at = random.randrange(len(data))
    match random.randrange(4):
        case 0:
            return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data + data[at:]
        case _:
            return data[:at] + random.randbytes(4) + data[at + 4 :]


def _change_field(random: Random, data: bytes, other: bytes) -> bytes:
    """Give one field another value, of the other message or a suspicious one."""
    message, donor = _decoded(data), _decoded(other)
    if message is None:
        return data
    name = random.choice(message.__struct_fields__)
    value: Any = getattr(donor, name, None)
    if value is None or random.random() < 0.5:
        value = random.choice((*NUMBERS, None, random.getrandbits(32)))
    return _encoded(message, data, {name: value})


def _cross(_random: Random, data: bytes, other: bytes) -> bytes:
    """Put the body of one message under the names and numbers of another."""
    message, donor = _decoded(data), _decoded(other)
    if message is None or donor is None:
        return data
    return _encoded(donor, data, {name: getattr(message, name) for name in HEADER})


def _decoded(data: bytes) -> Message | None:
    try:
        return decode_untrusted(data)
    except DecodeError:
        return None


def _encoded(message: Message, fallback: bytes, changes: dict[str, Any]) -> bytes:
    try:
        return encode(replace(message, **changes))
    except (LocalProtocolError, TypeError, AttributeError):
        return fallback
