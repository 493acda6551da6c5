"""Read the same octets again and again: of a file that is replaced meanwhile, of a pipe."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from io import BufferedReader, RawIOBase, UnsupportedOperation
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COPY_OCTETS: Final = 1024 * 1024


class Held:
    """A file that stays open as long as somebody may read it, whatever takes its name."""

    def __init__(self, file: IO[bytes]) -> None:
        """Take a file that is open, and close it in the end."""
        self._file = file
        weakref.finalize(self, file.close)

    @property
    def octets(self) -> int:
        """Tell how much there is."""
        return os.fstat(self._file.fileno()).st_size

    def opened(self) -> BufferedReader:
        """Return a reader that begins at the beginning, whatever other readers do."""
        return BufferedReader(_Positioned(self._file))


class Spool(Held):
    """Octets in a temporary file without a name, gone with whoever holds it."""

    def __init__(self, write: Callable[[BinaryIO], object]) -> None:
        """Keep what is written."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its readers
        super().__init__(file)
        write(file)
        file.flush()


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

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}
        if whence not in start:
            raise UnsupportedOperation("seeking from the end")
        self._at = start[whence] + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer)
        chunk = os.pread(self._file.fileno(), len(room), self._at)
        room[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)
