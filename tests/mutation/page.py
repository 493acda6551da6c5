"""Write docs/mutation.md: `python -m tests.mutation.page --out FILE`.

Takes what became of the mutants from FILE, what unit tests made of the survivors from FILE.units,
and why the rest cannot be told from `reasons.toml`. In the page, whatever stands between
`<!-- generated: NAME -->` and `<!-- end -->` is replaced.
"""

import argparse
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.mutation.arena import Way
from tests.mutation.mutants import ROOT, drawn, mutants
from tests.mutation.records import Record, read
from tests.mutation.units import Tried, alive, tried

PAGE: Final = ROOT / "docs" / "mutation.md"
REASONS: Final = Path(__file__).parent / "reasons.toml"
WAYS: Final[dict[Way, str]] = {
    "rule": "a rule of the judge",
    "warning": "a warning, as time is virtual",
    "expectation": "a step of a testbed that failed",
    "crash": "an agent that broke down",
    "no end": "having no end",
}
_FRAGMENT: Final = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
RULES_SHOWN: Final = 25


class Results:
    """What is known of all mutants."""

    def __init__(self, records: Sequence[Record], units: Sequence[Tried]) -> None:
        """Sort them."""
        self.tried = len(records)
        self.same = sum(one.outcome.fate in {"same", "unfit"} for one in records)
        self.twins = sum(bool(one.twin) for one in records)
        fates = {"killed", "survived", "unreached"}
        self.different = [one for one in records if not one.twin and one.outcome.fate in fates]
        self.killed = [one for one in self.different if one.outcome.fate == "killed"]
        self.alive = alive(self.different)
        found = {one.name: one.test for one in units}
        self.untested = [one for one in self.alive if one.mutant.name not in found]
        self.tests = {one.mutant.name: found.get(one.mutant.name, "") for one in self.alive}
        reasons = _reasons()
        self.reasons = {
            one.mutant.name: why
            for one in self.alive
            if not self.tests[one.mutant.name] and (why := _why(one, reasons))
        }

    def unexplained(self) -> list[Record]:
        """Return the survivors that no test finds and no reason covers."""
        return [
            one
            for one in self.alive
            if not self.tests[one.mutant.name] and one.mutant.name not in self.reasons
        ]


def _reasons() -> list[dict[str, str]]:
    found: list[dict[str, str]] = tomllib.loads(REASONS.read_text("utf-8"))["reason"]
    return found


def _why(record: Record, reasons: Sequence[dict[str, str]]) -> str:
    """Return why a mutant cannot be told from what it was made of."""
    for one in reasons:
        if (
            one["module"] in {"", record.mutant.module.removeprefix("mpwire.")}
            and one["line"] == record.before
            and one.get("after", record.after) == record.after
        ):
            return one["why"]
    return ""


def rendered(page: str, results: Results, everything: int) -> str:
    """Return the page with what these results say; `everything`: how many mutants there are."""
    fragments = {
        "score": _score(results, everything),
        "modules": _modules(results),
        "rules": _rules(results),
        "survivors": "\n".join(_survivors(results)),
    }

    def filled(match: re.Match[str]) -> str:
        return f"{match[1]}\n{fragments[match[2]]}\n\n{match[3]}"

    return _FRAGMENT.sub(filled, page)


def _score(results: Results, everything: int) -> str:
    ways = Counter(one.outcome.way for one in results.killed)
    unreached = sum(one.outcome.fate == "unreached" for one in results.alive)
    by_test = sum(bool(test) for test in results.tests.values())
    count, killed = len(results.different), len(results.killed)
    noticed = killed + by_test
    rows = [
        ("mutants that there are", f"{everything:,}"),
        ("tried, drawn at random", f"{results.tried:,}"),
        (
            "of these the same as another, or as the code itself",
            f"{results.same + results.twins:,}",
        ),
        ("different ones", f"{count:,}"),
        ("**killed by labs and judge**", f"**{killed:,} ({100 * killed / max(count, 1):.0f} %)**"),
        *((f"- by {told}", f"{ways[way]:,}") for way, told in WAYS.items()),
        ("survived the labs", f"{len(results.alive):,}"),
        ("- in code that no scenario runs", f"{unreached:,}"),
        ("- killed by a unit test", f"{by_test:,}"),
        ("- equivalent, for the reason given", f"{len(results.reasons):,}"),
        ("- without a reason", f"{len(results.unexplained()):,}"),
        ("- not put before the unit tests yet", f"{len(results.untested):,}"),
        ("killed by labs or unit tests", f"{noticed:,} ({100 * noticed / max(count, 1):.0f} %)"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _modules(results: Results) -> str:
    head = (
        "| module | different | rule | warning | step | breakdown | no end | unit test | reason "
        "| open |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    left = {one.mutant.name for one in results.unexplained()}
    for module in sorted({one.mutant.module for one in results.different}):
        mine = [one for one in results.different if one.mutant.module == module]
        ways = Counter(one.outcome.way for one in mine)
        names = [one.mutant.name for one in mine]
        cells = [
            len(mine),
            *(ways[way] for way in WAYS),
            sum(bool(results.tests.get(name)) for name in names),
            sum(name in results.reasons for name in names),
            sum(name in left for name in names),
        ]
        told = " | ".join(str(cell) if cell else "·" for cell in cells)
        lines.append(f"| {module.removeprefix('mpwire.')} | {told} |")
    return "\n".join(lines)


def _rules(results: Results) -> str:
    counts: Counter[str] = Counter()
    for one in results.killed:
        counts.update(one.outcome.rules)
    shown = counts.most_common(RULES_SHOWN)
    told = ", ".join(f"{rule} ({count})" for rule, count in shown)
    return f"{len(counts)} rules were broken by some mutant; most often {told}."


def _survivors(results: Results) -> Iterator[str]:
    yield "| where | change | killed by, or why it cannot be told |"
    yield "|---|---|---|"
    for one in sorted(results.alive, key=lambda one: (one.mutant.module, one.mutant.line)):
        name = one.mutant.name
        test = results.tests[name].replace("|", "\\|")
        said = f"`{test}`" if test else results.reasons.get(name, "**open**")
        where = f"{one.mutant.module.removeprefix('mpwire.')} {one.function}".strip()
        yield f"| {where} | {_change(one)} | {said} |"


def _change(record: Record) -> str:
    """Show the part of a line that changes."""
    before, after = record.before, record.after
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    start, end = max(start - 12, 0), max(end - 12, 0)
    parts = (before[start : len(before) - end], after[start : len(after) - end])
    left, right = (part.strip().replace("|", "\\|").replace("`", "'") for part in parts)
    return f"`{left}` → `{right}`"


def main(arguments: Sequence[str]) -> int:
    """Write the page; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.page", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of outcomes")
    parser.add_argument("--sample", type=int, default=0, help="those of a sample only")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    asked = parser.parse_args(arguments)
    everything = [*mutants()]
    names = {one.name for one in drawn(everything, asked.sample, asked.seed)}
    records = [one for one in read(asked.out) if one.mutant.name in names]
    results = Results(records, tried(asked.out.with_suffix(".units")))
    PAGE.write_text(rendered(PAGE.read_text("utf-8"), results, len(everything)), "utf-8")
    for one in results.unexplained():
        print(f"{one.mutant.name}\n    - {one.before}\n    + {one.after}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
