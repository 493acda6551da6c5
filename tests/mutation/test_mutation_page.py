"""The page about mutants says what came of them, and leaves nobody out."""

import re

from tests.mutation.arena import Outcome
from tests.mutation.mutants import Mutant, source_of
from tests.mutation.page import PAGE, REASONS, Results, _reasons, rendered
from tests.mutation.records import Record
from tests.mutation.units import Tried

KILLED = Outcome("killed", "rooted-lan", "rule", ("R17", "R42"))


def record(line: int, outcome: Outcome, *, twin: str = "", before: str = "x = 1") -> Record:
    """Make up a mutant."""
    mutant = Mutant("mpwire.core.agenda", "core/NumberReplacer", line, line)
    return Record(mutant, "Agenda.note", before, "x = 2", f"{line}", outcome, twin)


SOME = [
    record(1, KILLED),
    record(2, KILLED, twin="another"),
    record(3, Outcome("killed", "rooted-lan", "no end")),
    record(4, Outcome("survived")),
    record(5, Outcome("unreached")),
    record(6, Outcome("survived"), before="@dataclass(slots=True)"),
    record(7, Outcome("same")),
]


def test_everybody_is_counted_once() -> None:
    results = Results(SOME, [Tried(SOME[3].mutant.name, "tests/core/test_x.py::test_y", 3)])
    page = rendered("<!-- generated: score -->\n<!-- end -->", results, 100)
    figures = dict(re.findall(r"^\| \**(.*?)\** \| \**(.*?)\** \|$", page, re.MULTILINE))
    assert figures["mutants that there are"] == "100"
    assert figures["tried, drawn at random"] == "7"
    assert figures["different ones"] == "5"
    assert figures["killed by labs and judge"] == "2 (40 %)"
    assert figures["- by a rule of the judge"] == figures["- by having no end"] == "1"
    assert figures["survived the labs"] == "3"
    assert figures["- in code that no scenario runs"] == "1"
    assert figures["- killed by a unit test"] == "1"
    assert figures["killed by labs or unit tests"] == "3 (60 %)"


def test_every_survivor_is_listed_with_its_test_or_as_open() -> None:
    results = Results(SOME, [Tried(SOME[3].mutant.name, "tests/core/test_x.py::test_y", 3)])
    page = rendered("<!-- generated: survivors -->\n<!-- end -->", results, 100)
    assert "`tests/core/test_x.py::test_y`" in page
    assert page.count("core.agenda Agenda.note") == 3
    assert [one.mutant.line for one in results.unexplained()] == [5]


def test_the_page_adds_up() -> None:
    text = PAGE.read_text("utf-8")
    figures = {
        name.strip(" *-"): int(value.strip("*").split()[0].replace(",", ""))
        for name, value in re.findall(r"^\| (.*?) \| (\**[\d,]+.*?) \|$", text, re.MULTILINE)
    }
    ways: tuple[str, ...] = (
        "by a rule of the judge",
        "by a warning, as time is virtual",
        "by having no end",
    )
    ways += ("by a step of a testbed that failed", "by an agent that broke down")
    killed = figures["killed by labs and judge"]
    assert sum(figures[way] for way in ways) == killed
    assert figures["different ones"] == killed + figures["survived the labs"]
    assert figures["tried, drawn at random"] >= 250
    listed = text.partition("## Survivors")[2]
    assert (
        len(re.findall(r"^\| (?!where|---)", listed, re.MULTILINE)) == figures["survived the labs"]
    )
    assert listed.count("**open**") == figures["without a reason"]


def test_reasons_are_about_lines_that_are_there() -> None:
    assert REASONS.exists()
    for one in (reason for reason in _reasons() if reason["module"]):
        lines = [line.strip() for line in source_of(f"mpwire.{one['module']}").splitlines()]
        assert one["line"] in lines, one
