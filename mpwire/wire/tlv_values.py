"""Read and write the values of TLVs, one pair of functions per kind of value.

A reader gets the datagram, the start and the Length of a value that lies inside the datagram and
has an admitted length; a writer gets the attribute and returns the octets. Both check what is
inside and raise `DecodeError`; offsets of a writer's errors mean nothing, since `encode` keeps
only rule and reason.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from mpwire.wire.errors import DecodeError
from mpwire.wire.formats import Record, TlvFormat

ADDRESS_OCTETS = {0: 0, 4: 4, 6: 16}
"""Octets of an address per family."""
SERIAL_HALF = 0x80000000
"""Half of the sequence space: what is less than this ahead is later, not earlier."""


def check_length(fmt: TlvFormat, length: int, offset: int) -> None:
    """Refuse a value whose length is not admitted for its type.

    Raises: DecodeError(R11).
    """
    if fmt.lowest_octets <= length <= fmt.highest_octets and length % fmt.item_octets == 0:
        return
    expected = f"{fmt.lowest_octets}..{fmt.highest_octets}"
    if fmt.item_octets > 1:
        expected += f" in steps of {fmt.item_octets}"
    raise DecodeError("R11", offset, f"{fmt.name} has {length} octets, expected {expected}")


def _read_pad(_fmt: TlvFormat, data: bytes, start: int, length: int) -> int:
    if data.count(0, start, start + length) != length:
        raise DecodeError("R8", start, "PAD is not all zeros")
    return length


def _write_pad(fmt: TlvFormat, value: int) -> bytes:
    check_length(fmt, value, 0)
    return bytes(value)


def _read_octets(_fmt: TlvFormat, data: bytes, start: int, length: int) -> bytes:
    return data[start : start + length]


def _write_octets(_fmt: TlvFormat, value: bytes) -> bytes:
    return value


def _read_text(fmt: TlvFormat, data: bytes, start: int, length: int) -> str:
    try:
        return data[start : start + length].decode()
    except UnicodeDecodeError as error:
        raise DecodeError("R11", start + error.start, f"{fmt.name} is not UTF-8") from None


def _write_text(fmt: TlvFormat, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise DecodeError("R11", 0, f"{fmt.name} is not UTF-8") from None


def _read_number(_fmt: TlvFormat, data: bytes, start: int, length: int) -> int:
    return int.from_bytes(data[start : start + length], "big")


def _write_number(_fmt: TlvFormat, value: int) -> bytes:
    return struct.pack("!I", value)


def _read_numbers(fmt: TlvFormat, data: bytes, start: int, length: int) -> tuple[int, ...]:
    if fmt.item_octets == 1:
        return tuple(data[start : start + length])
    return struct.unpack_from(f"!{length // 2}H", data, start)


def _write_numbers(fmt: TlvFormat, value: Sequence[int]) -> bytes:
    letter = "B" if fmt.item_octets == 1 else "H"
    return struct.pack(f"!{len(value)}{letter}", *value)


def _record_of(fmt: TlvFormat) -> tuple[Record, Callable[..., Any]]:
    assert fmt.record is not None
    return fmt.record, fmt.make or _pair


def _pair(*, first: int, last: int) -> tuple[int, int]:
    return first, last


def _pack(record: Record, value: object) -> bytes:
    values = [getattr(value, name) for name in record.names]
    record.check(values, 0)
    octets = record.packing.pack(*values)
    if record.packing.unpack(octets) != tuple(values):  # `struct` cuts and fills octets silently
        raise DecodeError("R11", 0, f"octets do not fill their field in {type(value).__name__}")
    return octets


def _read_record(fmt: TlvFormat, data: bytes, start: int, _length: int) -> object:
    record, make = _record_of(fmt)
    return make(**dict(zip(record.names, record.unpack(data, start), strict=True)))


def _write_record(fmt: TlvFormat, value: object) -> bytes:
    return _pack(_record_of(fmt)[0], value)


def _read_address(fmt: TlvFormat, data: bytes, start: int, length: int) -> object:
    record, make = _record_of(fmt)
    fields = dict(zip(record.names, record.unpack(data, start), strict=True))
    fixed = record.packing.size
    _check_family(fmt, fields["family"], length - fixed, start)
    address = data[start + fixed : start + length]
    return make(**fields, **{_address_name(fmt): address})


def _write_address(fmt: TlvFormat, value: object) -> bytes:
    record, _ = _record_of(fmt)
    fixed = _pack(record, value)
    address: bytes = getattr(value, _address_name(fmt))
    _check_family(fmt, getattr(value, "family"), len(address), 0)  # noqa: B009 - value is opaque
    return fixed + address


def _address_name(fmt: TlvFormat) -> str:
    return "group" if fmt.name == "SESSION_DESC" else "address"


def _check_family(fmt: TlvFormat, family: int, octets: int, offset: int) -> None:
    expected = ADDRESS_OCTETS[family]
    if octets != expected:
        reason = f"{fmt.name} of family {family} has {octets} octets of address"
        raise DecodeError("R11", offset, f"{reason}, expected {expected}")


def _read_records(fmt: TlvFormat, data: bytes, start: int, length: int) -> tuple[object, ...]:
    record, make = _record_of(fmt)
    found = []
    for at in range(start, start + length, fmt.item_octets):
        values = record.unpack(data, at)
        found.append(make(**dict(zip(record.names, values, strict=True))))
    if fmt.make is None:
        _check_ranges(found, start)
    return tuple(found)


def _write_records(fmt: TlvFormat, value: Sequence[Any]) -> bytes:
    record, _ = _record_of(fmt)
    if fmt.make is None:
        _check_ranges(value, 0)
        return b"".join(record.packing.pack(*pair) for pair in value)
    return b"".join(_pack(record, item) for item in value)


def _check_ranges(ranges: Sequence[tuple[int, int]], start: int) -> None:
    """Refuse ranges that are not ascending and disjoint, counted serially from the first."""
    origin = ranges[0][0] if ranges else 0
    free_from = 0
    for index, (first, last) in enumerate(ranges):
        first_ahead = (first - origin) & 0xFFFFFFFF
        last_ahead = (last - origin) & 0xFFFFFFFF
        if not free_from <= first_ahead <= last_ahead < SERIAL_HALF:
            at = start + 8 * index
            raise DecodeError("R11", at, f"range {first}..{last} is not ascending and disjoint")
        free_from = last_ahead + 1


READERS: dict[str, Callable[[TlvFormat, bytes, int, int], object]] = {
    "pad": _read_pad,
    "octets": _read_octets,
    "text": _read_text,
    "number": _read_number,
    "numbers": _read_numbers,
    "record": _read_record,
    "address": _read_address,
    "records": _read_records,
}
"""Reader of each kind."""

WRITERS: dict[str, Callable[[TlvFormat, Any], bytes]] = {
    "pad": _write_pad,
    "octets": _write_octets,
    "text": _write_text,
    "number": _write_number,
    "numbers": _write_numbers,
    "record": _write_record,
    "address": _write_address,
    "records": _write_records,
}
"""Writer of each kind."""
