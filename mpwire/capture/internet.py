"""IP packets to UDP datagrams, ICMP errors and names of everything else.

What is wrong with the headers but leaves a datagram to judge is listed in its `problems`; what
leaves none raises `Malformed`, which `mpwire.capture.frames` turns into a value.

Layout: IP header | options or extension headers | UDP 8 | payload

Source: RFC 768, 791, 792, 1071, 4443, 8200.
"""

import struct
from collections.abc import Callable
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import Literal

import msgspec

from mpwire.capture.groups import GroupReport, decode_igmp, decode_mld
from mpwire.capture.names import (
    ARP_OPERATIONS,
    EXTENSION_HEADERS,
    ICMP_TYPES,
    ICMPV6_TYPES,
    IP_PROTOCOLS,
    PROTOCOL_AH,
    PROTOCOL_FRAGMENT,
    PROTOCOL_ICMP,
    PROTOCOL_ICMPV6,
    PROTOCOL_IGMP,
    PROTOCOL_UDP,
    UNREACHABLE_CODES,
    UNREACHABLE_CODES_V6,
)

Endpoint = tuple[str, int]
"""Address as text and port."""
Checksum = Literal["ok", "absent", "bad", "partial", "unverified"]
"""UDP checksum: right, zero, wrong, left to the adapter to complete (there is the sum of the pseudo
header), or not verifiable because octets are missing."""


class Fragment(msgspec.Struct, kw_only=True, gc=False):
    """Place of a fragment in its packet."""

    identification: int
    offset_octets: int
    more: bool
    """True for all fragments but the last."""


class Datagram(msgspec.Struct, kw_only=True, gc=False):
    """One UDP datagram."""

    source: Endpoint
    destination: Endpoint
    payload: bytes
    ttl: int
    """Time to live, or hop limit."""
    df: bool
    """Don't fragment; always True over IPv6."""
    checksum: Checksum
    identification: int = 0
    """What its sender numbered the packet; 0 over IPv6, unless it is a fragment."""
    fragment: Fragment | None = None
    """Set for the first fragment of a packet; the payload is then only the beginning."""
    cut: bool = False
    """True when octets are missing: a snap length, or a quotation in ICMP."""
    vlans: tuple[int, ...] = ()
    """VLAN identifiers, outermost first."""
    problems: tuple[str, ...] = ()
    """What the headers contradict themselves in."""


class Unreachable(msgspec.Struct, kw_only=True, gc=False):
    """What an ICMP error says, and of which datagram."""

    type: int
    code: int
    meaning: str
    """"net", "host", "port", "time exceeded", ... in both families."""
    quoted: Datagram | None
    """The beginning of the datagram it is about, when that is UDP."""
    mtu: int = 0
    """Largest packet that would have passed, when it was too big."""


class Other(msgspec.Struct, kw_only=True, gc=False):
    """A frame that is no UDP datagram."""

    name: str
    """Short name such as "arp request" or "icmp echo reply"; "malformed" with a reason."""
    source: str | None = None
    """Address, where there is one."""
    destination: str | None = None
    reason: str | None = None
    """What is wrong with a malformed frame."""
    fragment: Fragment | None = None
    unreachable: Unreachable | None = None
    """Set for ICMP errors of both families."""
    groups: tuple[GroupReport, ...] = ()
    """What IGMP and MLD reports say of groups."""
    vlans: tuple[int, ...] = ()


class Malformed(Exception):  # noqa: N818 - the decoder turns it into a value
    """The octets contradict themselves; the text says how."""


class _Packet(msgspec.Struct, gc=False):
    """An IP packet with its headers taken off."""

    source: str
    destination: str
    protocol: int
    ttl: int
    df: bool
    body: bytes
    pseudo_header: int
    """Sum of the 16-bit words of both addresses."""
    identification: int = 0
    fragment: Fragment | None = None
    cut: bool = False
    problems: tuple[str, ...] = ()


def decode_arp(data: bytes) -> Other:
    """Decode an ARP packet.

    Layout: hardware 2 | protocol 2 | lengths 1 1 | operation 2 | 6 | sender 4 | 6 | target 4
    """
    need(data, 28, "arp packet")
    operation = data[6] << 8 | data[7]
    return Other(
        name="arp " + ARP_OPERATIONS.get(operation, str(operation)),
        source=inet_ntoa(data[14:18]),
        destination=inet_ntoa(data[24:28]),
    )


_IPV4 = struct.Struct(">BBHHHBBH4s4s")


def take_off_ipv4(data: bytes, *, quoted: bool = False) -> _Packet:
    """Take off an IPv4 header and its options.

    Layout: version, length 1 | service 1 | total length 2 | identification 2 | flags, offset 2 |
    ttl 1 | protocol 1 | checksum 2 | source 4 | destination 4 | options
    """
    need(data, 20, "ipv4 header")
    first, _service, total, identification, place, ttl, protocol, _sum, source, destination = (
        _IPV4.unpack_from(data)
    )
    if first >> 4 != 4:
        raise Malformed(f"ip version {first >> 4} where 4 is announced")
    header = (first & 0x0F) * 4
    if header < 20 or total < header:
        raise Malformed(f"ipv4 header of {header} octets in a packet of {total}")
    need(data, header, "ipv4 header with options")
    problems: tuple[str, ...] = ()
    if not quoted and _sum_of(data[:header]):
        problems = ("ipv4 header checksum",)
    fragment = None
    if place & 0x3FFF:
        fragment = Fragment(
            identification=identification,
            offset_octets=(place & 0x1FFF) * 8,
            more=bool(place & 0x2000),
        )
    return _Packet(
        source=inet_ntoa(source),
        destination=inet_ntoa(destination),
        protocol=protocol,
        ttl=ttl,
        df=bool(place & 0x4000),
        body=data[header:total],
        pseudo_header=_sum_of(source + destination),
        identification=identification,
        fragment=fragment,
        cut=len(data) < total,
        problems=problems,
    )


def take_off_ipv6(data: bytes) -> _Packet:
    """Take off an IPv6 header and its extension headers.

    Layout: version, class, flow 4 | payload length 2 | next header 1 | hop limit 1 | source 16 |
    destination 16
    """
    need(data, 40, "ipv6 header")
    if data[0] >> 4 != 6:
        raise Malformed(f"ip version {data[0] >> 4} where 6 is announced")
    length, protocol, ttl = struct.unpack_from(">HBB", data, 4)
    packet = _Packet(
        source=inet_ntop(AF_INET6, data[8:24]),
        destination=inet_ntop(AF_INET6, data[24:40]),
        protocol=protocol,
        ttl=ttl,
        df=True,
        body=data[40 : 40 + length],
        pseudo_header=_sum_of(data[8:40]),
        cut=len(data) < 40 + length,
    )
    while packet.protocol in EXTENSION_HEADERS and _first(packet):
        _extension(packet)
    return packet


def _extension(packet: _Packet) -> None:
    """Take off one extension header.

    Layout: next header 1 | length 1 (in 8 octets after the first 8; AH: in 4 after the first 8;
    fragment: reserved, 8 octets) | ...
    """
    body = packet.body
    need(body, 8, EXTENSION_HEADERS[packet.protocol])
    if packet.protocol == PROTOCOL_FRAGMENT:
        place, identification = struct.unpack_from(">HI", body, 2)
        if place & 0xFFF9:  # an atomic fragment (RFC 6946) is a whole packet
            packet.identification = identification
            packet.fragment = Fragment(
                identification=identification,
                offset_octets=place & 0xFFF8,
                more=bool(place & 1),
            )
        length = 8
    elif packet.protocol == PROTOCOL_AH:
        length = (body[1] + 2) * 4
    else:
        length = (body[1] + 1) * 8
    need(body, length, EXTENSION_HEADERS[packet.protocol])
    packet.protocol = body[0]
    packet.body = body[length:]


def _first(packet: _Packet) -> bool:
    """Tell whether the transport header is in this packet, not in an earlier fragment."""
    return packet.fragment is None or packet.fragment.offset_octets == 0


def decode_transport(packet: _Packet) -> Datagram | Other:
    """Decode what an IP packet carries.

    Raises:
        Malformed: a UDP header that contradicts itself.
    """
    if not _first(packet):
        return _other(packet, f"{_protocol_name(packet.protocol)} fragment")
    if packet.protocol == PROTOCOL_UDP:
        return _udp(packet)
    if packet.protocol == PROTOCOL_IGMP:
        return _reporting(_other(packet, "igmp"), decode_igmp(packet.body))
    if packet.protocol == PROTOCOL_ICMP and packet.body:
        return _icmp(packet, ICMP_TYPES, UNREACHABLE_CODES, _ipv4_quoted)
    if packet.protocol == PROTOCOL_ICMPV6 and packet.body:
        found = _icmp(packet, ICMPV6_TYPES, UNREACHABLE_CODES_V6, take_off_ipv6)
        return _reporting(found, decode_mld(packet.body))
    return _other(packet, _protocol_name(packet.protocol))


def _reporting(found: Other, groups: tuple[GroupReport, ...]) -> Other:
    found.groups = groups
    return found


def _other(packet: _Packet, name: str) -> Other:
    return Other(
        name=name, source=packet.source, destination=packet.destination, fragment=packet.fragment
    )


def _protocol_name(protocol: int) -> str:
    return IP_PROTOCOLS.get(protocol, f"ip protocol {protocol}")


def _udp(packet: _Packet) -> Datagram:
    """Layout: source port 2 | destination port 2 | length 2 | checksum 2 | payload."""
    body = packet.body
    need(body, 8, "udp header")
    source_port, destination_port, length, checksum = struct.unpack_from(">HHHH", body)
    if length < 8:
        raise Malformed(f"udp length {length}, which is less than its header")
    problems = packet.problems
    whole = not packet.cut and packet.fragment is None
    if whole and length > len(body):
        problems += (f"udp length {length} in {len(body)} octets of ip payload",)
        whole = False
    elif whole and length < len(body):
        problems += (f"{len(body) - length} octets of ip payload after udp length {length}",)
    state: Checksum = "unverified"
    if checksum == 0:
        state = "absent"
    elif whole:
        pseudo = packet.pseudo_header + PROTOCOL_UDP + length
        if (pseudo + _sum_of(body[:length])) % 0xFFFF == 0:
            state = "ok"
        else:
            state = "bad" if (pseudo - checksum) % 0xFFFF else "partial"
    return Datagram(
        source=(packet.source, source_port),
        destination=(packet.destination, destination_port),
        payload=body[8:length],
        ttl=packet.ttl,
        df=packet.df,
        checksum=state,
        identification=packet.identification,
        fragment=packet.fragment,
        cut=packet.cut,
        problems=problems,
    )


def _icmp(
    packet: _Packet,
    types: dict[int, str],
    codes: dict[tuple[int, int], str],
    take_off: Callable[[bytes], _Packet],
) -> Other:
    """Layout: type 1 | code 1 | checksum 2 | 4 | in errors: the packet they are about."""
    kind = packet.body[0]
    name = types.get(kind)
    family = _protocol_name(packet.protocol)
    other = _other(packet, f"{family} {name}" if name else f"{family} type {kind}")
    code = packet.body[1] if len(packet.body) > 1 else 0
    meaning = codes.get((kind, code)) or codes.get((kind, -1))
    if meaning is not None:
        other.unreachable = Unreachable(
            type=kind,
            code=code,
            meaning=meaning,
            quoted=_quoted(packet.body[8:], take_off),
            mtu=int.from_bytes(packet.body[4:8]) if meaning == "too big" else 0,
        )
    return other


def _ipv4_quoted(data: bytes) -> _Packet:
    return take_off_ipv4(data, quoted=True)


def _quoted(data: bytes, take_off: Callable[[bytes], _Packet]) -> Datagram | None:
    """Decode the beginning of a datagram that an ICMP error quotes, as far as it goes."""
    try:
        packet = take_off(data)
        if packet.protocol == PROTOCOL_UDP and _first(packet):
            return _udp(packet)
    except Malformed:
        pass
    return None


def _sum_of(octets: bytes) -> int:
    """Return the one's complement sum of 16-bit words, modulo 0xFFFF: zero for a right checksum.

    2^16 is 1 modulo 0xFFFF, so the octets read as one large number have the same remainder.
    """
    number = int.from_bytes(octets, "big")
    return (number << 8 if len(octets) & 1 else number) % 0xFFFF


def need(data: bytes, octets: int, what: str) -> None:
    """Raise Malformed unless that many octets are there."""
    if len(data) < octets:
        raise Malformed(f"{what} needs {octets} octets, {len(data)} are there")
