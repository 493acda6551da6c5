"""IPv4, IPv6, UDP and ICMP headers from octets assembled by hand."""

import pytest

from mpwire.capture.frames import Datagram, Fragment, LinkType, Other, Unreachable, decode_frame

IPV4 = "45 00 001e 0001 4000 40 11 26cc 0a000001 0a000002"
UDP = "0005 0006 000a 8363 6869"
ADDRESSES6 = "fd00" + "00" * 13 + "01 fd00" + "00" * 13 + "02"
UDP6 = "0005 0006 000a 9d61 6869"


def decode(*parts: str) -> Datagram | Other:
    """Decode a raw IP packet given in hexadecimal."""
    return decode_frame(LinkType.RAW, bytes.fromhex(" ".join(parts)))


def datagram(*parts: str) -> Datagram:
    """Decode a packet that holds a datagram."""
    decoded = decode(*parts)
    assert isinstance(decoded, Datagram)
    return decoded


def other(*parts: str) -> Other:
    """Decode a packet that holds none."""
    decoded = decode(*parts)
    assert isinstance(decoded, Other)
    return decoded


def ipv4(total: int, protocol: int, place: int = 0x4000) -> str:
    """Build an IPv4 header; its check sum is worked out word by word, as RFC 1071 describes."""
    words = [0x4500, total, 1, place, 0x4000 | protocol, 0x0A00, 1, 0x0A00, 2]
    total_sum = sum(words)
    while total_sum >> 16:
        total_sum = (total_sum & 0xFFFF) + (total_sum >> 16)
    words.insert(5, 0xFFFF - total_sum)
    return "".join(f"{word:04x}" for word in words)


def ipv6(length: int, next_header: int) -> str:
    """Build an IPv6 header."""
    return f"60000000 {length:04x} {next_header:02x} 40 {ADDRESSES6}"


def test_the_helper_builds_the_vector() -> None:
    assert bytes.fromhex(ipv4(30, 17)) == bytes.fromhex(IPV4)


@pytest.mark.parametrize(
    ("checksum", "state"),
    [("8363", "ok"), ("0000", "absent"), ("8364", "bad"), ("ffff", "bad"), ("141e", "partial")],
)
def test_udp_checksum_over_ipv4(checksum: str, state: str) -> None:
    assert datagram(IPV4, UDP.replace("8363", checksum)).checksum == state


@pytest.mark.parametrize(
    ("checksum", "state"),
    [("9d61", "ok"), ("0000", "absent"), ("9d62", "bad"), ("fa1f", "partial")],
)
def test_udp_checksum_over_ipv6(checksum: str, state: str) -> None:
    assert datagram(ipv6(10, 17), UDP6.replace("9d61", checksum)).checksum == state


def test_udp_checksum_of_an_odd_payload_and_of_ffff() -> None:
    # 10.0.0.1:5 -> 10.0.0.2:6, "i": 0a00+0001+0a00+0002+0011+0009+0005+0006+0009+6900 = 7d31
    assert datagram(ipv4(29, 17), "0005 0006 0009 82ce 69").checksum == "ok"
    # a sum whose complement would be zero is sent as ffff: 0a00+1+0a00+2+11+a+5+6+a+ebcc = ffff
    assert datagram(ipv4(30, 17), "0005 0006 000a ffff ebcc").checksum == "ok"


def test_ipv4_options_are_taken_off() -> None:
    # router alert; header of 24 octets
    packet = datagram("46 00 0022 0001 4000 40 11 91c3 0a000001 0a000002 94040000", UDP)
    assert (packet.payload, packet.checksum, packet.problems) == (b"hi", "ok", ())


def test_ipv4_header_checksum_is_a_problem_not_a_loss() -> None:
    packet = datagram(IPV4.replace("26cc", "26cd"), UDP)
    assert (packet.payload, packet.problems) == (b"hi", ("ipv4 header checksum",))


def test_dont_fragment_is_reported() -> None:
    assert datagram(IPV4, UDP).df
    assert not datagram(ipv4(30, 17, place=0), UDP).df


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("55" + IPV4[2:], "ip version 5"),
        ("44" + IPV4[2:], "ipv4 header of 16 octets in a packet of 30"),
        ("46 00 0014" + IPV4[10:], "ipv4 header of 24 octets in a packet of 20"),
        ("4f 00 0040 0001 4000 40 11 0000 0a000001 0a000002", "ipv4 header with options needs 60"),
    ],
)
def test_malformed_ipv4(header: str, reason: str) -> None:
    packet = other(header, UDP)
    assert packet.name == "malformed"
    assert (packet.reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("ethertype", "packet", "reason"),
    [
        ("0800", "65" + IPV4[2:] + UDP, "ip version 6 where 4 is announced"),
        ("86dd", "4" + ipv6(10, 17)[1:] + UDP6, "ip version 4 where 6 is announced"),
    ],
)
def test_version_and_ethertype_disagree(ethertype: str, packet: str, reason: str) -> None:
    frame = bytes.fromhex("00" * 12 + ethertype + packet)
    assert decode_frame(LinkType.ETHERNET, frame) == Other(name="malformed", reason=reason)


@pytest.mark.parametrize(
    ("length", "payload", "problems"),
    [
        ("0009", b"h", ("1 octets of ip payload after udp length 9",)),
        ("000b", b"hi", ("udp length 11 in 10 octets of ip payload",)),
    ],
)
def test_length_mismatches(length: str, payload: bytes, problems: tuple[str, ...]) -> None:
    packet = datagram(IPV4, f"0005 0006 {length} 8363 6869")
    assert (packet.payload, packet.problems) == (payload, problems)


def test_udp_headers_that_cannot_be() -> None:
    assert other(IPV4, "0005 0006 0007 8363 6869").reason == (
        "udp length 7, which is less than its header"
    )
    assert other(ipv4(24, 17), "00050006").reason == "udp header needs 8 octets, 4 are there"


def test_a_captured_part_is_decoded_as_far_as_it_goes() -> None:
    packet = datagram(IPV4, UDP[:-2])
    assert (packet.payload, packet.cut, packet.checksum, packet.problems) == (
        b"h",
        True,
        "unverified",
        (),
    )
    packet = datagram(ipv6(10, 17), UDP6[:-2])
    assert (packet.payload, packet.cut, packet.checksum) == (b"h", True, "unverified")


def test_ipv4_fragments() -> None:
    first = datagram(ipv4(30, 17, place=0x2000), "0005 0006 0100 8363 6869")
    assert first.fragment == Fragment(identification=1, offset_octets=0, more=True)
    assert (first.payload, first.checksum, first.problems) == (b"hi", "unverified", ())
    last = other(ipv4(30, 17, place=0x0002), UDP)
    assert (last.name, last.source) == ("udp fragment", "10.0.0.1")
    assert last.fragment == Fragment(identification=1, offset_octets=16, more=False)


@pytest.mark.parametrize(
    ("next_header", "extension"),
    [
        (0, "11 00 010400000000"),
        (43, "11 00 000000000000"),
        (60, "11 01 010c" + "00" * 12),
        (51, "11 02 0000 00000001 00000001 00000000"),
        (135, "11 00 000000000000"),
        (44, "11 00 0000 00000007"),  # an atomic fragment is a whole packet
    ],
)
def test_ipv6_extension_headers(next_header: int, extension: str) -> None:
    length = 10 + len(bytes.fromhex(extension))
    packet = datagram(ipv6(length, next_header), extension, UDP6)
    assert (packet.payload, packet.checksum, packet.fragment) == (b"hi", "ok", None)


def test_ipv6_extension_headers_follow_one_another() -> None:
    packet = datagram(ipv6(26, 0), "3c 00 010400000000", "11 00 010400000000", UDP6)
    assert (packet.payload, packet.checksum) == (b"hi", "ok")


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        ("11 00 0104", "hop-by-hop options needs 8 octets, 4 are there"),
        ("11 02 010400000000", "hop-by-hop options needs 24 octets, 8 are there"),
    ],
)
def test_ipv6_extension_headers_that_overrun(extension: str, reason: str) -> None:
    assert other(ipv6(len(bytes.fromhex(extension)), 0), extension).reason == reason


def test_ipv6_fragments() -> None:
    first = datagram(ipv6(18, 44), "11 00 0001 00000007", UDP6)
    assert first.fragment == Fragment(identification=7, offset_octets=0, more=True)
    later = other(ipv6(18, 44), "11 00 0018 00000007", UDP6)
    assert later.name == "udp fragment"
    assert later.fragment == Fragment(identification=7, offset_octets=24, more=False)


@pytest.mark.parametrize(
    ("protocol", "body", "name"),
    [
        (1, "08 00 0000 0001 0001", "icmp echo request"),
        (1, "00 00 0000 0001 0001", "icmp echo reply"),
        (1, "0d 00 0000", "icmp type 13"),
        (1, "0d", "icmp type 13"),
        (1, "", "icmp"),
        (2, "16", "igmp"),
        (6, "", "tcp"),
        (200, "", "ip protocol 200"),
    ],
)
def test_names_over_ipv4(protocol: int, body: str, name: str) -> None:
    packet = other(ipv4(20 + len(bytes.fromhex(body)), protocol), body)
    assert packet == Other(name=name, source="10.0.0.1", destination="10.0.0.2")


@pytest.mark.parametrize(
    ("protocol", "body", "name"),
    [
        (58, "80 00 0000", "icmpv6 echo request"),
        (58, "81 00 0000", "icmpv6 echo reply"),
        (58, "87 00 0000", "icmpv6 neighbour solicitation"),
        (58, "8f 00 0000", "icmpv6 mld version 2 report"),
        (58, "", "icmpv6"),
        (59, "", "no next header"),
        (50, "0000", "esp"),
    ],
)
def test_names_over_ipv6(protocol: int, body: str, name: str) -> None:
    packet = other(ipv6(len(bytes.fromhex(body)), protocol), body)
    assert packet == Other(name=name, source="fd00::1", destination="fd00::2")


QUOTED = Datagram(
    source=("10.0.0.1", 5),
    destination=("10.0.0.2", 6),
    payload=b"hi",
    ttl=64,
    df=True,
    checksum="ok",
    identification=1,
)


@pytest.mark.parametrize(
    ("kind", "code", "meaning", "name"),
    [
        (3, 0, "net", "icmp unreachable"),
        (3, 1, "host", "icmp unreachable"),
        (3, 3, "port", "icmp unreachable"),
        (3, 4, "too big", "icmp unreachable"),
        (3, 13, "prohibited", "icmp unreachable"),
        (3, 15, "unreachable", "icmp unreachable"),
        (11, 0, "time exceeded", "icmp time exceeded"),
        (12, 2, "parameter problem", "icmp parameter problem"),
    ],
)
def test_icmp_errors_quote_the_datagram(kind: int, code: int, meaning: str, name: str) -> None:
    packet = other(ipv4(58, 1), f"{kind:02x} {code:02x} 0000 00000000", IPV4, UDP)
    assert packet.name == name
    assert packet.unreachable == Unreachable(type=kind, code=code, meaning=meaning, quoted=QUOTED)


def test_a_quotation_ends_where_the_router_stopped() -> None:
    # the header checksum of a quotation is of the past: routers change the time to live
    header = IPV4.replace("40 11", "01 11").replace("001e", "04b0")
    packet = other(ipv4(57, 1), "03 03 0000 00000000", header, "0005 0006 049c 8363 68")
    assert packet.unreachable is not None
    quoted = packet.unreachable.quoted
    assert quoted is not None
    assert (quoted.payload, quoted.cut, quoted.checksum) == (b"h", True, "unverified")
    assert (quoted.ttl, quoted.problems) == (1, ())


@pytest.mark.parametrize(
    "quotation",
    [
        "",
        IPV4[:20],
        IPV4 + "0005",
        IPV4.replace("40 11", "40 06") + UDP,
        ipv4(30, 17, place=2) + UDP,
    ],
)
def test_quotations_that_hold_no_datagram(quotation: str) -> None:
    total = 28 + len(bytes.fromhex(quotation))
    packet = other(ipv4(total, 1), "03 03 0000 00000000", quotation)
    assert packet.unreachable is not None
    assert packet.unreachable.quoted is None


@pytest.mark.parametrize(
    ("kind", "code", "meaning", "name"),
    [
        (1, 0, "net", "icmpv6 unreachable"),
        (1, 3, "host", "icmpv6 unreachable"),
        (1, 4, "port", "icmpv6 unreachable"),
        (1, 6, "unreachable", "icmpv6 unreachable"),
        (2, 0, "too big", "icmpv6 packet too big"),
        (3, 0, "time exceeded", "icmpv6 time exceeded"),
    ],
)
def test_icmpv6_errors_quote_the_datagram(kind: int, code: int, meaning: str, name: str) -> None:
    body = f"{kind:02x} {code:02x} 0000 00000000 {ipv6(10, 17)} {UDP6}"
    packet = other(ipv6(58, 58), body)
    assert packet.name == name
    assert packet.unreachable is not None
    assert (packet.unreachable.meaning, packet.unreachable.type) == (meaning, kind)
    assert packet.unreachable.quoted is not None
    assert packet.unreachable.quoted.destination == ("fd00::2", 6)
