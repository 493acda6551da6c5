"""What machines are told (inputs) and what they answer (effects and reports).

Inputs are past-tense facts or calls of the layer above; a decoded wire message is an input by
itself. Effects are imperatives for whoever runs the machine. Reports are facts for the layer above,
which turns them into network events.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mpwire.core.address import Address
from mpwire.core.timers import TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import JoinReq, Message
from mpwire.wire.registries import CloseReason, RejectReason

if TYPE_CHECKING:
    from mpwire.core.membership import Membership

# Inputs ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class JoinRequested:
    """The layer above asks this new membership to request its join."""


@dataclass(slots=True)
class RequestVerified:
    """A JOIN_REQ whose cookie proves its source was put into the listener's queue."""

    request: JoinReq


@dataclass(slots=True)
class RequestCrossed:
    """An invitation whose cookie proves its source crossed our own request to that root."""

    request: JoinReq


@dataclass(slots=True)
class RequestDoubted:
    """A verified JOIN_REQ came from an address that has a live membership here (RM42)."""

    request: JoinReq


@dataclass(slots=True)
class VerificationRequested:
    """The peer of this membership seems to have forgotten it: look at once whether it lives."""


@dataclass(slots=True)
class Withdrawn:
    """The layer above closed the handle of a join that is still outstanding (W25)."""


@dataclass(slots=True)
class Admitted:
    """The condition function accepted this queued request (CF_ACCEPT)."""

    callee_data: bytes | None


@dataclass(slots=True)
class Deferred:
    """The condition function deferred this queued request (CF_DEFER)."""


@dataclass(slots=True)
class Refused:
    """The queued request is to be rejected: by the condition function, or by the listener."""

    reason: RejectReason


@dataclass(slots=True)
class Superseded:
    """The same socket of the peer has begun a new attempt, so that it gave up this one (R29)."""


@dataclass(slots=True)
class CloseRequested:
    """The layer above ends this membership gracefully."""

    reason: CloseReason
    data: bytes | None = None
    """Disconnect data for the application of the peer."""
    half: bool = False
    """Whether only our sending direction is to end, if both ends can do that (12.5)."""


@dataclass(slots=True)
class AbortRequested:
    """The layer above ends this membership at once, dropping what is in flight (linger 0)."""


@dataclass(slots=True)
class DataSubmitted:
    """One message of group data is to go to this member."""

    seq: int
    payload: bytes
    origin: int | None = None
    """The leaf whose message is passed on; None for one of our own."""
    by_group: bool = False
    """Whether it is to leave once for all by multicast, in the time of the whole group."""


@dataclass(slots=True)
class LeftByGroup:
    """The next message of an origin has left for all who hear the group, this member among them."""

    origin: int | None
    """As in DataSubmitted."""


@dataclass(slots=True)
class SideSubmitted:
    """One private message is to go to this member."""

    payload: bytes


@dataclass(slots=True)
class DataTaken:
    """The application has taken messages of one origin: there is room for as many (W94)."""

    origin: int
    count: int
    private: bool = False
    """Whether they were private messages of the peer, which have room of their own."""


@dataclass(slots=True)
class BacklogChanged:
    """So many messages of this leaf wait to be acknowledged by the slowest of the others."""

    count: int


@dataclass(slots=True)
class OriginEnded:
    """A leaf whose messages are passed on to this one has left; nothing more comes of it."""

    origin: int


@dataclass(slots=True)
class PortUnreachable:
    """An ICMP port unreachable quoting our InitTag came back."""


@dataclass(slots=True)
class NetworkUnreachable:
    """An ICMP net or host unreachable quoting our InitTag came back."""


@dataclass(slots=True)
class TimerExpired:
    """The timer of that name has expired."""

    name: TimerName


Input: TypeAlias = (
    JoinRequested
    | RequestVerified
    | RequestCrossed
    | RequestDoubted
    | VerificationRequested
    | Withdrawn
    | Admitted
    | Deferred
    | Refused
    | Superseded
    | CloseRequested
    | AbortRequested
    | DataSubmitted
    | LeftByGroup
    | SideSubmitted
    | DataTaken
    | BacklogChanged
    | OriginEnded
    | PortUnreachable
    | NetworkUnreachable
    | TimerExpired
    | Message
)


# Reports --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Joined:
    """Both sides agreed; for the initiator this completes its WSPJoinLeaf."""

    callee_data: bytes | None = None


@dataclass(slots=True)
class JoinFailed:
    """The attempt of the initiator ended without a membership."""

    code: WsaError


@dataclass(slots=True)
class RequestFolded:
    """This invitation takes over the join that `request` had asked for (protocol.md 9.6)."""

    request: "Membership"


@dataclass(slots=True)
class RequestGone:
    """A queued request ended before WSPAccept decided it (W45, D17)."""

    code: WsaError


@dataclass(slots=True)
class DataReceived:
    """One message of group data arrived for this end, for the first time."""

    origin: int
    payload: bytes
    seq: int


@dataclass(slots=True)
class SideReceived:
    """One private message of the peer arrived, for the first time."""

    payload: bytes


@dataclass(slots=True)
class SideRoomMade:
    """One more private message may be submitted, after there was no room for any."""


@dataclass(slots=True)
class Ended:
    """The membership is over; `code` is the FD_CLOSE code for a handle that is still open."""

    code: WsaError


@dataclass(slots=True)
class PeerFinished:
    """The peer sends nothing more and all it sent has arrived; it may still be sent to (W80)."""


@dataclass(slots=True)
class RoomMade:
    """The receiver has room again, after a message that filled its window."""


Report: TypeAlias = (
    Joined
    | JoinFailed
    | RequestFolded
    | RequestGone
    | DataReceived
    | RoomMade
    | PeerFinished
    | SideReceived
    | SideRoomMade
    | Ended
)


# Effects --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Send:
    """Send a message to the peer of this membership."""

    message: Message


@dataclass(slots=True)
class SetTimer:
    """Start a timer, or start it anew."""

    name: TimerName
    at_s: float


@dataclass(slots=True)
class HastenTimer:
    """Start a timer, or let it expire sooner, but never later than it would."""

    name: TimerName
    at_s: float


@dataclass(slots=True)
class ClearTimer:
    """Stop a timer, if it runs."""

    name: TimerName


@dataclass(slots=True)
class Dropped:
    """An input was ignored on purpose."""

    reason: str
    rule: str
    """Row of the state table, or rule of the specification, that says so."""


@dataclass(slots=True)
class Forgotten:
    """The membership holds no more state worth keeping."""


@dataclass(slots=True)
class RelayedAcknowledged:
    """The peer has acknowledged messages of another leaf that were passed on to it."""

    origin: int


Effect: TypeAlias = (
    Send | SetTimer | HastenTimer | ClearTimer | Dropped | Forgotten | RelayedAcknowledged | Report
)


@dataclass(slots=True)
class SendDatagram:
    """Put octets on the wire, from one of our addresses to a peer."""

    data: bytes
    source: Address
    destination: Address
