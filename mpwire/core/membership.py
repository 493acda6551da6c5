"""One end of one membership: the machine that `table.TRANSITIONS` describes.

The same machine runs at the root (one per leaf, handle P) and at the leaf (session socket L or A);
what differs is who brings the session: the end with a `session` is the root's. It neither owns a
socket nor a clock: `handle(event, now_s)` returns what is to be done. Copy it with `copy.deepcopy`
and both copies go on alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypedDict

from msgspec.structs import replace

from mpwire.core.address import Address
from mpwire.core.entropy import Entropy
from mpwire.core.events import (
    ClearTimer,
    CloseRequested,
    Dropped,
    Effect,
    Forgotten,
    HastenTimer,
    Input,
    Report,
    Send,
    SetTimer,
)
from mpwire.core.inflow import Inflow
from mpwire.core.kinds import Kind, kind_of
from mpwire.core.outflow import Outflow
from mpwire.core.pacing import Pacer
from mpwire.core.serial import after, plus
from mpwire.core.sidechat import SideChat
from mpwire.core.table import FROM_PEER, IGNORED, TRANSITIONS, State
from mpwire.core.timers import TimerName, TimerPlan
from mpwire.errors import LocalProtocolError
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Close, Confirm, Data, JoinReq, Message, Reject, SessionDesc
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS, VERSION
from mpwire.wire.registries import AbortReason, Capability, CloseFlag, LeafDirection, RepairMode

FIRST_LEAF_ID = 2
SPENT = {"cookie": None, "caller_data": None, "qos": None, "versions": (), "extra": ()}
"""What is of no use in a request that has led to a membership."""
ROOT_ID = 1
OFFERED_VERSIONS = (VERSION, 0x2A)
"""What VERSIONS says: the one version there is, and a GREASE one that nobody may mind."""


class HeaderFields(TypedDict):
    """The common header fields that a sender chooses (protocol.md 4)."""

    session_id: int
    destination_tag: int
    sender_id: int
    seq: int
    attempt: int


@dataclass(slots=True)
class SessionFacts:
    """What all members of one session share; owned by the root."""

    session_id: int
    description: SessionDesc
    next_data_seq: int
    """Sequence number of the next group message that the root originates."""
    next_member_id: int = FIRST_LEAF_ID

    def assign_id(self) -> int:
        """Return a Member ID never used before in this session (R41)."""
        self.next_member_id += 1
        return self.next_member_id - 1


@dataclass(slots=True)
class Identity:
    """The names both ends go by on the wire."""

    own_tag: int
    """Our 64-bit tag: InitTag of the end that asks, RespTag of the end that is asked."""
    peer_tag: int = 0
    own_id: int = 0
    peer_id: int = 0
    session_id: int = 0


@dataclass(slots=True, eq=False)
class Membership:
    """One end of a membership, from the request to the last answered copy."""

    local: Address
    peer: Address
    plan: TimerPlan
    entropy: Entropy
    identity: Identity
    request: JoinReq
    """The JOIN_REQ that is asked, or was asked; never sent itself, always a copy of it.

    Once the membership exists it is kept without what only its receiver wanted to know.
    """
    txn: int
    """Transaction number of our last request; the JOIN_REQ's for the whole join."""
    outflow: Outflow
    """What this end originates for the peer."""
    session: SessionFacts | None = None
    """The session this end brings; None at a leaf."""
    initiator: bool = True
    state: State = State.NEW
    outstanding: Message | None = None
    """Last copy sent of the request of this state; its Attempt counts the copies."""
    confirm: Confirm | None = None
    """What every copy of the peer's ACCEPT is answered with (R42)."""
    reject: Reject | None = None
    """What every later copy of the peer's JOIN_REQ is answered with (R38)."""
    timeout_code: WsaError = WsaError.WSAETIMEDOUT
    unreachable_count: int = 0
    poll_s: float = 0.0
    """How long to wait between polls: what the peer asked for, but no less than our plan."""
    proven_attempt: int = 0
    """The copy that answered the last CHALLENGE; its cookie cannot have aged out yet."""
    max_payload: int = MAX_PAYLOAD_OCTETS
    """Octets of payload that both ends can take (R88)."""
    capabilities: int = 0
    """What this end announces in CAPS."""
    agreed: int = 0
    """Capabilities that both ends have, once they are joined."""
    deferred: bool = False
    inflow: Inflow | None = None
    """What the peer originates, once it has said where that starts."""
    repairs: bool = False
    """Whether REPAIR is in effect (protocol.md 11)."""
    description: SessionDesc | None = None
    """The session, once its root has described it."""
    takes_relayed: bool = False
    """Whether the root may pass on data of others: of everybody, or of a leaf that is d_root."""
    max_rate_pps: float = 0.0
    """How fast messages of one origin may leave (MaxRate), once joined."""
    relayed_out: dict[int, Outflow] = field(default_factory=dict)
    """At the root: what is passed on to the peer, by origin."""
    relayed_in: dict[int, Inflow] = field(default_factory=dict)
    """At a leaf: what the root passes on, by origin, the longest silent one first."""
    departed: dict[int, tuple[float, Inflow]] = field(default_factory=dict)
    """At a leaf: origins that have left, each with the time when it is to be forgotten."""
    feedback_count: int = 0
    """DATA_ACKs and NACKs sent; they number themselves."""
    nacks: int = 0
    """NACKs of the present series."""
    side: SideChat | None = None
    """Private data of both ends, if both can do that."""
    final_seq: int | None = None
    """Last sequence number the peer originated, once its CLOSE or CLOSE_ACK said so."""
    disconnect_data: bytes | None = None
    """What the application of the peer sent with its CLOSE."""
    pending_close: CloseRequested | None = None
    answered_attempt: int = 0
    """Copy of our CLOSE that was out when the peer last got on with what it had missed."""
    send_ended: bool = False
    """Whether our CLOSE(HALF) went out: this end originates nothing more."""
    peer_silent: bool = False
    """Whether the peer's CLOSE(HALF) came in: it originates nothing more."""
    peer_finished: bool = False
    """Whether all that such a peer has sent is here, and this was reported."""
    early: list[Data] = field(default_factory=list)
    """Data that overtook the CONFIRM which says what it is."""
    heard_s: float = 0.0
    effects: list[Effect] = field(default_factory=list)

    @property
    def is_root(self) -> bool:
        """Tell whether this is the root's end."""
        return self.session is not None

    @property
    def leaf_dir(self) -> LeafDirection:
        """Return what the leaf of this membership may do: send, receive."""
        return LeafDirection(self.request.leaf_dir)

    @property
    def is_d_root(self) -> bool:
        """Tell whether the leaf of this membership is the d_root (K11)."""
        return bool(self.leaf_dir & LeafDirection.D_ROOT)

    @property
    def may_send(self) -> bool:
        """Tell whether this end may originate group data."""
        wanted = LeafDirection.RECEIVE if self.is_root else LeafDirection.SEND
        return bool(self.leaf_dir & wanted) and not self.send_ended

    @property
    def may_receive(self) -> bool:
        """Tell whether group data may come from the peer."""
        wanted = LeafDirection.SEND if self.is_root else LeafDirection.RECEIVE
        return bool(self.leaf_dir & wanted)

    @property
    def has_room(self) -> bool:
        """Tell whether one more message may be submitted.

        Before the peer is known to be joined nothing leaves, so that the room is what it starts
        with, REPAIR or not.
        """
        flow = self.outflow
        if self.state in UNCONFIRMED:
            return after(flow.limit, flow.next_seq) > 0
        return flow.has_room

    @property
    def is_live(self) -> bool:
        """Tell whether both ends may still count on this membership (R52)."""
        return self.state in LIVE

    def handle(self, event: Input, now_s: float) -> list[Effect]:
        """Take one step and return what is to be done, in order.

        Raises:
            LocalProtocolError: the layer above asked for what this state forbids.
        """
        self.step(event, now_s)
        effects, self.effects = self.effects, []
        return effects

    def step(self, event: Input, now_s: float) -> None:
        """Take one step, adding to `effects`; an action calls it to take a second one."""
        kind = kind_of(event)
        if kind in FROM_PEER:
            self.heard_s = now_s
            if self.state is State.SUSPECT and kind is not Kind.IN_PROBE_ACK:
                self.refute_suspicion()
        row = TRANSITIONS.get((self.state, kind))
        if row is not None:
            if isinstance(event, Close) and event.disc_data is not None:
                self.disconnect_data = event.disc_data
            if isinstance(event, Close) and self.side is not None:
                self.side.final_seq = event.side_final_seq
            ACTIONS[row.action](self, event, now_s)
            assert self.state in row.next_states, (row, self.state)
        elif kind in IGNORED[self.state]:
            self.drop(f"{kind.value} in state {self.state.value}", "table")
        else:
            raise LocalProtocolError(f"{kind.value} is illegal in state {self.state.value}")

    # What actions are written with -------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Address a message to the peer and send it."""
        self.effects.append(Send(message))

    def send_request(self, message: Message, now_s: float) -> None:
        """Send the first copy of a request and repeat it until it is answered."""
        self.outstanding = message
        self.send(message)
        self.set_timer(TimerName.RETRANSMIT, now_s + self.plan.interval_s(1, self.entropy))

    def send_copy(self, now_s: float, **changes: object) -> None:
        """Repeat the outstanding request, Attempt one higher, and wait longer than before."""
        assert self.outstanding is not None
        attempt = self.outstanding.attempt + 1
        self.outstanding = replace(self.outstanding, attempt=attempt, **changes)
        self.send(self.outstanding)
        wait_s = self.plan.interval_s(attempt, self.entropy)
        self.set_timer(TimerName.RETRANSMIT, now_s + wait_s)

    def send_abort(self, reason: AbortReason, echo_seq: int = 0) -> None:
        """Send the one ABORT that ends a membership."""
        header = self.header(self.next_txn())
        self.send(Abort(**header, reason=reason, echo_seq=echo_seq))

    def report(self, report: Report) -> None:
        """Tell the layer above."""
        self.effects.append(report)

    def drop(self, reason: str, rule: str) -> None:
        """Say that the input was ignored, and why."""
        self.effects.append(Dropped(reason, rule))

    def set_timer(self, name: TimerName, at_s: float) -> None:
        """Start a timer of this membership."""
        self.effects.append(SetTimer(name, at_s))

    def hasten_timer(self, name: TimerName, at_s: float) -> None:
        """Start a timer of this membership, or let it expire sooner, but never later."""
        self.effects.append(HastenTimer(name, at_s))

    def clear_timer(self, name: TimerName) -> None:
        """Stop a timer of this membership."""
        self.effects.append(ClearTimer(name))

    def enter(self, state: State) -> None:
        """Change state; timers of the old state stop, but for a limit that spans both states."""
        if not any({self.state, state} <= spanned for spanned in (REQUESTING, JOINED)):
            self.clear_timer(TimerName.LIMIT)
        self.clear_timer(TimerName.RETRANSMIT)
        self.clear_timer(TimerName.KEEPALIVE)
        if state not in JOINED:
            self.clear_timer(TimerName.SIDE)
            for flow in (self.outflow, *self.relayed_out.values()):
                flow.by_group.clear()
        if state not in SENDING:
            self.clear_timer(TimerName.PACE)
        if state is State.GONE or (state not in JOINED and not self._is_awaited(state)):
            self.clear_timer(TimerName.SYNC)
        if state not in CARRYING:
            self.clear_timer(TimerName.ACKNOWLEDGE)
            self.clear_timer(TimerName.NACK)
        self.state = state
        if state is State.GONE:
            self.effects.append(Forgotten())

    def _is_awaited(self, state: State) -> bool:
        """Tell whether messages that have left wait to be acknowledged in a state of the end."""
        closed = state in {State.DRAINING, State.LINGERING}
        relayed = () if closed else self.relayed_out.values()
        return any(flow.kept for flow in (self.outflow, *relayed))

    def refute_suspicion(self) -> None:
        """Any tag-valid packet proves that the peer lives (RM26)."""
        self.enter(State.JOINED)
        self.outstanding = None
        self.watch_peer(self.heard_s)

    def watch_peer(self, from_s: float) -> None:
        """Look after T_KA, jittered, whether the peer was heard (RFC 8085 section 3.5)."""
        wait_s = self.plan.keepalive_s * self.entropy.uniform(0.8, 1.2)
        self.set_timer(TimerName.KEEPALIVE, from_s + wait_s)

    def agree(self, peer_caps: int, description: SessionDesc, peer_next_seq: int) -> None:
        """Settle what both ends can do and where the peer's data starts."""
        self.agree_capabilities(peer_caps)
        self.repairs = (
            bool(self.agreed & Capability.REPAIR) and description.repair != RepairMode.OFF
        )
        self.takes_relayed = not self.is_root
        self.description = description
        self.max_rate_pps = description.max_rate or 1 / self.plan.rto_initial_s
        self.outflow.repairs, self.outflow.pacer = self.repairs, self.new_pacer()
        self.inflow = Inflow(peer_next_seq, self.repairs)
        self.request = replace(self.request, **SPENT)

    def new_pacer(self) -> Pacer:
        """Return a pacer for one origin's messages to the peer."""
        return Pacer(self.max_rate_pps, self.plan.rto_initial_s)

    def agree_capabilities(self, peer_caps: int) -> None:
        """Settle what both ends can do; who is asked knows it before it is joined."""
        self.agreed = self.capabilities & peer_caps
        if self.agreed & Capability.SIDECHAT and self.side is None:
            self.side = SideChat()

    def is_half(self, close: Close) -> bool:
        """Tell whether a CLOSE of the peer ends its sending direction only (R116)."""
        return bool(close.cflags & CloseFlag.HALF and self.agreed & Capability.HALFCLOSE)

    def postpone_close(self, event: CloseRequested) -> None:
        """Close later; whoever has closed both directions does not open one again."""
        if self.pending_close is None or not event.half:
            self.pending_close = event

    def next_txn(self) -> int:
        """Return the transaction number of a new request of this membership."""
        self.txn = plus(self.txn, 1)
        return self.txn

    def header(self, seq: int, attempt: int = 1) -> HeaderFields:
        """Return the header fields of a message to the peer."""
        return HeaderFields(
            session_id=self.identity.session_id,
            destination_tag=self.identity.peer_tag,
            sender_id=self.identity.own_id,
            seq=seq,
            attempt=attempt,
        )


REQUESTING = frozenset({State.ASKING, State.PROVING, State.PENDING})
JOINED = frozenset({State.JOINED, State.SUSPECT})
CARRYING = JOINED | {State.HALF_CLOSING, State.CLOSING, State.DRAINING}
"""States in which data arrives that somebody may still want."""
SENDING = JOINED | {State.DRAINING, State.LINGERING}
"""States in which a message may leave for the first time; a closer has waited for that (R54)."""
UNCONFIRMED = frozenset({State.ACCEPTING, State.CROSSED})
JOINED_OR_ABOUT_TO = JOINED | UNCONFIRMED
LIVE = CARRYING | UNCONFIRMED

Action: TypeAlias = Callable[[Membership, Input, float], None]
ACTIONS: dict[str, Action] = {}


def action(function: Action) -> Action:
    """Register an action under the name that `TRANSITIONS` uses."""
    ACTIONS[function.__name__] = function
    return function
