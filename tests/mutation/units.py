"""What the labs do not notice: does a unit test?

    python -m tests.mutation.units --out FILE

Takes the mutants that have survived the labs from FILE, and runs the tests of core and winsock
that run what each changes, those of its own module first, until one fails. Which tests run which
line is found out once. Outcomes are kept in FILE.units; a later call goes on where it ended.
"""

import argparse
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.mutation.applying import Change, applied, change
from tests.mutation.mutants import IMPORTED, ROOT, Mutant, drawn, modules, mutants
from tests.mutation.records import Record, read

FOLDERS: Final = ("tests/core", "tests/winsock")
BUDGET_S: Final = 8.0
"""What the tests of one mutant may take when nothing is wrong."""
CPU_LIMIT_S: Final = 120.0
"""A test that loops for ever has failed."""
KEPT: Final = 300
"""So many tests are known of a line: the cheapest, and those of its own module."""
NO_END: Final = "(no end)"


class Suite(msgspec.Struct):
    """Which tests there are, and what they run."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]
    """Suite by module and line."""

    def of(self, mutant: Mutant) -> list[str]:
        """Return the tests that run what a mutant changes, its module's own first.

        Whoever reads a constant only runs no line of its module: then those that import it count.
        """
        place = mutant.place
        near: tuple[str, ...] = (_own(mutant.module),)
        lines = self.lines.get(mutant.module, {})
        found = {test for n in range(place.first, place.last + 1) for test in lines.get(n, [])}
        if place.function == IMPORTED or not found:
            found = {test for tests in lines.values() for test in tests}
            near += tuple(file for file in self._files() if _imports(file, mutant.module))
            found |= {test for test in self.seconds if test.startswith(near)}
        chosen: list[str] = []
        spent_s = 0.0
        for test in sorted(found, key=lambda one: (not one.startswith(near), self.seconds[one])):
            spent_s += self.seconds[test]
            if chosen and spent_s > BUDGET_S:
                break
            chosen.append(test)
        return chosen

    def _files(self) -> set[str]:
        return {test.partition("::")[0] for test in self.seconds}


class Tried(msgspec.Struct, frozen=True):
    """What the unit tests make of a mutant."""

    name: str
    test: str
    """The first that fails; empty where none does."""
    tried: int
    """How many have run, or would have."""


def _own(module: str) -> str:
    """Say how the names of a module's own tests begin."""
    _, package, stem = module.split(".")
    return f"tests/{package}/test_{package}_{stem}"


@cache
def _imports(file: str, module: str) -> bool:
    """Tell whether a test file imports something of a module."""
    path = ROOT / file
    return path.exists() and f"from {module} import " in path.read_text("utf-8")


class _Watch:
    """Tell the tracer which test runs, and note how long each takes, and which failed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed = ""
        self.switch: Callable[[str], object] = str
        """Takes the name of the test that begins."""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Begin with a test."""
        self.switch(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what came of a part of it."""
        spent_s = self.seconds.get(report.nodeid, 0.0) + report.duration
        self.seconds[report.nodeid] = round(spent_s, 4)
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be read."""
        if report.failed:
            self.failed = self.failed or report.nodeid


def found_out() -> Suite:
    """Run all tests of core and winsock and note what each of them runs."""
    import coverage

    watch = _Watch()
    tracer = coverage.Coverage(data_file=None, config_file=False, source=["mpwire"])
    watch.switch = tracer.switch_context
    tracer.start()
    _run(FOLDERS, watch)
    tracer.stop()
    data = tracer.get_data()
    lines: dict[str, dict[int, list[str]]] = {}
    for module, path in modules():
        own = _own(module)
        ranked: dict[int, list[str]] = defaultdict(list)
        for line, tests in data.contexts_by_lineno(str(path)).items():
            known = [test for test in tests if test in watch.seconds]
            known.sort(key=lambda one: (not one.startswith(own), watch.seconds[one]))
            ranked[line] = known[:KEPT]
        lines[module] = ranked
    return Suite(watch.seconds, lines)


def _run(names: Sequence[str], watch: _Watch) -> None:
    rewriting = "ignore::pytest.PytestAssertRewriteWarning"  # mpwire is imported by now
    options = ["-q", "-p", "no:cacheprovider", "--timeout=0", "-W", rewriting]
    code = pytest.main([*options, *names], plugins=[watch])
    if code == pytest.ExitCode.USAGE_ERROR:  # a changed constant can give tests other names
        whole = dict.fromkeys(name.partition("[")[0] for name in names)
        code = pytest.main([*options, *whole], plugins=[watch])
    if code == pytest.ExitCode.USAGE_ERROR:
        raise ValueError("there are other tests by now")


def failing(mutant: Mutant, tests: Sequence[str]) -> str:
    """Run tests with a mutant, in a process of its own; return the first that fails."""
    if not tests:
        return ""
    made = change(mutant.module, mutant.mutated())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.write(writing, _judged(made, tests).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    if not said and os.WIFEXITED(status):
        raise ValueError(f"tests of {mutant.name} cannot be run: remove what is kept of them")
    return said.decode().strip("\n") if said else NO_END


def _hush() -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)


def _judged(made: Change, tests: Sequence[str]) -> str:
    _hush()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
    applied(made)
    watch = _Watch()
    _run(["-x", *tests], watch)
    return watch.failed


def main(arguments: Sequence[str]) -> int:
    """Try all survivors; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.units", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of outcomes")
    parser.add_argument("--sample", type=int, default=0, help="those of a sample only; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    asked = parser.parse_args(arguments)
    names = {one.name for one in drawn([*mutants()], asked.sample, asked.seed)}
    os.chdir(ROOT)
    tests = _tests(asked.out.with_suffix(".tests"))
    path = asked.out.with_suffix(".units")
    done = {one.name for one in tried(path)}
    for record in alive(read(asked.out)):
        if record.mutant.name in done or record.mutant.name not in names:
            continue
        chosen = tests.of(record.mutant)
        one = Tried(record.mutant.name, failing(record.mutant, chosen), len(chosen))
        with path.open("ab") as stream:
            stream.write(msgspec.json.encode(one) + b"\n")
    return 0


def alive(records: Sequence[Record]) -> list[Record]:
    """Return the mutants that the labs have not killed, each once."""
    fates = {"survived", "unreached"}
    return [one for one in records if not one.twin and one.outcome.fate in fates]


def tried(path: Path) -> list[Tried]:
    """Return what a file keeps, the last outcome of each mutant."""
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines()
    found = (msgspec.json.decode(line, type=Tried) for line in lines)
    return [*{one.name: one for one in found}.values()]


def _tests(path: Path) -> Suite:
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Suite)
    child = os.fork()
    if child == 0:
        try:
            _hush()
            path.write_bytes(msgspec.json.encode(found_out()))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return msgspec.json.decode(path.read_bytes(), type=Suite)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
