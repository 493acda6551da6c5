"""Read captures in batches, and anew, and find what reading them at once finds."""

import os
import struct
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from mpwire.capture import RunFile, open_run
from mpwire.capture.batches import BatchReader, PcapBatchReader
from mpwire.capture.blocks import Packet
from mpwire.capture.framefile import FrameFile
from mpwire.capture.pcap import PcapReader
from mpwire.capture.reader import READ_OCTETS, Reader
from mpwire.capture.writer import Writer
from mpwire.errors import InputError

COUNT = 50
START_NS = 1_700_000_000_000_000_000


def octets(place: int) -> bytes:
    """Make a packet whose length and content tell its place."""
    return bytes([place % 256]) * (14 + place % 7)


def written(path: Path, *, byte_order: str = "<", snapped: bool = False) -> Path:
    """Write a capture with bare packets, such with options, and other blocks in between."""
    with path.open("wb") as stream:
        writer = Writer(stream, application="other", byte_order=byte_order)  # type: ignore[arg-type]
        first = writer.interface("one")
        for place in range(COUNT):
            if place == COUNT // 2:
                first = writer.interface("two", linktype=101)
                writer.statistics(0, START_NS, received_count=place, dropped_count=3)
            data = octets(place)
            writer.packet(
                first,
                data,
                START_NS + place,
                direction="in" if place % 5 == 0 else None,
                original_octets=len(data) + 9 if snapped and place % 2 else None,
            )
    return path


def classic(path: Path, *, order: str = "<") -> Path:
    """Write a pcap file."""
    head = struct.pack(order + "IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    body = b"".join(
        struct.pack(order + "IIII", 1_700_000_000, place, len(octets(place)), len(octets(place)))
        + octets(place)
        for place in range(COUNT)
    )
    path.write_bytes(head + body)
    return path


def classic_big(path: Path) -> Path:
    """Write a pcap file in the other byte order."""
    return classic(path, order=">")


def written_big(path: Path) -> Path:
    """Write a pcapng file in the other byte order."""
    return written(path, byte_order=">")


def written_snapped(path: Path) -> Path:
    """Write a capture with a snap length."""
    return written(path, snapped=True)


def opened(path: Path, **how: int) -> RunFile | str:
    """Open a file, or tell why it cannot be opened."""
    try:
        return open_run(path, **how)
    except InputError as error:
        return str(error)


def same(one: RunFile, other: RunFile) -> None:
    """Compare two readings of one file."""
    assert list(one.frames) == list(other.frames)
    assert len(one.frames) == len(other.frames)
    assert one.interfaces == other.interfaces
    assert one.statistics == other.statistics
    assert one.incomplete == other.incomplete
    assert one.run is None


@pytest.mark.parametrize("make", [written, written_big, written_snapped, classic, classic_big])
def test_reading_anew_finds_the_same(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """Open one file held in memory, and not held."""
    path = make(tmp_path / "capture")
    anew = open_run(path, held_octets=0)
    assert isinstance(anew.frames, FrameFile)
    same(anew, open_run(path))
    assert anew.frames[3] == open_run(path).frames[3]
    assert anew.frames[-1].number == COUNT
    assert [frame.number for frame in anew.frames[5:8]] == [6, 7, 8]
    assert [frame.number for frame in anew.frames[2::-1]] == [3, 2, 1]
    with pytest.raises(IndexError, match="frame 50 of 50"):
        anew.frames[COUNT]


@pytest.mark.parametrize("make", [written, written_big, classic])
def test_any_cut_is_told_alike(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """Cut a file at every octet near its end and its beginning."""
    whole = make(tmp_path / "capture").read_bytes()
    cut = tmp_path / "cut"
    for length in (*range(1, 300), *range(len(whole) - 150, len(whole))):
        cut.write_bytes(whole[:length])
        held, anew = opened(cut), opened(cut, held_octets=0)
        if isinstance(held, RunFile) and isinstance(anew, RunFile):
            same(anew, held)
        else:
            assert anew == held


@pytest.mark.parametrize("make", [written, classic])
def test_chunks_may_end_anywhere(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in chunks of every small size."""
    whole = make(tmp_path / "capture").read_bytes()
    reader: type[Reader | PcapReader] = PcapReader if make is classic else Reader
    expected = [one for one in reader(BytesIO(whole), "x") if isinstance(one, Packet)]
    for octets_at_once in (*range(1, 80), READ_OCTETS):
        monkeypatch.setattr("mpwire.capture.reader.READ_OCTETS", octets_at_once)
        made = PcapBatchReader if make is classic else BatchReader
        found = [
            batch.packet(place)
            for batch in made(BytesIO(whole), "x").batches()
            for place in range(len(batch))
        ]
        assert [(one.data, one.time_ns, one.interface.name) for one in found] == [
            (one.data, one.time_ns, one.interface.name) for one in expected
        ]


def test_a_damaged_block_is_named(tmp_path: Path) -> None:
    """Let a block end in another length than it begins with."""
    path = written(tmp_path / "capture")
    whole = bytearray(path.read_bytes())
    whole[-4] ^= 4
    path.write_bytes(whole)
    with pytest.raises(InputError, match="ends in"):
        open_run(path, held_octets=0)


def test_a_pipe_is_read_again(tmp_path: Path) -> None:
    """Read from a pipe what is larger than what is held."""
    whole = written(tmp_path / "capture").read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(whole,))
    feeder.start()
    run = open_run(pipe, held_octets=0)
    feeder.join()
    assert isinstance(run.frames, FrameFile)
    first, second = iter(run.frames), iter(run.frames)
    assert [next(first) for _ in range(9)] == [next(second) for _ in range(9)]
    assert list(run.frames) == list(open_run(tmp_path / "capture").frames)
    assert isinstance(open_run(tmp_path / "capture").frames, list)
