"""Write the rule table of docs/oracle.md: `python -m mpwire.oracle.table docs/oracle.md`."""

import sys
from itertools import groupby
from pathlib import Path

from mpwire.oracle import rules as _rules
from mpwire.oracle.registry import Rule, rules_in_order

BEGIN = "<!-- generated: rules -->\n"
END = "<!-- end -->"
TITLES = {
    "R": "Wire rules",
    "EV": "Event windows",
    "CR": "Call rules",
    "DR": "Data rules",
}
HEAD = "| rule | requirement | needs | seen at | source |\n| --- | --- | --- | --- | --- |\n"

assert _rules.__all__, "importing the package registers the rules"


def rule_table() -> str:
    """Return the tables of all rules as Markdown."""
    parts = []
    for family, members in groupby(rules_in_order(), key=_family):
        rows = "".join(_row(one) for one in members)
        parts.append(f"\n### {TITLES[family]}\n\n{HEAD}{rows}")
    return "".join(parts) + "\n"


def _family(rule: Rule) -> str:
    return rule.id.rstrip("0123456789")


def _row(rule: Rule) -> str:
    return f"| {rule.id} | {rule.sentence} | {rule.needs} | {rule.vantage} | {rule.source} |\n"


def with_table(text: str) -> str:
    """Return a document with the generated part replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + rule_table() + END + tail


def main(arguments: list[str]) -> int:
    """Bring the documents named up to date."""
    for name in arguments:
        path = Path(name)
        path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
