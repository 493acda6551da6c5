"""`mpwire run --fabric all`: every testbed on every fabric, and whether they tell the same."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from rich.text import Text

from mpwire.capture import RunFile, open_run
from mpwire.cli.output import Output
from mpwire.cli.results import Result, judged, write_suites
from mpwire.cli.running import Job, RunOptions, failures_of, request_of
from mpwire.cli.status import OF_VERDICT, Status, worst
from mpwire.cli.sweeping import command_of
from mpwire.errors import MachineError
from mpwire.lab.launch import LabError
from mpwire.report import assess
from mpwire.report.agreement import Difference, first_difference
from mpwire.report.junit import agreement_suite
from mpwire.report.storing import store
from mpwire.report.telling import printable
from mpwire.report.verdict import STYLES, counted, line
from mpwire.sim import FabricName, run_on_fabric
from mpwire.vocabulary import Verdict

FABRICS: Final[tuple[FabricName, ...]] = ("sim", "switch", "bridge")
NAME_COLUMNS: Final = 28
VERDICT_COLUMNS: Final = 14


@dataclass(slots=True)
class Lab:
    """What came of a testbed on one fabric."""

    fabric: FabricName
    verdict: Verdict
    why: str = ""
    """Why it is not PASS, in one line."""
    run_file: Path | None = None
    result: Result | None = None

    @property
    def document(self) -> dict[str, object]:
        """Give it for programs."""
        return {
            "fabric": self.fabric,
            "verdict": self.verdict.value,
            "why": self.why,
            "run_file": None if self.run_file is None else str(self.run_file),
        }


@dataclass(slots=True)
class Row:
    """What came of one testbed on all fabrics."""

    testbed: Path
    labs: list[Lab] = field(default_factory=list)
    difference: Difference | None = None

    @property
    def compared(self) -> list[Lab]:
        """List the labs that could be carried out."""
        return [lab for lab in self.labs if lab.verdict is not Verdict.UNSUPPORTED]

    @property
    def status(self) -> Status:
        """Give the exit status: a disagreement is a violation, somebody's."""
        statuses = [
            OF_VERDICT[lab.verdict] if lab.result is None else lab.result.status
            for lab in self.compared
        ]
        if Status.INTERRUPTED in statuses:
            return Status.INTERRUPTED
        if self.difference is not None:
            return Status.VIOLATION
        return worst(statuses) if self.compared else Status.UNSUPPORTED

    @property
    def word(self) -> Verdict:
        """Give one verdict for all: FAIL where they disagree."""
        if self.difference is not None:
            return Verdict.FAIL
        return self.compared[0].verdict if self.compared else Verdict.UNSUPPORTED

    @property
    def document(self) -> dict[str, object]:
        """Give it for programs."""
        first = self.difference
        told = None
        if first is not None:
            told = {
                "socket": first.socket,
                "where": first.where,
                "place": first.place,
                "seen": dict(first.seen),
                "text": str(first),
            }
        return {
            "testbed": str(self.testbed),
            "verdict": self.word.value,
            "agreed": first is None,
            "difference": told,
            "runs": [lab.document for lab in self.labs],
        }

    @property
    def suites(self) -> Iterator[Element]:
        """Give it for CI servers: each run, and whether they agree."""
        for lab in self.labs:
            if lab.result is not None and lab.result.suite is not None:
                yield lab.result.suite
        told: dict[str, str] = {lab.fabric: lab.verdict.value for lab in self.labs}
        difference = "" if self.difference is None else str(self.difference)
        yield agreement_suite(self.testbed.stem, told, difference)


def compare(output: Output, options: RunOptions, jobs: Sequence[Job]) -> Status:
    """Run every testbed on every fabric and print the table."""
    rows: list[Row] = []
    if not output.quiet:
        output.line(_head())
    interrupted = False
    try:
        for job in jobs:
            rows.append(_row(options, job))
            if not output.quiet or rows[-1].status is not Status.PASS:
                output.line(_line(rows[-1]))
            if rows[-1].status is Status.INTERRUPTED:
                break
    except KeyboardInterrupt:  # between two labs, or as one is judged
        if not rows:
            raise
        interrupted = True
    write_suites(options.junit, [suite for row in rows for suite in row.suites])
    differing = sum(row.difference is not None for row in rows)
    told = f"{counted(len(rows), 'testbed')}: {len(rows) - differing} agree, {differing} differ"
    output.line(line((told, "bold")))
    status = worst(row.status for row in rows)
    if output.json:
        output.document(_document(rows, status))
    return Status.INTERRUPTED if interrupted else status


def _row(options: RunOptions, job: Job) -> Row:
    row = Row(job.path)
    runs: dict[str, RunFile] = {}
    for fabric in FABRICS:
        lab, run = _lab(dataclasses.replace(options, fabric=fabric), job, fabric)
        row.labs.append(lab)
        if run is not None and lab.verdict is not Verdict.UNSUPPORTED:
            runs[fabric] = run
        if lab.result is not None and lab.result.status is Status.INTERRUPTED:
            return row
    verdicts: dict[str, Verdict] = {
        lab.fabric: lab.verdict for lab in row.compared if lab.result is not None
    }
    row.difference = first_difference(runs, verdicts)
    return row


def _lab(options: RunOptions, job: Job, fabric: FabricName) -> tuple[Lab, RunFile | None]:
    asked = request_of(options, job, command=command_of(options, job, ()))
    try:
        outcome = run_on_fabric(job.path, options.out, asked)
    except MachineError as error:
        if fabric != "sim":
            raise
        # No machine lacks anything for a simulation: it is the testbed that asks for more.
        return Lab(fabric, Verdict.UNSUPPORTED, str(error)), None
    except LabError as error:  # this one died; the others go on
        return Lab(fabric, Verdict.INCONCLUSIVE, str(error)), None
    assessment = assess(open_run(outcome.run_file), failures_of(outcome))
    store(assessment)
    result = judged(assessment, in_full=False, junit=options.junit is not None, fresh=True)
    why = "" if assessment.verdict is Verdict.PASS else result.summary
    lab = Lab(fabric, assessment.verdict, why, outcome.run_file, result)
    return lab, assessment.run


def _head() -> Text:
    told = "".join(f"{fabric:{VERDICT_COLUMNS}}" for fabric in FABRICS)
    return line((f"{'':{NAME_COLUMNS}}{told}", "dim"))


def _line(row: Row) -> Text:
    made = line((f"{row.testbed.stem:{NAME_COLUMNS}}", "bold"))
    for lab in row.labs:
        made.append(f"{lab.verdict.value:{VERDICT_COLUMNS}}", STYLES.get(lab.verdict, "red"))
    if row.difference is None:
        made.append("agree" if len(row.compared) > 1 else "", "green")
    else:
        made.append("differ", "bold red")
        made.append(f"  {printable(str(row.difference))}")
    for lab in row.labs:
        if lab.why:
            made.append(f"  {lab.fabric}: {printable(lab.why)}", "dim")
    return made


def _document(rows: Sequence[Row], status: Status) -> Mapping[str, object]:
    word = next((row.word for row in rows if row.status is status), Verdict.PASS)
    verdicts = Counter(row.word.value for row in rows)
    return {
        "fabric": "all",
        "verdict": word.value,
        "counts": dict(verdicts),
        "testbeds": [row.document for row in rows],
    }
