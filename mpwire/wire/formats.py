"""Describe fields, TLVs and messages as data: what the layers declare and the codec obeys.

The Scapy layers carry a `Domain` on each field that has one; the generator turns the layers into
`Record`, `TlvFormat` and `MessageFormat` tables (module `tables`), and the codec walks those. No
table knows how to raise for a caller: everything here raises `DecodeError`, and `encode` turns
that into its own kind.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mpwire.wire.errors import DecodeError
from mpwire.wire.numbers import is_grease


@dataclass(slots=True)
class Domain:
    """Tell which values a field may hold and which rule says so."""

    rule: str
    """Rule of docs/protocol.md."""
    expected: str
    """The admitted values in words, for error messages and for the specification."""
    lowest: int
    """Lowest admitted value."""
    highest: int
    """Highest admitted value."""
    allowed: frozenset[int] | None
    """The admitted values where lowest and highest do not say it all; octets only."""
    source: str
    """The constructor call that makes this domain, for the generator."""

    def admits(self, value: int) -> bool:
        """Tell whether a field may hold this value."""
        if self.allowed is not None:
            return value in self.allowed
        return self.lowest <= value <= self.highest


def choices(rule: str, values: Iterable[int]) -> Domain:
    """Admit exactly the listed octet values."""
    listed = tuple(sorted(values))
    text = "one of " + ", ".join(str(value) for value in listed)
    return _octets(rule, text, listed, f'choices("{rule}", {listed!r})')


def registry(rule: str, values: Iterable[int]) -> Domain:
    """Admit the assigned codes of an 8-bit registry and its GREASE codes."""
    listed = tuple(sorted(values))
    text = "one of " + ", ".join(str(value) for value in listed) + ", or GREASE"
    admitted = [code for code in range(256) if code in listed or is_grease(code)]
    return _octets(rule, text, admitted, f'registry("{rule}", {listed!r})')


def mask(rule: str, bits: int) -> Domain:
    """Admit every combination of the given bits of an octet."""
    text = f"no bit outside {bits:#04x}"
    admitted = [value for value in range(256) if value & ~bits == 0]
    return _octets(rule, text, admitted, f'mask("{rule}", 0x{bits:02X})')


def within(rule: str, lowest: int, highest: int) -> Domain:
    """Admit an interval of numbers."""
    text = f"{lowest:#x} to {highest:#x}"
    source = f'within("{rule}", {lowest}, 0x{highest:X})'
    return Domain(rule, text, lowest, highest, None, source)


def _octets(rule: str, text: str, admitted: Sequence[int], source: str) -> Domain:
    return Domain(rule, text, min(admitted), max(admitted), frozenset(admitted), source)


@dataclass(slots=True)
class Check:
    """Bind a domain to the position of its field."""

    index: int
    """Position among the unpacked values."""
    offset_octets: int
    """Offset of the field in its record."""
    domain: Domain


@dataclass(slots=True)
class Record:
    """Describe fixed fields that follow each other in network order.

    Layout: `packing` in the notation of `struct`; reserved octets are skipped by it and checked
    for zero through `reserved`, pairs of (offset, width).
    """

    packing: struct.Struct
    listing: str
    """Names of the fields, separated by spaces."""
    checks: tuple[Check, ...] = ()
    reserved: tuple[tuple[int, int], ...] = ()
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Split the names once."""
        self.names = tuple(self.listing.split())

    def unpack(self, data: bytes, start: int) -> tuple[int, ...]:
        """Return the checked field values of the record at offset `start`.

        Raises: DecodeError(R12 or the field's own rule). The record must fit in the data.
        """
        for offset, width in self.reserved:
            at = start + offset
            if any(data[at : at + width]):
                raise DecodeError("R12", at, "reserved octets are not zero")
        values = self.packing.unpack_from(data, start)
        self.check(values, start)
        return values

    def check(self, values: Sequence[int], start: int) -> None:
        """Refuse values outside their domains.

        Raises: DecodeError with the rule of the domain.
        """
        for check in self.checks:
            value = values[check.index]
            domain = check.domain
            if domain.allowed is None:
                if domain.lowest <= value <= domain.highest:
                    continue
            elif value in domain.allowed:
                continue
            name = self.names[check.index]
            reason = f"{name} is {value:#x}, expected {domain.expected}"
            raise DecodeError(domain.rule, start + check.offset_octets, reason)


Kind = Literal["pad", "octets", "text", "number", "numbers", "record", "address", "records"]
"""Shapes of TLV values; `mpwire.wire.tlv_values` has a reader and a writer for each."""


@dataclass(slots=True)
class TlvFormat:
    """Describe the value of one TLV type."""

    code: int
    name: str
    attribute: str
    """Attribute of the messages that carry it."""
    kind: Kind
    lowest_octets: int
    """Smallest Length."""
    highest_octets: int
    """Largest Length."""
    item_octets: int = 1
    """Length is a multiple of this."""
    record: Record | None = None
    """Fixed fields of the kinds `record`, `address` and `records`."""
    make: type | None = None
    """Value type built from the record; None makes plain tuples."""


@dataclass(slots=True)
class MessageFormat:
    """Describe one message type."""

    code: int
    name: str
    make: type
    """Struct of `mpwire.wire.messages`."""
    body: Record
    required: tuple[int, ...] = ()
    """TLV types that must be there, ascending."""
    either: tuple[int, ...] = ()
    """TLV types of which exactly one must be there."""
    optional: tuple[int, ...] = ()
    """Further TLV types that may be there."""
    counted: str = ""
    """Attribute whose number of elements stands in the body field `count`."""
    allowed: frozenset[int] = frozenset()
    """Every registered TLV type that may be there."""

    def __post_init__(self) -> None:
        """Join the three kinds of presence."""
        self.allowed = frozenset((*self.required, *self.either, *self.optional))
