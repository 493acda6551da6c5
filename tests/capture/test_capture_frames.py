"""Link layers, VLAN tags and what is not IP, from octets assembled by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.frames import Datagram, LinkType, Other, decode_frame

MACS = "020000000002 020000000001"
# 10.0.0.1:5 -> 10.0.0.2:6, "hi", ttl 64, don't fragment; sums worked out by hand
IPV4 = "45 00 001e 0001 4000 40 11 26cc 0a000001 0a000002"
UDP = "0005 0006 000a 8363 6869"
# fd00::1:5 -> fd00::2:6, "hi", hop limit 64
IPV6 = "60000000 000a 11 40 fd00" + "00" * 13 + "01 fd00" + "00" * 13 + "02"
UDP6 = "0005 0006 000a 9d61 6869"

FOUR = Datagram(
    source=("10.0.0.1", 5),
    destination=("10.0.0.2", 6),
    payload=b"hi",
    ttl=64,
    df=True,
    checksum="ok",
    identification=1,
)
SIX = Datagram(
    source=("fd00::1", 5),
    destination=("fd00::2", 6),
    payload=b"hi",
    ttl=64,
    df=True,
    checksum="ok",
)
LINK_TYPES = sorted(LinkType)


def decode(linktype: int, *parts: str) -> Datagram | Other:
    """Decode a frame given in hexadecimal."""
    return decode_frame(linktype, bytes.fromhex(" ".join(parts)))


@pytest.mark.parametrize(
    ("linktype", "link", "expected"),
    [
        (LinkType.ETHERNET, MACS + "0800", FOUR),
        (LinkType.ETHERNET, MACS + "86dd", SIX),
        (LinkType.LINUX_SLL, "0000 0001 0006 0200000000010000 0800", FOUR),
        (LinkType.LINUX_SLL, "0000 0001 0006 0200000000010000 86dd", SIX),
        (LinkType.LINUX_SLL2, "0800 0000 00000003 0001 00 06 0200000000010000", FOUR),
        (LinkType.LINUX_SLL2, "86dd 0000 00000003 0001 00 06 0200000000010000", SIX),
        (LinkType.RAW, "", FOUR),
        (LinkType.RAW, "", SIX),
        (LinkType.RAW_BSD, "", FOUR),
        (LinkType.RAW_OPENBSD, "", SIX),
        (LinkType.IPV4, "", FOUR),
        (LinkType.IPV6, "", SIX),
        (LinkType.NULL, "02000000", FOUR),
        (LinkType.NULL, "00000002", FOUR),
        (LinkType.NULL, "1e000000", SIX),
        (LinkType.NULL, "1c000000", SIX),
        (LinkType.NULL, "18000000", SIX),
        (LinkType.LOOP, "00000002", FOUR),
        (LinkType.LOOP, "0000000a", SIX),
    ],
)
def test_link_layers(linktype: int, link: str, expected: Datagram) -> None:
    body = (IPV4, UDP) if expected is FOUR else (IPV6, UDP6)
    assert decode(linktype, link, *body) == expected


def test_padding_of_short_frames_is_no_problem() -> None:
    assert decode(1, MACS, "0800", IPV4, UDP, "00" * 16) == FOUR


@pytest.mark.parametrize(
    ("tags", "vlans"),
    [
        ("8100 2005", (5,)),
        ("88a8 0064 8100 0fff", (100, 4095)),
        ("9100 0001 9100 0002 8100 0003", (1, 2, 3)),
    ],
)
def test_vlan_tags(tags: str, vlans: tuple[int, ...]) -> None:
    tagged = decode(1, MACS, tags, "0800", IPV4, UDP)
    assert tagged.vlans == vlans
    tagged.vlans = ()
    assert tagged == FOUR
    cooked = decode(LinkType.LINUX_SLL2, tags[:4], "00" * 18, tags[4:], "0800", IPV4, UDP)
    assert cooked.vlans == vlans


def test_tagged_frames_that_are_not_udp() -> None:
    assert decode(1, MACS, "8100 0007 88cc 00") == Other(name="lldp", vlans=(7,))


@pytest.mark.parametrize(
    ("linktype", "frame", "name"),
    [
        (1, MACS + "88cc 0000", "lldp"),
        (1, MACS + "1234 0000", "ethertype 0x1234"),
        (1, MACS + "0026 4242", "802.3"),
        (LinkType.NULL, "07000000", "address family 7"),
        (105, "00", "802.11"),
        (147, "00", "linktype 147"),
    ],
)
def test_names_of_what_is_not_ip(linktype: int, frame: str, name: str) -> None:
    assert decode(linktype, frame) == Other(name=name)


@pytest.mark.parametrize(
    ("operation", "name"), [("0001", "arp request"), ("0002", "arp reply"), ("0009", "arp 9")]
)
def test_arp(operation: str, name: str) -> None:
    frame = f"{MACS} 0806 0001 0800 06 04 {operation} 020000000001 0a000001 000000000000 0a000002"
    assert decode(1, frame) == Other(name=name, source="10.0.0.1", destination="10.0.0.2")


@pytest.mark.parametrize(
    ("linktype", "frame", "reason"),
    [
        (1, "00" * 13, "ethernet header needs 14 octets, 13 are there"),
        (1, MACS + "8100 0005 08", "vlan tag needs 4 octets, 3 are there"),
        (1, MACS + "0806 00", "arp packet needs 28 octets, 1 are there"),
        (1, MACS + "0800 45", "ipv4 header needs 20 octets, 1 are there"),
        (1, MACS + "86dd 60", "ipv6 header needs 40 octets, 1 are there"),
        (LinkType.LINUX_SLL, "00" * 15, "linux cooked header needs 16 octets, 15 are there"),
        (LinkType.LINUX_SLL2, "00" * 19, "linux cooked header version 2 needs 20"),
        (LinkType.NULL, "000000", "loopback header needs 4 octets"),
        (LinkType.RAW, "", "ip header needs 1 octets, 0 are there"),
        (LinkType.RAW, "70", "ip version 7"),
    ],
)
def test_frames_that_are_too_short(linktype: int, frame: str, reason: str) -> None:
    decoded = decode(linktype, frame)
    assert isinstance(decoded, Other)
    assert decoded.name == "malformed"
    assert (decoded.reason or "").startswith(reason)


@given(st.sampled_from([*LINK_TYPES, 147]), st.binary(max_size=120))
def test_nothing_is_raised_for_random_octets(linktype: int, data: bytes) -> None:
    assert decode_frame(linktype, data) is not None


@given(
    st.sampled_from([MACS + "0800" + IPV4 + UDP, MACS + "86dd" + IPV6 + UDP6]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 80),
)
def test_nothing_is_raised_for_damaged_frames(
    frame: str, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(bytes.fromhex(frame))
    for at, value in changes:
        data[at % len(data)] = value
    assert decode_frame(1, bytes(data[:length])) is not None
