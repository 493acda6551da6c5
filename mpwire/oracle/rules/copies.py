"""R69-R80: probes, copies, their number and their distance."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.obligations import owed
from mpwire.oracle.registry import PASSED, Outcome, rule, verify
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.rules.framing import ANSWERED
from mpwire.oracle.rules.lifetime import PROBE_COPIES
from mpwire.oracle.rules.timing import same_request
from mpwire.oracle.serial import serial_before
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.wire.messages import (
    Abort,
    Accept,
    Ack,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    CloseAck,
    Confirm,
    Data,
    DataAck,
    JoinReq,
    Member,
    Message,
    Pending,
    Probe,
    ProbeAck,
    Side,
)
from mpwire.wire.numbers import AbortReason, AckedType, CloseAckFlag, HeaderFlag

KEEPALIVE_FLOOR_MS = 18_750
CANCEL_COPIES = 3
GRACE_MS = 20
HIGHEST_ATTEMPT = 255
REQUESTS: tuple[type[Message], ...] = (JoinReq, Accept, Cancel, Close, Probe, Member, Data, Side)


@rule(
    "R69",
    "Every new PROBE has a nonce of its own; PROBE_ACK echoes nonce, Seq and Attempt.",
    source="protocol.md 17.5 R69",
    group="close",
    needs="history",
    vantage="1",
)
def r69(case: Case) -> Iterator[Outcome]:
    """Compare the nonces of a node's process, and each answer with what had arrived."""
    owners: dict[tuple[object, ...], Packet] = {}
    for end in case.ends():
        life = case.life_end(end.host, end.begun)
        for packet in end.sent(Probe):
            probe = read(packet, Probe)
            first = owners.setdefault((end.endpoint, life, probe.nonce), packet)
            yield verify(
                packet.destination == first.destination and same_request(first, packet),
                [first, packet],
                expected="a fresh nonce",
                seen=f"nonce {probe.nonce:016x} again",
            )
        for packet in end.sent(ProbeAck):
            if packet.direction == "out":
                ack = read(packet, ProbeAck)
                arrived = [read(p, Probe) for p in end.arrived(Probe) if p.number < packet.number]
                key = (ack.nonce, ack.seq, ack.attempt)
                yield verify(
                    key in [(one.nonce, one.seq, one.attempt) for one in arrived],
                    packet,
                    expected="nonce, Seq and Attempt of a PROBE that had arrived",
                    seen=f"nonce {ack.nonce:016x}, Seq {ack.seq}, Attempt {ack.attempt}",
                )


@rule(
    "R70",
    "A PROBE that arrives in a live membership is answered by PROBE_ACK.",
    source="protocol.md 17.5 R70",
    group="close",
    needs="history",
    vantage="R+S",
)
def r70(case: Case) -> Iterator[Outcome]:
    """Pair them at the node that received the PROBE."""
    for end in case.ends():
        for arrival in end.arrived(Probe):
            if not joined_at(end) < arrival.position < end.ended():
                continue
            answers = [
                answer
                for answer in end.sent(ProbeAck, Abort)
                if answer.number > arrival.number
                and (
                    isinstance(answer.message, Abort)
                    or read(answer, ProbeAck).nonce == read(arrival, Probe).nonce
                )
            ]
            outcome = owed(case, arrival, answers, expected="PROBE_ACK", due_to="PROBE")
            if outcome is not None:
                yield outcome


@rule(
    "R74",
    "ABORT(PEER_DEAD) is sent only after four copies of a PROBE, with nothing valid from the peer "
    "in between.",
    source="protocol.md 17.5 R74",
    group="close",
    needs="history",
    vantage="N",
)
def r74(case: Case) -> Iterator[Outcome]:
    """Look at what was sent and delivered before such an ABORT."""
    for end in case.ends():
        for packet in end.sent(Abort):
            if read(packet, Abort).reason != AbortReason.PEER_DEAD or packet.direction != "out":
                continue
            probes = [p for p in end.sent(Probe) if p.number < packet.number][-PROBE_COPIES:]
            heard = [
                p
                for p in end.membership.shelf.packets
                if p.direction == "in"
                and p.destination == end.endpoint
                and probes
                and probes[0].number < p.number
                and (case.settled(end.host, p.position) or NEVER) < packet.position
            ]
            yield verify(
                len(probes) == PROBE_COPIES and not heard,
                [*probes, *heard, packet],
                expected="four unanswered copies of PROBE",
                seen=f"{len(probes)} copies, {len(heard)} messages of the peer in between",
            )


@rule(
    "R75",
    "A request or DATA never leaves a node twice with the same Attempt, and Attempt grows by one "
    "per copy; a response leaves no more often than the copy it echoes arrived.",
    source="protocol.md 17.5 R75",
    group="close",
    needs="history",
    vantage="S",
)
def r75(case: Case) -> Iterator[Outcome]:
    """Follow the copies of every request, and count requests and responses per node."""
    newest: dict[tuple[object, ...], Packet] = {}
    cast: set[tuple[object, ...]] = set()
    arrived: Counter[tuple[object, ...]] = Counter()
    answered: Counter[tuple[object, ...]] = Counter()
    for packet in case.trace.packets:
        message = packet.message
        if message is None:
            continue
        if packet.direction == "in":
            where = (packet.destination, packet.source, message.seq, message.attempt)
            arrived[*where, type(message)] += 1
        elif packet.direction == "out" and isinstance(message, REQUESTS):
            key = _request_key(packet, message)
            before = newest.get(key)
            expected = (before.message.attempt if before and before.message else 0) + 1
            newest[key] = packet
            if isinstance(message, Side):
                expected = min(expected, HIGHEST_ATTEMPT)  # copies go on (11.9)
            if isinstance(message, Data):
                once = (packet.source, message.session_id, message.origin, message.seq)
                if before is None and once in cast and message.attempt > 1:
                    expected = 2  # copy 1 went to the group
                if message.flags & HeaderFlag.M:
                    cast.add(once)
            yield verify(
                message.attempt == expected,
                [before, packet] if before else packet,
                expected=f"copy {expected}",
                seen=f"{type(message).__name__} copy {message.attempt}",
            )
        elif packet.direction == "out" and type(message) in ANSWERED:
            where = (packet.source, packet.destination, message.seq, message.attempt)
            answered[*where, type(message)] += 1
            causes = sum(arrived[*where, kind] for kind in ANSWERED[type(message)])
            yield verify(
                answered[*where, type(message)] <= causes,
                packet,
                expected=f"at most {causes} of this response",
                seen=f"{answered[*where, type(message)]}",
            )


def _request_key(packet: Packet, message: Message) -> tuple[object, ...]:
    """Name a request whatever its copy; joins and cancels by InitTag, others by tag."""
    tag = message.destination_tag
    if isinstance(message, JoinReq | Cancel):
        tag = message.init_tag
    origin = message.origin if isinstance(message, Data) else 0
    return (type(message), packet.source, packet.destination, tag, origin, message.seq)


@rule(
    "R77",
    "There are no more copies than announced: MRC of JOIN_REQ before PENDING, of ACCEPT, and of "
    "CLOSE since its peer last got on with what it missed; 4 of PROBE, 3 of CANCEL.",
    source="protocol.md 17.5 R77",
    group="close",
    needs="frames",
    vantage="1",
)
def r77(case: Case) -> Iterator[Outcome]:
    """Look at Attempt, which counts; every CHALLENGE may cost a copy.

    A closer is patient with a peer that gets on with what it misses: its copies count anew.
    """
    for end in case.ends():
        limits = ((Accept, end.timers.mrc), (Probe, PROBE_COPIES))
        for kind, limit in limits:
            for packet in end.sent(kind):
                yield _counted(packet, limit)
        for packet in end.sent(Close):
            outcome = _counted(packet, end.timers.mrc + _answered(case, end, packet))
            yield PASSED if outcome is PASSED else replace(outcome, kind="lacking")
    for attempt in case.history.attempts:
        for packet in attempt.shelf.sent(Cancel):
            yield _counted(packet, CANCEL_COPIES)
        limit = attempt.request.timers.mrc + len(attempt.shelf.sent(Challenge))
        if attempt.first.direction is not None and not attempt.shelf.sent(Pending):
            for packet in attempt.requests:
                outcome = _counted(packet, limit)
                yield PASSED if outcome is PASSED else replace(outcome, kind="lacking")


def _answered(case: Case, end: End, copy: Packet) -> int:
    """Return which copy of a CLOSE was out when the peer last said that more had arrived.

    What lay in the queue when a copy left was read after it: a barrier shows when it was, and so
    does the next copy, as its sender has looked at its queue in between.
    """
    said: int | None = None
    latest: Position = (0, 0)
    copies = [one for one in end.sent(Close) if same_request(one, copy)]
    own = [
        packet
        for packet in end.arrived(DataAck, CloseAck)
        if isinstance(packet.message, CloseAck) or read(packet, DataAck).origin == end.member_id
    ]
    for packet in own:
        message = packet.message
        assert isinstance(message, DataAck | CloseAck)
        if packet.number > copy.number:
            break
        if said is None or serial_before(said, message.rcv_next):
            said = message.rcv_next
            later = [one.position for one in copies if one.number > packet.number]
            latest = min([case.silent_from(end.host, packet.position), *later[1:2]])
    before = [one for one in copies if one.position < latest and one.number < copy.number]
    return read(before[-1], Close).attempt if before else 0


def _counted(packet: Packet, limit: int) -> Outcome:
    attempt = packet.message.attempt if packet.message else 0
    return verify(
        attempt <= limit, packet, expected=f"at most {limit} copies", seen=f"copy {attempt}"
    )


@rule(
    "R78",
    "No copy leaves after the matching response arrived.",
    source="protocol.md 17.5 R78",
    group="close",
    needs="history",
    vantage="S",
)
def r78(case: Case) -> Iterator[Outcome]:
    """Judge from where the response was provably worked off."""
    pairs: tuple[tuple[type[Message], type[Message]], ...] = (
        (Accept, Confirm),
        (Close, CloseAck),
        (Probe, ProbeAck),
        (Side, Ack),
    )
    for end in case.ends():
        for request, response in pairs:
            for answer in end.arrived(response):
                if _unclean(answer):
                    continue
                known = case.silent_from(end.host, answer.position)
                yield _over(answer, known, end.sent(request))
    for attempt in case.history.attempts:
        for answer in attempt.shelf.arrived(CancelAck):
            known = case.silent_from(attempt.initiator_host, answer.position)
            yield _over(answer, known, attempt.shelf.sent(Cancel))


def _over(answer: Packet, known: Position, copies: list[Packet]) -> Outcome:
    """Judge the copies of a request from where its answer was provably known."""
    late = [copy for copy in copies if copy.position > known and same_request(copy, answer)]
    return verify(not late, [answer, *late], expected="no copy after it", seen="a copy")


def _unclean(answer: Packet) -> bool:
    message = answer.message
    return isinstance(message, CloseAck) and bool(message.ack_flags & CloseAckFlag.DATA_MISSING)


@rule(
    "R79",
    "A node has at most one PROBE and one SIDE outstanding per membership.",
    source="protocol.md 17.5 R79",
    group="close",
    needs="history",
    vantage="S",
)
def r79(case: Case) -> Iterator[Outcome]:
    """Look for a new PROBE while nothing at all had come since the one before."""
    for end in case.ends():
        own = [packet for packet in end.sent(Probe, Side) if packet.direction == "out"]
        own = [packet for packet in own if packet.message and packet.message.attempt == 1]
        first = [packet for packet in own if isinstance(packet.message, Probe)]
        yield from (PASSED for _ in first[:1])
        for before, after in pairwise(first):
            heard = [
                p
                for p in end.membership.shelf.packets
                if p.direction == "in"
                and p.destination == end.endpoint
                and before.number < p.number < after.number
            ]
            yield verify(bool(heard), [before, after], expected="one PROBE at a time", seen="two")
        private = [packet for packet in own if isinstance(packet.message, Side)]
        for before, after in pairwise(private):
            told = [
                p
                for p in end.arrived(Ack)
                if p.number < after.number
                and (read(p, Ack).acked_type, read(p, Ack).seq)
                == (AckedType.SIDE, read(before, Side).seq)
            ]
            yield verify(bool(told), [before, after], expected="one SIDE at a time", seen="two")
