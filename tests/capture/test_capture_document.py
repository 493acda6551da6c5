"""docs/run-file.md says what the structs say, and its program reads what we write."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from mpwire.capture.document import BEGIN, END, main, record_tables, with_tables
from mpwire.capture.records import KINDS, AnyRecord, Host
from mpwire.capture.runfile import open_run

PAGE = Path(__file__).parents[2] / "docs" / "run-file.md"


def test_the_page_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert with_tables(page) == page, "run: python -m mpwire.capture.document"


def test_every_field_of_every_record_is_described() -> None:
    tables = re.split(r"^### ", record_tables(), flags=re.MULTILINE)[1:]
    described = [
        re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", table, re.MULTILINE) for table in tables
    ]
    structs = [*get_args(AnyRecord), Host]
    assert [sorted(fields) for fields in described] == [
        sorted(struct.__struct_fields__) for struct in structs
    ]
    assert [table.split("`")[1] for table in tables[:-1]] == list(KINDS)


def test_json_types_are_said_in_words() -> None:
    tables = record_tables()
    assert '| `state` | "started" or "done" or "failed" |' in tables
    assert "| `delivered` | integer or null |" in tables
    assert "| `line` | any value |" in tables
    assert "| `addresses` | array of text |" in tables
    assert "| `hosts` | array of host |" in tables
    assert "| `udp` | object |" in tables
    assert "| `expected` | true or false |" in tables


def test_a_page_without_a_place_for_the_tables() -> None:
    with pytest.raises(ValueError, match="the page lacks the lines"):
        with_tables("nothing here")
    with pytest.raises(ValueError, match="the page lacks the lines"):
        with_tables(BEGIN)


def test_the_page_is_rewritten_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "run-file.md"
    page.parent.mkdir()
    page.write_text(f"before {BEGIN} old {END} after", "utf-8")
    main([str(page)])
    text = page.read_text("utf-8")
    assert text.startswith(f"before {BEGIN}\n\n### `run`")
    assert text.endswith(f"{END} after")
    monkeypatch.chdir(tmp_path)
    main([])
    assert page.read_text("utf-8") == text


def test_the_program_on_the_page_reads_a_run_file(small_file: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", program + "\nprint(json.dumps(records))"],
        check=True,
        capture_output=True,
        cwd=small_file.parent,
    )
    records = open_run(small_file).records
    assert msgspec.json.decode(run.stdout) == msgspec.json.decode(msgspec.json.encode(records))
