"""The TLVs that a receiver may skip, as Scapy layers, ascending by type.

Every value starts after `Type(16) Length(16)`; the diagrams show the value. Values are padded with
zeros to a multiple of four octets, and Length does not count that padding.
"""

from scapy.fields import (
    ByteField,
    FieldListField,
    IntField,
    PacketListField,
    ShortField,
    XByteField,
    XIntField,
    XShortField,
)

from mpwire.wire.layer_base import (
    BitsField,
    Layer,
    OpaqueField,
    Tlv,
    fields,
    tlv_fields,
)
from mpwire.wire.numbers import (
    TimersFlag,
    TlvType,
)


class MPWPad(Tlv):
    """PAD: zeros only, any number of them (R8)."""

    name = "MPW PAD"
    tlv_type = TlvType.PAD
    attribute = "pad_octets"
    lowest_octets, highest_octets = 0, 0xFFFF
    fields_desc = tlv_fields(tlv_type, OpaqueField("zeros"))


class MPWTimers(Tlv):
    """TIMERS: what the sender announces, so that a capture is judged without configuration.

    Times are in milliseconds.
    ```
    +-------------------------------+-------------------------------+
    |         RTOinit (16)          |          RTOmax (16)          |
    +-------------------------------+-------------------------------+
    |                         KeepAlive (32)                        |
    +---------------------------------------------------------------+
    |                            Dead (32)                          |
    +---------------------------------------------------------------+
    |                            Pend (32)                          |
    +---------------------------------------------------------------+
    |                           Linger (32)                         |
    +-------------------------------+---------------+---------------+
    |           Drain (16)          |    MRC (8)    |   TFlags (8)  |
    +-------------------------------+---------------+---------------+
    ```
    """

    name = "MPW TIMERS"
    tlv_type = TlvType.TIMERS
    attribute = "timers"
    value_name = "Timers"
    lowest_octets, highest_octets = 24, 24
    fields_desc = tlv_fields(
        tlv_type,
        ShortField("rto_initial_ms", 1000),
        ShortField("rto_maximum_ms", 16000),
        IntField("keepalive_ms", 20000),
        IntField("dead_ms", 45000),
        IntField("pend_ms", 180000),
        IntField("linger_ms", 40000),
        ShortField("drain_ms", 6000),
        ByteField("mrc", 5),
        BitsField("tflags", TimersFlag),
    )


class MPWCaps(Tlv):
    """CAPS: capability bits; unknown bits are ignored, both sides' AND is in effect."""

    name = "MPW CAPS"
    tlv_type = TlvType.CAPS
    attribute = "caps"
    lowest_octets, highest_octets = 4, 4
    fields_desc = tlv_fields(tlv_type, XIntField("bits", 0))


class MPWDiscData(Tlv):
    """DISC_DATA: 1 to 512 octets of the closing application."""

    name = "MPW DISC_DATA"
    tlv_type = TlvType.DISC_DATA
    attribute = "disc_data"
    lowest_octets, highest_octets = 1, 512
    fields_desc = tlv_fields(tlv_type, OpaqueField("value"))


class MPWReport(Tlv):
    """REPORT: what the receiver of the group's data saw.

    ```
    +---------------------------------------------------------------+
    |                        HighestSeq (32)                        |
    +---------------------------------------------------------------+
    |                         LostCount (32)                        |
    +---------------------------------------------------------------+
    |                      DuplicateCount (32)                      |
    +---------------------------------------------------------------+
    |                     Jitter in microseconds (32)               |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW REPORT"
    tlv_type = TlvType.REPORT
    attribute = "report"
    value_name = "Report"
    lowest_octets, highest_octets = 16, 16
    fields_desc = tlv_fields(
        tlv_type,
        IntField("highest_seq", 0),
        IntField("lost_count", 0),
        IntField("duplicate_count", 0),
        IntField("jitter_us", 0),
    )


class MPWVersions(Tlv):
    """VERSIONS: 2 to 16 version octets; in ACCEPT the first is the chosen one."""

    name = "MPW VERSIONS"
    tlv_type = TlvType.VERSIONS
    attribute = "versions"
    lowest_octets, highest_octets = 2, 16
    fields_desc = tlv_fields(
        tlv_type,
        FieldListField("versions", [], XByteField("version", 0), length_from=lambda p: p.length),
    )


class MPWQos(Tlv):
    """QOS: the flow specification that the asking socket wants, 0 for no demand.

    Rates are in octets of payload per second, as seen from the socket that asks.
    ```
    +---------------------------------------------------------------+
    |                       SendingRate (32)                        |
    +---------------------------------------------------------------+
    |                      ReceivingRate (32)                       |
    +---------------------------------------------------------------+
    ```
    """

    name = "MPW QOS"
    tlv_type = TlvType.QOS
    attribute = "qos"
    value_name = "Qos"
    lowest_octets, highest_octets = 8, 8
    fields_desc = tlv_fields(
        tlv_type, IntField("sending_octets_per_s", 0), IntField("receiving_octets_per_s", 0)
    )


class MPWCalleeRoom(Tlv):
    """CALLEE_ROOM: how many octets of CALLEE_DATA the asking socket has room for.

    Without it there is room for as many as CALLEE_DATA can hold.
    """

    name = "MPW CALLEE_ROOM"
    tlv_type = TlvType.CALLEE_ROOM
    attribute = "callee_room"
    lowest_octets, highest_octets = 4, 4
    fields_desc = tlv_fields(tlv_type, IntField("octets", 0))


class MPWReasonText(Tlv):
    """REASON_TEXT: 1 to 128 octets of UTF-8 for people; nothing depends on it."""

    name = "MPW REASON_TEXT"
    tlv_type = TlvType.REASON_TEXT
    attribute = "reason_text"
    lowest_octets, highest_octets = 1, 128
    fields_desc = tlv_fields(tlv_type, OpaqueField("text"))


class MPWEchoedEvent(Layer):
    """One record of EVENT_ECHO.

    ```
    +---------------+---------------+-------------------------------+
    |   Event (8)   | SocketKind (8)|           Error (16)          |
    +---------------+---------------+-------------------------------+
    |                           Count (32)                          |
    +---------------------------------------------------------------+
    ```
    Event is the FD_ bit, SocketKind 1 R, 2 P, 3 L, 4 A, Error the Winsock code.
    """

    name = "MPW echoed event"
    fields_desc = fields(
        XByteField("event", 0),
        ByteField("socket_kind", 0),
        ShortField("error", 0),
        IntField("count", 0),
    )

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        """Leave the rest to the next record."""
        return b"", data


class MPWEventEcho(Tlv):
    """EVENT_ECHO: 1 to 8 records of 8 octets; test builds only."""

    name = "MPW EVENT_ECHO"
    tlv_type = TlvType.EVENT_ECHO
    attribute = "event_echo"
    value_name = "EventEcho"
    lowest_octets, highest_octets = 8, 64
    fields_desc = tlv_fields(
        tlv_type,
        PacketListField("events", [], MPWEchoedEvent, length_from=lambda p: p.length),
    )


class MPWUnknownTlvs(Tlv):
    """UNKNOWN_TLVS: 1 to 16 TLV types of 16 bits that the refusing side does not know."""

    name = "MPW UNKNOWN_TLVS"
    tlv_type = TlvType.UNKNOWN_TLVS
    attribute = "unknown_tlvs"
    lowest_octets, highest_octets = 2, 32
    fields_desc = tlv_fields(
        tlv_type,
        FieldListField("types", [], XShortField("code", 0), length_from=lambda p: p.length),
    )
