"""`mpwire check --rules` and `--explain`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cli-schema.json").read_text("utf-8"))


def test_all_rules_are_listed_by_group(mpwire: Mpwire) -> None:
    done = mpwire("check", "--rules")
    assert done.returncode == 0
    assert done.stdout.startswith("wire framing\n  R1    Magic is 0x6D70")
    for rule in ("R58", "EV23", "CR1", "DR1"):
        assert f"\n  {rule:6}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_rules_for_programs(mpwire: Mpwire) -> None:
    document = json.loads(mpwire("check", "--rules", "--json").stdout)
    jsonschema.validate(document, SCHEMA)
    assert len(document["rules"]) > 80


def test_one_rule_is_told(mpwire: Mpwire) -> None:
    done = mpwire("check", "--explain", "ev3")
    assert done.returncode == 0
    assert done.stdout.startswith("EV3  event windows\n")
    for title in ("why", "source", "proof", "severity", "example", "broken by", "expected", "seen"):
        assert f"\n  {title} " in done.stdout
    assert "\n    ✓  │                 │⚑ socket 1 FD_CONNECT" in done.stdout
    document = json.loads(mpwire("check", "--explain", "EV3", "--json").stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["id"] == "EV3"
    assert document["why"].startswith("FD_CONNECT(0) is the promise")
    assert document["example"]["change"][0].startswith("missing: leaf1 says")


def test_a_rule_that_is_not_there_is_said(mpwire: Mpwire) -> None:
    done = mpwire("check", "--explain", "EV333")
    assert done.returncode == 2
    assert done.stderr == (
        "--explain: found no rule 'EV333', expected one of --rules; did you mean 'EV3'?\n"
    )
