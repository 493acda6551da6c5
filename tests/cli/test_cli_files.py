"""What the FILE arguments stand for."""

from pathlib import Path

import pytest

from mpwire.cli.files import STANDARD_INPUT, find_file, find_files
from mpwire.errors import InputError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder of runs and captures."""
    for name in ("runs/a-1/run.pcapng", "runs/a-2/run.pcapng", "more/x.pcap", "more/y.cap"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "more" / "notes.txt").touch()
    (tmp_path / "runs" / "latest").symlink_to("a-2")
    return tmp_path


def found(tree: Path, *arguments: str) -> list[str]:
    files = find_files(str(tree / argument) for argument in arguments)
    return [str(path.relative_to(tree)) for path in files]


def test_a_run_folder_is_its_run_file(tree: Path) -> None:
    assert found(tree, "runs/a-1") == ["runs/a-1/run.pcapng"]
    assert found(tree, "runs/latest") == ["runs/latest/run.pcapng"]


def test_a_folder_is_all_captures_in_it_each_once(tree: Path) -> None:
    assert found(tree, ".") == [
        "more/x.pcap",
        "more/y.cap",
        "runs/a-1/run.pcapng",
        "runs/a-2/run.pcapng",
    ]
    assert found(tree, "runs/latest", "runs", "runs/a-2/run.pcapng") == [
        "runs/latest/run.pcapng",
        "runs/a-1/run.pcapng",
    ]


def test_a_glob_is_what_it_matches(tree: Path) -> None:
    assert found(tree, "**/*.pcap") == ["more/x.pcap"]
    assert found(tree, "runs/a-*") == ["runs/a-1/run.pcapng", "runs/a-2/run.pcapng"]


def test_a_file_with_a_bracket_in_its_name_is_a_file(tree: Path) -> None:
    (tree / "odd[1].pcap").touch()
    assert found(tree, "odd[1].pcap") == ["odd[1].pcap"]


def test_what_is_not_there_is_left_to_whoever_opens_it() -> None:
    assert find_files(["nosuch.pcap"]) == [Path("nosuch.pcap")]


def test_standard_input_is_a_dash() -> None:
    assert find_files(["-"]) == [STANDARD_INPUT]


def test_nothing_is_said(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: found no capture, expected run\.pcapng"):
        found(tree, "empty")
    with pytest.raises(InputError, match=r"no\*: found no file of such a name"):
        found(tree, "no*")


def test_one_is_one(tree: Path) -> None:
    assert find_file(str(tree / "runs" / "a-1")).name == "run.pcapng"
    with pytest.raises(InputError, match="runs: found 2 captures, expected one"):
        find_file(str(tree / "runs"))
