"""`mpwire doctor`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from mpwire.cli import diagnosing
from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.lab.doctor import Check

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cli-schema.json").read_text("utf-8"))


def check(name: str, *, ok: bool, required: bool) -> Check:
    remedy = "" if ok else "do this " * 20
    return Check(name=name, ok=ok, found="what there is", remedy=remedy, required=required)


def test_this_machine(mpwire: Mpwire) -> None:
    done = mpwire("doctor", "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, {**SCHEMA, "anyOf": [{"$ref": "#/$defs/machine"}]})
    assert done.returncode == (0 if document["labs"] else 4)
    told = mpwire("doctor")
    assert told.returncode == done.returncode
    for one in document["checks"]:
        assert one["name"] in told.stdout


def test_a_machine_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [check("a", ok=True, required=True), check("tool", ok=False, required=False)]
    assert diagnosing.diagnose(Output(), findings) is Status.PASS
    said = capsys.readouterr().out
    assert "✓ a     what there is\n" in said
    assert "– tool  what there is\n        do this" in said
    assert "Labs can run here." in said


def test_a_machine_that_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [check("spaces", ok=False, required=True)]
    assert diagnosing.diagnose(Output(), findings) is Status.MACHINE
    said = capsys.readouterr().out
    assert "✗ spaces" in said
    assert "Labs cannot run here" in said
    assert max(map(len, said.splitlines())) <= 100
