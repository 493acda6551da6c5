"""The matrix as a table, a page and a document."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mpwire.report.matrix import Cell, Matrix, cell_line, matrix_lines, told
from mpwire.report.matrix_page import matrix_page
from mpwire.vocabulary import Verdict

IMPLEMENTATIONS = {"python": ("mpwire", "agent"), "js": ("node", "<leaf & more>.mjs")}


def cell(testbed: str, role: str, implementation: str, verdict: Verdict | None) -> Cell:
    made = Cell(
        testbed=testbed,
        role=role,
        implementation=implementation,
        hosts=("root",) if role == "root" else ("leaf1", "leaf2"),
        path=Path(f"{testbed}.yaml"),
        verdict=verdict,
    )
    if verdict not in (None, Verdict.PASS):
        made.reason = f"R65 <b>{testbed}</b> & \x1b[31mmore"
    if verdict is not None:
        made.run_file = Path("runs") / f"{testbed} 1" / "run.pcapng"
    return made


@pytest.fixture
def matrix() -> Matrix:
    return Matrix(
        implementations=IMPLEMENTATIONS,
        roles=("root", "leaf"),
        cells=[
            cell("lan", "root", "python", Verdict.PASS),
            cell("lan", "leaf", "python", Verdict.PASS),
            cell("lan", "root", "js", Verdict.UNSUPPORTED),
            cell("lan", "leaf", "js", Verdict.FAIL),
            cell("open", "leaf", "python", Verdict.INCONCLUSIVE),
            cell("open", "leaf", "js", None),
        ],
    )


def text(matrix: Matrix, width: int) -> list[str]:
    return [one.plain for one in matrix_lines(matrix, width)]


def test_a_wide_table_says_verdicts_in_words(matrix: Matrix) -> None:
    lines = text(matrix, 100)
    assert lines[0].split() == ["python", "python", "js", "js"]
    assert lines[1].split() == ["testbed", "root", "leaf", "root", "leaf"]
    assert re.split(" {2,}", lines[3]) == ["lan", "✓ PASS", "✓ PASS", "– UNSUPPORTED", "✗ FAIL"]
    assert re.split(" {2,}", lines[4]) == ["open", "·", "? INCONCLUSIVE", "·", "not run"]


def test_a_narrow_table_says_them_in_signs(matrix: Matrix) -> None:
    lines = text(matrix, 50)
    assert lines[3].split() == ["lan", "✓", "✓", "–", "✗"]
    assert lines[4].split() == ["open", "·", "?", "·", "·"]
    assert max(map(len, lines[:5])) <= 50


def test_below_the_table_stands_why_and_how_to_look(matrix: Matrix) -> None:
    lines = text(matrix, 100)
    assert "✗ lan  leaf = js  R65 <b>lan</b> & \\x1b[31mmore" in lines
    assert "    mpwire check runs/lan 1" in lines
    assert "– lan  root = js  R65 <b>lan</b> & \\x1b[31mmore" in lines
    assert lines[-2:] == ["python  2 PASS, 1 INCONCLUSIVE", "js  1 FAIL, 1 UNSUPPORTED, 1 not run"]


def test_each_cell_is_told_as_it_comes(matrix: Matrix) -> None:
    line = cell_line(3, 6, matrix.cells[3]).plain
    assert line == "   3/6  FAIL         lan  leaf = js  R65 <b>lan</b> & \\x1b[31mmore"


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ((Verdict.PASS, Verdict.UNSUPPORTED), Verdict.PASS),
        ((Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL), Verdict.FAIL),
        ((Verdict.PASS, Verdict.INCONCLUSIVE), Verdict.INCONCLUSIVE),
        ((Verdict.PASS, None), Verdict.INCONCLUSIVE),
        ((Verdict.UNSUPPORTED,), Verdict.UNSUPPORTED),
    ],
)
def test_the_worst_that_is_no_lack_is_the_verdict(
    matrix: Matrix, verdicts: tuple[Verdict | None, ...], verdict: Verdict
) -> None:
    matrix.cells = [cell("lan", "leaf", "js", one) for one in verdicts]
    assert matrix.verdict is verdict


class Page(HTMLParser):
    """What a reader of the page would find, and whether it is well formed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_links_every_cell_to_its_run_and_needs_nothing_else(
    matrix: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page()
    page.feed(matrix_page(matrix, tmp_path / "runs"))
    page.close()
    assert page.open == []
    assert set(page.links) == {"lan%201/", "open%201/"}
    assert len(page.links) == 5 + 3  # cells, and what is no PASS
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert "R65 <b>lan</b> & \\x1b[31mmore" in page.text  # and no element of that name
    assert "b" not in page.tags
    assert "node '<leaf & more>.mjs'" in page.text
    assert "url(" not in page.text
    assert page.text.count("– UNSUPPORTED") == 2


def test_the_document_has_every_cell(matrix: Matrix) -> None:
    document = matrix.document
    assert document["verdict"] == "FAIL"
    assert document["counts"] == {
        "PASS": 2, "UNSUPPORTED": 1, "FAIL": 1, "INCONCLUSIVE": 1, "not run": 1
    }  # fmt: skip
    assert told({"FAIL": 1, "PASS": 2}) == "2 PASS, 1 FAIL"
