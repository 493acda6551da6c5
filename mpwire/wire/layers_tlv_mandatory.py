"""The TLVs that whoever acts on a message must understand, as Scapy layers, ascending by type.

Every value starts after `Type(16) Length(16)`; the diagrams show the value. Values are padded with
zeros to a multiple of four octets, and Length does not count that padding.
"""

from scapy.fields import (
    ByteField,
    IntField,
    LongField,
    PacketListField,
    ShortField,
    StrFixedLenField,
)

from mpwire.wire.layer_base import (
    BitsField,
    ChoiceField,
    Layer,
    OpaqueField,
    ReservedField,
    TagField,
    Tlv,
    fields,
    tlv_fields,
)
from mpwire.wire.numbers import (
    AddressFamily,
    Planes,
    RepairMode,
    TlvType,
)


class MPWCookie(Tlv):
    """COOKIE: 8 to 40 octets that only their maker understands."""

    name = "MPW COOKIE"
    tlv_type = TlvType.COOKIE
    attribute = "cookie"
    lowest_octets, highest_octets = 8, 40
    fields_desc = tlv_fields(tlv_type, OpaqueField("value"))


class MPWSessionDesc(Tlv):
    """SESSION_DESC: the session as its root describes it; AF says how long Group is.

    ```
    +---------------+---------------+-------------------------------+
    |   Planes (8)  |     AF (8)    |         DataPort (16)         |
    +---------------+---------------+-------------------------------+
    |                         GroupTag (64)                         |
    |                                                               |
    +---------------------------------------------------------------+
    |    MaxRate (32), datagrams per second; 0 = one per round trip |
    +-------------------------------+---------------+---------------+
    |        MaxPayload (16)        |  HopLimit (8) |   Repair (8)  |
    +-------------------------------+---------------+---------------+
    |       Group: 0, 4 or 16 octets for AF 0, 4, 6                 |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW SESSION_DESC"
    tlv_type = TlvType.SESSION_DESC
    attribute = "session_desc"
    value_name = "SessionDesc"
    lowest_octets, highest_octets = 20, 36
    allowed_octets = (20, 24, 36)
    fields_desc = tlv_fields(
        tlv_type,
        BitsField("planes", Planes),
        ChoiceField("family", 0, AddressFamily),
        ShortField("data_port", 0),
        TagField("group_tag"),
        IntField("max_rate", 0),
        ShortField("max_payload", 1156),
        ByteField("hop_limit", 1),
        ChoiceField("repair", 0, RepairMode),
        OpaqueField("group", before_octets=20),
    )


class MPWCallerData(Tlv):
    """CALLER_DATA: 1 to 512 octets of whoever asks."""

    name = "MPW CALLER_DATA"
    tlv_type = TlvType.CALLER_DATA
    attribute = "caller_data"
    lowest_octets, highest_octets = 1, 512
    fields_desc = tlv_fields(tlv_type, OpaqueField("value"))


class MPWCalleeData(Tlv):
    """CALLEE_DATA: 1 to 512 octets of whoever accepts."""

    name = "MPW CALLEE_DATA"
    tlv_type = TlvType.CALLEE_DATA
    attribute = "callee_data"
    lowest_octets, highest_octets = 1, 512
    fields_desc = tlv_fields(tlv_type, OpaqueField("value"))


class MPWPayload(Tlv):
    """PAYLOAD: one application message; may be empty."""

    name = "MPW PAYLOAD"
    tlv_type = TlvType.PAYLOAD
    attribute = "payload"
    lowest_octets, highest_octets = 0, 0xFFFF
    fields_desc = tlv_fields(tlv_type, OpaqueField("value"))


class MPWAuth(Tlv):
    """AUTH: proof over the whole message, computed with ICV zero.

    ```
    +-------------------------------+---------------+---------------+
    |           KeyID (16)          |    Alg (8)    |    rsv (8)    |
    +-------------------------------+---------------+---------------+
    |                          Counter (64)                         |
    |                                                               |
    +---------------------------------------------------------------+
    |                           ICV (128)                           |
    |                                                               |
    |                                                               |
    |                                                               |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW AUTH"
    tlv_type = TlvType.AUTH
    attribute = "auth"
    value_name = "Auth"
    lowest_octets, highest_octets = 28, 28
    fields_desc = tlv_fields(
        tlv_type,
        ShortField("key_id", 0),
        ByteField("alg", 1),
        ReservedField("reserved", 0, 8),
        LongField("counter", 0),
        StrFixedLenField("icv", bytes(16), 16),
    )


class MPWSealed(Tlv):
    """SEALED: AEAD ciphertext of at least one TLV header, and its 16-octet tag."""

    name = "MPW SEALED"
    tlv_type = TlvType.SEALED
    attribute = "sealed"
    lowest_octets, highest_octets = 20, 0xFFFF
    fields_desc = tlv_fields(tlv_type, OpaqueField("value"))


class MPWAddr(Tlv):
    """ADDR: where the member spoken of is.

    ```
    +---------------+---------------+-------------------------------+
    |     AF (8)    |    rsv (8)    |           Port (16)           |
    +---------------+---------------+-------------------------------+
    |       Address: 4 or 16 octets for AF 4, 6                     |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW ADDR"
    tlv_type = TlvType.ADDR
    attribute = "addr"
    value_name = "Address"
    lowest_octets, highest_octets = 8, 20
    allowed_octets = (8, 20)
    fields_desc = tlv_fields(
        tlv_type,
        ChoiceField("family", 4, AddressFamily),
        ReservedField("reserved", 0, 8),
        ShortField("port", 0),
        OpaqueField("address", bytes(4), before_octets=4),
    )


class MPWNackRange(Layer):
    """One record of NACK_RANGES: First(32) Last(32), both missing, both included."""

    name = "MPW range"
    fields_desc = fields(IntField("first", 0), IntField("last", 0))

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        """Leave the rest to the next record."""
        return b"", data


class MPWNackRanges(Tlv):
    """NACK_RANGES: 1 to 32 ranges, ascending and disjoint in serial arithmetic."""

    name = "MPW NACK_RANGES"
    tlv_type = TlvType.NACK_RANGES
    attribute = "ranges"
    lowest_octets, highest_octets = 8, 256
    fields_desc = tlv_fields(
        tlv_type,
        PacketListField("ranges", [], MPWNackRange, length_from=lambda p: p.length),
    )
