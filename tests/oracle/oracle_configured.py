"""Endpoints that are told their timers, and those that announce others (CR20)."""

from tests.oracle.oracle_edits import Fault, fields
from tests.oracle.oracle_story import Move
from tests.oracle.oracle_tales import Tale

GIVEN = {"pend_s": 180.0, "keepalive_s": 20}
"""As the specification has it: what is given may be a default."""


def configured() -> list[Move]:
    """Tell of a root and a leaf that are configured before they meet."""
    tale = Tale()
    tale.call("root configure", "root", "configure", {}, seed=1, timers=GIVEN)
    tale.call("leaf1 configure", "leaf1", "configure", {}, seed=2)
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    tale.dismantle([tale.join("leaf1", 1)])
    return tale.moves


CONFIGURED = (configured,)
UNCONFIGURED = (
    Fault("CR20", configured, fields("leaf1 CHALLENGE", cookie_life_ms=30_500)),
    Fault("CR20", configured, fields("leaf1 PENDING", poll_ms=4_000)),
)
