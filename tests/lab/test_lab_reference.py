"""docs/testbeds.md and its schema say what the code does."""

import re
from pathlib import Path

import pytest

from mpwire.lab import reference, testbed
from mpwire.lab.models import CALLS
from mpwire.lab.source import TestbedError
from mpwire.lab.timers import DEFAULTS

TEXT = reference.DOCUMENT.read_text("utf-8")


SMALL = "about: x\nhosts: [root, leaf1, leaf2]\nscript: [everything settles]\n"


def test_the_tables_are_those_of_the_code() -> None:
    assert reference.main(["--check"]) == 0, "run python -m mpwire.lab.reference"


def test_the_example_is_right_and_its_mistakes_are_told_so() -> None:
    blocks = re.findall(r"```(yaml)?\n(.*?)```", TEXT, re.DOTALL)
    example, connected, faults = (text for kind, text in blocks if kind == "yaml")
    assert len(testbed.parse(example, Path("meet.yaml"), {}).script) == 8
    assert len(testbed.parse(SMALL + faults, Path("meet.yaml"), {}).faults) == 5
    rest = "about: x\nscript: [root opens R as c_root/d_root over inet6]\n"
    placed = testbed.parse(rest + connected, Path("meet.yaml"), {}).topology
    assert [port.name for port in placed.on("south")] == ["leaf1", "leaf2", "edge.south"]
    mistaken = example.replace("[root, leaf1]", "[root, leaf]").replace("accepts", "invites")
    mistaken = mistaken.replace("on R as P1", "with R as P1")
    with pytest.raises(TestbedError) as caught:
        testbed.parse(mistaken, Path("meet.yaml"), {})
    assert f"{caught.value}\n" in [text for kind, text in blocks if not kind]


def test_calls_and_timers_are_those_of_the_contract() -> None:
    contract = (reference.FOLDER / "agents.md").read_text("utf-8")
    for name in (*CALLS, *DEFAULTS):
        assert f"`{name}`" in contract


def test_markers_that_nobody_fills_are_an_error() -> None:
    with pytest.raises(KeyError, match="markers for"):
        reference.rendered(TEXT + "<!-- generated: other -->\n<!-- end -->\n")


def test_a_stale_document_is_told_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = re.sub(r"(generated: keys -->\n).*?(<!-- end)", r"\1\2", TEXT, flags=re.DOTALL)
    (tmp_path / "testbeds.md").write_text(stale, "utf-8")
    monkeypatch.setattr(reference, "DOCUMENT", tmp_path / "testbeds.md")
    monkeypatch.setattr(reference, "SCHEMA", tmp_path / "schema.json")
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().out == (
        "testbeds.md is not what the code says\nschema.json is not what the code says\n"
    )
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert (tmp_path / "testbeds.md").read_text("utf-8") == TEXT
