"""`mpwire agent-check`: does a program keep the agent contract?"""

import shlex
import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.text import Text

from mpwire.cli.output import Output
from mpwire.cli.status import OF_VERDICT, Status
from mpwire.errors import InputError
from mpwire.lab.contract.examine import Finding, examine
from mpwire.lab.testbed import resolved
from mpwire.report.telling import printable
from mpwire.report.verdict import STYLES, line
from mpwire.vocabulary import Verdict

MARKS: Final = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.UNSUPPORTED: "–",
}
COLUMN: Final = 20
SHOWN_OCTETS: Final = 400
"""How much is shown of a line that breaks the contract."""


def check_agent(
    output: Output, words: Sequence[str], *, patience_s: float, only: Sequence[str]
) -> Status:
    """Carry out the checks, print each as it ends, and the verdict on them all.

    Raises:
        InputError: no such program, or no such check.
    """
    command = command_of(words)
    findings: list[Finding] = []
    interrupted = False
    try:
        for finding in examine(command, patience_s, only):
            findings.append(finding)
            if finding.verdict is Verdict.FAIL or not output.quiet:
                output.lines(_told(finding, output.width))
    except KeyboardInterrupt:
        interrupted = True
    verdict = _verdict(findings)
    output.lines(_summed_up(verdict, findings, command))
    if output.json:
        output.document(_document(verdict, findings, command))
    return Status.INTERRUPTED if interrupted else OF_VERDICT[verdict]


def command_of(words: Sequence[str]) -> tuple[str, ...]:
    """Take the command line from words, or from one text that holds them all.

    Raises:
        InputError: there is no such program.
    """
    try:
        command = resolved(shlex.split(words[0]) if len(words) == 1 else words)
    except ValueError:
        command = ()
    if not command:
        raise InputError("COMMAND: expected what starts an agent")
    if shutil.which(command[0]) is None:
        raise InputError(f"COMMAND: found no program {command[0]!r}, expected an agent")
    return command


def _verdict(findings: Sequence[Finding]) -> Verdict:
    """Lacking a call breaks nothing; an agent of which nothing could be checked shows nothing."""
    verdicts = {finding.verdict for finding in findings}
    ordered = (Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE)
    return next((one for one in ordered if one in verdicts), Verdict.UNSUPPORTED)


def _told(finding: Finding, width: int) -> list[Text]:
    style = STYLES.get(finding.verdict, "red")
    head = line(
        (f"{MARKS[finding.verdict]} ", style),
        (f"{finding.name:{COLUMN - 2}}", "bold"),
        (finding.about, ""),
    )
    if finding.verdict is Verdict.UNSUPPORTED:
        head.append(f"  unsupported: {printable(finding.reason)}", "dim")
    elif finding.verdict is Verdict.INCONCLUSIVE:
        head.append(f"  {printable(finding.reason)}", "dim")
    if finding.verdict is not Verdict.FAIL:
        return [head]
    room = max(30, width - COLUMN)
    lines = [head, *_indented(finding.reason, room, style)]
    if finding.line:
        octets = finding.line
        shown = octets if len(octets) <= SHOWN_OCTETS else octets[:SHOWN_OCTETS] + " ..."
        lines += _indented(f"line  {shown}", room, "dim")
    return lines


def _indented(text: str, room: int, style: str) -> list[Text]:
    wrapped = textwrap.wrap(printable(text), room, break_on_hyphens=False)
    return [line((" " * COLUMN + part, style)) for part in wrapped]


def _summed_up(verdict: Verdict, findings: Sequence[Finding], command: Sequence[str]) -> list[Text]:
    counts = Counter(finding.verdict.value for finding in findings)
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    style = STYLES.get(verdict, "red")
    return [
        Text(),
        line(
            (f" {verdict.value} ", f"bold reverse {style}"),
            (f"  {printable(shlex.join(command))}", "bold"),
            (f"  {told}", "dim"),
        ),
    ]


def _document(
    verdict: Verdict, findings: Sequence[Finding], command: Sequence[str]
) -> dict[str, object]:
    return {
        "agent": list(command),
        "verdict": verdict.value,
        "counts": dict(Counter(finding.verdict.value for finding in findings)),
        "checks": [
            {
                "name": finding.name,
                "about": finding.about,
                "verdict": finding.verdict.value,
                "reason": finding.reason,
                "line": finding.line,
            }
            for finding in findings
        ],
    }
