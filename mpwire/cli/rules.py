"""`mpwire check --rules` and `--explain`: what the judge looks at."""

import difflib
from collections.abc import Iterator

import msgspec
from rich.text import Text

from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.errors import InputError
from mpwire.oracle import rules as registered
from mpwire.oracle.lessons import Example, example, reason
from mpwire.oracle.registry import RULES, Rule, rules_in_order
from mpwire.report.verdict import GROUPS, line, wrapped

assert registered.__all__, "importing the package registers the rules"
NEEDS = {
    "frame": "one frame shows a violation",
    "frames": "the frames of a violation show it, whatever else is missing",
    "history": "only a complete record shows a violation",
    "events": "only a complete record, agents' lines included, shows a violation",
}
COLUMNS = 6
MARKS = {"✓": "green", "✗": "red", "›": "bold"}


def list_rules(output: Output) -> Status:
    """Print all rules by group."""
    rules = list(rules_in_order())
    if output.json:
        output.document({"rules": [_document(rule) for rule in rules]})
        return Status.PASS
    for group, title in GROUPS.items():
        output.line(line((title, "bold")))
        for rule in rules:
            if rule.group == group:
                output.lines(_told(rule.id, rule, output.width))
        output.line()
    return Status.PASS


def explain(output: Output, name: str) -> Status:
    """Tell one rule.

    Raises:
        InputError: there is none of this name.
    """
    rule = RULES.get(name.upper())
    if rule is None:
        near = difflib.get_close_matches(name.upper(), RULES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"--explain: found no rule {name!r}, expected one of --rules{hint}")
    if output.json:
        output.document({**_document(rule), **_lesson(rule)})
        return Status.PASS
    output.line(line((rule.id, "bold"), (f"  {GROUPS[rule.group]}", "dim")))
    output.lines(_told("", rule, output.width))
    output.line()
    output.lines(wrapped(("  why       ", "dim"), (reason(rule.id), ""), output.width))
    facts = {
        "source": rule.source,
        "proof": NEEDS[rule.needs],
        "severity": "a violation fails the run"
        if rule.severity == "error"
        else "noted, fails nothing",
    }
    for title, value in facts.items():
        output.line(line((f"  {title:10}", "dim"), (value, "")))
    output.lines(_shown(example(rule.id), output.width))
    return Status.PASS


def _shown(told: Example, width: int) -> Iterator[Text]:
    """Draw an example: a ladder in which what is kept and what is broken stand side by side."""
    yield line()
    yield from wrapped(("  example   ", "dim"), (told.story, ""), width)
    for change in told.change:
        yield from wrapped(("  broken by ", "dim"), (change, ""), width)
    yield line()
    for row in told.ladder:
        text = line(("    ", ""), (row, MARKS.get(row[:1], "")))
        text.truncate(width)
        yield text
    if told.ladder:
        yield line()
    yield from wrapped(("  expected  ", "dim"), (told.expected, ""), width)
    yield from wrapped(("  seen      ", "dim"), (told.seen, ""), width)


def _lesson(rule: Rule) -> dict[str, object]:
    return {"why": reason(rule.id), "example": msgspec.to_builtins(example(rule.id))}


def _document(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "group": rule.group,
        "sentence": rule.sentence,
        "source": rule.source,
        "severity": rule.severity,
        "needs": rule.needs,
    }


def _told(lead: str, rule: Rule, width: int) -> Iterator[Text]:
    return wrapped((f"  {lead:{COLUMNS}}", "cyan"), (rule.sentence, ""), width)
