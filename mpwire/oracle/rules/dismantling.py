"""R60: a session is dismantled, and everybody is told."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import DEFAULT_TIMERS, End, is_full
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Endpoint, Packet, Position
from mpwire.wire.messages import (
    Abort,
    Accept,
    Ack,
    Cancel,
    Close,
    Confirm,
    Data,
    DataAck,
    Pending,
    Reject,
    Side,
)
from mpwire.wire.numbers import Capability, CloseReason, TimersFlag

SPREAD_NS = 1_000_000_000
"""First copies of a dismantling may be spread over this, scaled like the timers."""


@rule(
    "R60",
    "When a root dismantles its session, every live member is sent CLOSE(DISMANTLE) within one "
    "second (scaled), and every pending attempt a REJECT or CANCEL.",
    source="protocol.md 17.4 R60",
    group="close",
    needs="history",
    vantage="S",
)
def r60(case: Case) -> Iterator[Outcome]:
    """Compare the members at the first CLOSE(DISMANTLE) with those who were told.

    Whom the root had told before that it has nothing more to say, need not hear that again.
    """
    for session, first in dismantlings(case).items():
        halved = _only_half(case, session)
        for end in members_at(case, session, first):
            told = [p for p in end.sent(Close, Abort) if p.number >= first.number]
            if told or (halved and end.half_closed() < first.position):
                yield PASSED
                continue
            if end.ended() != NEVER:
                continue
            waited_ns, enough = waited(case, end, first.time_ns)
            yield broken(
                first,
                expected=f"CLOSE(DISMANTLE) to {end.peer.name}",
                seen=f"none for {waited_ns / 1e9:.2f} s",
                reason=f"{end.peer.name} was a member when the dismantling began in frame "
                f"{first.number} and was never told",
                kind="fail" if enough else "unsure",
                endpoint=end.name,
            )
        yield from _pending_told(case, session, first)


def _only_half(case: Case, session: int) -> bool:
    """Tell whether a root ended its own direction only, wherever the other one is still open."""
    halves = 0
    for membership in case.history.of_session(session):
        root = membership.root
        for packet in root.sent(Close):
            close = read(packet, Close)
            able = membership.caps & Capability.HALFCLOSE and packet.position < root.peer_closed()
            if close.reason == CloseReason.DISMANTLE and able and is_full(packet):
                return False
            halves += close.reason == CloseReason.DISMANTLE and not is_full(packet)
    return halves > 0


def waited(case: Case, end: End, since_ns: int, until: Position = NEVER) -> tuple[int, bool]:
    """Return how long a side had time to send CLOSE, and if it provably let that time pass.

    First copies may be spread; one that has data to pace or to relay waits for T_DRAIN at most
    since the last of it left, or was acknowledged; and one whose side chat is not acknowledged
    waits for that.
    """
    lived_ns = case.trace.when(case.life_end(end.host, end.begun))
    due_ns = since_ns + SPREAD_NS * scale_of(end)
    moved = [packet.time_ns for packet in [*end.sent(Data), *end.cast(Data), *end.arrived(DataAck)]]
    if moved:
        patience_ms = max(end.timers.drain_ms, end.timers.rto_initial_ms)
        due_ns = max(due_ns, *moved) + patience_ms * 1_000_000
    told = {read(packet, Ack).seq for packet in end.arrived(Ack)}
    chatting = any(read(packet, Side).seq not in told for packet in end.sent(Side))
    enough = not chatting and case.overdue(end.host, due_ns) < until
    return lived_ns - since_ns, enough


def _pending_told(case: Case, session: int, first: Packet) -> Iterator[Outcome]:
    """Check that entries of the queue were refused and an open invitation was cancelled.

    A newer request of the same leaf has ended the one that waited before it (9.3).
    """
    newest: dict[tuple[Endpoint, Endpoint], int] = {}
    for attempt in case.history.attempts:
        if any(packet.number < first.number for packet in attempt.shelf.sent(Pending)):
            pair = attempt.initiator, attempt.responder
            newest[pair] = max(newest.get(pair, 0), attempt.first.number)
    for attempt in case.history.attempts:
        if attempt.root != first.source or attempt.root_host != first.host:
            continue
        if attempt.by_root:
            waits = attempt.request.session_id == session and attempt.first.number < first.number
            answers = [*attempt.shelf.arrived(Accept, Reject), *attempt.shelf.sent(Cancel)]
        else:
            waits = any(packet.number < first.number for packet in attempt.shelf.sent(Pending))
            waits = waits and not (attempt.folded and attempt.folded.confirmed)
            begun = attempt.first.number
            waits = waits and begun == newest[attempt.initiator, attempt.responder]
            answers = [*attempt.shelf.sent(Accept, Reject), *attempt.shelf.arrived(Cancel)]
        if waits and not any(packet.number < first.number for packet in answers):
            yield verify(
                bool(answers),
                [attempt.first, first],
                expected="REJECT or CANCEL for what is pending",
                seen="neither",
            )


def dismantlings(case: Case) -> dict[int, Packet]:
    """Return the first CLOSE(DISMANTLE) of each session as its root sent it."""
    found: dict[int, Packet] = {}
    for packet in case.own:
        message = packet.message
        if isinstance(message, Close) and message.reason == CloseReason.DISMANTLE:
            found.setdefault(message.session_id, packet)
    return found


def members_at(case: Case, session: int, first: Packet) -> Iterator[End]:
    """Yield the root's ends of the memberships that were alive when a dismantling began."""
    for membership in case.history.of_session(session):
        end = membership.root
        confirmed = [
            *end.sent(Confirm),
            *(p for p in end.arrived(Confirm)),
        ]
        if (
            end.host == first.host
            and any(packet.number < first.number for packet in confirmed)
            and end.ended() >= first.position
        ):
            yield end


def scale_of(end: End) -> float:
    """Return how much shorter than the defaults the timers of a test network are."""
    timers = end.timers
    if not timers.tflags & TimersFlag.CONTROLLED:
        return 1.0
    return min(1.0, timers.rto_initial_ms / DEFAULT_TIMERS.rto_initial_ms)
