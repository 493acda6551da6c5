"""Lines to and from a child process, over raw non-blocking pipes in one asyncio loop."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

LINE_OCTETS_MAX: Final = 1 << 20
"""Longest line of the agent contract."""
CHUNK_OCTETS: Final = 65_536


class RawPipe(Protocol):
    """One end of a pipe; `io.FileIO` is one."""

    def fileno(self) -> int:
        """Tell the descriptor to poll."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Read what is there; None when nothing is."""

    def write(self, octets: bytes, /) -> int | None:
        """Write what fits; None when nothing does."""

    def close(self) -> None:
        """Close the descriptor."""

    @property
    def closed(self) -> bool:
        """Tell whether it is closed."""


class Pipes(Protocol):
    """Both directions between the harness and an agent; `LinePipes` is one."""

    def write(self, line: bytes) -> None:
        """Write one line, given without its end."""

    def close_input(self) -> None:
        """Let the agent read the end of its input."""

    def finish(self) -> None:
        """Take what is left in the output of an agent that has ended, and stop listening."""

    def stop_listening(self) -> None:
        """Read no more."""


class PipedProcess(Protocol):
    """A process with raw, non-blocking pipes."""

    @property
    def stdin(self) -> RawPipe:
        """Calls go in here."""

    @property
    def stdout(self) -> RawPipe:
        """Lines come out here."""


class AgentProcess(Protocol):
    """What a fabric's `spawn` returns; `mpwire.lab.process.HostProcess` is one."""

    @property
    def pid(self) -> int | None:
        """Tell its process id, if it is a process."""

    def pipes(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None]) -> Pipes:
        """Begin to listen: take each line, and once the end, with a reason if it was not simple."""

    def stderr(self) -> str:
        """Tell what it said to people."""

    def kill(self) -> None:
        """End it at once."""

    def signal(self, number: int) -> None:
        """Send it a signal; harmless when it has ended."""

    async def wait(self) -> int:
        """Wait for its exit status, negative for a signal."""


class LineWriter:
    """Write lines into a pipe without ever waiting; what does not fit goes when there is room."""

    def __init__(self, pipe: RawPipe) -> None:
        """Take a non-blocking pipe; call inside a running loop."""
        self._pipe = pipe
        self._unwritten = bytearray()
        self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()
        self._empty.set()

    def write(self, line: bytes) -> None:
        """Write one line, given without its end."""
        waiting = bool(self._unwritten)
        self._unwritten += line + b"\n"
        if not waiting:
            self._flush()
            if self._unwritten:
                self._empty.clear()
                self._loop.add_writer(self._pipe.fileno(), self._flush)

    async def flush(self) -> None:
        """Wait until everything is written, or nobody reads any more."""
        await self._empty.wait()

    def close(self) -> None:
        """Close the pipe; what was not written by now is lost."""
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe.fileno())
            self._pipe.close()
        self._unwritten.clear()
        self._empty.set()

    def _flush(self) -> None:
        try:
            while self._unwritten and not self._pipe.closed:
                count = self._pipe.write(bytes(self._unwritten[:CHUNK_OCTETS]))
                if count is None:
                    return
                del self._unwritten[:count]
        except OSError:  # nobody reads; for an agent, its end or its silence says the rest
            self._unwritten.clear()
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe.fileno())
        self._empty.set()


class LinePipes:
    """Cut a process's output into lines, and write lines without ever waiting."""

    def __init__(
        self,
        process: PipedProcess,
        on_line: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        """Begin to listen.

        Args: on_line: takes each line without its end; on_end: called once, with a reason if the
            process had not simply closed its output.
        """
        self._stdin, self._stdout = LineWriter(process.stdin), process.stdout
        self._on_line, self._on_end = on_line, on_end
        self._unread = bytearray()
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._stdout.fileno(), self._read)

    def write(self, line: bytes) -> None:
        """Write one line, given without its end."""
        self._stdin.write(line)

    def close_input(self) -> None:
        """Let the process read the end of its input."""
        self._stdin.close()

    def finish(self) -> None:
        """Take what is left in the output of a process that has ended, and stop listening."""
        while not self._ended and self._read():
            pass
        if not self._ended:  # a grandchild holds the pipe open; nobody waits for it
            self._end("")

    def stop_listening(self) -> None:
        """Read no more, not even what is there; the process blocks once its pipe is full."""
        if not self._ended:
            self._ended = True
            self._loop.remove_reader(self._stdout.fileno())

    def _read(self) -> bool:
        """Read once; True when there was something."""
        chunk = self._stdout.read(CHUNK_OCTETS)
        if chunk is None:
            return False
        if not chunk:
            if self._unread:
                self._on_line(bytes(self._unread))  # which may stop listening
                self._unread.clear()
            self._end("")
            return False
        self._unread += chunk
        if b"\n" in chunk:
            *lines, rest = self._unread.split(b"\n")
            self._unread = rest
            for line in lines:
                if self._ended:
                    return False
                self._on_line(bytes(line.removesuffix(b"\r")))
        if len(self._unread) > LINE_OCTETS_MAX:
            self._end(f"printed a line above {LINE_OCTETS_MAX} octets")
        return not self._ended

    def _end(self, reason: str) -> None:
        if not self._ended:
            self.stop_listening()
            self._on_end(reason)
