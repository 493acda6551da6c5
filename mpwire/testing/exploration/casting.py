"""What a scenario is: who takes part, what they may do, what was before, and how far to go.

The root's host is number 1. A prelude is a list of acts, after each of which everything in flight
arrives in order, without losses; the walk begins after it. The fast bounds are those that the
continuous integration walks; the deep ones take minutes and gigabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mpwire.testing.exploration.acts import play
from mpwire.testing.exploration.moves import Budget, receivers_of
from mpwire.testing.exploration.party import Party
from mpwire.testing.exploration.walk import Walk
from mpwire.winsock.protocols import Protocol

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
    fast: Budget | None
    """None for one that is too large for the continuous integration."""
    deep: Budget
    prelude: tuple[tuple[int, str], ...] = ()
    """(host number, act) before the walk begins."""
    polls: int = 1
    """Polls of a pending request before its T_PEND is over."""
    repair: bool = False
    """Whether nothing that was queued before a graceful close may be lost."""
    calm: bool = False
    """Whether no ABORT is lost, and no end may be a member alone until its keepalive says so."""
    graceful: bool = False
    """Whether nobody dies or aborts, T_LINGER is never early, and no end may be told an error."""
    protocol: Protocol = Protocol.MPW_ROOTED

    @property
    def bounds(self) -> Budget:
        """Return the fast bounds.

        Raises: ValueError for a scenario that is walked in the deep profile only.
        """
        if self.fast is None:
            raise ValueError(f"{self.name} is not in the fast profile")
        return self.fast

    def begin(self, budget: Budget) -> Walk:
        """Open the sockets, play the prelude, and return a walk about to begin."""
        parties = [
            Party(number, cast.opens, _alternatives(cast.acts), self.protocol)
            for number, cast in enumerate(self.casts, 1)
        ]
        for number, line in self.prelude:
            _play(parties, number, line)
        return Walk(
            parties,
            budget,
            polls=self.polls,
            repair=self.repair,
            calm=self.calm,
            graceful=self.graceful,
        )


def _alternatives(acts: Acts) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split(" | ")) for line in acts)


def _play(parties: list[Party], number: int, line: str) -> None:
    """Let one application act, and everything in flight arrive."""
    hosts = [party.host for party in parties]
    flying = play(parties[number - 1], line).datagrams
    while flying:
        datagram = flying.pop(0)
        for host in receivers_of(datagram, hosts):
            flying += parties[hosts.index(host)].hear(datagram).datagrams


NOTHING = Budget()
ONE_EACH = Budget(losses=1, duplicates=1, early=1)
LOSS = Budget(losses=1)

SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(
    name: str,
    about: str,
    *casts: Cast,
    fast: Budget | None = ONE_EACH,
    deep: Budget | None = None,
    prelude: tuple[tuple[int, str], ...] = (),
    repair: bool = False,
    calm: bool = False,
    graceful: bool = False,
    protocol: Protocol = Protocol.MPW_ROOTED,
) -> None:
    """Add a scenario under its name."""
    farthest = deep or fast
    assert farthest is not None, name
    SCENARIOS[name] = Scenario(
        name, about, casts, fast, farthest, prelude, 1, repair, calm, graceful, protocol
    )


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
