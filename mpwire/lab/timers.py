"""Timers that a testbed may set, and how long a run waits because of them."""

from collections.abc import Mapping
from typing import Final

DEFAULTS: Final[Mapping[str, float]] = {
    "rto_initial_s": 1.0,
    "rto_maximum_s": 16.0,
    "keepalive_s": 20.0,
    "dead_s": 45.0,
    "pend_s": 180.0,
    "linger_s": 40.0,
    "drain_s": 6.0,
    "poll_s": 5.0,
    "cookie_life_s": 30.0,
    "retransmissions": 5,
}
"""What an agent uses unless told otherwise (docs/agents.md)."""

COUNTS: Final = frozenset({"retransmissions"})
"""Timers that are no times: a scale leaves them alone."""

JITTER: Final = 1.1


def scaled(scale: float) -> dict[str, float]:
    """Multiply every default time by one factor, so that their proportions hold."""
    return {
        name: value if name in COUNTS else round(value * scale, 6)
        for name, value in DEFAULTS.items()
    }


def handshake_budget_s(timers: Mapping[str, float]) -> float:
    """Say when the last of the announced retransmissions must have been given up, at the latest.

    Source: protocol.md 10, the k-th interval is min(RTO * 2^(k-1), RTOmax) with 10 % of jitter.
    """
    known = {**DEFAULTS, **timers}
    initial, maximum = known["rto_initial_s"], known["rto_maximum_s"]
    sends = int(known["retransmissions"])
    return JITTER * sum(min(initial * 2.0**k, maximum) for k in range(sends + 1))


def patience_s(timers: Mapping[str, float], error: str = "SUCCESS") -> float:
    """Say how long an event may be waited for before a run gives it up.

    The network in a lab takes no time worth counting, so only timers can delay an event; the
    longest that can precede the named outcome is granted half as much again.
    """
    known = {**DEFAULTS, **timers}
    budget = handshake_budget_s(timers)
    if error == "WSAETIMEDOUT":
        budget += known["pend_s"]
    elif error in ("WSAECONNABORTED", "WSAENETDOWN"):
        budget += known["dead_s"]
    return 1.5 * budget + known["drain_s"]
