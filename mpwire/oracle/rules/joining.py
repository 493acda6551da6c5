"""R28-R34: join requests and cookies."""

from collections.abc import Iterator

import msgspec

from mpwire.oracle.case import Case
from mpwire.oracle.membership import Attempt, Membership
from mpwire.oracle.registry import Outcome, broken, rule, verify
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Position
from mpwire.wire.messages import (
    Challenge,
    JoinReq,
)
from mpwire.wire.numbers import (
    JOIN_REQ_MIN_OCTETS,
    JoinFlags,
    Planes,
    Role,
)

DIRECTIONS = {JoinFlags.SENDER_ONLY: 1, JoinFlags.RECEIVER_ONLY: 2, JoinFlags.BOTH: 3}
"""LeafDir of a leaf that joins with these flags; an invitation mirrors 1 and 2."""
MIRRORED = {1: 2, 2: 1, 3: 3}


def _until_over(case: Case, attempt: Attempt) -> Position:
    """Return where an attempt was over: its terminal, its folding, or the end of its process."""
    folded = attempt.folded.accept.position if attempt.folded else NEVER
    return min(attempt.resolved(), case.life_end(attempt.initiator_host, attempt.begun), folded)


def _overlaps(case: Case, *, by_root: bool) -> Iterator[Outcome]:
    """Check that an initiator begins no attempt while an earlier one of its is open."""
    open_ones: dict[object, list[Attempt]] = {}
    for attempt in sorted(case.history.attempts, key=lambda one: one.first.number):
        if attempt.by_root != by_root or attempt.first.direction != "out":
            continue
        key = (attempt.initiator, attempt.request.session_id if by_root else 0)
        earlier = [
            one for one in open_ones.get(key, []) if _until_over(case, one) > attempt.first.position
        ]
        member = None if by_root else _membership_of(case, attempt)
        if member is not None:
            yield broken(
                [member.accept, attempt.first],
                expected="no request from a socket that is a member",
                seen="a new JOIN_REQ",
            )
        yield verify(
            not earlier,
            [*(one.first for one in earlier), attempt.first],
            expected="one unresolved request at a time",
            seen="a JOIN_REQ with another InitTag while the first was unresolved",
        )
        open_ones.setdefault(key, []).append(attempt)


def _membership_of(case: Case, attempt: Attempt) -> Membership | None:
    """Return a membership that the initiating leaf address still held as the attempt began."""
    start = attempt.first.position
    for membership in case.history.of_leaf(attempt.initiator):
        end = membership.leaf
        alive = end.started() < start < min(end.ended(), case.life_end(end.host, end.begun))
        if end.is_initiator and alive:
            return membership
    return None


@rule(
    "R28",
    "A root has at most one unresolved invitation.",
    source="protocol.md 17.3 R28",
    group="join",
    needs="history",
    vantage="S",
)
def r28(case: Case) -> Iterator[Outcome]:
    """Look for invitations of one session that overlap."""
    return _overlaps(case, by_root=True)


@rule(
    "R29",
    "A leaf socket has at most one unresolved request, and none while it is a member.",
    source="protocol.md 17.3 R29",
    group="join",
    needs="history",
    vantage="S",
)
def r29(case: Case) -> Iterator[Outcome]:
    """Look for requests of one leaf address that overlap."""
    return _overlaps(case, by_root=False)


@rule(
    "R30",
    "An invitation names a rooted plane and a session; JL and LeafDir agree, mirrored in an "
    "invitation.",
    source="protocol.md 17.3 R30",
    group="join",
    needs="frame",
    vantage="1",
)
def r30(case: Case) -> Iterator[Outcome]:
    """Compare the fields of every JOIN_REQ."""
    for packet in case.sent_of(JoinReq):
        message = read(packet, JoinReq)
        direction = DIRECTIONS[JoinFlags(message.jl)]
        if message.role == Role.C_ROOT:
            direction = MIRRORED[direction]
            rooted = bool(message.planes & Planes.CONTROL_ROOTED) and message.session_id != 0
            yield verify(
                rooted,
                packet,
                expected="rooted control and a Session ID in an invitation",
                seen=f"Planes {message.planes:#x}, Session ID {message.session_id:016x}",
            )
        yield verify(
            message.leaf_dir & 3 == direction,
            packet,
            expected=f"LeafDir {direction} for JL {message.jl} in role {message.role}",
            seen=f"LeafDir {message.leaf_dir & 3}",
        )


def _essence(message: JoinReq) -> bytes:
    """Return what must not differ between copies, as octets."""
    kept = msgspec.structs.replace(
        message, attempt=1, cookie=None, pad_octets=None, auth=None, flags=0, extra=()
    )
    return msgspec.json.encode(msgspec.structs.asdict(kept))


@rule(
    "R31",
    "Copies of a request differ only in Attempt, COOKIE, PAD, AUTH, GREASE and flags G and A; the "
    "first copy has no COOKIE.",
    source="protocol.md 17.3 R31",
    group="join",
    needs="frames",
    vantage="S",
)
def r31(case: Case) -> Iterator[Outcome]:
    """Compare every copy with the first one seen."""
    for attempt in case.history.attempts:
        for packet in attempt.requests:
            message = read(packet, JoinReq)
            yield verify(
                _essence(message) == _essence(attempt.request),
                [attempt.first, packet],
                expected="copies with the same fields",
                seen=f"copy {message.attempt} differs",
            )
            yield verify(
                message.attempt > 1 or message.cookie is None,
                packet,
                expected="no COOKIE in the first copy",
                seen="a COOKIE",
            )


@rule(
    "R32",
    "A JOIN_REQ has at least 128 octets.",
    source="protocol.md 17.3 R32",
    group="join",
    needs="frame",
    vantage="1",
)
def r32(case: Case) -> Iterator[Outcome]:
    """Measure every JOIN_REQ."""
    for packet in case.sent_of(JoinReq):
        yield verify(
            packet.octets >= JOIN_REQ_MIN_OCTETS,
            packet,
            expected=f"at least {JOIN_REQ_MIN_OCTETS} octets",
            seen=f"{packet.octets} octets",
        )


@rule(
    "R33",
    "CHALLENGE goes only to the source of a JOIN_REQ, at most once per copy that arrived, and is "
    "not larger than it.",
    source="protocol.md 17.3 R33",
    group="join",
    needs="history",
    vantage="R",
)
def r33(case: Case) -> Iterator[Outcome]:
    """Pair challenges with the copies that had arrived."""
    for attempt in case.history.attempts:
        spent: set[int] = set()
        for challenge in attempt.shelf.sent(Challenge):
            if challenge.direction != "out":
                continue
            causes = [
                copy
                for copy in attempt.shelf.arrived(JoinReq)
                if copy.number < challenge.number
                and copy.number not in spent
                and read(copy, JoinReq).attempt == read(challenge, Challenge).attempt
                and copy.source == challenge.destination
            ]
            if not causes:
                yield broken(
                    challenge,
                    expected="one CHALLENGE per JOIN_REQ copy that arrived",
                    seen="a CHALLENGE without such a copy",
                )
                continue
            spent.add(causes[0].number)
            yield verify(
                challenge.octets <= causes[0].octets,
                [causes[0], challenge],
                expected=f"at most {causes[0].octets} octets",
                seen=f"{challenge.octets} octets",
            )


@rule(
    "R34",
    "An echoed COOKIE is one that the initiator was given for this request.",
    source="protocol.md 17.3 R34",
    group="join",
    needs="history",
    vantage="SR",
)
def r34(case: Case) -> Iterator[Outcome]:
    """Look the cookie up among the challenges that had arrived for the attempt."""
    for attempt in case.history.attempts:
        for packet in attempt.requests:
            cookie = read(packet, JoinReq).cookie
            if cookie is None or packet.direction != "out":
                continue
            issued = [
                challenge
                for challenge in attempt.shelf.arrived(Challenge)
                if challenge.number < packet.number and read(challenge, Challenge).cookie == cookie
            ]
            yield verify(
                bool(issued),
                packet,
                expected="a cookie of a CHALLENGE that had arrived",
                seen=f"cookie {cookie.hex()}",
            )
