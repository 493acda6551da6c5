"""Read again what can be read only once: standard input and other pipes, by way of a copy."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COPY_OCTETS: Final = 1024 * 1024


class Spool:
    """Octets in a temporary file without a name, gone with whoever holds it."""

    def __init__(self, write: Callable[[BinaryIO], object]) -> None:
        """Keep what is written."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its readers
        weakref.finalize(self, self._file.close)
        write(self._file)
        self._file.flush()
        self.octets = self._file.tell()

    def opened(self) -> BufferedReader:
        """Return a reader that begins at the beginning, whatever other readers do."""
        return BufferedReader(_Positioned(self._file))


class Copy(Spool):
    """A copy of what can be read only once."""

    def __init__(self, path: Path) -> None:
        """Copy all that comes."""
        with path.open("rb") as stream:
            super().__init__(lambda file: shutil.copyfileobj(stream, file, COPY_OCTETS))


class _Positioned(RawIOBase):
    """Read a file at a place of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer)
        chunk = os.pread(self._file.fileno(), len(room), self._at)
        room[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)
