"""Who comes too late, where nobody can without being wrong: in virtual time.

On real machines a frame may be late because a processor was busy, so that rules demand distances
that are not too short, and no others. In a simulation nothing takes time but what waits: there a
timer that lets others wait longer than its law is worth a warning of the rule that has the law.
"""

from collections.abc import Iterator
from itertools import pairwise

from mpwire.capture.records import Step
from mpwire.oracle.case import Case
from mpwire.oracle.inbox import deliverables
from mpwire.oracle.membership import End
from mpwire.oracle.promises import NACKS_PER_SERIES
from mpwire.oracle.registry import Outcome, broken
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.serial import serial_before
from mpwire.oracle.streams import Inflow, acknowledged, announced, inflows
from mpwire.oracle.trace import Packet
from mpwire.wire.messages import Close, CloseAck, Data, Nack, Sync

ACK_SHARE = 1 / 20
"""T_ACK, as a share of RTOinit."""
NACK_SHARE = 1 / 50
"""T_NACK, likewise."""
LATEST = 1.1
"""A wait is no longer than this share of its law."""
GRACE_MS = 1.0
"""What a simulation takes to pass things on."""


def is_virtual(case: Case) -> bool:
    """Tell whether time stood still for all who did not wait, and nobody was stopped."""
    run = case.trace.run.run
    if run is None or run.fabric != "sim" or case.trace.losses:
        return False
    said = [*run.faults, *(step.text for step in case.trace.run.of(Step))]
    return not any(one.startswith("freeze ") or one.endswith(" freezes") for one in said)


def late(before: Packet, after: Packet, law_ms: float) -> Iterator[Outcome]:
    """Warn if a packet left later after its cause than it may."""
    gap_ms = (after.time_ns - before.time_ns) / 1e6
    if after.direction == "out" and gap_ms > law_ms + GRACE_MS:
        yield broken(
            [before, after],
            expected=f"at most {law_ms:.1f} ms between them",
            seen=f"{gap_ms:.1f} ms, where time is virtual",
            kind="late",
        )


def late_acknowledgements(case: Case, end: End) -> Iterator[Outcome]:
    """Warn of messages that came in order and were acknowledged later than T_ACK."""
    law_ms = ACK_SHARE * end.timers.rto_initial_ms
    over = min(end.ended(), end.closed(), end.peer_closed(), end.half_closed())
    begin = joined_at(end)
    for item in deliverables(case, end):
        came = item.packet
        if came is None or not item.certain or item.released != came.position:
            continue
        answers = (
            packet
            for packet, bound in acknowledged(end, item.origin)
            if packet.number > came.number and serial_before(item.seq, bound)
        )
        answer = next(answers, None)
        if answer is not None and begin < came.position and answer.position < over:
            yield from late(came, answer, law_ms)


def late_demands(end: End) -> Iterator[Outcome]:
    """Warn of messages that were known to be missing and not asked for when it was time.

    That is T_NACK after the news, and twice as long after each NACK as after the one before.
    DATA and SYNC may or may not begin that anew; so the count of NACKs is the highest that may be.
    """
    over = min(end.ended(), end.closed(), end.peer_closed())
    happened = [*end.arrived(Data, Sync, Close, CloseAck), *end.caught(Data)]
    asked = [packet for packet in end.sent(Nack) if packet.direction == "out"]
    everything = sorted([*happened, *asked], key=lambda one: one.number)
    count, begin = 0, joined_at(end)
    known: Asked = {}
    lacks: list[Inflow] = []
    for packet, following in pairwise(everything):
        lacked = bool(lacks)
        lacks = [one for one in inflows(end).values() if _lacks(end, one, packet)]
        news = any(_is_news(end, inflow, packet, known) for inflow in lacks)
        is_demand = _note(packet, known)
        begins = isinstance(packet.message, Close | CloseAck) or (
            news and (not lacked or isinstance(packet.message, Sync))
        )
        count = count + 1 if is_demand else 0 if begins else count
        if not begin < packet.position < following.position < over:
            continue
        if lacks and (news if not is_demand else count < NACKS_PER_SERIES):
            wait_ms = NACK_SHARE * end.timers.rto_initial_ms * 2 ** (count if is_demand else 0)
            yield from _asked(packet, following, LATEST * wait_ms)


def _lacks(end: End, inflow: Inflow, packet: Packet) -> bool:
    """Tell whether something of an origin is known to be missing once a packet has come."""
    missing = inflow.rcv_next((packet.number, 1))
    return (
        packet.position >= inflow.begins
        and missing is not None
        and announced(end, inflow.origin, missing, packet.number + 1)
    )


Asked = dict[int, tuple[int, int]]
"""By origin the first message that was asked for, and how often since the last SYNC."""


def _note(packet: Packet, asked: Asked) -> bool:
    """Count what is asked for, up to the next SYNC; tell whether a packet asks."""
    message = packet.message
    if isinstance(message, Nack):
        missing = message.ranges[0][0]
        before, count = asked.get(message.origin, (missing, 0))
        asked[message.origin] = (missing, count + 1 if before == missing else 1)
    elif isinstance(message, Sync):
        asked.pop(message.origin, None)
    return isinstance(message, Nack)


def _is_news(end: End, inflow: Inflow, packet: Packet, asked: Asked) -> bool:
    """Tell whether nobody had known before a packet that something of an origin is missing.

    SYNC says it anew, where that was asked for in vain as often as is ever necessary (11.4).
    """
    message = packet.message
    before = inflow.rcv_next(packet.position)
    if isinstance(message, Sync) and asked.get(inflow.origin) == (before, NACKS_PER_SERIES):
        return message.origin == inflow.origin
    return before is not None and not announced(end, inflow.origin, before, packet.number)


def _asked(cause: Packet, following: Packet, law_ms: float) -> Iterator[Outcome]:
    gap_ms = (following.time_ns - cause.time_ns) / 1e6
    if gap_ms > law_ms + GRACE_MS:
        yield broken(
            [cause, following],
            expected=f"NACK within {law_ms:.1f} ms, as something is missing",
            seen=f"nothing for {gap_ms:.1f} ms, where time is virtual",
            kind="late",
            endpoint=following.sender_name if following.direction == "out" else "",
        )
