"""Bound when something began, from below: by what had to come first.

Frames may be recorded later than they left, so that the distance between two of them proves
little. But nothing leaves before the call that asked for it, or the delivery that it waits for; and
nothing that is recorded happened later than its record. What was recorded sooner after its cause
than all the waits in between take, came too early, however busy the machine was.
"""

from mpwire.oracle.case import Case
from mpwire.oracle.membership import Attempt, End
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet
from mpwire.wire.messages import Accept, Challenge, Message, Pending, Probe, Timers
from mpwire.wire.numbers import PendingState

KEEPALIVE_SHARE = 0.8
"""T_KA is no shorter than this share of what was announced."""
JITTER = 0.9
"""A wait is no shorter than this share of its law."""


def waits_ns(timers: Timers, copies: int) -> float:
    """Return how long the waits after some copies take together at least."""
    laws = (min(timers.rto_initial_ms * 2**k, timers.rto_maximum_ms) for k in range(copies))
    return float(JITTER * 1e6 * sum(laws))


def request_began(case: Case, attempt: Attempt) -> int | None:
    """Return when a join was asked for whose copies follow their law undisturbed."""
    if attempt.shelf.arrived(Challenge, Pending):
        return None
    join = case.bindings.join_of(attempt)
    return join.call.asked_ns if join is not None else None


def copies_began(case: Case, end: End, kind: type[Message]) -> int | None:
    """Return when the cause of a side's ACCEPT, CLOSE or PROBE came; None if nothing tells."""
    if kind is Accept:
        handle = case.socket_of(end)
        made = handle.maker if handle is not None and not end.is_initiator else None
        return made.asked_ns if made is not None and made.name == "accept" else None
    if kind is Probe:
        return _heard_before(case, end)
    log = case.logs.get(end.host or "")
    sockets = {case.socket_of(end), case.session_socket(end)}
    calls = [call for one in sockets if one is not None for call in one.shutdowns]
    calls += [one.closing for one in sockets if one is not None and one.closing is not None]
    calls += log.exits if log is not None else []
    orderly = log is None or log.life_at(end.begun).exit is None or bool(calls)
    return min((call.asked_ns for call in calls), default=None) if orderly else None


def _heard_before(case: Case, end: End) -> int | None:
    """Return when the newest PROBE of this side can have been begun at the earliest.

    That is T_KA after the peer was heard last, unless a request of the peer's address made it
    doubtful whether the peer is still the same (VERIFYING). Heard is what the side has provably
    worked off before: a message may reach its host just as the PROBE leaves.
    """
    first = [packet for packet in end.sent(Probe) if read(packet, Probe).attempt == 1]
    began = first[-1].position if first else NEVER
    heard = [
        packet.time_ns
        for packet in end.membership.shelf.packets
        if packet.direction == "in"
        and packet.destination == end.endpoint
        and (case.settled(end.host, packet.position) or NEVER) < began < NEVER
    ]
    doubted = any(
        read(pending, Pending).state == PendingState.VERIFYING
        for attempt in case.history.between(end.peer.endpoint, end.endpoint)
        for pending in attempt.shelf.sent(Pending)
    )
    if not heard or doubted:
        return None
    return max(heard) + int(KEEPALIVE_SHARE * 1e6 * end.timers.keepalive_ms)


def gave_up_after(case: Case, end: End, last: Packet, kind: type[Message], copies: int) -> int:
    """Return when a side can have given up at the earliest, in nanoseconds; 0 if nothing tells."""
    began = copies_began(case, end, kind)
    same = [one for one in end.sent(kind) if one.number < last.number]
    return 0 if began is None or not same else began + int(waits_ns(end.timers, copies))
