"""What the documents cite exists, and is said in one place."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpwire.oracle import rules
from mpwire.oracle.registry import RULES

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = sorted([*(ROOT / "mpwire").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])

CITATION = re.compile(r"\b[WD][1-9]\d{0,2}\b")
MARK = re.compile(r"\bmark\.w\(([\d,\s]+)\)")
ROW = re.compile(r"^\| ([WD]\d+) \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")

assert rules.__all__, "importing the package registers the rules"


def citations(text: str) -> Iterator[str]:
    """Yield the W and D ids that a text cites, those of pytest marks included."""
    yield from CITATION.findall(text)
    for numbers in MARK.findall(text):
        yield from (f"W{number}" for number in re.findall(r"\d+", numbers))


def test_every_requirement_and_decision_is_one_row() -> None:
    rows = Counter(ROW.findall((ROOT / "docs" / "semantics.md").read_text("utf-8")))
    expected = [f"W{n}" for n in range(1, 105)] + [f"D{n}" for n in range(1, 54)]
    assert rows == Counter(expected)


def test_every_citation_has_its_row() -> None:
    rows = set(ROW.findall((ROOT / "docs" / "semantics.md").read_text("utf-8")))
    cited = {
        (path.relative_to(ROOT).as_posix(), one)
        for path in [*DOCUMENTS, *CODE]
        for one in citations(path.read_text("utf-8"))
    }
    assert len(cited) > 100
    assert {(path, one) for path, one in cited if one not in rows} == set()


def test_every_testbed_is_listed_with_what_it_shows() -> None:
    text = (ROOT / "docs" / "testbeds.md").read_text("utf-8")
    shown = dict(re.findall(r"^\| \[`([\w-]+)`\]\([^)]*\) \| (.*) \|$", text, re.MULTILINE))
    files = (ROOT / "testbeds").glob("*.yaml")
    about = re.compile(r"^about: (.*)$", re.MULTILINE)
    assert shown == {path.stem: about.findall(path.read_text("utf-8"))[0] for path in files}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_resolves(document: Path) -> None:
    text = document.read_text("utf-8")
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        pointed_at = document.parent / name if name else document
        assert pointed_at.exists(), target
        if anchor:
            assert anchor in anchors(pointed_at.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_rule_of_the_table_is_registered() -> None:
    text = (ROOT / "docs" / "oracle.md").read_text("utf-8")
    listed = re.findall(r"^\| ((?:R|EV|CR|DR)\d+) \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(RULES)
