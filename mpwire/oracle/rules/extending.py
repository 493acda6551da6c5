"""R105, R107 and R108: authentication, GREASE, and the counts of test builds."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import Attempt
from mpwire.oracle.registry import PASSED, Outcome, rule, verify
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet
from mpwire.vocabulary import NetworkEvent
from mpwire.wire.messages import (
    Accept,
    Challenge,
    CloseAck,
    Confirm,
    Pending,
    ProbeAck,
    Reject,
)
from mpwire.wire.numbers import RejectReason, is_grease_tlv, is_mandatory_tlv

CONNECTED = NetworkEvent.FD_CONNECT.bit_length() - 1
"""EVENT_ECHO names events by the number of their bit."""


@rule(
    "R105",
    "Once a side has used AUTH, everything it sends in that exchange carries it, with one KeyID "
    "and a growing Counter.",
    source="protocol.md 17.6 R105",
    group="data",
    needs="history",
    vantage="S",
)
def r105(case: Case) -> Iterator[Outcome]:
    """Follow the counters of each direction; CHALLENGE keeps no count."""
    for attempt in case.history.attempts:
        for endpoint in (attempt.initiator, attempt.responder):
            before: Packet | None = None
            for packet in _exchange(attempt):
                if packet.source != endpoint or packet.direction != "out":
                    continue
                if before is not None:
                    yield _authentic(before, packet)
                if packet.message is not None and packet.message.auth is not None:
                    before = packet if not isinstance(packet.message, Challenge) else before


def _exchange(attempt: Attempt) -> list[Packet]:
    """Return everything of one attempt and of what became of it, once."""
    shelves = [attempt.shelf, *(membership.shelf for membership in attempt.memberships)]
    packets = {packet.number: packet for shelf in shelves for packet in shelf.packets}
    return [packets[number] for number in sorted(packets)]


def _authentic(before: Packet, packet: Packet) -> Outcome:
    first = before.message.auth if before.message else None
    now = packet.message.auth if packet.message else None
    assert first is not None
    grows = isinstance(packet.message, Challenge) or (
        now is not None and now.counter > first.counter
    )
    return verify(
        now is not None and now.key_id == first.key_id and grows,
        [before, packet],
        expected=f"AUTH with KeyID {first.key_id} and a Counter above {first.counter}",
        seen="none" if now is None else f"KeyID {now.key_id}, Counter {now.counter}",
    )


@rule(
    "R107",
    "What is optional, and GREASE above all, is no reason to refuse: REJECT(UNSUPPORTED_TLV) names "
    "mandatory TLVs that the request has.",
    source="protocol.md 17.6 R107",
    group="data",
    needs="history",
    vantage="R",
)
def r107(case: Case) -> Iterator[Outcome]:
    """Compare what is named with the request, and count the requests with GREASE."""
    for attempt in case.history.attempts:
        extra = {code for code, _ in attempt.request.extra}
        greased = any(is_grease_tlv(code) for code in extra)
        refusals = [
            packet
            for packet in attempt.shelf.sent(Reject)
            if read(packet, Reject).reason == RejectReason.UNSUPPORTED_TLV
        ]
        yield from (PASSED for _ in attempt.shelf.sent(Pending, Accept)[:1] if greased)
        for packet in refusals:
            named = read(packet, Reject).unknown_tlvs or ()
            yield verify(
                bool(named) and all(is_mandatory_tlv(one) and one in extra for one in named),
                [attempt.first, packet],
                expected="mandatory TLVs of the request",
                seen=", ".join(f"{one:#06x}" for one in named) or "none",
            )


@rule(
    "R108",
    "The counts of EVENT_ECHO never go back; none tells of FD_CONNECT(0) before ACCEPT arrived.",
    source="protocol.md 17.6 R108",
    group="data",
    needs="history",
    vantage="R+S",
)
def r108(case: Case) -> Iterator[Outcome]:
    """Compare every count with the one before it from the same side."""
    for attempt in case.history.attempts:
        counts: dict[tuple[object, ...], int] = {}
        accepted = [packet.position for packet in attempt.shelf.arrived(Accept)]
        for packet in _exchange(attempt):
            message = packet.message
            if packet.direction != "out" or not isinstance(
                message, Confirm | Pending | CloseAck | ProbeAck
            ):
                continue
            for echo in message.event_echo or ():
                key = (packet.source, echo.event, echo.socket_kind, echo.error)
                early = (echo.event, echo.error) == (CONNECTED, 0) and echo.count
                early = early and packet.source == attempt.initiator
                early = early and min(accepted, default=NEVER) > packet.position
                yield verify(
                    echo.count >= counts.get(key, 0) and not early,
                    packet,
                    expected=f"a count of at least {counts.get(key, 0)}, and of what happened",
                    seen=f"event {echo.event}, error {echo.error}: {echo.count}",
                )
                counts[key] = max(echo.count, counts.get(key, 0))
