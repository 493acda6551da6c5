"""Build the frames that a simulated host sends, as Linux would build them.

Layout: Ethernet 14 | IPv4 20, or 24 with router alert, or IPv6 40 | UDP 8 or ICMP | payload

Source: RFC 768, 791, 792, 2113, 2464, 2711, 3376, 3810, 4443, 8200.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from mpwire.lab.craft import answer_resolution, checksum

__all__ = [
    "answer_resolution",
    "echo_reply",
    "group_mac",
    "group_report",
    "icmp_error",
    "packed",
    "passed_on",
    "port_unreachable",
    "resolution",
    "resolved",
    "udp_frame",
]

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
ARP: Final = 0x0806
ICMP, IGMP, UDP, ICMPV6 = 1, 2, 17, 58
HOP_BY_HOP: Final = 0
NEIGHBOUR_HOPS: Final = 255
"""What only a neighbour can send (RFC 4861)."""
ROUTER_ALERT_IPV4: Final = bytes.fromhex("94040000")
ROUTER_ALERT_IPV6: Final = bytes.fromhex("3a00050200000100")
"""The hop-by-hop header that MLD needs: router alert, padded (RFC 2711)."""
ALL_ROUTERS_IGMP: Final = "224.0.0.22"
ALL_ROUTERS_MLD: Final = "ff02::16"
QUOTED_OCTETS: Final = 548
"""An ICMP error quotes as much as fits into 576 octets (RFC 1812 4.3.2.3)."""
QUOTED_OCTETS_V6: Final = 1232
"""As much as fits into 1280 octets (RFC 4443 2.4)."""


@lru_cache(maxsize=65_536)
def packed(host: str) -> bytes:
    """Return the octets of an address."""
    return ip_address(host).packed


@lru_cache(maxsize=4096)
def group_mac(host: str) -> bytes:
    """Return the link address of a group (RFC 1112 6.4, RFC 2464 7)."""
    octets = packed(host)
    if len(octets) == 4:
        return bytes((1, 0, 0x5E, octets[1] & 0x7F)) + octets[2:]
    return b"\x33\x33" + octets[12:]


def udp_frame(
    macs: tuple[bytes, bytes],
    source: tuple[str, int],
    destination: tuple[str, int],
    payload: bytes,
    hops: int,
) -> bytes:
    """Build a UDP datagram with Don't Fragment.

    Args:
        macs: link addresses of receiver and sender.
        source: address and port.
        destination: address and port.
        payload: the datagram's octets.
        hops: time to live, or hop limit.
    """
    here, there = packed(source[0]), packed(destination[0])
    size = 8 + len(payload)
    header = struct.pack("!HHHH", source[1], destination[1], size, 0)
    pseudo = here + there + struct.pack("!II", size, UDP)
    summed = checksum(pseudo + header + payload) or 0xFFFF
    body = header[:6] + struct.pack("!H", summed) + payload
    return _ip_frame(macs, (here, there), UDP, body, hops)


def _ip_frame(
    macs: tuple[bytes, bytes],
    ends: tuple[bytes, bytes],
    protocol: int,
    body: bytes,
    hops: int,
    *,
    option: bytes = b"",
    dont_fragment: bool = True,
) -> bytes:
    """Put an IP and an Ethernet header before a body; `ends` are source and destination."""
    source, destination = ends
    if len(source) == 16:
        kind = IPV6
        following = HOP_BY_HOP if option else protocol
        header = struct.pack("!IHBB", 6 << 28, len(option) + len(body), following, hops)
        header += source + destination + option
    else:
        kind = IPV4
        words = 5 + len(option) // 4
        total, flags = 4 * words + len(body), 0x4000 if dont_fragment else 0
        header = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 0, flags, hops, protocol, 0)
        header += source + destination + option
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return macs[0] + macs[1] + struct.pack("!H", kind) + header + body


def icmp_error(
    macs: tuple[bytes, bytes], packet: bytes, here: bytes, said: tuple[int, int], told: int = 0
) -> bytes:
    """Build the ICMP error for a packet that goes no further.

    Args:
        macs: link addresses of receiver and sender.
        packet: the IP packet.
        here: address of who says so.
        said: type and code; those of ICMPv6 for an IPv6 packet.
        told: the 32 bits after the checksum, such as the MTU.
    """
    if len(here) == 16:
        there, quoted = packet[8:24], packet[:QUOTED_OCTETS_V6]
        body = struct.pack("!BBHI", *said, 0, told) + quoted
        return _ip_frame(macs, (here, there), ICMPV6, _summed_v6(here, there, body), 64)
    there, quoted = packet[12:16], packet[:QUOTED_OCTETS]
    body = struct.pack("!BBHI", *said, 0, told) + quoted
    return _ip_frame(macs, (here, there), ICMP, _summed(body), 64, dont_fragment=False)


def port_unreachable(macs: tuple[bytes, bytes], packet: bytes, here: bytes) -> bytes:
    """Build the ICMP error for a datagram that met no socket.

    Args:
        macs: link addresses of receiver and sender.
        packet: the IP packet of the datagram.
        here: the address that it was sent to.
    """
    return icmp_error(macs, packet, here, (1, 4) if len(here) == 16 else (3, 3))


def passed_on(frame: bytes, macs: tuple[bytes, bytes]) -> bytes:
    """Build what a router makes of a frame: new link addresses, one hop less.

    Args: macs: link addresses of receiver and sender.
    """
    packet = bytearray(frame[14:])
    if packet[0] >> 4 == 4:
        words = 4 * (packet[0] & 15)
        packet[8] -= 1
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:words])))
    else:
        packet[7] -= 1
    return macs[0] + macs[1] + frame[12:14] + bytes(packet)


def resolution(mac: bytes, here: str, wanted: str) -> bytes:
    """Build the question for the link address of a neighbour (RFC 826; RFC 4861 section 4.3).

    Args:
        mac: link address of who asks.
        here: its address.
        wanted: address of the neighbour.
    """
    source, target = packed(here), packed(wanted)
    if len(target) == 4:
        body = b"\0\1\x08\0\6\4\0\1" + mac + source + bytes(6) + target
        return b"\xff" * 6 + mac + struct.pack("!H", ARP) + body
    solicited = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    message = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\1\1" + mac
    macs = b"\x33\x33" + solicited[12:], mac
    body = _summed_v6(source, solicited, message)
    return _ip_frame(macs, (source, solicited), ICMPV6, body, NEIGHBOUR_HOPS)


def resolved(frame: bytes) -> tuple[bytes, bytes] | None:
    """Return the address and the link address that an ARP or ND answer tells."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == ARP and len(frame) >= 42 and frame[20:22] == b"\0\2":
        return frame[28:32], frame[22:28]
    advertised = kind == IPV6 and len(frame) >= 86 and frame[20] == ICMPV6 and frame[54] == 136
    if advertised and frame[78:80] == b"\2\1":
        return frame[62:78], frame[80:86]
    return None


def echo_reply(frame: bytes, mac: bytes) -> bytes | None:
    """Build the answer to an echo request; None for any other frame."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    macs = frame[6:12], mac
    if kind == IPV4 and len(frame) >= 42 and frame[23] == ICMP:
        body = frame[14 + 4 * (frame[14] & 15) : 14 + int.from_bytes(frame[16:18], "big")]
        if body[:1] != b"\x08":
            return None
        answer = _summed(b"\0\0\0\0" + body[4:])
        return _ip_frame(macs, (frame[30:34], frame[26:30]), ICMP, answer, 64, dont_fragment=False)
    if kind == IPV6 and len(frame) >= 62 and frame[20] == ICMPV6 and frame[54] == 128:
        here, there = frame[38:54], frame[22:38]
        body = frame[54 : 54 + int.from_bytes(frame[18:20], "big")]
        answer = _summed_v6(here, there, b"\x81\0\0\0" + body[4:])
        return _ip_frame(macs, (here, there), ICMPV6, answer, 64)
    return None


def group_report(
    mac: bytes, source: str | None, kind: int, group: str, origins: Sequence[str]
) -> bytes:
    """Build a membership report with one record.

    Args:
        mac: link address of the host.
        source: its IPv4 address; None for IPv6, which has none to use here.
        kind: of the record: 3 TO_INCLUDE, 4 TO_EXCLUDE, 5 ALLOW_NEW, 6 BLOCK_OLD.
        group: address of the group.
        origins: sources that it is wanted from.
    """
    record = struct.pack("!BBH", kind, 0, len(origins)) + packed(group)
    record += b"".join(packed(origin) for origin in origins)
    body = struct.pack("!BBHHH", 0x22 if source else 143, 0, 0, 0, 1) + record
    routers = ALL_ROUTERS_IGMP if source else ALL_ROUTERS_MLD
    macs, there = (group_mac(routers), mac), packed(routers)
    if source is not None:
        here, body = packed(source), _summed(body)
        return _ip_frame(macs, (here, there), IGMP, body, 1, option=ROUTER_ALERT_IPV4)
    body = _summed_v6(bytes(16), there, body)
    return _ip_frame(macs, (bytes(16), there), ICMPV6, body, 1, option=ROUTER_ALERT_IPV6)


def _summed(body: bytes) -> bytes:
    """Write the checksum of an ICMP or IGMP message."""
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def _summed_v6(source: bytes, destination: bytes, body: bytes) -> bytes:
    """Write the checksum of an ICMPv6 message, which covers the addresses."""
    pseudo = source + destination + struct.pack("!II", len(body), ICMPV6)
    return body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
