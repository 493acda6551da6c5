"""Find out what of a run belongs together: exchanges with their sockets, frames and lines.

A unit is what is over as a whole: the attempts and memberships between two addresses, the sockets
that stand for them and all that was called and reported on these. Sockets that have to do with
many exchanges are hubs: a root's session socket, a listening one. What was called and reported on
a hub belongs to the unit it was about: an accept to the request it took, a receive to the message
it returned, an event to what caused it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from mpwire.oracle.calls import Call
from mpwire.oracle.case import Case
from mpwire.oracle.inbox import Deliverable, may_receive, payload_of, readers, reads
from mpwire.oracle.membership import Attempt, End, Membership
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.trace import NEVER, START, Packet, Position, is_multicast
from mpwire.vocabulary import WsaError
from mpwire.wire.numbers import Planes

FRUITLESS = frozenset({WsaError.WSAEWOULDBLOCK, WsaError.WSAENOTCONN})
"""Codes of calls on hubs after which everything is as it was before."""


@dataclass(eq=False)
class Unit:
    """What is over as a whole."""

    attempts: list[Attempt] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    lines: set[Position] = field(default_factory=set)
    """Places of the agents' lines that are about nothing else."""
    event_numbers: list[tuple[str, int]] = field(default_factory=list)
    """Numbers of its event lines, with their hosts."""
    hubs: set[Socket] = field(default_factory=set)
    pinned: bool = False
    """Something is not clear about it, so that it must be kept."""
    merged: "Unit | None" = None

    @property
    def memberships(self) -> Iterator[Membership]:
        """Yield all memberships that came of its attempts."""
        for attempt in self.attempts:
            yield from attempt.memberships

    @cached_property
    def newest(self) -> Position:
        """Return where its newest frame is; asked for when the unit is whole."""
        return max((packet.position for packet in self.packets), default=START)

    def root(self) -> "Unit":
        """Return the unit that this one has become a part of."""
        unit = self
        while unit.merged is not None:
            unit = unit.merged
        return unit


class Units:
    """All units of a case."""

    def __init__(self, case: Case) -> None:
        """Sort everything that is in the case."""
        self.case = case
        self._of: dict[object, Unit] = {}
        self._owner: dict[int, object] = {}
        """To what each frame belongs: an attempt, or two addresses."""
        self._ends: dict[Socket, list[End]] = {}
        """The sides that are sent what is written on a socket."""
        for end in case.ends():
            socket = case.session_socket(end)
            if socket is not None and may_receive(end.peer):
                self._ends.setdefault(socket, []).append(end)
        self.hubs = [socket for socket in case.sockets.all if _is_hub(socket)]
        self._hubs = set(self.hubs)
        self.spent: set[Position] = set()
        """Lines of calls on hubs that changed nothing."""
        self.of_hubs: dict[Socket, Unit] = {hub: Unit(sockets=[hub]) for hub in self.hubs}
        """Everything that was called and reported on each hub."""
        self.shared: list[tuple[tuple[Position, Position], frozenset[Unit]]] = []
        """Lines of sends on hubs, with the units of all who may have been sent it."""
        self._attempts()
        self._packets()
        self._sockets()
        self._calls()
        self._reports()
        self.all = list(dict.fromkeys(unit.root() for unit in self._of.values()))

    def of(self, key: object) -> Unit:
        """Return the unit of an attempt, a socket, or a pair of addresses."""
        unit = self._of.get(key)
        if unit is None:
            unit = self._of[key] = Unit()
        elif unit.merged is not None:
            unit = self._of[key] = unit.root()
        return unit

    def of_membership(self, membership: Membership) -> Unit:
        """Return the unit of a membership."""
        return self.of(membership.attempt)

    def _merge(self, one: object, other: object) -> Unit:
        first, second = self.of(one), self.of(other)
        if first is not second:
            second.merged = first
            first.attempts += second.attempts
            first.sockets += second.sockets
            first.packets += second.packets
            first.hubs |= second.hubs
            first.pinned |= second.pinned
        return first

    def _attempts(self) -> None:
        history = self.case.history
        for attempt in history.attempts:
            self.of(attempt).attempts.append(attempt)
        for attempt in history.attempts:
            if attempt.folded is not None:
                self._merge(attempt, attempt.folded.attempt)
        for membership in history.memberships:
            description = membership.description
            apart = description is not None and not description.group
            if not apart or not membership.planes & Planes.DATA_ROOTED:
                self._merge(("session", membership.session_id), membership.attempt)

    def _packets(self) -> None:
        """Put every datagram to its attempt, or to the addresses between which it went."""
        for attempt in self.case.history.attempts:
            for shelf in (attempt.shelf, *(one.shelf for one in attempt.memberships)):
                for packet in shelf.packets:
                    known = self._owner.setdefault(packet.number, attempt)
                    if known is not attempt:
                        self._merge(known, attempt)
        for packet in self.case.trace.packets:
            owner = self._owner.setdefault(packet.number, _between(packet))
            unit = self.of(owner)
            unit.packets.append(packet)
            unit.pinned |= is_multicast(packet.destination[0])

    def _sockets(self) -> None:
        """Put sockets to the attempts they stand for."""
        for socket in self.case.sockets.all:
            if socket not in self._hubs:
                self.of(socket).sockets.append(socket)
        for join in self.case.bindings.joins:
            if join.attempt is None:
                continue
            for one in (join.socket, join.handle):
                if one is not None and one not in self._hubs:
                    self._merge(join.attempt, one)
            self._meet(join.attempt, join.socket)
        for acceptance in self.case.bindings.acceptances:
            if acceptance.attempt is not None:
                if acceptance.handle is not None and acceptance.handle not in self._hubs:
                    self._merge(acceptance.attempt, acceptance.handle)
                self._meet(acceptance.attempt, acceptance.listener)
        for opening in self.case.openings:
            self.of(opening.socket).pinned = True  # its group may tell of it at any time
        for hub in self.hubs:
            for attempt in self.case.history.attempts:
                ends = (
                    (attempt.initiator_host, attempt.initiator),
                    (attempt.responder_host, attempt.responder),
                )
                if any(hub.host == host and hub.is_at(endpoint) for host, endpoint in ends):
                    self._meet(attempt, hub)

    def _meet(self, attempt: Attempt, socket: Socket) -> None:
        if socket in self._hubs:
            self.of(attempt).hubs.add(socket)

    def _calls(self) -> None:
        taken = self._taken()
        about = self._decided()
        for log in self.case.logs.values():
            asked = {one.call: one for one in log.decided.values()}
            for call in log.calls:
                places = {call.asked, call.answered}
                if call.id in asked:
                    places |= {asked[call.id].asked, asked[call.id].answered}
                for unit in self._of_call(call, taken, about):
                    unit.lines |= places
                    unit.pinned |= NEVER in places

    def _of_call(
        self, call: Call, taken: dict[int, Unit], about: dict[int, Unit]
    ) -> Iterator[Unit]:
        """Yield the unit that a call is about, and the hub it was made on."""
        made = (call.result or {}).get("socket")
        socket = self.case.sockets.get(call.host, call.socket or 0)
        if call.name == "socket" and isinstance(made, int):
            socket = self.case.sockets.get(call.host, made)
        if socket is None:
            return
        if socket not in self._hubs:
            yield self.of(socket)
            return
        yield self.of_hubs[socket]
        if id(call) in about:
            yield about[id(call)]
        elif id(call) in taken:
            yield taken[id(call)]
        elif call.name == "send" and call.error != WsaError.WSAEWOULDBLOCK:
            self._send(call, socket)
        elif call.name in ("accept", "recv") and call.error in FRUITLESS:
            self.spent |= {call.asked, call.answered}

    def _send(self, call: Call, socket: Socket) -> None:
        """Note to whom a message on a hub may have gone."""
        if call.answered == NEVER:
            return
        near = frozenset(
            self.of_membership(end.membership)
            for end in self._ends.get(socket, ())
            if end.begun < call.answered
        )
        self.shared.append(((call.asked, call.answered), near))

    def _decided(self) -> dict[int, Unit]:
        """Return the units of what joins and accepts on hubs were about."""
        found: dict[int, Unit] = {}
        for join in self.case.bindings.joins:
            if join.attempt is not None:
                found[id(join.call)] = self.of(join.attempt)
            elif join.handle is not None and join.handle not in self._hubs:
                found[id(join.call)] = self.of(join.handle)
        for queue in self.case.bindings.queues.values():
            for entry in queue:
                if entry.taken is not None:
                    found[id(entry.taken.call)] = self.of(entry.attempt)
                else:
                    self.of(entry.attempt).pinned = True
        for one in self.case.bindings.acceptances:
            if one.attempt is not None:
                found[id(one.call)] = self.of(one.attempt)
        return found

    def _taken(self) -> dict[int, Unit]:
        """Return the units of what receives on hubs returned; what nobody read keeps its unit."""
        found: dict[int, Unit] = {}
        for socket, given in readers(self.case):
            if socket not in self._hubs:
                continue
            waiting: dict[str, deque[Call]] = {}
            for call in reads(socket):
                waiting.setdefault(payload_of(call), deque()).append(call)
            for item in given:
                unit = self._of_item(item)
                calls = waiting.get(item.payload.hex())
                if unit is not None and calls:
                    found[id(calls.popleft())] = unit
                elif unit is not None and socket.gone == NEVER:
                    unit.pinned = True
        return found

    def _of_item(self, item: Deliverable) -> Unit | None:
        if item.packet is None:
            return None
        return self.of(self._owner[item.packet.number])

    def _reports(self) -> None:
        """Put event lines to the units of their sockets, on hubs to those of their causes."""
        causes = {
            id(one.report): self._causes(one.frames)
            for one in self.case.events.expectations
            if one.report is not None
        }
        for log in self.case.logs.values():
            for report in (*log.reports, *log.changes):
                socket = self.case.sockets.get(report.host, report.socket)
                units: set[Unit] = set()
                if socket is not None and socket not in self._hubs:
                    units = {self.of(socket)}
                elif socket is not None:
                    units = causes.get(id(report), set())
                    self.of_hubs[socket].lines.add(report.position)
                    self.of_hubs[socket].event_numbers.append((report.host, report.seq or 0))
                if report.seq is not None and len(units) == 1:
                    (unit,) = units
                    unit.lines.add(report.position)
                    unit.event_numbers.append((report.host, report.seq))
                elif socket in self._hubs:
                    for unit in units:
                        unit.pinned = True

    def _causes(self, frames: Iterable[int]) -> set[Unit]:
        return {self.of(self._owner[number]) for number in frames if number in self._owner}


def _is_hub(socket: Socket) -> bool:
    """Tell whether a socket has to do with many exchanges."""
    return socket.kind is Kind.ROOT or socket.listening < NEVER or bool(socket.accepts)


def _between(packet: Packet) -> frozenset[tuple[str, int]]:
    return frozenset((packet.source, packet.destination))
