"""Frames of a capture: one at a time, or all of a file without holding them.

`FrameFile` looks like a list of frames and reads the file anew whenever somebody iterates over it,
so that captures may be far larger than memory.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Final, overload

import msgspec

from mpwire.capture.batches import Batch, BatchReader, PcapBatchReader
from mpwire.capture.blocks import Direction, Packet
from mpwire.capture.pcap import MAGICS, PcapReader
from mpwire.capture.reader import Reader
from mpwire.capture.recorder import journal_of
from mpwire.errors import InputError

PCAPNG_MAGIC: Final = bytes.fromhex("0a0d0d0a")
VERDICT_MARK: Final = "verdict: "
"""Opens every packet comment that `annotate` wrote, so that it can replace its own."""


class Frame(msgspec.Struct, kw_only=True, gc=False):
    """One captured packet."""

    number: int
    """Place in the total order of the run (epb_packetid), or in the file of another program.

    0 in a run whose packet has lost its number; the run is then incomplete.
    """
    vantage: str
    """Name of the interface: the host, in a run."""
    direction: Direction | None
    """"out": the host sent it; "in": delivered to the host; None: not known."""
    time_ns: int
    """Nanoseconds since 1970; 0 where the file has no time."""
    data: bytes
    linktype: int
    original_octets: int
    """Octets on the wire; more than len(data) in a capture with a snap length."""
    comment: str | None = None
    """What was said about it when it was captured; verdicts are left out."""


class FrameFile(Sequence[Frame]):
    """The frames of a long capture, numbered by their places in the file."""

    def __init__(self, opened: Callable[[], BufferedReader], name: str, count: int) -> None:
        """Read from a file that can be opened again and again.

        Args:
            opened: opens the file at its beginning.
            name: used in messages.
            count: how many frames there are.
        """
        self._opened = opened
        self._name = name
        self._count = count

    def __len__(self) -> int:
        """Tell how many there are, without reading."""
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        """Read all.

        Raises:
            InputError: the file has changed, or cannot be read any more.
        """
        for batch in self.batches():
            for place in range(len(batch)):
                yield frame_in(batch, place)

    @overload
    def __getitem__(self, place: int) -> Frame: ...
    @overload
    def __getitem__(self, place: slice) -> list[Frame]: ...
    def __getitem__(self, place: int | slice) -> Frame | list[Frame]:
        """Return single frames, by reading everything before them."""
        if isinstance(place, slice):
            first, last, step = place.indices(self._count)
            return list(islice(self, first, last, step)) if step > 0 else list(self)[place]
        at = place + self._count if place < 0 else place
        for frame in islice(self, max(at, 0), at + 1):
            return frame
        raise IndexError(f"frame {place} of {self._count}")

    def some(self, numbers: Iterable[int]) -> list[Frame]:
        """Return the frames of some numbers in order, reading everything but making only those."""
        wanted = deque(sorted(set(numbers)))
        found: list[Frame] = []
        for batch in self.batches():
            while wanted and wanted[0] < batch.first + len(batch):
                number = wanted.popleft()
                if number >= batch.first:
                    found.append(frame_in(batch, number - batch.first))
            if not wanted:
                break
        return found

    def batches(self) -> Iterator[Batch]:
        """Read all, and make no frames.

        Raises:
            InputError: the file has changed, or cannot be read any more.
        """
        with self._opened() as stream:
            reader = batch_reader_of(stream, self._name)
            for batch in reader.batches():
                reader.others.clear()
                if len(batch):
                    yield batch
                    if batch.first + len(batch) > self._count:
                        return


def frame_in(batch: Batch, place: int) -> Frame:
    """Make the frame at a place of a batch."""
    frame = frame_of(batch.packet(place))
    frame.number = batch.first + place
    return frame


def frame_of(packet: Packet) -> Frame:
    """Make a frame of a packet; what a verdict said about it is left out."""
    comments = packet.comments
    if comments:
        comments = tuple(text for text in comments if not text.startswith(VERDICT_MARK))
    return Frame(
        number=packet.packetid or 0,
        vantage=packet.interface.name,
        direction=packet.direction,
        time_ns=packet.time_ns or 0,
        data=packet.data,
        linktype=packet.interface.linktype,
        original_octets=packet.original_octets,
        comment="\n".join(comments) if comments else None,
    )


def reader_of(stream: BufferedReader, name: str) -> Reader | PcapReader:
    """Return the reader of a capture's format.

    Raises:
        InputError: it is none that we know.
    """
    if _is_pcap(stream, name):
        return PcapReader(stream, name)
    return Reader(stream, name)


def batch_reader_of(stream: BufferedReader, name: str) -> BatchReader | PcapBatchReader:
    """Return the reader of a capture's format, for batches.

    Raises:
        InputError: it is none that we know.
    """
    return (PcapBatchReader if _is_pcap(stream, name) else BatchReader)(stream, name)


def _is_pcap(stream: BufferedReader, name: str) -> bool:
    magic = stream.peek(4)[:4]  # not read and seek: standard input may be a pipe
    if magic in MAGICS:
        return True
    if magic and PCAPNG_MAGIC.startswith(magic):
        return False
    whole = Path(name).with_suffix(".pcapng")
    if journal_of(whole) == Path(name) and whole.exists():
        raise InputError(f"{name}: the journal of a run; open {whole} instead")
    found = f"it begins with {magic.hex(' ')}" if magic else "it is empty"
    raise InputError(f"{name}: octet 0: neither pcap nor pcapng: {found}")
