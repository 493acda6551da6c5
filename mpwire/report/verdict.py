"""The verdict as text: a line per group of rules, then everything that is not well, spelled out.

Each violation is told as the rule's sentence, who broke it, what was expected and what was seen,
with the frames that show it and the part of the ladder around them, so that a reader can check
the judge by hand.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from mpwire.oracle import Finding, Judgement, RuleResult
from mpwire.oracle.registry import RULES
from mpwire.report.assessment import Assessment, FailedStep
from mpwire.report.nearest import nearest
from mpwire.report.recorded import excerpt, marks_of
from mpwire.report.telling import printable
from mpwire.vocabulary import Verdict

GROUPS: Final = {
    "framing": "wire framing",
    "identity": "identity",
    "join": "join",
    "close": "close",
    "events": "event windows",
    "calls": "calls",
    "data": "data",
}
STYLES: Final = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNSUPPORTED: "magenta",
}
SYMBOLS: Final = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.UNSUPPORTED: "–",
}
FINDINGS_PER_RULE: Final = 3
REASONS_SHOWN: Final = 6
NONE: Final = "·"
NARROWEST: Final = 24
"""Columns below which text is not wrapped any closer."""


def headline(assessment: Assessment) -> Text:
    """Give the verdict, what it is about, and how much was looked at."""
    verdict, run = assessment.verdict, assessment.run
    made = Text(no_wrap=True, end="")
    made.append(f" {verdict.value} ", f"bold reverse {STYLES[verdict]}")
    name = Path(assessment.testbed).stem if assessment.testbed else run.path.name
    made.append(f" {printable(name)}", "bold")
    facts = [
        counted(assessment.datagrams, "datagram"),
        counted(assessment.judgement.counts()["reported"], "event"),
    ]
    made.append(f"  {', '.join(facts)}", "dim")
    return made


def verdict_lines(assessment: Assessment, width: int, *, ladder: bool = True) -> Iterator[Text]:
    """Spell a verdict out.

    Args:
        assessment: what to tell.
        width: columns.
        ladder: show the part of the ladder around each violation.
    """
    yield headline(assessment)
    if assessment.begun:
        yield line()
        yield from _group_table(assessment.judgement)
        yield from _completeness(assessment, width)
        yield from _events(assessment.judgement)
        for told in idle_lines(assessment):
            yield from wrapped(("  ! ", "yellow"), (told, ""), width)
    said: set[str] = set()
    for step in assessment.failed_steps:
        if step.reason not in said:  # what stopped the script often stops the end of the run, too
            yield line()
            yield from _failed_step(step, width)
        said.add(step.reason)
    for reason in assessment.judgement.unsupported[:REASONS_SHOWN]:
        yield line(("  – ", "magenta"), (f"unsupported: {printable(reason)}", ""))
    yield from _violations(assessment, width, ladder=ladder)
    yield from _open_questions(assessment, width)
    if assessment.verdict is not Verdict.PASS and assessment.command:
        yield line(("  again        ", "dim"), (printable(assessment.command), ""))


def counted(count: int, what: str) -> str:
    """Write a number of things."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def line(*parts: tuple[str, str]) -> Text:
    """Make one line of parts with styles."""
    made = Text(no_wrap=True, end="")
    for text, style in parts:
        made.append(text, style or None)
    return made


def wrapped(lead: tuple[str, str], text: tuple[str, str], width: int) -> Iterator[Text]:
    """Write a text beside its lead, in as many lines as it takes."""
    indent = len(lead[0])
    rows = textwrap.wrap(text[0], max(NARROWEST, width - indent), break_on_hyphens=False) or [""]
    yield line(lead, (rows[0], text[1]))
    for row in rows[1:]:
        yield line((" " * indent, ""), (row, text[1]))


def _group_table(judgement: Judgement) -> Iterator[Text]:
    """Count per group: rules that had something to look at, what they found, and idle rules."""
    titles = f"{'':18}{'rules':>6}{'passed':>8}{'failed':>8}{'undecided':>11}{'idle':>6}"
    yield line((titles, "dim"))
    for group, title in GROUPS.items():
        results = [result for result in judgement.rules if result.group == group]
        if results:
            yield _group_line(title, results)


def _group_line(title: str, results: Sequence[RuleResult]) -> Text:
    exercised = [result for result in results if result.exercised]
    verdict = Verdict.PASS
    if any(result.failed for result in exercised):
        verdict = Verdict.FAIL
    elif not exercised or any(result.undecided for result in exercised):
        verdict = Verdict.INCONCLUSIVE
    symbol, style = (SYMBOLS[verdict], STYLES[verdict]) if exercised else ("·", "dim")
    numbers = [len(exercised)]
    numbers += [
        sum(getattr(r, name) for r in results) for name in ("passed", "failed", "undecided")
    ]
    rules, passed, failed, undecided = (f"{number}" if number else NONE for number in numbers)
    made = line(
        (f"  {symbol} ", style),
        (f"{title:14}", ""),
        (f"{rules:>6}{passed:>8}", "" if exercised else "dim"),
        (f"{failed:>8}", "bold red" if numbers[2] else "dim"),
        (f"{undecided:>11}", "yellow" if numbers[3] else "dim"),
        (f"{len(results) - len(exercised) or NONE:>6}", "dim"),
    )
    broken = [result.id for result in results if result.failed]
    open_ones = [result.id for result in results if result.undecided and not result.failed]
    made.append(f"  broken: {_ids(broken)}" if broken else "", "bold red")
    made.append(f"  undecided: {_ids(open_ones)}" if open_ones else "", "yellow")
    return made


def _ids(rules: Sequence[str], most: int = 4) -> str:
    more = f" +{len(rules) - most}" if len(rules) > most else ""
    return " ".join(rules[:most]) + more


def _completeness(assessment: Assessment, width: int) -> Iterator[Text]:
    reasons = assessment.judgement.incomplete
    if not reasons:
        yield line(
            ("  ✓ ", "green"), ("completeness", ""), ("  nothing is missing from the record", "dim")
        )
        return
    yield line(
        ("  ? ", "yellow"), ("completeness", ""), ("  what is not there proves nothing:", "")
    )
    yield from _listed(reasons, width)


def _listed(reasons: Sequence[str], width: int) -> Iterator[Text]:
    for reason in reasons[:REASONS_SHOWN]:
        yield from wrapped(("      ", ""), (printable(reason), ""), width)
    if len(reasons) > REASONS_SHOWN:
        yield line((f"      and {len(reasons) - REASONS_SHOWN} more", "dim"))


def _events(judgement: Judgement) -> Iterator[Text]:
    counts = judgement.counts()
    reported = counts["reported"]
    if not reported:
        return
    share = 100 * counts["must"] / reported
    made = line(
        ("    events       ", ""),
        (f" {reported} reported: {counts['must']} a must ({share:.3g} %), ", ""),
        (f"{counts['may']} a may, ", ""),
        (f"{counts['must_not']} a must not", "bold red" if counts["must_not"] else ""),
    )
    yield made


def idle_lines(assessment: Assessment) -> list[str]:
    """Say which faults did nothing."""
    return [f"no message met this fault: {printable(one)}" for one in assessment.idle_faults]


def _failed_step(step: FailedStep, width: int) -> Iterator[Text]:
    verdict = {"failed": Verdict.FAIL, "unsupported": Verdict.UNSUPPORTED}.get(
        step.kind, Verdict.INCONCLUSIVE
    )
    where = f"testbed, line {step.line}" if step.line else "testbed"
    style = STYLES[verdict]
    yield line(
        (f"  {SYMBOLS[verdict]} ", style),
        (where, f"bold {style}"),
        (f"  {printable(step.text)}", ""),
    )
    yield from wrapped(("      ", ""), (printable(step.reason), ""), width)


def _violations(assessment: Assessment, width: int, *, ladder: bool) -> Iterator[Text]:
    for result in assessment.judgement.rules:
        if result.failed:
            yield line()
            yield from violation_lines(assessment, result, width, ladder=ladder)


def violation_lines(
    assessment: Assessment, result: RuleResult, width: int, *, ladder: bool = True
) -> Iterator[Text]:
    """Spell out what breaks one rule, with the ladder around it."""
    broken = [one for one in result.findings if one.verdict is Verdict.FAIL]
    marks = marks_of(assessment.judgement)
    yield from wrapped(
        (f"  ✗ {result.id}  ", "bold red"), (RULES[result.id].sentence, "bold"), width
    )
    drawn: set[int] = set()
    for finding in broken[:FINDINGS_PER_RULE]:
        yield from _facts(assessment, finding, width)
        if not ladder or set(finding.frames) <= drawn:
            continue
        rows = excerpt(assessment.run, width - 6, finding.frames, cast=assessment.cast, marks=marks)
        drawn.update(number for row in rows for number in row.frames)
        yield line()
        yield from (line(("      ", "")).append_text(row.text) for row in rows)
        yield line()
    if len(broken) > FINDINGS_PER_RULE:
        more = len(broken) - FINDINGS_PER_RULE
        yield line((f"      and {more} more of {result.id} (--json lists all)", "dim"))


def _facts(assessment: Assessment, finding: Finding, width: int) -> Iterator[Text]:
    retold = assessment.cast.retold
    frames = ", ".join(assessment.cast.frame(number) for number in finding.frames)
    facts = {
        "endpoint": finding.endpoint,
        "expected": finding.expected,
        "seen": finding.seen,
        "frames" if len(finding.frames) > 1 else "frame": frames,
    }
    default = f"expected {finding.expected}; seen: {finding.seen}"
    if finding.reason and not finding.reason.startswith(default):
        facts["because"] = finding.reason
    found = nearest(assessment.run, finding)
    if found:
        facts["nearest"] = "; ".join(found)
    for name, value in facts.items():
        if value:
            yield from wrapped((f"      {name:9}", "dim"), (printable(retold(value)), ""), width)


def _open_questions(assessment: Assessment, width: int) -> Iterator[Text]:
    """List what stayed open, and what was late, one line per rule."""
    if assessment.judgement.incomplete:
        return
    for result in assessment.judgement.rules:
        for verdict, severity, symbol, style in (
            (Verdict.INCONCLUSIVE, "error", "?", "yellow"),
            (Verdict.PASS, "warn", "!", "yellow"),
        ):
            found = [f for f in result.findings if (f.verdict, f.severity) == (verdict, severity)]
            if found:
                more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
                told = printable(assessment.cast.retold(found[0].reason))
                yield from wrapped(
                    (f"  {symbol} {result.id}  ", style), (f"{told}{more}", ""), width
                )


def texts(lines: Iterable[Text]) -> str:
    """Give lines as plain text."""
    return "\n".join(one.plain for one in lines)
