"""Message bodies 0x00 to 0x08 as Scapy layers: from the join request to its end."""

from scapy.fields import FieldListField, IntField, ShortField, XByteField

from mpwire.wire.layer_base import (
    BitsField,
    Body,
    ChoiceField,
    CountField,
    LeafDirField,
    MemberIdField,
    PaddingField,
    RegistryField,
    ReservedField,
    TagField,
    fields,
)
from mpwire.wire.layers_tlv import tlv_list
from mpwire.wire.numbers import (
    CancelReason,
    CancelResult,
    JoinFlags,
    MessageClass,
    MessageType,
    PendingState,
    Planes,
    RejectReason,
    Role,
    TlvType,
)

REQUEST, RESPONSE = MessageClass.REQUEST, MessageClass.RESPONSE
JOIN_ANSWERED = (MessageType.JOIN_REQ,)


class MPWVersionNeg(Body):
    """VERSION_NEG: the versions spoken here; the header's Version is 0 and there are no TLVs.

    ```
    +---------------+-----------------------------------------------+
    |   Count (8)   |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    |   Count (1 to 16) version octets, zero padded to 4            |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW VERSION_NEG"
    computed = ("count", "padding")
    message_type, message_class = MessageType.VERSION_NEG, RESPONSE
    struct_name, direction = "VersionNeg", "responder to initiator"
    answered_types = JOIN_ANSWERED
    fields_desc = fields(
        CountField("count", "versions"),
        ReservedField("reserved", 0, 24),
        FieldListField("versions", [], XByteField("version", 0), count_from=lambda p: p.count),
        PaddingField(),
    )

    def padded_octets(self) -> int:
        """Return the octets before the padding."""
        return int(self.count)

    def post_build(self, packet: bytes, payload: bytes) -> bytes:
        """Fill in the padding unless it was given."""
        if self.padding is None:
            packet += bytes(-len(packet) % 4)
        return packet + payload


class MPWJoinReq(Body):
    """JOIN_REQ: asks to join, or invites; at least 128 octets with header and TLVs (R32).

    ```
    +---------------------------------------------------------------+
    |                         InitTag (64)                          |
    |                                                               |
    +---------------+---------------+---------------+---------------+
    |    Role (8)   |     JL (8)    |  LeafDir (8)  |   Planes (8)  |
    +---------------+---------------+---------------+---------------+
    |                        NextDataSeq (32)                       |
    +-------------------------------+-------------------------------+
    |        MaxPayload (16)        |            rsv (16)           |
    +-------------------------------+-------------------------------+
    ```
    """

    name = "MPW JOIN_REQ"
    message_type, message_class = MessageType.JOIN_REQ, REQUEST
    struct_name, direction = "JoinReq", "initiator to responder"
    required = (TlvType.TIMERS, TlvType.CAPS, TlvType.VERSIONS)
    optional = (
        TlvType.COOKIE,
        TlvType.CALLER_DATA,
        TlvType.QOS,
        TlvType.CALLEE_ROOM,
        TlvType.SEALED,
        TlvType.PAD,
    )
    fields_desc = fields(
        TagField("init_tag"),
        ChoiceField("role", 2, Role),
        ChoiceField("jl", 4, JoinFlags),
        LeafDirField("leaf_dir"),
        BitsField("planes", Planes),
        IntField("next_data_seq", 0),
        ShortField("max_payload", 1156),
        ReservedField("reserved", 0, 16),
        tlv_list(),
    )


class MPWChallenge(Body):
    """CHALLENGE: carries the cookie that the next copy must echo.

    ```
    +---------------------------------------------------------------+
    |                       CookieLifeMs (32)                       |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW CHALLENGE"
    message_type, message_class = MessageType.CHALLENGE, RESPONSE
    struct_name, direction = "Challenge", "responder to initiator"
    required = (TlvType.COOKIE,)
    answered_types = JOIN_ANSWERED
    fields_desc = fields(IntField("cookie_life_ms", 30000), tlv_list())


class MPWPending(Body):
    """PENDING: the request is known and waits.

    ```
    +---------------------------------------------------------------+
    |                         RespTag (64)                          |
    |                                                               |
    +---------------+---------------+-------------------------------+
    |   State (8)   |    rsv (8)    |         QueuePos (16)         |
    +---------------+---------------+-------------------------------+
    |                          PollMs (32)                          |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW PENDING"
    message_type, message_class = MessageType.PENDING, RESPONSE
    struct_name, direction = "Pending", "responder to initiator"
    optional = (TlvType.EVENT_ECHO,)
    answered_types = JOIN_ANSWERED
    fields_desc = fields(
        TagField("resp_tag"),
        ChoiceField("state", 1, PendingState),
        ReservedField("reserved", 0, 8),
        ShortField("queue_pos", 0),
        IntField("poll_ms", 5000),
        tlv_list(),
    )


class MPWAccept(Body):
    """ACCEPT: grants the request; AssignedID is 0 in the leaf's half.

    ```
    +---------------------------------------------------------------+
    |                         RespTag (64)                          |
    |                                                               |
    +---------------------------------------------------------------+
    |                        AssignedID (32)                        |
    +---------------+---------------+-------------------------------+
    |  LeafDir (8)  |    rsv (8)    |        MaxPayload (16)        |
    +---------------+---------------+-------------------------------+
    |                        NextDataSeq (32)                       |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW ACCEPT"
    message_type, message_class = MessageType.ACCEPT, REQUEST
    struct_name, direction = "Accept", "responder to initiator"
    required = (TlvType.TIMERS, TlvType.CAPS, TlvType.VERSIONS)
    optional = (TlvType.SESSION_DESC, TlvType.CALLEE_DATA, TlvType.SEALED)
    answered_types = JOIN_ANSWERED
    fields_desc = fields(
        TagField("resp_tag"),
        MemberIdField("assigned_id"),
        LeafDirField("leaf_dir"),
        ReservedField("reserved", 0, 8),
        ShortField("max_payload", 1156),
        IntField("next_data_seq", 0),
        tlv_list(),
    )


class MPWConfirm(Body):
    """CONFIRM: acknowledges one copy of ACCEPT; AssignedID is 0 in the leaf's half.

    ```
    +---------------------------------------------------------------+
    |                        AssignedID (32)                        |
    +---------------------------------------------------------------+
    |                        NextDataSeq (32)                       |
    +---------------+-----------------------------------------------+
    |  LeafDir (8)  |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    """

    name = "MPW CONFIRM"
    message_type, message_class = MessageType.CONFIRM, RESPONSE
    struct_name, direction = "Confirm", "initiator to responder"
    optional = (TlvType.SESSION_DESC, TlvType.EVENT_ECHO, TlvType.SEALED)
    answered_types = (MessageType.ACCEPT,)
    fields_desc = fields(
        MemberIdField("assigned_id"),
        IntField("next_data_seq", 0),
        LeafDirField("leaf_dir"),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )


class MPWReject(Body):
    """REJECT: refuses the request; Detail is for people.

    ```
    +---------------+---------------+-------------------------------+
    |   Reason (8)  |    rsv (8)    |        RetryAfterS (16)       |
    +---------------+---------------+-------------------------------+
    |                          Detail (32)                          |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW REJECT"
    message_type, message_class = MessageType.REJECT, RESPONSE
    struct_name, direction = "Reject", "responder to initiator"
    optional = (TlvType.REASON_TEXT, TlvType.UNKNOWN_TLVS)
    answered_types = JOIN_ANSWERED
    fields_desc = fields(
        RegistryField("reason", 1, RejectReason),
        ReservedField("reserved", 0, 8),
        ShortField("retry_after_s", 0),
        IntField("detail", 0),
        tlv_list(),
    )


class MPWCancel(Body):
    """CANCEL: withdraws the request; Destination Tag 0 if no RespTag is known yet.

    ```
    +---------------------------------------------------------------+
    |                         InitTag (64)                          |
    |                                                               |
    +---------------+-----------------------------------------------+
    |   Reason (8)  |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    """

    name = "MPW CANCEL"
    message_type, message_class = MessageType.CANCEL, REQUEST
    struct_name, direction = "Cancel", "initiator to responder"
    fields_desc = fields(
        TagField("init_tag"),
        RegistryField("reason", 1, CancelReason),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )


class MPWCancelAck(Body):
    """CANCEL_ACK: says what the CANCEL met.

    ```
    +---------------+-----------------------------------------------+
    |   Result (8)  |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    """

    name = "MPW CANCEL_ACK"
    message_type, message_class = MessageType.CANCEL_ACK, RESPONSE
    struct_name, direction = "CancelAck", "responder to initiator"
    answered_types = (MessageType.CANCEL,)
    fields_desc = fields(
        ChoiceField("result", 0, CancelResult),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )
