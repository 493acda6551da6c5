"""CR11-CR20: accepting, callee data, and what closing a socket sends."""

from collections.abc import Iterator

from mpwire.oracle.bind import Acceptance, Entry
from mpwire.oracle.case import Case
from mpwire.oracle.expect_join import head_of
from mpwire.oracle.membership import Attempt, End
from mpwire.oracle.registry import PASSED, Outcome, rule
from mpwire.oracle.rules.calls import said
from mpwire.oracle.rules.dismantling import waited
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Socket, endpoint_of
from mpwire.oracle.trace import NEVER, Position
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Accept, Cancel, Close, Pending, Reject
from mpwire.wire.numbers import CloseReason


@rule(
    "CR11",
    "A successful accept sends ACCEPT to the request at the head of the queue and returns a new "
    "descriptor.",
    source="semantics W35, W40, W47",
    group="calls",
    needs="events",
    vantage="E",
)
def cr11(case: Case) -> Iterator[Outcome]:
    """Find the ACCEPT of every accept call that succeeded."""
    for one in case.bindings.acceptances:
        if not one.call.ok:
            continue
        accepts = one.attempt.shelf.sent(Accept) if one.attempt else []
        sent = any(packet.position > one.call.asked for packet in accepts)
        yield said(
            sent,
            one.call,
            one.listener,
            expected="an ACCEPT to the address it returned",
            seen="success, and no ACCEPT",
        )
        yield said(
            one.handle is not None and one.handle.maker is one.call,
            one.call,
            one.listener,
            expected="a new descriptor",
            seen=f"descriptor {(one.call.result or {}).get('socket')}",
        )


@rule(
    "CR12",
    "An accept that fails with WSAECONNREFUSED sends REJECT(APP_REFUSED).",
    source="semantics W36, W42",
    group="calls",
    needs="events",
    vantage="E",
)
def cr12(case: Case) -> Iterator[Outcome]:
    """Find the REJECT of every accept call that refused."""
    for one in case.bindings.acceptances:
        if one.call.error == WsaError.WSAECONNREFUSED:
            yield said(
                one.attempt is not None,
                one.call,
                one.listener,
                expected="a REJECT(APP_REFUSED)",
                seen="WSAECONNREFUSED, and no REJECT",
            )


@rule(
    "CR13",
    "An accept that defers sends nothing and leaves the request at the head.",
    source="semantics W43",
    group="calls",
    needs="events",
    vantage="E",
)
def cr13(case: Case) -> Iterator[Outcome]:
    """Check that no final answer left between a deferral and the next accept."""
    for one in case.bindings.acceptances:
        if one.call.error != WsaError.WSATRY_AGAIN:
            continue
        queue = case.bindings.queues.get(one.listener, [])
        head = head_of(queue, one)
        if head is None:
            yield said(False, one.call, one.listener, expected="WSAEWOULDBLOCK: nobody waits")
            continue
        later = [c.asked for c in one.listener.accepts if c.asked > one.call.asked]
        # Whoever ends the session refuses all who wait (SESSION_CLOSING).
        ended = [c.asked for c in one.listener.shutdowns if c.text("how") == "BOTH"]
        until = min([*later, *ended, one.listener.closed])
        answers = [
            packet
            for packet in head.attempt.shelf.sent(Accept, Reject)
            if one.call.asked < packet.position < until
        ]
        yield said(
            not answers,
            one.call,
            one.listener,
            expected="no answer to the joiner",
            seen="an answer",
            frames=tuple(packet.number for packet in answers),
        )


@rule(
    "CR14",
    "An accept fails with WSAEWOULDBLOCK only when nothing is queued.",
    source="semantics W48",
    group="calls",
    needs="events",
    vantage="E",
)
def cr14(case: Case) -> Iterator[Outcome]:
    """Look for a request that was provably queued: its PENDING had left before the call."""
    for one in case.bindings.acceptances:
        if one.call.error != WsaError.WSAEWOULDBLOCK:
            continue
        waiting = [
            entry
            for entry in case.bindings.queues.get(one.listener, [])
            if _surely_waits(case, entry, one)
        ]
        yield said(
            not waiting,
            one.call,
            one.listener,
            expected="the request that was waiting",
            frames=tuple(entry.arrival.number for entry in waiting),
        )


def _surely_waits(case: Case, entry: Entry, one: Acceptance) -> bool:
    """Tell whether a request was in the queue, and seen there, all through an accept call."""
    shelf = entry.attempt.shelf
    queued = [p.position for p in shelf.sent(Pending)]
    over = [*shelf.arrived(Cancel), *shelf.sent(Reject, Accept)]
    decided = entry.taken.call.asked if entry.taken is not None else NEVER
    return (
        min(queued, default=NEVER) < one.call.asked
        and decided > one.call.asked
        and not any(packet.position < one.call.answered for packet in over)
        and not any(_hides(case, other, entry, one) for other in case.history.attempts)
    )


def _hides(case: Case, invitation: Attempt, entry: Entry, one: Acceptance) -> bool:
    """Tell whether an invitation to the same leaf may have hidden its request (RM16).

    It hides it until it has been refused; when it was accepted, the request is gone for good.
    """
    ways = (invitation.responder, invitation.initiator)
    if ways != (entry.attempt.initiator, entry.attempt.responder):
        return False
    asked = [join.call.asked for join in case.bindings.joins if join.attempt is invitation]
    if min([invitation.first.position, *asked]) > one.call.answered:
        return False
    shown = case.settled(one.call.host, invitation.resolved())
    return bool(invitation.shelf.arrived(Accept)) or shown is None or shown > one.call.asked


@rule(
    "CR15",
    "Accept returns the address and the caller data of the oldest request in the queue.",
    source="semantics W15, W42, W43, W46",
    group="calls",
    needs="events",
    vantage="E",
)
def cr15(case: Case) -> Iterator[Outcome]:
    """Compare the result with the queue and with the JOIN_REQ, and so what was asked about."""
    for one in case.bindings.acceptances:
        yield from _asked_in_turn(case, one)
        if not one.call.ok or one.attempt is None or one.call.result is None:
            continue
        skipped = [
            entry
            for entry in case.bindings.queues.get(one.listener, [])
            if entry.attempt is not one.attempt
            and entry.arrival.number < _arrival(case, one)
            and _surely_waits(case, entry, one)
        ]
        yield said(
            not skipped and endpoint_of(one.call.result.get("address")) == one.attempt.initiator,
            one.call,
            one.listener,
            expected="the oldest request",
            seen=f"{one.call.result.get('address')}",
            frames=tuple(entry.arrival.number for entry in skipped),
        )
        data = one.attempt.request.caller_data
        wanted = data.hex() if data else None
        given = one.call.result.get("caller_data") or None
        yield said(
            given == wanted,
            one.call,
            one.listener,
            expected=f"caller data {wanted}",
            seen=f"caller data {given}",
        )


def _asked_in_turn(case: Case, one: Acceptance) -> Iterator[Outcome]:
    """Compare what the condition function was asked about with the head of the queue."""
    queue = case.bindings.queues.get(one.listener, [])
    for decided in case.logs[one.call.host].decided.values():
        if decided.call != one.call.id:
            continue
        address = decided.condition.get("address")
        initiator = endpoint_of(address)
        meant = [
            entry.arrival.number
            for entry in queue
            if entry.attempt.initiator == initiator and entry.arrival.position < decided.asked
        ]
        skipped = [
            entry
            for entry in queue
            if entry.attempt.initiator != initiator
            and entry.arrival.number < max(meant, default=0)
            and _surely_waits(case, entry, one)
        ]
        yield said(
            not skipped,
            one.call,
            one.listener,
            expected="to be asked about the oldest request",
            seen=f"asked about {address}",
            frames=tuple(entry.arrival.number for entry in skipped),
        )


def _arrival(case: Case, one: Acceptance) -> int:
    for entry in case.bindings.queues.get(one.listener, []):
        if entry.attempt is one.attempt:
            return entry.arrival.number
    return 0


@rule(
    "CR16",
    "Callee data reaches the joiner as the acceptor gave it.",
    source="semantics W16",
    group="calls",
    needs="events",
    vantage="E",
)
def cr16(case: Case) -> Iterator[Outcome]:
    """Compare what was given to accept, what ACCEPT carries and what the joiner was told."""
    for one in case.bindings.acceptances:
        membership = one.attempt.membership if one.attempt else None
        if one.call.ok and membership is not None:
            given = _given(case, one)
            carried = (read(membership.accept, Accept).callee_data or b"").hex()
            yield said(
                carried == given,
                one.call,
                one.listener,
                expected=f"callee data {given!r} in ACCEPT",
                seen=f"callee data {carried!r}",
                frames=(membership.accept.number,),
            )
    for log in case.logs.values():
        for call in log.calls:
            socket = case.sockets.get(call.host, call.socket or 0)
            if call.name not in ("callee_data", "join_leaf") or not call.ok or socket is None:
                continue
            told = (call.result or {}).get("callee_data")
            carried_there = _carried(case, socket, call.asked, call.name)
            if told is not None and carried_there is not None:
                yield said(
                    told == carried_there,
                    call,
                    socket,
                    expected=f"callee data {carried_there!r}",
                    seen=f"{told!r}",
                )


def _given(case: Case, one: Acceptance) -> str:
    for decided in case.logs[one.call.host].decided.values():
        if decided.call == one.call.id:
            return (decided.callee_data or "").lower()
    return (one.call.text("callee_data") or "").lower()


def _carried(case: Case, socket: Socket, asked: Position, name: str) -> str | None:
    """Return the callee data of the newest ACCEPT that ended a join of this socket."""
    found: str | None = None
    for join in case.bindings.joins:
        accepts = join.attempt.shelf.arrived(Accept) if join.attempt else []
        if join.socket is not socket or not accepts:
            continue
        if name == "join_leaf" and join.call.asked != asked:
            continue
        if name == "callee_data" and accepts[0].position > asked:
            continue
        found = (read(accepts[0], Accept).callee_data or b"").hex()
    return found


@rule(
    "CR17",
    "A membership is closed only because a call asked for it: LEAVE by closing or shutting down "
    "the leaf end, EXPEL by the handle, DISMANTLE by the root.",
    source="semantics W66-W69, W78; protocol.md R61",
    group="calls",
    needs="events",
    vantage="E",
)
def cr17(case: Case) -> Iterator[Outcome]:
    """Find the call before the first copy of every CLOSE."""
    for end in case.ends():
        if end.host not in case.logs:
            continue
        for packet in end.sent(Close)[:1]:
            reason = read(packet, Close).reason
            yield (
                PASSED
                if asked_to_close(case, end, reason, packet.position)
                else Outcome(
                    "fail",
                    (packet.number,),
                    end.name,
                    "a close or shutdown call",
                    f"CLOSE with reason {reason}",
                    f"no call explains the CLOSE in frame {packet.number}",
                )
            )


def asked_to_close(case: Case, end: End, reason: int, before: Position) -> bool:
    """Tell whether a call, or the end of the agent, explains that a membership is closed."""
    handle = case.socket_of(end)
    root = case.session_socket(end)
    if case.life_end(end.host, end.begun) < before:
        return True
    for socket in {handle, root if reason == CloseReason.DISMANTLE else handle}:
        if socket and min(_begins_to_end(socket), _unanswered_end(case, socket)) < before:
            return True
    return handle is None


def _begins_to_end(socket: Socket) -> Position:
    ending = [call.asked for call in socket.shutdowns if call.text("how") in ("SEND", "BOTH")]
    return min([socket.closing.asked if socket.closing else NEVER, *ending])


def _unanswered_end(case: Case, socket: Socket) -> Position:
    """Return where a close or shutdown was asked whose agent was killed before it answered."""
    calls = case.logs[socket.host].unanswered
    ends = [call for call in calls if call.name in ("close", "shutdown")]
    return min((call.asked for call in ends if socket.has(call.socket)), default=NEVER)


@rule(
    "CR18",
    "Closing or shutting down a member's socket tells the peer: CLOSE, or ABORT with linger 0.",
    source="semantics W66-W69, W81, W82",
    group="calls",
    needs="events",
    vantage="E",
)
def cr18(case: Case) -> Iterator[Outcome]:
    """Look for the CLOSE or ABORT of every handle that ended while its membership was alive."""
    for end in case.ends():
        handle = case.socket_of(end)
        root = case.session_socket(end)
        if handle is None or root is None:
            continue
        asked = min(_begins_to_end(handle), _begins_to_end(root))
        gone_before = [p.position for p in [*end.arrived(Close, Abort, Cancel), *end.sent(Abort)]]
        over = min([end.died, *gone_before])
        usable = end.started() < asked < over
        if asked == NEVER or not usable:
            continue
        told = end.sent(Close, Abort, Cancel)
        begun = case.settled(end.host, asked)
        if told:
            yield PASSED
        elif begun and waited(case, end, case.trace.when(begun), over)[1]:
            yield Outcome(
                "fail",
                (end.membership.accept.number,),
                handle.name,
                "CLOSE or ABORT to the peer",
                "neither",
                f"{handle.name} was closed or shut down and {end.peer.name} was never told",
            )
