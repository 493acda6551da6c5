"""Imagine the applications behind a capture that has no agents' lines.

Which events an endpoint reports depends on what its application asked for. In a capture of another
program nobody tells. But packets show when it joined, accepted, refused and closed; so one can
write the calls of an application that did just that, asked for every event and read every message
at once. What the window rules expect of such a run is the timeline of the endpoint.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.records import AgentLine, AnyRecord, Host, Run, verbatim
from mpwire.oracle.case import Case
from mpwire.oracle.inbox import readers
from mpwire.oracle.membership import TO_INIT_TAG, Attempt, End, Membership, is_full
from mpwire.oracle.rules.framing import ANSWERED
from mpwire.oracle.serial import serial_before
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import MAXIMUM_BACKLOG
from mpwire.oracle.staging import Stage, stage
from mpwire.oracle.streams import acknowledged, inflows
from mpwire.oracle.trace import IMAGINED, Endpoint
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.wire.messages import Abort, Announce, Cancel, Close, Data, JoinReq, Reject
from mpwire.wire.numbers import (
    AbortReason,
    AnnounceKind,
    CancelReason,
    CloseReason,
    LeafDirection,
    RejectReason,
)

ALL_EVENTS: Final = [str(event.name) for event in NetworkEvent if event <= NetworkEvent.FD_CLOSE]
DIRECTIONS: Final = {
    LeafDirection.SEND: "SENDER_ONLY",
    LeafDirection.RECEIVE: "RECEIVER_ONLY",
    LeafDirection.SEND | LeafDirection.RECEIVE: "BOTH",
}
SETTLING: Final = 2
"""Barriers at the end: what was sent before the first was answered is on record by the second."""


def imagine(run: RunFile) -> tuple[Case, Stage]:
    """Return the case of a capture with imagined applications, and the stage it plays on."""
    staged = stage(run)
    silent = Case(_played(run, staged, ()))
    play = _Play(silent)
    play.write()
    speaking = Case(_played(run, staged, play.lines()))
    for socket, items in readers(speaking):
        script = play.scripts[socket.host]
        for item in items:
            script.call(item.released[0] + 1, "recv", socket=socket.descriptor)
    for script in play.scripts.values():
        for _ in range(SETTLING):
            script.call(len(staged.frames) + 1, "barrier")
    return Case(_played(run, staged, play.lines())), staged


def _played(run: RunFile, staged: Stage, lines: Iterable[AgentLine]) -> RunFile:
    """Make a run file of frames on a stage and agents' lines."""
    hosts = [Host(name=name, mac="", addresses=[f"{name}/0"]) for name in staged.hosts]
    described = Run(
        version="",
        command=[],
        started_ns=0,
        seed=None,
        fabric=IMAGINED,
        carrier="",
        contract=1,
        hosts=hosts,
    )
    records: list[AnyRecord] = [described, *lines, *staged.decisions]
    return msgspec.structs.replace(run, frames=staged.frames, records=records)


@dataclass(slots=True)
class _Script:
    """The calls of one host."""

    host: str
    lines: list[AgentLine] = field(default_factory=list)
    calls: int = 0
    sockets: int = 0

    def call(self, before: int, name: str, *, error: int = 0, **args: object) -> int:
        """Write a call and its answer ahead of a frame.

        Returns:
            the newest descriptor; its own, where the call made one.
        """
        self.calls += 1
        answer: dict[str, object] = {"id": self.calls, "result": {}}
        if error:
            answer = {"id": self.calls, "error": {"code": error, "name": WsaError(error).name}}
        elif name == "join_leaf" and "same" in args:
            answer["result"] = {"socket": args.pop("same")}
        elif name in ("socket", "join_leaf", "accept"):
            self.sockets += 1
            answer["result"] = {"socket": self.sockets, "address": args.pop("from_address", None)}
        self._line(before, "to", {"id": self.calls, "call": name, "args": args})
        self._line(before, "from", answer)
        return self.sockets

    def _line(self, before: int, direction: Literal["to", "from"], content: object) -> None:
        line = verbatim(msgspec.json.encode(content))
        record = AgentLine(
            time_ns=0, host=self.host, direction=direction, line=line, after=before - 1
        )
        self.lines.append(record)

    def shut(self, before: int, socket: int) -> None:
        """Write that an application had heard everything and then shut a socket down."""
        self.call(before, "barrier")
        self.call(before, "shutdown", socket=socket, how="BOTH")

    def opened(self, before: int, local: Endpoint, *flags: str, listens: bool) -> int:
        """Write how a socket is made, bound and told to report everything."""
        socket = self.call(before, "socket", flags=flags)
        self.call(before, "bind", socket=socket, address=local)
        self.call(before, "event_select", socket=socket, events=ALL_EVENTS, report=True)
        if listens:
            self.call(before, "listen", socket=socket, backlog=MAXIMUM_BACKLOG)
        return socket


@dataclass(slots=True)
class _Owner:
    """The newest socket of one kind at one address."""

    socket: int
    until: int | None
    """Frame with which its session began to end."""
    closed: bool


class _Play:
    """The scripts of all hosts."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.scripts = {host.name: _Script(host.name) for host in _hosts(case)}
        self._roots: dict[Endpoint, _Owner] = {}
        self._listeners: dict[Endpoint, int] = {}
        self._joiners: dict[Endpoint, int] = {}
        self._folded = {id(one.folded) for one in case.history.attempts if one.folded}

    def lines(self) -> list[AgentLine]:
        """Return the lines of all hosts in order."""
        lines = [line for script in self.scripts.values() for line in script.lines]
        return sorted(lines, key=lambda line: line.after)

    def write(self) -> None:
        """Write what the applications did, attempt by attempt."""
        for attempt in sorted(self.case.history.attempts, key=lambda one: one.first.number):
            root = self._root(attempt)
            if attempt.by_root:
                self._invite(attempt, root)
            else:
                self._ask(attempt, root)
        self._open()

    def _open(self) -> None:
        """Write the joins of nonrooted sessions, where nobody is asked."""
        members: dict[int, int] = {}
        for packet in self.case.history.announcements:
            said = read(packet, Announce)
            script = self.scripts[packet.source[0]]
            if packet.direction != "out":
                continue
            if said.kind == AnnounceKind.JOIN and said.member_tag not in members:
                leads = "D_ROOT" if said.leaf_dir & LeafDirection.D_ROOT else "D_LEAF"
                socket = script.opened(packet.number, packet.source, "C_LEAF", leads, listens=False)
                script.call(
                    packet.number,
                    "join_leaf",
                    socket=socket,
                    address=packet.destination,
                    flags=DIRECTIONS[said.leaf_dir & ~LeafDirection.D_ROOT],
                    same=socket,
                )
                members[said.member_tag] = socket
            elif said.kind == AnnounceKind.LEAVE and said.member_tag in members:
                script.call(packet.number, "close", socket=members.pop(said.member_tag))

    def _root(self, attempt: Attempt) -> int:
        """Return the c_root socket that an attempt is about; a session that ended had another."""
        at, number = attempt.root, attempt.first.number
        script = self.scripts[at[0]]
        owner = self._roots.get(at)
        if owner is not None and (owner.until is None or number < owner.until):
            return owner.socket
        before = 1
        if owner is not None:
            before = number
            if not owner.closed:
                script.call(before, "close", socket=owner.socket)
        socket = script.opened(before, at, "C_ROOT", "D_ROOT", listens=True)
        ended, cut = self._dismantled(at, number), self._cut_off(at, number)
        if ended is not None:
            script.shut(ended, socket)
        if cut is not None:
            script.call(cut, "close", socket=socket)
        until = min((one for one in (ended, cut) if one is not None), default=None)
        self._roots[at] = _Owner(socket, until, closed=cut is not None)
        return socket

    def _cut_off(self, at: Endpoint, since: int) -> int | None:
        """Return the first ABORT of a root that was closed with linger 0: nothing else follows."""
        sent = [packet for packet in self.case.own if packet.source == at]
        for first in sent:
            said = first.message
            if not isinstance(said, Abort) or first.number < since:
                continue
            if said.reason == AbortReason.LINGER0 and all(
                isinstance(packet.message, Abort)
                for packet in sent
                if packet.number > first.number
                and packet.message is not None
                and packet.message.session_id == said.session_id
            ):
                return first.number
        return None

    def _dismantled(self, at: Endpoint, since: int) -> int | None:
        """Return the first frame that tells of a session's end at an address."""
        numbers = (
            packet.number
            for membership in self.case.history.memberships
            if membership.root.endpoint == at
            for packet in membership.root.sent(Close)
            if read(packet, Close).reason == CloseReason.DISMANTLE and packet.number > since
        )
        return min(numbers, default=None)

    def _invite(self, attempt: Attempt, root: int) -> None:
        script, leaf = self.scripts[attempt.root[0]], self.scripts[attempt.leaf[0]]
        data = (attempt.request.caller_data or b"").hex()
        handle = script.call(
            attempt.first.number, "join_leaf", socket=root, address=attempt.leaf, caller_data=data
        )
        self._withdraw(attempt, script, handle)
        folded = any(id(one) in self._folded for one in attempt.memberships)
        if attempt.leaf not in self._listeners and not folded:
            self._listeners[attempt.leaf] = leaf.opened(1, attempt.leaf, "C_LEAF", listens=True)
        accepted = None if folded else self._decide(attempt, leaf, self._listeners[attempt.leaf])
        for membership in attempt.memberships:
            self._end(membership.root, script, handle)
            if accepted is not None:
                self._end(membership.leaf, leaf, accepted)

    def _ask(self, attempt: Attempt, root: int) -> None:
        script, leaf = self.scripts[attempt.root[0]], self.scripts[attempt.leaf[0]]
        number, data = attempt.first.number, (attempt.request.caller_data or b"").hex()
        old = self._joiners.get(attempt.leaf)
        if old is not None:
            leaf.call(number, "close", socket=old)
        socket = leaf.opened(number, attempt.leaf, "C_LEAF", listens=False)
        self._joiners[attempt.leaf] = socket
        leaf.call(
            number,
            "join_leaf",
            socket=socket,
            address=attempt.root,
            caller_data=data,
            same=socket,
        )
        self._withdraw(attempt, leaf, socket)
        handle = self._decide(attempt, script, root)
        for membership in _memberships(attempt):
            self._end(membership.leaf, leaf, socket)
            if handle is not None:
                self._end(membership.root, script, handle)

    def _withdraw(self, attempt: Attempt, script: _Script, socket: int) -> None:
        for packet in attempt.shelf.sent(Cancel)[:1]:
            if read(packet, Cancel).reason == CancelReason.WITHDRAWN:
                script.call(packet.number, "close", socket=socket)

    def _decide(self, attempt: Attempt, script: _Script, listener: int) -> int | None:
        """Write the accept that decided a request; return the handle it gave."""
        for membership in attempt.memberships[:1]:
            return script.call(
                membership.accept.number,
                "accept",
                socket=listener,
                from_address=attempt.initiator,
            )
        for packet in attempt.shelf.sent(Reject)[:1]:
            if read(packet, Reject).reason == RejectReason.APP_REFUSED:
                refused = int(WsaError.WSAECONNREFUSED)
                script.call(packet.number, "accept", socket=listener, error=refused)
        return None

    def _end(self, end: End, script: _Script, socket: int) -> None:
        """Write that an application closed its side; it may well have closed the socket."""
        for packet in end.sent(Close):
            dismantles = read(packet, Close).reason == CloseReason.DISMANTLE
            if is_full(packet) and not dismantles:
                script.shut(packet.number, socket)
                return


def _memberships(attempt: Attempt) -> Iterator[Membership]:
    yield from attempt.memberships
    if attempt.folded is not None:
        yield attempt.folded


def _hosts(case: Case) -> list[Host]:
    return case.trace.run.run.hosts if case.trace.run.run else []


def proved(case: Case) -> set[int]:
    """Return the deliveries that what their receivers sent proves, so that nobody must see them.

    Those are requests that were answered with their Seq and Attempt, join requests whose tag came
    back, and data that was acknowledged.
    """
    echoes = {
        (packet.source, packet.destination, message.seq, message.attempt, kind)
        for packet in case.own
        for message in (packet.message,)
        if message is not None
        for kind in ANSWERED.get(type(message), ())
    }
    tagged = {
        (packet.source, packet.destination, packet.message.destination_tag)
        for packet in case.own
        if isinstance(packet.message, TO_INIT_TAG)
    }
    found = set()
    for packet in case.delivered:
        message, back = packet.message, (packet.destination, packet.source)
        if message is None:
            continue
        echoed = (*back, message.seq, message.attempt, type(message)) in echoes
        named = isinstance(message, JoinReq) and (*back, message.init_tag) in tagged
        if echoed or named:
            found.add(packet.number)
    return found | _acknowledged(case)


def _acknowledged(case: Case) -> set[int]:
    """Return the deliveries of data that came before what their receivers said they wait for."""
    return {
        packet.number
        for end in case.ends()
        for inflow in inflows(end).values()
        for proofs in (acknowledged(end, inflow.origin),)
        for packet in inflow.arrivals
        if any(serial_before(read(packet, Data).seq, bound) for _, bound in proofs)
    }
