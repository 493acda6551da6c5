"""The writer refuses what no reader takes; everything else it writes is read back."""

from io import BytesIO
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.pcapng import (
    Block,
    Custom,
    Interface,
    Packet,
    Reader,
    Section,
    Statistics,
    Writer,
)
from mpwire.errors import LocalProtocolError


def read(data: bytes) -> list[Block]:
    """Read a file that is whole."""
    reader = Reader(BytesIO(data), "file")
    blocks = list(reader)
    assert reader.lost == []
    return blocks


@pytest.mark.parametrize("order", ["<", ">"])
def test_everything_written_is_read(order: Literal["<", ">"]) -> None:
    stream = BytesIO()
    writer = Writer(stream, application="a", byte_order=order, comments=["one", "two"])
    writer.interface("x", linktype=101, snaplen_octets=96, description="port 1")
    writer.interface(
        "y", mac="02:00:00:00:00:01", addresses=["10.0.0.1/24", "fd00::1/64", "10.0.0.9"]
    )
    writer.packet(1, b"123", 5)
    writer.packet(1, b"", 6, direction="in", packetid=1)
    writer.packet(0, b"4", 7, direction="out")
    writer.packet(0, b"4", 7, packetid=3)
    writer.statistics(
        1, 2**40, received_count=4, dropped_count=2, os_dropped_count=1, comments=["c"]
    )
    writer.statistics(0, 8)
    writer.custom(32473, b"12345")
    section, x, y, *packets, counted, silent, custom = read(stream.getvalue())
    assert section == Section(byte_order=order, application="a", comments=("one", "two"))
    assert isinstance(x, Interface)
    assert isinstance(y, Interface)
    assert (x.name, x.linktype, x.snaplen_octets, x.description) == ("x", 101, 96, "port 1")
    assert (y.index, y.name, y.linktype) == (1, "y", 1)
    seen = [
        (p.interface.name, p.data, p.time_ns, p.direction, p.packetid)
        for p in packets
        if isinstance(p, Packet)
    ]
    assert seen == [
        ("y", b"123", 5, None, None),
        ("y", b"", 6, "in", 1),
        ("x", b"4", 7, "out", None),
        ("x", b"4", 7, None, 3),
    ]
    assert isinstance(counted, Statistics)
    assert (counted.received_count, counted.dropped_count, counted.os_dropped_count) == (4, 2, 1)
    assert (counted.time_ns, counted.comments, counted.interface) == (2**40, ("c",), y)
    assert isinstance(silent, Statistics)
    assert silent.received_count is silent.dropped_count is silent.os_dropped_count is None
    assert isinstance(custom, Custom)
    assert (custom.pen, custom.payload, custom.copied) == (32473, b"12345\0\0\0", True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"interface": 1}, "interface 1 was never described"),
        ({"interface": -1}, "interface -1 was never described"),
        ({"time_ns": -1}, "a stamp of -1 ns"),
        ({"time_ns": 2**64}, "a stamp of 18446744073709551616 ns"),
        ({"data": bytes(64 * 1024 * 1024)}, "a packet of 67108864 octets is no packet"),
        ({"comments": ["x" * 65536]}, "option 1 holds 65536 octets"),
    ],
)
def test_writer_refuses_what_no_reader_takes(arguments: dict[str, Any], why: str) -> None:
    stream = BytesIO()
    writer = Writer(stream)
    writer.interface("r1")
    before = stream.getvalue()
    usual: dict[str, Any] = {"interface": 0, "data": b"", "time_ns": 0}
    with pytest.raises(LocalProtocolError, match=why):
        writer.packet(**(usual | arguments))
    assert stream.getvalue() == before


@pytest.mark.parametrize(
    "arguments",
    [{"mac": "xx"}, {"addresses": ["10.0.0"]}, {"snaplen_octets": -1}, {"linktype": 70000}],
)
def test_writer_refuses_interfaces_that_make_no_sense(arguments: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match="interface 'r1'"):
        Writer(BytesIO()).interface("r1", **arguments)


def test_writer_refuses_blocks_no_reader_takes() -> None:
    with pytest.raises(LocalProtocolError, match="a block of 67108880 octets"):
        Writer(BytesIO()).custom(1, bytes(64 * 1024 * 1024))


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
packets = st.tuples(
    st.integers(0, 1),
    st.binary(max_size=70),
    st.integers(0, 2**64 - 1),
    st.sampled_from(["in", "out", None]),
    st.none() | st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.lists(texts, max_size=3),
)


@given(st.sampled_from(["<", ">"]), st.lists(packets, max_size=5))
def test_round_trip(order: Literal["<", ">"], sent: list[Any]) -> None:
    stream = BytesIO()
    writer = Writer(stream, byte_order=order)
    writer.interface("a")
    writer.interface("b", linktype=0)
    for interface, data, time_ns, direction, packetid, original, comments in sent:
        writer.packet(
            interface,
            data,
            time_ns,
            direction=direction,
            packetid=packetid,
            original_octets=original,
            comments=comments,
        )
    got = [
        (
            p.interface.index,
            p.data,
            p.time_ns,
            p.direction,
            p.packetid,
            p.original_octets,
            list(p.comments),
        )
        for p in read(stream.getvalue())
        if isinstance(p, Packet)
    ]
    assert got == sent
