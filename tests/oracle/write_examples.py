"""Write the examples that `mpwire check --explain` shows: `python -m tests.oracle.write_examples`.

Each comes from a story that the tests prove: a correct session, which passes, and the same one
with a broken endpoint, which fails. What both have in common is written once; rows that begin
with "✓" are only in the right one, rows with "✗" only in the wrong one. "›" points at what shows
the violation where both look alike.
"""

import difflib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

import msgspec

from mpwire.capture import RunFile
from mpwire.oracle import judge
from mpwire.oracle.judgement import Finding
from mpwire.oracle.registry import rules_in_order
from mpwire.report.canvas import GUTTER
from mpwire.report.recorded import ladder_of, ladder_rows
from mpwire.report.telling import printable
from mpwire.vocabulary import Verdict
from tests.oracle.oracle_edits import Fault
from tests.oracle.oracle_faults import FAULTS
from tests.oracle.oracle_story import Exit, Line, Move, Send, Told, Wait, encode_any, play

EXAMPLES: Final = Path(__file__).parents[2] / "mpwire" / "oracle" / "examples.json"
WIDTH: Final = 96
AROUND: Final = 2
"""Rows shown before and after each difference."""
MOST_ROWS: Final = 20
MOST_CHANGES: Final = 5

Example = dict[str, str | list[str]]
Drawn = tuple[str, tuple[int, ...]]
"""A row of a ladder and the frames it shows."""


def examples() -> dict[str, Example]:
    """Make one example per rule, from its first fault."""
    firsts: dict[str, Fault] = {}
    for fault in FAULTS:
        firsts.setdefault(fault.rule, fault)
    with tempfile.TemporaryDirectory() as folder:
        return {rule.id: example(firsts[rule.id], Path(folder)) for rule in rules_in_order()}


def example(fault: Fault, folder: Path) -> Example:
    """Play a story right and wrong, and keep where they differ."""
    plot = fault.plot()
    edited = fault.edit(plot)
    run = play(edited, folder)
    judgement = judge(run)
    found = next(
        finding
        for finding in judgement.findings
        if finding.rule == fault.rule and finding.verdict is Verdict.FAIL
    )
    story = (fault.plot.__doc__ or "").strip().splitlines()[0]
    return {
        "story": story,
        "change": list(_changes(plot, edited))[:MOST_CHANGES] or [story],
        "ladder": _compared(_rows(play(plot, folder)), _rows(run), found),
        "expected": printable(found.expected),
        "seen": printable(found.seen),
    }


def _rows(run: RunFile) -> list[Drawn]:
    """Draw a run without numbers and times, which differ between any two runs."""
    rows = ladder_rows(ladder_of(run, WIDTH, header_every=0), run.timeline())
    return [(_beside(row.text.plain), row.frames) for row in rows]


def _beside(row: str) -> str:
    """Leave number and time out of a row; the steps of a script begin where those stand."""
    step = row.strip(" │")
    return f" {step}" if step.startswith("──") else row[GUTTER - 1 :].rstrip()


def _compared(right: list[Drawn], wrong: list[Drawn], found: Finding) -> list[str]:
    """Write the rows around differences, and around the frames that show the violation."""
    merged: list[str] = []
    matcher = difflib.SequenceMatcher(
        None, [text for text, _ in right], [text for text, _ in wrong], autojunk=False
    )
    for tag, first, last, begin, end in matcher.get_opcodes():
        if tag != "equal":
            merged += [f"✓ {text}" for text, _ in right[first:last]]
        for text, frames in wrong[begin:end]:
            pointer = "›" if set(frames) & set(found.frames) else " "
            merged.append(f"{'✗' if tag != 'equal' else pointer} {text}")
    kept = {0}
    for place, row in enumerate(merged):
        if not row.startswith(" "):
            kept.update(range(place - AROUND, place + AROUND + 1))
    lines: list[str] = []
    if kept == {0}:
        return lines  # agents' answers, which no ladder shows
    last = -1
    for place in sorted(kept & set(range(len(merged)))):
        lines += [] if place == last + 1 else ["  ⋮"]
        lines.append(merged[place])
        last = place
    return lines[:MOST_ROWS]


def _changes(plot: Sequence[Move], edited: Sequence[Move]) -> Iterator[str]:
    """Tell in words what the broken endpoint does otherwise."""
    matcher = difflib.SequenceMatcher(
        None, [repr(move) for move in plot], [repr(move) for move in edited], autojunk=False
    )
    for tag, first, last, begin, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        if tag == "replace" and last - first == end - begin:
            for old, new in zip(plot[first:last], edited[begin:end], strict=True):
                yield from _altered(old, new)
            continue
        yield from (f"missing: {_named(move)}" for move in plot[first:last])
        word = "instead" if last > first else "added"
        yield from (f"{word}: {_named(move)}" for move in edited[begin:end])


def _altered(old: Move, new: Move) -> Iterator[str]:
    if isinstance(old, Send) and isinstance(new, Send) and old.label == new.label:
        for name, was, now in _differing(old, new):
            yield f"{_named(old)}: {name} is {_shown(now)} instead of {_shown(was)}"
    elif isinstance(old, Line) and isinstance(new, Line) and old.label == new.label:
        numbered = _content(old) == _content(new)
        yield f"{old.host} says {_said(new, numbered)} instead of {_said(old, numbered)}"
    else:
        yield f"missing: {_named(old)}"
        yield f"instead: {_named(new)}"


def _differing(old: Send, new: Send) -> Iterator[tuple[str, object, object]]:
    """Yield the fields of two datagrams that differ, the message's own fields first."""
    was, now = old.message, new.message
    if was is not None and now is not None and type(was) is type(now):
        yield from _unequal("", was, now)
    if new.octets is not None:
        data = encode_any(was)
        if len(data) != len(new.octets):
            yield "size", len(data), len(new.octets)
        for place, (octet, other) in enumerate(zip(data, new.octets, strict=False)):
            if octet != other:
                yield f"octet {place}", octet, other
    for one in fields(Send):
        if one.name not in {"label", "message", "octets"}:
            before, after = getattr(old, one.name), getattr(new, one.name)
            if before != after:
                yield one.name, before, after


def _unequal(name: str, was: object, now: object) -> Iterator[tuple[str, object, object]]:
    """Yield what differs, by name; of structures and of lists of them only their parts."""
    if isinstance(was, msgspec.Struct) and type(was) is type(now):
        for part in was.__struct_fields__:
            whole = f"{name}.{part}" if name else part
            yield from _unequal(whole, getattr(was, part), getattr(now, part))
    elif isinstance(was, tuple) and isinstance(now, tuple) and _structures([*was, *now]):
        for one, other in zip(was, now, strict=True):
            yield from _unequal(name, one, other)
    elif was != now:
        yield name, was, now


def _structures(values: Sequence[object]) -> bool:
    return bool(values) and all(isinstance(value, msgspec.Struct) for value in values)


def _named(move: Move) -> str:
    match move:
        case Send():
            message = move.message
            name = type(message).__name__ if message else f"{len(move.octets or b'')} octets"
            return f"{name} from {move.source} to {move.target}"
        case Line():
            return f"{move.host} {'is asked' if move.direction == 'to' else 'says'} {_said(move)}"
        case Wait():
            return f"{move.seconds} s pass"
        case Exit():
            return f"the agent of {move.host} ends with {move.status}"
        case Told():
            return f"the script: {move.text}"
        case _:
            return f"a frame from {move.source}"


def _said(line: Line, numbered: bool = False) -> str:
    content = line.content if numbered else _content(line)
    return printable(msgspec.json.encode(content, order="sorted").decode())


def _content(line: Line) -> dict[str, object]:
    return {name: value for name, value in line.content.items() if name != "seq"}


def _shown(value: object) -> str:
    text = repr(value)
    return printable(text if len(text) <= 40 else f"{text[:37]}...")


def written() -> str:
    """Return what the file has to say."""
    return json.dumps(examples(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Bring the file up to date."""
    EXAMPLES.write_text(written(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
