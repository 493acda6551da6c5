"""One host of an explored session: a real provider, its application, and a diary of both.

A party takes one step at a time: a datagram arrives, a timer expires, the application acts. Each
step runs the product as it is; the party only says when. After each step its application reads
everything there is to read, as an eager one would, and writes down what it was told.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mpwire.core import Endpoint, Membership, TimerPlan
from mpwire.core.events import SendDatagram, TimerExpired
from mpwire.core.groups import is_group_host
from mpwire.core.membership import LIVE
from mpwire.core.session import JOINED
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.actor import C_LEAF, C_ROOT, PORT
from mpwire.testing.bus import ALL_EVENTS
from mpwire.testing.exploration.kit import CountingEntropy, Ports
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.winsock import Provider
from mpwire.winsock.base import Message
from mpwire.winsock.protocols import Protocol, entry_of
from mpwire.winsock.record import FD_CLOSE, FD_CONNECT, FD_READ
from mpwire.winsock.sockets import Role, Socket

C_ROOT_D_LEAF: Final = SocketFlag.C_ROOT | SocketFlag.D_LEAF
PLAN: Final = TimerPlan(retransmissions=3)
BACKLOG: Final = 5
SYNCS: Final = 3
"""SYNCs in a row that nobody answers."""
SIDES: Final = 3
"""Copies of a private message that nobody answers."""
FAST: Final = frozenset({TimerName.ACKNOWLEDGE, TimerName.NACK, TimerName.SYNC})
"""Timers of the data plane, which are fractions of the RTO that all others are made of."""
SILENT_S: Final = -1e6
"""When a peer was heard last whose silence is over T_KA."""
LETTERS: Final = {Role.ROOT: "R", Role.ROOT_LEAF: "P", Role.LEAF: "L", Role.INVITED: "A"}


def host_of(number: int) -> str:
    """Return the address of the host with that number."""
    return f"10.0.0.{number}"


TimerKey: TypeAlias = tuple[int, TimerName]
"""A running timer: the own tag of its membership, and which of its timers it is."""


@dataclass(slots=True)
class Page:
    """What the application knows of one socket."""

    joins: int = 0
    """Joins started with this socket."""
    connects: list[WsaError] = field(default_factory=list)
    """Codes of FD_CONNECT, in order."""
    closes: list[WsaError] = field(default_factory=list)
    """Codes of FD_CLOSE, in order."""
    received: list[bytes] = field(default_factory=list)
    late: bool = False
    """Whether anything was received after FD_CLOSE(0)."""
    closed: bool = False
    """Whether the application gave the descriptor back, or the process died."""
    shut: bool = False
    """Whether the application shut sending down."""
    attempt: int = 0
    """InitTag of the attempt that this socket, or the join that it stands for, is about."""
    asked: bool = True
    """Whether that attempt is this socket's own, not one that its own was folded into."""


@dataclass(slots=True)
class Diary:
    """What happened at one host since the beginning, crashes included."""

    pages: dict[str, Page] = field(default_factory=dict)
    """By the name of the socket."""
    joined: list[tuple[int, bool]] = field(default_factory=list)
    """(InitTag, whether this end asked) of every membership behind an FD_CONNECT(0)."""
    accepted: list[int] = field(default_factory=list)
    """InitTags of the requests that this host has said yes to, or that crossed its own."""
    given_up: list[int] = field(default_factory=list)
    """InitTags of own attempts that ended in an FD_CONNECT with a code, or were folded."""
    entries: dict[int, int] = field(default_factory=dict)
    """InitTag of every request that was queued here, by the tag that it was given."""
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    """(host, payload) of every message, once per receiver; of a relayed one the relayer alone."""
    whispered: list[tuple[str, bytes]] = field(default_factory=list)
    """(host, payload) of every private message."""
    admitted: dict[str, int] = field(default_factory=dict)
    """At the root, by host of each leaf, how many messages it had heard when that came in."""
    dismissed: dict[str, int] = field(default_factory=dict)
    """At the root, by host of each leaf, how many it had heard when it closed that membership."""


@dataclass(slots=True)
class Step:
    """What one step put on the wire, and what its application was told."""

    datagrams: list[SendDatagram]
    notes: list[str]


@dataclass(slots=True)
class Party:
    """One host: its provider, the sockets by name, and what its application may still do."""

    number: int
    """Its host is 10.0.0.number; number 1 is the root's."""
    opens: str
    """What it opens when it starts: "root", "lonely root", "leaf" or "waiting leaf"."""
    acts: tuple[tuple[str, ...], ...] = ()
    """What the application may still do, each once, in any order, or never; alternatives."""
    protocol: Protocol = Protocol.MPW_ROOTED
    incarnation: int = 0
    clock_s: float = 0.0
    provider: Provider = field(init=False)
    names: dict[str, int] = field(default_factory=dict)
    """Descriptors by name: R, L, then P1, P2, A1 in the order of their making."""
    diary: Diary = field(default_factory=Diary)

    def __post_init__(self) -> None:
        """Start the process."""
        self.start()

    @property
    def host(self) -> str:
        """Return the address of the host."""
        return host_of(self.number)

    # Life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a process on this host and open its first socket."""
        owner = self.number * 16 + self.incarnation
        self.provider = Provider(Ports(self.host), CountingEntropy(owner), PLAN)
        suffix = "'" * self.incarnation
        is_root = self.opens.endswith("root")
        handle = self.provider.socket(self._flags(is_root=is_root), protocol=self.protocol)
        self.names = {("R" if is_root else "L") + suffix: handle}
        self.provider.bind(handle, (self.host, PORT))
        self.provider.event_select(handle, None, ALL_EVENTS, self.clock_s)
        if self.opens in {"root", "waiting leaf"}:
            self.provider.listen(handle, BACKLOG, self.clock_s)

    def _flags(self, *, is_root: bool) -> SocketFlag:
        """Return the flags of the first socket: the root is the root of all planes there are."""
        if is_root and entry_of(self.protocol, 4).data_rooted:
            return C_ROOT
        return C_ROOT_D_LEAF if is_root else C_LEAF

    def crash(self) -> None:
        """Lose everything; whatever is sent here from now on meets nobody."""
        self.incarnation += 1
        self.provider = Provider(Ports(self.host), CountingEntropy(0), PLAN)
        for page in self.diary.pages.values():
            page.closed = True
        self.diary.entries.clear()
        self.names = {}

    # Steps ------------------------------------------------------------------------------------

    def hear(self, datagram: SendDatagram) -> Step:
        """Let a datagram arrive, at whatever listens to its group if it was sent to one."""
        to, source = datagram.destination, datagram.source
        ports = self.provider.transport
        assert isinstance(ports, Ports)
        listening = sorted(local for local, group in ports.heard if group == to)
        for opened in listening if is_group_host(to[0]) else [to]:
            self.provider.receive_untrusted(opened, datagram.data, source, to, self.clock_s)
        return self.finish()

    def expire(self, key: TimerKey) -> Step:
        """Let a timer expire, whenever it was to."""
        own_tag, name = key
        for endpoint in [*self.provider.endpoints.values()]:
            membership = endpoint.by_tag.get(own_tag)
            if membership is not None:
                endpoint.timers.clear(membership, name)
                if name is TimerName.KEEPALIVE:
                    membership.heard_s = SILENT_S
                endpoint.call(membership, TimerExpired(name), self.clock_s)
                self.provider.collect(endpoint, self.clock_s)
        return self.finish()

    def finish(self) -> Step:
        """Let the application read what there is, and take what is to be sent."""
        self.name_new_sockets()
        self._note_requests()
        self._note_listeners()
        notes: list[str] = []
        for name, handle in self.names.items():
            socket = self.provider.sockets.get(handle)
            if socket is not None:
                notes += self._read(name, socket)
        datagrams, self.provider.datagrams = self.provider.datagrams, []
        return Step(datagrams, notes)

    def name_new_sockets(self) -> None:
        """Give every new descriptor the next name of its kind."""
        known = set(self.names.values())
        for handle, socket in self.provider.sockets.items():
            if handle not in known:
                letter = LETTERS[socket.role]
                ordinal = 1 + sum(name[0] == letter for name in self.diary.pages)
                self.names[f"{letter}{ordinal}"] = handle
                self.diary.pages[f"{letter}{ordinal}"] = Page()

    def page(self, name: str) -> Page:
        """Return what the application knows of a socket."""
        return self.diary.pages.setdefault(name, Page())

    def _note_requests(self) -> None:
        """Note which attempts of others were let in here, and which crossed one of ours."""
        for _, membership in self.memberships():
            if not membership.initiator:
                tag = membership.identity.own_tag
                self.diary.entries[tag] = membership.request.init_tag
                owner = self.provider.owners.get(membership)
                if owner is not None and owner.role is Role.LEAF:
                    self._note_folding(owner, membership.request.init_tag)

    def _note_listeners(self) -> None:
        """Note how much the root of a relay had heard before each of its leaves came in."""
        for endpoint, membership in self.memberships():
            session = endpoint.session
            if session is not None and session.relays and membership.state in JOINED:
                self.diary.admitted.setdefault(membership.peer[0], self.heard())

    def heard(self) -> int:
        """Return how many messages the first socket has received."""
        return sum(len(page.received) for name, page in self.diary.pages.items() if name[0] in "RL")

    def _note_folding(self, socket: Socket, invitation: int) -> None:
        (name,) = (name for name, handle in self.names.items() if handle == socket.handle)
        page = self.page(name)
        if page.asked:
            self.diary.given_up.append(page.attempt)
            page.attempt, page.asked = invitation, False
            self.diary.accepted.append(invitation)

    def _read(self, name: str, socket: Socket) -> list[str]:
        """Enumerate the events of a socket, and receive until nothing is left."""
        page = self.page(name)
        notes = []
        while True:
            found = self.provider.enum_network_events(socket.handle)
            for event, code in found:
                told = f" {code.name}" if code else ""
                notes.append(f"{name}: {event.name}{told}")
                if event is FD_CONNECT:
                    page.connects.append(code)
                    if code:
                        self.diary.given_up.append(page.attempt)
                    else:
                        self.diary.joined.append((page.attempt, page.asked))
                elif event is FD_CLOSE:
                    page.closes.append(code)
            if not any(event is FD_READ for event, _ in found):
                return notes
            while socket.queue:
                message = self.provider.recv_message(socket.handle, self.clock_s)
                assert isinstance(message, Message)
                page.received.append(message.payload)
                page.late |= WsaError.SUCCESS in page.closes
                aside = ", in private" if message.private else ""
                notes.append(f"{name}: receives {message.payload.decode()}{aside}")

    # What can happen --------------------------------------------------------------------------

    def memberships(self) -> list[tuple[Endpoint, Membership]]:
        """Return every membership there is, and where."""
        return [
            (endpoint, membership)
            for endpoint in self.provider.endpoints.values()
            for membership in endpoint.by_tag.values()
        ]

    def timers(self, polls: int) -> list[TimerKey]:
        """Return the timers that may expire.

        Of the polls of a pending request only so many, and of the SYNCs and copies of SIDE that go
        unanswered: in the end T_PEND is over, or a keepalive finds the peer dead. T_DRAIN is longer
        than a whole series of NACKs (K1), or of so many SYNCs, so that it waits for the last.
        """
        found = []
        for endpoint in self.provider.endpoints.values():
            running = endpoint.timers.running()
            asking = {
                one
                for one, name in running
                if name is TimerName.NACK or (name is TimerName.SYNC and _waits_for_sync(one))
            }
            found += [
                (one.identity.own_tag, name)
                for one, name in running
                if not (name is TimerName.RETRANSMIT and _has_polled(one, polls))
                and not (name is TimerName.SYNC and _has_synchronised(one))
                and not (name is TimerName.SIDE and _has_chatted(one))
                and not (name is TimerName.LIMIT and one in asking)
            ]
        return found

    def live(self) -> frozenset[tuple[int, int]]:
        """Return (own tag, peer tag) of every live membership."""
        return frozenset(
            (membership.identity.own_tag, membership.identity.peer_tag)
            for _, membership in self.memberships()
            if membership.state in LIVE
        )


def _has_synchronised(membership: Membership) -> bool:
    flows = [membership.outflow, *membership.relayed_out.values()]
    return all(flow.syncs >= SYNCS for flow in flows if flow.kept)


def _waits_for_sync(membership: Membership) -> bool:
    """Tell whether T_DRAIN runs, and SYNC may still find out that all has arrived."""
    return membership.pending_close is not None and not _has_synchronised(membership)


def _has_chatted(membership: Membership) -> bool:
    """Tell whether enough copies have left of a private message, unless their end is in sight."""
    side = membership.side
    return side is not None and side.copies >= SIDES and membership.pending_close is None


def _has_polled(membership: Membership, polls: int) -> bool:
    if membership.state is not State.PENDING:
        return False
    assert membership.outstanding is not None
    return membership.outstanding.attempt >= membership.proven_attempt + polls
