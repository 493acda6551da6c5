"""Captured octets to UDP datagrams, whatever the link layer was.

`decode_frame` takes whatever was captured and never raises. It returns a `Datagram` when there
is one to judge, oddities listed in `problems`, and an `Other` that names everything else.
Fragments are reported, not put together: mpwire's datagrams fit every IPv6 path unfragmented.

Source: tcpdump.org/linktypes.html, IEEE 802.1Q.
"""

import struct
from collections.abc import Callable
from typing import Final

from mpwire.capture.groups import GroupReport
from mpwire.capture.internet import (
    Checksum,
    Datagram,
    Endpoint,
    Fragment,
    Malformed,
    Other,
    Unreachable,
    decode_arp,
    decode_transport,
    need,
    take_off_ipv4,
    take_off_ipv6,
)
from mpwire.capture.names import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPES,
    LINKTYPES,
    NULL_FAMILIES,
    VLAN_TAGS,
    LinkType,
)

__all__ = [
    "Checksum",
    "Datagram",
    "Endpoint",
    "Fragment",
    "GroupReport",
    "LinkType",
    "Other",
    "Unreachable",
    "decode_frame",
]


def decode_frame(linktype: int, data: bytes) -> Datagram | Other:
    """Decode one captured frame; never raise.

    Args:
        linktype: LINKTYPE_ number of the interface.
        data: the captured octets, possibly cut.
    """
    decode = _LINKS.get(linktype)
    if decode is None:
        return Other(name=LINKTYPES.get(linktype, f"linktype {linktype}"))
    try:
        return decode(data)
    except Malformed as error:
        return Other(name="malformed", reason=str(error))


def _ethernet(data: bytes) -> Datagram | Other:
    """Layout: destination 6 | source 6 | [tag 4]... | ethertype 2 | payload."""
    need(data, 14, "ethernet header")
    ethertype = data[12] << 8 | data[13]
    if ethertype not in VLAN_TAGS:
        return _network(ethertype, data[14:])
    return _tagged(ethertype, data[14:])


def _tagged(ethertype: int, data: bytes) -> Datagram | Other:
    """Take off VLAN tags, stacked or not.  Layout: priority and identifier 2 | ethertype 2."""
    vlans = []
    at = 0
    while ethertype in VLAN_TAGS:
        need(data, at + 4, "vlan tag")
        control, ethertype = struct.unpack_from(">HH", data, at)
        vlans.append(control & 0x0FFF)
        at += 4
    decoded = _network(ethertype, data[at:])
    decoded.vlans = tuple(vlans)
    return decoded


def _sll(data: bytes) -> Datagram | Other:
    """Layout: type 2 | hardware type 2 | address length 2 | address 8 | protocol 2 | payload."""
    need(data, 16, "linux cooked header")
    return _cooked(data[14] << 8 | data[15], data[16:])


def _sll2(data: bytes) -> Datagram | Other:
    """Layout: protocol 2 | reserved 2 | interface 4 | hardware type 2 | type 1 | length 1 | 8."""
    need(data, 20, "linux cooked header version 2")
    return _cooked(data[0] << 8 | data[1], data[20:])


def _cooked(protocol: int, data: bytes) -> Datagram | Other:
    return _tagged(protocol, data) if protocol in VLAN_TAGS else _network(protocol, data)


def _null(data: bytes) -> Datagram | Other:
    """Layout: address family 4, in the capturing machine's byte order | payload."""
    need(data, 4, "loopback header")
    family = min(int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big"))
    ethertype = NULL_FAMILIES.get(family)
    if ethertype is None:
        return Other(name=f"address family {family}")
    return _network(ethertype, data[4:])


def _raw(data: bytes) -> Datagram | Other:
    need(data, 1, "ip header")
    version = data[0] >> 4
    if version == 4:
        return decode_transport(take_off_ipv4(data))
    if version == 6:
        return decode_transport(take_off_ipv6(data))
    raise Malformed(f"ip version {version}")


def _network(ethertype: int, data: bytes) -> Datagram | Other:
    if ethertype == ETHERTYPE_IPV4:
        return decode_transport(take_off_ipv4(data))
    if ethertype == ETHERTYPE_IPV6:
        return decode_transport(take_off_ipv6(data))
    if ethertype == ETHERTYPE_ARP:
        return decode_arp(data)
    if ethertype < 0x0600:
        return Other(name="802.3")
    return Other(name=ETHERTYPES.get(ethertype, f"ethertype {ethertype:#06x}"))


_LINKS: Final[dict[int, Callable[[bytes], Datagram | Other]]] = {
    LinkType.ETHERNET: _ethernet,
    LinkType.NULL: _null,
    LinkType.LOOP: _null,
    LinkType.RAW: _raw,
    LinkType.RAW_BSD: _raw,
    LinkType.RAW_OPENBSD: _raw,
    LinkType.IPV4: _raw,
    LinkType.IPV6: _raw,
    LinkType.LINUX_SLL: _sll,
    LinkType.LINUX_SLL2: _sll2,
}
