"""Change core and winsock in small ways and see whether the oracle notices.

    python -m tests.mutation --sample 200 --seed 1 --jobs 2 [--out FILE] [--only PART]

Needs the extra `mutation` (cosmic-ray). Every mutant plays the testbeds in the simulation, some of
them in bad networks too, until a verdict is not PASS. What survives them all is printed, with the
score; --out keeps all outcomes, and a later call with the same file goes on where it ended.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.mutation.arena import Outcome, Scenario, fight, scenarios
from tests.mutation.mutants import Mutant, mutants


class Record(msgspec.Struct, frozen=True):
    """A mutant and its fate, as kept in a file."""

    mutant: Mutant
    outcome: Outcome


def main(arguments: Sequence[str]) -> int:
    """Play, print, return 0."""
    asked = _arguments(arguments)
    rounds = scenarios()
    first = fight("", "", rounds)
    if first.fate != "survived":
        print(f"the endpoint itself fails {first.scenario}: {', '.join(first.rules)}")
        return 1
    known = _kept(asked.out)
    chosen = [one for one in mutants() if not asked.only or asked.only in one.name]
    if asked.sample:
        chosen = random.Random(asked.seed).sample(chosen, min(asked.sample, len(chosen)))
    print(
        f"{len(rounds)} scenarios, {len(chosen)} mutants, "
        f"{first.seconds:.1f} s of CPU for each that survives"
    )
    records = [Record(one, known[one.name]) for one in chosen if one.name in known]
    waiting = [one for one in chosen if one.name not in known]
    with ThreadPoolExecutor(asked.jobs) as pool:
        for record in pool.map(lambda one: _fought(one, rounds), waiting):
            records.append(record)
            _keep(asked.out, record)
            if record.outcome.fate == "survived":
                print(_told(record), flush=True)
    _sum_up(records)
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="draw so many; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--only", default="", help="those whose name has this part")
    parser.add_argument("--out", type=Path, help="file of outcomes, one JSON object a line")
    return parser.parse_args(arguments)


def _fought(mutant: Mutant, rounds: Sequence[Scenario]) -> Record:
    return Record(mutant, fight(mutant.module, mutant.mutated(), rounds))


def _kept(path: Path | None) -> dict[str, Outcome]:
    if path is None or not path.exists():
        return {}
    lines = path.read_bytes().splitlines()
    records = (msgspec.json.decode(line, type=Record) for line in lines)
    return {record.mutant.name: record.outcome for record in records}


def _keep(path: Path | None, record: Record) -> None:
    if path is not None:
        with path.open("ab") as stream:
            stream.write(msgspec.json.encode(record) + b"\n")


def _told(record: Record) -> str:
    before, after = record.mutant.difference()
    return f"survived  {record.mutant.name}\n    - {before}\n    + {after}"


def _sum_up(records: Sequence[Record]) -> None:
    fates = Counter(record.outcome.fate for record in records)
    counted = fates["killed"] + fates["survived"]
    if counted:
        print(
            f"{counted} mutants: {fates['killed']} killed, {fates['survived']} survived "
            f"({100 * fates['killed'] / counted:.1f} %); {fates['unfit']} could not be imported"
        )
    for line in _by_module(records):
        print(line)


def _by_module(records: Sequence[Record]) -> Iterator[str]:
    modules_seen = sorted({record.mutant.module for record in records})
    for module in modules_seen:
        fates = Counter(one.outcome.fate for one in records if one.mutant.module == module)
        counted = fates["killed"] + fates["survived"]
        if counted:
            yield f"  {module:36} {fates['killed']:4} of {counted:4} killed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
