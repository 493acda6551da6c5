"""The assessment as JSON and as packet comments."""

import json
from pathlib import Path

import jsonschema
import msgspec

from mpwire.report.assessment import FailedStep, assess
from mpwire.report.document import comments_of, document_of
from tests.oracle.oracle_story import play, without
from tests.oracle.oracle_tales import tour

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cli-schema.json").read_text("utf-8"))


def test_the_document_is_as_published(tmp_path: Path) -> None:
    step = FailedStep(line=7, text="a step", reason="expected it", kind="failed")
    for moves in (tour(), without(tour(), "leaf1 FD_CONNECT"), []):
        document = document_of(assess(play(moves, tmp_path), [step]))
        plain = json.loads(msgspec.json.encode(document))
        jsonschema.validate(plain, SCHEMA)
        jsonschema.validate(plain, {**SCHEMA, "anyOf": [{"$ref": "#/$defs/result"}]})
        assert plain["failed_steps"] == [
            {"line": 7, "text": "a step", "reason": "expected it", "kind": "failed"}
        ]


def test_a_violation_is_spelled_out_as_in_the_text(tmp_path: Path) -> None:
    """Give the rule's text, the ladder around the violation and what came nearest to be right."""
    told = document_of(assess(play(without(tour(), "leaf1 CONFIRM"), tmp_path)))
    document = json.loads(msgspec.json.encode(told))
    (broken,) = (one for one in document["rules"] if one["id"] == "R42")
    assert broken["sentence"].startswith("Every copy of ACCEPT that arrives")
    ladder = broken["findings"][0]["ladder"]
    assert ladder[0].split() == ["frame", "ms", "root", "leaf1", "leaf2", "leaf3"]
    assert any("✗ R42" in row and "ACCEPT" in row for row in ladder)


def test_the_verdict_is_that_of_judge_and_script_together(tmp_path: Path) -> None:
    step = FailedStep(line=7, text="a step", reason="expected it", kind="failed")
    run = play(tour(), tmp_path)
    assert document_of(assess(run))["verdict"] == "PASS"
    assert document_of(assess(run, [step]))["verdict"] == "FAIL"


def test_packets_say_which_events_they_cause_and_which_rules_they_break(tmp_path: Path) -> None:
    good = comments_of(assess(play(tour(), tmp_path)))
    assert any("leaf1 socket 1 must report FD_CONNECT, and did (EV3)" in c for c in good.values())
    bad = comments_of(assess(play(without(tour(), "leaf1 FD_CONNECT"), tmp_path)))
    assert any(comment.startswith("breaks EV3: leaf1 socket 1: ") for comment in bad.values())
    assert set(bad) == set(good)
