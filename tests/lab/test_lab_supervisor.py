"""Whoever is killed, whenever: no process, namespace, interface or file is left."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mpwire.lab import supervisor

HERE = Path(__file__).parent
MARK = "MPWIRE_TEST_MARK"
GONE_DEADLINE_S = 30.0

pytestmark = pytest.mark.lab


class Caller:
    """A process that drives a lab, and everything that descends from it, known by a mark."""

    def __init__(self, spec: dict[str, object], folder: Path) -> None:
        self.mark = f"{MARK}={uuid.uuid4()}"
        self.folder = folder
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "drive_lab.py"), json.dumps(spec)],
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                name: value,
                "TMPDIR": str(folder),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            cwd=folder,
        )
        assert self.process.stdout is not None
        self.lines = (json.loads(line) for line in self.process.stdout)

    def family(self) -> dict[int, list[str]]:
        """Find every living process that carries the mark, with its command line."""
        found = {}
        for path in Path("/proc").iterdir():
            if not path.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if self.mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                    command = (path / "cmdline").read_bytes().decode().split("\0")
                    found[int(path.name)] = command
        return found

    def member(self, role: str) -> int | None:
        """Find the pid of the caller, the supervisor, init or the lab."""
        if role == "caller":
            return self.process.pid
        for pid in self.family():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text("ascii")
                fields = dict(line.split(":\t", 1) for line in status.splitlines())
                inner_pid = fields["NSpid"].split()[1:]  # as numbered in the lab
                parent = int(fields["PPid"])
                if role == {"1": "init", "2": "lab"}.get("".join(inner_pid)):
                    return pid
                if role == "supervisor" and parent == self.process.pid:
                    return pid
        return None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def caller(inside: object, tmp_path: Path) -> Iterator[Callable[..., Caller]]:
    assert inside, "labs can run here"
    started: list[Caller] = []

    def start(**spec: object) -> Caller:
        started.append(Caller(spec, tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.close()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look again and again until something holds."""
    deadline = time.monotonic() + GONE_DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        select.select([], [], [], 0.002)


def held_namespaces() -> set[str]:
    """Name every network namespace that some process is in or holds open."""
    held = set()
    for pattern in ("[0-9]*/ns/net", "[0-9]*/fd/*"):
        for path in Path("/proc").glob(pattern):
            with contextlib.suppress(OSError):
                target = str(path.readlink())
                if target.startswith("net:"):
                    held.add(target)
    return held


def interfaces() -> set[str]:
    lines = Path("/proc/net/dev").read_text("ascii").splitlines()
    return {line.partition(":")[0].strip() for line in lines if ":" in line}


def assert_nothing_left(one: Caller, namespaces: Iterable[str] = ()) -> None:
    wait_until(lambda: not one.family(), f"processes are left: {one.family()}")
    assert not held_namespaces().intersection(namespaces)
    assert list(one.folder.iterdir()) == []


@pytest.mark.parametrize("victim", ["caller", "supervisor", "init", "lab"])
def test_killing_anybody_in_a_running_lab_removes_all_of_it(
    caller: Callable[..., Caller], carrier: str, victim: str
) -> None:
    before = interfaces()
    one = caller(scenario="linger", carrier=carrier)
    lines = list(zip(range(2), one.lines, strict=False))
    namespaces = set(lines[-1][1]["up"])
    assert len(namespaces) >= 3
    assert namespaces <= held_namespaces()
    assert len(one.family()) == 5, "caller, supervisor, init, lab, one program on a host"
    target = one.member(victim)
    assert target is not None
    os.kill(target, signal.SIGKILL)
    if victim != "caller":
        assert one.process.wait(GONE_DEADLINE_S) == 128 + signal.SIGKILL
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one, namespaces)
    assert interfaces() == before


@pytest.mark.parametrize("stage", ["supervisor", "init", "lab"])
@pytest.mark.parametrize("victim", ["caller", "supervisor", "init"])
def test_killing_anybody_as_soon_as_somebody_exists(
    caller: Callable[..., Caller], victim: str, stage: str
) -> None:
    one = caller(scenario="linger")
    targets: list[int] = []

    def found() -> bool:
        if one.member(stage) is not None and (target := one.member(victim)) is not None:
            targets.append(target)
        return bool(targets)

    wait_until(found, f"no {stage}, no {victim}")
    os.kill(targets[0], signal.SIGKILL)
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one)


@pytest.mark.parametrize("after_ms", range(0, 400, 25))
def test_killing_the_caller_after_any_time(caller: Callable[..., Caller], after_ms: int) -> None:
    one = caller(scenario="linger")
    with contextlib.suppress(subprocess.TimeoutExpired):
        one.process.wait(after_ms / 1000)
    one.process.kill()
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one)


def test_a_stopped_lab_dies_with_its_caller(caller: Callable[..., Caller]) -> None:
    one = caller(scenario="linger")
    list(zip(range(2), one.lines, strict=False))
    lab = one.member("lab")
    assert lab is not None
    os.kill(lab, signal.SIGSTOP)
    one.process.kill()
    one.process.wait(GONE_DEADLINE_S)
    assert_nothing_left(one)


def test_a_supervisor_whose_caller_is_gone_starts_nothing() -> None:
    """The order names a process that is not the parent: what a late supervisor finds."""
    order = json.dumps({"caller": 1, "command": ["/bin/echo", "started"]})
    argv = [sys.executable, "-I", "-S", supervisor.__file__, order]
    done = subprocess.run(argv, capture_output=True, timeout=GONE_DEADLINE_S, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_identity_map_keeps_the_ranges_of_the_parent() -> None:
    assert supervisor.identity_map("         0          0 4294967295\n") == "0 0 4294967295\n"
    rootless = "         0       1000          1\n         1     100000      65536\n"
    assert supervisor.identity_map(rootless) == "0 0 1\n1 1 65536\n"


def test_exit_status_of_a_signal_is_what_a_shell_says() -> None:
    assert supervisor.exit_status(3 << 8) == 3
    assert supervisor.exit_status(signal.SIGKILL) == 137


def test_a_refusal_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert supervisor.refuse(supervisor.Refused("map", 1)) == 4
    assert json.loads(capfd.readouterr().out) == {"refused": "map", "errno": 1}


def test_a_lab_may_run_inside_a_lab(inside: Callable[..., Any]) -> None:
    result = inside("nested", modules=["inner_network"])
    assert result["status"] == 0
    assert result["found"]["processes"] == [1, 2]


def test_root_goes_on_where_there_are_no_user_namespaces(inside: Callable[..., Any]) -> None:
    result = inside("nested", modules=["inner_network"], limits={"max_user_namespaces": 0})
    assert result["status"] == 0
    assert result["found"]["processes"] == [1, 2]


def test_a_refusing_kernel_is_a_machine_error_with_a_remedy(inside: Callable[..., Any]) -> None:
    limits = {"max_user_namespaces": 0, "max_net_namespaces": 0}
    result = inside("nested", modules=["inner_network"], limits=limits)
    assert result["lacks"].startswith("the kernel refused new user, mount, PID and network names")
    assert "sysctl -w user.max_user_namespaces=15000" in result["lacks"]


def test_a_machine_that_hides_parts_of_proc_still_runs_labs(inside: Callable[..., Any]) -> None:
    result = inside("nested", modules=["inner_network"], mask="/proc/irq")
    assert result["status"] == 0
    assert result["found"]["parent"] == 1
    assert len(result["found"]["processes"]) > 2, "the outer /proc, for want of an own"
