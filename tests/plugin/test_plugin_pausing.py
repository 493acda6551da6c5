"""A test that fails stops, and its hosts can be entered; in namespaces, from outside them."""

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from mpwire.lab.entering import entrances
from mpwire.plugin.pausing import script_of

pytestmark = pytest.mark.lab

FAILING = """\
def test_it(lab):
    lab.start(hosts=["root", "leaf1"], timers={"scale": 0.1})
    lab.do("root opens R as c_root/d_root")
    assert not "well"
"""
OPTIONS = ("-p", "no:cacheprovider", "--mpwire-pause", "--mpwire-out=runs")
LOOK = ["cat", "/proc/net/fib_trie"]
"""Shows the addresses of the network namespace that it runs in."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_one.py").write_text(FAILING, "utf-8")
    return tmp_path


def until(stream: IO[str], end: str) -> Iterator[str]:
    for line in stream:
        yield line
        if end in line:
            return
    raise AssertionError(f"{end!r} never came")


@pytest.mark.parametrize("fabric", ["switch", "bridge", "sim"])
def test_without_a_terminal_the_ways_in_are_printed(project: Path, fabric: str) -> None:
    command = [sys.executable, "-m", "pytest", *OPTIONS, f"--mpwire-fabric={fabric}"]
    with subprocess.Popen(
        command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        text = "".join(until(process.stdout, "lets the tests go on"))
        assert 'test_one.py::test_it has failed and its lab still runs\nassert not "well"' in (
            text.replace("'", '"')
        )
        ways = dict(re.findall(r"^  (\w+) +(nsenter .*)$", text, re.MULTILINE))
        if fabric != "sim":
            assert list(ways) == ["root", "leaf1"]
            looks = {
                host: subprocess.run(
                    [*shlex.split(way), *LOOK], capture_output=True, text=True, check=True
                ).stdout
                for host, way in ways.items()
            }
            assert "10.77.0.2" in looks["root"]
            assert "10.77.0.3" in looks["leaf1"]
        else:
            assert "There are no namespaces to enter: the lab is simulated" in text
        rest, _ = process.communicate("\n", timeout=60)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed" in rest
    assert " PASS  test_one" in rest


def test_on_a_terminal_there_is_a_shell_that_can_enter(project: Path) -> None:
    """Type into a pseudo-terminal: look around on a host, then leave."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", *OPTIONS, "--mpwire-fabric=switch"]
    environment = {**os.environ, "SHELL": "/bin/sh", "PS1": "paused> "}
    with subprocess.Popen(
        command, cwd=project, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        typed = [b"at leaf1 cat /proc/net/fib_trie\n", b"at nowhere\n", b"exit\n"]
        seen = ""
        while chunk := _read(ours):
            seen += chunk
            if typed and seen.count("paused> ") > 3 - len(typed):
                os.write(ours, typed.pop(0))
    os.close(ours)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "`at HOST [COMMAND...]` runs a command, or a shell, on root, leaf1;" in seen
    assert "10.77.0.3" in seen
    assert "usage: at root|leaf1 [COMMAND...]" in seen
    assert "1 failed" in seen


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode("utf-8", "replace")
    except OSError:  # how a terminal tells that nobody is there any more
        return ""


def test_what_is_no_descendant_has_no_entrance() -> None:
    assert entrances(os.getpid(), {"root": 1}) == {}


def test_the_script_leads_to_the_host_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "at"
    path.write_text(script_of({"root": ["echo", "in", "root:"], "leaf1": ["echo", "x y"]}), "utf-8")
    path.chmod(0o755)
    said = subprocess.run([path, "leaf1", "ls", "-l"], capture_output=True, text=True, check=True)
    assert said.stdout == "x y ls -l\n"
    said = subprocess.run(
        [path, "root"], capture_output=True, text=True, check=True, env={"SHELL": "/bin/fish"}
    )
    assert said.stdout == "in root: /bin/fish\n"
