"""pcapng, read and written, against vectors assembled by hand from the specification.

A vector that our own writer printed would prove nothing: these were put together on paper.
"""

import struct
from io import BytesIO
from typing import Literal

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
from mpwire.errors import InputError

# type, length, magic, version 1.0, section length -1, length
SECTION_LE = "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"
SECTION_BE = "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c"
# Ethernet, no snap length, if_name "r1", if_tsresol 9
INTERFACE_LE = (
    "01000000 28000000 0100 0000 00000000 0200 0200 72310000 0900 0100 09000000 00000000 28000000"
)
INTERFACE_BE = (
    "00000001 00000028 0001 0000 00000000 0002 0002 72310000 0009 0001 09000000 00000000 00000028"
)
# Ethernet, snap length 64, no options: microseconds
PLAIN_INTERFACE_LE = "01000000 14000000 0100 0000 40000000 14000000"
# interface 0, 10^18 + 1 ns, 3 of 5 octets, opt_comment "hi", epb_flags outbound, epb_packetid 7
PACKET_LE = (
    "06000000 44000000 00000000 b3b6e00d 010064a7 03000000 05000000 a1b2c300"
    "0100 0200 68690000 0200 0400 02000000 0500 0800 0700000000000000 00000000 44000000"
)
PACKET_BE = (
    "00000006 00000044 00000000 0de0b6b3 a7640001 00000003 00000005 a1b2c300"
    "0001 0002 68690000 0002 0004 00000002 0005 0008 0000000000000007 00000000 00000044"
)
UNKNOWN_LE = "ef0b0000 10000000 deadbeef 10000000"


def octets(*parts: str) -> bytes:
    """Put hexadecimal vectors together."""
    return bytes.fromhex(" ".join(parts))


def read(data: bytes) -> list[Block]:
    """Read a file that is whole."""
    reader = Reader(BytesIO(data), "file")
    blocks = list(reader)
    assert reader.lost == []
    return blocks


def packet_of(*parts: str) -> Packet:
    """Read a file whose last block is a packet."""
    packet = read(octets(*parts))[-1]
    assert isinstance(packet, Packet)
    return packet


def interface_block(options: str) -> str:
    """Build a little-endian interface block with the given options."""
    length = struct.pack("<I", 20 + len(bytes.fromhex(options))).hex()
    return f"01000000 {length} 0100 0000 00000000 {options} {length}"


def packet_block(options: str) -> str:
    """Build a little-endian packet block of one octet with the given options."""
    length = struct.pack("<I", 36 + len(bytes.fromhex(options))).hex()
    head = f"06000000 {length} 00000000 00000000 01000000 01000000 01000000"
    return f"{head} ff000000 {options} {length}"


@pytest.mark.parametrize(
    ("order", "vector"),
    [
        ("<", octets(SECTION_LE, INTERFACE_LE, PACKET_LE)),
        (">", octets(SECTION_BE, INTERFACE_BE, PACKET_BE)),
    ],
)
def test_one_packet_in_either_byte_order(order: Literal["<", ">"], vector: bytes) -> None:
    section, interface, packet = read(vector)
    assert section == Section(byte_order=order)
    assert isinstance(interface, Interface)
    assert (interface.name, interface.linktype, interface.units_per_second) == ("r1", 1, 10**9)
    assert packet == Packet(
        interface=interface,
        time_ns=10**18 + 1,
        data=b"\xa1\xb2\xc3",
        original_octets=5,
        direction="out",
        packetid=7,
        comments=("hi",),
        offset_octets=28 + 40,
    )


@pytest.mark.parametrize(
    ("order", "vector"),
    [("<", octets(INTERFACE_LE, PACKET_LE)), (">", octets(INTERFACE_BE, PACKET_BE))],
)
def test_writer_writes_the_vector(order: Literal["<", ">"], vector: bytes) -> None:
    stream = BytesIO()
    writer = Writer(stream, byte_order=order)
    start = stream.tell()
    writer.interface("r1")
    writer.packet(
        0,
        b"\xa1\xb2\xc3",
        10**18 + 1,
        direction="out",
        packetid=7,
        original_octets=5,
        comments=["hi"],
    )
    assert stream.getvalue()[start:] == vector


@pytest.mark.parametrize(
    ("options", "expected_ns"),
    [
        ("", 1_000),  # no option: microseconds
        ("0900 0100 00000000 00000000", 10**9),  # seconds
        ("0900 0100 03000000 00000000", 10**6),
        ("0900 0100 09000000 00000000", 1),
        ("0900 0100 0c000000 00000000", 0),  # picoseconds
        ("0900 0100 81000000 00000000", 5 * 10**8),  # 2^-1 s
        ("0900 0100 8a000000 00000000", 10**9 // 1024),
        ("0900 0100 09000000 0e00 0800 ffffffffffffffff 00000000", 1 - 10**9),
        ("0900 0100 09000000 0e00 0800 0200000000000000", 1 + 2 * 10**9),  # without an end mark
    ],
)
def test_stamps_of_any_resolution(options: str, expected_ns: int) -> None:
    packet = packet_of(SECTION_LE, interface_block(options), packet_block(""))
    assert packet.time_ns == expected_ns


@pytest.mark.parametrize(
    ("flags", "direction"), [("00", None), ("01", "in"), ("02", "out"), ("03", None), ("fe", "out")]
)
def test_direction_is_two_bits_of_the_flags(flags: str, direction: str | None) -> None:
    alone = packet_block(f"0200 0400 {flags}ff0000 00000000")
    assert packet_of(SECTION_LE, PLAIN_INTERFACE_LE, alone).direction == direction
    usual = packet_block(f"0200 0400 {flags}ff0000 0500 0800 0900000000000000 00000000")
    packet = packet_of(SECTION_LE, PLAIN_INTERFACE_LE, usual)
    assert (packet.direction, packet.packetid) == (direction, 9)


def test_options_of_usual_size_but_other_meaning() -> None:
    # 24 octets, as flags and number would be: a drop count, then an option nobody knows
    packet = packet_of(
        SECTION_LE,
        PLAIN_INTERFACE_LE,
        packet_block("0400 0800 0500000000000000 0063 0400 00000000 00000000"),
    )
    assert (packet.dropped_count, packet.packetid, packet.direction) == (5, None, None)


def test_several_comments_and_text_that_is_not_utf8() -> None:
    packet = packet_of(
        SECTION_LE, PLAIN_INTERFACE_LE, packet_block("0100 0100 61000000 0100 0200 ff620000")
    )
    assert packet.comments == ("a", "�b")


def test_interface_texts_and_nameless_interfaces() -> None:
    named = "0100 0100 63000000 0300 0200 64650000 0200 0000 00000000"  # an empty name is none
    blocks = read(octets(SECTION_LE, PLAIN_INTERFACE_LE, interface_block(named)))
    assert [b.name for b in blocks if isinstance(b, Interface)] == ["interface 0", "interface 1"]
    assert isinstance(blocks[-1], Interface)
    assert (blocks[-1].comments, blocks[-1].description) == (("c",), "de")


def test_section_texts() -> None:
    # opt_comment "c", shb_os "L", shb_userappl "t"
    options = "0100 0100 63000000 0300 0100 4c000000 0400 0100 74000000 00000000"
    head = SECTION_LE.replace("1c000000", "38000000")
    (section,) = read(octets(head[:-8], options, "38000000"))
    assert section == Section(byte_order="<", application="t", comments=("c",))


def test_simple_packet_has_no_stamp_and_obeys_the_snap_length() -> None:
    short = "03000000 14000000 02000000 a1a20000 14000000"
    packet = packet_of(SECTION_LE, PLAIN_INTERFACE_LE, short)
    assert (packet.data, packet.original_octets, packet.time_ns) == (b"\xa1\xa2", 2, None)
    cut = "03000000 50000000 00010000" + "aa" * 64 + "50000000"
    packet = packet_of(SECTION_LE, PLAIN_INTERFACE_LE, cut)
    assert (packet.data, packet.original_octets) == (b"\xaa" * 64, 256)
    packet = packet_of(SECTION_LE, INTERFACE_LE, short)
    assert packet.data == b"\xa1\xa2"


def test_obsolete_packet_block() -> None:
    def obsolete(drops: str) -> str:
        return (
            f"02000000 3c000000 0000 {drops} 00000000 05000000 01000000 02000000 ff000000"
            "0100 0100 63000000 0200 0400 01000000 6300 0000 00000000 3c000000"
        )

    packet = packet_of(SECTION_LE, PLAIN_INTERFACE_LE, obsolete("0300"))
    assert (packet.data, packet.original_octets, packet.time_ns) == (b"\xff", 2, 5000)
    assert (packet.dropped_count, packet.comments, packet.direction) == (3, ("c",), "in")
    assert packet_of(SECTION_LE, PLAIN_INTERFACE_LE, obsolete("ffff")).dropped_count == 0


def test_interface_statistics() -> None:
    # isb_starttime, which nobody here needs, then isb_ifrecv 9 and isb_osdrop 2
    options = (
        "0200 0800 0000000001000000 0400 0800 0900000000000000 0700 0800 0200000000000000 00000000"
    )
    block = f"05000000 40000000 00000000 00000000 05000000 {options} 40000000"
    statistics = read(octets(SECTION_LE, PLAIN_INTERFACE_LE, block))[-1]
    assert isinstance(statistics, Statistics)
    assert (statistics.received_count, statistics.os_dropped_count) == (9, 2)
    assert (statistics.dropped_count, statistics.time_ns) == (None, 5000)


def test_unknown_blocks_are_skipped() -> None:
    assert len(read(octets(SECTION_LE, UNKNOWN_LE, PLAIN_INTERFACE_LE, UNKNOWN_LE))) == 2


def test_custom_block_that_editors_leave_out() -> None:
    custom = read(octets(SECTION_LE, "ad0b0040 14000000 d97e0000 61626364 14000000"))[-1]
    assert custom == Custom(pen=32473, payload=b"abcd", copied=False, offset_octets=28)


def test_sections_have_their_own_byte_order_and_interfaces() -> None:
    blocks = read(
        octets(SECTION_LE, PLAIN_INTERFACE_LE, INTERFACE_LE, SECTION_BE, INTERFACE_BE, PACKET_BE)
    )
    packet = blocks[-1]
    assert isinstance(packet, Packet)
    assert (packet.interface.index, packet.interface.name) == (2, "r1")
    with pytest.raises(InputError, match=r"interface 0, but the section describes 0"):
        read(octets(SECTION_LE, INTERFACE_LE, SECTION_BE, PACKET_BE))


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        (octets("d4c3b2a1 00000000"), 0, "no pcapng section header but d4 c3 b2 a1"),
        (octets(SECTION_LE.replace("4d3c2b1a", "4d3c2b1b")), 0, "byte-order magic but 4d 3c 2b 1b"),
        (octets(SECTION_LE.replace("0100 0000", "0200 0100")), 0, "pcapng version 2.1"),
        (octets(SECTION_LE, PACKET_LE), 28, "interface 0, but the section describes 0"),
        (octets(SECTION_LE, "01000000 0b000000 00000000"), 28, "a block length of 11"),
        (octets(SECTION_LE, "01000000 0d000000 00000000"), 28, "a block length of 13"),
        (octets(SECTION_LE, "01000000 fcffffff 00000000"), 28, "a block length of 4294967292"),
        (octets(SECTION_LE, "01000000 0c000000 0c000000"), 28, "block type 1: "),
        (octets(SECTION_LE, UNKNOWN_LE[:-8], "14000000"), 28, "ends in the length 20"),
        (
            octets(SECTION_LE, PLAIN_INTERFACE_LE, PACKET_LE.replace("03000000", "ff000000")),
            48,
            "255 captured octets, but 36 are in the block",
        ),
        (octets(SECTION_LE, interface_block("0200 0900 61626364")), 28, "option 2 claims 9 octets"),
        (octets(SECTION_LE, interface_block("0900 0400 09000000")), 28, "block type 1: unpack"),
    ],
)
def test_damage_is_an_input_error_with_file_and_offset(
    data: bytes, offset: int, found: str
) -> None:
    with pytest.raises(InputError) as raised:
        read(data)
    assert str(raised.value).startswith(f"file: octet {offset}: ")
    assert found in str(raised.value)


def test_option_header_that_runs_out_of_its_block() -> None:
    # A block length is a multiple of four, so only an odd capture length leaves such a rest.
    packet = packet_block("").replace("01000000 01000000 ff", "02000000 02000000 ff")
    assert packet_of(SECTION_LE, PLAIN_INTERFACE_LE, packet).data == b"\xff\0"


def test_failing_stream_is_an_input_error() -> None:
    class Failing(BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match=r"file: octet 0: .*Input/output error"):
        list(Reader(Failing(), "file"))


def test_a_file_cut_at_any_octet_is_read_up_to_the_cut() -> None:
    whole = octets(SECTION_LE, INTERFACE_LE, PACKET_LE, UNKNOWN_LE, PACKET_LE)
    ends = [0, 28, 68, 136, 152, 220]
    assert len(whole) == ends[-1]
    everything = read(whole)
    for cut in range(len(whole)):
        reader = Reader(BytesIO(whole[:cut]), "file")
        blocks = list(reader)
        assert blocks == everything[: len(blocks)]
        if cut in ends[1:]:
            assert reader.lost == []
        elif cut:
            start = max(end for end in ends if end <= cut)
            (lost,) = reader.lost
            assert lost.startswith(f"file: octet {start}: the file was cut")
            assert f"{cut - start} are there" in lost
        else:
            assert reader.lost == ["file: the file is empty"]


def test_blocks_larger_than_one_read() -> None:
    stream = BytesIO()
    writer = Writer(stream)
    payloads = [bytes([n]) * (3_000_000 + n) for n in range(3)]
    for payload in payloads:
        writer.custom(1, payload)
    read_back = [b.payload for b in read(stream.getvalue()) if isinstance(b, Custom)]
    assert [got[: len(sent)] == sent for got, sent in zip(read_back, payloads, strict=True)] == [
        True
    ] * 3


VALID = octets(SECTION_LE, INTERFACE_LE, PLAIN_INTERFACE_LE, PACKET_LE, UNKNOWN_LE, SECTION_BE)


@given(st.binary(max_size=200))
def test_random_octets_raise_nothing_but_input_errors(data: bytes) -> None:
    for prefix in (b"", octets(SECTION_LE), octets(SECTION_BE, INTERFACE_BE)):
        try:
            list(Reader(BytesIO(prefix + data), "file"))
        except InputError as error:
            assert str(error).startswith("file: octet ")  # noqa: PT017 - either outcome is right


@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=4))
def test_damaged_files_raise_nothing_but_input_errors(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(VALID)
    for at, value in changes:
        damaged[at] = value
    try:
        list(Reader(BytesIO(bytes(damaged)), "file"))
    except InputError as error:
        assert str(error).startswith("file: octet ")  # noqa: PT017 - either outcome is right
