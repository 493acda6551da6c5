"""One participant of a nonrooted session: the machine behind an L of MPW_OPEN or MPW_COLLECT.

There is no root to ask and nobody who answers (W52, W53): a participant announces itself to the
group, hears the others announce themselves, and goes. It never learns whether anybody heard it,
and nobody is told when it has gone (W54).

    NEW --join--> ENTERING --third JOIN--> PRESENT --leave--> LEAVING --second LEAVE--> GONE
                      |                                          ^
                      +--------------------leave-----------------+

With a rooted data plane one participant is the d_root. Its data goes to all others, theirs is for
it alone, although the group carries both. A second d_root that appears stands back while the first
is there: neither sends nor announces itself as one.
"""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from mpwire.core.address import Address
from mpwire.core.entropy import Entropy
from mpwire.core.events import DataReceived, Dropped, Send
from mpwire.core.groups import SessionName
from mpwire.core.membership import FIRST_LEAF_ID
from mpwire.core.roster import Roster
from mpwire.core.serial import plus
from mpwire.core.timers import TimerPlan
from mpwire.errors import LocalProtocolError
from mpwire.wire.messages import Announce, Data
from mpwire.wire.numbers import HIGHEST_MEMBER_ID, HeaderFlag
from mpwire.wire.registries import AnnounceKind, LeafDirection

JOIN_SENDS: Final = 3


class ParticipantState(Enum):
    """Where a participant stands."""

    NEW = "NEW"
    """Nothing was sent yet."""
    ENTERING = "ENTERING"
    """Some of the three announcements of its joining are out."""
    PRESENT = "PRESENT"
    """It announces itself now and then."""
    LEAVING = "LEAVING"
    """One LEAVE is out; the other follows."""
    GONE = "GONE"
    """Nothing is left."""


class ParticipantInput(Enum):
    """What moves a participant."""

    JOIN = "api: join"
    SEND = "api: send"
    LEAVE = "api: leave"
    TIMER = "tmr: announce"
    IN_ANNOUNCE = "in: ANNOUNCE"
    IN_DATA = "in: DATA"


class ParticipantRow(NamedTuple):
    """One legal step: the states it may lead to, and its source."""

    next_states: tuple[ParticipantState, ...]
    cite: str


S = ParticipantState
I = ParticipantInput  # noqa: E741 - one letter each keeps the table on one screen

TRANSITIONS: Final[dict[tuple[ParticipantState, ParticipantInput], ParticipantRow]] = {
    (S.NEW, I.JOIN): ParticipantRow((S.ENTERING,), "LF33"),
    (S.ENTERING, I.TIMER): ParticipantRow((S.ENTERING, S.PRESENT), "R100"),
    (S.ENTERING, I.SEND): ParticipantRow((S.ENTERING,), "W53 W55"),
    (S.ENTERING, I.LEAVE): ParticipantRow((S.LEAVING,), "W54"),
    (S.ENTERING, I.IN_ANNOUNCE): ParticipantRow((S.ENTERING,), "LF34"),
    (S.ENTERING, I.IN_DATA): ParticipantRow((S.ENTERING,), "W59"),
    (S.PRESENT, I.TIMER): ParticipantRow((S.PRESENT,), "R100"),
    (S.PRESENT, I.SEND): ParticipantRow((S.PRESENT,), "W55 W59"),
    (S.PRESENT, I.LEAVE): ParticipantRow((S.LEAVING,), "W54"),
    (S.PRESENT, I.IN_ANNOUNCE): ParticipantRow((S.PRESENT,), "LF34"),
    (S.PRESENT, I.IN_DATA): ParticipantRow((S.PRESENT,), "W59"),
    (S.LEAVING, I.TIMER): ParticipantRow((S.GONE,), "R100"),
}
ARRIVALS: Final = frozenset({I.IN_ANNOUNCE, I.IN_DATA})
"""What the network does: dropped where it has no row. Every other empty cell is our mistake."""


@dataclass(slots=True)
class ReceiverAppeared:
    """The d_root of the session has become known, or this is it now: sending makes sense."""


ParticipantEffect: TypeAlias = Send | DataReceived | ReceiverAppeared | Dropped


@dataclass(slots=True, eq=False)
class Participant:
    """Be in a nonrooted session."""

    local: Address
    """The concrete address that this participant sends from, and is known by."""
    group: Address
    name: SessionName
    plan: TimerPlan
    entropy: Entropy
    direction: LeafDirection
    """What it does; with D_ROOT, whether it is meant to be the d_root."""
    data_rooted: bool = False
    state: ParticipantState = ParticipantState.NEW
    timer_s: float | None = None
    """When `expire` has something to do."""
    member_id: int = field(init=False)
    member_tag: int = field(init=False)
    next_data_seq: int = field(init=False)
    roster: Roster = field(init=False)
    stands_back: bool = False
    """Whether another d_root was there first."""
    announced_count: int = 0
    sends: int = 0
    """Announcements sent in this state."""
    announced_s: float = 0.0
    redrawn_s: float = -math.inf
    """When the Member ID was last given up: not again within one RTOinit, whoever asks for it."""
    effects: list[ParticipantEffect] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw what nobody else may have."""
        self.member_tag = self.entropy.tag()
        self.next_data_seq = self.entropy.sequence()
        self.roster = Roster(float(self.hold_s))
        self.member_id = self._draw_id()

    def _draw_id(self) -> int:
        """Return a Member ID that nobody is known to have."""
        span = HIGHEST_MEMBER_ID - FIRST_LEAF_ID + 1
        while (drawn := FIRST_LEAF_ID + self.entropy.sequence() % span) in self.roster.by_id:
            pass
        return drawn

    @property
    def hold_s(self) -> int:
        """Return how long this participant counts as there after an announcement, in holds of 5."""
        return max(1, math.ceil(self.plan.keepalive_s))

    @property
    def is_root(self) -> bool:
        """Tell whether this is the d_root, and no other was first."""
        return bool(self.direction & LeafDirection.D_ROOT) and not self.stands_back

    @property
    def has_receiver(self) -> bool:
        """Tell whether there is anybody to send to, as far as this can be known (3.3).

        Who only sends hears nobody and has to believe it.
        """
        if not self.data_rooted or self.is_root:
            return True
        if self.stands_back:
            return False
        return self.roster.root is not None or not self.direction & LeafDirection.RECEIVE

    def may_send(self, now_s: float) -> bool:
        """Tell the same, after forgetting who has been silent for too long."""
        self.roster.expire(now_s)
        self._reconsider()
        return self.has_receiver

    # Inputs -----------------------------------------------------------------------------------

    def join(self, now_s: float) -> list[ParticipantEffect]:
        """Announce this participant for the first time."""
        self._check(I.JOIN)
        self._enter(S.ENTERING)
        self._announce(AnnounceKind.JOIN, now_s)
        self.timer_s = now_s + self.plan.rto_initial_s
        return self._taken()

    def send(self, payload: bytes) -> list[ParticipantEffect]:
        """Send one message to the group."""
        self._check(I.SEND)
        message = Data(
            flags=HeaderFlag.M,
            session_id=self.name.session_id,
            destination_tag=self.name.group_tag,
            seq=self.next_data_seq,
            sender_id=self.member_id,
            origin=self.member_id,
            dflags=0,
            hop=0,
            payload=payload,
        )
        self.next_data_seq = plus(self.next_data_seq, 1)
        self.effects.append(Send(message))
        return self._taken()

    def leave(self, now_s: float) -> list[ParticipantEffect]:
        """Say that this participant leaves; twice, the second time a little later."""
        self._check(I.LEAVE)
        self._enter(S.LEAVING)
        self._announce(AnnounceKind.LEAVE, now_s)
        self.timer_s = now_s + self.plan.rto_initial_s
        return self._taken()

    def expire(self, now_s: float) -> list[ParticipantEffect]:
        """Let the timer expire: the next announcement is due."""
        self._check(I.TIMER)
        if self.state is S.LEAVING:
            self._announce(AnnounceKind.LEAVE, now_s)
            self._enter(S.GONE)
        elif self.state is S.ENTERING:
            self._announce(AnnounceKind.JOIN, now_s)
            self.timer_s = now_s + self.plan.rto_initial_s
            if self.sends == JOIN_SENDS:
                self._enter(S.PRESENT)
                self._wait(now_s)
        else:
            self.roster.expire(now_s)
            self._reconsider()
            self._announce(AnnounceKind.ALIVE, now_s)
            self._wait(now_s)
        return self._taken()

    def receive(
        self, message: Announce | Data, source: Address, now_s: float
    ) -> list[ParticipantEffect]:
        """Take what somebody has sent to the group."""
        kind = I.IN_ANNOUNCE if isinstance(message, Announce) else I.IN_DATA
        if (self.state, kind) not in TRANSITIONS:
            self._drop(f"{kind.value} in state {self.state.value}", "LF34")
        elif message.session_id != self.name.session_id:
            self._drop("a message of another session", "R16")
        elif source == self.local:
            self._drop("a message of our own", "W65")
        elif isinstance(message, Announce):
            self._hear(message, source, now_s)
        else:
            self._deliver(message, source, now_s)
        return self._taken()

    # What they are written with ---------------------------------------------------------------

    def _check(self, call: ParticipantInput) -> None:
        if (self.state, call) not in TRANSITIONS:
            raise LocalProtocolError(f"{call.value} is illegal in state {self.state.value}")

    def _enter(self, state: ParticipantState) -> None:
        self.state, self.sends, self.timer_s = state, 0, None

    def _taken(self) -> list[ParticipantEffect]:
        effects, self.effects = self.effects, []
        return effects

    def _drop(self, reason: str, rule: str) -> None:
        self.effects.append(Dropped(reason, rule))

    def _wait(self, now_s: float) -> None:
        """Set the timer for the next ALIVE."""
        interval_s = self.roster.alive_interval_s() * self.entropy.uniform(0.8, 1.2)
        self.timer_s = now_s + interval_s

    def _announce(self, kind: AnnounceKind, now_s: float, conflict_id: int = 0) -> None:
        """Tell the group that this participant is there; ANNOUNCE.Seq counts them (K13)."""
        self.announced_count += 1
        self.sends += 1
        self.announced_s = now_s
        direction = self.direction
        if self.stands_back:
            direction &= ~LeafDirection.D_ROOT
        message = Announce(
            flags=HeaderFlag.M,
            session_id=self.name.session_id,
            destination_tag=self.name.group_tag,
            seq=self.announced_count,
            sender_id=self.member_id,
            kind=kind,
            leaf_dir=direction,
            hold_s=self.hold_s,
            member_tag=self.member_tag,
            lead_seq=self.next_data_seq,
            conflict_id=conflict_id,
        )
        self.effects.append(Send(message))

    def _announce_soon(self, now_s: float) -> None:
        """Bring the next ALIVE forward, to one RTOinit after the last announcement at the least.

        The spread keeps several that have the same reason from speaking at once.
        """
        if self.state is S.PRESENT:
            rto_s = self.plan.rto_initial_s
            soon_s = max(now_s, self.announced_s + rto_s) + self.entropy.uniform(0, rto_s / 4)
            self.timer_s = min(soon_s, self.timer_s or soon_s)

    # Announcements ----------------------------------------------------------------------------

    def _hear(self, announce: Announce, source: Address, now_s: float) -> None:
        if announce.sender_id == self.member_id and announce.kind != AnnounceKind.LEAVE:
            self._defend_id(announce, now_s)
            if announce.sender_id == self.member_id:
                return
        known = self.roster.root
        new = announce.member_tag not in self.roster.by_tag
        objection = self.roster.hear(announce, source, now_s)
        if objection:
            self._drop(objection, "R98")
        self._compare_roots(announce, now_s)
        appeared = self.roster.root is not None and known is None
        if appeared and not self.direction & LeafDirection.D_ROOT:
            self.effects.append(ReceiverAppeared())
        if new and self.is_root and announce.kind == AnnounceKind.JOIN:
            self._announce_soon(now_s)

    def _defend_id(self, announce: Announce, now_s: float) -> None:
        """Keep our Member ID against a higher MemberTag, or give it up (protocol.md 21.3)."""
        if self.member_tag <= announce.member_tag:
            self._announce_soon(now_s)
            self._drop("ANNOUNCE under our own Member ID", "R98")
            return
        if now_s < self.redrawn_s + self.plan.rto_initial_s:
            self._drop("ANNOUNCE under a Member ID that was drawn just now", "R98")
            return
        self.redrawn_s = now_s
        given_up, self.member_id = self.member_id, self._draw_id()
        self._announce(AnnounceKind.CONFLICT, now_s, given_up)

    def _compare_roots(self, announce: Announce, now_s: float) -> None:
        """Let one of two d_roots stand back: who is only entering, else the higher MemberTag."""
        root = self.roster.root
        if self.is_root and root is not None and root.member_tag == announce.member_tag:
            entering, there = self.state is S.ENTERING, announce.kind == AnnounceKind.ALIVE
            lower = self.member_tag < root.member_tag
            if (entering and there) or (entering is not there and not lower):
                self.stands_back = True
            else:
                self._announce_soon(now_s)
        self._reconsider()

    def _reconsider(self) -> None:
        """Be the d_root again when the one that was first has gone."""
        if self.stands_back and self.roster.root is None:
            self.stands_back = False
            self.effects.append(ReceiverAppeared())

    # Data -------------------------------------------------------------------------------------

    def _deliver(self, data: Data, source: Address, now_s: float) -> None:
        """Hand up a message of somebody whose data is for this participant."""
        objection = self._objection(data, source, now_s)
        if objection:
            self._drop(objection, "R82 R84 R98")
        else:
            assert data.payload is not None
            self.effects.append(DataReceived(data.origin, data.payload, data.seq))

    def _objection(self, data: Data, source: Address, now_s: float) -> str:
        """Say why a message is not delivered, or nothing."""
        if data.payload is None or data.origin != data.sender_id or data.hop:
            return "DATA that no participant sends to a group"
        if not self.direction & LeafDirection.RECEIVE:
            return "DATA at a participant that only sends"
        if self.data_rooted and not self.is_root:
            root = self.roster.root
            if root is None or root.member_id != data.sender_id:
                return "DATA for the d_root"
        other = self.roster.sender(data.sender_id, source, data.seq, now_s)
        if other is None:
            return "DATA under a Member ID from elsewhere"
        if not other.leaf_dir & LeafDirection.SEND:
            return "DATA of a participant that only receives"
        assert other.reception is not None
        if not other.reception.take(data.seq):
            return "DATA seen before, or far from all other"
        return ""
