"""Tie calls to packets: which attempt a join call began, which one an accept call decided.

Calls name addresses and packets carry them, so the tie needs no knowledge of how an endpoint
works: a join call owns the first new attempt from its socket to its target that left after it
was asked; a successful accept owns the attempt of the address it returned.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mpwire.oracle.calls import Call
from mpwire.oracle.candidates import Attempts
from mpwire.oracle.membership import Attempt, Membership
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import ANY_ADDRESSES, Kind, Socket, SocketTable, endpoint_of
from mpwire.oracle.trace import NEVER, START, Endpoint, Packet, Position
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Accept, Cancel, Challenge, JoinReq, Pending, Reject
from mpwire.wire.numbers import PendingState, RejectReason

OUTCOMES_OF_A_JOIN = frozenset(
    {
        WsaError.WSAECONNREFUSED,
        WsaError.WSAENETUNREACH,
        WsaError.WSAEHOSTUNREACH,
        WsaError.WSAETIMEDOUT,
        WsaError.WSAEISCONN,
        WsaError.WSAENOBUFS,
        WsaError.WSAEOPNOTSUPP,
        WsaError.WSAEAFNOSUPPORT,
        WsaError.WSAEINTR,
        WsaError.WSA_OPERATION_ABORTED,
    }
)
"""Codes with which a blocking join may end although a request left."""


@dataclass(slots=True, eq=False)
class Join:
    """One WSPJoinLeaf that was asked for, and the attempt it began."""

    call: Call
    socket: Socket
    """The socket it was called on: FD_CONNECT belongs here."""
    handle: Socket | None
    """What it returned: a new P, or the socket itself."""
    attempt: Attempt | None = None


@dataclass(slots=True, eq=False)
class Acceptance:
    """One WSPAccept, and the attempt at the head of the queue that it decided."""

    call: Call
    listener: Socket
    handle: Socket | None = None
    attempt: Attempt | None = None

    @property
    def consumes(self) -> bool:
        """Tell whether it takes the head off the queue, which re-enables FD_ACCEPT (W92)."""
        return self.call.ok or self.call.error in (
            WsaError.WSAECONNREFUSED,
            WsaError.WSAECONNRESET,
            WsaError.WSAEACCES,
        )


@dataclass(slots=True, eq=False)
class Entry:
    """One admitted request in the queue of a listener."""

    attempt: Attempt
    arrival: Packet
    """The copy whose cookie was good, or the end of the older membership that it waited for."""
    certain: bool
    """A PENDING(QUEUED) or ACCEPT proves that it was queued."""
    taken: Acceptance | None = None
    forgotten: bool = False
    """It ended, and so did as many later ones as may wait: no accept tells of it (9.3)."""


@dataclass(slots=True)
class Bindings:
    """All ties of a run."""

    joins: list[Join] = field(default_factory=list)
    acceptances: list[Acceptance] = field(default_factory=list)
    queues: dict[Socket, list[Entry]] = field(default_factory=dict)
    handles: dict[Membership, list[Socket]] = field(default_factory=dict)
    """The sockets that stand for a membership: P at the root, L or A at the leaf."""

    begun: dict[Attempt, Join] = field(default_factory=dict)
    """The join that began an attempt."""

    def join_of(self, attempt: Attempt) -> Join | None:
        """Return the join that began an attempt, if any did."""
        return self.begun.get(attempt)

    def own(self, membership: Membership, socket: Socket) -> None:
        """Note that a socket stands for a membership."""
        if socket not in self.handles.setdefault(membership, []):
            self.handles[membership].append(socket)

    def handle_of(self, membership: Membership, *, at_root: bool) -> Socket | None:
        """Return P of a membership, or its leaf end."""
        for socket in self.handles.get(membership, ()):
            if (socket.kind is Kind.HANDLE) == at_root:
                return socket
        return None


class _Queue:
    """The queue of a listener, as accepts take from it."""

    def __init__(self, entries: list[Entry]) -> None:
        self._of: dict[int, list[Entry]] = {}
        """Entries by attempt."""
        again: dict[Endpoint, list[Packet]] = {}
        """What each initiator sent later, the next one last."""
        self._mortal: list[tuple[Position, int, Entry]] = []
        """When each entry ends, and its place; what ends first is last."""
        self._dead: list[tuple[int, Entry]] = []
        for place, entry in reversed(list(enumerate(entries))):
            self._of.setdefault(id(entry.attempt), []).append(entry)
            shelf, initiator = entry.attempt.shelf, entry.attempt.initiator
            ended = [packet.position for packet in [*shelf.arrived(Cancel), *shelf.sent(Reject)]]
            later = again.setdefault(initiator, [])
            ended += [one.position for one in later[-2:] if one.number > entry.arrival.number]
            self._mortal.append((min(ended, default=NEVER), place, entry))
            if not later or later[-1].number != entry.arrival.number:
                later.append(entry.arrival)
        self._mortal.sort(key=lambda one: one[:2], reverse=True)
        self._waiting = {id(entry): entry for entry in entries}

    def head(self) -> Entry | None:
        """Return the oldest entry that nobody took."""
        return next(iter(self._waiting.values()), None)

    def take(self, entry: Entry, acceptance: Acceptance) -> None:
        """Note which accept took an entry."""
        entry.taken = acceptance
        self._waiting.pop(id(entry), None)

    def of(self, attempt: Attempt) -> list[Entry]:
        """Return the entries of an attempt."""
        return self._of.get(id(attempt), [])

    def forget(self, backlog: int, before: Position) -> None:
        """Note which dead requests the listener has forgotten: the oldest beyond its backlog.

        Accepts are asked in order, so that who was dead once is not looked for again.
        """
        while self._mortal and self._mortal[-1][0] < before:
            _, place, entry = self._mortal.pop()
            insort(self._dead, (place, entry), key=lambda pair: pair[0])
        self._dead = [pair for pair in self._dead if id(pair[1]) in self._waiting]
        for _, entry in self._dead[:-backlog]:
            entry.forgotten = True
            del self._waiting[id(entry)]


def bind(table: SocketTable, attempts: Iterable[Attempt]) -> Bindings:
    """Tie all join and accept calls to attempts."""
    bindings = Bindings()
    known = Attempts(attempts)
    _bind_joins(bindings, table, known)
    for socket in table.all:
        if socket.accepts or socket.listening < NEVER:
            queue = list(_queue(socket, known))
            bindings.queues[socket] = queue
            _bind_accepts(bindings, table, socket, _Queue(queue), known)
    for join in bindings.joins:
        membership = join.attempt and (join.attempt.folded or join.attempt.membership)
        if membership and join.handle:
            join.handle.membership = membership
            bindings.own(membership, join.handle)
    return bindings


def _bind_joins(bindings: Bindings, table: SocketTable, attempts: Attempts) -> None:
    taken: set[int] = set()
    asked = [(call, socket) for socket in table.all for call in socket.joins]
    for call, socket in sorted(asked, key=lambda pair: pair[0].asked):
        descriptor = (call.result or {}).get("socket")
        handle = table.get(call.host, descriptor) if isinstance(descriptor, int) else None
        join = Join(call, socket, handle)
        bindings.joins.append(join)
        failed_at_once = call.error is not None and call.error not in OUTCOMES_OF_A_JOIN
        if failed_at_once or call.invalid:
            continue
        target = endpoint_of(call.args.get("address"))
        near = attempts.begun_after(call.host, target, call.asked) if target is not None else []
        for attempt in near:
            if id(attempt) not in taken and _begun_by(attempt, call, socket):
                taken.add(id(attempt))
                join.attempt = attempt
                bindings.begun[attempt] = join
                _learn(socket, attempt)
                if handle is not None:
                    handle.attempt = attempt
                    handle.local = socket.local
                break


def _begun_by(attempt: Attempt, call: Call, socket: Socket) -> bool:
    first = attempt.first
    if call.error == WsaError.WSAEOPNOTSUPP and first.position > call.answered:
        return False  # the network carries too little here; the other end's would have to tell
    return (
        attempt.initiator_host == call.host
        and call.asked < first.position < socket.died
        and attempt.responder == endpoint_of(call.args.get("address"))
        and attempt.by_root == (socket.kind is Kind.ROOT)
        and (socket.local is None or socket.local[1] == 0 or socket.is_at(attempt.initiator))
        and (attempt.request.caller_data or b"").hex() == (call.text("caller_data") or "").lower()
    )


def _learn(socket: Socket, attempt: Attempt) -> None:
    """Take the local address from the packets where the calls left it open (W9)."""
    if (
        socket.local is None
        or socket.local[1] == 0
        or (socket.local[0] in ANY_ADDRESSES and socket.kind is Kind.LEAF)
    ):
        socket.local = attempt.initiator


def good_cookie(
    attempt: Attempt, arrival: Packet, host: str | None, since: Position = START
) -> bool:
    """Tell whether a request that arrived echoes a cookie this host had issued to its sender.

    Args: since: where the process began that must have issued it.
    """
    cookie = read(arrival, JoinReq).cookie
    return cookie is not None and any(
        read(challenge, Challenge).cookie == cookie
        for challenge in attempt.shelf.sent(Challenge)
        if since < challenge.position < arrival.position
        and challenge.destination == arrival.source
        and (host is None or challenge.host in (host, None))
    )


def _queue(socket: Socket, attempts: Attempts) -> Iterator[Entry]:
    """Yield the entries of a listener in the order in which they were admitted."""
    entries = []
    for attempt in attempts.at(socket):
        if attempt.responder_host != socket.host:
            continue
        if attempt.by_root != (socket.kind is not Kind.ROOT):
            continue
        proof = _proof(attempt)
        arrival = _admitted(attempt, socket, attempts.all)
        if arrival is not None and proof is not None:
            entries.append(Entry(attempt, arrival, proof))
    yield from sorted(entries, key=lambda entry: entry.arrival.number)


def _admitted(attempt: Attempt, socket: Socket, attempts: list[Attempt]) -> Packet | None:
    """Return what queued a request: the copy that the first PENDING answers, if there is one.

    An earlier copy with a good cookie may have met an invitation to the same address (R50). A
    request that was answered PENDING(VERIFYING) waits for the end of the older membership.
    """
    good = [
        arrival
        for arrival in attempt.shelf.arrived(JoinReq)
        if socket.listens_at(arrival.position)
        and good_cookie(attempt, arrival, socket.host, socket.born)
    ]
    pendings = [read(pending, Pending) for pending in attempt.shelf.sent(Pending)]
    if good and pendings and pendings[0].state == PendingState.VERIFYING:
        verified = _older_end(attempt, attempts)
        if verified is not None:
            return verified
    for pending in attempt.shelf.sent(Pending):
        message = read(pending, Pending)
        for arrival in good if message.state != PendingState.VERIFYING else ():
            if (
                read(arrival, JoinReq).attempt == message.attempt
                and arrival.number < pending.number
            ):
                return arrival
    verifying = any(message.state == PendingState.VERIFYING for message in pendings)
    return good[0] if good and not verifying else None


def _older_end(attempt: Attempt, attempts: list[Attempt]) -> Packet | None:
    """Return what ended an older membership of the same addresses while a request waited for it."""
    for other in attempts:
        membership = other.membership
        if other is attempt or membership is None or other.leaf != attempt.initiator:
            continue
        root = membership.root
        for packet in [*root.arrived(Abort), *root.sent(Abort)]:
            if root.endpoint == attempt.responder and packet.number > attempt.first.number:
                return packet
    return None


def _proof(attempt: Attempt) -> bool | None:
    """Tell whether an answer proves that the request was queued; None: it proves the contrary."""
    states = [read(packet, Pending).state for packet in attempt.shelf.sent(Pending)]
    if PendingState.QUEUED in states or attempt.shelf.sent(Accept):
        return True
    reasons = [read(packet, Reject).reason for packet in attempt.shelf.sent(Reject)]
    if RejectReason.APP_REFUSED in reasons:
        return True
    return None if reasons else False


def _bind_accepts(
    bindings: Bindings,
    table: SocketTable,
    listener: Socket,
    queue: _Queue,
    attempts: Attempts,
) -> None:
    taken: set[int] = set()
    for call in listener.accepts:
        acceptance = Acceptance(call, listener)
        bindings.acceptances.append(acceptance)
        queue.forget(listener.backlog_at(call.asked), call.asked)
        if call.ok:
            acceptance.attempt = _accepted(call, listener, attempts, taken)
            descriptor = (call.result or {}).get("socket")
            if isinstance(descriptor, int):
                acceptance.handle = table.get(call.host, descriptor)
        elif call.error == WsaError.WSAECONNREFUSED:
            acceptance.attempt = _refused(call, listener, attempts, taken)
        if acceptance.attempt is not None:
            taken.add(id(acceptance.attempt))
            _settle(bindings, acceptance, queue)
        elif acceptance.consumes:
            head = queue.head()
            if head is not None:
                queue.take(head, acceptance)


def _settle(bindings: Bindings, acceptance: Acceptance, queue: _Queue) -> None:
    attempt, handle = acceptance.attempt, acceptance.handle
    for entry in queue.of(attempt) if attempt is not None else ():
        queue.take(entry, acceptance)
    if attempt is not None and handle is not None:
        handle.attempt = attempt
        handle.local = attempt.responder
        handle.membership = attempt.membership
        if attempt.membership is not None:
            bindings.own(attempt.membership, handle)


def _answerable(attempt: Attempt, listener: Socket, taken: set[int]) -> bool:
    return (
        id(attempt) not in taken
        and attempt.responder_host == listener.host
        and listener.is_at(attempt.responder)
    )


def _accepted(call: Call, listener: Socket, attempts: Attempts, taken: set[int]) -> Attempt | None:
    """Find the attempt of the address that an accept returned; one with an ACCEPT if there is."""
    address = endpoint_of((call.result or {}).get("address"))
    same = attempts.by_initiator.get(address, []) if address is not None else []
    candidates = [one for one in same if _answerable(one, listener, taken)]
    for attempt in candidates:
        accept = next(iter(attempt.shelf.sent(Accept)), None)
        if accept is not None and accept.position > call.asked:
            return attempt
    waiting = (a for a in candidates if not a.shelf.sent(Accept, Reject))
    return next((a for a in waiting if a.first.position < call.answered), None)


def _refused(call: Call, listener: Socket, attempts: Attempts, taken: set[int]) -> Attempt | None:
    """Find the attempt whose first REJECT(APP_REFUSED) left soonest after the call was asked."""
    found = attempts.refused
    place = bisect_right(found, call.asked, key=lambda pair: (pair[0], 0))
    later = (attempt for _, attempt in found[place:])
    return next((one for one in later if _answerable(one, listener, taken)), None)
