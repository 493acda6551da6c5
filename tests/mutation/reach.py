"""What the unchanged endpoint does in every scenario: which lines it runs, and what is recorded.

A mutant that leaves the record as it is cannot be noticed by whoever reads the record, and one in
a line that no scenario runs has no chance to be noticed at all.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from mpwire.capture import open_run
from mpwire.report import Assessment, assess
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.mutation.mutants import IMPORTED, Mutant, modules
from tests.mutation.scenarios import Scenario


class Known(msgspec.Struct, frozen=True):
    """A scenario, and how it goes with the endpoint as it is."""

    scenario: Scenario
    digest: bytes
    lines: dict[str, frozenset[int]]
    """Those that it runs, by module."""
    warned: frozenset[str]
    """Rules that the judge warns of, though nothing is wrong."""

    def reaches(self, mutant: Mutant) -> bool:
        """Tell whether the scenario runs what a mutant changes."""
        place = mutant.place
        if place.function == IMPORTED:
            return True
        return not self.lines.get(mutant.module, frozenset()).isdisjoint(
            range(place.first, place.last + 1)
        )


def digest_of(folder: Path) -> bytes:
    """Return what stands for the record of a run: the same for the same record."""
    return sha256((folder / "run.pcapng").read_bytes()).digest()


def warned(assessment: Assessment) -> frozenset[str]:
    """Return the rules that the judge warns of: somebody was late."""
    return frozenset(one.id for one in assessment.judgement.rules if one.warned)


def known(scenarios: Sequence[Scenario], run: Callable[[], Any]) -> tuple[list[Known], list[str]]:
    """Play all; return those that pass, and the names of those that do not.

    Args:
        run: makes an empty folder, as a context.
    """
    found, unfit = [], []
    for scenario in scenarios:
        with run() as folder, _traced() as lines:
            run_simulated(scenario.plan, folder)
            sys.settrace(None)
            assessment = assess(open_run(folder))
            if assessment.verdict is Verdict.PASS:
                kept = {module: frozenset(numbers) for module, numbers in lines.items()}
                found.append(Known(scenario, digest_of(folder), kept, warned(assessment)))
            else:
                unfit.append(scenario.name)
    return found, unfit


@contextmanager
def _traced() -> Iterator[dict[str, set[int]]]:
    """Note the lines that run, by module."""
    files = {str(path): module for module, path in modules()}
    lines: dict[str, set[int]] = {module: set() for module in files.values()}

    def enter(frame: FrameType, event: str, value: object) -> Any:  # noqa: ANN401 - a tracer
        del event, value
        module = files.get(frame.f_code.co_filename)
        if module is None:
            return None
        numbers = lines[module]

        def step(frame: FrameType, event: str, value: object) -> Any:  # noqa: ANN401 - a tracer
            del value
            if event == "line":
                numbers.add(frame.f_lineno)
            return step

        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield lines
    finally:
        sys.settrace(before)
