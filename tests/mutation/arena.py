"""Where a mutant lives or dies: a process of its own, which plays scenarios until one is not PASS.

The parent has imported the judge and the lab, and nothing that is mutated. A child imports the
endpoint with one module changed and runs scenarios in the simulation.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

import msgspec

from mpwire.capture import open_run
from mpwire.lab import testbed
from mpwire.lab.plan import Plan
from mpwire.report import assess
from mpwire.vocabulary import Verdict
from tests.mutation.mutants import ROOT

CPU_LIMIT_S: Final = 60
ENDPOINT: Final = ("mpwire.core", "mpwire.winsock", "mpwire.io", "mpwire.sim")
"""What a mutant imports anew."""
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - run files that nobody keeps
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
"""Testbeds that are run again in a bad network, by the seeds that follow."""
SEEDS: Final = (2, 3)
Fate = Literal["killed", "survived", "unfit"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of a mutant."""

    fate: Fate
    scenario: str = ""
    """The scenario that killed it."""
    rules: tuple[str, ...] = ()
    """The rules that it broke there; none where its process failed instead."""
    seconds: float = 0.0
    """CPU time."""


class Scenario(msgspec.Struct, frozen=True):
    """One run that a correct endpoint passes."""

    name: str
    plan: Plan


def scenarios() -> list[Scenario]:
    """Return the library, and some of it in a bad network."""
    folder = ROOT / "testbeds"
    found = [Scenario(path.stem, testbed.load(path)) for path in sorted(folder.glob("*.yaml"))]
    for name, fault in LOSSY:
        for seed in SEEDS:
            plan = testbed.load(folder / f"{name}.yaml", faults=[fault], seed=seed)
            found.append(Scenario(f"{name}, seed {seed}, {fault}", plan))
    return found


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Give one module another source."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the one module."""
        del path, target
        if fullname != self._module:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the other source."""
        code = compile(self._source, f"<mutant of {self._module}>", "exec")
        exec(code, module.__dict__)  # noqa: S102 - that is what a mutant is


def fight(module: str, source: str, rounds: Sequence[Scenario]) -> Outcome:
    """Let a mutant play in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        outcome = _play(module, source, rounds)
        os.write(writing, msgspec.json.encode(outcome))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    _, _, usage = os.wait4(child, 0)
    if not said:  # it ran without end, or took the process with it
        return Outcome("killed", "no end", (), usage.ru_utime + usage.ru_stime)
    return msgspec.json.decode(said, type=Outcome)


def _play(module: str, source: str, rounds: Sequence[Scenario]) -> Outcome:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    if source:
        for name in [*sys.modules]:
            if name.startswith(ENDPOINT):
                del sys.modules[name]
        sys.meta_path.insert(0, _Changed(module, source))
    try:
        simulate = importlib.import_module("mpwire.sim").run_simulated
    except Exception:  # noqa: BLE001 - whatever a mutant does while it is imported
        return Outcome("unfit", "import", (), _seconds())
    for scenario in rounds:
        folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        try:
            simulate(scenario.plan, folder)
            assessment = assess(open_run(folder))
        except BaseException:  # noqa: BLE001 - a mutant may break the harness's own process, too
            return Outcome("killed", scenario.name, (), _seconds())
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if assessment.verdict is not Verdict.PASS:
            broken = tuple(one.id for one in assessment.judgement.rules if one.failed)
            return Outcome("killed", scenario.name, broken, _seconds())
    return Outcome("survived", "", (), _seconds())


def _seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
