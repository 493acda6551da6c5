"""`mpwire run --every`: one lab for every message of a testbed's session, and one table of them.

First the testbed runs as it is; that tells which messages there are and what every socket reports.
Then it runs once for each case, with faults that are aimed at that case's messages. No endpoint is
to be blamed for what the network did, and no socket may miss an event because of it.
"""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.text import Text

from mpwire.capture import open_run
from mpwire.cli.output import Output
from mpwire.cli.results import judged, print_verdict, write_junit, write_suites
from mpwire.cli.running import Job, RunOptions, failures_of, request_of
from mpwire.cli.status import OF_VERDICT, Status, worst
from mpwire.lab.every import Every, cases, messages, met, sampled
from mpwire.lab.interrupts import Stop
from mpwire.lab.launch import LabError
from mpwire.lab.session import RunOutcome, settle_latest
from mpwire.oracle import Judgement
from mpwire.report import Assessment, assess
from mpwire.report.junit import sweep_suite
from mpwire.report.storing import store
from mpwire.report.telling import printable
from mpwire.report.verdict import STYLES, counted, line
from mpwire.sim import run_on_fabric
from mpwire.vocabulary import Verdict, WsaError

REPEATED = ("FD_READ", "FD_WRITE")
"""Events that come as often as the network makes them; one is as good as several."""
SHOWN_EVENTS = 4

Seen = Counter[tuple[str, int, str, int]]
"""Reported events: host, socket, event, code."""


@dataclass(slots=True)
class Row:
    """What came of one case."""

    faults: tuple[str, ...]
    verdict: Verdict
    broken: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Events that were reported without the faults and not with them."""
    stopped: str | None = None
    """Why the script stopped, if it did."""
    met: bool = True
    """The faults found their messages."""
    run_file: Path | None = None
    """Where the run is kept; nothing is kept of what passed."""

    @property
    def document(self) -> dict[str, object]:
        """Give it for programs."""
        return {
            "faults": list(self.faults),
            "verdict": self.verdict.value,
            "broken": self.broken,
            "lost": self.lost,
            "stopped": self.stopped,
            "met": self.met,
            "run_file": None if self.run_file is None else str(self.run_file),
        }

    def told(self) -> str:
        """Say in one line what there is to say."""
        parts = [*self.broken, *(f"lost {event}" for event in self.lost[:SHOWN_EVENTS])]
        parts += [self.stopped] if self.stopped is not None else []
        parts += [] if self.met else ["the message was not sent again"]
        parts += [f"kept in {self.run_file.parent}"] if self.run_file is not None else []
        return "; ".join(parts)


def sweep(output: Output, options: RunOptions, job: Job) -> Status:
    """Run every case of a testbed and print the table."""
    assert options.every is not None
    whole, outcome = _run(options, job, ())
    if whole.verdict is not Verdict.PASS:
        store(whole)
        result = judged(whole, in_full=True, junit=options.junit is not None, fresh=True)
        write_junit(options.junit, [result])
        output.document(result.document) if output.json else print_verdict(output, result)
        return result.status
    sent = messages(whole.run)
    everything = cases(options.every, sent)
    chosen = sampled(everything, options.sample, job.plan.seed)
    _drop(outcome)
    _head(output, options, job, (len(sent), len(everything), len(chosen)))
    rows: list[Row] = []
    sweeper = _Sweeper(options, job, events_of(whole.judgement))
    interrupted = False
    try:
        for row in sweeper.rows(chosen):
            rows.append(row)
            if row.verdict is not Verdict.PASS or not output.quiet:
                output.line(_line(len(rows), row))
    except KeyboardInterrupt:
        interrupted = True
    settle_latest(options.out)
    told = ((" + ".join(row.faults), row.verdict, row.told()) for row in rows)
    write_suites(options.junit, [sweep_suite(job.plan.name, options.every, told)])
    counts = Counter(row.verdict.value for row in rows)
    output.line(line((f"{counted(len(rows), 'lab')}: {_told(counts)}", "bold")))
    if output.json:
        output.document(_document(options.every, job, sent_count=len(sent), rows=rows))
    status = worst(OF_VERDICT[row.verdict] for row in rows)
    return Status.INTERRUPTED if interrupted else status


class _Sweeper:
    """Run cases, several at a time."""

    def __init__(self, options: RunOptions, job: Job, expected: Seen) -> None:
        self._options = options
        self._job = job
        self._expected = expected
        self._stop = Stop()

    def rows(self, chosen: Sequence[tuple[str, ...]]) -> Iterator[Row]:
        """Yield what came of each case, in order."""
        jobs = self._options.jobs or os.cpu_count() or 1
        with ThreadPoolExecutor(jobs) as pool:
            try:
                yield from pool.map(self._row, chosen)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop.now()
                raise

    @property
    def _kills(self) -> bool:
        """Tell whether somebody is killed: who is reports nothing more, others another end."""
        return self._options.every == "kill-after"

    def _row(self, faults: tuple[str, ...]) -> Row:
        try:
            assessment, outcome = _run(self._options, self._job, faults, self._stop)
        except LabError as error:  # this one died; the others go on
            return Row(faults, Verdict.INCONCLUSIVE, stopped=str(error), met=False)
        judgement, failure = assessment.judgement, outcome.failure
        lacks = assessment.verdict is Verdict.UNSUPPORTED
        row = Row(
            faults,
            Verdict.UNSUPPORTED if lacks else self._verdict(judgement),
            [rule.id for rule in judgement.rules if rule.failed],
            stopped=next((step.told for step in assessment.failed_steps), None),
            met=lacks or met(assessment.run, faults),
        )
        if failure is None and not self._kills:
            row.lost = lost_events(self._expected, events_of(judgement))
        if row.lost:
            row.verdict = Verdict.FAIL
        interrupted = failure is not None and failure.kind == "interrupted"
        if row.verdict is Verdict.PASS or interrupted:
            _drop(outcome)
        else:
            store(assessment)
            row.run_file = outcome.run_file
        return row

    def _verdict(self, judgement: Judgement) -> Verdict:
        """Take the judge's verdict; a script stops where somebody it needs is killed."""
        proved = not judgement.incomplete and not any(rule.undecided for rule in judgement.rules)
        killed = self._kills and bool(judgement.stopped)
        if killed and proved and judgement.verdict is Verdict.INCONCLUSIVE:
            return Verdict.PASS
        return judgement.verdict


def events_of(judgement: Judgement) -> Seen:
    """Count what sockets reported; how often data could be read or sent is not counted."""
    seen: Seen = Counter()
    for event in judgement.events:
        key = (event.host, event.socket, event.event, event.code)
        seen[key] = 1 if event.event in REPEATED else seen[key] + 1
    return seen


def lost_events(expected: Seen, seen: Seen) -> list[str]:
    """Name the events that are missing."""
    return [
        f"{event}{f' {WsaError(code).name}' if code else ''} of {host}'s socket {socket}"
        for host, socket, event, code in (expected - seen).elements()
    ]


def _run(
    options: RunOptions, job: Job, faults: tuple[str, ...], stop: Stop | None = None
) -> tuple[Assessment, RunOutcome]:
    asked = request_of(
        options,
        job,
        faults=(*options.faults, *faults),
        command=command_of(options, job, faults),
    )
    outcome = run_on_fabric(job.path, options.out, msgspec.structs.replace(asked, stop=stop))
    return assess(open_run(outcome.run_file), failures_of(outcome)), outcome


def command_of(options: RunOptions, job: Job, faults: tuple[str, ...]) -> list[str]:
    """Write down what runs one case alone."""
    words = [sys.argv[0], "run", str(job.path), "--out", str(options.out)]
    for name, value in (
        ("--fabric", options.fabric),
        ("--carrier", options.carrier),
        ("--scale", options.scale),
        ("--seed", options.seed),
    ):
        words += [] if value is None else [name, str(value)]
    for command in options.agents:
        words += ["--agent", command]
    for fault in (*options.faults, *faults):
        words += ["--fault", fault]
    return words


def _drop(outcome: RunOutcome) -> None:
    shutil.rmtree(outcome.folder)


def _head(output: Output, options: RunOptions, job: Job, counts: tuple[int, int, int]) -> None:
    sent, all_count, chosen = counts
    some = "" if chosen == all_count else f" of {all_count}, drawn with seed {job.plan.seed}"
    if not output.quiet:
        told = f"{job.plan.name}: {counted(sent, 'message')}, {counted(chosen, 'lab')}{some}"
        output.line(line((f"--every {options.every}  ", "dim"), (told, "bold")))


def _line(number: int, row: Row) -> Text:
    style = STYLES.get(row.verdict, "red")
    made = line(
        (f"{number:5}  ", "dim"),
        (f"{row.verdict.value:13} ", f"bold {style}"),
        (" + ".join(row.faults), ""),
    )
    if told := row.told():
        made.append(f"  {printable(told)}", "dim")
    return made


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.most_common())


def _document(every: Every, job: Job, *, sent_count: int, rows: Sequence[Row]) -> dict[str, object]:
    status = worst(OF_VERDICT[row.verdict] for row in rows)
    word = next((row.verdict for row in rows if OF_VERDICT[row.verdict] is status), Verdict.PASS)
    return {
        "every": every,
        "testbed": str(job.path),
        "seed": job.plan.seed,
        "messages": sent_count,
        "verdict": word.value,
        "counts": dict(Counter(row.verdict.value for row in rows)),
        "labs": [row.document for row in rows],
    }
