"""A program that runs on a host of the lab."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.pipes import LinePipes

if TYPE_CHECKING:
    from io import FileIO

STDERR_KEPT_OCTETS = 65_536
"""How much of what a program last wrote to standard error is kept."""


class HostProcess:
    """Hold a program's pipes: `stdin` and `stdout` are raw, non-blocking files.

    What it writes to standard error is read as it comes and the last part is kept.
    """

    def __init__(
        self,
        namespace: NetworkNamespace,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        affinity: set[int],
    ) -> None:
        """Start the program in the namespace, on the CPUs of `affinity`.

        The thread goes where the child is to be and comes back: nothing has to run between fork
        and exec, where so little is safe.

        Args: env: None hands down this process's environment.
        Raises: OSError when the program cannot be started.
        """
        pinned = os.sched_getaffinity(0)
        with namespace.entered():
            os.sched_setaffinity(0, affinity)
            try:
                self._child = subprocess.Popen(
                    list(argv),
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=env,
                    start_new_session=True,
                )
            finally:
                os.sched_setaffinity(0, pinned)
        self.pid = self._child.pid
        self.stdin = cast("FileIO", self._child.stdin)
        self.stdout = cast("FileIO", self._child.stdout)
        self._stderr = cast("FileIO", self._child.stderr)
        self._kept = bytearray()
        for pipe in (self.stdin, self.stdout, self._stderr):
            os.set_blocking(pipe.fileno(), False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._stderr.fileno(), self._read_stderr)
        self._pidfd = os.pidfd_open(self.pid)
        self._ended = self._loop.create_future()
        self._loop.add_reader(self._pidfd, self._reap)

    def _read_stderr(self) -> None:
        while (chunk := self._stderr.read(65_536)) is not None:
            if not chunk:
                self._loop.remove_reader(self._stderr.fileno())
                return
            self._kept += chunk
            del self._kept[:-STDERR_KEPT_OCTETS]

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._child.wait()
        if not self._ended.done():
            self._ended.set_result(self._child.returncode)

    @property
    def status(self) -> int | None:
        """Tell the exit status, negative for a signal, None while the program runs."""
        return self._child.returncode

    def pipes(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None]) -> LinePipes:
        """Begin to listen to the program's lines."""
        return LinePipes(self, on_line, on_end)

    def stderr(self) -> str:
        """Return the last part of what the program has written to standard error."""
        return self._kept.decode("utf-8", "replace")

    async def wait(self) -> int:
        """Wait for the program's end and return its exit status, negative for a signal."""
        return int(await asyncio.shield(self._ended))

    def signal(self, number: int) -> None:
        """Send the program a signal; harmless when it has ended."""
        self._child.send_signal(number)

    def kill(self) -> None:
        """Kill the program; harmless when it has ended."""
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill the program if it still runs, reap it and close its pipes."""
        if self._pidfd < 0:
            return
        self.kill()
        self._child.wait()
        self._reap()
        if not self._stderr.closed:
            self._read_stderr()
            self._loop.remove_reader(self._stderr.fileno())
        for pipe in (self.stdin, self.stdout, self._stderr):
            self._loop.remove_reader(pipe.fileno()) if not pipe.closed else None
            pipe.close()
        os.close(self._pidfd)
        self._pidfd = -1
