"""Hold docs/protocol.md to the code: its tables, its examples, its rules."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from mpwire.wire import codec, specification, tlv_values
from mpwire.wire.codec import decode_untrusted, encode
from mpwire.wire.introspect import body_fields
from mpwire.wire.layers import MESSAGE_LAYERS
from mpwire.wire.specification import replace_fragments, wire_fragments

HERE = Path(__file__).parent
TEXT = specification.DOCUMENT.read_text(encoding="utf-8")
RULE_ROWS = dict(re.findall(r"^\| (R\d+) \| .* \| ([^|]+) \|$", TEXT, re.MULTILINE))


def examples() -> dict[str, bytes]:
    """Return the datagrams of section 18 by name."""
    found = re.findall(r"\(`([a-z-]+)`\)\n\n```hex\n(.*?)```", TEXT, re.DOTALL)
    lines = {name: text.splitlines() for name, text in found}
    return {
        name: bytes.fromhex("".join(line.partition("|")[0] for line in text))
        for name, text in lines.items()
    }


def starred_vectors() -> dict[str, bytes]:
    """Return the vectors that the data file marks as examples."""
    vectors = {}
    blocks = (HERE / "vectors.txt").read_text(encoding="utf-8").split("\n[")[1:]
    for block in blocks:
        head, *lines = block.splitlines()
        if head.endswith("] *"):
            octets = [line.partition("|")[0] for line in lines if "|" in line and "=>" not in line]
            vectors[head[:-3]] = bytes.fromhex("".join(octets))
    return vectors


def test_the_tables_follow_from_the_code() -> None:
    assert specification.main(["--check"]) == 0, "run python -m mpwire.wire.specification"


def test_the_examples_are_vectors_and_are_valid() -> None:
    assert examples() == starred_vectors()
    for octets in examples().values():
        assert encode(decode_untrusted(octets)) == octets


def test_rules_1_to_58_are_all_there_once() -> None:
    numbers = [int(one) for one in re.findall(r"^\| R(\d+) \|", TEXT, re.MULTILINE)]
    assert numbers == sorted(set(numbers))
    assert set(range(1, 59)) <= set(numbers)


def test_rules_the_code_cites_are_rules_of_the_document() -> None:
    cited: set[str] = set()
    for module in (codec, tlv_values):
        cited |= set(re.findall(r'"(R\d+)"', Path(str(module.__file__)).read_text("utf-8")))
    for layer in MESSAGE_LAYERS.values():
        domains = [getattr(field, "domain", None) for field in body_fields(layer)]
        cited |= {domain.rule for domain in domains if domain is not None}
    assert {rule for rule in cited if "codec" not in RULE_ROWS[rule]} == set()
    said = {rule for rule, judge in RULE_ROWS.items() if judge.startswith("codec")}
    assert said - cited == set()


def test_fragments_replace_what_is_between_their_markers_only() -> None:
    text = "a\n<!-- generated: one -->\nold\n<!-- end -->\n<!-- generated: two -->\n<!-- end -->\n"
    assert replace_fragments(text, {"one": "new\n"}) == text.replace("old", "\nnew\n")
    assert replace_fragments(text, {}) == text
    with pytest.raises(KeyError, match="no markers for three"):
        replace_fragments(text, {"three": ""})


def test_the_command_writes_and_check_only_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.md"
    stale = TEXT.replace("Grants the request", "Grants the reqest")
    copy.write_text(stale, encoding="utf-8")
    assert specification.main(["--check", str(copy)]) == 1
    assert "copy.md does not follow" in capsys.readouterr().err
    assert copy.read_text(encoding="utf-8") == stale
    assert specification.main([str(copy)]) == 0
    assert copy.read_text(encoding="utf-8") == TEXT
    assert specification.main(["--check", str(copy)]) == 0


def test_the_command_ends_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["specification", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(specification.__file__, run_name="__main__")
    assert ended.value.code == 0


def test_every_fragment_says_something() -> None:
    for name, text in wire_fragments().items():
        assert len(text) > 100, name
