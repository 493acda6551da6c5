"""See in a frame what a decision needs, and change octets of what it carries.

Layout: Ethernet 14 | IPv4 20 or more, or IPv6 40 | UDP 8 | message. Frames of any other shape
hold no message of the protocol.
"""

import struct
from collections import Counter
from collections.abc import Sequence
from typing import Final

from mpwire.lab.craft import checksum
from mpwire.lab.decide import Change, Sighting
from mpwire.wire.numbers import HEADER_OCTETS, MAGIC, HeaderFlag, MessageType
from mpwire.wire.registries import DataFlag

_UDP: Final = 17
_MAGIC: Final = MAGIC.to_bytes(2, "big")
_HEADER_FLAGS: Final = {flag.value: str(flag.name) for flag in HeaderFlag}
_DATA_FLAGS: Final = {flag.value: str(flag.name) for flag in DataFlag}
_TYPE_AT, _FLAGS_AT, _DFLAGS_AT = 3, 4, HEADER_OCTETS + 4


def payload_at(frame: bytes) -> int | None:
    """Return where the UDP payload of a whole datagram begins, None for any other frame."""
    kind = frame[12:14]
    if kind == b"\x08\0" and len(frame) >= 42:
        fragment = struct.unpack_from("!H", frame, 20)[0] & 0x3FFF
        start = 14 + 4 * (frame[14] & 0x0F) + 8
        return start if frame[23] == _UDP and not fragment and len(frame) >= start else None
    if kind == b"\x86\xdd" and len(frame) >= 62 and frame[20] == _UDP:
        return 62
    return None


def sighting(frame: bytes) -> Sighting:
    """Say what a frame holds."""
    start = payload_at(frame)
    if start is None or frame[start : start + 2] != _MAGIC or len(frame) < start + HEADER_OCTETS:
        return Sighting(len(frame))
    kind = frame[start + _TYPE_AT]
    if kind not in MessageType.__members__.values():
        return Sighting(len(frame))
    flags = {name for bit, name in _HEADER_FLAGS.items() if frame[start + _FLAGS_AT] & bit}
    if kind == MessageType.DATA and len(frame) > start + _DFLAGS_AT:
        octet = frame[start + _DFLAGS_AT]
        flags |= {name for bit, name in _DATA_FLAGS.items() if octet & bit}
    return Sighting(
        len(frame), MessageType(kind).name, frozenset(flags), _payload_octets(frame, start)
    )


def _payload_octets(frame: bytes, start: int) -> int:
    """Read how long the payload is; an Ethernet frame may be padded."""
    length: int = struct.unpack_from("!H", frame, start - 4)[0]
    return min(length - 8, len(frame) - start)


def changed(frame: bytes, changes: Sequence[Change]) -> bytes:
    """Invert octets of a datagram's payload, one after the other."""
    if not changes:
        return frame
    start = payload_at(frame)
    assert start is not None
    octets = bytearray(frame)
    for change in changes:
        octets[start + change.octet] ^= 0xFF
        if change.unnoticed:
            _sign(octets, start)
    return bytes(octets)


def octets_changed(changes: Sequence[Change]) -> int | list[int] | None:
    """Say which octets of a payload are other ones in the end, as a decision is put on record."""
    times = Counter(change.octet for change in changes)
    octets = [octet for octet, count in times.items() if count % 2]
    if not octets:
        return None
    return octets if len(octets) > 1 else octets[0]


def _sign(octets: bytearray, start: int) -> None:
    """Compute the UDP checksum anew (Source: RFC 768, RFC 8200 section 8.1)."""
    udp = start - 8
    (length,) = struct.unpack_from("!H", octets, udp + 4)
    addresses = octets[26:34] if octets[12:14] == b"\x08\0" else octets[22:54]
    octets[udp + 6 : udp + 8] = b"\0\0"
    pseudo = bytes(addresses) + struct.pack("!HH", length, _UDP)
    total = checksum(pseudo + bytes(octets[udp : udp + length]))
    struct.pack_into("!H", octets, udp + 6, total or 0xFFFF)
