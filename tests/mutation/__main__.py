"""Change core and winsock in small ways and see whether the oracle notices.

    python -m tests.mutation --out FILE [--sample 250] [--seed 1] [--only PART]

Needs the extra `mutation` (cosmic-ray). A mutant plays those scenarios in the simulation that run
what it changes, those first that have killed its neighbours, until one is lost. What survives them
all is printed, with the score. Everything is kept in FILE; a later call goes on where it ended.
"""

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation.applying import change
from tests.mutation.arena import fight
from tests.mutation.mutants import Mutant, drawn, mutants
from tests.mutation.reach import Known, known, remember, remembered
from tests.mutation.records import Record, keep, read
from tests.mutation.scenarios import scenarios


class Order:
    """Which scenarios come first: those that killed mutants of the same function, or module."""

    def __init__(self, rounds: Sequence[Known]) -> None:
        """Begin with the order that they are given in."""
        self._rounds = rounds
        self._kills: Counter[tuple[str, str]] = Counter()

    def learn(self, record: Record) -> None:
        """Take a kill into account."""
        if record.outcome.fate == "killed":
            module = record.mutant.module
            for place in (module, f"{module}:{record.function}", ""):
                self._kills[place, record.outcome.scenario] += 1

    def of(self, mutant: Mutant) -> list[Known]:
        """Return the scenarios that run what the mutant changes, the likeliest killer first."""
        module = mutant.module
        places = (f"{module}:{mutant.place.function}", module, "")

        def rank(one: Known) -> tuple[int, ...]:
            return tuple(-self._kills[place, one.scenario.name] for place in places)

        return sorted((one for one in self._rounds if one.reaches(mutant)), key=rank)


def main(arguments: Sequence[str]) -> int:
    """Play, print, return 0."""
    asked = _arguments(arguments)
    rounds, lost = _known(asked.out)
    if lost:
        print(f"the endpoint itself does not pass {', '.join(lost)}")
        return 1
    chosen = [one for one in mutants() if not asked.only or asked.only in one.name]
    chosen = drawn(chosen, asked.sample, asked.seed)
    print(f"{len(rounds)} scenarios, {len(chosen)} mutants", flush=True)
    kept = {
        one.mutant.name: one
        for one in read(asked.out)
        if not asked.again or one.outcome.fate in {"killed", "same"}
    }
    order = Order(rounds)
    twins: dict[str, Record] = {}
    records = []
    gc.freeze()
    for mutant in chosen:
        record = kept.get(mutant.name)
        if record is None:
            record = _fought(mutant, order, twins, asked.rounds)
            keep(asked.out, record)
        records.append(record)
        if not record.twin:
            twins[record.digest] = record
            order.learn(record)
    for line in summary(records):
        print(line)
    return 0


def _known(out: Path | None) -> tuple[list[Known], list[str]]:
    """Play every scenario with the endpoint as it is, unless that has been done before."""
    path = None if out is None else out.with_suffix(".known")
    kept = {} if path is None else remembered(path)
    found = known(scenarios(), kept)
    if path is not None:
        remember(path, kept)
    return found


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="draw so many; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample, and of the order")
    parser.add_argument("--again", action="store_true", help="try what has survived once more")
    parser.add_argument("--only", default="", help="those whose name has this part")
    parser.add_argument("--rounds", type=int, default=0, help="at most so many each; 0: all")
    parser.add_argument("--out", type=Path, help="file of outcomes, one JSON object a line")
    return parser.parse_args(arguments)


def _fought(mutant: Mutant, order: Order, twins: dict[str, Record], limit: int) -> Record:
    source = mutant.mutated()
    made = change(mutant.module, source)
    before, after = mutant.difference(source)
    twin = twins.get(made.digest)
    rounds = order.of(mutant)[: limit or None]
    outcome = fight(made, rounds) if twin is None else twin.outcome
    return Record(
        mutant,
        mutant.place.function,
        before,
        after,
        made.digest,
        outcome,
        twin.mutant.name if twin is not None else "",
    )


def summary(records: Sequence[Record]) -> Iterator[str]:
    """Say how many were killed, and how, by module."""
    different = [one for one in records if not one.twin]
    fates = Counter(one.outcome.fate for one in different)
    ways = Counter(one.outcome.way for one in different if one.outcome.way)
    yield f"{len(records)} mutants, {len(different)} of them different: {dict(fates)}, {dict(ways)}"
    for module in sorted({one.mutant.module for one in different}):
        mine = [one.outcome.fate for one in different if one.mutant.module == module]
        counted = Counter(mine)
        alive = counted["survived"] + counted["unreached"]
        killed = counted["killed"]
        yield f"  {module:36} {killed:4} of {killed + alive:4} killed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
