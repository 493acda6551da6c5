"""`mpwire doctor`: what this machine can do, and how to enable the rest."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.lab.doctor import Check
from mpwire.report.telling import printable
from mpwire.report.verdict import line


def diagnose(output: Output, checks: Sequence[Check]) -> Status:
    """Print what was found, and whether labs can run."""
    able = all(check.ok for check in checks if check.required)
    if output.json:
        output.document({"labs": able, "checks": [_document(check) for check in checks]})
        return Status.PASS if able else Status.MACHINE
    column = max(len(check.name) for check in checks) + 4
    for check in checks:
        output.lines(_check_lines(check, column, output.width))
    output.line()
    if able:
        output.line(line(("Labs can run here.", "bold green")))
    else:
        output.line(line(("Labs cannot run here", "bold red"), (" until what is marked ✗ is.", "")))
    return Status.PASS if able else Status.MACHINE


def _document(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "ok": check.ok,
        "required": check.required,
        "found": check.found,
        "remedy": check.remedy,
    }


def _check_lines(check: Check, column: int, width: int) -> list[Text]:
    symbol, style = (
        ("✓", "green") if check.ok else ("✗", "red") if check.required else ("–", "yellow")
    )
    lines = [
        line(
            (f"{symbol} ", style),
            (f"{check.name:{column - 2}}", "bold"),
            (printable(check.found), ""),
        )
    ]
    if check.remedy:
        told = textwrap.wrap(printable(check.remedy), max(30, width - column))
        lines += [line((" " * column + text, style)) for text in told]
    return lines
