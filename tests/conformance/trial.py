"""Run the marked tests once as they are, and each requirement's again under its patch.

Everything happens in one pytest session: what a hundred sessions would collect a hundred times is
collected once. A test counts as red under a patch only if it failed by saying so, with an assertion
or with an error of the socket calls; a patch that merely crashes proves nothing.
"""

from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

import pytest
from _pytest.runner import runtestprotocol

from mpwire.errors import MpwireError
from tests.conformance.patches import BREAKS
from tests.conformance.registry import Break

HERE: Final = str(Path(__file__).parent)
ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("tests/winsock",)
"""Where requirements are shown: on the virtual clock, without a network."""
UNREWRITTEN: Final = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""The product is imported before pytest starts, and its asserts are not what is looked at."""
TELLING: Final = (AssertionError, MpwireError, pytest.fail.Exception)


@dataclass(slots=True)
class Outcome:
    """What became of the tests of one requirement."""

    tests: list[str] = field(default_factory=list)
    """Names of the tests that are marked with its number."""
    failed: list[str] = field(default_factory=list)
    """Those that fail as it is."""
    red: dict[str, list[str]] = field(default_factory=dict)
    """Under each patch, those that fail as they should."""
    crashed: dict[str, list[str]] = field(default_factory=dict)
    """Under each patch, those that do not fail but fall over it."""

    @property
    def is_verified(self) -> bool:
        """Tell whether the tests hold the requirement up, and notice whatever breaks it."""
        return bool(self.red) and all(self.red.values()) and not self.failed

    @property
    def noticing(self) -> list[str]:
        """Return the tests that notice a patch."""
        return sorted({name for names in self.red.values() for name in names})


def numbers_of(item: pytest.Item) -> set[int]:
    """Return the requirements that a test is marked with."""
    return {number for mark in item.iter_markers("w") for number in mark.args}


def name_of(item: pytest.Item) -> str:
    """Return file and function of a test, without its parameters."""
    return f"{item.path.stem}::{item.name.partition('[')[0]}"


@dataclass(slots=True)
class Trial:
    """The plugin that takes the place of pytest's own loop."""

    wanted: frozenset[int]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    _items: list[pytest.Item] = field(default_factory=list)
    _error: BaseException | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every marked test, then those of each requirement under its patch."""
        self._items = [item for item in session.items if numbers_of(item) & self.wanted]
        failures = {item.nodeid: self._run(item) for item in self._items}
        for number in sorted(self.wanted):
            outcome = self.outcomes.setdefault(number, Outcome())
            items = [item for item in self._items if number in numbers_of(item)]
            outcome.tests = _unique(items)
            outcome.failed = _unique([item for item in items if failures[item.nodeid]])
            for broken in BREAKS.get(number, ()):
                self._run_broken(broken, items, outcome)
        return True

    def _run_broken(self, broken: Break, items: list[pytest.Item], outcome: Outcome) -> None:
        """Run tests under a patch; of one with parameters, until one set of them is red."""
        red: set[str] = set()
        crashed: set[str] = set()
        for item in items:
            name = name_of(item)
            if name in red:
                continue
            with pytest.MonkeyPatch.context() as patch:
                try:
                    broken.apply(patch)
                except AttributeError as gone:
                    crashed.add(f"the patch itself ({gone})")
                    break
                error = self._run(item)
            if isinstance(error, TELLING):
                red.add(name)
            elif error is not None:
                crashed.add(name)
        outcome.red[broken.name] = sorted(red)
        outcome.crashed[broken.name] = sorted(crashed - red)

    def _run(self, item: pytest.Item) -> BaseException | None:
        """Run one test from setup to teardown and return what it failed with, if it did."""
        self._error = None
        runtestprotocol(item, log=False, nextitem=None)
        return self._error

    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Keep the error of the test that runs."""
        if call.excinfo is not None:
            self._error = self._error or call.excinfo.value


def _unique(items: list[pytest.Item]) -> list[str]:
    return sorted({name_of(item) for item in items})


def run_trial(wanted: frozenset[int]) -> dict[int, Outcome]:
    """Try requirements; return what became of each."""
    trial = Trial(wanted)
    arguments = [str(ROOT / folder) for folder in FOLDERS]
    said = StringIO()
    with redirect_stdout(said):
        quiet = ["-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *UNREWRITTEN]
        status = pytest.main([*quiet, *arguments], plugins=[trial])
    if status is not pytest.ExitCode.OK:
        raise RuntimeError(f"the tests cannot be collected: {status!r}\n{said.getvalue()}")
    return trial.outcomes
