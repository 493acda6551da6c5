"""Message bodies 0x10 to 0x17 as Scapy layers: data, repair, membership notices, keys."""

from scapy.fields import ByteField, IntField, ShortField

from mpwire.wire.layer_base import (
    BitsField,
    Body,
    ChoiceField,
    CountField,
    LeafDirField,
    MemberIdField,
    ReservedField,
    TagField,
    fields,
)
from mpwire.wire.layers_tlv import tlv_list
from mpwire.wire.numbers import (
    AnnounceKind,
    DataFlag,
    MemberAction,
    MessageClass,
    MessageType,
    SideFlag,
    SyncFlag,
    TlvType,
)

REQUEST, RESPONSE, STREAM = MessageClass.REQUEST, MessageClass.RESPONSE, MessageClass.STREAM


class MPWData(Body):
    """DATA: one message of the group's data; the header's Seq numbers it.

    ```
    +---------------------------------------------------------------+
    |                          Origin (32)                          |
    +---------------+---------------+-------------------------------+
    |   DFlags (8)  |    Hop (8)    |            rsv (16)           |
    +---------------+---------------+-------------------------------+
    ```
    """

    name = "MPW DATA"
    message_type, message_class = MessageType.DATA, STREAM
    struct_name, direction = "Data", "both"
    either = (TlvType.PAYLOAD, TlvType.SEALED)
    fields_desc = fields(
        MemberIdField("origin"),
        BitsField("dflags", DataFlag),
        ByteField("hop", 0),
        ReservedField("reserved", 0, 16),
        tlv_list(),
    )


class MPWSide(Body):
    """SIDE: one message between the root and one leaf; a request if ACK_REQ is set.

    ```
    +---------------+-----------------------------------------------+
    |   SFlags (8)  |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    """

    name = "MPW SIDE"
    message_type, message_class = MessageType.SIDE, REQUEST
    struct_name, direction = "Side", "root and leaf"
    either = (TlvType.PAYLOAD, TlvType.SEALED)
    fields_desc = fields(
        BitsField("sflags", SideFlag),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )


class MPWSync(Body):
    """SYNC: the header's Seq is the next unsent one, TrailSeq the oldest still repairable.

    ```
    +---------------------------------------------------------------+
    |                          Origin (32)                          |
    +---------------------------------------------------------------+
    |                         TrailSeq (32)                         |
    +---------------+-----------------------------------------------+
    |   SFlags (8)  |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    """

    name = "MPW SYNC"
    message_type, message_class = MessageType.SYNC, STREAM
    struct_name, direction = "Sync", "sender to all"
    fields_desc = fields(
        MemberIdField("origin"),
        IntField("trail_seq", 0),
        BitsField("sflags", SyncFlag),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )


class MPWNack(Body):
    """NACK: asks the originator, or the relayer, for what is missing.

    ```
    +---------------------------------------------------------------+
    |                          Origin (32)                          |
    +---------------+-----------------------------------------------+
    |   Count (8)   |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    Count is the number of ranges in NACK_RANGES.
    """

    name = "MPW NACK"
    computed = ("count",)
    message_type, message_class = MessageType.NACK, STREAM
    struct_name, direction = "Nack", "both"
    required = (TlvType.NACK_RANGES,)
    fields_desc = fields(
        MemberIdField("origin"),
        CountField("count", "ranges"),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in Count from the TLV unless it was given."""
        if self.count is None:
            ranges = [tlv.ranges for tlv in self.tlvs if tlv.name == "MPW NACK_RANGES"]
            packet = packet[:4] + bytes([sum(map(len, ranges))]) + packet[5:]
        return packet + payload


class MPWMember(Body):
    """MEMBER: another member joined or went; data up to BoundarySeq is on this side of it.

    ```
    +---------------+---------------+-------------------------------+
    |   Action (8)  |  LeafDir (8)  |            rsv (16)           |
    +---------------+---------------+-------------------------------+
    |                         MemberID (32)                         |
    +---------------------------------------------------------------+
    |                        BoundarySeq (32)                       |
    +---------------------------------------------------------------+
    |                            rsv (32)                           |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW MEMBER"
    message_type, message_class = MessageType.MEMBER, REQUEST
    struct_name, direction = "Member", "root to leaf"
    optional = (TlvType.SEALED, TlvType.ADDR)
    fields_desc = fields(
        ChoiceField("action", 1, MemberAction),
        LeafDirField("leaf_dir"),
        ReservedField("reserved", 0, 16),
        MemberIdField("member_id"),
        IntField("boundary_seq", 0),
        ReservedField("reserved_tail", 0, 32),
        tlv_list(),
    )


class MPWAnnounce(Body):
    """ANNOUNCE: a member of a nonrooted session; multicast.

    ```
    +---------------+---------------+-------------------------------+
    |    Kind (8)   |  LeafDir (8)  |           HoldS (16)          |
    +---------------+---------------+-------------------------------+
    |                         MemberTag (64)                        |
    |                                                               |
    +---------------------------------------------------------------+
    |                          LeadSeq (32)                         |
    +---------------------------------------------------------------+
    |                        ConflictID (32)                        |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW ANNOUNCE"
    message_type, message_class = MessageType.ANNOUNCE, STREAM
    struct_name, direction = "Announce", "member to group"
    fields_desc = fields(
        ChoiceField("kind", 1, AnnounceKind),
        LeafDirField("leaf_dir"),
        ShortField("hold_s", 0),
        TagField("member_tag"),
        IntField("lead_seq", 0),
        MemberIdField("conflict_id"),
        tlv_list(),
    )


class MPWDataAck(Body):
    """DATA_ACK: everything before RcvNext has arrived; Window more messages may come.

    ```
    +---------------------------------------------------------------+
    |                          Origin (32)                          |
    +---------------------------------------------------------------+
    |                          RcvNext (32)                         |
    +---------------------------------------------------------------+
    |                      Window in messages (32)                  |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW DATA_ACK"
    message_type, message_class = MessageType.DATA_ACK, RESPONSE
    struct_name, direction = "DataAck", "receiver to originator or relayer"
    fields_desc = fields(
        MemberIdField("origin"),
        IntField("rcv_next", 0),
        IntField("window", 0),
        tlv_list(),
    )


class MPWRekey(Body):
    """REKEY: no fixed fields; the next group key is inside SEALED."""

    name = "MPW REKEY"
    message_type, message_class = MessageType.REKEY, REQUEST
    struct_name, direction = "Rekey", "root to leaf"
    required = (TlvType.SEALED,)
    fields_desc = fields(tlv_list())
