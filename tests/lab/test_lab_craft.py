"""Frames of the switch, held to Scapy's reading of them."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether

from mpwire.lab.craft import (
    ECHO_IDENTIFIER,
    SWITCH_MAC,
    answer_resolution,
    checksum,
    echo_reply_nonce,
    echo_request,
    echo_request_nonce,
)

MAC = bytes.fromhex("020000000002")
PEER = bytes.fromhex("020000000003")
ASKER = "02:00:00:00:00:02"
MACS = {ip_address("10.77.0.3").packed: PEER, ip_address("fd77::3").packed: PEER}


def is_canonical(frame: bytes) -> bool:
    """Have Scapy compute every checksum and length anew and compare."""
    packet = Ether(frame)
    for layer in (IP, ICMP, ICMPv6EchoRequest, ICMPv6ND_NA):
        if layer in packet:
            for name in ("chksum", "cksum", "len"):
                if name in packet[layer].fields:
                    del packet[layer].fields[name]
    if IPv6 in packet:
        del packet[IPv6].plen
    return bytes(packet) == frame


@pytest.mark.parametrize("address", ["10.77.0.2", "fd77::2"])
def test_an_echo_request_is_well_formed(address: str) -> None:
    frame = echo_request(MAC, ip_address(address), 77)
    packet = Ether(frame)
    assert (packet.dst, packet.src) == (ASKER, SWITCH_MAC.hex(":"))
    assert is_canonical(frame)
    echo = packet[ICMP] if ICMP in packet else packet[ICMPv6EchoRequest]
    assert (echo.type, echo.id) == (128 if ":" in address else 8, ECHO_IDENTIFIER)


@pytest.mark.parametrize("options", [[], [b"\x94\x04\x00\x00"]])
def test_the_nonce_of_a_reply_is_found_behind_ipv4_options(options: list[bytes]) -> None:
    request = Ether(echo_request(MAC, ip_address("10.77.0.2"), 1 << 40))
    header = IP(src="10.77.0.2", dst="192.0.0.8", options=options)
    reply = header / ICMP(type=0, id=ECHO_IDENTIFIER) / bytes(request[ICMP].payload)
    frame = bytes(Ether(dst=SWITCH_MAC.hex(":"), src=ASKER) / reply)
    assert echo_reply_nonce(frame) == 1 << 40
    assert echo_reply_nonce(bytes(request)) is None


def test_the_nonce_of_an_ipv6_reply_is_found() -> None:
    echo = ICMPv6EchoReply(id=ECHO_IDENTIFIER, data=(9).to_bytes(8, "big"))
    ethernet = Ether(dst=SWITCH_MAC.hex(":"), src=ASKER)
    frame = bytes(ethernet / IPv6(src="fd77::2", dst="100::8") / echo)
    assert echo_reply_nonce(frame) == 9
    stranger = echo.copy()
    stranger.id = 1
    assert echo_reply_nonce(bytes(ethernet / IPv6() / stranger)) is None
    assert echo_reply_nonce(frame[:60]) is None


@given(st.binary(max_size=100))
def test_no_octets_make_the_readers_fail(octets: bytes) -> None:
    assert echo_reply_nonce(SWITCH_MAC + octets) is None
    for kind in (b"\x08\x06", b"\x86\xdd", b"\x08\x00"):
        frame = SWITCH_MAC + MAC + kind + octets
        echo_reply_nonce(frame)
        assert answer_resolution(frame, MACS) is None


def test_arp_is_answered_for_a_known_address_only() -> None:
    ethernet = Ether(dst="ff:ff:ff:ff:ff:ff", src=ASKER)
    ask = ARP(op=1, hwsrc=ASKER, psrc="10.77.0.2", pdst="10.77.0.3")
    answer = answer_resolution(bytes(ethernet / ask), MACS)
    assert answer is not None
    packet = Ether(answer)
    assert (packet.dst, packet.src) == (ASKER, PEER.hex(":"))
    assert (packet[ARP].op, packet[ARP].hwsrc, packet[ARP].psrc) == (2, PEER.hex(":"), "10.77.0.3")
    assert (packet[ARP].hwdst, packet[ARP].pdst) == (ASKER, "10.77.0.2")
    ask.pdst = "10.77.0.4"
    assert answer_resolution(bytes(ethernet / ask), MACS) is None
    gratuitous = ARP(op=1, hwsrc=ASKER, psrc="10.77.0.3", pdst="10.77.0.3")
    assert answer_resolution(bytes(ethernet / gratuitous), MACS) is None


def test_a_neighbour_solicitation_is_answered_for_a_known_address_only() -> None:
    ethernet = Ether(dst="33:33:ff:00:00:03", src=ASKER)
    option = ICMPv6NDOptSrcLLAddr(lladdr=ASKER)
    address = IPv6(src="fd77::2", dst="ff02::1:ff00:3")
    answer = answer_resolution(
        bytes(ethernet / address / ICMPv6ND_NS(tgt="fd77::3") / option), MACS
    )
    assert answer is not None
    packet = Ether(answer)
    assert (packet.dst, packet[IPv6].dst, packet[IPv6].hlim) == (ASKER, "fd77::2", 255)
    advertisement = packet[ICMPv6ND_NA]
    assert (advertisement.tgt, advertisement.S, advertisement.O) == ("fd77::3", 1, 1)
    assert packet[ICMPv6NDOptDstLLAddr].lladdr == PEER.hex(":")
    assert is_canonical(answer)
    unknown = ethernet / address / ICMPv6ND_NS(tgt="fd77::4") / option
    assert answer_resolution(bytes(unknown), MACS) is None
    detection = ethernet / IPv6(src="::", dst="ff02::1:ff00:3") / ICMPv6ND_NS(tgt="fd77::3")
    assert answer_resolution(bytes(detection), MACS) is None


def test_the_checksum_is_that_of_the_rfc() -> None:
    """Source: the example of RFC 1071 section 3, whose sum is ddf2."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF
    assert checksum(b"\1") == 0x0100 ^ 0xFFFF


@pytest.mark.parametrize("address", ["10.77.0.2", "fd77::2"])
def test_the_nonce_of_a_request_is_found(address: str) -> None:
    frame = echo_request(MAC, ip_address(address), 77)
    assert echo_request_nonce(frame) == 77
    assert echo_reply_nonce(frame) is None
    assert echo_request_nonce(frame[:6] + bytes(6) + frame[12:]) is None
    assert echo_request_nonce(frame[:13]) is None
