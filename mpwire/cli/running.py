"""`mpwire run`: testbeds in labs, watched live, judged at the end."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from mpwire.capture import open_run
from mpwire.cli.agents import Agents, for_hosts, parse_agents, require_programs
from mpwire.cli.files import testbeds_in
from mpwire.cli.output import Output
from mpwire.cli.results import (
    Result,
    as_document,
    judged,
    print_results,
    print_verdict,
    require_folder_of,
    unjudged,
    write_junit,
)
from mpwire.cli.status import Status, worst
from mpwire.cli.watching import Watcher
from mpwire.errors import BrokenRunError, InputError, MachineError
from mpwire.lab import testbed
from mpwire.lab.every import Every
from mpwire.lab.launch import LabError
from mpwire.lab.plan import Plan
from mpwire.lab.session import TOUR, RunOutcome
from mpwire.report import FailedStep, assess
from mpwire.report.storing import store
from mpwire.sim import FabricName, RunRequest, run_on_fabric

Carrier = Literal["tap", "veth"]


@dataclass(slots=True, frozen=True)
class RunOptions:
    """What `mpwire run` was asked for."""

    testbeds: Sequence[Path]
    out: Path
    carrier: Carrier | None
    agents: Sequence[str]
    all_frames: bool
    scale: float | None = None
    """Factor on every timer, in place of that of the testbeds."""
    junit: Path | None = None
    """Where to write a report for CI servers."""
    seed: int | None = None
    """Origin of all that is random, in place of that of the testbeds."""
    faults: Sequence[str] = ()
    """Sentences that are added to those of the testbeds."""
    every: Every | None = None
    """Run once for every message, with this fault aimed at it."""
    jobs: int | None = None
    """Labs at a time; None: as many as there are processors."""
    sample: int | None = None
    """Draw so many of the cases; None: all."""
    fabric: FabricName = "auto"
    """What hosts and the network between them are made of."""
    on_all: bool = False
    """Run on every fabric, and compare."""


@dataclass(slots=True, frozen=True)
class Job:
    """One testbed that may be run: it has no mistakes."""

    path: Path
    plan: Plan
    agents: Mapping[str, Sequence[str]]


def run(output: Output, options: RunOptions) -> Status:
    """Run testbeds one after the other and say what came of them."""
    require_folder_of(options.junit)
    if options.sample is not None and options.every is None:
        raise InputError("--sample: expected --every beside it")
    agents = parse_agents(options.agents)
    jobs = _prepare(options, agents)
    if options.on_all:
        return _compare(output, options, jobs)
    if options.every is not None:
        return _sweep(output, options, jobs)
    if len(jobs) == 1:
        results = [_run_one(output, options, jobs[0], alone=True)]
    else:
        results = _run_all(output, options, jobs)
    write_junit(options.junit, results)
    if output.json:
        output.document(as_document(results))
    elif len(jobs) > 1:
        print_results(output, results)
    else:
        print_verdict(output, results[0])
    return worst(result.status for result in results)


def _run_all(output: Output, options: RunOptions, jobs: Sequence[Job]) -> list[Result]:
    """Run several; what becomes of one takes nothing from those that have been run."""
    results: list[Result] = []
    for job in jobs:
        try:
            results.append(_run_one(output, options, job, alone=False))
        except (MachineError, LabError) as error:
            if isinstance(error, BrokenRunError) and not results:
                raise
            status = Status.MACHINE if isinstance(error, MachineError) else Status.INCONCLUSIVE
            output.complain(str(error))  # in full, as no table has room for a remedy
            results.append(unjudged(job.path, str(error), status))
            if isinstance(error, BrokenRunError):  # as will be the next, for the same reason
                break
        except KeyboardInterrupt:
            if not results:
                raise
            results.append(unjudged(job.path, "interrupted", Status.INTERRUPTED))
        if results[-1].status is Status.INTERRUPTED:
            break
    return results


def _compare(output: Output, options: RunOptions, jobs: Sequence[Job]) -> Status:
    from mpwire.cli.comparing import compare  # noqa: PLC0415 - it needs this module

    if options.every is not None:
        raise InputError("--every: expected one fabric, found --fabric all")
    return compare(output, options, jobs)


def _sweep(output: Output, options: RunOptions, jobs: Sequence[Job]) -> Status:
    from mpwire.cli.sweeping import sweep  # noqa: PLC0415 - it needs this module

    if len(jobs) > 1:
        raise InputError(f"--every: expected one testbed, found {len(jobs)}")
    return sweep(output, options, jobs[0])


def _prepare(options: RunOptions, agents: Agents) -> list[Job]:
    """Check all testbeds before anything is started; tell the mistakes of all of them at once."""
    jobs: list[Job] = []
    mistakes: list[str] = []
    for path in testbeds_in(options.testbeds or [TOUR]):
        try:
            replaced = for_hosts(agents, testbed.load(path))
            plan = testbed.load(
                path,
                dict(replaced),
                scale=options.scale,
                seed=options.seed,
                faults=options.faults,
            )
            require_programs(plan, replaced)
        except InputError as error:
            mistakes.append(str(error))
        else:
            jobs.append(Job(path, plan, replaced))
    if mistakes:
        raise InputError("\n".join(mistakes))
    return jobs


def _run_one(output: Output, options: RunOptions, job: Job, *, alone: bool) -> Result:
    watched = output.is_terminal and not output.quiet
    watcher = (
        Watcher(output, job.plan, ladder=alone, all_frames=options.all_frames) if watched else None
    )
    with _Signals() as signals, watcher or nullcontext():
        try:
            outcome = run_on_fabric(job.path, options.out, request_of(options, job), watcher)
        except LabError:
            if signals.came(signal.SIGINT):  # before the lab was ready to end in order
                raise KeyboardInterrupt from None
            raise
    return _judge(outcome, in_full=alone, junit=options.junit is not None)


def request_of(
    options: RunOptions,
    job: Job,
    *,
    faults: Sequence[str] | None = None,
    command: Sequence[str] | None = None,
) -> RunRequest:
    """Say what a lab is asked for; faults and command replace those of the command line."""
    return RunRequest(
        fabric=options.fabric,
        carrier=options.carrier,
        agents=job.agents,
        scale=options.scale,
        seed=options.seed,
        faults=options.faults if faults is None else faults,
        command=command,
    )


class _Signals:
    """Remember which signals arrived, whoever handled them: the kernel's way to tell (a wakeup
    descriptor) leaves the handlers alone, which belong to the session.
    """

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK)
        self._before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        return self

    def came(self, number: signal.Signals) -> bool:
        """Tell whether a signal arrived since the last time this was asked."""
        try:
            return number in os.read(self._reading, 4096)
        except BlockingIOError:
            return False

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._reading)
        os.close(self._writing)


def _judge(outcome: RunOutcome, *, in_full: bool, junit: bool) -> Result:
    """Judge what was recorded, and store the verdict with it."""
    assessment = assess(open_run(outcome.run_file), failures_of(outcome))
    unstored = store(assessment)
    written = sorted(outcome.folder.glob("*.stderr"))
    notes = [f"{path.stem} wrote to standard error: {path}" for path in written]
    if unstored:
        notes.append(unstored)
    if outcome.instead:
        notes.append(f"simulated, as namespaces are not to be had here: {outcome.instead}")
    return judged(assessment, in_full=in_full, junit=junit, fresh=True, notes=notes)


def failures_of(outcome: RunOutcome) -> list[FailedStep]:
    """Tell what stopped a script, for the assessment."""
    failure = outcome.failure
    if failure is None:
        return []
    return [
        FailedStep(line=failure.line, text=failure.text, reason=failure.reason, kind=failure.kind)
    ]
