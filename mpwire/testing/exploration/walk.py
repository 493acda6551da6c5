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
- a timer expires, in any order: freely when nothing is in flight, and none runs that is so much
  faster (the data plane's before all others, the first NACK of a series before a SYNC), otherwise
  as one of `early`; a keepalive whose peer is a member as well only as one of `keepalives`

In a calm walk nobody dies and the network loses no ABORT. Then, unless a timer has expired early,
no end may ever be a member alone, not even until its keepalive finds out. In a graceful one nobody
dies or aborts, and T_LINGER is longer than any series of copies; then no end is told an error.

A datagram that changes nothing when it arrives is neither lost nor duplicated: the same state
would come out with a smaller budget, from which only less can happen.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mpwire.core import Membership
from mpwire.core.events import SendDatagram
from mpwire.core.table import State
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
from mpwire.testing.exploration.moves import (
    INSTANT,
    NOT_KNOWN,
    NOTHING,
    QUICK,
    SLOW,
    STEADY,
    SYNC,
    Budget,
    Datagram,
    Input,
    Known,
    Less,
    Move,
    Outcome,
    Refuted,
    Timer,
    receivers_of,
)
from mpwire.testing.exploration.party import FAST, Diary, Party, Step
from mpwire.testing.exploration.snapshot import Archive, Frozen, Thawed
from mpwire.wire.numbers import MessageType

BITS: Final = 21
"""Bits per number in a packed state: two million states of a party, or of the network."""
MASK: Final = (1 << BITS) - 1


class Walk:
    """Know all states of the parties of one scenario, of the network, and of the whole."""

    def __init__(
        self,
        parties: Sequence[Party],
        budget: Budget,
        *,
        polls: int,
        repair: bool,
        calm: bool,
        graceful: bool,
    ) -> None:
        """Take the parties as they are for the first state; they are not touched again."""
        self.polls, self.repair, self.calm, self.graceful = polls, repair, calm, graceful
        self.hosts = [party.host for party in parties]
        self.archive = Archive()
        self.known: list[list[Known]] = [[] for _ in parties]
        self.numbers: list[dict[Frozen, int]] = [{} for _ in parties]
        self.diaries: dict[Frozen, Diary] = {}
        self.datagrams: list[Datagram] = []
        self.receivers: list[int] = []
        self.losable: list[bool] = []
        self.datagram_numbers: dict[Datagram, int] = {}
        self.networks: list[tuple[int, ...]] = [()]
        self.network_numbers: dict[tuple[int, ...], int] = {(): 0}
        self.arrivals: list[tuple[tuple[int, int], ...] | None] = [()]
        """(datagram, the network without it) by network, as far as it was worked out."""
        self.sendings: dict[tuple[int, tuple[int, ...]], int] = {}
        """The network that comes of a network and what is sent."""
        self.budgets: list[Budget] = []
        self.budget_numbers: dict[Budget, int] = {}
        self.less: list[Less] = []
        self.judged: set[int] = set()
        self.judged_ends: set[int] = set()
        self.runs = 0
        """Steps for which the product was run."""
        self.shifts = [BITS * place for place in reversed(range(len(parties)))]
        self.parties_bits = BITS * len(parties)
        self.parties_mask = (1 << self.parties_bits) - 1
        first = [self._party_number(number, party) for number, party in enumerate(parties)]
        whole = sum(number << shift for number, shift in zip(first, self.shifts, strict=True))
        self.first = self._pack(whole, 0, self._budget_number(budget))

    # Numbers ----------------------------------------------------------------------------------

    def _pack(self, parties: int, network: int, budget: int) -> int:
        """Return a state of the whole as one number."""
        return (budget << BITS | network) << self.parties_bits | parties

    def unpack(self, state: int) -> tuple[list[int], int, int]:
        """Return the parties, the network and the budget of a state, all by number."""
        parties = [state >> shift & MASK for shift in self.shifts]
        state >>= self.parties_bits
        return parties, state & MASK, state >> BITS

    def _party_number(self, index: int, party: Party, thawed: Thawed | None = None) -> int:
        frozen = self.archive.freeze(party, thawed)
        number = self.numbers[index].get(frozen)
        if number is None:
            number = self.numbers[index][frozen] = len(self.known[index])
            assert number <= MASK
            self.known[index].append(self._know(frozen, party))
        return number

    def _know(self, frozen: Frozen, party: Party) -> Known:
        """Take down what the walk needs of a state of a party; equal diaries are kept once."""
        peers = {own: (peer, own) for own, peer in party.live()}
        members = {one.identity.own_tag: one for _, one in party.memberships()}
        diary = self.diaries.setdefault(self.archive.freeze(party.diary), party.diary)
        return Known(
            frozen,
            facts_of(party, diary),
            tuple(
                Timer(
                    key,
                    peers.get(key[0]) if key[1] is TimerName.KEEPALIVE else None,
                    self._pace(key[1], members[key[0]]),
                )
                for key in party.timers(self.polls)
            ),
            tuple(line for alternatives in party.acts for line in alternatives),
        )

    def _pace(self, name: TimerName, owner: Membership) -> int:
        if name is TimerName.SYNC:
            return SYNC
        if name in FAST:
            return INSTANT if name is TimerName.NACK and not owner.nacks else QUICK
        return SLOW if self.graceful and owner.state is State.LINGERING else STEADY

    def _budget_number(self, budget: Budget) -> int:
        number = self.budget_numbers.get(budget)
        if number is None:
            number = self.budget_numbers[budget] = len(self.budgets)
            self.budgets.append(budget)
            self.less.append(Less(-1, -1, -1, -1))
            self.less[number] = Less(
                *(
                    self._budget_number(budget._replace(**{name: left - 1})) if left else -1
                    for name, left in budget._asdict().items()
                )
            )
        return number

    def _datagram_number(self, datagram: SendDatagram, host: str) -> int:
        key = (datagram.data, datagram.source, datagram.destination, host)
        number = self.datagram_numbers.get(key)
        if number is None:
            number = self.datagram_numbers[key] = len(self.datagrams)
            self.datagrams.append(key)
            self.receivers.append(self.hosts.index(host))
            self.losable.append(not (self.calm and datagram.data[3] == MessageType.ABORT))
        return number

    def _network_number(self, flying: Sequence[int]) -> int:
        key = tuple(sorted(flying))
        number = self.network_numbers.get(key)
        if number is None:
            number = self.network_numbers[key] = len(self.networks)
            assert number <= MASK
            self.networks.append(key)
            self.arrivals.append(None)
        return number

    def _arrivals(self, network: int) -> tuple[tuple[int, int], ...]:
        """Return (datagram, the network without it) for each that can arrive, equal ones once."""
        found = self.arrivals[network]
        if found is None:
            flying = self.networks[network]
            found = self.arrivals[network] = tuple(
                (datagram, self._network_number(flying[:place] + flying[place + 1 :]))
                for place, datagram in enumerate(flying)
                if not place or flying[place - 1] != datagram
            )
        return found

    def _sending(self, network: int, sent: tuple[int, ...]) -> int:
        """Return what is in flight after some datagrams have been sent."""
        if not sent:
            return network
        number = self.sendings.get((network, sent))
        if number is None:
            number = self._network_number(self.networks[network] + sent)
            self.sendings[network, sent] = number
        return number

    # Steps ------------------------------------------------------------------------------------

    def step(self, index: int, number: int, subject: Input) -> Outcome | None:
        """Return what a party comes to by an input, None if there is no such step.

        The product is run if that is not known yet.
        """
        known = self.known[index][number]
        found = known.steps.get(subject, NOT_KNOWN)
        if found is NOT_KNOWN:
            found = known.steps[subject] = self._run(index, number, subject)
        return found

    def _run(self, index: int, number: int, subject: Input) -> Outcome | None:
        self.runs += 1
        thawed = self.archive.thaw(self.known[index][number].frozen)
        party: Party = thawed.root
        step = self.feed(party, subject)
        if step is None:
            return None
        sent = tuple(
            self._datagram_number(datagram, host)
            for datagram in step.datagrams
            for host in receivers_of(datagram, self.hosts)
        )
        following = self._party_number(index, party, thawed)
        return (following - number) << self.shifts[index], sent

    def feed(self, party: Party, subject: Input) -> Step | None:
        """Give a party an input.

        Raises: Refuted if the product fails on it.
        """
        try:
            if isinstance(subject, str):
                return perform(party, subject)
            if isinstance(subject, int):
                return party.hear(SendDatagram(*self.datagrams[subject][:3]))
            return party.expire(subject)
        except Exception as error:
            what = f"{party.host}: {type(error).__name__}: {error}"
            raise Refuted(Offence(Invariant.NO_FAILURE, what)) from error

    # Moves ------------------------------------------------------------------------------------

    def moves(self, state: int) -> Iterator[Move]:
        """Make every move that can be made in a state."""
        whole = state & self.parties_mask
        rest = state >> self.parties_bits
        network, budget = rest & MASK, rest >> BITS
        if network:
            yield from self._arriving(whole, network, budget)
        yield from self._acting(whole, network, budget)
        if network == 0 or self.less[budget].early >= 0:
            yield from self._expiring(whole, network, budget)

    def _arriving(self, whole: int, network: int, budget: int) -> list[Move]:
        """Let each datagram in flight arrive, or meet what is left of the budget."""
        found: list[Move] = []
        less = self.less[budget]
        for datagram, rest in self._arrivals(network):
            index = self.receivers[datagram]
            step = self.step(index, whole >> self.shifts[index] & MASK, datagram)
            assert step is not None
            after = self._after(whole, step, rest, budget)
            found.append(("arrives", index, datagram, after))
            if step == NOTHING:
                continue
            if less.duplicates >= 0:
                after = self._after(whole, step, network, less.duplicates)
                found.append(("is duplicated", index, datagram, after))
            if less.losses >= 0 and self.losable[datagram]:
                after = self._pack(whole, rest, less.losses)
                found.append(("is lost", index, datagram, after))
        return found

    def _acting(self, whole: int, network: int, budget: int) -> list[Move]:
        """Let each application do whatever it can."""
        found: list[Move] = []
        for index, shift in enumerate(self.shifts):
            number = whole >> shift & MASK
            for line in self.known[index][number].acts:
                step = self.step(index, number, line)
                if step is not None:
                    found.append(("acts", index, line, self._after(whole, step, network, budget)))
        return found

    def _expiring(self, whole: int, network: int, budget: int) -> list[Move]:
        """Let each running timer expire, if it may."""
        found: list[Move] = []
        numbers = [whole >> shift & MASK for shift in self.shifts]
        states = [self.known[index][number] for index, number in enumerate(numbers)]
        running = [timer for state in states for timer in state.timers]
        quickest = min((timer.pace for timer in running), default=SLOW)
        hurried = quickest < STEADY
        copying = hurried or any(timer.key[1] is TimerName.RETRANSMIT for timer in running)
        for index, (number, state) in enumerate(zip(numbers, states, strict=True)):
            for key, mirrored, pace in state.timers:
                left = budget
                if pace == SLOW and (network or copying):
                    continue
                waits = quickest == INSTANT if pace == SYNC else hurried and pace >= STEADY
                if network or waits:
                    left = self.less[left].early
                if left >= 0 and mirrored is not None and self._is_live(states, mirrored):
                    left = self.less[left].keepalives
                if left >= 0:
                    step = self.step(index, number, key)
                    assert step is not None
                    found.append(("expires", index, key, self._after(whole, step, network, left)))
        return found

    def _is_live(self, states: list[Known], tags: tuple[int, int]) -> bool:
        return any(tags in state.facts.live for state in states)

    def _after(self, whole: int, step: Outcome, network: int, budget: int) -> int:
        """Return the state after a step: the parties are others, and something was sent."""
        return self._pack(whole + step[0], self._sending(network, step[1]), budget)

    # Judging ----------------------------------------------------------------------------------

    def judge(self, state: int) -> None:
        """Check what holds at any time.

        Raises: Refuted.
        """
        whole = state & self.parties_mask
        if whole in self.judged:
            return
        self.judged.add(whole)
        offence = offence_of_all(self._facts(state))
        if offence is not None:
            raise Refuted(offence)

    def judge_calm(self, state: int) -> None:
        """Check what holds when nothing is in flight and only keepalives are left to expire.

        Raises: Refuted.
        """
        hurried = self.budgets[state >> self.parties_bits + BITS].early < self.budgets[0].early
        if self.calm and not hurried:
            offence = half_open(self._facts(state))
            if offence is not None:
                raise Refuted(offence)

    def judge_end(self, state: int) -> None:
        """Check what holds when nothing is in flight and no timer can expire.

        Raises: Refuted.
        """
        whole = state & self.parties_mask
        if whole in self.judged_ends:
            return
        self.judged_ends.add(whole)
        offence = offence_in_the_end(self._facts(state), repair=self.repair, graceful=self.graceful)
        if offence is not None:
            raise Refuted(offence)

    def _facts(self, state: int) -> list[Facts]:
        parties, _, _ = self.unpack(state)
        return [self.known[index][number].facts for index, number in enumerate(parties)]
