"""Give every number of the wire format its name and its one-line meaning.

The specification's tables of types, TLVs and registries are generated from these enumerations,
so the sentence under each member is specification text. Whatever takes a code from the network
keeps it as an `int`: a GREASE or a future code is not a member, and members compare equal to
their value anyway.
"""

from enum import IntEnum

from mpwire.wire.bits import Bits
from mpwire.wire.registries import (
    AbortReason,
    AckedType,
    AddressFamily,
    AnnounceKind,
    AuthAlgorithm,
    CancelReason,
    CancelResult,
    Capability,
    CloseAckFlag,
    CloseFlag,
    CloseReason,
    DataFlag,
    JoinFlags,
    LeafDirection,
    MemberAction,
    PendingState,
    Planes,
    RejectReason,
    RepairMode,
    Role,
    SideFlag,
    SyncFlag,
    TimersFlag,
)

MAGIC = 0x6D70
"""The first two octets of every MPW datagram: "mp"."""
VERSION = 1
"""The version this edition describes."""
VERSION_NEG_VERSION = 0
"""The Version field of a VERSION_NEG message, which belongs to no version."""
DEFAULT_PORT = 61717
"""Default UDP port: dynamic range, above the ephemeral range of Linux, not assigned by IANA."""
HEADER_OCTETS = 32
"""Length of the common header."""
MAX_DATAGRAM_OCTETS = 1200
"""Largest UDP payload before a padded PROBE has proved that more fits."""
DATA_OVERHEAD_OCTETS = 44
"""Common header, DATA body and the PAYLOAD TLV header."""
MAX_PAYLOAD_OCTETS = MAX_DATAGRAM_OCTETS - DATA_OVERHEAD_OCTETS
"""Largest PAYLOAD in a datagram of MAX_DATAGRAM_OCTETS."""
MIN_PAYLOAD_OCTETS = 256
"""Least MaxPayload a request may announce, so that no member keeps a session from sending."""
JOIN_REQ_MIN_OCTETS = 128
"""Smallest JOIN_REQ, so that no answer to an unproven address is larger than its cause."""
TLV_HEADER_OCTETS = 4
"""Type and Length of a TLV."""
MAX_TLV_COUNT = 32
"""Most TLVs in one message."""
MANDATORY_BIT = 0x8000
"""TLV types with this bit must be understood by whoever acts on the message."""
ROOT_MEMBER_ID = 1
"""Member ID of the root or of the Session Agent."""
HIGHEST_MEMBER_ID = 0xFFFFFFEF
"""Highest assignable Member ID; the sixteen above it are reserved."""


def is_grease(code: int) -> bool:
    """Tell whether an 8-bit code is reserved for GREASE: its low nibble is 0xA.

    Source: R13, RFC 8701 section 2.
    """
    return code & 0x0F == 0x0A


def is_grease_tlv(code: int) -> bool:
    """Tell whether a TLV type is reserved for GREASE: 0x?A?A, with or without the mandatory bit."""
    return code & 0x0F0F == 0x0A0A


def is_mandatory_tlv(code: int) -> bool:
    """Tell whether a receiver that does not know this TLV type must not act on the message."""
    return code & MANDATORY_BIT != 0


class MessageType(IntEnum):
    """Types of messages (header field Type, 8 bits)."""

    VERSION_NEG = 0x00
    """Lists the versions the responder speaks."""
    JOIN_REQ = 0x01
    """Asks to join (leaf) or invites (root)."""
    CHALLENGE = 0x02
    """Hands out the cookie that the next copy of the JOIN_REQ must echo."""
    PENDING = 0x03
    """Says that the request is queued and when to ask again."""
    ACCEPT = 0x04
    """Grants the request and carries the responder's half of the membership."""
    CONFIRM = 0x05
    """Acknowledges ACCEPT and carries the initiator's half of the membership."""
    REJECT = 0x06
    """Refuses the request, with a reason."""
    CANCEL = 0x07
    """Withdraws a request that has not been answered finally."""
    CANCEL_ACK = 0x08
    """Acknowledges CANCEL and says what it met."""
    CLOSE = 0x09
    """Ends a membership gracefully after the data up to FinalSeq."""
    CLOSE_ACK = 0x0B
    """Acknowledges CLOSE and says whether data is missing."""
    ABORT = 0x0C
    """Ends a membership at once, or says that there is none."""
    PROBE = 0x0D
    """Asks a silent peer for a sign of life; padded, tests a datagram size."""
    PROBE_ACK = 0x0E
    """Answers PROBE."""
    ACK = 0x0F
    """Acknowledges a request that has no response of its own."""
    DATA = 0x10
    """Carries one message of the group's data."""
    SIDE = 0x11
    """Carries one message between the root and one leaf only."""
    SYNC = 0x12
    """Reveals the sender's position, so that a lost tail is noticed."""
    NACK = 0x13
    """Asks for the repair of missing DATA."""
    MEMBER = 0x14
    """Tells a leaf that another member joined or went."""
    ANNOUNCE = 0x15
    """Announces a member of a nonrooted session to the group."""
    DATA_ACK = 0x16
    """Acknowledges DATA and grants a window."""
    REKEY = 0x17
    """Hands a leaf the next group key."""


class MessageClass(IntEnum):
    """What a message type means for retransmission."""

    REQUEST = 1
    """May be retransmitted; Attempt counts the copies."""
    RESPONSE = 2
    """Echoes the Attempt of what it answers and never triggers a reply."""
    STREAM = 3
    """Belongs to the data plane: no reply, own sequence."""


class TlvType(IntEnum):
    """Types of TLVs (16 bits)."""

    PAD = 0x0001
    """Fills a message up to a size; second to last."""
    TIMERS = 0x0004
    """The sender's timers, announced so that a capture can be judged."""
    CAPS = 0x0005
    """Capabilities; the logical AND of both sides is in effect."""
    DISC_DATA = 0x0008
    """User data of the disconnect."""
    REPORT = 0x000B
    """Reception report."""
    VERSIONS = 0x000C
    """Versions offered; in ACCEPT the responder's list, first the chosen one."""
    QOS = 0x000D
    """Flow specification that the asking socket wants."""
    REASON_TEXT = 0x000E
    """Diagnostic text for people."""
    EVENT_ECHO = 0x000F
    """Counts of reported socket events; test builds only."""
    UNKNOWN_TLVS = 0x0012
    """Mandatory TLV types the refusing side does not know."""
    CALLEE_ROOM = 0x0015
    """Octets of user data that the asking socket takes with the acceptance."""
    COOKIE = 0x8002
    """Opaque proof of return routability."""
    SESSION_DESC = 0x8003
    """Description of the session, exactly in the root's half of the handshake."""
    CALLER_DATA = 0x8006
    """User data of the join request."""
    CALLEE_DATA = 0x8007
    """User data of the acceptance."""
    PAYLOAD = 0x8009
    """One application message."""
    AUTH = 0x8010
    """Integrity check value over the whole message; last."""
    SEALED = 0x8011
    """AEAD ciphertext of TLVs."""
    ADDR = 0x8013
    """Address of the member spoken of."""
    NACK_RANGES = 0x8014
    """Missing sequence numbers."""


class HeaderFlag(Bits):
    """Bits of the header field Flags; 0x0E is reserved and zero."""

    R = 0x80
    """The Destination Tag was reflected from the message that caused this one."""
    A = 0x40
    """An AUTH TLV is present."""
    M = 0x20
    """Sent to a multicast group."""
    X = 0x10
    """Accepts an invitation that crossed the leaf's own request (glare)."""
    G = 0x01
    """Set at random by senders and ignored by receivers."""


__all__ = [
    "DATA_OVERHEAD_OCTETS",
    "DEFAULT_PORT",
    "HEADER_OCTETS",
    "HIGHEST_MEMBER_ID",
    "JOIN_REQ_MIN_OCTETS",
    "MAGIC",
    "MANDATORY_BIT",
    "MAX_DATAGRAM_OCTETS",
    "MAX_PAYLOAD_OCTETS",
    "MAX_TLV_COUNT",
    "MIN_PAYLOAD_OCTETS",
    "ROOT_MEMBER_ID",
    "TLV_HEADER_OCTETS",
    "VERSION",
    "VERSION_NEG_VERSION",
    "AbortReason",
    "AckedType",
    "AddressFamily",
    "AnnounceKind",
    "AuthAlgorithm",
    "CancelReason",
    "CancelResult",
    "Capability",
    "CloseAckFlag",
    "CloseFlag",
    "CloseReason",
    "DataFlag",
    "HeaderFlag",
    "JoinFlags",
    "LeafDirection",
    "MemberAction",
    "MessageClass",
    "MessageType",
    "PendingState",
    "Planes",
    "RejectReason",
    "RepairMode",
    "Role",
    "SideFlag",
    "SyncFlag",
    "TimersFlag",
    "TlvType",
    "is_grease",
    "is_grease_tlv",
    "is_mandatory_tlv",
]
