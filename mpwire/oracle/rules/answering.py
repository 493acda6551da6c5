"""R42-R52: who had to answer during a join, who had to be silent, and what excludes what."""

from collections.abc import Iterator
from itertools import pairwise

from mpwire.oracle.case import Case
from mpwire.oracle.membership import Attempt, End, Membership
from mpwire.oracle.obligations import owed
from mpwire.oracle.registry import PASSED, Kind, Outcome, broken, rule, verify
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    Confirm,
    JoinReq,
    Message,
    Pending,
    Reject,
)
from mpwire.wire.numbers import CloseReason, HeaderFlag, RejectReason, TimersFlag

POLL_FLOOR_MS = 3000
JITTER = 0.9
TOO_EARLY = 0.5
STARVED_MS = 500
"""Below this share of the law, and earlier by more than this, a copy is wrong; otherwise it is
worth a warning, because the time of a frame is when a perhaps busy switch handled it."""
SLACK_NS = 1_000_000_000


@rule(
    "R42",
    "Every copy of ACCEPT that arrives while the attempt is open or joined is answered by one "
    "CONFIRM that echoes it, or by ABORT.",
    source="protocol.md 17.3 R42",
    group="join",
    needs="history",
    vantage="R+S",
)
def r42(case: Case) -> Iterator[Outcome]:
    """Count arrivals and confirmations per copy at the initiator."""
    for membership in case.history.memberships:
        end = next(one for one in membership.ends if one.is_initiator)
        confirms = end.sent(Confirm)
        for confirm in confirms:
            number = read(confirm, Confirm).attempt
            sent = sum(
                read(c, Confirm).attempt == number for c in confirms if c.number <= confirm.number
            )
            arrived = sum(
                read(a, Accept).attempt == number
                for a in end.arrived(Accept)
                if a.number < confirm.number
            )
            if confirm.direction == "out":
                yield verify(
                    sent <= arrived,
                    confirm,
                    expected=f"at most {arrived} CONFIRM for copy {number}",
                    seen=f"{sent}",
                )
        for arrival in end.arrived(Accept):
            outcome = _confirmed(case, end, arrival, confirms)
            if outcome is not None:
                yield outcome


def _confirmed(case: Case, end: End, arrival: Packet, confirms: list[Packet]) -> Outcome | None:
    attempt = end.membership.attempt
    over = [*attempt.shelf.arrived(Reject), *attempt.shelf.sent(Cancel)]
    if end.ended() < arrival.position or any(p.number < arrival.number for p in over):
        return None
    number = read(arrival, Accept).attempt
    answers = [
        packet
        for packet in [*confirms, *end.sent(Abort)]
        if packet.number > arrival.number
        and (isinstance(packet.message, Abort) or read(packet, Confirm).attempt == number)
    ]
    return owed(case, arrival, answers, expected="CONFIRM or ABORT", due_to="ACCEPT")


@rule(
    "R43",
    "CONFIRM is sent only after an ACCEPT of that attempt arrived.",
    source="protocol.md 17.3 R43",
    group="join",
    needs="history",
    vantage="N",
)
def r43(case: Case) -> Iterator[Outcome]:
    """Compare the order at the initiator; a CONFIRM to an unknown tag has no ACCEPT at all."""
    for packet in case.own:
        if not isinstance(packet.message, Confirm):
            continue
        membership = case.history.owner(packet)
        arrived = membership.shelf.arrived(Accept) if membership else []
        yield verify(
            any(accept.number < packet.number for accept in arrived),
            packet,
            expected="an ACCEPT before it",
            seen="CONFIRM without one",
        )


@rule(
    "R44",
    "After ACCEPT or REJECT arrived, or CANCEL was sent, no copy of the request follows.",
    source="protocol.md 17.3 R44",
    group="join",
    needs="history",
    vantage="R+S",
)
def r44(case: Case) -> Iterator[Outcome]:
    """Judge from where the terminal was provably known: a reaction to it, or a barrier."""
    for attempt in case.history.attempts:
        if attempt.first.direction != "out" or attempt.resolved() == NEVER:
            continue
        known = _known_over(case, attempt)
        for copy in attempt.requests:
            yield verify(
                copy.position < known,
                copy,
                expected="no copy after the end of the attempt",
                seen=f"copy {read(copy, JoinReq).attempt} of JOIN_REQ",
            )


def _known_over(case: Case, attempt: Attempt) -> Position:
    """Return from where the initiator certainly knew that its attempt was over."""
    reactions = [p.position for p in attempt.shelf.sent(Cancel, Confirm)]
    reactions += [
        case.silent_from(attempt.initiator_host, terminal.position)
        for terminal in attempt.shelf.arrived(Accept, Reject)
    ]
    return min(reactions, default=NEVER)


@rule(
    "R45",
    "After PENDING arrived, copies of the request keep the announced distance, except in answer "
    "to a CHALLENGE.",
    source="protocol.md 17.3 R45",
    group="join",
    needs="history",
    vantage="R+S",
)
def r45(case: Case) -> Iterator[Outcome]:
    """Measure the gaps between polls."""
    for attempt in case.history.attempts:
        pendings = attempt.shelf.arrived(Pending)
        copies = [p for p in attempt.requests if p.direction == "out"]
        for before, after in pairwise(copies):
            told = [p for p in pendings if p.number < before.number]
            challenged = any(
                before.number < p.number < after.number for p in attempt.shelf.arrived(Challenge)
            )
            if not told or challenged:
                continue
            gap_ms = (after.time_ns - before.time_ns) / 1e6
            yield _spaced(attempt, read(told[-1], Pending).poll_ms, gap_ms, [before, after])


def _spaced(attempt: Attempt, poll_ms: int, gap_ms: float, frames: list[Packet]) -> Outcome:
    controlled = attempt.request.timers.tflags & TimersFlag.CONTROLLED
    law_ms = poll_ms if controlled else max(poll_ms, POLL_FLOOR_MS)
    if gap_ms >= JITTER * law_ms:
        return PASSED
    return broken(
        frames,
        expected=f"at least {JITTER * law_ms:.0f} ms",
        seen=f"{gap_ms:.0f} ms",
        kind=too_early(gap_ms, law_ms),
    )


def too_early(gap_ms: float, law_ms: float) -> Kind:
    """Say how bad it is that a copy left early, given that frames may be recorded late."""
    return "fail" if gap_ms < TOO_EARLY * law_ms and law_ms - gap_ms > STARVED_MS else "late"


@rule(
    "R46",
    "Every attempt reaches a final message within the announced Pend and RTOmax.",
    source="protocol.md 17.3 R46",
    group="join",
    needs="history",
    vantage="N",
)
def r46(case: Case) -> Iterator[Outcome]:
    """Look for attempts that stayed open; a late end is a warning, none at all is a failure."""
    for attempt in case.history.attempts:
        if attempt.first.direction != "out":
            continue
        timers = attempt.request.timers
        limit_ns = (timers.pend_ms + timers.rto_maximum_ms) * 1_000_000
        over = attempt.resolved()
        lasted_ns = case.trace.when(min(over, case.life_end(attempt.initiator_host, attempt.begun)))
        lasted_ns -= attempt.first.time_ns
        if lasted_ns <= limit_ns + SLACK_NS:
            if over != NEVER:
                yield PASSED
            continue
        yield broken(
            attempt.first,
            expected=f"ACCEPT, REJECT or CANCEL within {limit_ns / 1e9:.1f} s",
            seen=f"open for {lasted_ns / 1e9:.1f} s",
            kind="fail" if over == NEVER else "late",
        )


@rule(
    "R47",
    "Every CANCEL is answered by CANCEL_ACK with its Seq and Attempt.",
    source="protocol.md 17.3 R47",
    group="join",
    needs="history",
    vantage="R+S",
)
def r47(case: Case) -> Iterator[Outcome]:
    """Pair them at the host that received the CANCEL, while it had a socket there."""
    for attempt in case.history.attempts:
        for arrival in attempt.shelf.arrived(Cancel):
            if not any(case.bound_at(arrival.host, arrival, sending=False)):
                continue
            answers = [
                answer
                for answer in attempt.shelf.sent(CancelAck)
                if answer.number > arrival.number
                and read(answer, CancelAck).seq == read(arrival, Cancel).seq
                and read(answer, CancelAck).attempt == read(arrival, Cancel).attempt
            ]
            outcome = owed(case, arrival, answers, expected="CANCEL_ACK", due_to="CANCEL")
            if outcome is not None:
                yield outcome


@rule(
    "R48",
    "From its first CLOSE(DISMANTLE) on, a root admits nobody: only CHALLENGE or "
    "REJECT(SESSION_CLOSING), and no invitation.",
    source="protocol.md 17.3 R48",
    group="join",
    needs="history",
    vantage="S",
)
def r48(case: Case) -> Iterator[Outcome]:
    """Look at what the root sends in the session afterwards."""
    dismantled: dict[tuple[object, int], Packet] = {}
    begun: set[int] = set()
    refused: dict[int, int] = {}
    for packet in case.own:
        message = packet.message
        key = (packet.source, message.session_id if message else 0)
        if isinstance(message, Close) and message.reason == CloseReason.DISMANTLE:
            dismantled.setdefault(key, packet)
        first = dismantled.get(key)
        if first is None:
            if isinstance(message, Accept):
                begun.add(message.destination_tag)
            elif isinstance(message, JoinReq):
                begun.add(message.init_tag)
            elif isinstance(message, Reject):
                refused[message.destination_tag] = message.reason
        elif isinstance(message, JoinReq | Pending | Accept | Reject):
            yield verify(
                _still_allowed(message, begun, refused),
                [first, packet],
                expected="CHALLENGE or REJECT(SESSION_CLOSING)",
                seen=f"{type(message).__name__} after the dismantling began",
            )


def _still_allowed(message: Message, begun: set[int], refused: dict[int, int]) -> bool:
    if isinstance(message, Reject):
        allowed = {RejectReason.SESSION_CLOSING, RejectReason.NOT_LISTENING}
        earlier = refused.get(message.destination_tag)
        return message.reason in allowed or message.reason == earlier
    if isinstance(message, Accept):
        return message.destination_tag in begun and message.attempt > 1
    return False


@rule(
    "R50",
    "A root does not answer a peer with PENDING or ACCEPT while its own invitation to that peer "
    "is unresolved.",
    source="protocol.md 17.3 R50",
    group="join",
    needs="history",
    vantage="N",
)
def r50(case: Case) -> Iterator[Outcome]:
    """Compare the answers to leaves with the invitations to the same addresses."""
    for invitation in case.history.attempts:
        if not invitation.by_root or invitation.first.direction != "out":
            continue
        begin, over = invitation.first.position, invitation.resolved()
        yield PASSED
        for attempt in case.history.between(invitation.responder, invitation.initiator):
            if attempt.by_root:
                continue
            accepts = attempt.shelf.sent(Accept)
            if accepts and accepts[0].position < begin:
                continue
            for packet in attempt.shelf.sent(Pending, Accept):
                if begin < packet.position < over:
                    yield broken(
                        [invitation.first, packet],
                        expected="no answer to a peer that is being invited",
                        seen=type(packet.message).__name__,
                    )


@rule(
    "R51",
    "A leaf that accepts an invitation while its own request to that root is open sets flag X and "
    "sends no more copies; flag X stands nowhere else.",
    source="protocol.md 17.3 R51",
    group="join",
    needs="history",
    vantage="N",
)
def r51(case: Case) -> Iterator[Outcome]:
    """Compare ACCEPTs of leaves with their own open requests."""
    for attempt in case.history.attempts:
        for packet in attempt.shelf.sent(Accept):
            flagged = bool(packet.message and packet.message.flags & HeaderFlag.X)
            if packet.direction != "out" or not (attempt.by_root or flagged):
                continue
            crossed = [
                other
                for other in case.history.between(attempt.responder, attempt.initiator)
                if other.first.number < packet.number
            ]
            certainly = [one for one in crossed if one.resolved() > packet.position]
            possibly = [one for one in crossed if _known_over(case, one) > packet.position]
            yield verify(
                flagged == bool(certainly) or flagged == bool(possibly),
                packet,
                expected="flag X exactly when the leaf's own request is open",
                seen=f"flag X {'set' if flagged else 'clear'}",
            )
            if flagged and crossed:
                later = [c for one in crossed for c in one.requests if c.number > packet.number]
                yield verify(
                    not later,
                    [packet, *later],
                    expected="no copy of the folded request",
                    seen="a copy of JOIN_REQ",
                )


@rule(
    "R52",
    "There is at most one live membership per session and pair of addresses.",
    source="protocol.md 17.3 R52",
    group="join",
    needs="history",
    vantage="1",
)
def r52(case: Case) -> Iterator[Outcome]:
    """Look for an ACCEPT while the same root address holds a membership with the same leaf."""
    before: dict[tuple[object, ...], list[Membership]] = {}
    for membership in case.history.memberships:
        key = (membership.session_id, membership.root.endpoint, membership.leaf.endpoint)
        known = before.setdefault(key, [])
        earlier = [
            one
            for one in known
            if all(
                end.started() < membership.accept.position < _over(case, end) for end in one.ends
            )
        ]
        known.append(membership)
        yield verify(
            not earlier,
            [*(one.accept for one in earlier), membership.accept],
            expected="no second membership of the same addresses",
            seen="an ACCEPT while the first is alive",
        )


def _over(case: Case, end: End) -> Position:
    return min(end.ended(), case.life_end(end.host, end.begun))
