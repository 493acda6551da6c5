"""R71-R80: announced timers, and the distances that they demand."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mpwire.oracle.anchors import copies_began, request_began, waits_ns
from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.admitting import STATELESS_REASONS
from mpwire.oracle.rules.answering import JITTER, too_early
from mpwire.oracle.rules.lifetime import PROBE_COPIES, wait_ms, waits_ms
from mpwire.oracle.rules.punctual import LATEST, is_virtual, late
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import Packet
from mpwire.wire.messages import (
    Accept,
    Challenge,
    Close,
    Data,
    JoinReq,
    Pending,
    Probe,
    Reject,
    Timers,
)
from mpwire.wire.numbers import PendingState, TimersFlag

KEEPALIVE_FLOOR_MS = 18_750
KEEPALIVE_LATEST = 1.2
GRACE_MS = 20


@rule(
    "R71",
    "KeepAlive is at least 18,750 ms outside controlled networks.",
    source="protocol.md 17.5 R71",
    group="close",
    needs="frame",
    vantage="1",
)
def r71(case: Case) -> Iterator[Outcome]:
    """Look at every TIMERS."""
    for packet in case.sent_of(JoinReq, Accept):
        assert isinstance(packet.message, JoinReq | Accept)
        timers = packet.message.timers
        controlled = bool(timers.tflags & TimersFlag.CONTROLLED)
        yield verify(
            controlled or timers.keepalive_ms >= KEEPALIVE_FLOOR_MS,
            packet,
            expected=f"KeepAlive of at least {KEEPALIVE_FLOOR_MS} ms",
            seen=f"{timers.keepalive_ms} ms",
        )


@rule(
    "R72",
    "New PROBEs of one node to one peer are at least 0.8 KeepAlive apart, but for one that a "
    "request of that very peer brings about (held back, or refused for want of a listener).",
    source="protocol.md 17.5 R72",
    group="close",
    needs="history",
    vantage="S",
)
def r72(case: Case) -> Iterator[Outcome]:
    """Measure the gaps between first copies that the keepalive brought about."""
    virtual = is_virtual(case)
    for end in case.ends():
        doubts = list(_doubtful(case, end))
        first = [p for p in end.sent(Probe) if read(p, Probe).attempt == 1]
        for before, after in pairwise(first):
            if not any(before.number < doubt.number < after.number for doubt in doubts):
                yield spaced(before, after, 0.8 * end.timers.keepalive_ms)
        if virtual:
            yield from _late_probes(end, first)


def _late_probes(end: End, first: Sequence[Packet]) -> Iterator[Outcome]:
    """Warn of a PROBE that came later than T_KA after the peer was heard last."""
    came = [packet for packet in end.membership.shelf.packets if packet.direction == "in"]
    came = [packet for packet in came if packet.destination == end.endpoint]
    heard = sorted([*came, *end.caught(Data)], key=lambda one: one.number)
    for probe in first:
        before = [packet for packet in heard if packet.number < probe.number]
        if before:
            yield from late(before[-1], probe, KEEPALIVE_LATEST * end.timers.keepalive_ms)


def _doubtful(case: Case, end: End) -> Iterator[Packet]:
    """Yield what the peer's address asked for anew, and was held back or refused at once for."""
    for attempt in case.history.between(end.peer.endpoint, end.endpoint):
        states = {read(packet, Pending).state for packet in attempt.shelf.sent(Pending)}
        reasons = {read(packet, Reject).reason for packet in attempt.shelf.sent(Reject)}
        if PendingState.VERIFYING in states or reasons & STATELESS_REASONS:
            yield from attempt.shelf.arrived(JoinReq)


def spaced(before: Packet, after: Packet, law_ms: float) -> Outcome:
    """Judge a distance that must not be shorter; a little less is only worth a warning.

    The time of a frame is when the switch handled it, which may be late for the first of two.
    """
    gap_ms = (after.time_ns - before.time_ns) / 1e6
    if before.direction != "out" or gap_ms >= law_ms - GRACE_MS:
        return PASSED
    return broken(
        [before, after],
        expected=f"at least {law_ms:.0f} ms between them",
        seen=f"{gap_ms:.0f} ms",
        kind=too_early(gap_ms, law_ms),
    )


@rule(
    "R76",
    "A copy leaves no earlier than 0.9 of the retransmission law after the one before, except the "
    "request that answers a CHALLENGE.",
    source="protocol.md 17.5 R76",
    group="close",
    needs="history",
    vantage="S",
)
def r76(case: Case) -> Iterator[Outcome]:
    """Measure the gaps between copies with the timers that the sender announced."""
    yield from _sooner_than_possible(case)
    virtual = is_virtual(case)
    for end in case.ends():
        for kind in (Accept, Close, Probe):
            for before, after in pairwise(end.sent(kind)):
                if same_request(before, after) and before.message is not None:
                    law = wait_ms(end.timers, before.message.attempt)
                    yield spaced(before, after, JITTER * law)
                    yield from late(before, after, LATEST * law) if virtual else ()
    for attempt in case.history.attempts:
        answers = attempt.shelf.arrived(Challenge, Pending)
        for before, after in pairwise(attempt.requests):
            between = any(before.number < one.number < after.number for one in answers)
            polled = any(one.number < after.number for one in attempt.shelf.arrived(Pending))
            if not between and not polled:
                timers = attempt.request.timers
                yield spaced(before, after, JITTER * timers.rto_initial_ms)
                law = wait_ms(timers, read(before, JoinReq).attempt)
                yield from late(before, after, LATEST * law) if virtual else ()


def _sooner_than_possible(case: Case) -> Iterator[Outcome]:
    """Compare every copy with what caused the first one: too early is too early, by any clock."""
    for end in case.ends():
        for kind in (Accept, Close, Probe):
            copies = [packet for packet in end.sent(kind) if packet.direction == "out"]
            newest = [packet for packet in copies if same_request(copies[-1], packet)]
            yield from _copied(newest, end.timers, copies_began(case, end, kind))
    for attempt in case.history.attempts:
        copies = [packet for packet in attempt.requests if packet.direction == "out"]
        yield from _copied(copies, attempt.request.timers, request_began(case, attempt))


def _copied(copies: list[Packet], timers: Timers, began: int | None) -> Iterator[Outcome]:
    if began is None:
        return
    for packet in copies:
        attempt = packet.message.attempt if packet.message is not None else 1
        earliest = began + waits_ns(timers, attempt - 1)
        yield verify(
            packet.time_ns >= earliest,
            [copies[0], packet],
            expected=f"copy {attempt} not before {(earliest - began) / 1e9:.2f} s were over",
            seen=f"after {(packet.time_ns - began) / 1e9:.2f} s",
        )


def same_request(before: Packet, after: Packet) -> bool:
    """Tell whether two packets belong to one transaction."""
    return bool(before.message and after.message and before.message.seq == after.message.seq)


@rule(
    "R80",
    "TIMERS are consistent: RTOinit up to RTOmax, Dead longer than KeepAlive and the waits of a "
    "PROBE, Linger longer than those of a CLOSE; the same in all copies.",
    source="protocol.md 17.5 R80",
    group="close",
    needs="frames",
    vantage="1",
)
def r80(case: Case) -> Iterator[Outcome]:
    """Do the sums for every TIMERS."""
    for attempt in case.history.attempts:
        for kind in (JoinReq, Accept):
            said: list[Timers] = []
            for packet in attempt.shelf.sent(kind):
                assert isinstance(packet.message, JoinReq | Accept)
                timers = packet.message.timers
                said.append(timers)
                wrong = inconsistency(timers)
                if not wrong and timers != said[0]:
                    wrong = "other values than in the first copy"
                yield verify(not wrong, packet, expected="consistent timers", seen=wrong)


def inconsistency(timers: Timers) -> str:
    """Return what is wrong with announced timers, or nothing."""
    if timers.rto_initial_ms > timers.rto_maximum_ms:
        return f"RTOinit {timers.rto_initial_ms} above RTOmax {timers.rto_maximum_ms}"
    dead = 1.2 * timers.keepalive_ms + sum(waits_ms(timers, PROBE_COPIES))
    if timers.dead_ms < dead:
        return f"Dead {timers.dead_ms} below {dead:.0f}"
    linger = sum(waits_ms(timers, timers.mrc))
    return f"Linger {timers.linger_ms} below {linger:.0f}" if timers.linger_ms < linger else ""
