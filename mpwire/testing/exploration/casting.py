"""What a scenario is: who takes part, what they may do, what was before, and how far to go.

The root's host is number 1. A prelude is a list of acts, after each of which everything in flight
arrives in order, without losses; the walk begins after it. The fast bounds are those that the
continuous integration walks; the deep ones take minutes and gigabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mpwire.testing.exploration.acts import play
from mpwire.testing.exploration.party import Party
from mpwire.testing.exploration.walk import Budget, Walk

Acts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Cast:
    """One party of a scenario."""

    opens: str
    """"root", "lonely root" (does not listen), "leaf" or "waiting leaf" (listens)."""
    acts: Acts
    """What its application may do, each line once, in any order; "a | b": one of them."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A small session, and the bounds within which all of it is walked."""

    name: str
    about: str
    casts: tuple[Cast, ...]
    fast: Budget
    deep: Budget
    prelude: tuple[tuple[int, str], ...] = ()
    """(host number, act) before the walk begins."""
    polls: int = 1
    """Polls of a pending request before its T_PEND is over."""
    repair: bool = False
    """Whether nothing that was queued before a graceful close may be lost."""
    calm: bool = False
    """Whether no ABORT is lost, and no end may be a member alone until its keepalive says so."""

    def begin(self, budget: Budget) -> Walk:
        """Open the sockets, play the prelude, and return a walk about to begin."""
        parties = [
            Party(number, cast.opens, tuple(tuple(line.split(" | ")) for line in cast.acts))
            for number, cast in enumerate(self.casts, 1)
        ]
        for number, line in self.prelude:
            _play(parties, number, line)
        return Walk(parties, budget, polls=self.polls, repair=self.repair, calm=self.calm)


def _play(parties: list[Party], number: int, line: str) -> None:
    """Let one application act, and everything in flight arrive."""
    flying = play(parties[number - 1], line).datagrams
    while flying:
        datagram = flying.pop(0)
        host = datagram.destination[0]
        receiver = next(party for party in parties if party.host == host)
        flying += receiver.hear(datagram).datagrams


NOTHING = Budget()
ONE_EACH = Budget(losses=1, duplicates=1, early=1)
LOSS = Budget(losses=1)

SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(
    name: str,
    about: str,
    *casts: Cast,
    fast: Budget = ONE_EACH,
    deep: Budget | None = None,
    prelude: tuple[tuple[int, str], ...] = (),
    repair: bool = False,
    calm: bool = False,
) -> None:
    """Add a scenario under its name."""
    SCENARIOS[name] = Scenario(name, about, casts, fast, deep or fast, prelude, 1, repair, calm)


def root(*acts: str) -> Cast:
    """Return a root that listens."""
    return Cast("root", acts)


def lonely(*acts: str) -> Cast:
    """Return a root that does not listen."""
    return Cast("lonely root", acts)


def leaf(*acts: str) -> Cast:
    """Return a leaf that asks."""
    return Cast("leaf", acts)


def waiting(*acts: str) -> Cast:
    """Return a leaf that waits for invitations."""
    return Cast("waiting leaf", acts)


LEAF_JOINED: Final = ((2, "join"), (1, "accept"))
LEAF_INVITED: Final = ((1, "invite 2"), (2, "accept"))
