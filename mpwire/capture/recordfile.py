"""The records of a long run file, read anew whenever somebody wants them."""

import struct
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from itertools import islice
from typing import Final, overload

import msgspec

from mpwire.capture.blocks import BlockType, Custom
from mpwire.capture.recorder import MAGIC, PEN
from mpwire.capture.records import KINDS, AnyRecord
from mpwire.errors import InputError

HEAD: Final = struct.Struct("<III")
"""Type and length of a block, and the enterprise number of a custom one; always little-endian."""


CUSTOMS: Final = (BlockType.CUSTOM, BlockType.CUSTOM_NOT_COPIED)


class _Kind(msgspec.Struct):
    kind: str


# Made once, before there are threads: where two of them use a type for the first time at the same
# moment, msgspec crashes.
_RECORDS: Final = msgspec.json.Decoder(AnyRecord)
_KINDS: Final = msgspec.json.Decoder(_Kind)


class Lines:
    """Turn chunks of JSON Lines into records."""

    def __init__(self) -> None:
        """Begin with no record."""
        self.records: list[AnyRecord] = []
        self.unknown: dict[str, int] = {}
        self._rest = b""

    def feed(self, where: str, chunk: bytes) -> None:
        """Decode the lines that end in this chunk; an error names the place."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                self._line(where, line)

    def _line(self, where: str, line: bytes) -> None:
        try:
            self.records.append(_RECORDS.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            kind = _kind_of(line)
            if kind is None or kind in KINDS:
                raise InputError(f"{where}: not a record: {error}") from error
            self.unknown[kind] = self.unknown.get(kind, 0) + 1

    def taken(self) -> list[AnyRecord]:
        """Return the records decoded since, and hold them no longer."""
        found, self.records = self.records, []
        return found

    def unfinished_octets(self) -> int:
        """Octets of a line that has no end."""
        return len(self._rest)


def _kind_of(line: bytes) -> str | None:
    try:
        return _KINDS.decode(line).kind
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_ours(block: Custom) -> bool:
    """Tell whether a custom block holds records of a run."""
    return block.pen == PEN and block.payload.startswith(MAGIC)


class RecordFile(Sequence[AnyRecord]):
    """The records in the custom blocks of a run file."""

    def __init__(
        self, opened: Callable[[], BufferedReader], name: str, start_octets: int, count: int
    ) -> None:
        """Read from a file that can be opened again and again.

        Args:
            opened: opens the file at its beginning.
            name: used in messages.
            start_octets: where the first custom block begins.
            count: how many records there are.
        """
        self._opened = opened
        self._name = name
        self._start_octets = start_octets
        self._count = count

    def __len__(self) -> int:
        """Tell how many there are, without reading."""
        return self._count

    def __iter__(self) -> Iterator[AnyRecord]:
        """Read all.

        Raises:
            InputError: the file has changed, or cannot be read any more.
        """
        lines = Lines()
        for where, chunk in self._chunks():
            lines.feed(where, chunk)
            yield from lines.taken()

    def _chunks(self) -> Iterator[tuple[str, bytes]]:
        """Yield the contents of the blocks, and where each stands."""
        with self._opened() as stream:
            at = stream.seek(self._start_octets)
            while len(head := stream.read(HEAD.size)) == HEAD.size:
                kind, length, pen = HEAD.unpack(head)
                body = stream.read(length - HEAD.size)
                if len(body) != length - HEAD.size:
                    break
                if kind in CUSTOMS and pen == PEN and body.startswith(MAGIC):
                    yield f"{self._name}: octet {at}", body[len(MAGIC) : -4]
                at += length

    @overload
    def __getitem__(self, place: int) -> AnyRecord: ...
    @overload
    def __getitem__(self, place: slice) -> list[AnyRecord]: ...
    def __getitem__(self, place: int | slice) -> AnyRecord | list[AnyRecord]:
        """Return single records, by reading everything before them."""
        if isinstance(place, slice):
            return list(self)[place]
        at = place + self._count if place < 0 else place
        for record in islice(self, max(at, 0), at + 1):
            return record
        raise IndexError(f"record {place} of {self._count}")


class JournalFile(RecordFile):
    """The records in the journal that a run left which was not finished."""

    def _chunks(self) -> Iterator[tuple[str, bytes]]:
        with self._opened() as stream:
            for number, line in enumerate(stream, 1):
                yield f"{self._name}: line {number}", line
