"""Message bodies 0x09 to 0x0F as Scapy layers: the life and the end of a membership."""

from scapy.fields import IntField, XLongField

from mpwire.wire.layer_base import (
    BitsField,
    Body,
    ChoiceField,
    PermilleField,
    RegistryField,
    ReservedField,
    fields,
)
from mpwire.wire.layers_tlv import tlv_list
from mpwire.wire.numbers import (
    AbortReason,
    AckedType,
    CloseAckFlag,
    CloseFlag,
    CloseReason,
    MessageClass,
    MessageType,
    TlvType,
)

REQUEST, RESPONSE = MessageClass.REQUEST, MessageClass.RESPONSE


class MPWClose(Body):
    """CLOSE: ends the membership after the data up to FinalSeq.

    ```
    +---------------+---------------+-------------------------------+
    |   Reason (8)  |   CFlags (8)  |            rsv (16)           |
    +---------------+---------------+-------------------------------+
    |                         FinalSeq (32)                         |
    +---------------------------------------------------------------+
    |                       SideFinalSeq (32)                       |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW CLOSE"
    message_type, message_class = MessageType.CLOSE, REQUEST
    struct_name, direction = "Close", "both"
    optional = (TlvType.DISC_DATA, TlvType.REASON_TEXT, TlvType.SEALED)
    fields_desc = fields(
        RegistryField("reason", 1, CloseReason),
        BitsField("cflags", CloseFlag),
        ReservedField("reserved", 0, 16),
        IntField("final_seq", 0),
        IntField("side_final_seq", 0),
        tlv_list(),
    )


class MPWCloseAck(Body):
    """CLOSE_ACK: acknowledges a CLOSE at once; FinalSeq is the answering side's own.

    ```
    +---------------+-----------------------------------------------+
    |   Flags (8)   |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    |                          RcvNext (32)                         |
    +---------------------------------------------------------------+
    |                         FinalSeq (32)                         |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW CLOSE_ACK"
    message_type, message_class = MessageType.CLOSE_ACK, RESPONSE
    struct_name, direction = "CloseAck", "both"
    optional = (TlvType.EVENT_ECHO,)
    answered_types = (MessageType.CLOSE,)
    fields_desc = fields(
        BitsField("ack_flags", CloseAckFlag),
        ReservedField("reserved", 0, 24),
        IntField("rcv_next", 0),
        IntField("final_seq", 0),
        tlv_list(),
    )


class MPWAbort(Body):
    """ABORT: there is no membership (any more); never answered.

    ```
    +---------------+-----------------------------------------------+
    |   Reason (8)  |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    |                          EchoSeq (32)                         |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW ABORT"
    message_type, message_class = MessageType.ABORT, RESPONSE
    struct_name, direction = "Abort", "both"
    optional = (TlvType.REASON_TEXT,)
    fields_desc = fields(
        RegistryField("reason", 1, AbortReason),
        ReservedField("reserved", 0, 24),
        IntField("echo_seq", 0),
        tlv_list(),
    )


class MPWProbe(Body):
    """PROBE: asks for a sign of life; with PAD it tests a datagram size.

    ```
    +---------------------------------------------------------------+
    |                          Nonce (64)                           |
    |                                                               |
    +---------------------------------------------------------------+
    |                        NextDataSeq (32)                       |
    +---------------------------------------------------------------+
    |                            rsv (32)                           |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW PROBE"
    message_type, message_class = MessageType.PROBE, REQUEST
    struct_name, direction = "Probe", "both"
    optional = (TlvType.PAD,)
    fields_desc = fields(
        XLongField("nonce", 0),
        IntField("next_data_seq", 0),
        ReservedField("reserved", 0, 32),
        tlv_list(),
    )


class MPWProbeAck(Body):
    """PROBE_ACK: the sign of life.

    ```
    +---------------------------------------------------------------+
    |                          Nonce (64)                           |
    |                                                               |
    +---------------------------------------------------------------+
    |                          RcvNext (32)                         |
    +-------------------------------+-------------------------------+
    |       LossPermille (16)       |            rsv (16)           |
    +-------------------------------+-------------------------------+
    ```
    """

    name = "MPW PROBE_ACK"
    message_type, message_class = MessageType.PROBE_ACK, RESPONSE
    struct_name, direction = "ProbeAck", "both"
    optional = (TlvType.REPORT, TlvType.EVENT_ECHO)
    answered_types = (MessageType.PROBE,)
    fields_desc = fields(
        XLongField("nonce", 0),
        IntField("rcv_next", 0),
        PermilleField("loss_permille"),
        ReservedField("reserved", 0, 16),
        tlv_list(),
    )


class MPWAck(Body):
    """ACK: acknowledges a request that has no response of its own.

    ```
    +---------------+-----------------------------------------------+
    | AckedType (8) |                    rsv (24)                   |
    +---------------+-----------------------------------------------+
    ```
    """

    name = "MPW ACK"
    message_type, message_class = MessageType.ACK, RESPONSE
    struct_name, direction = "Ack", "both"
    answered_types = (MessageType.SIDE, MessageType.MEMBER, MessageType.REKEY)
    fields_desc = fields(
        ChoiceField("acked_type", 0x11, AckedType),
        ReservedField("reserved", 0, 24),
        tlv_list(),
    )
