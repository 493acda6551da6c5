"""One UDP address: which membership a datagram belongs to, and what strangers are told.

An endpoint serves one mpwire socket that owns a port: a root R with all its P, or a leaf L with the
A that came from it. It owns the memberships and their timers, keeps the listener's queue, and
answers statelessly where there is no membership. The layer above drives it with calls, datagrams
and the time, and collects `datagrams` to send and `reports` to act on.
"""

from dataclasses import dataclass, field
from typing import Final

from mpwire.core import (  # the actions of the membership machine
    answering,
    asking,
    casting,
    chatting,
    crossing,
    member,
    receiving,
    relay,
    restarting,
    sending,
)
from mpwire.core.address import Address, is_unicast, is_unicast_host
from mpwire.core.admission import Admission, Tombstones
from mpwire.core.casting import Cast
from mpwire.core.cookie import CookieJar
from mpwire.core.entropy import Entropy
from mpwire.core.events import (
    ClearTimer,
    DataReceived,
    Dropped,
    Ended,
    Forgotten,
    HastenTimer,
    Input,
    JoinRequested,
    NetworkUnreachable,
    PortUnreachable,
    Refused,
    RelayedAcknowledged,
    Report,
    Send,
    SendDatagram,
    SetTimer,
    TimerExpired,
)
from mpwire.core.listener import Listener
from mpwire.core.membership import Identity, Membership
from mpwire.core.outflow import Outflow
from mpwire.core.participant import (
    Participant,
    ParticipantEffect,
    ParticipantState,
    ReceiverAppeared,
)
from mpwire.core.profile import Profile
from mpwire.core.replies import OUT_OF_THE_BLUE, REFUSALS_PPS, Limiter, version_negotiation
from mpwire.core.session import Session
from mpwire.core.timers import TimerPlan, TimerQueue
from mpwire.wire.codec import decode_untrusted, encode, unknown_mandatory
from mpwire.wire.errors import DecodeError, UnsupportedVersion
from mpwire.wire.messages import Abort, Announce, Cancel, CloseAck, Data, JoinReq, Message, Reject
from mpwire.wire.numbers import HEADER_OCTETS, JOIN_REQ_MIN_OCTETS, HeaderFlag, MessageType
from mpwire.wire.registries import LeafDirection, RejectReason

ACTION_MODULES: Final = (
    asking,
    answering,
    chatting,
    crossing,
    member,
    receiving,
    restarting,
    sending,
)
"""Importing them registers the actions that the state table names."""


@dataclass(slots=True)
class Endpoint:
    """Own one UDP address and everything that happens on it."""

    local: Address
    plan: TimerPlan
    entropy: Entropy
    session: Session | None = None
    """The session of a root; None for a leaf."""
    profile: Profile = field(default_factory=Profile)
    """What requests must fit, and what is announced to every peer."""
    capacity_octets_per_s: int | None = None
    """What the network carries each way for one membership; None: as much as anybody asks for."""
    participant: Participant | None = None
    """What this end is of a nonrooted session."""
    listener: Listener | None = None
    datagrams: list[SendDatagram] = field(default_factory=list)
    """What is to be sent, in order; whoever drives the endpoint takes it away."""
    reports: list[tuple[Membership, Report]] = field(default_factory=list)
    """What happened, in order; the layer above takes it away."""
    session_reports: list[DataReceived | ReceiverAppeared] = field(default_factory=list)
    """What happened to the participant, in order; the layer above takes it away."""
    dropped: list[Dropped] = field(default_factory=list)
    """What was ignored on purpose since the driver last looked."""
    by_tag: dict[int, Membership] = field(default_factory=dict)
    by_peer_tag: dict[tuple[Address, int], Membership] = field(default_factory=dict)
    by_peer: dict[Address, list[Membership]] = field(default_factory=dict)
    groups: dict[Address, dict[int, Membership | Participant]] = field(default_factory=dict)
    """Who hears which group here, by GroupTag."""
    cast: Cast | None = None
    """How the root of a multicast session reaches its group."""
    doubts: dict[Membership, Membership] = field(default_factory=dict)
    """Requests that wait until the old membership of the same address has proved dead (RM42)."""
    timers: TimerQueue[Membership] = field(default_factory=TimerQueue)
    cookies: CookieJar = field(init=False)
    limiter: Limiter = field(default_factory=Limiter)
    refusals: Limiter = field(default_factory=lambda: Limiter(REFUSALS_PPS, REFUSALS_PPS))
    tombstones: Tombstones = field(init=False)

    def __post_init__(self) -> None:
        """Make what depends on the plan."""
        self.cookies = CookieJar(self.entropy, self.plan.cookie_life_s)
        self.tombstones = Tombstones(max(self.plan.linger_s, self.plan.cookie_life_s))

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is left that this endpoint has to answer or to say."""
        participant = self.participant
        return not self.by_tag and (
            participant is None or participant.state is ParticipantState.GONE
        )

    # Calls ------------------------------------------------------------------------------------

    def new_membership(
        self, local: Address, peer: Address, request: JoinReq, *, initiator: bool
    ) -> Membership:
        """Make one end of a membership with `peer`; its tag is the InitTag if it asks."""
        own_tag = request.init_tag if initiator else self.entropy.tag()
        identity = Identity(
            own_tag=own_tag,
            peer_tag=0 if initiator else request.init_tag,
            own_id=1 if self.session else 0,
            session_id=request.session_id,
        )
        membership = Membership(
            local=local,
            peer=peer,
            plan=self.plan,
            entropy=self.entropy,
            identity=identity,
            request=request,
            txn=request.seq,
            session=self.session.facts if self.session else None,
            initiator=initiator,
            capabilities=self.profile.capabilities,
            max_payload=self.profile.max_payload_octets,
            outflow=Outflow(request.next_data_seq if initiator else self.entropy.sequence()),
        )
        self.by_tag[own_tag] = membership
        self.by_peer.setdefault(peer, []).append(membership)
        if not initiator:
            self.by_peer_tag[peer, request.init_tag] = membership
        return membership

    def join(self, local: Address, peer: Address, request: JoinReq, now_s: float) -> Membership:
        """Start to ask `peer` for a membership, from our address `local`."""
        membership = self.new_membership(local, peer, request, initiator=True)
        self.call(membership, JoinRequested(), now_s)
        return membership

    def call(self, membership: Membership, event: Input, now_s: float) -> None:
        """Give an input to a membership and carry out its effects."""
        known_tag = membership.identity.peer_tag
        effects = membership.handle(event, now_s)
        peer_tag = membership.identity.peer_tag
        if peer_tag != known_tag:
            self.by_peer_tag.pop((membership.peer, known_tag), None)
            self.by_peer_tag[membership.peer, peer_tag] = membership
        for effect in effects:
            match effect:
                case Send(message):
                    self.send(message, membership.local, membership.peer)
                case SetTimer(name, at_s):
                    self.timers.set(membership, name, at_s)
                case HastenTimer(name, at_s):
                    self.timers.hasten(membership, name, at_s)
                case ClearTimer(name):
                    self.timers.clear(membership, name)
                case Dropped():
                    self.dropped.append(effect)
                case Forgotten():
                    self._forget(membership, now_s)
                case RelayedAcknowledged(origin):
                    relay.update_backlog(self, origin, now_s)
                case DataReceived() if self.session is not None and self.session.relays:
                    self.reports.append((membership, effect))
                    relay.pass_on(self, membership, effect, now_s)
                case Ended():
                    self.reports.append((membership, effect))
                    relay.let_go(self, membership, now_s)
                case _:
                    self.reports.append((membership, effect))
        restarting.settle(self, membership, now_s)
        casting.note_step(self, membership, now_s)

    def _forget(self, membership: Membership, now_s: float) -> None:
        """Drop all state but the tombstone that keeps an old request dead (protocol.md 9.3)."""
        identity = membership.identity
        self.by_tag.pop(identity.own_tag, None)
        self.by_peer_tag.pop((membership.peer, identity.peer_tag), None)
        others = self.by_peer[membership.peer]
        others.remove(membership)
        if not others:
            del self.by_peer[membership.peer]
        if not membership.initiator:
            self.bury(membership.peer, membership.request, membership.reject, now_s)

    def bury(self, source: Address, request: JoinReq, answer: Reject | None, now_s: float) -> None:
        """Remember how a request ended, and take no cookie older than what that pushes out."""
        self.tombstones.bury(source, request, answer, now_s)
        self.cookies.void_until_s = self.tombstones.forgotten_s

    def stop_listening(self, reason: RejectReason, now_s: float) -> None:
        """Refuse everybody who waits and admit nobody any more (LI14)."""
        if self.listener is None:
            return
        for entry in self.listener.entries:
            if entry.gone is None:
                self.call(entry.membership, Refused(reason), now_s)
        restarting.refuse_all(self, reason, now_s)
        self.listener = None

    # Nonrooted sessions -----------------------------------------------------------------------

    def enter(self, participant: Participant, now_s: float) -> None:
        """Become a participant of a nonrooted session; its group has been joined by now."""
        self.participant = participant
        if participant.direction & LeafDirection.RECEIVE:
            casting.hear(self, participant.group, participant.name.group_tag, participant)
        self._carry_out(participant.join(now_s))

    def send_to_session(self, payload: bytes) -> None:
        """Send one message as the participant that this endpoint is."""
        assert self.participant is not None
        self._carry_out(self.participant.send(payload))

    def hear_session(self, message: Announce | Data, source: Address, now_s: float) -> None:
        """Take what somebody has sent to the session."""
        assert self.participant is not None
        self._carry_out(self.participant.receive(message, source, now_s))

    def leave(self, now_s: float) -> None:
        """Leave the nonrooted session; the group is not listened to any more."""
        assert self.participant is not None
        casting.stop_hearing(self, self.participant)
        self._carry_out(self.participant.leave(now_s))

    def _carry_out(self, effects: list[ParticipantEffect]) -> None:
        participant = self.participant
        assert participant is not None
        for effect in effects:
            match effect:
                case Send(message):
                    self.send(message, participant.local, participant.group)
                case Dropped():
                    self.dropped.append(effect)
                case _:
                    self.session_reports.append(effect)

    # Time -------------------------------------------------------------------------------------

    def next_timer_s(self) -> float | None:
        """Return when `expire_timers` has something to do next."""
        participant_s = self.participant.timer_s if self.participant else None
        cast_s = self.cast.due_s if self.cast else None
        times_s = (self.timers.next_s(), participant_s, cast_s)
        return min((time_s for time_s in times_s if time_s is not None), default=None)

    def expire_timers(self, now_s: float) -> None:
        """Let every timer expire that is due."""
        while (expired := self.timers.pop_expired(now_s)) is not None:
            membership, name = expired
            self.call(membership, TimerExpired(name), now_s)
        if self.cast is not None and self.cast.due_s is not None and self.cast.due_s <= now_s:
            casting.release(self, now_s)
        participant = self.participant
        while participant and participant.timer_s is not None and participant.timer_s <= now_s:
            self._carry_out(participant.expire(now_s))

    # Datagrams --------------------------------------------------------------------------------

    def send(self, message: Message, source: Address, destination: Address) -> None:
        """Encode a message and put it out."""
        self.datagrams.append(SendDatagram(encode(message), source, destination))

    def drop(self, reason: str, rule: str) -> None:
        """Say that a datagram was ignored, and why."""
        self.dropped.append(Dropped(reason, rule))

    def receive_untrusted(
        self, data: bytes, source: Address, destination: Address, now_s: float
    ) -> None:
        """Take one datagram from the network; whatever it holds, nothing is raised.

        Args:
            data: the UDP payload.
            source: where it came from.
            destination: the address of ours that it was sent to.
            now_s: the time in seconds.
        """
        if destination in self.groups and is_unicast(source):
            casting.take_untrusted(self, data, source, destination, now_s)
            return
        if not (is_unicast(source) and is_unicast_host(destination[0])):
            self.drop("a datagram from or to a group, a broadcast address or nobody", "R16 R103")
            return
        try:
            message = decode_untrusted(data)
        except UnsupportedVersion as error:
            self.drop(str(error), error.rule)
            answerable = len(data) >= JOIN_REQ_MIN_OCTETS and error.invariant.init_tag != 0
            if answerable and self.limiter.admits(source, now_s):
                self.send(version_negotiation(error.invariant), destination, source)
            return
        except DecodeError as error:
            self.drop(str(error), error.rule)
            return
        self.receive(message, source, destination, now_s)

    def receive(
        self, message: Message, source: Address, destination: Address, now_s: float
    ) -> None:
        """Give a decoded message to the membership it belongs to, or answer it statelessly."""
        if isinstance(message, JoinReq):
            Admission(self).consider(message, source, destination, now_s)
            return
        if unknown_mandatory(message):
            self.drop("a mandatory TLV that is unknown here", "6")
            return
        membership = self._addressee(message, source)
        if membership is not None:
            self.call(membership, message, now_s)
            return
        reply = OUT_OF_THE_BLUE.get(type(message))
        if reply is None or message.flags & (HeaderFlag.M | HeaderFlag.R):
            self.drop(f"{type(message).__name__} that belongs to nothing", "13")
        elif message.destination_tag in self.by_tag:
            self.drop(f"{type(message).__name__} for a member from elsewhere", "R26")
        elif not self.limiter.admits(source, now_s):
            self.drop(f"{type(message).__name__} out of the blue, too many", "R104")
        else:
            self.send(reply(message), destination, source)

    def _addressee(self, message: Message, source: Address) -> Membership | None:
        """Find the membership whose secret the message carries, from the right address."""
        tag = message.destination_tag
        if message.flags & HeaderFlag.R:
            reflected = isinstance(message, Abort | CloseAck)
            return self.by_peer_tag.get((source, tag)) if reflected else None
        membership = self.by_tag.get(tag)
        if membership is None and isinstance(message, Cancel):
            membership = self.by_peer_tag.get((source, message.init_tag))
        if membership is None or membership.peer != source:
            return None
        session_id = membership.identity.session_id
        if session_id and message.session_id not in {0, session_id}:
            return None
        return membership

    def unreachable_untrusted(
        self, quote: bytes, peer: Address, now_s: float, *, port: bool
    ) -> None:
        """Take an ICMP unreachable that quotes a datagram of ours; only a JOIN_REQ counts (T3).

        Args:
            quote: the quoted UDP payload, possibly cut.
            peer: where the quoted datagram was going.
            now_s: the time in seconds.
            port: whether the port was unreachable, else the host or network.
        """
        if len(quote) < HEADER_OCTETS + 8 or quote[3] != MessageType.JOIN_REQ:
            return
        membership = self.by_tag.get(int.from_bytes(quote[HEADER_OCTETS : HEADER_OCTETS + 8]))
        if membership is not None and membership.peer == peer:
            self.call(membership, PortUnreachable() if port else NetworkUnreachable(), now_s)
