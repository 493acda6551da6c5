"""R103 and R104: what may not be answered at all, and how often strangers are answered."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.trace import Packet, is_broadcast, is_multicast
from mpwire.wire.errors import UnsupportedVersion
from mpwire.wire.messages import Abort, CancelAck, Challenge, Reject, VersionNeg
from mpwire.wire.numbers import CancelResult, HeaderFlag, RejectReason

BURSTS = {1: 4, 1000: 1000}
"""How many may go at once, by how many may go per second."""
REJECTS_PER_SECOND = 1000
ANSWERS_PER_SECOND = 1


def _answers(packet: Packet) -> bool:
    """Tell whether a message is of the kind that answers somebody unknown."""
    message = packet.message
    reflected = isinstance(message, Abort) and bool(message.flags & HeaderFlag.R)
    return reflected or isinstance(message, Challenge | VersionNeg | CancelAck | Reject)


def _answerable(packet: Packet) -> bool:
    """Tell whether a datagram may be answered: valid, or of another version, and to one host."""
    where = packet.destination[0], packet.source[0]
    if any(is_multicast(address) or is_broadcast(address) for address in where):
        return False
    return packet.message is not None or isinstance(packet.error, UnsupportedVersion)


@rule(
    "R103",
    "Nothing is sent in reaction to what went to or came from a group or a broadcast address, nor "
    "to what is malformed.",
    source="protocol.md 17.6 R103",
    group="data",
    needs="history",
    vantage="N",
)
def r103(case: Case) -> Iterator[Outcome]:
    """Look for answers to strangers to whom nothing that may be answered can have led."""
    came: dict[tuple[object, object], list[Packet]] = {}
    for packet in case.trace.packets:
        if packet.direction == "in":
            came.setdefault((packet.source, packet.host), []).append(packet)
            if not _answerable(packet):
                yield PASSED
        elif packet.direction == "out" and _answers(packet):
            causes = came.get((packet.destination, packet.host), [])
            if causes and not any(_answerable(cause) for cause in causes):
                yield broken(
                    [causes[-1], packet],
                    expected="silence",
                    seen=f"{type(packet.message).__name__} to {packet.destination[0]}",
                )


@rule(
    "R104",
    "Answers out of the blue go from an endpoint to one source at most once a second after a burst "
    "of four, REJECT(NOT_LISTENING) at most 1,000 times.",
    source="protocol.md 17.6 R104",
    group="data",
    needs="history",
    vantage="S",
)
def r104(case: Case) -> Iterator[Outcome]:
    """Measure from the delivery of each cause, the earliest that its answer can have left.

    Frames may be recorded late, so that answers seem closer than they were; but none left before
    its cause came, nor after it was seen.
    """
    buckets: dict[tuple[object, ...], float] = {}
    places: dict[tuple[object, ...], int] = {}
    came: dict[tuple[object, object, int], list[int]] = {}
    for packet in case.trace.packets:
        message = packet.message
        if message is None:
            continue
        if packet.direction == "in":
            for name in (message.seq, message.destination_tag):
                came.setdefault((packet.source[0], packet.host, name), []).append(packet.time_ns)
            continue
        if packet.direction != "out":
            continue
        rate = _limited(packet)
        name = message.destination_tag if message.flags & HeaderFlag.R else message.seq
        causes = came.get((packet.destination[0], packet.host, name), [])
        if not rate or not causes:
            continue
        key = (packet.destination[0], packet.host, packet.source, rate)
        place = places[key] = places.get(key, -1) + 1
        credit = place - rate * causes.pop(0) / 1e9
        buckets[key] = min(buckets.get(key, credit), credit)
        surplus = place + 1 - rate * packet.time_ns / 1e9 - buckets[key] - BURSTS[rate]
        yield verify(
            surplus <= 1e-3,
            packet,
            expected=f"at most {rate} per second to {packet.destination[0]} after {BURSTS[rate]}",
            seen=f"{surplus:.1f} too many",
        )


def _limited(packet: Packet) -> int:
    """Return how many answers of this kind one source may get per second; 0 for no limit."""
    message = packet.message
    if isinstance(message, Reject) and message.reason == RejectReason.NOT_LISTENING:
        return REJECTS_PER_SECOND
    unknown = isinstance(message, CancelAck) and message.result == CancelResult.UNKNOWN
    reflected = isinstance(message, Abort) and bool(message.flags & HeaderFlag.R)
    return ANSWERS_PER_SECOND if unknown or reflected else 0
