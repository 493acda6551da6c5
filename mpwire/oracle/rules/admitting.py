"""R35-R41 and R49: what the answers to a join request say."""

from collections.abc import Iterator

from mpwire.oracle.bind import good_cookie
from mpwire.oracle.case import Case
from mpwire.oracle.membership import Attempt
from mpwire.oracle.registry import Outcome, rule, verify
from mpwire.oracle.rules.identity import descriptions
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import Packet, Position
from mpwire.wire.messages import (
    Accept,
    Challenge,
    Close,
    Confirm,
    JoinReq,
    Pending,
    Reject,
)
from mpwire.wire.numbers import (
    ROOT_MEMBER_ID,
    PendingState,
    RejectReason,
)

COOKIE_RESOLUTION_NS = 1_000_000_000
"""Cookies carry whole seconds, so one may count as a second younger than it is."""
STATELESS_REASONS = frozenset({RejectReason.NOT_LISTENING, RejectReason.SESSION_CLOSING})


@rule(
    "R35",
    "PENDING, ACCEPT and REJECT (other than NOT_LISTENING and SESSION_CLOSING) are sent only "
    "after a JOIN_REQ with a good cookie arrived.",
    source="protocol.md 17.3 R35",
    group="join",
    needs="history",
    vantage="R",
)
def r35(case: Case) -> Iterator[Outcome]:
    """Find the good request before each such answer, made to and by the same process."""
    for attempt in case.history.attempts:
        for answer in attempt.shelf.sent(Pending, Accept, Reject):
            message = answer.message
            if answer.direction != "out":
                continue
            if isinstance(message, Reject) and message.reason in STATELESS_REASONS:
                continue
            began = case.life_begun(answer.host, answer.position)
            good = [
                copy
                for copy in attempt.shelf.arrived(JoinReq)
                if began < copy.position < answer.position
                and good_cookie(attempt, copy, answer.host, began)
                and _fresh(attempt, copy)
            ]
            yield verify(
                bool(good),
                [attempt.first, answer],
                expected="a JOIN_REQ with a good cookie before it",
                seen=f"{type(message).__name__} without one",
            )


def _fresh(attempt: Attempt, copy: Packet) -> bool:
    """Tell whether the cookie of a copy was still alive when it arrived."""
    cookie = read(copy, JoinReq).cookie
    for challenge in attempt.shelf.sent(Challenge):
        message = read(challenge, Challenge)
        if message.cookie == cookie and challenge.number < copy.number:
            life_ns = message.cookie_life_ms * 1_000_000 + COOKIE_RESOLUTION_NS
            if copy.time_ns - challenge.time_ns <= life_ns:
                return True
    return False


@rule(
    "R36",
    "RespTag is the same in every PENDING and ACCEPT of one attempt.",
    source="protocol.md 17.3 R36",
    group="join",
    needs="frames",
    vantage="1",
)
def r36(case: Case) -> Iterator[Outcome]:
    """Compare each with the first; a process that takes another's place begins anew (9.7)."""
    for attempt in case.history.attempts:
        firsts: dict[Position, Packet] = {}
        for packet in attempt.shelf.sent(Pending, Accept):
            began = case.life_begun(attempt.responder_host, packet.position)
            first = firsts.setdefault(began, packet)
            tag, wanted = _resp_tag(packet), _resp_tag(first)
            yield verify(
                tag == wanted,
                [first, packet],
                expected=f"RespTag {wanted:016x}",
                seen=f"RespTag {tag:016x}",
            )


def _resp_tag(packet: Packet) -> int:
    tag: int = getattr(packet.message, "resp_tag", 0)
    return tag


@rule(
    "R37",
    "PENDING answers one copy that arrived, once; DEFERRED is not the first answer.",
    source="protocol.md 17.3 R37",
    group="join",
    needs="history",
    vantage="R",
)
def r37(case: Case) -> Iterator[Outcome]:
    """Count arrivals and answers per copy."""
    for attempt in case.history.attempts:
        answers = [p for p in attempt.shelf.sent(Pending) if p.direction == "out"]
        for place, packet in enumerate(answers):
            message = read(packet, Pending)
            arrived = sum(
                read(copy, JoinReq).attempt == message.attempt and copy.number < packet.number
                for copy in attempt.shelf.arrived(JoinReq)
            )
            answered = sum(
                read(one, Pending).attempt == message.attempt for one in answers[: place + 1]
            )
            yield verify(
                answered <= arrived,
                packet,
                expected=f"at most {arrived} PENDING for copy {message.attempt}",
                seen=f"{answered}",
            )
            yield verify(
                place > 0 or message.state != PendingState.DEFERRED,
                packet,
                expected="QUEUED or VERIFYING as the first state",
                seen="DEFERRED",
            )


@rule(
    "R38",
    "One attempt does not get both ACCEPT and REJECT; repeated answers keep Reason, AssignedID "
    "and RespTag.",
    source="protocol.md 17.3 R38",
    group="join",
    needs="frames",
    vantage="1",
)
def r38(case: Case) -> Iterator[Outcome]:
    """Compare each final answer with the first one of the attempt, by the same process."""
    for attempt in case.history.attempts:
        firsts: dict[Position, Packet] = {}
        for packet in attempt.shelf.sent(Accept, Reject):
            if _after_the_end(attempt, packet):
                continue
            began = case.life_begun(attempt.responder_host, packet.position)
            first = firsts.setdefault(began, packet)
            yield verify(
                _final(packet) == _final(first),
                [first, packet],
                expected=_final(first),
                seen=_final(packet),
            )


def _final(packet: Packet) -> str:
    message = packet.message
    if isinstance(message, Accept):
        return f"ACCEPT of ID {message.assigned_id} with RespTag {message.resp_tag:016x}"
    return f"REJECT({read(packet, Reject).reason})"


def _after_the_end(attempt: Attempt, packet: Packet) -> bool:
    """Tell whether a stateless REJECT answers a stray copy of an attempt long over."""
    message = packet.message
    if not isinstance(message, Reject) or message.reason not in STATELESS_REASONS:
        return False
    return any(
        close.number < packet.number
        for membership in attempt.memberships
        for close in membership.shelf.of(Close)
    )


@rule(
    "R39",
    "ACCEPT and CONFIRM repeat the LeafDir of the request.",
    source="protocol.md 17.3 R39",
    group="join",
    needs="frames",
    vantage="1",
)
def r39(case: Case) -> Iterator[Outcome]:
    """Compare with the first copy of the request."""
    for attempt in case.history.attempts:
        for packet in attempt.shelf.sent(Accept, Confirm):
            seen = getattr(packet.message, "leaf_dir", 0)
            yield verify(
                not attempt.shelf.of(JoinReq) or seen == attempt.request.leaf_dir,
                [attempt.first, packet],
                expected=f"LeafDir {attempt.request.leaf_dir}",
                seen=f"LeafDir {seen}",
            )


@rule(
    "R40",
    "SESSION_DESC stands in the root's half of the handshake and only there, the same in all "
    "copies.",
    source="protocol.md 17.3 R40",
    group="join",
    needs="frames",
    vantage="1",
)
def r40(case: Case) -> Iterator[Outcome]:
    """Tell the halves apart by the role of the request."""
    for attempt in case.history.attempts:
        halves = ((Accept, not attempt.by_root), (Confirm, attempt.by_root))
        for kind, wanted in halves:
            for packet in attempt.shelf.sent(kind):
                there = getattr(packet.message, "session_desc", None) is not None
                yield verify(
                    there == wanted,
                    [attempt.first, packet],
                    expected=f"{'a' if wanted else 'no'} SESSION_DESC in this {kind.__name__}",
                    seen=f"{'one' if there else 'none'}",
                )
        said = list(descriptions(attempt))
        for packet, description in said:
            yield verify(
                description == said[0][1],
                [said[0][0], packet],
                expected="one description in all copies",
                seen="another description",
            )


@rule(
    "R41",
    "AssignedID is 0 in the leaf's half and a leaf's ID that nobody else holds in the root's.",
    source="protocol.md 17.3 R41",
    group="join",
    needs="frames",
    vantage="1",
)
def r41(case: Case) -> Iterator[Outcome]:
    """Remember who got which ID in each session."""
    attempts = _by_half(case)
    for packet in case.sent_of(Accept, Confirm):
        attempt = attempts.get(packet.number)
        if attempt is None or packet.message is None:
            continue
        assigned: int = getattr(packet.message, "assigned_id", 0)
        roots_half = isinstance(packet.message, Confirm) == attempt.by_root
        if not roots_half:
            yield verify(
                assigned == 0, packet, expected="AssignedID 0", seen=f"AssignedID {assigned}"
            )
            continue
        key = (packet.message.session_id, assigned)
        holder = (attempt.init_tag, attempt.initiator, attempt.responder)
        own, frame = case.remains.assigned.first(key, holder, packet.number)
        yield verify(
            assigned > ROOT_MEMBER_ID and own,
            packet,
            earlier=(frame,),
            expected="an unused ID of 2 or more",
            seen=f"AssignedID {assigned}",
        )


def _by_half(case: Case) -> dict[int, Attempt]:
    """Return the attempt of every half of a handshake, by frame."""
    found: dict[int, Attempt] = {}
    for attempt in case.history.attempts:
        for packet in attempt.shelf.of(Accept, Confirm):
            found.setdefault(packet.number, attempt)
    return found


@rule(
    "R49",
    "CALLER_DATA stands only in JOIN_REQ and CALLEE_DATA only in ACCEPT, each constant over the "
    "copies.",
    source="protocol.md 17.3 R49",
    group="join",
    needs="frames",
    vantage="1",
)
def r49(case: Case) -> Iterator[Outcome]:
    """Compare the data of all copies; the decoder refuses it in other types."""
    for attempt in case.history.attempts:
        for kind, name in ((JoinReq, "caller_data"), (Accept, "callee_data")):
            copies = attempt.shelf.sent(kind)
            for packet in copies:
                first = getattr(copies[0].message, name)
                yield verify(
                    getattr(packet.message, name) == first,
                    [copies[0], packet],
                    expected=f"the same {name} in every copy",
                    seen="other data",
                )
