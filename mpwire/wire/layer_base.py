"""Hold what all Scapy layers of MPW share: field types with domains, and the common header.

Fields stand in wire order under the specification's names in snake_case. A field class says what
its values may be (`domain`); the generator, the codec's tables and the strict gate all read it
there. Dissection stays as lenient as Scapy's users expect; `mpwire.wire.strict` is the gate.
"""

import struct
from enum import IntEnum, IntFlag
from typing import Any, ClassVar

from scapy.fields import (
    BitField,
    ByteEnumField,
    FieldLenField,
    FlagsField,
    IntField,
    ShortEnumField,
    ShortField,
    StrField,
    StrLenField,
    XByteField,
    XLongField,
    XShortField,
)
from scapy.packet import Packet

from mpwire.wire.formats import choices, mask, registry, within
from mpwire.wire.numbers import (
    HEADER_OCTETS,
    HIGHEST_MEMBER_ID,
    MAGIC,
    VERSION,
    HeaderFlag,
    LeafDirection,
    MessageClass,
    MessageType,
    TlvType,
)


def names_of(enumeration: type[IntEnum]) -> dict[int, str]:
    """Map the codes of an enumeration to their names."""
    return {int(member): member.name for member in enumeration}


class Layer(Packet):  # type: ignore[misc]  # Scapy has no types we could check against
    """Stand between Scapy's untyped Packet and every layer of ours."""

    computed: ClassVar[tuple[str, ...]] = ()
    """Fields that are None by default and computed when the packet is built."""


def fields(*in_wire_order: Any) -> list[Any]:  # noqa: ANN401 - Scapy fields are untyped
    """Return the fields of a layer, in wire order."""
    return list(in_wire_order)


class ChoiceField(ByteEnumField):  # type: ignore[misc]  # untyped base
    """An octet that holds a member of an enumeration and nothing else (R18)."""

    __slots__ = ("domain",)

    def __init__(self, name: str, default: int, enumeration: type[IntEnum]) -> None:
        """Show the names of the enumeration and admit its values."""
        super().__init__(name, default, names_of(enumeration))
        self.domain = choices("R18", [int(member) for member in enumeration])


class RegistryField(ByteEnumField):  # type: ignore[misc]  # untyped base
    """An octet that holds an assigned code or a GREASE code (R13)."""

    __slots__ = ("domain",)

    def __init__(self, name: str, default: int, enumeration: type[IntEnum]) -> None:
        """Show the names of the enumeration and admit its values and GREASE."""
        super().__init__(name, default, names_of(enumeration))
        self.domain = registry("R13", [int(member) for member in enumeration])


class BitsField(FlagsField):  # type: ignore[misc]  # untyped base
    """An octet of flags; the other bits are zero (R18, in the header R12)."""

    __slots__ = ("domain",)

    def __init__(self, name: str, enumeration: type[IntFlag], rule: str = "R18") -> None:
        """Show the names of the flags and admit their combinations."""
        super().__init__(name, 0, 8, {int(bit): str(bit.name) for bit in enumeration})
        self.domain = mask(rule, sum(enumeration))


class LeafDirField(FlagsField):  # type: ignore[misc]  # untyped base
    """LeafDir: SEND or RECEIVE or both, and perhaps D_ROOT (R18)."""

    __slots__ = ("domain",)

    def __init__(self, name: str) -> None:
        """Default to a leaf that sends and receives."""
        super().__init__(name, 3, 8, {int(bit): str(bit.name) for bit in LeafDirection})
        self.domain = choices("R18", [value for value in range(8) if value & 3])


class TagField(XLongField):  # type: ignore[misc]  # untyped base
    """A tag: 64 random bits, never zero (R19)."""

    __slots__ = ("domain",)

    def __init__(self, name: str) -> None:
        """Default to 1, the smallest tag."""
        super().__init__(name, 1)
        self.domain = within("R19", 1, 0xFFFFFFFFFFFFFFFF)


class MemberIdField(IntField):  # type: ignore[misc]  # untyped base
    """A Member ID: 0 none, 1 root, 2..0xFFFFFFEF leaves (R18)."""

    __slots__ = ("domain",)

    def __init__(self, name: str) -> None:
        """Default to no member."""
        super().__init__(name, 0)
        self.domain = within("R18", 0, HIGHEST_MEMBER_ID)


class PermilleField(ShortField):  # type: ignore[misc]  # untyped base
    """A share in thousandths (R18)."""

    __slots__ = ("domain",)

    def __init__(self, name: str) -> None:
        """Default to nothing."""
        super().__init__(name, 0)
        self.domain = within("R18", 0, 1000)


class ReservedField(BitField):  # type: ignore[misc]  # untyped base
    """Reserved bits: sent as zero (R12)."""


class CountField(FieldLenField):  # type: ignore[misc]  # untyped base
    """An octet that counts the elements of a list; computed when None."""

    def __init__(self, name: str, count_of: str) -> None:
        """Count the elements of the field named `count_of`."""
        super().__init__(name, None, fmt="B", count_of=count_of)

    def i2m(self, packet: Any, value: Any) -> int:  # noqa: ANN401 - Scapy's signature
        """Build 0 where the list is inside a TLV; the body's `post_build` knows the number."""
        if value is None and self.count_of not in packet.fieldtype:
            return 0
        return int(super().i2m(packet, value))


class OpaqueField(StrLenField):  # type: ignore[misc]  # untyped base
    """Octets that fill a TLV from `before_octets` on."""

    __slots__ = ("before_octets",)

    def __init__(self, name: str, default: bytes = b"", before_octets: int = 0) -> None:
        """Take what the TLV's Length leaves after `before_octets` other octets."""
        self.before_octets = before_octets
        super().__init__(
            name, default, length_from=lambda packet: max(packet.length - before_octets, 0)
        )


class PaddingField(StrField):  # type: ignore[misc]  # untyped base
    """Zero octets up to the next multiple of four; computed when None (R8)."""

    def __init__(self) -> None:
        """Name the field `padding`."""
        super().__init__("padding", None)

    def i2m(self, _packet: Any, value: Any) -> bytes:  # noqa: ANN401 - Scapy's signature
        """Build nothing while the value is still to be computed."""
        return value or b""

    def getfield(self, packet: Any, data: bytes) -> tuple[bytes, bytes]:  # noqa: ANN401
        """Take as many octets as the length that came before leaves open."""
        width = -packet.padded_octets() % 4
        return data[width:], data[:width]


class MPW(Layer):
    """Common header of every message.

    ```
     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------------------------------+---------------+---------------+
    |        Magic 0x6D70 "mp"      |  Version (8)  |   Type (8)    |
    +---------------+---------------+---------------+---------------+
    |   Flags (8)   |  Attempt (8)  |          Length (16)          |
    +---------------+---------------+-------------------------------+
    |                        Session ID (64)                        |
    |                                                               |
    +---------------------------------------------------------------+
    |                      Destination Tag (64)                     |
    |                                                               |
    +---------------------------------------------------------------+
    |                            Seq (32)                           |
    +---------------------------------------------------------------+
    |                      Sender Member ID (32)                    |
    +---------------------------------------------------------------+
    |        fixed body of the Type, then TLVs up to Length         |
    ```
    """

    name = "MPW"
    computed = ("length",)
    fields_desc = fields(
        XShortField("magic", MAGIC),
        XByteField("version", VERSION),
        ByteEnumField("type", 0, names_of(MessageType)),
        BitsField("flags", HeaderFlag, rule="R12"),
        XByteField("attempt", 1),
        ShortField("length", None),
        XLongField("session_id", 0),
        XLongField("destination_tag", 0),
        IntField("seq", 0),
        MemberIdField("sender_id"),
    )

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in Length unless it was given."""
        if self.length is None:
            packet = packet[:6] + struct.pack("!H", len(packet) + len(payload)) + packet[8:]
        return packet + payload

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        """Leave to the body what Length covers; the rest is Padding, which no message has."""
        body_octets = max(self.length - HEADER_OCTETS, 0)
        return data[:body_octets], data[body_octets:]

    def hashret(self) -> bytes:
        """Give a request and its answers one key: the sequence number they share."""
        return struct.pack("!I", self.seq)

    def answers(self, other: Any) -> bool:  # noqa: ANN401 - Scapy's signature
        """Tell whether this message answers that one: Seq, Attempt, tags and types agree."""
        mine, theirs = self.payload, other.payload
        if not (isinstance(other, MPW) and isinstance(mine, Body) and isinstance(theirs, Body)):
            return False
        if self.seq != other.seq or theirs.message_type not in mine.answered_types:
            return False
        if mine.message_class is MessageClass.RESPONSE and self.attempt != other.attempt:
            return False
        init_tag = getattr(theirs, "init_tag", None)
        return init_tag is None or self.destination_tag == init_tag

    def mysummary(self) -> Any:  # noqa: ANN401 - Scapy's signature
        """Name the type, the copy and the sequence number."""
        return self.sprintf("MPW %MPW.type% #%MPW.seq% copy %MPW.attempt% flags %MPW.flags%")


class Body(Layer):
    """Stand above every message body; a body ends with the list of TLVs.

    The class attributes are the rest of the declaration: which TLVs may and must be there (R10)
    and what the message answers.
    """

    message_type: ClassVar[MessageType]
    message_class: ClassVar[MessageClass]
    struct_name: ClassVar[str]
    """Name of the generated Struct."""
    required: ClassVar[tuple[TlvType, ...]] = ()
    either: ClassVar[tuple[TlvType, ...]] = ()
    """Exactly one of these."""
    optional: ClassVar[tuple[TlvType, ...]] = ()
    """Besides AUTH, which every message but VERSION_NEG may carry."""
    answered_types: ClassVar[tuple[MessageType, ...]] = ()
    direction: ClassVar[str]
    """Who sends it to whom, for the specification."""

    def mysummary(self) -> Any:  # noqa: ANN401 - Scapy's signature
        """Name the message and the header's essentials."""
        text = f"MPW {self.message_type.name}"
        if isinstance(self.underlayer, MPW):
            text += self.underlayer.sprintf(" #%MPW.seq% copy %MPW.attempt%")
        return text, [MPW]


class Tlv(Layer):
    """Stand above every TLV: Type(16) Length(16) Value, zero padded to four octets.

    Length counts the value only. A TLV whose Length is not what its fields need is still
    dissected, as Scapy does; the strict gate finds it when it rebuilds the message.
    """

    computed = ("length", "padding")
    tlv_type: ClassVar[TlvType]
    attribute: ClassVar[str]
    """Attribute of the generated Structs that holds the value."""
    value_name: ClassVar[str] = ""
    """Name of the generated Struct of the value; empty where a plain type does."""
    lowest_octets: ClassVar[int]
    highest_octets: ClassVar[int]
    allowed_octets: ClassVar[tuple[int, ...]] = ()
    """The admitted lengths where not every length from lowest to highest is."""

    def padded_octets(self) -> int:
        """Return the octets before the padding: the value is as long as Length says."""
        return int(self.length)

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in Length and padding unless they were given."""
        length = len(packet) - 4 - len(self.padding or b"")
        if self.length is None:
            packet = packet[:2] + struct.pack("!H", length) + packet[4:]
        if self.padding is None:
            packet += bytes(-length % 4)
        return packet + payload

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        """Leave the rest to the next TLV."""
        return b"", data

    def mysummary(self) -> Any:  # noqa: ANN401 - Scapy's signature
        """Name the TLV."""
        return f"{self.name}({self.length})"


def tlv_fields(code: int, *value: Any) -> list[Any]:  # noqa: ANN401 - Scapy fields are untyped
    """Return the fields of a TLV around the fields of its value."""
    return [
        ShortEnumField("type", code, names_of(TlvType)),
        ShortField("length", None),
        *value,
        PaddingField(),
    ]
