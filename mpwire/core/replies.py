"""Answers that need no state: to strangers, to the dead, and to requests not yet proven.

Every answer is at most as long as what caused it, goes back where that came from, and is sent at
most once per datagram (R33, R101-R104). The table of out-of-the-blue replies is protocol.md 13.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mpwire.core.address import Address
from mpwire.core.membership import HeaderFields
from mpwire.wire.errors import Invariant
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    Confirm,
    Data,
    JoinReq,
    Member,
    Message,
    Probe,
    Reject,
    Side,
    VersionNeg,
)
from mpwire.wire.numbers import VERSION, HeaderFlag
from mpwire.wire.registries import AbortReason, CancelResult, RejectReason

BURST: Final = 4
"""Out-of-the-blue replies a source may earn at once; then one per second (R104)."""
REFUSALS_PPS: Final = 1000.0
"""REJECT(NOT_LISTENING) and the like that a source may earn per second, without proof (R104)."""
BUCKETS: Final = 4096
"""Sources remembered by the limiter; the longest silent one is forgotten first."""


def challenge(request: JoinReq, cookie: bytes, life_s: float) -> Challenge:
    """Ask the source of a JOIN_REQ to prove its address (R33)."""
    return Challenge(**_to_initiator(request), cookie_life_ms=round(life_s * 1000), cookie=cookie)


def reject(
    request: JoinReq, reason: RejectReason, unknown_tlvs: tuple[int, ...] | None = None
) -> Reject:
    """Refuse a JOIN_REQ for which no state is kept."""
    return Reject(
        **_to_initiator(request),
        reason=reason,
        retry_after_s=0,
        detail=0,
        unknown_tlvs=unknown_tlvs,
    )


def _to_initiator(request: JoinReq) -> HeaderFields:
    return HeaderFields(
        session_id=request.session_id,
        destination_tag=request.init_tag,
        sender_id=0,
        seq=request.seq,
        attempt=request.attempt,
    )


def version_negotiation(invariant: Invariant) -> VersionNeg:
    """Name our versions to a peer that asked in another one (R106)."""
    return VersionNeg(
        session_id=invariant.session_id,
        destination_tag=invariant.init_tag,
        versions=(VERSION,),
    )


def _abort_reflected(message: Message) -> Abort:
    return Abort(
        flags=HeaderFlag.R,
        session_id=message.session_id,
        destination_tag=message.destination_tag,
        seq=message.seq,
        attempt=message.attempt,
        reason=AbortReason.NO_MEMBERSHIP,
        echo_seq=message.seq,
    )


def _abort_acceptance(message: Message) -> Abort:
    assert isinstance(message, Accept)
    return Abort(
        session_id=message.session_id,
        destination_tag=message.resp_tag,
        seq=message.seq,
        reason=AbortReason.NO_MEMBERSHIP,
        echo_seq=message.seq,
    )


def _cancel_unknown(message: Message) -> CancelAck:
    assert isinstance(message, Cancel)
    return CancelAck(
        session_id=message.session_id,
        destination_tag=message.init_tag,
        seq=message.seq,
        attempt=message.attempt,
        result=CancelResult.UNKNOWN,
    )


OUT_OF_THE_BLUE: Final[dict[type[Message], Callable[[Message], Message]]] = {
    Close: _abort_reflected,
    Cancel: _cancel_unknown,
    Accept: _abort_acceptance,
    Confirm: _abort_reflected,
    Probe: _abort_reflected,
    Member: _abort_reflected,
    Side: _abort_reflected,
    Data: _abort_reflected,
}
"""What a message without matching state earns; everything else earns silence."""


@dataclass(slots=True)
class Limiter:
    """One bucket per source, so that limiting one tells nothing about another (T20)."""

    burst: float = float(BURST)
    """Replies admitted at once."""
    rate_pps: float = 1.0
    """Replies admitted per second after that."""
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """(tokens, time of the last look in seconds) by source IP address."""

    def admits(self, source: Address, now_s: float) -> bool:
        """Tell whether one more reply may go to this source, and count it."""
        tokens, looked_s = self.buckets.pop(source[0], (self.burst, now_s))
        tokens = min(self.burst, tokens + (now_s - looked_s) * self.rate_pps)
        admitted = tokens >= 1
        self.buckets[source[0]] = (tokens - admitted, now_s)
        if len(self.buckets) > BUCKETS:
            del self.buckets[next(iter(self.buckets))]
        return admitted
