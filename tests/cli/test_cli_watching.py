"""The live view, on a terminal."""

import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Sequence
from fcntl import ioctl
from pathlib import Path

import pytest

from mpwire.capture import open_run

WAITING = """\
about: a leaf that waits for a root that does not decide
hosts: [root, leaf1]
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - L1 sees FD_CONNECT
"""


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, argv: Sequence[str], cwd: Path, environment: dict[str, str]) -> None:
        """Start the process on a terminal of 90 columns."""
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, wanted: str) -> None:
        """Read until something is on the terminal."""
        while wanted not in self.seen:
            chunk = self._read()
            assert chunk, f"no {wanted!r} in {self.seen}"

    def read_all(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        return self.process.wait(timeout=20)

    def _read(self) -> bytes:
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return b""
        self.seen += chunk.decode("utf-8", "replace")
        return chunk

    def close(self) -> None:
        """End the process and leave the terminal."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(
    tmp_path: Path, environment: dict[str, str], argv: Sequence[str]
) -> Iterator[Callable[..., Terminal]]:
    """Return what starts `mpwire` on a terminal in an empty folder."""
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal([*argv, *arguments], tmp_path, environment))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.lab
def test_a_person_sees_the_session_as_it_happens(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("run")
    assert shown.read_all() == 0
    for seen in (
        "4 hosts on switch (",
        "leaf1 joins R with L1",
        " JOIN_REQ ",
        "⚑ R FD_ACCEPT",
        "⚑ P3 FD_CLOSE",
        "event windows",
        "mpwire-runs/tour-1/run.pcapng",
    ):
        assert seen in shown.seen
    assert "\x1b[" in shown.seen
    assert shown.seen.index("⚑ P3 FD_CLOSE") < shown.seen.index(" PASS ")


@pytest.mark.lab
def test_what_is_lost_is_told_from_what_is_late(terminal: Callable[..., Terminal]) -> None:
    faults = ("drop the 1st CONFIRM from leaf1 to root", "hold every CLOSE for 30 ms")
    shown = terminal("run", *(word for fault in faults for word in ("--fault", fault)))
    assert shown.read_all() == 0
    lines = shown.seen.splitlines()
    (lost,) = (line for line in lines if "╳" in line)
    assert " CONFIRM " in lost
    assert "lost: drop" in lost
    assert any("╌" in line and " CLOSE " in line for line in lines)
    assert any("not there yet" in line and " CLOSE " in line for line in lines)


@pytest.mark.lab
def test_a_quiet_person_sees_the_verdict_only(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("run", "--quiet")
    assert shown.read_all() == 0
    assert "JOIN_REQ" not in shown.seen
    assert len(shown.seen.splitlines()) == 2


@pytest.mark.lab
def test_ctrl_c_saves_what_there_is(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "waiting.yaml").write_text(WAITING, "utf-8")
    shown = terminal("run", "waiting.yaml")
    shown.read_until("⚑ R FD_ACCEPT")
    shown.process.send_signal(signal.SIGINT)
    assert shown.read_all() == 130
    assert "interrupted" in shown.seen
    assert "Traceback" not in shown.seen
    assert "mpwire-runs/waiting-1/run.pcapng" in shown.seen
    assert open_run(tmp_path / "mpwire-runs" / "latest").incomplete == []


@pytest.mark.lab
def test_ctrl_c_while_the_lab_starts_is_no_less_orderly(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "waiting.yaml").write_text(WAITING, "utf-8")
    shown = terminal("run", "waiting.yaml")
    shown.read_until("starting 2 hosts")
    shown.process.send_signal(signal.SIGINT)
    assert shown.read_all() == 130
    assert "Traceback" not in shown.seen
    assert open_run(tmp_path / "mpwire-runs" / "latest").run is not None
