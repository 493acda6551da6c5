"""Frames of simulated hosts, read by the decoder of captures and by Scapy."""

from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, IPv6
from scapy.layers.l2 import Ether

from mpwire.capture.frames import Datagram, LinkType, Other, decode_frame
from mpwire.capture.groups import ALLOW_NEW, TO_EXCLUDE, TO_INCLUDE
from mpwire.lab.craft import echo_reply_nonce, echo_request
from mpwire.sim import packets

MACS = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
V4 = ("10.0.0.1", 1000), ("10.0.0.2", 2000)
V6 = ("fd00::1", 1000), ("fd00::2", 2000)


@pytest.mark.parametrize("ends", [V4, V6])
@pytest.mark.parametrize("payload", [b"", b"odd", b"x" * 1200])
def test_datagrams_are_whole(ends: tuple[tuple[str, int], tuple[str, int]], payload: bytes) -> None:
    frame = packets.udp_frame(MACS, *ends, payload, 64)
    decoded = decode_frame(LinkType.ETHERNET, frame)
    assert isinstance(decoded, Datagram)
    assert (decoded.source, decoded.destination, decoded.payload) == (*ends, payload)
    assert (decoded.checksum, decoded.df, decoded.ttl, decoded.problems) == ("ok", True, 64, ())
    assert bytes(Ether(frame)[UDP].payload) == payload


@pytest.mark.parametrize(
    ("host", "mac"), [("224.129.2.3", "01005e010203"), ("ff15::1:2", "333300010002")]
)
def test_groups_have_link_addresses(host: str, mac: str) -> None:
    assert packets.group_mac(host).hex() == mac


@pytest.mark.parametrize("ends", [V4, V6])
def test_a_closed_port_is_told(ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    sent = packets.udp_frame(MACS, *ends, b"anybody", 64)
    here = packets.packed(ends[1][0])
    decoded = decode_frame(LinkType.ETHERNET, packets.port_unreachable(MACS[::-1], sent[14:], here))
    assert isinstance(decoded, Other)
    assert decoded.unreachable is not None
    assert decoded.unreachable.meaning == "port"
    assert decoded.unreachable.quoted is not None
    assert decoded.unreachable.quoted.payload == b"anybody"


@pytest.mark.parametrize("host", ["10.0.0.1", "fd00::1"])
def test_echoes_are_answered(host: str) -> None:
    asked = echo_request(MACS[0], ip_address(host), 77)
    answer = packets.echo_reply(asked, MACS[0])
    assert answer is not None
    assert echo_reply_nonce(answer) == 77
    read = Ether(answer)
    if ":" in host:
        assert read[IPv6].src == host
        assert read.haslayer(ICMPv6EchoReply)
    else:
        assert read[IP].src == host
        assert read[ICMP].type == 0
    rebuilt = read.copy()
    for layer in (rebuilt.getlayer(ICMP), rebuilt.getlayer(ICMPv6EchoReply)):
        if layer is not None and hasattr(layer, "cksum"):
            del layer.cksum
        elif layer is not None:
            del layer.chksum
    assert bytes(rebuilt) == answer, "the checksum is right"


def test_what_is_no_echo_is_not_answered() -> None:
    assert packets.echo_reply(packets.udp_frame(MACS, *V4, b"x", 64), MACS[0]) is None
    assert packets.echo_reply(packets.udp_frame(MACS, *V6, b"x", 64), MACS[0]) is None


@pytest.mark.parametrize(("source", "group"), [("10.0.0.1", "239.1.2.3"), (None, "ff15::77")])
@pytest.mark.parametrize(
    ("kind", "origins", "joins"),
    [(TO_EXCLUDE, False, True), (TO_INCLUDE, False, False), (ALLOW_NEW, True, True)],
)
def test_reports_say_what_a_host_wants(
    source: str | None, group: str, kind: int, origins: bool, joins: bool
) -> None:
    listed = (("10.0.0.9",) if source else ("fd00::9",)) if origins else ()
    frame = packets.group_report(MACS[1], source, kind, group, listed)
    decoded = decode_frame(LinkType.ETHERNET, frame)
    assert isinstance(decoded, Other)
    (said,) = decoded.groups
    assert (said.group, said.joins, said.sources) == (group, joins, listed)
    assert not decoded.reason
