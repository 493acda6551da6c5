"""Lines of a ladder, cell by cell."""

from itertools import pairwise

import pytest

from mpwire.report.canvas import GUTTER, Line, arrange, arrow, titles


@pytest.mark.parametrize("count", [2, 3, 4, 8])
@pytest.mark.parametrize("width", [80, 120, 200])
def test_lifelines_and_notes_fit(count: int, width: int) -> None:
    layout = arrange([f"host{n}" for n in range(count)], width)
    assert layout.gap
    assert layout.margin + 10 <= width


def test_lifelines_that_do_not_fit_are_given_up() -> None:
    assert arrange([f"host{n}" for n in range(20)], 80).gap == 0
    assert arrange([], 80).gap == 0
    assert arrange(["alone"], 80).gap > 0


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize("width", [80, 94, 120])
@pytest.mark.parametrize(
    "name", ["a", "leaf1", "10.77.0.3", "fd77::3 61717", "a-very-long-name-of-a-host"]
)
def test_names_of_lifelines_keep_apart(count: int, width: int, name: str) -> None:
    """Cut a name rather than write the next one over it."""
    placed = titles(arrange([f"{n}{name}" for n in range(count)], width))
    for (column, shown), (following, _) in pairwise(placed):
        assert shown.endswith(name[-1])
        assert column + len(shown) < following


def test_a_line_is_as_wide_as_what_is_on_it() -> None:
    layout = arrange(["a", "b"], 80)
    assert Line(layout, lifelines=False).text().plain == ""
    assert Line(layout).text().plain == " " * GUTTER + "│" + " " * (layout.gap - 1) + "│"


def test_what_leaves_the_line_is_cut() -> None:
    line = Line(arrange(["a", "b"], 80), lifelines=False)
    assert line.put(78, "abcd") == 82
    assert line.text().plain == " " * 78 + "ab"


def test_an_end_is_cut_with_an_ellipsis_however_wide_its_characters() -> None:
    layout = arrange(["a", "b"], 80)
    line = Line(layout, lifelines=False)
    line.end(70, ("日本語日本語", ""), ("never seen", ""))
    made = line.text()
    assert made.cell_len == 79
    assert made.plain.endswith("日本語日…")


def test_an_end_of_nothing_changes_nothing() -> None:
    line = Line(arrange(["a", "b"], 80))
    before = line.text().plain
    line.end(60, ("", "bold"))
    line.end(90, ("beyond", ""))
    assert line.text().plain == before


@pytest.mark.parametrize(
    ("source", "target", "dashed", "end", "drawn"),
    [
        (0, 1, False, "arrived", "├───►│     │"),
        (1, 0, False, "arrived", "│◄───┤     │"),
        (0, 2, False, "arrived", "├────┼────►│"),
        (2, 0, True, "arrived", "│◄╌╌╌╌╌╌╌╌╌┤"),
        (0, 1, False, "lost", "├──╳ │     │"),
        (2, 1, False, "later", "│    │ ───┤"),
    ],
)
def test_arrows(source: int, target: int, dashed: bool, end: str, drawn: str) -> None:
    layout = arrange(["a", "b", "c"], 200)
    line = Line(layout)
    arrow(line, layout.column(source), layout.column(target), "", dashed=dashed, end=end)  # type: ignore[arg-type]  # one of the literals
    wanted = drawn.replace("─" * 3, "─" * 3)
    assert _squeezed(line.text().plain) == _squeezed(wanted)


def _squeezed(text: str) -> str:
    """Leave out how long strokes and blanks are."""
    made = ""
    for character in text.strip():
        if not made or made[-1] != character or character not in "─╌ ":
            made += character
    return made


def test_styles_follow_the_cells() -> None:
    line = Line(arrange(["a", "b"], 80), lifelines=False)
    line.put(0, "bold", "bold")
    line.put(4, "plain")
    assert [(span.start, span.end, span.style) for span in line.text().spans] == [(0, 4, "bold")]
