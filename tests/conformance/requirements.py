"""Read the requirements from docs/semantics.md, which says them in our words."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "semantics.md"
HEADING: Final = re.compile(r"### (?P<title>[A-Z]\. .+)")
ROW: Final = re.compile(r"\| W(?P<number>\d+) \| (?P<sentence>.+) \| (?P<source>.+) \|")


@dataclass(slots=True)
class Requirement:
    """One row of the tables of docs/semantics.md."""

    number: int
    title: str
    """The heading it stands under."""
    sentence: str
    source: str


def read_requirements() -> list[Requirement]:
    """Return W1 to W104 in the order of the document."""
    found = []
    title = ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if heading := HEADING.fullmatch(line):
            title = heading["title"]
        elif row := ROW.fullmatch(line):
            found.append(Requirement(int(row["number"]), title, row["sentence"], row["source"]))
    return found
