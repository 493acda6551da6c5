"""Hold reasons and examples of rules to the rules."""

import pytest

from mpwire.oracle import rules as registered
from mpwire.oracle.lessons import example, reason
from mpwire.oracle.registry import RULES
from tests.oracle.write_examples import EXAMPLES, written

assert registered.__all__, "importing the package registers the rules"


@pytest.mark.parametrize("rule_id", RULES)
def test_each_rule_has_a_reason_and_an_example(rule_id: str) -> None:
    """Tell why, and show how it looks when it is broken."""
    assert reason(rule_id).endswith(".")
    told = example(rule_id)
    assert told.change
    assert any(row.startswith(("✗", "✓", "›")) for row in told.ladder) or rule_id[0] != "R"
    assert told.expected != told.seen


def test_no_reason_is_left_of_a_rule_that_is_gone() -> None:
    """Have reasons for rules only."""
    with pytest.raises(KeyError):
        reason("R9999")


def test_examples_are_what_the_stories_say() -> None:
    """Compare the file with what the stories give now (`python -m tests.oracle.write_examples`)."""
    assert EXAMPLES.read_text(encoding="utf-8") == written()
