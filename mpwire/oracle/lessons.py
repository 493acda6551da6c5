"""Why each rule is there, and what it looks like kept and broken: data for `check --explain`.

The reasons are written by hand (`reasons.toml`), the examples are made from sessions that the tests
judge (`examples.json`).
"""

import tomllib
from functools import cache
from importlib import resources

import msgspec


class Example(msgspec.Struct, frozen=True):
    """One session told twice: as it passes, and with one broken endpoint."""

    story: str
    """What the session is about."""
    change: list[str]
    """What the broken endpoint does otherwise."""
    ladder: list[str]
    """Lifelines, then rows: "\u2713 " only where it passes, "\u2717 " only where it fails.

    Empty where both differ only in what agents answer.
    """
    expected: str
    seen: str


def reason(rule_id: str) -> str:
    """Tell what would go wrong for somebody if a rule were broken.

    Raises:
        KeyError: there is no such rule.
    """
    return _reasons()[rule_id]


def example(rule_id: str) -> Example:
    """Return a session that keeps a rule, beside one that breaks it.

    Raises:
        KeyError: there is no such rule.
    """
    return _examples()[rule_id]


@cache
def _reasons() -> dict[str, str]:
    groups = tomllib.loads(_text("reasons.toml"))
    return {rule_id: text for group in groups.values() for rule_id, text in group.items()}


@cache
def _examples() -> dict[str, Example]:
    return msgspec.json.decode(_text("examples.json"), type=dict[str, Example])


def _text(name: str) -> str:
    return (resources.files("mpwire.oracle") / name).read_text(encoding="utf-8")
