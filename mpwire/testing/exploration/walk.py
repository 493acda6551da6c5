"""The states of a small session, the moves between them, and what holds in each.

A state is one state of each party, the datagrams in flight, and what the network may still do
wrong. All of these are numbers: a party's state is stored once, frozen, and what a step makes of it
is worked out once, by thawing it and running the product. Nearly all of the walk is then looking up
numbers; the product runs only for pairs of state and input that were never met before. That is
sound because a party is a function of its own state and its input, and of nothing else.

The moves:

- a datagram in flight arrives, whichever (reordering); or it arrives and stays in flight
  (`duplicates`), or it is lost (`losses`)
- an application acts, whenever it can
- a timer expires, in any order: freely when nothing is in flight, and no timer of the data plane
  runs that is so much faster, otherwise as one of `early`; a keepalive whose peer is a member as
  well only as one of `keepalives`

In a calm walk nobody dies and the network loses no ABORT. Then no end may ever be a member alone,
not even until its keepalive finds out.

A datagram that changes nothing when it arrives is neither lost nor duplicated: the same state
would come out with a smaller budget, from which only less can happen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from mpwire.core.address import Address
from mpwire.core.events import SendDatagram
from mpwire.core.timers import TimerName
from mpwire.testing.exploration.acts import perform
from mpwire.testing.exploration.invariants import (
    Facts,
    Invariant,
    Offence,
    facts_of,
    half_open,
    offence_in_the_end,
    offence_of_all,
)
from mpwire.testing.exploration.party import FAST, Party, Step, TimerKey
from mpwire.testing.exploration.snapshot import Frozen, freeze, thaw
from mpwire.wire.numbers import MessageType

BITS: Final = 21
"""Bits per number in a packed state: two million states of a party, or of the network."""
MASK: Final = (1 << BITS) - 1

Datagram: TypeAlias = tuple[bytes, Address, Address]
Outcome: TypeAlias = tuple[int, tuple[int, ...]]
"""What a step comes to: the new state of the party, and the datagrams that it sends."""
Input: TypeAlias = int | str | TimerKey
"""What a party steps on: a datagram by its number, an act by its line, a timer."""
IMPOSSIBLE: Final[Outcome] = (-1, ())


class Budget(NamedTuple):
    """What may still go wrong."""

    losses: int = 0
    duplicates: int = 0
    early: int = 0
    """Timers that expire while something is in flight: premature retransmissions."""
    keepalives: int = 0
    """Keepalives between two members that are both alive."""


class Move(NamedTuple):
    """One step of the whole: what happens, to whom, and the state that comes of it."""

    kind: str
    """`arrives`, `is duplicated`, `is lost`, `vanishes`, `expires` or `acts`."""
    party: int
    subject: Input
    state: int


@dataclass(slots=True)
class Known:
    """One state of one party, as the walk needs it."""

    frozen: Frozen
    facts: Facts
    timers: tuple[tuple[TimerKey, tuple[int, int] | None], ...]
    """Timers that may expire; with the peer's view of its membership for a keepalive."""
    acts: tuple[str, ...]
    steps: dict[Input, Outcome] = field(default_factory=dict)
    """(state, datagrams) by input, as far as it was worked out."""


class Refuted(Exception):  # noqa: N818 - a verdict, not an error
    """An invariant does not hold; the state in which it does not is the last one met."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(offence.what)
        self.offence = offence


class Walk:
    """Know all states of the parties of one scenario, of the network, and of the whole."""

    def __init__(
        self, parties: Sequence[Party], budget: Budget, *, polls: int, repair: bool, calm: bool
    ) -> None:
        """Take the parties as they are for the first state; they are not touched again."""
        self.polls, self.repair, self.calm = polls, repair, calm
        self.hosts = {party.host: number for number, party in enumerate(parties)}
        self.known: list[list[Known]] = [[] for _ in parties]
        self.numbers: list[dict[Frozen, int]] = [{} for _ in parties]
        self.datagrams: list[Datagram] = []
        self.receivers: list[int] = []
        self.losable: list[bool] = []
        self.datagram_numbers: dict[Datagram, int] = {}
        self.networks: list[tuple[int, ...]] = [()]
        self.network_numbers: dict[tuple[int, ...], int] = {(): 0}
        self.budgets: list[Budget] = []
        self.budget_numbers: dict[Budget, int] = {}
        self.judged: set[tuple[int, ...]] = set()
        self.judged_ends: set[tuple[int, ...]] = set()
        self.runs = 0
        """Steps for which the product was run."""
        self.count = len(parties)
        first = [self._party_number(number, party) for number, party in enumerate(parties)]
        self.first = self.pack(first, 0, self._budget_number(budget))

    # Numbers ----------------------------------------------------------------------------------

    def pack(self, parties: Sequence[int], network: int, budget: int) -> int:
        """Return a state of the whole as one number."""
        packed = budget << BITS | network
        for number in parties:
            packed = packed << BITS | number
        return packed

    def unpack(self, state: int) -> tuple[list[int], int, int]:
        """Return the parties, the network and the budget of a state, all by number."""
        parties = [0] * self.count
        for number in reversed(range(self.count)):
            parties[number] = state & MASK
            state >>= BITS
        return parties, state & MASK, state >> BITS

    def _party_number(self, index: int, party: Party) -> int:
        frozen = freeze(party)
        number = self.numbers[index].get(frozen)
        if number is None:
            number = self.numbers[index][frozen] = len(self.known[index])
            assert number <= MASK
            peers = {own: (peer, own) for own, peer in party.live()}
            self.known[index].append(
                Known(
                    frozen,
                    facts_of(party),
                    tuple(
                        (key, peers.get(key[0]) if key[1] is TimerName.KEEPALIVE else None)
                        for key in party.timers(self.polls)
                    ),
                    tuple(line for alternatives in party.acts for line in alternatives),
                )
            )
        return number

    def _budget_number(self, budget: Budget) -> int:
        if budget not in self.budget_numbers:
            self.budget_numbers[budget] = len(self.budgets)
            self.budgets.append(budget)
        return self.budget_numbers[budget]

    def _datagram_number(self, datagram: SendDatagram) -> int:
        key = (datagram.data, datagram.source, datagram.destination)
        number = self.datagram_numbers.get(key)
        if number is None:
            number = self.datagram_numbers[key] = len(self.datagrams)
            self.datagrams.append(key)
            self.receivers.append(self.hosts[datagram.destination[0]])
            self.losable.append(not (self.calm and datagram.data[3] == MessageType.ABORT))
        return number

    def _network_number(self, flying: Sequence[int]) -> int:
        key = tuple(sorted(flying))
        number = self.network_numbers.get(key)
        if number is None:
            number = self.network_numbers[key] = len(self.networks)
            assert number <= MASK
            self.networks.append(key)
        return number

    # Steps ------------------------------------------------------------------------------------

    def step(self, index: int, number: int, subject: Input) -> Outcome:
        """Return what a party comes to by an input, and what it sends; run it if need be."""
        known = self.known[index][number]
        found = known.steps.get(subject)
        if found is None:
            found = known.steps[subject] = self._run(index, known, subject)
        return found

    def _run(self, index: int, known: Known, subject: Input) -> Outcome:
        self.runs += 1
        party: Party = thaw(known.frozen)
        step = self.feed(party, subject)
        if step is None:
            return IMPOSSIBLE
        sent = tuple(self._datagram_number(datagram) for datagram in step.datagrams)
        return self._party_number(index, party), sent

    def feed(self, party: Party, subject: Input) -> Step | None:
        """Give a party an input.

        Raises: Refuted if the product fails on it.
        """
        try:
            if isinstance(subject, str):
                return perform(party, subject)
            if isinstance(subject, int):
                return party.hear(SendDatagram(*self.datagrams[subject]))
            return party.expire(subject)
        except Exception as error:
            what = f"{party.host}: {type(error).__name__}: {error}"
            raise Refuted(Offence(Invariant.NO_FAILURE, what)) from error

    # Moves ------------------------------------------------------------------------------------

    def moves(self, state: int) -> Iterator[Move]:
        """Make every move that can be made in a state."""
        parties, network, budget_number = self.unpack(state)
        budget = self.budgets[budget_number]
        yield from self._deliveries(parties, network, budget_number)
        for index, number in enumerate(parties):
            for line in self.known[index][number].acts:
                step = self.step(index, number, line)
                if step is not IMPOSSIBLE:
                    after = self._after(parties, index, step, network, budget_number)
                    yield Move("acts", index, line, after)
        if network == 0 or budget.early:
            yield from self._expirations(parties, network, budget)

    def _deliveries(self, parties: list[int], network: int, budget_number: int) -> Iterator[Move]:
        budget = self.budgets[budget_number]
        flying = self.networks[network]
        last = -1
        for place, datagram in enumerate(flying):
            if datagram == last:
                continue
            last = datagram
            index = self.receivers[datagram]
            rest = self._network_number(flying[:place] + flying[place + 1 :])
            number = parties[index]
            step = self.step(index, number, datagram)
            after = self._after(parties, index, step, rest, budget_number)
            yield Move("arrives", index, datagram, after)
            if step == (number, ()):
                continue
            if budget.duplicates:
                less = self._budget_number(budget._replace(duplicates=budget.duplicates - 1))
                after = self._after(parties, index, step, network, less)
                yield Move("is duplicated", index, datagram, after)
            if budget.losses and self.losable[datagram]:
                less = self._budget_number(budget._replace(losses=budget.losses - 1))
                yield Move("is lost", index, datagram, self.pack(parties, rest, less))

    def _expirations(self, parties: list[int], network: int, budget: Budget) -> Iterator[Move]:
        states = [self.known[index][number] for index, number in enumerate(parties)]
        hurried = any(key[1] in FAST for state in states for key, _ in state.timers)
        for index, (number, state) in enumerate(zip(parties, states, strict=True)):
            for key, mirrored in state.timers:
                left = budget
                if network or (hurried and key[1] not in FAST):
                    if not budget.early:
                        continue
                    left = left._replace(early=left.early - 1)
                if mirrored is not None and self._is_live(parties, mirrored):
                    if not left.keepalives:
                        continue
                    left = left._replace(keepalives=left.keepalives - 1)
                step = self.step(index, number, key)
                less = self._budget_number(left)
                after = self._after(parties, index, step, network, less)
                yield Move("expires", index, key, after)

    def _is_live(self, parties: list[int], tags: tuple[int, int]) -> bool:
        return any(
            tags in self.known[index][number].facts.live for index, number in enumerate(parties)
        )

    def _after(
        self,
        parties: list[int],
        index: int,
        step: Outcome,
        network: int,
        budget: int,
    ) -> int:
        """Return the state after a party has come to another of its own, and has sent."""
        following, sent = step
        others = parties.copy()
        others[index] = following
        if sent:
            network = self._network_number(self.networks[network] + sent)
        return self.pack(others, network, budget)

    # Judging ----------------------------------------------------------------------------------

    def judge(self, state: int) -> None:
        """Check what holds at any time.

        Raises: Refuted.
        """
        parties = tuple(self.unpack(state)[0])
        if parties in self.judged:
            return
        self.judged.add(parties)
        offence = offence_of_all(self._facts(parties))
        if offence is not None:
            raise Refuted(offence)

    def judge_calm(self, state: int) -> None:
        """Check what holds when nothing is in flight and only keepalives are left to expire.

        Raises: Refuted.
        """
        if self.calm:
            offence = half_open(self._facts(self.unpack(state)[0]))
            if offence is not None:
                raise Refuted(offence)

    def judge_end(self, state: int) -> None:
        """Check what holds when nothing is in flight and no timer can expire.

        Raises: Refuted.
        """
        parties = tuple(self.unpack(state)[0])
        if parties in self.judged_ends:
            return
        self.judged_ends.add(parties)
        offence = offence_in_the_end(self._facts(parties), repair=self.repair)
        if offence is not None:
            raise Refuted(offence)

    def _facts(self, parties: Sequence[int]) -> list[Facts]:
        return [self.known[index][number].facts for index, number in enumerate(parties)]
