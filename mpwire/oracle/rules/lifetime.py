"""R59 and R63-R68: what may be said after the end, and giving up."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End, is_full
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.identity import triggers
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.wire.messages import (
    Abort,
    Accept,
    Close,
    CloseAck,
    Confirm,
    Data,
    DataAck,
    JoinReq,
    Member,
    Message,
    Nack,
    Probe,
    ProbeAck,
    Rekey,
    Side,
    Sync,
    Timers,
)
from mpwire.wire.numbers import AbortReason, CloseAckFlag, HeaderFlag

OF_A_MEMBER: tuple[type[Message], ...] = (
    Close,
    Confirm,
    Data,
    Member,
    Probe,
    ProbeAck,
    Rekey,
    Side,
    Sync,
)
"""What only a member sends; what drains late data is not among it."""
PROBE_COPIES = 4


def waits_ms(timers: Timers, copies: int) -> list[float]:
    """Return the laws of the waits after each of some copies, without jitter."""
    return [min(timers.rto_initial_ms * 2**k, timers.rto_maximum_ms) for k in range(copies)]


def wait_ms(timers: Timers, copy: int) -> float:
    """Return the law of the wait after one copy, without jitter; copies count from 1."""
    return waits_ms(timers, max(copy, 1))[-1]


@rule(
    "R59",
    "After a clean CLOSE_ACK arrived, or a crossing CLOSE was answered, the closer sends nothing "
    "in that membership but CLOSE_ACK, ABORT and what still drains: acknowledgements and repairs.",
    source="protocol.md 17.4 R59",
    group="close",
    needs="history",
    vantage="R+S",
)
def r59(case: Case) -> Iterator[Outcome]:
    """Judge from where the end was provably known.

    Who answered a crossing CLOSE may still owe its peer data: SYNC goes on until a clean
    CLOSE_ACK, and repairs answer what is asked for (R85).
    """
    for end in case.ends():
        crossed, clean = _crossed(end), _acknowledged(case, end)
        if min(crossed, clean) == NEVER:
            continue
        yield PASSED
        for packet in end.sent(*OF_A_MEMBER):
            drains = isinstance(packet.message, Data) and packet.message.attempt > 1
            over = clean if isinstance(packet.message, Sync) else min(crossed, clean)
            if packet.position > over and packet.direction == "out" and not drains:
                yield broken(
                    packet, expected="nothing after the end", seen=type(packet.message).__name__
                )


def _crossed(end: End) -> Position:
    """Return where this side answered a CLOSE after its own.

    One with HALF does not count: its sender may not know of ours, which goes on (12.5).
    """
    closed = end.closed()
    full = {read(packet, Close).seq for packet in end.peer.sent(Close) if is_full(packet)}
    answers = [packet for packet in end.sent(CloseAck) if read(packet, CloseAck).seq in full]
    return min((one.position for one in answers if one.position > closed), default=NEVER)


def _acknowledged(case: Case, end: End) -> Position:
    """Return where this side provably knew that its own CLOSE was acknowledged."""
    own = {read(packet, Close).seq for packet in end.sent(Close) if is_full(packet)}
    known = [
        case.silent_from(end.host, arrival.position)
        for arrival in end.arrived(CloseAck)
        if read(arrival, CloseAck).seq in own
        and not read(arrival, CloseAck).ack_flags & CloseAckFlag.DATA_MISSING
    ]
    return min(known, default=NEVER)


@rule(
    "R63",
    "ABORT is not answered.",
    source="protocol.md 17.4 R63",
    group="close",
    needs="history",
    vantage="R+S",
)
def r63(case: Case) -> Iterator[Outcome]:
    """Look for an ABORT with flag R whose only cause is an ABORT, or without it where one came.

    A member has no reason to say NO_MEMBERSHIP but an ACCEPT of what it did not ask for.
    """
    yield from (PASSED for packet in case.delivered if isinstance(packet.message, Abort))
    for packet in case.own:
        message = packet.message
        if isinstance(message, Abort) and message.flags & HeaderFlag.R:
            causes = triggers(case, packet)
            named = [one for one in causes if one.message and one.message.seq == message.echo_seq]
            if causes and all(isinstance(cause.message, Abort) for cause in named or causes):
                yield broken([causes[-1], packet], expected="no answer to ABORT", seen="ABORT")
        elif isinstance(message, Abort) and message.reason == AbortReason.NO_MEMBERSHIP:
            came = [one for one in case.delivered if _led_to(one, packet)]
            aborts = [one for one in came if isinstance(one.message, Abort)]
            if aborts and not _unconfirmed(case, came, packet):
                yield broken([aborts[-1], packet], expected="no answer to ABORT", seen="ABORT")


def _led_to(cause: Packet, packet: Packet) -> bool:
    """Tell whether a delivery to the sender of a packet came from its receiver, and before it."""
    ways = (cause.source, cause.destination) == (packet.destination, packet.source)
    return ways and cause.number < packet.number


def _unconfirmed(case: Case, came: list[Packet], packet: Packet) -> set[int]:
    """Return the copies of an ACCEPT that an ABORT can answer, for no CONFIRM did."""
    message = packet.message
    assert message is not None
    copies = {
        one.message.attempt
        for one in came
        if isinstance(one.message, Accept) and one.message.resp_tag == message.destination_tag
    }
    return copies - {
        one.message.attempt
        for one in case.own
        if isinstance(one.message, Confirm)
        and one.message.destination_tag == message.destination_tag
        and one.number < packet.number
    }


@rule(
    "R65",
    "Who gives up says so: ABORT after the last ACCEPT, CLOSE or PROBE stayed unanswered.",
    source="protocol.md 17.4 R65",
    group="close",
    needs="history",
    vantage="S",
)
def r65(case: Case) -> Iterator[Outcome]:
    """Look at requests whose copies are used up and whose wait is long over."""
    for end in case.ends():
        limits: tuple[tuple[type[Message], int], ...] = (
            (Accept, end.timers.mrc),
            (Close, end.timers.mrc),
            (Probe, PROBE_COPIES),
        )
        for kind, limit in limits:
            last = [p for p in end.sent(kind) if p.message and p.message.attempt >= limit]
            if not last or last[-1].direction != "out":
                continue
            heard = [p for p in _heard(end) if p.number > end.sent(kind)[0].number]
            told = [p for p in end.sent(Abort) if p.number > last[-1].number]
            if told:
                yield PASSED
            elif not heard and _long_over(case, end, last[-1], limit):
                yield broken(last[-1], expected="ABORT after the last copy", seen="none")


def _heard(end: End) -> list[Packet]:
    packets = end.membership.shelf.packets
    return [p for p in packets if p.direction == "in" and p.destination == end.endpoint]


def _long_over(case: Case, end: End, last: Packet, copies: int) -> bool:
    """Tell whether a side has provably let the wait after its last copy pass."""
    due_ns = last.time_ns + wait_ms(end.timers, copies) * 1.1e6
    return case.overdue(end.host, due_ns) < min(case.life_end(end.host, end.begun), NEVER)


@rule(
    "R66",
    "An ABORT without flag R carries the receiver's own tag.",
    source="protocol.md 17.4 R66",
    group="close",
    needs="history",
    vantage="1",
)
def r66(case: Case) -> Iterator[Outcome]:
    """Compare the tag with the one its receiver has drawn."""
    for packet in case.sent_of(Abort):
        message = read(packet, Abort)
        if message.flags & HeaderFlag.R:
            continue
        membership = case.history.owner(packet)
        end = membership.end_at(packet.destination) if membership else None
        yield verify(
            membership is None or (end is not None and end.tag == message.destination_tag),
            packet,
            expected="the receiver's own tag",
            seen=f"tag {message.destination_tag:016x}",
        )


@rule(
    "R67",
    "After a valid ABORT was sent or had arrived, a node sends nothing else in that membership.",
    source="protocol.md 17.4 R67",
    group="close",
    needs="history",
    vantage="N",
)
def r67(case: Case) -> Iterator[Outcome]:
    """Judge from the node's own ABORT on, or from where one was provably worked off."""
    for end in case.ends():
        known = [p.position for p in end.sent(Abort) if p.direction == "out"]
        known += [case.silent_from(end.host, arrival.position) for arrival in end.arrived(Abort)]
        over = min(known, default=NEVER)
        if over == NEVER:
            continue
        yield PASSED
        for packet in end.sent(*OF_A_MEMBER, CloseAck, DataAck, Nack):
            if packet.position > over:
                yield broken(
                    packet, expected="nothing after ABORT", seen=type(packet.message).__name__
                )


@rule(
    "R68",
    "A Session ID is not used for a new member once its session was dismantled.",
    source="protocol.md 17.4 R68",
    group="close",
    needs="history",
    vantage="S",
)
def r68(case: Case) -> Iterator[Outcome]:
    """Look for invitations and acceptances after the first CLOSE(DISMANTLE)."""
    begun: dict[tuple[object, int], Packet] = {}
    for packet in case.own:
        message = packet.message
        if message is None:
            continue
        key = (packet.source[0], message.session_id)
        if isinstance(message, Close) and message.reason == 3:
            begun.setdefault(key, packet)
            yield PASSED
        elif isinstance(message, JoinReq | Accept) and message.attempt == 1 and key in begun:
            yield broken(
                [begun[key], packet],
                expected="no use of a dismantled session",
                seen=type(message).__name__,
            )
