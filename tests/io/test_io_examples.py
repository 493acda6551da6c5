"""The examples of the documentation, run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "sockets.md"
EXAMPLE = re.compile(
    r"<!-- example: (?P<name>\w+) -->\n```python\n(?P<code>.*?)```\n\n```text\n(?P<text>.*?)```",
    re.DOTALL,
)
EXAMPLES = {found["name"]: found for found in EXAMPLE.finditer(PAGE.read_text())}


def test_every_interface_has_an_example() -> None:
    assert set(EXAMPLES) == {"blocking", "asyncio", "agent"}
    assert PAGE.read_text().count("```python") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_does_what_the_page_says(name: str, tmp_path: Path) -> None:
    code = EXAMPLES[name]["code"]
    assert len([line for line in code.splitlines() if line]) <= 20
    printed = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert printed.stderr == ""
    assert printed.stdout == EXAMPLES[name]["text"]
    assert printed.returncode == 0


def test_the_table_of_errors_is_the_one_in_use() -> None:
    from mpwire.io import errors

    rows = re.findall(
        r"^\| ((?:WSA\w+(?:, )?)+) \| `(\w+)` \| `(\w+)` \|$", PAGE.read_text(), re.MULTILINE
    )
    written = {code: (name, base) for codes, name, base in rows for code in codes.split(", ")}
    assert written.keys() == {code.name for code in errors.CLASS_OF_CODE}
    for code, kind in errors.CLASS_OF_CODE.items():
        name, base = written[code.name]
        assert name == kind.__name__
        assert base in {parent.__name__ for parent in kind.__mro__}
