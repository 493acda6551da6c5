"""What the unchanged endpoint does in every scenario: which lines it runs, and what is recorded.

A mutant that leaves the record as it is cannot be noticed by whoever reads the record, and one in
a line that no scenario runs has no chance to be noticed at all.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import coverage
import msgspec

from mpwire.capture import open_run
from mpwire.report import Assessment, assess
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.mutation.mutants import IMPORTED, ROOT, Mutant, modules
from tests.mutation.scenarios import Scenario

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - run files that nobody keeps


class Played(msgspec.Struct, frozen=True):
    """How a scenario goes with the endpoint as it is."""

    digest: bytes
    lines: dict[str, frozenset[int]]
    """Those that it runs, by module."""
    warned: frozenset[str]
    """Rules that the judge warns of, though nothing is wrong."""
    passed: bool


class Known(msgspec.Struct, frozen=True):
    """A scenario, and how it goes."""

    scenario: Scenario
    played: Played

    def reaches(self, mutant: Mutant) -> bool:
        """Tell whether the scenario runs what a mutant changes."""
        place = mutant.place
        if place.function == IMPORTED:
            return True
        return not self.played.lines.get(mutant.module, frozenset()).isdisjoint(
            range(place.first, place.last + 1)
        )


def digest_of(folder: Path) -> bytes:
    """Return what stands for the record of a run: the same for the same record."""
    return sha256((folder / "run.pcapng").read_bytes()).digest()


def warned(assessment: Assessment) -> frozenset[str]:
    """Return the rules that the judge warns of: somebody was late."""
    return frozenset(one.id for one in assessment.judgement.rules if one.warned)


def known(
    scenarios: Sequence[Scenario], kept: dict[str, Played] | None = None
) -> tuple[list[Known], list[str]]:
    """Play all; return those that pass, and the names of those that do not.

    Args:
        kept: what is known already, by name; takes what becomes known.
    """
    before = {} if kept is None else kept
    for scenario in scenarios:
        if scenario.name not in before:
            before[scenario.name] = play(scenario)
    found = [Known(one, before[one.name]) for one in scenarios if before[one.name].passed]
    return found, [one.name for one in scenarios if not before[one.name].passed]


def play(scenario: Scenario) -> Played:
    """Play a scenario with the endpoint as it is."""
    with folder_in_memory() as folder:
        lines = _lines_of(lambda: run_simulated(scenario.plan, folder))
        assessment = assess(open_run(folder))
        passed = assessment.verdict is Verdict.PASS
        return Played(digest_of(folder), lines, warned(assessment), passed)


def remembered(path: Path) -> dict[str, Played]:
    """Return what a file says of scenarios, if it was written for the code as it is."""
    if not path.exists():
        return {}
    code, played = msgspec.json.decode(path.read_bytes(), type=tuple[str, dict[str, Played]])
    return played if code == _code() else {}


def remember(path: Path, played: dict[str, Played]) -> None:
    """Write down how scenarios went with the code as it is."""
    path.write_bytes(msgspec.json.encode((_code(), played)))


def _code() -> str:
    """Return what stands for all that scenarios depend on."""
    digest = sha256()
    for folder, kind in (("mpwire", "*.py"), ("tests/benchmarks", "*.py"), ("testbeds", "*.yaml")):
        for path in sorted((ROOT / folder).rglob(kind)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Make a folder for a run file that nobody keeps."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lines_of(run: Callable[[], object]) -> dict[str, frozenset[int]]:
    """Return which lines of each module something runs."""
    tracer = coverage.Coverage(data_file=None, config_file=False, include=[*_files()])
    tracer.start()
    try:
        run()
    finally:
        tracer.stop()
    data = tracer.get_data()
    return {module: frozenset(data.lines(file) or ()) for file, module in _files().items()}


@cache
def _files() -> dict[str, str]:
    return {str(path): module for module, path in modules()}
