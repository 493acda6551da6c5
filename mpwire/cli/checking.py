"""`mpwire check`: captures and run files judged anew, from the file alone."""

from collections.abc import Sequence
from pathlib import Path

from mpwire.capture import open_run
from mpwire.cli.files import find_files
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
from mpwire.errors import InputError
from mpwire.report import assess


def check(output: Output, arguments: Sequence[str], junit: Path | None = None) -> Status:
    """Judge every capture that the arguments stand for; junit: a report for CI servers."""
    require_folder_of(junit)
    files = find_files(arguments)
    if len(files) == 1:
        result = judged(assess(open_run(files[0])), in_full=True, junit=junit is not None)
        write_junit(junit, [result])
        if output.json:
            output.document(as_document([result]))
        else:
            print_verdict(output, result)
        return result.status
    results = _check_all(output, files, junit=junit is not None)
    write_junit(junit, results)
    if output.json:
        output.document(as_document(results))
    else:
        print_results(output, results)
    return worst(result.status for result in results)


def _check_all(output: Output, files: Sequence[Path], *, junit: bool) -> list[Result]:
    results = []
    watched = output.is_terminal and not output.quiet
    status = output.console.status("") if watched else None
    if status is not None:
        status.start()
    try:
        for place, path in enumerate(files, 1):
            if status is not None:
                status.update(f"{place}/{len(files)} {path}")
            results.append(_check_one(path, junit=junit))
    finally:
        if status is not None:
            status.stop()
    return results


def _check_one(path: Path, *, junit: bool) -> Result:
    """Judge one of several; one that cannot be read does not keep the others from it."""
    try:
        return judged(assess(open_run(path)), in_full=False, junit=junit)
    except InputError as error:
        return unjudged(path, str(error))
