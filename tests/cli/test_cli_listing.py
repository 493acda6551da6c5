"""`mpwire run --list`."""

import json
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema
import pytest

from mpwire.cli.listing import files_in
from mpwire.lab.session import TOUR

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "cli-schema.json").read_text("utf-8"))
BED = ROOT / "testbeds" / "socket-refusals.yaml"


def test_a_testbed_is_told_with_what_it_exercises(mpwire: Mpwire) -> None:
    done = mpwire("run", "--list", BED, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    first, about, told, *_ = done.stdout.splitlines()
    assert first == f"socket-refusals  {BED}"
    assert about.startswith("    Calls on closed sockets")
    assert told.startswith("    PASS with ")
    assert "W8" in done.stdout


def test_folders_are_looked_into(mpwire: Mpwire, tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml"):
        (tmp_path / name).write_text("about: x\nhosts: [a]\nscript: [everything settles]\n")
    (tmp_path / "notes.txt").write_text("no testbed")
    done = mpwire("run", "--list", tmp_path, BED, "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [one["name"] for one in document["testbeds"]] == ["a", "b", "socket-refusals"]
    assert document["testbeds"][0]["rules"] == ["CR19"]
    assert "CR9" in document["testbeds"][2]["rules"]
    (tmp_path / "empty").mkdir()
    done = mpwire("run", "--list", tmp_path / "empty")
    assert done.returncode == 2
    assert "found no testbeds there" in done.stderr


@pytest.mark.parametrize("option", [("--every", "drop"), ("--fault", "drop the first ACCEPT")])
def test_nothing_is_told_of_another_run(mpwire: Mpwire, option: tuple[str, str]) -> None:
    done = mpwire("run", "--list", BED, *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--list: expected testbeds alone, found {option[0]}" in done.stderr


def test_what_lies_here_is_listed_where_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(files_in([])) == [TOUR]
    (tmp_path / "testbeds").mkdir()
    (tmp_path / "testbeds" / "one.yaml").write_text("about: x\n", "utf-8")
    assert list(files_in([])) == [Path("testbeds/one.yaml")]


def test_an_interrupt_stops_the_list(argv: Sequence[str], environment: dict[str, str]) -> None:
    command = [*argv, "run", "--list", *[str(TOUR)] * 30]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        told, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "INCONCLUSIVE" not in told
