"""Draw the state machines from their tables, for section 16 of docs/protocol.md.

    python -m mpwire.core.diagrams [--check] [FILE]

writes them between `<!-- generated: core states -->` and `<!-- end -->`; with `--check` its exit
status only says whether they are up to date.
"""

import re
import sys
from collections.abc import Iterable
from inspect import getdoc
from pathlib import Path
from typing import Final

from mpwire.core import participant, session
from mpwire.core.membership import ACTIONS
from mpwire.core.table import ARRIVALS, IGNORED, TRANSITIONS, State

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "protocol.md"
MARKED: Final = re.compile(r"(<!-- generated: core states -->\n).*?(<!-- end -->)", re.DOTALL)
BEGINNING: Final = """\
One machine serves both ends. It begins with `api: join` at the end that asks and with
`JOIN_REQ verified` at the end that is asked. Steps that keep the state are in the table only. In
the last column R is a rule of section 17, a plain number a section, W and D a requirement and a
decision of the socket semantics (section 1). RM, LF, LI, RS and K name the steps of the drafts
that this table was made of, at the root, at the leaf, in the queue and in the session, and
corrections to them: they tell of its history, and nobody has to look them up to use it."""
REST: Final = """\
Every other pair of state and input cannot happen: it would be a mistake of the endpoint itself. In
SUSPECT, whatever the peer sends, but for PROBE_ACK, first makes the state JOINED."""


def replace_states(document: str) -> str:
    """Return the document with the text between the markers replaced.

    Raises:
        KeyError: the document has no markers.
    """
    text = core_states().replace("\\", r"\\")
    document, count = MARKED.subn(rf"\1\n{text}\n\n\2", document)
    if count != 1:
        raise KeyError("no markers for core states")
    return document


def core_states() -> str:
    """Return diagrams and tables of every machine of the core."""
    return "\n\n".join(
        [
            "### 16.1 One end of a membership",
            BEGINNING,
            _diagram(_membership_edges(), State.NEW.value, State.GONE.value),
            _table(["id", "state", "input", "what is done", "next", "source"], _membership_rows()),
            "Arrivals that change nothing in a state, and are dropped:",
            _table(["state", "dropped"], _ignored_rows()),
            REST,
            "### 16.2 The session, at its root",
            _diagram(_session_edges(), "OPEN", "DEAD"),
            _table(["state", "input", "next", "source"], _session_rows()),
            "### 16.3 A participant of a nonrooted session",
            _diagram(_participant_edges(), "NEW", "GONE"),
            _table(["state", "input", "next", "source"], _participant_rows()),
            "ANNOUNCE and DATA are dropped in every other state.",
        ]
    )


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _diagram(edges: dict[tuple[str, str], list[str]], first: str, last: str) -> str:
    """Return Mermaid text; parallel edges become one, with all their labels."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for (before, after), labels in edges.items():
        lines.append(f"    {before} --> {after} : {', '.join(labels)}")
    return "\n".join([*lines, f"    {last} --> [*]", "```"])


def _membership_edges() -> dict[tuple[str, str], list[str]]:
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, kind), row in TRANSITIONS.items():
        for following in row.next_states:
            if following is not state:
                label = kind.value.partition(": ")[2]
                edges.setdefault((state.value, following.value), []).append(label)
    return edges


def _membership_rows() -> Iterable[list[str]]:
    for (state, kind), row in TRANSITIONS.items():
        sentence = (getdoc(ACTIONS[row.action]) or "").splitlines()[0]
        following = " or ".join(one.value for one in row.next_states)
        identity = f"{state.value}.{kind.name}"
        yield [identity, state.value, kind.value, sentence, following, row.cite]


def _ignored_rows() -> Iterable[list[str]]:
    for state, kinds in IGNORED.items():
        names = [kind.value.partition(": ")[2] for kind in kinds]
        if set(kinds) == ARRIVALS:
            yield [state.value, "everything"]
        elif names:
            yield [state.value, ", ".join(sorted(names))]


def _session_edges() -> dict[tuple[str, str], list[str]]:
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, event), row in session.TRANSITIONS.items():
        if row.next_state is not state:
            edges.setdefault((state.value, row.next_state.value), []).append(
                event.value.removeprefix("api: ")
            )
    return edges


def _session_rows() -> Iterable[list[str]]:
    for (state, event), row in session.TRANSITIONS.items():
        yield [state.value, event.value, row.next_state.value, row.cite]


def _participant_edges() -> dict[tuple[str, str], list[str]]:
    edges: dict[tuple[str, str], list[str]] = {}
    for (state, event), row in participant.TRANSITIONS.items():
        for following in row.next_states:
            if following is not state:
                label = event.value.partition(": ")[2]
                edges.setdefault((state.value, following.value), []).append(label)
    return edges


def _participant_rows() -> Iterable[list[str]]:
    for (state, event), row in participant.TRANSITIONS.items():
        following = " or ".join(one.value for one in row.next_states)
        yield [state.value, event.value, following, row.cite]


def main(arguments: list[str]) -> int:
    """Write the document, or check it; return an exit status."""
    names = [name for name in arguments if name != "--check"]
    path = Path(names[0]) if names else DOCUMENT
    document = path.read_text(encoding="utf-8")
    written = replace_states(document)
    if written == document:
        return 0
    if "--check" in arguments:
        return 1
    path.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
