"""Look for runs that reach lines which no scenario runs: `python -m tests.mutation.searching FILE`.

Candidates are the library with one message of each testbed lost, doubled, overtaken or followed by
a death, networks drawn for the library, and sessions drawn. What passes and runs a new line is
kept in FILE, which `tests.mutation.scenarios` reads.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mpwire.capture import open_run
from mpwire.errors import InputError
from mpwire.lab.every import cases, messages
from mpwire.sim import run_simulated
from tests.benchmarks.random_testbeds import from_library
from tests.library import simulated
from tests.mutation.reach import folder_in_memory, play
from tests.mutation.scenarios import Aimed, Scenario, aimed, scenarios

KINDS = ("drop", "dup", "reorder", "kill-after")
CASES = 10
"""So many of each kind and testbed are tried."""
NETWORKS = 200
SESSIONS = range(100, 250)


def candidates(seed: int) -> Iterator[Aimed]:
    """Yield runs that may pass."""
    draw = random.Random(seed)
    library = simulated()
    for path in library:
        with folder_in_memory() as folder:
            run_simulated(aimed(Aimed(path.stem)).plan, folder)
            sent = messages(open_run(folder))
        for kind in KINDS:
            everything: list[Any] = cases(kind, sent)  # type: ignore[arg-type]
            for faults in draw.sample(everything, min(CASES, len(everything))):
                yield Aimed(path.stem, tuple(faults))
    for number in range(NETWORKS):
        path, faults = from_library(number, library)
        yield Aimed(path.stem, tuple(faults), number)
    for number in SESSIONS:
        yield Aimed("", (), number)


def search(path: Path, seed: int) -> int:
    """Find what reaches new lines; return how many there are."""
    reached: set[tuple[str, int]] = set()
    for one in scenarios():
        reached |= _lines(one)[0]
    print(f"{len(reached)} lines", flush=True)
    found: list[Aimed] = []
    for candidate in candidates(seed):
        try:
            lines, passed = _lines(aimed(candidate))
        except InputError:  # a sentence that does not fit this testbed
            continue
        if passed and not lines <= reached:
            print(f"{candidate}: {sorted(lines - reached)}", flush=True)
            reached |= lines
            found.append(candidate)
            path.write_bytes(b"\n".join(msgspec.json.encode(one) for one in found) + b"\n")
    print(f"{len(reached)} lines", flush=True)
    return len(found)


def _lines(scenario: Scenario) -> tuple[set[tuple[str, int]], bool]:
    played = play(scenario)
    lines = {(module, line) for module, lines in played.lines.items() for line in lines}
    return lines, played.passed


def main(arguments: Sequence[str]) -> int:
    """Search; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.searching")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    print(search(asked.file, asked.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
