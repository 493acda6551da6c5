"""`mpwire run --list`: testbeds, what each shows, and what it exercises."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mpwire.cli.files import testbeds_in
from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.errors import InputError
from mpwire.lab.session import TOUR
from mpwire.report.telling import printable
from mpwire.report.verdict import line, wrapped
from mpwire.sim.coverage import Exercised, counts, exercised_by, ranges

FOLDER: Final = Path("testbeds")
"""What is listed where nothing is named."""
INDENT: Final = "    "


def list_testbeds(output: Output, named: Sequence[Path], asked: Mapping[str, object]) -> Status:
    """List testbeds, each simulated and judged for that; what is wrong with a file stops it.

    Args:
        output: where to.
        named: files and folders.
        asked: options that make another run of a testbed than the one that is told of.

    Raises:
        InputError: a file has mistakes, or there is none, or such an option was given.
    """
    for option, value in asked.items():
        if value:
            raise InputError(f"--list: expected testbeds alone, found {option}")
    found: list[Exercised] = []
    interrupted = False
    try:
        for path in files_in(named):
            found.append(exercised_by(path))
            _tell(output, found[-1])
    except KeyboardInterrupt:
        interrupted = True
    if output.json:
        output.document({"testbeds": msgspec.to_builtins(found)})
    return Status.INTERRUPTED if interrupted else Status.PASS


def files_in(named: Sequence[Path]) -> Iterator[Path]:
    """Yield the files among what was named, or of the folder here; see `testbeds_in`.

    Raises:
        InputError: a folder holds none.
    """
    return testbeds_in(named or [FOLDER if FOLDER.is_dir() else TOUR])


def _tell(output: Output, one: Exercised) -> None:
    output.line(line((one.name, "bold cyan"), (f"  {one.testbed}", "dim")))
    output.lines(wrapped((INDENT, ""), (printable(one.about), ""), output.width))
    told = one.lacking or f"{one.verdict} with {counts(one.rules)}: {ranges(one.requirements)}"
    output.lines(wrapped((INDENT, ""), (printable(told), "dim"), output.width))
