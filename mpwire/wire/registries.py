"""Name every value of the enumerated fields and flag fields inside messages and TLVs.

Import these from `mpwire.wire.numbers`, which holds the registries of the header as well.
"""

from enum import IntEnum

from mpwire.wire.bits import Bits


class Role(IntEnum):
    """Who asks whom (JOIN_REQ.Role)."""

    C_ROOT = 1
    """A root invites a leaf."""
    C_LEAF_TO_ROOT = 2
    """A leaf asks the root of a rooted session."""
    C_LEAF_TO_SESSION = 3
    """A leaf asks the Session Agent of a nonrooted session."""


class JoinFlags(IntEnum):
    """dwFlags of the joining socket, verbatim (JOIN_REQ.JL)."""

    SENDER_ONLY = 1
    """The joining socket only sends."""
    RECEIVER_ONLY = 2
    """The joining socket only receives."""
    BOTH = 4
    """The joining socket sends and receives."""


class LeafDirection(Bits):
    """What the leaf of the membership does (LeafDir); SEND or RECEIVE or both, and D_ROOT."""

    SEND = 1
    """The leaf may send."""
    RECEIVE = 2
    """The leaf receives."""
    D_ROOT = 4
    """The leaf's socket is the d_root of the session."""


class Planes(Bits):
    """Shape of the session (Planes)."""

    CONTROL_ROOTED = 1
    """The control plane has a root."""
    DATA_ROOTED = 2
    """The data plane has a root."""
    MULTICAST = 4
    """Data by IP multicast is wanted."""
    SSM = 8
    """Source-specific multicast is wanted."""


class PendingState(IntEnum):
    """Why an answer has to wait (PENDING.State)."""

    QUEUED = 1
    """Waits in the backlog."""
    DEFERRED = 2
    """The condition function answered CF_DEFER."""
    VERIFYING = 3
    """An older membership of the same address is being probed first."""


class RejectReason(IntEnum):
    """Why a request was refused (REJECT.Reason)."""

    APP_REFUSED = 1
    """The condition function answered CF_REJECT."""
    BACKLOG_FULL = 2
    """No room in the backlog."""
    NOT_LISTENING = 3
    """No socket listens here."""
    NO_SUCH_SESSION = 4
    """The named session does not exist."""
    WRONG_ROLE = 5
    """Role or Planes do not fit the listening socket."""
    ALREADY_MEMBER = 6
    """The address has a live membership."""
    NO_RESOURCES = 7
    """Out of memory, member IDs or descriptors."""
    AUTH_REQUIRED = 8
    """The session admits authenticated requests only."""
    UNSUPPORTED_TLV = 9
    """A mandatory TLV is not known; UNKNOWN_TLVS lists it."""
    QOS_UNAVAILABLE = 11
    """The requested flow specification cannot be met."""
    DIRECTION = 12
    """The direction, or a second d_root, is not possible."""
    SESSION_CLOSING = 13
    """The session is being dismantled or the listener closed."""
    ADDRESS_FAMILY = 14
    """The session's group is of a family the leaf does not have."""
    EXPIRED = 15
    """The request waited too long."""


class CancelReason(IntEnum):
    """Why a request was withdrawn (CANCEL.Reason)."""

    WITHDRAWN = 1
    """The application closed the pending handle."""
    TIMEOUT = 2
    """No final answer came in time."""


class CancelResult(IntEnum):
    """What a CANCEL met (CANCEL_ACK.Result)."""

    DONE = 0
    """The request was removed."""
    UNKNOWN = 1
    """No such request."""
    WAS_JOINED = 2
    """It had been accepted; that membership is ended."""


class CloseReason(IntEnum):
    """Who ends what (CLOSE.Reason)."""

    LEAVE = 1
    """The leaf leaves."""
    EXPEL = 2
    """The root ends this membership."""
    DISMANTLE = 3
    """The root ends the session."""


class CloseFlag(Bits):
    """Bits of CLOSE.CFlags."""

    HALF = 1
    """Ends the closer's sending direction only."""
    DISMANTLE = 2
    """The whole session ends."""


class CloseAckFlag(Bits):
    """Bits of CLOSE_ACK.Flags."""

    DATA_MISSING = 1
    """Data up to FinalSeq is still missing here."""


class AbortReason(IntEnum):
    """Why a membership ended at once (ABORT.Reason)."""

    NO_MEMBERSHIP = 1
    """No such membership here."""
    LINGER0 = 2
    """The application closed with linger time zero."""
    PROTOCOL = 3
    """The peer broke a rule."""
    PEER_DEAD = 4
    """The peer was silent for too long."""
    NO_CONFIRM = 5
    """ACCEPT was never confirmed."""
    CLOSE_TIMEOUT = 6
    """CLOSE was never acknowledged."""
    RESTART = 7
    """The endpoint has restarted."""
    AUTH = 8
    """Authentication failed."""
    DATA_LOST = 9
    """Data that was to be repaired can be repaired no more."""


class AckedType(IntEnum):
    """Request types that ACK acknowledges (ACK.AckedType)."""

    SIDE = 0x11
    """A SIDE with ACK_REQ."""
    MEMBER = 0x14
    """A MEMBER notice."""
    REKEY = 0x17
    """A REKEY."""


class DataFlag(Bits):
    """Bits of DATA.DFlags."""

    REPAIR = 1
    """A repeated transmission that answers a NACK."""
    RELAYED = 2
    """Passed on by the root for another origin."""
    LAST = 4
    """Last message of a burst; receivers may acknowledge at once."""


class SideFlag(Bits):
    """Bits of SIDE.SFlags."""

    ACK_REQ = 1
    """The receiver must acknowledge."""


class SyncFlag(Bits):
    """Bits of SYNC.SFlags."""

    FIN = 1
    """No new data follows."""


class MemberAction(IntEnum):
    """What happened to the member (MEMBER.Action)."""

    JOINED = 1
    """It has joined."""
    LEFT = 2
    """It has left or was expelled."""
    LOST = 3
    """It was declared dead or aborted."""


class AnnounceKind(IntEnum):
    """What is announced (ANNOUNCE.Kind)."""

    JOIN = 1
    """The member has just joined."""
    ALIVE = 2
    """The member is still there."""
    LEAVE = 3
    """The member leaves."""
    CONFLICT = 4
    """The member drops a Member ID that another one holds."""


class Capability(Bits):
    """Bits of the CAPS TLV."""

    SIDECHAT = 0x01
    """Understands SIDE."""
    REPAIR = 0x02
    """Understands NACK, DATA_ACK and repairs."""
    HALFCLOSE = 0x04
    """Understands CLOSE with HALF."""
    MEMBER_EVENTS = 0x08
    """Wants MEMBER notices."""
    MCAST_RX = 0x10
    """Can receive IP multicast."""
    SSM = 0x20
    """Can join a source-specific group."""
    SEALED = 0x40
    """Understands SEALED and REKEY."""
    EVENT_ECHO = 0x80
    """Test build: echoes event counts."""
    GREASE = 0x80000000
    """Set at random and ignored."""


class TimersFlag(Bits):
    """Bits of TIMERS.TFlags."""

    CONTROLLED = 1
    """A controlled test network: values below the defaults are permitted."""


class AddressFamily(IntEnum):
    """Families of addresses inside TLVs (AF)."""

    NONE = 0
    """No address follows."""
    IPV4 = 4
    """Four octets."""
    IPV6 = 6
    """Sixteen octets."""


class RepairMode(IntEnum):
    """Whether lost data is repaired (SESSION_DESC.Repair)."""

    OFF = 0
    """Best effort."""
    ON = 1
    """NACK and DATA_ACK are in use."""


class AuthAlgorithm(IntEnum):
    """Algorithms of the AUTH TLV (AUTH.Alg)."""

    HMAC_SHA_256_128 = 1
    """HMAC-SHA-256, first 16 octets."""
