"""The matrix as one HTML file that needs nothing but itself: no script, no font, no network."""

import html
import os
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import quote

import mpwire
from mpwire.report.matrix import Cell, Matrix, told
from mpwire.report.telling import printable
from mpwire.report.verdict import NONE, SYMBOLS
from mpwire.vocabulary import Verdict

STYLE: Final = """\
:root { color-scheme: light dark; --line: light-dark(#d4d4d8, #3f3f46);
  --paper: light-dark(#ffffff, #18181b); --ink: light-dark(#18181b, #e4e4e7);
  --faint: light-dark(#52525b, #a1a1aa); }
body { font: 15px/1.45 system-ui, sans-serif; background: var(--paper); color: var(--ink);
  margin: 2rem auto; padding: 0 1.5rem; max-width: max-content; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, dd { color: var(--faint); margin: .2rem 0; } code { font: .9em ui-monospace, monospace; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin-top: 1.2rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem; text-align: left;
  white-space: nowrap; }
thead th { border-bottom-width: 2px; } thead th.first, td.first {
  border-left: 1px solid var(--line); }
tbody th { font-weight: 400; }
td a { color: inherit; text-decoration: none; }
td a:hover, td a:focus { text-decoration: underline; }
.PASS { color: light-dark(#15803d, #4ade80); } .FAIL { color: light-dark(#b91c1c, #f87171);
  font-weight: 700; } .INCONCLUSIVE { color: light-dark(#a16207, #facc15); }
.UNSUPPORTED { color: light-dark(#7e22ce, #d8b4fe); } .none { color: var(--faint); }
dt { margin-top: .8rem; } dd { margin-left: 1.5rem; overflow-wrap: anywhere; max-width: 60rem; }
"""


def matrix_page(matrix: Matrix, folder: Path) -> str:
    """Write the page, for a file in a folder; links to runs are relative to that."""
    return "".join(_parts(matrix, folder))


def _parts(matrix: Matrix, folder: Path) -> Iterator[str]:
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>mpwire matrix: {matrix.verdict.value}</title>\n<style>\n{STYLE}</style>\n"
        "</head>\n<body>\n"
    )
    yield (
        f'<h1><span class="{matrix.verdict.value}">{matrix.verdict.value}</span> '
        "roles × implementations × testbeds</h1>\n"
        f"<p>{_text(told(matrix.counts()))}. In each cell one implementation plays one role, "
        "and all other hosts have the agents of the testbed. Each cell leads to the folder of its "
        f"run. mpwire {_text(mpwire.__version__)}</p>\n"
    )
    yield from _table(matrix, folder)
    yield "<h2>Implementations</h2>\n<dl>\n"
    for name, words in matrix.implementations.items():
        yield f"<dt>{_text(name)}: {_text(told(matrix.counts(name)))}</dt>\n"
        yield f"<dd><code>{_text(shlex.join(words))}</code></dd>\n"
    yield "</dl>\n"
    others = [cell for cell in matrix.cells if cell.verdict not in (None, Verdict.PASS)]
    if others:
        yield "<h2>What is no PASS</h2>\n<dl>\n"
        for cell in others:
            yield from _reason(cell, folder)
        yield "</dl>\n"
    yield "</body>\n</html>\n"


def _table(matrix: Matrix, folder: Path) -> Iterator[str]:
    columns = matrix.columns
    yield '<div class="scroll">\n<table>\n<thead>\n<tr><th rowspan="2" scope="col">testbed</th>'
    for name, group in groupby(columns, key=lambda column: column[0]):
        span = len(list(group))
        yield f'<th class="first" colspan="{span}" scope="colgroup">{_text(name)}</th>'
    yield "</tr>\n<tr>"
    firsts = [
        index == 0 or columns[index - 1][0] != name for index, (name, _) in enumerate(columns)
    ]
    for (_, role), first in zip(columns, firsts, strict=True):
        yield f'<th{_first(first)} scope="col">{_text(role)}</th>'
    yield "</tr>\n</thead>\n<tbody>\n"
    for testbed in matrix.testbeds:
        yield f'<tr><th scope="row">{_text(testbed)}</th>'
        for column, first in zip(columns, firsts, strict=True):
            yield _cell(matrix.cell(testbed, *column), folder, first=first)
        yield "</tr>\n"
    yield "</tbody>\n</table>\n</div>\n"


def _first(first: bool) -> str:
    return ' class="first"' if first else ""


def _cell(cell: Cell | None, folder: Path, *, first: bool) -> str:
    if cell is None or cell.verdict is None:
        shown = NONE if cell is None else "not run"
        return f"<td{_first(first)}><span class='none'>{shown}</span></td>"
    word = cell.verdict.value
    title = f' title="{_text(cell.reason)}"' if cell.reason else ""
    shown = f"{SYMBOLS[cell.verdict]} {word}"
    if cell.run_file is not None:
        shown = f'<a href="{_link(cell.run_file.parent, folder)}/"{title}>{shown}</a>'
    return f'<td{_first(first)}><span class="{word}">{shown}</span></td>'


def _reason(cell: Cell, folder: Path) -> Iterator[str]:
    assert cell.verdict is not None
    word = cell.verdict.value
    who = f"{cell.role} = {cell.implementation} ({', '.join(cell.hosts)})"
    yield (
        f'<dt><span class="{word}">{SYMBOLS[cell.verdict]} {word}</span> '
        f"{_text(cell.testbed)}, {_text(who)}</dt>\n<dd>{_text(cell.reason)}</dd>\n"
    )
    if cell.run_file is not None:
        run = cell.run_file.parent
        yield (
            f'<dd><code>mpwire check <a href="{_link(run, folder)}/">{_text(str(run))}</a>'
            "</code></dd>\n"
        )


def _link(run: Path, folder: Path) -> str:
    return html.escape(quote(Path(os.path.relpath(run.resolve(), folder.resolve())).as_posix()))


def _text(text: str) -> str:
    return html.escape(printable(text))
