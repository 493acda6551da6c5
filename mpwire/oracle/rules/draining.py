"""R113, R116 and R118: what a closer does while its peer still misses data, and half closes."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.registry import Outcome, broken, rule, verify
from mpwire.oracle.rules.lifetime import wait_ms
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import originated
from mpwire.oracle.trace import NEVER, Packet, is_multicast
from mpwire.wire.messages import Abort, Ack, Close, CloseAck, Side
from mpwire.wire.numbers import AckedType, Capability, CloseAckFlag, CloseFlag

JITTERED = 1.1
"""A wait is no longer than this share of its law."""


@rule(
    "R113",
    "Where lost data is repaired, a CLOSE that was answered DATA_MISSING is repeated until a clean "
    "CLOSE_ACK or a crossing CLOSE arrives, or the closer gives up by ABORT.",
    source="protocol.md 17.6 R113",
    group="close",
    needs="history",
    vantage="R+S",
)
def r113(case: Case) -> Iterator[Outcome]:
    """Look for what left after an answer that was not clean, once the wait was long over."""
    for end in case.ends():
        if not end.membership.repair:
            continue
        for arrival in end.arrived(CloseAck):
            if not read(arrival, CloseAck).ack_flags & CloseAckFlag.DATA_MISSING:
                continue
            copies = [
                packet
                for packet in end.sent(Close)
                if read(packet, Close).seq == read(arrival, CloseAck).seq
            ]
            if copies and not _relieved(end):
                yield from _repeated(case, end, arrival, copies)


def _relieved(end: End) -> bool:
    """Tell whether something other than a further copy ends the wait of a closer."""
    clean = (
        packet
        for packet in end.arrived(CloseAck)
        if not read(packet, CloseAck).ack_flags & CloseAckFlag.DATA_MISSING
    )
    return any(clean) or bool(end.arrived(Close, Abort))


def _repeated(case: Case, end: End, arrival: Packet, copies: list[Packet]) -> Iterator[Outcome]:
    last = copies[-1]
    later = [p for p in [*copies, *end.sent(Abort)] if p.number > arrival.number]
    wait_ns = JITTERED * 1e6 * wait_ms(end.timers, read(last, Close).attempt)
    due = case.overdue(end.host, last.time_ns + wait_ns)
    if later or due < min(case.life_end(end.host, end.begun), NEVER):
        yield verify(
            bool(later),
            [arrival] if not later else [arrival, *later[:1]],
            expected="another copy of CLOSE, or ABORT",
            seen="neither",
        )


@rule(
    "R116",
    "CLOSE with HALF is sent only if both sides can do it, and its sender originates nothing more "
    "in that membership.",
    source="protocol.md 17.6 R116",
    group="close",
    needs="history",
    vantage="S",
)
def r116(case: Case) -> Iterator[Outcome]:
    """Compare with the capabilities, and with the data seen leaving afterwards."""
    for end in case.ends():
        halves = [
            packet for packet in end.sent(Close) if read(packet, Close).cflags & CloseFlag.HALF
        ]
        for packet in halves[:1]:
            yield verify(
                bool(end.membership.caps & Capability.HALFCLOSE),
                packet,
                expected="CAPS.HALFCLOSE of both sides",
                seen=f"effective CAPS {end.membership.caps:#x}",
            )
            for later in [*originated(end), *end.sent(Side)]:
                group = is_multicast(later.destination[0])
                again = later.message is not None and later.message.attempt > 1
                if later.number > packet.number and not group and not again:
                    yield broken(
                        [packet, later],
                        expected="nothing new in a direction that was closed",
                        seen=type(later.message).__name__,
                    )


@rule(
    "R118",
    "CLOSE is sent only when all SIDE of its sender has been acknowledged.",
    source="protocol.md 17.6 R118",
    group="data",
    needs="history",
    vantage="R+S",
)
def r118(case: Case) -> Iterator[Outcome]:
    """Look for the ACK of every SIDE that had left before the first CLOSE."""
    for end in case.ends():
        for close in end.sent(Close)[:1]:
            if close.direction != "out":
                continue
            told = {
                read(packet, Ack).seq
                for packet in end.arrived(Ack)
                if packet.number < close.number and read(packet, Ack).acked_type == AckedType.SIDE
            }
            for packet in end.sent(Side):
                if packet.number < close.number and read(packet, Side).attempt == 1:
                    yield verify(
                        read(packet, Side).seq in told,
                        [packet, close],
                        expected="ACK of every SIDE before CLOSE",
                        seen=f"none of SIDE {read(packet, Side).seq}",
                    )
