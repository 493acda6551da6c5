"""Keep the rule table of the documentation the one of the registry."""

from pathlib import Path

import pytest

from mpwire.oracle.registry import RULES, rule
from mpwire.oracle.table import main, rule_table, with_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "oracle.md"


def test_document_is_up_to_date() -> None:
    """Compare the document with what the registry says now."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_table(text) == text


def test_table_names_every_rule_in_order() -> None:
    """List all rules, R2 before R10, R before EV before CR before DR."""
    rows = [line for line in rule_table().splitlines() if line.startswith("| ")]
    named = [name for row in rows if (name := row.split("|")[1].strip()) in RULES]
    assert sorted(named) == sorted(RULES)
    assert named.index("R2") < named.index("R10") < named.index("EV1") < named.index("CR1")
    assert named.index("CR1") < named.index("DR1")


def test_all_wire_rules_of_the_first_edition_exist() -> None:
    """Have R1 to R58, each with a sentence and a source."""
    assert {f"R{number}" for number in range(1, 59)} <= set(RULES)
    assert all(one.sentence.endswith(".") and one.source for one in RULES.values())


def test_command_rewrites_documents(tmp_path: Path) -> None:
    """Put the table between the marks and leave the rest."""
    path = tmp_path / "x.md"
    path.write_text("before\n<!-- generated: rules -->\nstale text\n<!-- end -->\nafter\n")
    assert main([str(path)]) == 0
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "| R1 |" in text
    assert "stale" not in text


def test_a_rule_id_is_registered_once() -> None:
    """Refuse a second rule of the same name."""
    register = rule("R1", "Again.", source="x", group="join", needs="frame", vantage="1")
    with pytest.raises(ValueError, match="R1 is registered twice"):
        register(lambda case: ())  # noqa: ARG005
