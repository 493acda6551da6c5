"""Many frames at once are the same octets in the file as one after the other."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture import RunWriter, open_run
from mpwire.capture.blocks import Seen
from mpwire.capture.records import Host
from mpwire.capture.writer import Writer
from mpwire.errors import LocalProtocolError

HOSTS = ("root", "leaf1")
FRAMES = st.lists(
    st.tuples(
        st.tuples(st.sampled_from(HOSTS), st.sampled_from(["in", "out"])),
        st.binary(max_size=9),
        st.integers(0, 2**64 - 1),
    )
)


def begun(order: str) -> tuple[BytesIO, Writer, dict[str, int]]:
    """Begin a file with an interface per host."""
    stream = BytesIO()
    writer = Writer(stream, byte_order="<" if order == "little" else ">")
    return stream, writer, {name: writer.interface(name) for name in HOSTS}


@given(FRAMES, st.sampled_from(["little", "big"]), st.integers(1, 2**64 - 100))
def test_many_packets_are_written_as_one_by_one(seen: list[Seen], order: str, first: int) -> None:
    alone, writer, interfaces = begun(order)
    for number, ((host, direction), data, time_ns) in enumerate(seen, first):
        writer.packet(interfaces[host], data, time_ns, direction=direction, packetid=number)
    together, writer, interfaces = begun(order)
    writer.packets(seen, interfaces, first)
    assert together.getvalue() == alone.getvalue()


@pytest.mark.parametrize(
    "wrong",
    [
        (("root", "in"), b"", -1),
        (("root", "in"), b"", 2**64),
        (("leaf9", "in"), b"", 1),
        (("root", "in"), bytes(1 << 26), 1),
    ],
)
def test_one_that_is_wrong_keeps_all_out(wrong: Seen) -> None:
    stream, writer, interfaces = begun("little")
    before = stream.getvalue()
    with pytest.raises(LocalProtocolError):
        writer.packets([(("root", "out"), b"fine", 1), wrong], interfaces, 1)
    assert stream.getvalue() == before


def test_a_run_takes_frames_by_the_hundred(tmp_path: Path) -> None:
    with RunWriter(tmp_path, [Host(name=name, mac="", addresses=[]) for name in HOSTS]) as run:
        assert run.frames([]) == 1
        assert run.frame("root", "out", b"one", 5) == 1
        assert run.frames([(("leaf1", "in"), b"two", 7), (("root", "in"), b"three", 6)]) == 2
        assert run.frame_count == 3
        assert run.frame("root", "out", b"four", 8) == 4
    frames = open_run(tmp_path / "run.pcapng").frames
    told = [(one.number, one.vantage, one.direction, one.data, one.time_ns) for one in frames]
    assert told == [
        (1, "root", "out", b"one", 5),
        (2, "leaf1", "in", b"two", 7),
        (3, "root", "in", b"three", 6),
        (4, "root", "out", b"four", 8),
    ]


def test_frames_reach_the_file_as_their_time_goes_by(tmp_path: Path) -> None:
    run = RunWriter(tmp_path, [Host(name="root", mac="", addresses=[])])
    run.frames([(("root", "in"), b"abc", 10**9)])
    flushed = run.path.stat().st_size
    run.frames([(("root", "in"), b"abc", 10**9 + 10**8)])
    assert run.path.stat().st_size == flushed
    run.frames([(("root", "in"), b"abc", 10**9 + 10**8 + 1)])
    assert run.path.stat().st_size > flushed
    run.close()
