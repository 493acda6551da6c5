"""What came of one run file or of several: as text, as a table, as a document."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from rich.text import Text

from mpwire.cli.output import Output
from mpwire.cli.status import OF_VERDICT, Status, worst
from mpwire.errors import InputError
from mpwire.report import Assessment
from mpwire.report.document import document_of
from mpwire.report.junit import erroneous, junit_document, suite_of
from mpwire.report.telling import printable, shortened
from mpwire.report.timeline import timeline_lines
from mpwire.report.verdict import STYLES, counted, headline, idle_lines, line, verdict_lines
from mpwire.vocabulary import Verdict

VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE", "UNSUPPORTED", "ERROR")
VERDICT_COLUMNS = 14


@dataclass(slots=True, frozen=True, kw_only=True)
class Result:
    """What came of one run file, or why it cannot be judged."""

    path: Path
    status: Status
    word: str
    """The verdict, or ERROR."""
    summary: str
    """Why, in one line."""
    document: Mapping[str, object]
    suite: Element | None = None
    """The same for CI servers, where that is wanted."""
    assessment: Assessment | None = None
    """Everything about it, where the result is told in full; it holds the whole run."""
    fresh: bool = False
    """This very command made the file, so its reader wants to know where it is."""
    notes: tuple[str, ...] = ()


def judged(
    assessment: Assessment,
    *,
    in_full: bool,
    junit: bool = False,
    fresh: bool = False,
    notes: Iterable[str] = (),
) -> Result:
    """Make the result of a run that was judged; junit: with the part of a report about it."""
    interrupted = fresh and assessment.interrupted
    idle = [] if in_full else idle_lines(assessment)  # else they are a part of what is told
    return Result(
        path=assessment.run.path,
        status=Status.INTERRUPTED if interrupted else OF_VERDICT[assessment.verdict],
        word=assessment.verdict.value,
        summary=_summary(assessment),
        document=document_of(assessment),
        suite=suite_of(assessment) if junit else None,
        assessment=assessment if in_full else None,
        fresh=fresh,
        notes=(*notes, *idle),
    )


def unjudged(path: Path, error: str, status: Status = Status.USAGE) -> Result:
    """Make the result of a file that is no capture, or of a testbed that could not be run."""
    return Result(
        path=path,
        status=status,
        word="ERROR",
        summary=error.removeprefix(f"{path}: "),
        document={"verdict": "ERROR", "run_file": str(path), "rules": [], "error": error},
        suite=erroneous(str(path), error),
    )


def print_verdict(output: Output, result: Result) -> None:
    """Tell one result in full; in two lines when quiet or piped from a run."""
    assessment = result.assessment
    assert assessment is not None
    if output.quiet:
        output.line(headline(assessment))
    else:
        output.line()
        output.lines(verdict_lines(assessment, output.width))
        if assessment.inferred:
            output.line()
            output.lines(
                timeline_lines(assessment.inferred, output.width, assessment.inferred_frames)
            )
        output.line()
    for note in result.notes:
        output.line(line((f"  {printable(note)}", "dim")))
    if result.fresh:
        output.line(line(("  run file  ", "dim"), (printable(str(result.path)), "bold")))


def print_results(output: Output, results: Sequence[Result]) -> None:
    """Tell several results in a line each, and how many there were of which kind."""
    for result in results:
        output.line(_table_line(result, output.width))
    counts = {word: sum(result.word == word for result in results) for word in VERDICTS}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    for note in _notes(results):
        output.line(line((f"  {printable(note)}", "dim")))
    output.line(line((f"{counted(len(results), 'file')}: {told}", "bold")))


def _notes(results: Sequence[Result]) -> Iterator[str]:
    """Say what is to be noted of files: each thing once, and of which unless it is of all."""
    noted: dict[str, list[Result]] = {}
    for result in results:
        for note in result.notes:
            noted.setdefault(note, []).append(result)
    for note, about in noted.items():
        whose = f"{about[0].path}: " if len(about) == 1 else f"{len(about)} files: "
        yield note if len(about) == len(results) else f"{whose}{note}"


def require_folder_of(path: Path | None) -> None:
    """See that a report can be written, before anything is done that takes time.

    Raises:
        InputError: its folder is not there, or not to be written in, or it is itself a folder.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"--junit {path}: expected a file in a folder that is there")
    if path is not None and not os.access(path.parent, os.W_OK):
        raise InputError(f"--junit {path}: cannot write there")


def write_junit(path: Path | None, results: Sequence[Result]) -> None:
    """Write results as JUnit XML where that is wanted."""
    write_suites(path, [one.suite for one in results if one.suite is not None])


def write_suites(path: Path | None, suites: Sequence[Element]) -> None:
    """Write suites as JUnit XML where that is wanted; wholly or not at all."""
    if path is not None:
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(junit_document(suites))
        part.replace(path)


def _table_line(result: Result, width: int) -> Text:
    style = STYLES.get(Verdict(result.word), "red") if result.word in Verdict.__members__ else "red"
    made = line((f"{result.word:{VERDICT_COLUMNS}}", f"bold {style}"), (str(result.path), ""))
    room = width - len(made.plain) - 2
    made.append(f"  {shortened(printable(result.summary), max(room, 30))}", "dim")
    return made


def _summary(assessment: Assessment) -> str:
    """Say in one line why a verdict is what it is."""
    judgement = assessment.judgement
    if assessment.verdict in (Verdict.FAIL, Verdict.UNSUPPORTED):
        broken = [rule.id for rule in judgement.rules if rule.failed]
        steps = [step.told for step in assessment.failed_steps]
        return "; ".join([*broken, *steps, *judgement.unsupported][:4])
    if assessment.verdict is Verdict.INCONCLUSIVE:
        undecided = [rule.id for rule in judgement.rules if rule.undecided]
        steps = [step.reason for step in assessment.failed_steps]
        return "; ".join([*judgement.incomplete[:1], *steps, *undecided][:4])
    held = sum(1 for rule in judgement.rules if rule.exercised)
    return f"{counted(held, 'rule')} held, {counted(judgement.counts()['reported'], 'event')}"


def as_document(results: Sequence[Result]) -> Mapping[str, object]:
    """Give one result as its document, several as a list with the worst verdict."""
    if len(results) == 1:
        return results[0].document
    status = worst(result.status for result in results)
    word = next(result.word for result in results if result.status is status)
    return {"verdict": word, "results": [result.document for result in results]}
