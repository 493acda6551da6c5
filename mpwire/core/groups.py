"""Multicast groups: which addresses they are, and what a session without a root is called."""

from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final

from mpwire.core.address import Address, parse_host

SSM_IPV4: Final = IPv4Network("232.0.0.0/8")
SSM_IPV6_TOP: Final = 0xFF3
"""First twelve bits of the source-specific groups of IPv6, ff3x::/32 (RFC 4607)."""


def is_group_host(host: str) -> bool:
    """Tell whether a host is a multicast group."""
    return parse_host(host).is_multicast


def is_source_specific(host: str) -> bool:
    """Tell whether a group has to be joined for one source (RFC 4607)."""
    address = parse_host(host)
    if isinstance(address, IPv4Address):
        return address in SSM_IPV4
    return int(address) >> 116 == SSM_IPV6_TOP


@dataclass(slots=True, frozen=True)
class SessionName:
    """The names that everybody derives from the address of a nonrooted session."""

    session_id: int
    group_tag: int
    """Destination Tag of everything that is sent to the group."""


def session_name(group: Address, name: str = "") -> SessionName:
    """Derive Session ID and GroupTag of a nonrooted session (protocol.md 21.1).

    Layout:
        SHA-256 over "mpw1", AF (8: 4 or 6), the group's octets, the port (16), the name (UTF-8);
        octets 0-7 are the Session ID, 8-15 the GroupTag.
    """
    host = parse_host(group[0])
    text = b"mpw1" + bytes([host.version]) + host.packed + group[1].to_bytes(2) + name.encode()
    digest = sha256(text).digest()
    return SessionName(int.from_bytes(digest[:8]), int.from_bytes(digest[8:16]))


def default_group(session_id: int, family: int, *, specific: bool) -> str:
    """Return the group of a rooted session whose application names none (protocol.md 11.6).

    It is taken from the low bits of the Session ID: 239.255.x.y, ff15::x:y and, source-specific,
    232.128+.x.y and ff35::8000:0 to ff35::ffff:ffff (RFC 2365 section 6.1, RFC 4607 section 1).
    """
    if family == 4 and specific:
        return str(IPv4Address(0xE8800000 | session_id & 0x7FFFFF))
    if family == 4:
        return str(IPv4Address(0xEFFF0000 | session_id & 0xFFFF))
    if specific:
        return str(IPv6Address(0xFF35 << 112 | 0x80000000 | session_id & 0x7FFFFFFF))
    return str(IPv6Address(0xFF15 << 112 | session_id & 0xFFFFFFFF))
