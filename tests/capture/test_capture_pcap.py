"""Classic pcap: four magics, cuts and damage."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.blocks import Interface, Packet
from mpwire.capture.pcap import PcapReader
from mpwire.errors import InputError

# magic, version 2.4, zone, accuracy, snap length 64, link type 101 with a check sequence flag
HEADER_LE = "d4c3b2a1 0200 0400 00000000 00000000 40000000 65000024"
HEADER_BE = "a1b2c3d4 0002 0004 00000000 00000000 00000040 24000065"
# 1 s and 5 units, 3 of 9 octets
PACKET_LE = "01000000 05000000 03000000 09000000 a1b2c3"
PACKET_BE = "00000001 00000005 00000003 00000009 a1b2c3"


def read(data: bytes) -> tuple[list[Interface | Packet], list[str]]:
    """Read a file that may be cut."""
    reader = PcapReader(BytesIO(data), "file")
    return list(reader), reader.lost


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        (HEADER_LE + PACKET_LE, 10**9 + 5000),
        (HEADER_BE + PACKET_BE, 10**9 + 5000),
        (HEADER_LE.replace("d4c3b2a1", "4d3cb2a1") + PACKET_LE, 10**9 + 5),
        (HEADER_BE.replace("a1b2c3d4", "a1b23c4d") + PACKET_BE, 10**9 + 5),
    ],
)
def test_four_magics(text: str, time_ns: int) -> None:
    (interface, packet), lost = read(bytes.fromhex(text))
    assert lost == []
    assert isinstance(interface, Interface)
    assert (interface.name, interface.linktype, interface.snaplen_octets) == ("capture", 101, 64)
    assert packet == Packet(
        interface=interface,
        time_ns=time_ns,
        data=b"\xa1\xb2\xc3",
        original_octets=9,
        offset_octets=24,
    )


def test_cut_anywhere() -> None:
    whole = bytes.fromhex(HEADER_LE + PACKET_LE + PACKET_LE)
    everything, _ = read(whole)
    for cut in range(4, len(whole)):
        found, lost = read(whole[:cut])
        assert found == everything[: len(found)]
        assert len(found) == (cut >= 24) + max(0, (cut - 24) // 19)
        assert bool(lost) == (cut not in {24, 43})
        if lost:
            start = 0 if cut < 24 else 24 + (cut - 24) // 19 * 19
            assert lost[0].startswith(f"file: octet {start}: the file was cut")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (bytes.fromhex("00" * 24), "octet 0: no pcap magic but 00 00 00 00"),
        (
            bytes.fromhex(HEADER_LE + "00000000 00000000 ffffffff ffffffff"),
            "octet 24: a packet of 4294967295 octets",
        ),
    ],
)
def test_damage(data: bytes, found: str) -> None:
    with pytest.raises(InputError, match=f"file: {found}"):
        read(data)


@given(st.binary(max_size=100))
def test_random_octets_raise_nothing_but_input_errors(data: bytes) -> None:
    for prefix in (b"", bytes.fromhex(HEADER_LE), bytes.fromhex(HEADER_BE)):
        try:
            read(prefix + data)
        except InputError as error:
            assert str(error).startswith("file: octet ")  # noqa: PT017 - either outcome is right
