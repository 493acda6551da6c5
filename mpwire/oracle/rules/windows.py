"""EV1-EV27: the windows in which socket events must, may and must not be reported.

The matching is in `oracle.events`; these rules present it and add what concerns several events:
their order, their number, the completeness of a dismantling and the silence of the others.
"""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation
from mpwire.oracle.inbox import deliverables, payload_of, readers, reads, receivers, too_old
from mpwire.oracle.membership import End
from mpwire.oracle.registry import PASSED, Outcome, rule
from mpwire.oracle.rules.dismantling import dismantlings, members_at, waited
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.trace import NEVER, Packet
from mpwire.wire.messages import Abort, Announce, Cancel, Close, CloseAck, Data
from mpwire.wire.numbers import AnnounceKind, CancelReason, CloseReason


def _window(rule_id: str, sentence: str, *, source: str) -> None:
    """Register a window whose outcomes come from matching reports with expectations."""

    def check(case: Case) -> Iterator[Outcome]:
        return iter(case.events.outcomes.get(rule_id, ()))

    register = rule(
        rule_id,
        sentence,
        source=f"protocol.md 15; {source}",
        group="events",
        needs="events",
        vantage="E",
    )
    register(check)


_window(
    "EV1",
    "FD_ACCEPT is reported on a listening socket for every join request with a good cookie "
    "that is queued, when the head before it was decided; not for a request without cookie.",
    source="W34, W39, W44, W92-W94",
)
_window(
    "EV3",
    "FD_CONNECT(0) is reported on the socket that joins, when ACCEPT for it arrived, and "
    "never on a socket that a join or an accept returned or on a listening c_leaf.",
    source="W22, W35, W41",
)
_window(
    "EV4",
    "A leaf whose request was folded into the root's invitation gets FD_CONNECT(0) when the "
    "CONFIRM of the invitation arrived, or the CLOSE that stands for it.",
    source="protocol.md 9.6",
)
_window(
    "EV5",
    "A refused join gets FD_CONNECT with the code that belongs to the reason of the REJECT.",
    source="W36, W42, W98",
)
_window(
    "EV6",
    "A join that nobody answered gets FD_CONNECT(WSAETIMEDOUT), or the code of the ICMP error "
    "met, when its CANCEL(TIMEOUT) leaves.",
    source="W37, W98",
)
_window(
    "EV9",
    "A socket that may send gets one FD_WRITE once it is usable: the joiner when accepted, "
    "the acceptor when accepting or confirmed, the root with its first member.",
    source="W47, W95, D35",
)
_window(
    "EV10",
    "Further FD_WRITE only after a send that would have blocked.",
    source="W95",
)
_window(
    "EV11",
    "FD_READ is reported where data for this socket was delivered: in the right direction, "
    "not before its place in the sequence, and never on a per-leaf handle.",
    source="W57, W60, W62",
)
_window(
    "EV13",
    "FD_READ is reported for side chat where it was delivered: on the leaf's handle at the root, "
    "on the leaf's session socket, and nowhere else.",
    source="W61",
)
_window(
    "EV14",
    "A leaf end gets FD_CLOSE(0) when CLOSE(EXPEL or DISMANTLE) arrived, all data before it "
    "arrived, and the application has read it.",
    source="W67, W68, W71, W73",
)
_window(
    "EV15",
    "The handle of a leaf gets FD_CLOSE(0) when that leaf's CLOSE(LEAVE) and all its data arrived.",
    source="W66",
)
_window(
    "EV16",
    "After a dismantling each open handle gets FD_CLOSE(0) when its leaf has acknowledged, or "
    "its crossing CLOSE arrived.",
    source="W68, W69",
)
_window(
    "EV17",
    "FD_CLOSE(WSAECONNRESET) is reported when a valid ABORT arrived, or CANCEL after ACCEPT.",
    source="W72",
)
_window(
    "EV18",
    "FD_CLOSE(WSAECONNABORTED) is reported when the peer was declared dead by ABORT(4).",
    source="W72",
)
_window(
    "EV19",
    "FD_CLOSE(WSAECONNABORTED) is reported when this side gave up: ABORT 5 or 6, ABORT 2 on "
    "the handles of a root closed with linger 0, or data that never came.",
    source="W72",
)
_window(
    "EV26",
    "FD_READ is reported for what went to the group and was delivered while the member belonged to "
    "it: after its handshake and its host's report, not after its end.",
    source="W59, W63",
)
_window(
    "EV27",
    "After its own shutdown a socket gets FD_CLOSE(0) when the peer has acknowledged, or its "
    "crossing CLOSE arrived; the root may get one when all leaves have ended.",
    source="W78, D5, D41",
)


@rule(
    "EV2",
    "FD_ACCEPT is not reported more often than requests were queued and heads decided.",
    source="protocol.md 15; W92",
    group="events",
    needs="events",
    vantage="E",
)
def ev2(case: Case) -> Iterator[Outcome]:
    """Count per listener; each surplus line was found while matching."""
    yield from case.events.outcomes.get("EV2", ())
    for socket, queue in case.bindings.queues.items():
        if queue and len(case.events.reports_of(socket, "FD_ACCEPT")) <= len(queue):
            yield PASSED


@rule(
    "EV7",
    "A join that the application cancelled gets no FD_CONNECT.",
    source="protocol.md 15; W25, D21",
    group="events",
    needs="events",
    vantage="E",
)
def ev7(case: Case) -> Iterator[Outcome]:
    """Count the cancelled joins; an FD_CONNECT for one was found while matching."""
    found = case.events.outcomes.get("EV7", ())
    yield from found
    for join in case.bindings.joins:
        cancels = join.attempt.shelf.sent(Cancel) if join.attempt else []
        if not found and any(read(p, Cancel).reason == CancelReason.WITHDRAWN for p in cancels):
            yield PASSED


@rule(
    "EV12",
    "FD_READ is not reported more often than there are messages to read.",
    source="protocol.md 15; W94",
    group="events",
    needs="events",
    vantage="E",
)
def ev12(case: Case) -> Iterator[Outcome]:
    """Count per socket; each surplus line was found while matching."""
    yield from case.events.outcomes.get("EV12", ())
    for socket, given in readers(case):
        reported = len(case.events.reports_of(socket, "FD_READ"))
        if 0 < reported <= len(given):
            yield PASSED


@rule(
    "EV20",
    "A socket gets at most one FD_CLOSE, and none after it was closed.",
    source="protocol.md 15; W76, W77",
    group="events",
    needs="events",
    vantage="E",
)
def ev20(case: Case) -> Iterator[Outcome]:
    """Count per socket; each surplus line was found while matching."""
    yield from case.events.outcomes.get("EV20", ())
    for socket in case.sockets.all:
        if len(case.events.reports_of(socket, "FD_CLOSE")) == 1:
            yield PASSED


@rule(
    "EV21",
    "On a joining leaf socket FD_CONNECT(0) comes before FD_WRITE, FD_READ and FD_CLOSE.",
    source="protocol.md 15; W95, W100",
    group="events",
    needs="events",
    vantage="E",
)
def ev21(case: Case) -> Iterator[Outcome]:
    """Compare the order of the socket's own lines."""
    for socket in case.sockets.all:
        if socket.kind is not Kind.LEAF:
            continue
        reports = case.events.reports_of(socket)
        connected = [r for r in reports if r.event == "FD_CONNECT" and r.code == 0]
        if not connected:
            continue
        place = reports.index(connected[0])
        for report in reports:
            if report.event in ("FD_WRITE", "FD_READ", "FD_CLOSE"):
                if reports.index(report) > place:
                    yield PASSED
                else:
                    yield Outcome(
                        "fail",
                        (max(report.position[0], 1),),
                        socket.name,
                        "FD_CONNECT(0) first",
                        f"{report} before it",
                        f"{report} was reported before FD_CONNECT(0)",
                    )


@rule(
    "EV22",
    "When a session is dismantled every member at that instant is told so: FD_CLOSE at the leaf "
    "and on its handle, unless the application had closed them.",
    source="protocol.md 15; W68",
    group="events",
    needs="events",
    vantage="E",
)
def ev22(case: Case) -> Iterator[Outcome]:
    """Look for FD_CLOSE on both ends of every member, once the dismantling has run its course."""
    for session, first in dismantlings(case).items():
        members = list(members_at(case, session, first))
        for end in members:
            for side in (end, end.peer):
                yield from _told(case, side, first, members)


def _told(case: Case, side: End, first: Packet, members: list[End]) -> Iterator[Outcome]:
    socket = case.socket_of(side)
    if socket is None or socket.nominated("FD_CLOSE", socket.created) is None:
        return
    if case.events.reports_of(socket, "FD_CLOSE"):
        yield PASSED
        return
    if socket.closed < NEVER or _held_back(case, socket):
        return
    if case.killed(side.host, first.position) and case.settled(side.host, first.position) is None:
        return  # a process that died before anybody could ask it owes nothing
    others = [one for one in members if one.membership is not side.membership]
    over = [packet for one in others for packet in one.arrived(CloseAck, Close, Abort)]
    proved = bool(over) and case.settled(side.host, max(p.position for p in over)) is not None
    told = side.closes or side.peer.sent(Close) or side.sent(Close)
    if told and not _expected(case, socket):
        return  # CLOSE is on its way, and nothing has come of it by the end of the record
    root = side if side.is_root else side.peer
    late = not told and waited(case, root, first.time_ns)[1]
    yield Outcome(
        "fail" if proved and (late or _due(case, socket)) else "unsure",
        (first.number,),
        socket.name,
        "FD_CLOSE after the dismantling",
        "none",
        f"{socket.name} was a member when the dismantling began in frame {first.number}"
        + ("" if told else " and no CLOSE went to or from it"),
    )


def _held_back(case: Case, socket: Socket) -> bool:
    """Tell whether unread data, or the lack of a barrier, excuses a missing FD_CLOSE."""
    closes = case.history.memberships and socket.membership
    return bool(closes and closes.leaf.closes) and not _expected(case, socket)


def _expected(case: Case, socket: Socket) -> list[Expectation]:
    """List what has happened that an FD_CLOSE of a socket must follow, or may."""
    judged = case.events.expectations
    return [one for one in judged if one.socket is socket and one.event == "FD_CLOSE"]


def _due(case: Case, socket: Socket) -> bool:
    return any(one.due is not None for one in _expected(case, socket))


@rule(
    "EV23",
    "The leaving, expulsion or loss of one leaf gives nobody else an FD_CLOSE.",
    source="protocol.md 15; W66, W67",
    group="events",
    needs="events",
    vantage="E",
)
def ev23(case: Case) -> Iterator[Outcome]:
    """Count single endings; an FD_CLOSE of somebody else was found while matching."""
    yield from case.events.outcomes.get("EV23", ())
    for membership in case.history.memberships:
        closes = membership.shelf.sent(Close)
        if closes and read(closes[0], Close).reason != CloseReason.DISMANTLE:
            yield PASSED


@rule(
    "EV24",
    "Nobody gets an FD_CLOSE because a member of a nonrooted session left or fell silent.",
    source="protocol.md 15; W54, W99",
    group="events",
    needs="events",
    vantage="E",
)
def ev24(case: Case) -> Iterator[Outcome]:
    """Count what said that a member left; an FD_CLOSE for it was found while matching."""
    yield from case.events.outcomes.get("EV24", ())
    hosts = {opening.call.host for opening in case.openings}
    for packet in case.history.announcements:
        leaves = read(packet, Announce).kind == AnnounceKind.LEAVE
        if leaves and packet.direction == "in" and packet.host in hosts:
            yield PASSED


@rule(
    "EV25",
    "A late joiner is given nothing that was sent before the NextDataSeq of its handshake.",
    source="protocol.md 15; D35",
    group="events",
    needs="events",
    vantage="E",
)
def ev25(case: Case) -> Iterator[Outcome]:
    """Look for receives of messages that were delivered although they were too old."""
    for socket, ends in receivers(case).items():
        old = {
            (read(packet, Data).payload or b"").hex(): packet.number
            for end in ends
            for packet in too_old(end)
        }
        given = {item.payload.hex() for end in ends for item in deliverables(case, end)}
        for payload, frame in old.items():
            taken = [call for call in reads(socket) if payload_of(call) == payload]
            if not taken or payload in given:
                yield PASSED
                continue
            yield Outcome(
                "fail",
                (frame,),
                socket.name,
                "nothing from before the join",
                payload,
                f"{taken[0]} returned what frame {frame} brought, which was sent before the join",
            )


@rule(
    "EV8",
    "A join of a nonrooted session gets FD_CONNECT(0) once it has announced itself to the group; "
    "nobody needs to be there.",
    source="protocol.md 15; W51, W53",
    group="events",
    needs="events",
    vantage="E",
)
def ev8(case: Case) -> Iterator[Outcome]:
    """Add to what matching found the joins that were reported and never announced.

    With scope 0 nothing leaves the host, so that only the calls tell of the join.
    """
    yield from case.events.outcomes.get("EV8", ())
    for opening in case.openings:
        if opening.confined(case.logs[opening.call.host]):
            continue
        for report in case.events.reports_of(opening.socket, "FD_CONNECT"):
            if case.silent_from(report.host, report.position) < opening.began:
                yield Outcome(
                    "fail",
                    (max(report.position[0], 1),),
                    opening.socket.name,
                    "ANNOUNCE(JOIN) before it",
                    f"{report}, and nothing was announced",
                    f"{report} was reported on {opening.socket.name}, which announced nothing",
                )
