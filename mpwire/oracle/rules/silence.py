"""R61, R64 and R73: endings that nobody asked for, repeated ones, and those that fail to come."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.accepting import asked_to_close
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet
from mpwire.wire.messages import Abort, Close
from mpwire.wire.numbers import AbortReason, CloseReason, HeaderFlag


@rule(
    "R61",
    "The end of one leaf does not make the root close another membership.",
    source="protocol.md 17.4 R61",
    group="close",
    needs="history",
    vantage="S",
)
def r61(case: Case) -> Iterator[Outcome]:
    """Look for the call behind every closing that follows the end of another member.

    Without the agent's lines nobody knows what the application wanted.
    """
    for end in case.ends():
        if not end.is_root:
            continue
        for packet in _closings(end):
            before = _ended_alone(case, end, packet)
            if before is None:
                continue
            expels = (
                isinstance(packet.message, Close) and packet.message.reason == CloseReason.EXPEL
            )
            reason = CloseReason.EXPEL if expels else CloseReason.DISMANTLE
            if end.host not in case.logs:
                yield broken(
                    [before, packet],
                    expected="a call that closes it",
                    seen="no agent lines",
                    reason="without the agent's lines nobody knows whether this was asked for",
                    kind="unsure",
                )
                continue
            yield verify(
                asked_to_close(case, end, reason, packet.position),
                [before, packet],
                expected="a call that closes this membership, too",
                seen=f"{type(packet.message).__name__} after the end of another member",
            )


def _closings(end: End) -> list[Packet]:
    """Return the first CLOSE of a root's end, or its ABORT for linger 0."""
    aborts = [p for p in end.sent(Abort) if read(p, Abort).reason == AbortReason.LINGER0]
    return sorted([*end.sent(Close)[:1], *aborts[:1]], key=lambda one: one.number)[:1]


def _ended_alone(case: Case, end: End, packet: Packet) -> Packet | None:
    """Return what ended another membership of the session at its root before a frame."""
    for membership in case.history.of_session(end.membership.session_id):
        root = membership.root
        if root is not end and root.endpoint == end.endpoint:
            for arrival in root.arrived(Close, Abort):
                if arrival.number < packet.number:
                    return arrival
    return None


@rule(
    "R64",
    "ABORT is not repeated: a second one to the same member answers something that came since.",
    source="protocol.md 17.4 R64",
    group="close",
    needs="history",
    vantage="N",
)
def r64(case: Case) -> Iterator[Outcome]:
    """Look at what was delivered between two ABORTs of one side."""
    for end in case.ends():
        before: Packet | None = None
        for packet in end.sent(Abort):
            if packet.direction != "out":
                continue
            came = before is None or any(
                before.number < one.number < packet.number
                for one in end.membership.shelf.packets
                if one.direction == "in" and one.destination == end.endpoint
            )
            reflected = bool(read(packet, Abort).flags & HeaderFlag.R)
            yield verify(
                came or reflected,
                [before, packet] if before else packet,
                expected="one ABORT",
                seen="another, and nothing had come since",
            )
            before = packet


@rule(
    "R73",
    "A peer from which nothing came for the announced Dead is told that it is taken for dead, or "
    "that the membership ends.",
    source="protocol.md 17.5 R73",
    group="close",
    needs="history",
    vantage="N",
)
def r73(case: Case) -> Iterator[Outcome]:
    """Judge from where the node provably came round to its timers after that time."""
    for end in case.ends():
        if joined_at(end) == NEVER:
            continue
        heard = [
            packet
            for packet in end.membership.shelf.packets
            if packet.direction == "in" and packet.destination == end.endpoint
        ]
        if not heard or heard[-1].position > end.ended():
            continue
        last = heard[-1]
        due = case.overdue(end.host, last.time_ns + end.timers.dead_ms * 1_000_000)
        told = [packet for packet in end.sent(Abort, Close) if packet.number > last.number]
        if due < case.life_end(end.host, end.begun) and due != NEVER:
            yield verify(
                bool(told) or end.ended() < NEVER,
                [last, *told[:1]],
                expected=f"ABORT within {end.timers.dead_ms} ms of silence",
                seen="none",
            )
        elif told:
            yield PASSED
