"""What README shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mpwire.capture import open_run
from mpwire.cli.app import app
from mpwire.lab import testbed
from mpwire.lab.session import run_testbed
from mpwire.oracle import judge
from mpwire.vocabulary import Verdict

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")


def block(language: str, begin: str = "") -> str:
    """Return the one code block of a language, or the one that begins so."""
    (text,) = re.findall(rf"```{language}\n({begin}.*?)```", TEXT, re.DOTALL)
    return str(text)


def test_the_program_prints_what_it_says() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", block("python", "from ")], capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"FD_\w+", printed) == ["FD_CONNECT", "FD_WRITE"]


def test_the_tests_pass_that_it_and_its_page_show(tmp_path: Path) -> None:
    """Be a new user: copy what stands there, and run pytest."""
    page = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    conftest, *tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(conftest.splitlines()) == 3
    (tmp_path / "conftest.py").write_text(conftest, "utf-8")
    shown = [*tests, block("python", "def test_")]
    for number, text in enumerate(shown):
        (tmp_path / f"test_shown_{number}.py").write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "--mpwire-fabric=sim"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"{len(shown)} passed" in done.stdout, done.stdout


@pytest.mark.lab
def test_the_testbed_passes(tmp_path: Path) -> None:
    file = tmp_path / "readme.yaml"
    file.write_text(block("yaml"))
    assert testbed.load(file).name == "readme"
    outcome = run_testbed(file, tmp_path)
    assert outcome.failure is None
    assert judge(open_run(outcome.run_file)).verdict is Verdict.PASS


def test_every_command_is_listed() -> None:
    listed = set(re.findall(r"^\| `mpwire ([\w-]+)", TEXT, re.MULTILINE))
    assert listed == {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback is not None
    } | {group.typer_instance.info.name for group in app.registered_groups if group.typer_instance}


def test_every_file_it_points_to_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("marker", ["the tour command", "the test command"])
def test_the_two_commands_are_one_line_each(marker: str) -> None:
    found = re.search(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", TEXT, re.DOTALL)
    assert found is not None
    assert found[1].startswith("python3 -m venv .venv && ")
    assert "\n" not in found[1]
