"""One line of a ladder: cells with styles, written over each other, then made into rich text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size
from rich.text import Text

LIFELINE: Final = "dim"
GUTTER: Final = 15
"""Columns for frame number and time."""
GAP_MIN: Final = 6
GAP_MAX: Final = 26
MARGIN_MIN: Final = 12
MARGIN_SHARE: Final = 0.27
"""Part of the width that notes get before the gaps between lifelines grow."""


@dataclass(slots=True, frozen=True)
class Layout:
    """Where the lifelines of a ladder stand."""

    width: int
    lifelines: tuple[str, ...]
    gap: int
    """Columns from one lifeline to the next; 0 where they do not fit beside each other."""

    @property
    def margin(self) -> int:
        """Give the column where notes begin."""
        return self.column(len(self.lifelines) - 1) + 2 if self.gap else GUTTER

    def column(self, place: int) -> int:
        """Give the column of a lifeline."""
        return GUTTER + place * self.gap


def arrange(lifelines: Sequence[str], width: int) -> Layout:
    """Spread lifelines over a width and keep room for notes beside the last."""
    count = len(lifelines)
    if count < 2:
        return Layout(width, tuple(lifelines), GAP_MAX if count else 0)
    free = width - GUTTER - 2
    margin = max(MARGIN_MIN, int(width * MARGIN_SHARE))
    gap = min(GAP_MAX, max(GAP_MIN, (free - margin) // (count - 1)))
    fits = gap * (count - 1) + MARGIN_MIN <= free
    return Layout(width, tuple(lifelines), gap if fits else 0)


def titles(layout: Layout) -> list[tuple[int, str]]:
    """Place the names of lifelines above them, each as far as there is room; the end tells most."""
    placed: list[tuple[int, str]] = []
    following = layout.width + 1
    for place in reversed(range(len(layout.lifelines) if layout.gap else 0)):
        shown = _ending(layout.lifelines[place], layout.gap - 1)
        column = max(GUTTER - 1, layout.column(place) - (len(shown) - 1) // 2)
        placed.append((column, _ending(shown, following - column - 1)))
        following = column
    return placed[::-1]


def _ending(name: str, room: int) -> str:
    return name if len(name) <= room else f"…{name[len(name) - room + 1 :]}"


class Line:
    """Cells of one line."""

    def __init__(self, layout: Layout, *, lifelines: bool = True) -> None:
        """Begin with the lifelines, or blank."""
        self.layout = layout
        self._cells = [" "] * layout.width
        self._styles = [""] * layout.width
        self._tail: list[tuple[str, str]] = []
        if lifelines and layout.gap:
            for place in range(len(layout.lifelines)):
                self.put(layout.column(place), "│", LIFELINE)

    def put(self, column: int, text: str, style: str = "") -> int:
        """Write over what is there; what leaves the line is cut. Return the column after it."""
        end = min(column + len(text), self.layout.width)
        if column < end:
            self._cells[column:end] = text[: end - column]
            self._styles[column:end] = [style] * (end - column)
        return column + len(text)

    def end(self, column: int, *parts: tuple[str, str]) -> None:
        """End the line with texts of any script and their styles, cut to the width."""
        room = self.layout.width - column
        if room <= 0 or not any(text for text, _ in parts):
            return
        del self._cells[column:], self._styles[column:]
        for text, style in parts:
            fitting = text
            if cell_len(text) > room:
                fitting = set_cell_size(text, room - 1).rstrip() + "…" if room else ""
            self._tail.append((fitting, style))
            room -= cell_len(fitting) if fitting == text else room

    def text(self) -> Text:
        """Make it rich text without blanks at its end."""
        made = Text(no_wrap=True, end="")
        end = len(self._cells)
        while not self._tail and end and self._cells[end - 1] == " ":
            end -= 1
        start = 0
        for at in range(1, end + 1):
            if at == end or self._styles[at] != self._styles[start]:
                made.append("".join(self._cells[start:at]), self._styles[start] or None)
                start = at
        for text, style in self._tail:
            made.append(text, style or None)
        return made


End = Literal["arrived", "lost", "later"]
"""How an arrow ends: at its receiver, crossed before it, or open, to arrive in a later line."""


def arrow(line: Line, source: int, target: int, style: str, *, dashed: bool, end: End) -> None:
    """Draw an arrow from one column to another."""
    rightward = target > source
    step = 1 if rightward else -1
    low, high = min(source, target), max(source, target)
    line.put(low + 1, ("╌" if dashed else "─") * (high - low - 1), style)
    if not dashed:
        for column in range(low + line.layout.gap, high, line.layout.gap):
            line.put(column, "┼", style)
    line.put(source, "├" if rightward else "┤", style)
    head = target - step
    if end == "arrived":
        line.put(head, "►" if rightward else "◄", style)
        return
    line.put(head, " ", "")
    if end == "lost":
        line.put(head - step, "╳", "bold red")
