"""A process that drives a lab, everything that descends from it, and what a kill must not leave."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
MARK = "MPWIRE_TEST_MARK"
GONE_DEADLINE_S = 30.0


class Caller:
    """A process that drives a lab, and everything that descends from it, known by a mark."""

    def __init__(self, spec: object, folder: Path, *module: str) -> None:
        self.mark = f"{MARK}={uuid.uuid4()}"
        self.folder = folder
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "drive_lab.py"), json.dumps(spec), *module],
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
        for pid in _processes():
            path = Path("/proc", pid)
            with contextlib.suppress(OSError):
                if self.mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                    command = (path / "cmdline").read_bytes().decode().split("\0")
                    found[int(pid)] = command
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
        """End it."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look again and again until something holds."""
    deadline = time.monotonic() + GONE_DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        select.select([], [], [], 0.005)


def _links(processes: Iterable[int | str]) -> Iterator[tuple[Path, str]]:
    """Yield what leads to a network namespace among what some processes are in or hold open."""
    for process in processes:
        folder = Path("/proc", str(process))
        paths = [folder / "ns" / "net"]
        with contextlib.suppress(OSError):  # it has ended since it was found
            paths += (folder / "fd").iterdir()
        for path in paths:
            with contextlib.suppress(OSError):
                target = str(path.readlink())
                if target.startswith("net:"):
                    yield path, target


def _processes() -> list[str]:
    """List all processes by their numbers."""
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def held_namespaces() -> set[str]:
    """Name every network namespace that a process other than this one is in or holds open."""
    own = f"/proc/{os.getpid()}/"
    return {name for path, name in _links(_processes()) if not str(path).startswith(own)}


@contextlib.contextmanager
def kept_namespaces(processes: Iterable[int]) -> Iterator[set[str]]:
    """Hold the namespaces of some processes, which are not ours: their numbers stay theirs."""
    own = {name for _, name in _links(["self"])}
    kept: dict[str, int] = {}
    try:
        for path, name in _links(processes):
            if name not in own and name not in kept:
                with contextlib.suppress(OSError):
                    kept[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        yield set(kept)
    finally:
        for descriptor in kept.values():
            os.close(descriptor)


def interfaces() -> set[str]:
    """Name the network interfaces that this process sees."""
    lines = Path("/proc/net/dev").read_text("ascii").splitlines()
    return {line.partition(":")[0].strip() for line in lines if ":" in line}


def mounts() -> list[str]:
    """List what is mounted where, for this process."""
    return Path("/proc/self/mountinfo").read_text("utf-8").splitlines()


def assert_nothing_left(one: Caller, namespaces: Iterable[str] = ()) -> None:
    """See that all processes, their namespaces and their files have gone."""
    wait_until(lambda: not one.family(), f"processes are left: {one.family()}")
    # A process that ends has lost its memory, and with it the mark, before its namespaces.
    kept = set(namespaces)
    wait_until(lambda: not held_namespaces() & kept, "namespaces are held")
    assert list(one.folder.iterdir()) == []
