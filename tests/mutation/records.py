"""What became of each mutant, as kept in a file: one JSON object a line."""

from pathlib import Path

import msgspec

from tests.mutation.arena import Outcome
from tests.mutation.mutants import Mutant


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mutant and its fate, as kept in a file."""

    mutant: Mutant
    function: str
    before: str
    after: str
    """The line that changes."""
    digest: str
    """Of the whole module: two mutants may be the same."""
    outcome: Outcome
    twin: str = ""
    """The mutant that this one is the same as."""


def read(path: Path | None) -> list[Record]:
    """Return the outcomes that a file keeps, the last one of each mutant."""
    if path is None or not path.exists():
        return []
    lines = path.read_bytes().splitlines()
    records = (msgspec.json.decode(line, type=Record) for line in lines)
    return [*{one.mutant.name: one for one in records}.values()]


def keep(path: Path | None, record: Record) -> None:
    if path is not None:
        with path.open("ab") as stream:
            stream.write(msgspec.json.encode(record) + b"\n")
