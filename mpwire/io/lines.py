"""Lines from a descriptor, without waiting for more than there is."""

import os
import select
from typing import Final

MAXIMUM_LINE_OCTETS: Final = 1024 * 1024
"""Longest line of the contract; what is longer ends the input."""


class LineReader:
    """Split what arrives at a descriptor into lines."""

    def __init__(self, descriptor: int) -> None:
        """Read from a descriptor, whenever it is readable."""
        self.descriptor = descriptor
        self.buffer = b""
        self.lines: list[bytes] = []
        self.ended = False

    def fill(self) -> None:
        """Take what is there to be read; blocks unless the descriptor is readable."""
        chunk = os.read(self.descriptor, 65_536)
        self.ended = not chunk
        *complete, self.buffer = (self.buffer + chunk).split(b"\n")
        self.lines += [line for line in complete if line.strip()]
        if len(self.buffer) > MAXIMUM_LINE_OCTETS:
            self.buffer, self.ended = b"", True

    def wait(self) -> None:
        """Block until something can be read, and take it."""
        select.select([self.descriptor], [], [])
        self.fill()
