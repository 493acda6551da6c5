"""Roles × implementations × testbeds: what came of each, for people and for programs.

A *cell* is one run of one testbed in which one implementation plays one role and all other hosts
have the agents that the testbed gives them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpwire.report.telling import printable
from mpwire.report.verdict import NONE, STYLES, SYMBOLS, line
from mpwire.vocabulary import Verdict

WORD_COLUMNS: Final = 15
"""What a column takes that says the verdict in words."""


@dataclass(slots=True, kw_only=True)
class Cell:
    """One run, or one that is still to come."""

    testbed: str
    role: str
    implementation: str
    hosts: tuple[str, ...]
    """Who is played by the implementation."""
    path: Path
    """The testbed file."""
    verdict: Verdict | None = None
    """None: it was not run."""
    reason: str = ""
    """Why it is no PASS, in one line."""
    broken: list[str] = field(default_factory=list)
    """Rules."""
    fabric: str = ""
    seconds: float = 0.0
    run_file: Path | None = None

    @property
    def document(self) -> dict[str, object]:
        """Give it for programs."""
        return {
            "testbed": self.testbed,
            "role": self.role,
            "implementation": self.implementation,
            "hosts": list(self.hosts),
            "verdict": None if self.verdict is None else self.verdict.value,
            "reason": self.reason,
            "broken": self.broken,
            "fabric": self.fabric,
            "seconds": round(self.seconds, 3),
            "run_file": None if self.run_file is None else str(self.run_file),
        }


@dataclass(slots=True, kw_only=True)
class Matrix:
    """All cells, in the order of testbeds, implementations and roles."""

    implementations: Mapping[str, Sequence[str]]
    """Command lines by name."""
    roles: Sequence[str]
    cells: list[Cell]

    def cell(self, testbed: str, implementation: str, role: str) -> Cell | None:
        """Find a cell; None where the testbed has nobody in that role."""
        wanted = (testbed, implementation, role)
        found = (c for c in self.cells if (c.testbed, c.implementation, c.role) == wanted)
        return next(found, None)

    @property
    def testbeds(self) -> list[str]:
        """Name the testbeds, in order."""
        return [name for name, _ in groupby(cell.testbed for cell in self.cells)]

    @property
    def columns(self) -> list[tuple[str, str]]:
        """List (implementation, role), as far as some testbed has that role."""
        present = {(cell.implementation, cell.role) for cell in self.cells}
        every = [(name, role) for name in self.implementations for role in self.roles]
        return [column for column in every if column in present]

    @property
    def verdict(self) -> Verdict:
        """Weigh all cells: who lacks something fails at nothing."""
        verdicts = {cell.verdict for cell in self.cells}
        for worst in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if worst in verdicts:
                return worst
        if None in verdicts:
            return Verdict.INCONCLUSIVE
        return Verdict.PASS if Verdict.PASS in verdicts else Verdict.UNSUPPORTED

    def counts(self, implementation: str | None = None) -> Counter[str]:
        """Count verdicts, of all or of one implementation."""
        return Counter(
            "not run" if cell.verdict is None else cell.verdict.value
            for cell in self.cells
            if implementation in (None, cell.implementation)
        )

    @property
    def document(self) -> dict[str, object]:
        """Give it for programs."""
        return {
            "matrix": {name: list(words) for name, words in self.implementations.items()},
            "roles": list(self.roles),
            "testbeds": self.testbeds,
            "verdict": self.verdict.value,
            "counts": dict(self.counts()),
            "cells": [cell.document for cell in self.cells],
        }


def told(counts: Mapping[str, int]) -> str:
    """Write counts of verdicts."""
    order = [*Verdict, "not run"]
    return ", ".join(f"{counts[word]} {word}" for word in order if counts.get(word))


def cell_line(number: int, count: int, cell: Cell) -> Text:
    """Tell one cell, as soon as it has been run."""
    assert cell.verdict is not None
    made = line(
        (f"{number:4}/{count}  ", "dim"),
        (f"{cell.verdict.value:13}", f"bold {STYLES[cell.verdict]}"),
        (f"{cell.testbed}  {cell.role} = {printable(cell.implementation)}", ""),
    )
    if cell.reason:
        made.append(f"  {printable(cell.reason)}", "dim")
    return made


def matrix_lines(matrix: Matrix, width: int) -> Iterator[Text]:
    """Draw the table, then tell what is no PASS, and how much there is of what."""
    yield from _table_lines(matrix, width)
    others = [cell for cell in matrix.cells if cell.verdict not in (None, Verdict.PASS)]
    if others:
        yield Text()
    for cell in others:
        yield from _reason_lines(cell)
    yield Text()
    for name in matrix.implementations:
        yield line((f"{printable(name)}  ", "bold"), (told(matrix.counts(name)), ""))


def _table_lines(matrix: Matrix, width: int) -> Iterator[Text]:
    columns = matrix.columns
    names = max((len(name) for name in matrix.testbeds), default=0) + 2
    in_words = names + WORD_COLUMNS * len(columns) <= width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("testbed", no_wrap=True, overflow="ignore")
    for implementation, role in columns:
        head = Text(f"{printable(implementation)}\n{role}")
        table.add_column(head, no_wrap=True, justify="left" if in_words else "center")
    for name in matrix.testbeds:
        row = [_mark(matrix.cell(name, *column), in_words=in_words) for column in columns]
        table.add_row(Text(name), *row)
    console = Console(width=max(width, 40), color_system=None, legacy_windows=False)
    for segments in console.render_lines(table, pad=False):
        parts = ((one.text, one.style or "") for one in segments)
        made = Text.assemble(*parts, no_wrap=True, end="")
        made.rstrip()
        yield made


def _mark(cell: Cell | None, *, in_words: bool) -> Text:
    if cell is None:
        return Text(NONE, "dim")
    if cell.verdict is None:
        return Text("not run" if in_words else NONE, "dim")
    words = f" {cell.verdict.value}" if in_words else ""
    return Text(f"{SYMBOLS[cell.verdict]}{words}", STYLES[cell.verdict])


def _reason_lines(cell: Cell) -> Iterator[Text]:
    assert cell.verdict is not None
    yield line(
        (f"{SYMBOLS[cell.verdict]} ", STYLES[cell.verdict]),
        (f"{cell.testbed}  {cell.role} = {printable(cell.implementation)}", "bold"),
        (f"  {printable(cell.reason)}", ""),
    )
    if cell.verdict is not Verdict.UNSUPPORTED and cell.run_file is not None:
        yield line((f"    mpwire check {printable(str(cell.run_file.parent))}", "dim"))
