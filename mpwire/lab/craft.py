"""The few frames that the switch makes itself: echo requests, and answers of ARP and ND.

The switch has a link address of its own and, towards each host, one IPv4 and one IPv6 address
that no LAN uses, so that a host can answer an echo whatever addresses it has.
"""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

SWITCH_MAC = bytes.fromhex("026d70770000")
SWITCH_IPV4 = IPv4Address("192.0.0.8")
"""The IPv4 dummy address (Source: RFC 7600): a source for ICMP, never an address of anybody."""
SWITCH_IPV6 = IPv6Address("100::8")
"""In the discard-only prefix (Source: RFC 6666), which no network routes."""
SWITCH_SPACING = 16
"""Between the switch's addresses towards one router's ports, of which each has its own."""

ECHO_IDENTIFIER = 0x6D70
NONCE_OCTETS = 8

_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_ICMP, _ICMPV6 = 1, 58


def checksum(octets: bytes) -> int:
    """Compute the Internet checksum (Source: RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _ethernet(destination: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    return destination + source + struct.pack("!H", kind) + payload


def _icmpv6(source: Address, destination: Address, message: bytes) -> bytes:
    """Layout: IPv6 header of 40 octets, hop limit 255, then the message with its checksum."""
    pseudo = source.packed + destination.packed + struct.pack("!II", len(message), _ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), _ICMPV6, 255)
    return header + source.packed + destination.packed + message


def switch_address(version: int, place: int) -> Address:
    """Give the switch's address towards the port of a node that stands there, from 0."""
    return (SWITCH_IPV4 if version == 4 else SWITCH_IPV6) + SWITCH_SPACING * place


def echo_request(mac: bytes, address: Address, nonce: int, place: int = 0) -> bytes:
    """Build an echo request from the switch to a host, with the nonce as its data."""
    source = switch_address(address.version, place)
    data = nonce.to_bytes(NONCE_OCTETS, "big")
    echo = struct.pack("!HH", ECHO_IDENTIFIER, nonce & 0xFFFF) + data
    if isinstance(address, IPv6Address):
        message = struct.pack("!BBH", 128, 0, 0) + echo
        return _ethernet(mac, SWITCH_MAC, _IPV6, _icmpv6(source, address, message))
    message = struct.pack("!BBH", 8, 0, 0) + echo
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP, 0)
    header += source.packed + address.packed
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return _ethernet(mac, SWITCH_MAC, _IPV4, header + message)


def echo_reply_nonce(frame: bytes) -> int | None:
    """Return the nonce of an echo reply to the switch, None for any other frame."""
    return _nonce(frame, 0, 129) if frame[:6] == SWITCH_MAC else None


def echo_request_nonce(frame: bytes) -> int | None:
    """Return the nonce of an echo request of the switch, None for any other frame."""
    return _nonce(frame, 8, 128) if frame[6:12] == SWITCH_MAC else None


def _nonce(frame: bytes, of_icmp: int, of_icmpv6: int) -> int | None:
    if len(frame) < 14:
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _IPV4 and len(frame) >= 34 and frame[23] == _ICMP:
        message, wanted = frame[14 + 4 * (frame[14] & 0xF) :], of_icmp
    elif kind == _IPV6 and len(frame) >= 54 and frame[20] == _ICMPV6:
        message, wanted = frame[54:], of_icmpv6
    else:
        return None
    if len(message) < 8 + NONCE_OCTETS or message[0] != wanted:
        return None
    if struct.unpack_from("!H", message, 4)[0] != ECHO_IDENTIFIER:
        return None
    return int.from_bytes(message[8 : 8 + NONCE_OCTETS], "big")


def answer_resolution(frame: bytes, macs: Mapping[bytes, bytes]) -> bytes | None:
    """Answer an ARP request or a neighbour solicitation for a known address.

    Args: macs: link address by packed IP address.
    Returns: the answer, or None when the frame asks nothing that we know.
    """
    if len(frame) < 42:
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _ARP:
        return _answer_arp(frame, macs)
    if kind == _IPV6 and len(frame) >= 78 and frame[20] == _ICMPV6 and frame[54] == 135:
        return _answer_solicitation(frame, macs)
    return None


def _answer_arp(frame: bytes, macs: Mapping[bytes, bytes]) -> bytes | None:
    """Layout: Ethernet, then hardware 1, protocol 0x800, lengths 6 4, operation, sha spa tha tpa.

    Source: RFC 826
    """
    asker, asker_ip, wanted = frame[22:28], frame[28:32], frame[38:42]
    mac = macs.get(wanted)
    if frame[14:22] != b"\0\1\x08\0\6\4\0\1" or mac is None or asker_ip == wanted:
        return None
    body = b"\0\1\x08\0\6\4\0\2" + mac + wanted + asker + asker_ip
    return _ethernet(asker, mac, _ARP, body)


def _answer_solicitation(frame: bytes, macs: Mapping[bytes, bytes]) -> bytes | None:
    """Layout: Ethernet, IPv6, then type 135, code, checksum, reserved 32, target 128, options.

    Source: RFC 4861 sections 4.3 and 4.4
    """
    asker, wanted = IPv6Address(frame[22:38]), frame[62:78]
    mac = macs.get(wanted)
    if mac is None or asker.is_unspecified or asker.packed == wanted:
        return None
    solicited_override = 0x6000_0000
    message = struct.pack("!BBHI", 136, 0, 0, solicited_override) + wanted + b"\x02\x01" + mac
    return _ethernet(frame[6:12], mac, _IPV6, _icmpv6(IPv6Address(wanted), asker, message))
