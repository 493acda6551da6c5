"""What mutants play: runs that a correct endpoint passes, in good networks and in bad ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mpwire.lab import testbed
from mpwire.lab.plan import Plan
from mpwire.testing.broken.scenes import SCENES
from tests.benchmarks.random_testbeds import drawn
from tests.library import simulated
from tests.mutation.mutants import ROOT

LIBRARY: Final = ROOT / "testbeds"
OWN: Final = Path(__file__).parent / "testbeds"
"""Testbeds that were written because mutants had survived all others."""
FOUND: Final = Path(__file__).parent / "found.jsonl"
"""Runs that reach what no other does; see `tests.mutation.searching`."""
DRAWN: Final = 40
"""So many sessions drawn at random, with their networks and disasters."""
LOSSY: Final = (
    ("rooted-lan", "drop 12 % of messages"),
    ("rooted-lan", "duplicate 30 % of messages"),
    ("rooted-lan", "reorder 30 % of messages"),
    ("conference-lan", "drop 10 % of messages"),
    ("rooted-dialogue", "drop 10 % of messages"),
    ("rooted-asm", "drop 10 % of messages"),
    ("rooted-dismantle", "drop 12 % of messages"),
    ("end-half-close", "drop 12 % of messages"),
)
"""Testbeds of the library that are run again in a bad network, by the seeds that follow."""
SEEDS: Final = (2, 3)


class Scenario(msgspec.Struct, frozen=True):
    """One run that a correct endpoint passes."""

    name: str
    plan: Plan


class Aimed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A testbed of the library with faults, or a session drawn."""

    testbed: str
    """Empty for a session drawn."""
    faults: tuple[str, ...] = ()
    seed: int | None = None


def scenarios() -> list[Scenario]:
    """Return the library, some of it in bad networks, small scenes, and sessions drawn."""
    own = sorted(OWN.glob("*.yaml"))
    return [*_files(own), *_found(), *_lossy(), *_texts(), *_files(simulated()), *_drawn()]


def aimed(one: Aimed) -> Scenario:
    """Load a testbed with faults, or draw a session."""
    if not one.testbed:
        (scenario,) = _loaded({f"drawn {one.seed}": drawn(one.seed or 0)})
        return scenario
    said = "".join(f", {fault}" for fault in one.faults)
    plan = testbed.load(LIBRARY / f"{one.testbed}.yaml", faults=one.faults, seed=one.seed)
    return Scenario(
        f"{one.testbed}, seed {one.seed}{said}" if one.seed else one.testbed + said, plan
    )


def _found() -> Iterator[Scenario]:
    for line in FOUND.read_bytes().splitlines() if FOUND.exists() else ():
        yield aimed(msgspec.json.decode(line, type=Aimed))


def _files(paths: Iterable[Path]) -> Iterator[Scenario]:
    for path in paths:
        yield Scenario(path.stem, testbed.load(path))


def _lossy() -> Iterator[Scenario]:
    for name, fault in LOSSY:
        for seed in SEEDS:
            plan = testbed.load(LIBRARY / f"{name}.yaml", faults=[fault], seed=seed)
            yield Scenario(f"{name}, seed {seed}, {fault}", plan)


def _texts() -> Iterator[Scenario]:
    texts = {f"scene {name}": text for name, text in SCENES.items()}
    for path in simulated():
        texts[f"{path.stem}, settled"] = settled(path.read_text("utf-8"))
    return _loaded(texts)


def _drawn() -> Iterator[Scenario]:
    return _loaded({f"drawn {number}": drawn(number) for number in range(1, DRAWN + 1)})


def _loaded(texts: Mapping[str, str]) -> Iterator[Scenario]:
    for name, text in texts.items():
        yield Scenario(name, testbed.parse(text, Path(f"{name}.yaml"), {}))


def settled(text: str) -> str:
    """Let everything settle after each step of a testbed: then the judge knows what was read.

    A barrier proves that what had been delivered before it was worked off; without one, whatever
    comes late may have been waiting in the kernel.
    """
    lines, inside = [], False
    for line in text.splitlines():
        if line and line[0].isalpha():
            inside = line.startswith("script:")
        lines.append(line)
        if inside and line.startswith("  - "):
            lines.append("  - everything settles")
    return "\n".join(lines) + "\n"


def named(names: Sequence[str]) -> list[Scenario]:
    """Return some of the library by name."""
    return [Scenario(name, testbed.load(LIBRARY / f"{name}.yaml")) for name in names]
