"""Start a lab from any program, follow its progress, end it.

The caller may be multithreaded, unprivileged, or about to be killed: it only spawns the
supervisor and keeps two descriptors, a pidfd and the reading end of the progress pipe. The
specification travels in an anonymous memory file that becomes standard input, so it may be of
any size and leaves no trace. What happens beyond the spawn is told in `supervisor`.
"""

import errno
import json
import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mpwire.errors import MachineError, MpwireError
from mpwire.lab.refusal import explain, read_facts

SUPERVISOR = Path(__file__).with_name("supervisor.py")

# The lab must import what the caller could import: its interpreter (with its virtual environment)
# and its module path, whichever way the caller came by them.
BOOT = (
    "import sys, json, importlib; sys.path[:] = json.loads(sys.argv[1]);"
    " sys.exit(importlib.import_module(sys.argv[2]).main())"
)


class LabError(MpwireError):
    """The lab process ended or spoke in a way that it never should."""


class LabProcess:
    """Hold a running lab; use it as a context manager, so that leaving the block ends the lab.

    Not safe for use by several threads at once.
    """

    def __init__(self, pid: int, progress: int, questions: int = -1) -> None:
        """Take over the supervisor's pid, the reading end of the progress pipe, and the writing
        end of the lab's standard input, if there is one.
        """
        self._pid = pid
        self._questions = questions
        self._pidfd = os.pidfd_open(pid)
        self._progress = progress
        self._unread = b""
        self._refusal: MachineError | None = None
        self._status: int | None = None

    @property
    def pid(self) -> int:
        """Tell the supervisor's process id."""
        return self._pid

    def lines(self) -> Iterator[dict[str, object]]:
        """Yield the lab's progress lines until it closes its output.

        Safe to leave and to call again: what was read and not yielded is kept.

        Raises: MachineError when the kernel refused a namespace; LabError for a line that is no
            JSON object.
        """
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                yield self._parse(line)
                continue
            chunk = os.read(self._progress, 65536) if self._progress >= 0 else b""
            if not chunk:
                return
            self._unread += chunk

    def say(self, line: bytes) -> None:
        """Write a line, given without its end, to the standard input of a lab that listens.

        Nothing happens when it has ended: what it said last tells why.
        """
        if self._questions >= 0:
            _write(self._questions, line + b"\n")

    def _parse(self, line: bytes) -> dict[str, object]:
        try:
            progress = json.loads(line)
        except ValueError:
            progress = None
        if not isinstance(progress, dict):
            raise LabError(f"expected a JSON object from the lab, found {line[:200]!r}")
        if "refused" in progress:
            number = int(progress.get("errno", 0))
            self._refusal = explain(str(progress["refused"]), number, read_facts())
            raise self._refusal
        return progress

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end of everything the lab was and return its exit status.

        Progress lines that nobody read are discarded.

        Raises: MachineError when the kernel refused a namespace; TimeoutError.
        """
        if self._status is None:
            self._drain(timeout_s)
            self._status = self._reap()
        if self._refusal is not None:
            raise self._refusal
        return self._status

    def _drain(self, timeout_s: float | None) -> None:
        """Read the pipe empty until the supervisor has ended, so that nobody waits to write."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if self._progress >= 0:
            poll.register(self._progress, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)}
            if not ready:
                raise TimeoutError(f"the lab has not ended within {timeout_s} s")
            if self._progress in ready:
                chunk = os.read(self._progress, 65536)
                if not chunk:
                    poll.unregister(self._progress)
                self._notice_refusal(chunk)
            elif self._pidfd in ready:
                return

    def _notice_refusal(self, chunk: bytes) -> None:
        *whole, self._unread = (self._unread + chunk).split(b"\n")
        for line in whole:
            if line.startswith(b'{"refused"'):
                try:
                    self._parse(line)
                except MachineError:
                    return

    def _reap(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code

    def interrupt(self) -> None:
        """Ask the lab to save what it has and end, as Ctrl-C does; harmless when it has ended."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End the lab at once; harmless when it has ended."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._status is None:
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                return

    def close(self) -> None:
        """Kill the lab if it still runs, reap it and close the descriptors."""
        if self._progress < 0:
            return
        self.kill()
        if self._status is None:
            self._status = self._reap()
        for descriptor in (self._progress, self._pidfd, self._questions):
            if descriptor >= 0:
                os.close(descriptor)
        self._progress = self._questions = -1

    def __enter__(self) -> Self:
        """Return the handle itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def launch(
    spec: Mapping[str, object],
    module: str = "mpwire.lab.inner",
    paths: Sequence[str] = (),
    *,
    listens: bool = False,
) -> LabProcess:
    """Start `module.main()` as the lab process, with `spec` as JSON on its standard input.

    Args: spec: JSON-able; module: has `main() -> int`, whose standard output is JSON Lines;
        paths: searched before the caller's own module path; listens: the lab reads one line with
            the specification, and then what `LabProcess.say` tells it.
    Raises: MachineError when the interpreter or this system cannot start it at all.
    """
    order = json.dumps({"caller": os.getpid(), "command": command_of(module, paths)})
    encoded = json.dumps(spec).encode()
    standard_input, questions = os.pipe() if listens else (_memory_file(encoded), -1)
    reading, writing = os.pipe()
    try:
        pid = _spawn([sys.executable, "-I", "-S", str(SUPERVISOR), order], standard_input, writing)
    except BaseException:
        os.close(reading)
        if listens:
            os.close(questions)
        raise
    finally:
        os.close(standard_input)
        os.close(writing)
    lab = LabProcess(pid, reading, questions)
    if listens:
        lab.say(encoded)
    return lab


def command_of(module: str, paths: Sequence[str] = ()) -> list[str]:
    """Give the command line that runs `module.main()` with this process's imports."""
    found = [*paths, *sys.path]
    search = list(dict.fromkeys(str(Path(entry or ".").absolute()) for entry in found))
    return [sys.executable, "-c", BOOT, json.dumps(search), module]


def _write(descriptor: int, octets: bytes) -> None:
    """Write all of it, or as much as there is a reader for."""
    unwritten = memoryview(octets)
    while unwritten:
        try:
            unwritten = unwritten[os.write(descriptor, unwritten) :]
        except BrokenPipeError:
            return


def _memory_file(octets: bytes) -> int:
    descriptor = os.memfd_create("mpwire-spec", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(octets)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _spawn(argv: list[str], standard_input: int, standard_output: int) -> int:
    """Spawn in a session of its own, so that the terminal's Ctrl-C reaches only the caller.

    Signals stay blocked until the supervisor can pass them on, and start from their defaults:
    a shell's background job ignores SIGINT and would hand that down.
    """
    held = [signal.SIGINT, signal.SIGTERM]
    try:
        return os.posix_spawn(
            argv[0],
            argv,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, standard_input, 0),
                (os.POSIX_SPAWN_DUP2, standard_output, 1),
            ],
            setsid=True,
            setsigmask=held,
            setsigdef=[*held, signal.SIGCHLD],
        )
    except OSError as error:
        reason = os.strerror(error.errno or errno.ENOSYS)
        raise MachineError(f"cannot start {argv[0]}: {reason}") from error
