"""Numbers of link, network and transport headers, and the short names frames are called by.

Source: tcpdump.org/linktypes.html; IANA's registries of EtherTypes, protocol numbers and ICMP.
"""

from enum import IntEnum
from typing import Final


class LinkType(IntEnum):
    """LINKTYPE_ numbers that `decode_frame` decodes."""

    NULL = 0
    """BSD loopback, family in the capturing machine's byte order."""
    ETHERNET = 1
    RAW_BSD = 12
    """Raw IP as some systems number it."""
    RAW_OPENBSD = 14
    RAW = 101
    """Raw IP, either version."""
    LOOP = 108
    """OpenBSD loopback, family in network byte order."""
    LINUX_SLL = 113
    """Linux "any" device."""
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276
    """Linux "any" device with interface numbers."""


LINKTYPES: Final[dict[int, str]] = {
    9: "ppp",
    105: "802.11",
    127: "802.11 radiotap",
    189: "usb",
    195: "802.15.4",
}

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_IPV6: Final = 0x86DD
VLAN_TAGS: Final = frozenset((0x8100, 0x88A8, 0x9100))
ETHERTYPES: Final[dict[int, str]] = {
    0x8847: "mpls",
    0x8863: "pppoe discovery",
    0x8864: "pppoe session",
    0x888E: "802.1x",
    0x88CC: "lldp",
    0x88F7: "ptp",
}
ARP_OPERATIONS: Final[dict[int, str]] = {1: "request", 2: "reply"}
NULL_FAMILIES: Final[dict[int, int]] = {
    2: ETHERTYPE_IPV4,
    10: ETHERTYPE_IPV6,  # AF_INET6 of Linux, 24 of NetBSD, 28 of FreeBSD, 30 of macOS
    24: ETHERTYPE_IPV6,
    28: ETHERTYPE_IPV6,
    30: ETHERTYPE_IPV6,
}

PROTOCOL_ICMP: Final = 1
PROTOCOL_IGMP: Final = 2
PROTOCOL_UDP: Final = 17
PROTOCOL_FRAGMENT: Final = 44
PROTOCOL_AH: Final = 51
PROTOCOL_ICMPV6: Final = 58
IP_PROTOCOLS: Final[dict[int, str]] = {
    PROTOCOL_ICMP: "icmp",
    PROTOCOL_IGMP: "igmp",
    4: "ipv4 in ip",
    6: "tcp",
    PROTOCOL_UDP: "udp",
    41: "ipv6 in ip",
    47: "gre",
    50: "esp",
    PROTOCOL_ICMPV6: "icmpv6",
    59: "no next header",
    89: "ospf",
    103: "pim",
    112: "vrrp",
    132: "sctp",
}
EXTENSION_HEADERS: Final[dict[int, str]] = {
    0: "hop-by-hop options",
    43: "routing header",
    PROTOCOL_FRAGMENT: "fragment header",
    PROTOCOL_AH: "authentication header",
    60: "destination options",
    135: "mobility header",
    139: "hip header",
    140: "shim6 header",
}

ICMP_TYPES: Final[dict[int, str]] = {
    0: "echo reply",
    3: "unreachable",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
    12: "parameter problem",
}
ICMPV6_TYPES: Final[dict[int, str]] = {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "mld query",
    131: "mld report",
    132: "mld done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    137: "redirect",
    143: "mld version 2 report",
}

# (type, code) -> what cannot be reached, in the same words for both families; code -1: any other
UNREACHABLE_CODES: Final[dict[tuple[int, int], str]] = {
    (3, 0): "net",
    (3, 1): "host",
    (3, 2): "protocol",
    (3, 3): "port",
    (3, 4): "too big",
    (3, 6): "net",
    (3, 7): "host",
    (3, 9): "prohibited",
    (3, 10): "prohibited",
    (3, 13): "prohibited",
    (3, -1): "unreachable",
    (11, -1): "time exceeded",
    (12, -1): "parameter problem",
}
UNREACHABLE_CODES_V6: Final[dict[tuple[int, int], str]] = {
    (1, 0): "net",
    (1, 1): "prohibited",
    (1, 3): "host",
    (1, 4): "port",
    (1, -1): "unreachable",
    (2, -1): "too big",
    (3, -1): "time exceeded",
    (4, -1): "parameter problem",
}
