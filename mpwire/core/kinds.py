"""What the state tables call an input: its kind."""

from enum import Enum
from typing import Final

from mpwire.core import events
from mpwire.core.timers import TimerName
from mpwire.wire import messages


class Kind(Enum):
    """What an input is, for the table: a call of the layer above, a message, or a timer."""

    __hash__ = object.__hash__  # members are singletons; this one runs in C

    JOIN = "api: join"
    VERIFIED = "in: JOIN_REQ verified"
    CROSSING = "in: JOIN_REQ verified, crossing ours"
    DOUBTED = "in: JOIN_REQ verified, of a member"
    VERIFY = "api: verify"
    WITHDRAW = "api: withdraw"
    ADMIT = "api: accept"
    DEFER = "api: defer"
    REFUSE = "api: refuse"
    SUPERSEDE = "api: supersede"
    CLOSE = "api: close"
    ABORT = "api: abort"
    SEND = "api: send"
    CAST = "api: sent to the group"
    SEND_SIDE = "api: send in private"
    TAKEN = "api: receive"
    BACKLOG = "api: relay backlog"
    ORIGIN_ENDED = "api: relayed origin ended"
    PORT_UNREACHABLE = "in: ICMP port unreachable"
    NET_UNREACHABLE = "in: ICMP network unreachable"
    RETRANSMIT = "tmr: retransmit"
    LIMIT = "tmr: limit"
    KEEPALIVE = "tmr: keepalive"
    ACKNOWLEDGE = "tmr: acknowledge"
    NACK = "tmr: nack"
    PACE = "tmr: pace"
    SYNC = "tmr: sync"
    SIDE = "tmr: side"
    IN_VERSION_NEG = "in: VERSION_NEG"
    IN_JOIN_REQ = "in: JOIN_REQ copy"
    IN_CHALLENGE = "in: CHALLENGE"
    IN_PENDING = "in: PENDING"
    IN_ACCEPT = "in: ACCEPT"
    IN_CONFIRM = "in: CONFIRM"
    IN_REJECT = "in: REJECT"
    IN_CANCEL = "in: CANCEL"
    IN_CANCEL_ACK = "in: CANCEL_ACK"
    IN_CLOSE = "in: CLOSE"
    IN_CLOSE_ACK = "in: CLOSE_ACK"
    IN_ABORT = "in: ABORT"
    IN_PROBE = "in: PROBE"
    IN_PROBE_ACK = "in: PROBE_ACK"
    IN_DATA = "in: DATA"
    IN_DATA_ACK = "in: DATA_ACK"
    IN_NACK = "in: NACK"
    IN_SYNC = "in: SYNC"
    IN_SIDE = "in: SIDE"
    IN_ACK = "in: ACK"
    IN_OTHER = "in: any other type"


KIND_OF: Final[dict[type, Kind]] = {
    messages.VersionNeg: Kind.IN_VERSION_NEG,
    messages.JoinReq: Kind.IN_JOIN_REQ,
    messages.Challenge: Kind.IN_CHALLENGE,
    messages.Pending: Kind.IN_PENDING,
    messages.Accept: Kind.IN_ACCEPT,
    messages.Confirm: Kind.IN_CONFIRM,
    messages.Reject: Kind.IN_REJECT,
    messages.Cancel: Kind.IN_CANCEL,
    messages.CancelAck: Kind.IN_CANCEL_ACK,
    messages.Close: Kind.IN_CLOSE,
    messages.CloseAck: Kind.IN_CLOSE_ACK,
    messages.Abort: Kind.IN_ABORT,
    messages.Probe: Kind.IN_PROBE,
    messages.ProbeAck: Kind.IN_PROBE_ACK,
    messages.Data: Kind.IN_DATA,
    messages.DataAck: Kind.IN_DATA_ACK,
    messages.Nack: Kind.IN_NACK,
    messages.Sync: Kind.IN_SYNC,
    messages.Side: Kind.IN_SIDE,
    messages.Ack: Kind.IN_ACK,
    events.JoinRequested: Kind.JOIN,
    events.RequestVerified: Kind.VERIFIED,
    events.RequestCrossed: Kind.CROSSING,
    events.RequestDoubted: Kind.DOUBTED,
    events.VerificationRequested: Kind.VERIFY,
    events.Withdrawn: Kind.WITHDRAW,
    events.Admitted: Kind.ADMIT,
    events.Deferred: Kind.DEFER,
    events.Refused: Kind.REFUSE,
    events.Superseded: Kind.SUPERSEDE,
    events.CloseRequested: Kind.CLOSE,
    events.AbortRequested: Kind.ABORT,
    events.DataSubmitted: Kind.SEND,
    events.LeftByGroup: Kind.CAST,
    events.SideSubmitted: Kind.SEND_SIDE,
    events.DataTaken: Kind.TAKEN,
    events.BacklogChanged: Kind.BACKLOG,
    events.OriginEnded: Kind.ORIGIN_ENDED,
    events.PortUnreachable: Kind.PORT_UNREACHABLE,
    events.NetworkUnreachable: Kind.NET_UNREACHABLE,
}

KIND_OF_TIMER: Final = {
    TimerName.RETRANSMIT: Kind.RETRANSMIT,
    TimerName.LIMIT: Kind.LIMIT,
    TimerName.KEEPALIVE: Kind.KEEPALIVE,
    TimerName.ACKNOWLEDGE: Kind.ACKNOWLEDGE,
    TimerName.NACK: Kind.NACK,
    TimerName.PACE: Kind.PACE,
    TimerName.SYNC: Kind.SYNC,
    TimerName.SIDE: Kind.SIDE,
}


def kind_of(event: events.Input) -> Kind:
    """Return the table's name for an input; types without a row of their own are IN_OTHER."""
    if isinstance(event, events.TimerExpired):
        return KIND_OF_TIMER[event.name]
    return KIND_OF.get(type(event), Kind.IN_OTHER)
