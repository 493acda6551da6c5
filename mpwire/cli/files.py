"""The files that an argument stands for: a capture, a testbed, a folder of them, a glob."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mpwire.errors import InputError

RUN_FILE: Final = "run.pcapng"
SUFFIXES: Final = (".pcapng", ".pcap", ".cap")
TESTBED_SUFFIXES: Final = (".yaml", ".yml")
STANDARD_INPUT: Final = Path("/dev/stdin")


def find_files(arguments: Iterable[str]) -> list[Path]:
    """List the captures that arguments stand for, each once, in their order.

    Raises:
        InputError: an argument stands for nothing.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        for path in _expand(argument):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def find_file(argument: str) -> Path:
    """Give the one capture that an argument stands for.

    Raises:
        InputError: it stands for none, or for several.
    """
    files = find_files([argument])
    if len(files) > 1:
        raise InputError(f"{argument}: found {len(files)} captures, expected one")
    return files[0]


def testbeds_in(named: Iterable[Path]) -> Iterator[Path]:
    """Yield testbed files: those that were named, and those that lie in folders, sorted.

    Raises:
        InputError: a folder holds none.
    """
    for path in named:
        if not path.is_dir():
            yield path
            continue
        files = sorted(one for one in path.iterdir() if one.suffix in TESTBED_SUFFIXES)
        if not files:
            raise InputError(f"{path}: found no testbeds there, expected *.yaml")
        yield from files


def _expand(argument: str) -> Iterator[Path]:
    if argument == "-":
        yield STANDARD_INPUT
        return
    path = Path(argument)
    if path.is_dir():
        yield from _folder(path)
    elif path.exists() or not glob.has_magic(argument):
        yield path  # one that is not there is told by whoever opens it
    else:
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - absolute ones, too
        if not matches:
            raise InputError(f"{argument}: found no file of such a name, expected captures")
        for match in matches:
            yield from _folder(Path(match)) if Path(match).is_dir() else [Path(match)]


def _folder(path: Path) -> Iterator[Path]:
    if (path / RUN_FILE).exists():
        yield path / RUN_FILE
        return
    files = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file())
    if not files:
        raise InputError(f"{path}: found no capture, expected {RUN_FILE} or other captures in it")
    yield from files
