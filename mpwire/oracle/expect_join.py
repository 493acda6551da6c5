"""Expect FD_ACCEPT, FD_CONNECT and the first FD_WRITE: the events of joining."""

from collections.abc import Iterator

from mpwire.oracle.anchors import request_began, waits_ns
from mpwire.oracle.bind import Acceptance, Entry, Join, good_cookie
from mpwire.oracle.calls import error_name
from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.judgement import Level
from mpwire.oracle.membership import Attempt, Membership
from mpwire.oracle.opening import Opening
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Socket
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.oracle.ways import is_without_way
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    Close,
    Confirm,
    JoinReq,
    Reject,
    VersionNeg,
)
from mpwire.wire.numbers import (
    VERSION,
    AbortReason,
    CancelReason,
    LeafDirection,
    RejectReason,
)

REFUSALS: dict[int, int] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 8, 9, 13), int(WsaError.WSAECONNREFUSED)),
    int(RejectReason.ALREADY_MEMBER): int(WsaError.WSAEISCONN),
    int(RejectReason.NO_RESOURCES): int(WsaError.WSAENOBUFS),
    int(RejectReason.QOS_UNAVAILABLE): int(WsaError.WSAEOPNOTSUPP),
    int(RejectReason.DIRECTION): int(WsaError.WSAEOPNOTSUPP),
    int(RejectReason.ADDRESS_FAMILY): int(WsaError.WSAEAFNOSUPPORT),
    int(RejectReason.EXPIRED): int(WsaError.WSAETIMEDOUT),
}
"""Code of FD_CONNECT by REJECT.Reason (protocol.md 9)."""
UNANSWERED = (
    WsaError.WSAETIMEDOUT,
    WsaError.WSAENETUNREACH,
    WsaError.WSAECONNREFUSED,
    WsaError.WSAEHOSTUNREACH,
)
"""Codes of a join that nobody answered: in time, or with an ICMP error besides."""
UNDECIDING = (WsaError.WSAEINVAL, WsaError.WSAEFAULT)
"""Codes of an accept whose condition function gave an answer that is none."""


def accept_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect one FD_ACCEPT per admitted request.

    The n-th is recorded when its request is queued and the one before it was decided, whichever
    comes later: FD_ACCEPT is level-triggered, and every accept that decides re-enables it
    (W92-W94). A deferred head mutes it (W44), because nothing was decided.
    """
    for socket, queue in case.bindings.queues.items():
        decided = [one for one in case.bindings.acceptances if one.listener is socket]
        decided = [one for one in decided if one.consumes]
        for place, (entry, met) in enumerate(_indicated(queue)):
            opens = entry.arrival.position
            if place > len(decided):
                break
            before = decided[place - 1] if place else None
            taker = met.taken.call if met.taken and met.taken.consumes else None
            if before is not None:
                opens = max(opens, before.call.asked)
                if taker and taker.asked < before.call.answered:
                    taker = None  # both were open at once: nothing says which came first
            yield expect(
                case,
                socket,
                "FD_ACCEPT",
                rule="EV1",
                opens=opens,
                level=_accept_level(entry, met, opens, before),
                frames=(entry.arrival.number,),
                taker=taker,
                cause=f"a JOIN_REQ with a good cookie in frame {entry.arrival.number}"
                + (f", after {before.call} had decided the one before" if before else ""),
            )
        yield from _repeated(case, socket)
        yield from _freed(case, socket, queue)


def _repeated(case: Case, socket: Socket) -> Iterator[Expectation | None]:
    """Expect that FD_ACCEPT may come again where an accept decided nothing.

    Such a call re-enables it, unless it was rejected for its parameters (W93, D11), and its
    request is still there. A deferred one mutes it (W44).
    """
    for one in case.bindings.acceptances:
        call = one.call
        if one.listener is socket and call.error in UNDECIDING:
            yield expect(
                case,
                socket,
                "FD_ACCEPT",
                rule="EV1",
                opens=call.asked,
                level=Level.MAY,
                frames=(),
                cause=f"{call}, which failed with {call.outcome()} and left the request waiting",
            )


def _freed(case: Case, socket: Socket, queue: list[Entry]) -> Iterator[Expectation | None]:
    """Expect that FD_ACCEPT may come again when a request that was deferred has ended.

    It had muted FD_ACCEPT (W44); once it is dead, those behind it speak, though an accept meets it
    first.
    """
    for one in case.bindings.acceptances:
        if one.listener is not socket or one.call.error != WsaError.WSATRY_AGAIN:
            continue
        head = head_of(queue, one)
        gone = _gone(case, head) if head is not None else []
        for packet in [packet for packet in gone if packet.position > one.call.asked][:1]:
            yield expect(
                case,
                socket,
                "FD_ACCEPT",
                rule="EV1",
                opens=packet.position,
                level=Level.MAY,
                frames=(packet.number,),
                cause=f"the end of the request that {one.call} deferred, in frame {packet.number}",
            )


def _gone(case: Case, entry: Entry) -> list[Packet]:
    """List what ends a request undecided, in order: also the next one of its socket (9.3)."""
    own, host = entry.attempt, entry.attempt.responder_host
    gone = [*own.shelf.arrived(Cancel), *own.shelf.sent(Reject)]
    for later in case.history.between(own.initiator, own.responder):
        if later.first.number > own.first.number:
            copies = later.shelf.arrived(JoinReq)
            gone += [packet for packet in copies if good_cookie(later, packet, host)]
    return sorted(gone, key=lambda packet: packet.number)


def head_of(queue: list[Entry], one: Acceptance) -> Entry | None:
    """Return the request at the head of the queue as an accept was asked."""
    for entry in queue:
        decided = entry.taken.call.asked if entry.taken is not None else NEVER
        if entry.arrival.position < one.call.answered and decided >= one.call.asked:
            return entry
    return None


def _indicated(queue: list[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Yield the requests that an accept can meet, each behind the one that makes FD_ACCEPT true.

    That is the request itself, or the first of those before it that the listener has forgotten.
    """
    first: Entry | None = None
    for entry in queue:
        first = first or entry
        if not entry.forgotten:
            yield first, entry
            first = None


def _accept_level(entry: Entry, met: Entry, opens: Position, before: Acceptance | None) -> Level:
    """Say MAY where the request may have been withdrawn, refused or decided before it was seen."""
    shelf = entry.attempt.shelf
    gone = [*shelf.arrived(Cancel), *shelf.sent(Reject)]
    withdrawn = any(packet.position < opens for packet in gone)
    raced = met.taken is not None and met.taken is before
    return Level.MUST if entry.certain and not withdrawn and not raced else Level.MAY


def connect_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect one FD_CONNECT per join, on the socket that the join was called on."""
    for join in case.bindings.joins:
        if join.attempt is not None:
            yield _connect(case, join, join.attempt)
        elif is_without_way(case, join):
            yield expect(
                case,
                join.socket,
                "FD_CONNECT",
                rule="EV6",
                opens=join.call.asked,
                code=int(WsaError.WSAENETUNREACH),
                level=Level.MAY,
                cause=f"{join.call} may have found no way to the address",
            )
    for opening in case.openings:
        yield _opened(case, opening)


def _opened(case: Case, opening: Opening) -> Expectation | None:
    """Expect success of a join that asks nobody, once it was announced (EV8).

    The agent may tell of it before the fabric has seen the announcement; but not before it was
    asked to join.
    """
    known = opening.began != NEVER
    return expect(
        case,
        opening.socket,
        "FD_CONNECT",
        rule="EV8",
        opens=opening.call.asked,
        level=Level.MUST if known else Level.MAY,
        frames=(opening.began[0],) if known else (),
        cause=f"{opening.call} joined a group",
        settled=opening.began if known else None,
    )


def _connect(case: Case, join: Join, attempt: Attempt) -> Expectation | None:
    """Find what ended the attempt as its initiator saw it.

    An initiator that had seen an answer sends no CANCEL. So a CANCEL tells that it gave up first,
    even where an answer was delivered while the CANCEL was on its way out; only a CONFIRM tells
    the contrary.
    """
    if attempt.folded is not None:
        return _folded_connect(case, join, attempt.folded)
    cancels = attempt.shelf.sent(Cancel)
    withdrawn = [p for p in cancels if read(p, Cancel).reason == CancelReason.WITHDRAWN]
    handle = join.handle
    given_up = handle.closed if handle is not None and handle is not join.socket else None
    answers = attempt.shelf.arrived(Accept, Reject, VersionNeg)
    confirmed = bool(attempt.shelf.sent(Confirm))
    timeouts = [p for p in cancels if read(p, Cancel).reason == CancelReason.TIMEOUT]
    if timeouts and not withdrawn and not confirmed:
        return _unanswered(case, join, attempt, timeouts[0])
    for packet in answers:
        if withdrawn and packet.number > withdrawn[0].number:
            break
        if isinstance(packet.message, VersionNeg) and (
            VERSION in packet.message.versions or packet is not answers[-1]
        ):
            continue  # ignored (protocol.md 14)
        crossed = given_up is not None and packet.position > given_up
        crossed = crossed or bool(withdrawn and not confirmed)
        return _answered(case, join, attempt, packet, Level.MAY if crossed else Level.MUST)
    return None


def _answered(
    case: Case, join: Join, attempt: Attempt, packet: Packet, level: Level
) -> Expectation | None:
    code, rule = int(WsaError.WSAECONNREFUSED), "EV5"
    if isinstance(packet.message, Accept):
        if not _unfit(packet, attempt):
            code, rule = 0, "EV3"
    elif isinstance(packet.message, Reject):
        second_root = (
            packet.message.reason == RejectReason.DIRECTION
            and attempt.request.leaf_dir & LeafDirection.D_ROOT
        )
        if not second_root:
            code = REFUSALS.get(packet.message.reason, code)
    return expect(
        case,
        join.socket,
        "FD_CONNECT",
        rule=rule,
        opens=packet.position,
        code=code,
        level=level,
        frames=(packet.number,),
        cause=f"{type(packet.message).__name__.upper()} arrived in frame {packet.number}"
        + (f" and means {error_name(code)}" if code else ""),
    )


def _unfit(accept: Packet, attempt: Attempt) -> bool:
    """Tell whether the initiator refused an ACCEPT that does not fit its request."""
    return any(
        read(packet, Abort).reason == AbortReason.PROTOCOL and packet.number > accept.number
        for membership in attempt.memberships
        for end in membership.ends
        if end.is_initiator and not end.sent(Confirm)
        for packet in end.sent(Abort)
    )


def _unanswered(case: Case, join: Join, attempt: Attempt, cancel: Packet) -> Expectation | None:
    """Expect a timeout: the agent may report it before the switch sees its CANCEL."""
    reported = [
        report.code
        for report in case.logs[join.socket.host].reports
        if report.socket == join.socket.descriptor and report.event == "FD_CONNECT"
    ]
    code = next((c for c in reported if c in UNANSWERED), int(WsaError.WSAETIMEDOUT))
    opens = attempt.requests[-2:][0].position
    began, timers = request_began(case, attempt), attempt.request.timers
    if began is not None and code == WsaError.WSAETIMEDOUT:
        opens = max(opens, case.trace.moment(began + int(waits_ns(timers, timers.mrc))))
    return expect(
        case,
        join.socket,
        "FD_CONNECT",
        rule="EV6",
        opens=opens,
        code=code,
        frames=(cancel.number,),
        cause=f"CANCEL(TIMEOUT) left in frame {cancel.number}",
        settled=cancel.position,
    )


def _folded_connect(case: Case, join: Join, membership: Membership) -> Expectation | None:
    """Find what ended the invitation that a request was folded into, as the leaf saw it."""
    leaf = membership.leaf
    ends = [*leaf.arrived(Confirm, Close, Cancel, Abort)]
    ends += [p for p in leaf.sent(Abort) if read(p, Abort).reason == AbortReason.NO_CONFIRM]
    if not ends:
        return None
    packet = min(ends, key=lambda one: one.number)
    name, arrived = type(packet.message).__name__.upper(), packet.source != leaf.endpoint
    code, rule, opens = int(WsaError.WSAECONNREFUSED), "EV5", packet.position
    if isinstance(packet.message, Confirm) and leaf.misfit:
        name = "CONFIRM that does not fit"
    elif isinstance(packet.message, Confirm | Close):
        code, rule = 0, "EV4"
    elif not arrived:
        code, rule = int(WsaError.WSAETIMEDOUT), "EV6"
        opens = leaf.sent(Accept)[-2:][0].position
    return expect(
        case,
        join.socket,
        "FD_CONNECT",
        rule=rule,
        opens=opens,
        code=code,
        frames=(packet.number,),
        cause=f"{name} of the invitation that crossed "
        f"{'arrived' if arrived else 'left'} in frame {packet.number}",
        settled=packet.position,
    )
