"""Hold one join attempt, and one membership with its two ends: packets by what they mean."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from mpwire.oracle.shelf import Shelf, read
from mpwire.oracle.trace import NEVER, Endpoint, Packet, Position
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    Confirm,
    Data,
    JoinReq,
    Message,
    Pending,
    Probe,
    Reject,
    SessionDesc,
    Side,
    Sync,
    Timers,
    VersionNeg,
)
from mpwire.wire.numbers import ROOT_MEMBER_ID, AbortReason, Capability, CloseFlag, Role

if TYPE_CHECKING:
    from mpwire.oracle.streams import Flow, Inflow

TO_INIT_TAG = (Challenge, Pending, Accept, Reject, VersionNeg, CancelAck)
"""Messages that the responder sends to the InitTag."""
DEFAULT_TIMERS = Timers(
    rto_initial_ms=1000,
    rto_maximum_ms=16000,
    keepalive_ms=20000,
    dead_ms=45000,
    pend_ms=180000,
    linger_ms=40000,
    drain_ms=6000,
    mrc=5,
    tflags=0,
)


@dataclass(slots=True, eq=False)
class Attempt:
    """One join request with all copies and answers."""

    init_tag: int
    initiator: Endpoint
    responder: Endpoint
    initiator_host: str | None
    responder_host: str | None
    shelf: Shelf = field(default_factory=Shelf)
    memberships: "list[Membership]" = field(default_factory=list)
    folded: "Membership | None" = None
    """The membership of an invitation that crossed this request and prevailed (glare)."""
    _request: JoinReq | None = None
    died: Position = NEVER
    """Where the initiator's process ended, if another took its place, or its interface was lost."""

    @property
    def host(self) -> str | None:
        """Return the host that asks."""
        return self.initiator_host

    @property
    def begun(self) -> Position:
        """Return where it began."""
        return self.first.position

    @property
    def requests(self) -> list[Packet]:
        """List all copies of the request, each transmission once."""
        return self.shelf.sent(JoinReq)

    @property
    def first(self) -> Packet:
        """Return the first copy seen."""
        return self.shelf.of(JoinReq)[0]

    @property
    def request(self) -> JoinReq:
        """Return what the first copy says."""
        if self._request is None:
            self._request = read(self.first, JoinReq)
        return self._request

    @property
    def by_root(self) -> bool:
        """Tell whether it is an invitation."""
        return self.request.role == Role.C_ROOT

    @property
    def root(self) -> Endpoint:
        """Return the root's address."""
        return self.initiator if self.by_root else self.responder

    @property
    def leaf(self) -> Endpoint:
        """Return the leaf's address."""
        return self.responder if self.by_root else self.initiator

    @property
    def root_host(self) -> str | None:
        """Return the root's host, where it is known."""
        return self.initiator_host if self.by_root else self.responder_host

    @property
    def leaf_host(self) -> str | None:
        """Return the leaf's host, where it is known."""
        return self.responder_host if self.by_root else self.initiator_host

    @property
    def membership(self) -> "Membership | None":
        """Return what became of it; None unless an ACCEPT was sent."""
        return self.memberships[0] if self.memberships else None

    def resolved(self) -> Position:
        """Return where the attempt was over as its initiator saw it.

        That is the first terminal: ACCEPT, REJECT or VERSION_NEG arrived, CANCEL sent. Where only
        departures are known, the departure of an answer stands for its arrival. A request that was
        folded is over when the invitation that crossed it was accepted, and that of a process whose
        place another has taken, when it ended.
        """
        answers = self.shelf.arrived(Accept, Reject, VersionNeg)
        if self.first.direction is None:
            answers = self.shelf.sent(Accept, Reject, VersionNeg)
        ends = [*answers, *self.shelf.sent(Cancel)]
        if self.folded is not None:
            ends.append(self.folded.accept)
        return min([self.died, *(packet.position for packet in ends)])


@dataclass(slots=True, eq=False)
class End:
    """One side of a membership: the root's or the leaf's."""

    membership: "Membership"
    endpoint: Endpoint
    host: str | None
    tag: int
    is_root: bool
    is_initiator: bool
    sent_of: dict[tuple[type[Message], ...], list[Packet]] = field(default_factory=dict)
    """What `sent` has found, kept: a history does not change once it is built."""
    arrived_of: dict[tuple[type[Message], ...], list[Packet]] = field(default_factory=dict)
    """What `arrived` has found, kept."""
    given: "dict[int, Inflow] | None" = None
    """What `streams.inflows` has found, kept."""
    flows: "dict[int, Flow] | None" = None
    """What `streams.flows` has found, kept."""
    died: Position = NEVER
    """Where its process ended, if another took its place, or its interface was lost."""
    _over: tuple[Position, Position] | None = None
    """What `ended` has found, kept with the end of the process that it knew of."""

    @property
    def begun(self) -> Position:
        """Return where this side had something to do with the membership first."""
        return min(self.started(), self.membership.accept.position)

    @property
    def peer(self) -> "End":
        """Return the other side."""
        both = self.membership.root, self.membership.leaf
        return both[1] if both[0] is self else both[0]

    @property
    def name(self) -> str:
        """Name it as findings do."""
        where = f"{self.endpoint[0]}:{self.endpoint[1]}"
        return f"{self.host} {where}" if self.host else where

    @property
    def member_id(self) -> int:
        """Return the Member ID of this side; 0 if the leaf's was never seen."""
        return ROOT_MEMBER_ID if self.is_root else self.membership.leaf_id

    def sent(self, *kinds: type[Message]) -> list[Packet]:
        """Return what this side sent of some types."""
        if self.membership.shelf.lacks(kinds):
            return []
        found = self.sent_of.get(kinds)
        if found is None:
            packets = self.membership.shelf.sent(*kinds)
            found = [p for p in packets if p.source == self.endpoint]
            self.sent_of[kinds] = found
        return found

    def arrived(self, *kinds: type[Message]) -> list[Packet]:
        """Return what was delivered to this side of some types."""
        if self.membership.shelf.lacks(kinds):
            return []
        found = self.arrived_of.get(kinds)
        if found is None:
            packets = self.membership.shelf.arrived(*kinds)
            found = [p for p in packets if p.destination == self.endpoint]
            self.arrived_of[kinds] = found
        return found

    @property
    def closes(self) -> list[Packet]:
        """Return the CLOSE that were delivered to this side and that it could hear.

        A leaf that accepted drops what comes before CONFIRM: it does not know yet where the data of
        the root begins, and could not say whether anything is missing (11.2).
        """
        arrived = self.arrived(Close)
        if self.is_root or self.is_initiator:
            return arrived
        known = min((packet.position for packet in self.arrived(Confirm)), default=NEVER)
        return [packet for packet in arrived if known < packet.position]

    def cast(self, *kinds: type[Message]) -> list[Packet]:
        """Return what this side sent of some types to the session's group."""
        return [p for p in self.membership.group.sent(*kinds) if p.source == self.endpoint]

    def caught(self, *kinds: type[Message]) -> list[Packet]:
        """Return what this side's host was given of some types that others sent to the group."""
        arrived = self.membership.group.arrived(*kinds)
        return [p for p in arrived if p.host == self.host and p.source != self.endpoint]

    @property
    def next_data_seq(self) -> int | None:
        """Return the first data sequence number this side announced in its half."""
        if self.is_initiator:
            confirms = self.membership.shelf.of(Confirm)
            return read(confirms[0], Confirm).next_data_seq if confirms else None
        return read(self.membership.accept, Accept).next_data_seq

    @property
    def timers(self) -> Timers:
        """Return the timers this side announced."""
        if self.is_initiator:
            return self.membership.attempt.request.timers
        return read(self.membership.accept, Accept).timers

    @property
    def max_payload(self) -> int:
        """Return the largest payload this side announced."""
        if self.is_initiator:
            return self.membership.attempt.request.max_payload
        return read(self.membership.accept, Accept).max_payload

    def started(self) -> Position:
        """Return where the membership began for this side: CONFIRM or ACCEPT sent."""
        kind: type[Message] = Confirm if self.is_initiator else Accept
        return min((packet.position for packet in self.sent(kind)), default=NEVER)

    def proofs(self) -> list[Packet]:
        """List what showed an acceptor that its peer is a member.

        That is CONFIRM; at a root anything else from a member stands for a lost one (RM22).
        """
        kinds = (Confirm, Data, Sync, Side, Probe, Close) if self.is_root else (Confirm,)
        return self.arrived(*kinds)

    def closed(self) -> Position:
        """Return where this side sent its own CLOSE that is not HALF."""
        return min(
            (packet.position for packet in self.sent(Close) if is_full(packet)), default=NEVER
        )

    def half_closed(self) -> Position:
        """Return where this side ended its own direction, by any CLOSE."""
        return min((packet.position for packet in self.sent(Close)), default=NEVER)

    def aborted(self) -> Position:
        """Return where an ABORT of this membership was sent by, or delivered to, this side."""
        packets = [*self.sent(Abort), *self.arrived(Abort)]
        return min((packet.position for packet in packets), default=NEVER)

    def ended(self) -> Position:
        """Return where this side began to end: CLOSE, ABORT or CANCEL, sent or delivered; or died.

        A CLOSE of one direction ends nothing until the other direction is closed, too.
        """
        if self._over is None or self._over[0] != self.died:
            self._over = self.died, self._ended()
        return self._over[1]

    def _ended(self) -> Position:
        closes = [*self.sent(Close), *self.closes]
        packets = [packet for packet in closes if is_full(packet)]
        packets += [*self.sent(Abort, Cancel), *self.arrived(Abort, Cancel)]
        halves = max(self.half_closed(), self.peer_closed())
        over = min((packet.position for packet in packets), default=halves)
        return min(over, self.died)

    @property
    def misfit(self) -> bool:
        """Tell whether an acceptor found that the CONFIRM it was sent does not fit (9.4, 9.6)."""
        confirmed = self.arrived(Confirm)
        return bool(confirmed) and any(
            packet.number > confirmed[0].number
            and read(packet, Abort).reason == AbortReason.PROTOCOL
            for packet in self.sent(Abort)
        )

    def peer_closed(self) -> Position:
        """Return where the first CLOSE of any kind was delivered to this side."""
        return min((packet.position for packet in self.closes), default=NEVER)


class Membership:
    """One acceptance of one attempt: two ends and everything between them."""

    def __init__(self, attempt: Attempt, accept: Packet) -> None:
        """Begin with the first ACCEPT that carries this RespTag."""
        self.attempt = attempt
        self.accept = accept
        self.shelf = Shelf()
        self.group = Shelf()
        """What was sent to the session's group; all memberships of a session share it."""
        message = read(accept, Accept)
        self.resp_tag = message.resp_tag
        self.session_id = message.session_id
        root_tag = attempt.init_tag if attempt.by_root else self.resp_tag
        leaf_tag = self.resp_tag if attempt.by_root else attempt.init_tag
        by_root = attempt.by_root
        self.root = End(self, attempt.root, attempt.root_host, root_tag, True, by_root)
        self.leaf = End(self, attempt.leaf, attempt.leaf_host, leaf_tag, False, not by_root)

    @property
    def ends(self) -> tuple[End, End]:
        """Return both sides, the root's first."""
        return self.root, self.leaf

    @cached_property
    def leaf_id(self) -> int:
        """Return the member ID that the root assigned; 0 if it was never seen."""
        kind: type[Message] = Confirm if self.attempt.by_root else Accept
        for packet in self.shelf.of(kind):
            assigned: int = getattr(packet.message, "assigned_id", 0)
            if assigned:
                return assigned
        return 0

    @property
    def leaf_dir(self) -> int:
        """Return what the leaf may do, as the request says."""
        return self.attempt.request.leaf_dir

    @cached_property
    def caps(self) -> int:
        """Return the capabilities that both sides have."""
        return self.attempt.request.caps & read(self.accept, Accept).caps

    @cached_property
    def description(self) -> SessionDesc | None:
        """Return what the root says of the session, if it was seen."""
        for packet in self.shelf.of(Accept, Confirm):
            description = getattr(packet.message, "session_desc", None)
            if isinstance(description, SessionDesc):
                return description
        return None

    @cached_property
    def repair(self) -> bool:
        """Tell whether lost data is repaired: the session says so and both sides can."""
        description = self.description
        able = bool(self.caps & Capability.REPAIR)
        return able and description is not None and bool(description.repair)

    @cached_property
    def planes(self) -> int:
        """Return the shape of the session, as its root describes it or as was asked for."""
        description = self.description
        return description.planes if description is not None else self.attempt.request.planes

    @property
    def confirmed(self) -> bool:
        """Tell whether a CONFIRM was sent."""
        return bool(self.shelf.of(Confirm))

    def end_at(self, endpoint: Endpoint) -> End | None:
        """Return the side with this address."""
        return next((end for end in self.ends if end.endpoint == endpoint), None)


def is_full(packet: Packet) -> bool:
    """Tell whether a CLOSE ends both directions."""
    return not read(packet, Close).cflags & CloseFlag.HALF
