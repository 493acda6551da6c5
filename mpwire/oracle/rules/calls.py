"""CR1-CR10 and CR19: what calls returned, against what a call may return at that moment.

A call takes effect somewhere between the line that asked and the line that answered, so these
rules judge only where that interval leaves no doubt.
"""

from collections.abc import Iterator

from mpwire.oracle.bind import Join
from mpwire.oracle.calls import Call, error_name
from mpwire.oracle.case import Case
from mpwire.oracle.registry import PASSED, Outcome, rule
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.trace import NEVER, START, Position
from mpwire.oracle.ways import is_without_way
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Accept, Cancel, Reject, VersionNeg

LEGAL_PAIRS = (frozenset({"C_ROOT", "C_LEAF"}), frozenset({"D_ROOT", "D_LEAF"}))
DEAD_CALLS = frozenset({"send", "recv", "shutdown"})
"""Calls that need a usable socket and say ENOTCONN before (D8)."""


def said(
    condition: bool,
    call: Call,
    socket: Socket | None,
    *,
    expected: str,
    seen: str = "",
    frames: tuple[int, ...] = (),
) -> Outcome:
    """Return the outcome of a rule about one call; names the frame before it was asked."""
    if condition:
        return PASSED
    return Outcome(
        "fail",
        frames or (max(call.asked[0], 1),),
        socket.name if socket else call.host,
        f"{call}: {expected}",
        seen or call.outcome(),
        f"{call} was answered with {call.outcome()}; expected {expected}",
    )


@rule(
    "CR1",
    "An agent says only lines of its contract and numbers its event lines 1, 2, 3, ...",
    source="docs/agents.md",
    group="calls",
    needs="events",
    vantage="E",
)
def cr1(case: Case) -> Iterator[Outcome]:
    """Report every odd line and every number that is missing."""
    for log in case.logs.values():
        for oddity in log.oddities:
            yield Outcome("fail", (), log.host, "a line of the contract", oddity, oddity)
        for number in log.gaps:
            text = f"event line {number} is not where it should be"
            yield Outcome("fail", (), log.host, "event lines without gaps", text, text)
        for report in log.reports:
            if case.sockets.get(report.host, report.socket) is None:
                text = f"{report} on descriptor {report.socket}, which was never handed out"
                yield Outcome("fail", (), log.host, "a descriptor of this agent", text, text)
        if log.spoken and not log.gaps and not log.oddities:
            yield PASSED


@rule(
    "CR2",
    "A multipoint socket has exactly one C flag and exactly one D flag; other sets are refused "
    "with WSAEINVAL.",
    source="semantics W3, D1",
    group="calls",
    needs="events",
    vantage="E",
)
def cr2(case: Case) -> Iterator[Outcome]:
    """Look at every socket call."""
    for log in case.logs.values():
        for call in log.calls:
            listed = call.args.get("flags")
            if call.name != "socket" or not isinstance(listed, list) or not listed:
                continue
            flags = {str(flag) for flag in listed}
            legal = all(len(flags & pair) == 1 for pair in LEGAL_PAIRS)
            if legal and call.text("protocol") not in (None, "MPW_ROOTED"):
                continue  # which pairs a protocol has is its own matter
            if legal and (call.ok or call.error is not None):
                yield said(call.ok, call, None, expected="success")
            elif not legal:
                right = call.error == WsaError.WSAEINVAL or call.invalid is not None
                yield said(right, call, None, expected="WSAEINVAL")


@rule(
    "CR3",
    "WSPJoinLeaf on a c_root returns a new descriptor for the leaf.",
    source="semantics W10",
    group="calls",
    needs="events",
    vantage="E",
)
def cr3(case: Case) -> Iterator[Outcome]:
    """Compare with all descriptors handed out before."""
    for join in case.bindings.joins:
        if join.call.ok and join.socket.kind is Kind.ROOT:
            fresh = join.handle is not None and join.handle.maker is join.call
            given = (join.call.result or {}).get("socket")
            yield said(
                fresh,
                join.call,
                join.socket,
                expected="a new descriptor",
                seen=f"descriptor {given}",
            )


@rule(
    "CR4",
    "WSPJoinLeaf on a c_leaf returns the same descriptor.",
    source="semantics W11",
    group="calls",
    needs="events",
    vantage="E",
)
def cr4(case: Case) -> Iterator[Outcome]:
    """Compare the result with the argument."""
    for join in case.bindings.joins:
        if join.call.ok and join.socket.kind is Kind.LEAF:
            given = (join.call.result or {}).get("socket")
            yield said(
                given == join.socket.descriptor,
                join.call,
                join.socket,
                expected=f"descriptor {join.socket.descriptor}",
                seen=f"descriptor {given}",
            )


def _pending(case: Case, join: Join, call: Call) -> bool | None:
    """Tell whether a join was outstanding all through another call; None: not certain."""
    if join.attempt is None or not (join.call.ok or join.call.answered == NEVER):
        return False
    terminals = join.attempt.shelf.arrived(Accept, Reject, VersionNeg)
    ends = [packet.position for packet in [*terminals, *join.attempt.shelf.sent(Cancel)]]
    reports = case.events.reports_of(join.socket, "FD_CONNECT")
    known = [one.position for one in reports if one.position > join.call.asked]
    if join.handle is not None and join.handle is not join.socket:
        ends.append(join.handle.closed)
        known.append(join.handle.gone)
    if min([*ends, *known], default=NEVER) > call.answered:
        return True
    return False if min(known, default=NEVER) < call.asked else None


@rule(
    "CR5",
    "While a join is outstanding on a socket another one fails with WSAEALREADY, and only then.",
    source="semantics W29, W32",
    group="calls",
    needs="events",
    vantage="E",
)
def cr5(case: Case) -> Iterator[Outcome]:
    """Compare every join with the one before it on the same socket."""
    for join in case.bindings.joins:
        earlier = [
            one
            for one in case.bindings.joins
            if one.socket is join.socket and one.call.asked < join.call.asked
        ]
        states = [_pending(case, one, join.call) for one in earlier]
        code = join.call.error
        if True in states:
            yield said(code == WsaError.WSAEALREADY, join.call, join.socket, expected="WSAEALREADY")
        elif None not in states and code == WsaError.WSAEALREADY:
            yield said(False, join.call, join.socket, expected="no WSAEALREADY")


@rule(
    "CR6",
    "WSPJoinLeaf on a c_leaf that is a member fails with WSAEISCONN.",
    source="semantics W30",
    group="calls",
    needs="events",
    vantage="E",
)
def cr6(case: Case) -> Iterator[Outcome]:
    """Look at joins asked after FD_CONNECT(0) was reported and before the membership ended."""
    for join in case.bindings.joins:
        if join.socket.kind is not Kind.LEAF or join.call.answered == NEVER:
            continue
        connected = _connected_at(case, join.socket)
        if connected < join.call.asked and join.call.answered < _ended_at(join.socket):
            yield said(
                join.call.error == WsaError.WSAEISCONN,
                join.call,
                join.socket,
                expected="WSAEISCONN",
            )


def _connected_at(case: Case, socket: Socket) -> Position:
    reports = case.events.reports_of(socket, "FD_CONNECT")
    return min((r.position for r in reports if r.code == 0), default=NEVER)


def _ended_at(socket: Socket) -> Position:
    if socket.membership is None:
        return START
    return min(socket.membership.leaf.ended(), socket.closed)


@rule(
    "CR7",
    "WSPJoinLeaf never returns WSAEWOULDBLOCK.",
    source="semantics W21, D19",
    group="calls",
    needs="events",
    vantage="E",
)
def cr7(case: Case) -> Iterator[Outcome]:
    """Look at the result of every join."""
    for join in case.bindings.joins:
        if join.call.answered < NEVER:
            yield said(
                join.call.error != WsaError.WSAEWOULDBLOCK,
                join.call,
                join.socket,
                expected="a descriptor or another error",
            )


@rule(
    "CR8",
    "Before FD_CONNECT on the root the new descriptor is unusable: WSAENOTCONN.",
    source="semantics W24, D8",
    group="calls",
    needs="events",
    vantage="E",
)
def cr8(case: Case) -> Iterator[Outcome]:
    """Look at calls on P that were answered before an ACCEPT arrived."""
    for join in case.bindings.joins:
        handle = join.handle
        if handle is None or handle is join.socket or join.attempt is None:
            continue
        accepts = join.attempt.shelf.arrived(Accept)
        usable = accepts[0].position if accepts else NEVER
        for call in case.logs[handle.host].calls:
            about = call.socket == handle.descriptor and call.name in DEAD_CALLS
            if about and call.answered < min(usable, handle.closed):
                right = call.error == WsaError.WSAENOTCONN
                yield said(right, call, handle, expected="WSAENOTCONN")


@rule(
    "CR9",
    "A call on a descriptor that was closed fails with WSAENOTSOCK.",
    source="semantics W83",
    group="calls",
    needs="events",
    vantage="E",
)
def cr9(case: Case) -> Iterator[Outcome]:
    """Look at calls asked after the close was answered."""
    for log in case.logs.values():
        for call in log.calls:
            socket = case.sockets.get(call.host, call.socket or 0)
            if socket is None or call.answered == NEVER:
                continue
            if call.asked < socket.given_back(call.socket or 0):
                continue
            yield said(
                call.error == WsaError.WSAENOTSOCK,
                call,
                socket,
                expected=error_name(WsaError.WSAENOTSOCK),
            )


@rule(
    "CR10",
    "Every join to an address that its host has a way to sends a JOIN_REQ, and every JOIN_REQ was "
    "asked for by a join.",
    source="semantics W10-W12, W29",
    group="calls",
    needs="events",
    vantage="E",
)
def cr10(case: Case) -> Iterator[Outcome]:
    """Count joins without an attempt, and attempts without a join."""
    bound = {id(join.attempt) for join in case.bindings.joins if join.attempt is not None}
    open_ones = {opening.call.asked for opening in case.openings}
    for join in case.bindings.joins:
        if join.call.ok and join.call.asked not in open_ones:
            proved = case.settled(join.call.host, join.call.asked) is not None
            proved = proved and not is_without_way(case, join)
            if join.attempt is not None or proved:
                yield said(
                    join.attempt is not None,
                    join.call,
                    join.socket,
                    expected="a JOIN_REQ to the address",
                    seen="success, and no JOIN_REQ",
                )
    for attempt in case.history.attempts:
        if attempt.initiator_host in case.logs and id(attempt) not in bound:
            first = attempt.first
            yield Outcome(
                "fail",
                (first.number,),
                first.sender_name,
                "a join call for every attempt",
                "a JOIN_REQ that no call explains",
                f"no join call explains the JOIN_REQ in frame {first.number}",
            )


@rule(
    "CR19",
    "Every call is answered; only a select, and a join, an accept, a receive, a send or a wait for "
    "a change on a blocking socket, may stay open, and a join no longer than its attempt.",
    source="docs/agents.md; semantics W20, W21",
    group="calls",
    needs="events",
    vantage="E",
)
def cr19(case: Case) -> Iterator[Outcome]:
    """Look for calls without an answer; a later answer proves that they were forgotten."""
    for log in case.logs.values():
        yield from (PASSED for call in log.calls if call.answered < NEVER)
    for call in case.unanswered():
        socket = case.sockets.get(call.host, call.socket or 0)
        calls = case.logs[call.host].calls
        later = any(one.asked > call.asked and one.answered < NEVER for one in calls)
        yield Outcome(
            "fail" if later else "unsure",
            (max(call.asked[0], 1),),
            socket.name if socket else call.host,
            f"{call}: an answer",
            "none",
            f"{call} was never answered" + (", but later calls were" if later else ""),
        )
    for join in case.bindings.joins:
        yield from _returned(case, join)


def _returned(case: Case, join: Join) -> Iterator[Outcome]:
    """Judge a blocking join whose answer has arrived and was provably worked off."""
    call = join.call
    answers = join.attempt.shelf.arrived(Accept, Reject) if join.attempt is not None else []
    if call.answered < NEVER or not answers:
        return
    life = case.logs[call.host].life_at(call.asked)
    known = case.settled(call.host, answers[0].position)
    if known is not None and known < life.ended:
        yield Outcome(
            "fail",
            (answers[0].number,),
            join.socket.name,
            f"{call}: an answer",
            "none",
            f"{call} was never answered, although frame {answers[0].number} ended the join",
        )
