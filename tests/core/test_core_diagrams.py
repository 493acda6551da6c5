"""Section 16 of the specification is drawn from the tables, and says all that they say."""

import re
import runpy
from pathlib import Path

import pytest

from mpwire.core import diagrams, participant, session
from mpwire.core.diagrams import core_states, main, replace_states
from mpwire.core.table import IGNORED, TRANSITIONS, State

EMPTY = "# X\n\n<!-- generated: core states -->\n<!-- end -->\n\nmore\n"


def test_the_specification_follows_from_the_tables() -> None:
    assert main(["--check"]) == 0, "run python -m mpwire.core.diagrams"


def test_every_row_is_in_the_table_with_its_next_states_and_source() -> None:
    text = core_states()
    for (state, kind), row in TRANSITIONS.items():
        (line,) = re.findall(rf"^\| {state.value}\.{kind.name} \|.*$", text, re.MULTILINE)
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1:3] == [state.value, kind.value]
        assert cells[3].endswith(".")
        assert cells[4] == " or ".join(after.value for after in row.next_states)
        assert cells[5] == row.cite


def test_every_state_and_every_change_of_state_is_in_the_diagrams() -> None:
    drawn = set(re.findall(r"^    (\S+) --> (\S+)", core_states(), re.MULTILINE))
    changes = {
        (state.value, after.value)
        for (state, _), row in TRANSITIONS.items()
        for after in row.next_states
        if after is not state
    }
    changes |= {
        (state.value, row.next_state.value)
        for (state, _), row in session.TRANSITIONS.items()
        if row.next_state is not state
    }
    changes |= {
        (state.value, after.value)
        for (state, _), row in participant.TRANSITIONS.items()
        for after in row.next_states
        if after is not state
    }
    ends = {("[*]", "NEW"), ("GONE", "[*]"), ("[*]", "OPEN"), ("DEAD", "[*]")}
    assert drawn == changes | ends


def test_what_is_ignored_is_listed() -> None:
    text = core_states()
    assert "| GONE | everything |" in text
    for state in State:
        table = text.split("are dropped:")[1].split("### 16.2")[0]
        assert (f"\n| {state.value} | " in table) is bool(IGNORED[state])


def test_only_the_marked_part_is_replaced() -> None:
    written = replace_states(EMPTY)
    assert written.startswith("# X\n")
    assert written.endswith("<!-- end -->\n\nmore\n")
    assert replace_states(written) == written


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(KeyError, match="no markers"):
        replace_states("# X\n")


def test_it_can_be_run_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["diagrams", "--check"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(diagrams.__file__, run_name="__main__")


def test_checking_writes_nothing_and_writing_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "protocol.md"
    file.write_text(EMPTY, encoding="utf-8")
    assert main(["--check", str(file)]) == 1
    assert file.read_text(encoding="utf-8") == EMPTY
    assert main([str(file)]) == 0
    assert main(["--check", str(file)]) == 0
    assert diagrams.DOCUMENT.name == "protocol.md"
