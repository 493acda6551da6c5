"""EV28: what only the host itself, or the lab that did it, can know."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.registry import Outcome, rule


@rule(
    "EV28",
    "FD_CLOSE(WSAENETDOWN) is reported when the host lost the interface that the membership used.",
    source="protocol.md 15; W72, D52",
    group="events",
    needs="events",
    vantage="E",
)
def ev28(case: Case) -> Iterator[Outcome]:
    """Present what matching found; without a loss that the lab has caused nothing is decided."""
    yield from case.events.outcomes.get("EV28", ())
