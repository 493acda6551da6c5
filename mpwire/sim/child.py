"""Keep a process that simulates, for a program that wants to stay apart from its labs."""

import os
import subprocess
from collections.abc import Iterator
from typing import Final

import msgspec

from mpwire.lab.launch import LabError, command_of
from mpwire.lab.plan import Order

SERVING: Final = "mpwire.sim.serving"
DIED: Final = 1


class SimulatedLab:
    """One order under way in the process; it is a `mpwire.lab.conversation.ListeningLab`."""

    def __init__(self, child: "SimChild") -> None:
        """Belong to a process that was just given an order."""
        self._child = child
        self._ended = False

    def lines(self) -> Iterator[dict[str, object]]:
        """Yield what it says until the run has ended."""
        while not self._ended:
            line = self._child.line()
            if not line:
                return
            told = msgspec.json.decode(line, type=dict[str, object])
            self._ended = told.get("progress") == "ended" or "lacks" in told
            yield told

    def say(self, line: bytes) -> None:
        """Tell it one line."""
        self._child.say(line)

    def wait(self) -> int:
        """Give 0 for a run that has ended, else the process has."""
        return 0 if self._ended else DIED

    def close(self) -> None:
        """End it at once, with its process, if it has not ended."""
        if not self._ended:
            self._child.close()


class SimChild:
    """A process that carries out one order after the other."""

    def __init__(self) -> None:
        """Start it, in a session of its own: Ctrl-C is for its caller, whose end ends it."""
        self._process = subprocess.Popen(
            command_of(SERVING),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._unread = b""

    @property
    def pid(self) -> int:
        """Tell its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it can take orders."""
        return self._process.poll() is None

    def begin(self, order: Order) -> SimulatedLab:
        """Give an order; the one before must have ended."""
        self.say(msgspec.json.encode(order))
        return SimulatedLab(self)

    def say(self, line: bytes) -> None:
        """Write one line; nothing happens when the process has ended.

        Raises:
            LabError: the process was closed.
        """
        self._require_open()
        unwritten = line + b"\n"
        try:
            while unwritten:
                unwritten = unwritten[os.write(self._input.fileno(), unwritten) :]
        except BrokenPipeError:
            return

    def line(self) -> bytes:
        """Read one line; empty when the process has ended.

        Raises:
            LabError: the process was closed.
        """
        self._require_open()
        while b"\n" not in self._unread:
            chunk = os.read(self._output.fileno(), 65536)
            if not chunk:
                return b""
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _require_open(self) -> None:
        if self._output.closed:
            raise LabError("the simulation was closed")

    def close(self) -> None:
        """End the process at once and close its pipes."""
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()
