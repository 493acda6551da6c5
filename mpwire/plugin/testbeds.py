"""Testbed files as tests, each by its own name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from mpwire.capture import open_run
from mpwire.errors import MachineError, MpwireError
from mpwire.lab import testbed
from mpwire.lab.plan import Plan
from mpwire.lab.session import RunOutcome
from mpwire.plugin.ending import SIMULATED
from mpwire.plugin.hooks import command_of, labs_of
from mpwire.plugin.labs import Labs
from mpwire.plugin.telling import lacked, skip_unsupported, told, warn_of_idle_faults
from mpwire.report import assess
from mpwire.report.assessment import FailedStep
from mpwire.report.storing import store
from mpwire.vocabulary import Verdict

_KEYS: Final = re.compile(r"^(about|hosts|script)\s*:", re.MULTILINE)


def is_testbed(path: Path) -> bool:
    """Tell whether a YAML file means to be a testbed: it may belong to somebody else."""
    return bool(_KEYS.search(path.read_text("utf-8", "replace")))


class NotPassedError(Exception):
    """A testbed did not pass; the text says everything."""


class TestbedFile(pytest.File):
    """A testbed file, which is one test."""

    __test__ = False

    def collect(self) -> "Iterator[TestbedItem]":
        """Give the test."""
        yield TestbedItem.from_parent(self, name=self.path.stem)


class TestbedItem(pytest.Item):
    """Play a testbed; it passes when its verdict is PASS."""

    __test__ = False

    def runtest(self) -> None:
        """Play and judge it."""
        labs = labs_of(self.config)
        try:
            plan = testbed.load(self.path, seed=self.config.getoption("mpwire_seed"))
            outcome, instead = self._played(labs, plan)
        except MpwireError as error:
            raise NotPassedError(str(error)) from None
        if instead:
            self.user_properties.append((SIMULATED, instead))
        one = outcome.failure
        failures = [one] if one else []
        assessment = assess(
            open_run(outcome.run_file),
            [FailedStep(line=f.line, text=f.text, reason=f.reason, kind=f.kind) for f in failures],
        )
        warn_of_idle_faults(self, assessment)
        if assessment.verdict is Verdict.PASS:
            labs.drop(outcome.folder)
            return
        if assessment.verdict is Verdict.UNSUPPORTED:
            labs.drop(outcome.folder)
            skip_unsupported(lacked(assessment))
        store(assessment)
        labs.keep(outcome.folder)
        raise NotPassedError(told(assessment, [], outcome.run_file))

    def _played(self, labs: Labs, plan: Plan) -> tuple[RunOutcome, str]:
        folder = labs.folder(plan.name)
        try:
            return labs.play(plan, folder, command_of(self))
        except MachineError:
            labs.drop(folder)
            raise

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: object = None,
    ) -> str:
        """Tell the verdict, without a traceback of ours."""
        del style
        if isinstance(excinfo.value, NotPassedError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test is and what it is called."""
        return self.path, 0, f"testbed {self.name}"
