"""Decode what hosts tell routers about groups, as the RFCs draw it; never trip over the rest."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.igmp import IGMP, IGMPv3_MR, IGMPv3_MR_Group
from scapy.layers.inet import IP
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    IPv6,
)

from mpwire.capture.frames import GroupReport, LinkType, Other, decode_frame
from mpwire.capture.groups import decode_igmp, decode_mld

GROUP, SOURCE = "239.1.2.3", "10.0.0.1"
GROUP6, SOURCE6 = "ff15::1234", "2001:db8::1"


def framed(packet: bytes) -> Other:
    """Decode a packet without a link layer."""
    decoded = decode_frame(LinkType.RAW, packet)
    assert isinstance(decoded, Other)
    return decoded


@pytest.mark.parametrize(
    ("kind", "sources", "expected"),
    [
        (1, [SOURCE], GroupReport(group=GROUP, joins=True, sources=(SOURCE,))),
        (2, [], GroupReport(group=GROUP, joins=True)),
        (3, [], GroupReport(group=GROUP, joins=False)),
        (3, [SOURCE], GroupReport(group=GROUP, joins=True, sources=(SOURCE,))),
        (4, [SOURCE], GroupReport(group=GROUP, joins=True)),
        (5, [SOURCE], GroupReport(group=GROUP, joins=True, sources=(SOURCE,), states=False)),
        (6, [SOURCE], GroupReport(group=GROUP, joins=False, sources=(SOURCE,), states=False)),
    ],
)
def test_every_kind_of_record(kind: int, sources: list[str], expected: GroupReport) -> None:
    """Tell joining from leaving, and anybody from named sources, in both families alike."""
    report = IGMPv3_MR(records=[IGMPv3_MR_Group(rtype=kind, maddr=GROUP, srcaddrs=sources)])
    found = framed(bytes(IP(src=SOURCE, dst="224.0.0.22", proto=2) / report))
    assert (found.name, found.groups) == ("igmp", (expected,))
    sources6 = [SOURCE6] * len(sources)
    record6 = ICMPv6MLDMultAddrRec(rtype=kind, dst=GROUP6, sources=sources6)
    packet = IPv6(src=SOURCE6, dst="ff02::16") / ICMPv6MLReport2(records=[record6])
    expected6 = GroupReport(
        group=GROUP6,
        joins=expected.joins,
        sources=(SOURCE6,) if expected.sources else (),
        states=expected.states,
    )
    assert framed(bytes(packet)).groups == (expected6,)


@pytest.mark.parametrize(("kind", "joins"), [(0x12, True), (0x16, True), (0x17, False)])
def test_older_igmp(kind: int, joins: bool) -> None:
    """Decode the versions before 3."""
    packet = IP(src=SOURCE, dst=GROUP, proto=2) / IGMP(type=kind, gaddr=GROUP)
    assert framed(bytes(packet)).groups == (GroupReport(group=GROUP, joins=joins),)


@pytest.mark.parametrize(("layer", "joins"), [(ICMPv6MLReport, True), (ICMPv6MLDone, False)])
def test_older_mld(layer: type[ICMPv6MLReport], joins: bool) -> None:
    """Decode the version before 2."""
    packet = IPv6(src=SOURCE6, dst=GROUP6) / layer(mladdr=GROUP6)
    assert framed(bytes(packet)).groups == (GroupReport(group=GROUP6, joins=joins),)


def test_queries_report_nothing() -> None:
    """Take a query for no report."""
    assert decode_igmp(bytes([0x11]) + bytes(11)) == ()
    assert decode_mld(bytes([130]) + bytes(27)) == ()


def test_auxiliary_words_are_skipped() -> None:
    """Find the second record behind the auxiliary data of the first."""
    head = struct.pack("!BBHHH", 0x22, 0, 0, 0, 2)
    group = ip_address(GROUP).packed
    first = struct.pack("!BBH", 4, 1, 0) + group + b"aux!"
    second = struct.pack("!BBH", 3, 0, 0) + group
    assert [one.joins for one in decode_igmp(head + first + second)] == [True, False]


@given(st.binary(max_size=64), st.integers(0, 255))
def test_anything_may_come(rest: bytes, kind: int) -> None:
    """Decode as many records as are whole, whatever the octets claim."""
    for body in (rest, bytes([kind]) + rest):
        assert len(decode_igmp(body)) * 8 <= max(len(body), 8)
        assert len(decode_mld(body)) * 8 <= max(len(body), 8)
