"""What a walk is made of: budgets, moves, timers, and what is known of a state of one party."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.core.groups import is_group_host
from mpwire.testing.exploration.invariants import Facts, Offence
from mpwire.testing.exploration.party import TimerKey
from mpwire.testing.exploration.snapshot import Frozen

Datagram: TypeAlias = tuple[bytes, Address, Address, str]
"""(octets, source, destination, host that this copy goes to)."""
Outcome: TypeAlias = tuple[int, tuple[int, ...]]
"""What a step comes to: what it adds to the parties in a state, and the datagrams it sends."""
Input: TypeAlias = int | str | TimerKey
"""What a party steps on: a datagram by its number, an act by its line, a timer."""
NOTHING: Final[Outcome] = (0, ())
"""A step that changes nothing."""
NOT_KNOWN: Final[Outcome] = (-1, (-1,))


class Budget(NamedTuple):
    """What may still go wrong."""

    losses: int = 0
    duplicates: int = 0
    early: int = 0
    """Timers that expire while something is in flight: premature retransmissions."""
    keepalives: int = 0
    """Keepalives between two members that are both alive."""


Move: TypeAlias = tuple[str, int, Input, int]
"""One step of the whole: what happens, to which party, what with, and the state that comes of it.

What happens is one of `arrives`, `is duplicated`, `is lost`, `expires` and `acts`.
"""


class Less(NamedTuple):
    """The numbers of the budgets that have one thing less, -1 for what has run out."""

    losses: int
    duplicates: int
    early: int
    keepalives: int


class Timer(NamedTuple):
    """A running timer, as the walk needs it."""

    key: TimerKey
    mirrored: tuple[int, int] | None
    """Of a keepalive, the peer's view of its membership: (own tag, peer tag)."""
    pace: int
    """How fast it is, of what is told apart."""


INSTANT, QUICK, SYNC, STEADY, SLOW = range(5)
"""The first NACK of a series; other fractions of the RTO; T_SYNC, which is twelve times that NACK;
multiples of the RTO; and T_LINGER, which outlasts every series of copies.
"""


@dataclass(slots=True)
class Known:
    """One state of one party, as the walk needs it."""

    frozen: Frozen
    facts: Facts
    timers: tuple[Timer, ...]
    """Timers that may expire."""
    acts: tuple[str, ...]
    steps: dict[Input, Outcome | None] = field(default_factory=dict)
    """(state, datagrams) by input, as far as it was worked out."""


class Refuted(Exception):  # noqa: N818 - a verdict, not an error
    """An invariant does not hold; the state in which it does not is the last one met."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(offence.what)
        self.offence = offence


def receivers_of(datagram: SendDatagram, hosts: Sequence[str]) -> list[str]:
    """Return the hosts that copies of a datagram go to: all others, if it is for a group.

    A copy for a host that does not listen is on its way as well, because it may do so in time.
    """
    host = datagram.destination[0]
    if not is_group_host(host):
        return [host]
    return [other for other in hosts if other != datagram.source[0]]
