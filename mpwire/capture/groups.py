"""What hosts tell routers about groups: IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810).

A report says of a group whether the host wants it from anybody, from named sources, or no longer.
Queries are no reports and yield nothing.
"""

import struct
from collections.abc import Iterator
from ipaddress import ip_address

import msgspec

IGMP_V1_REPORT = 0x12
IGMP_V2_REPORT = 0x16
IGMP_V2_LEAVE = 0x17
IGMP_V3_REPORT = 0x22
MLD_V1_REPORT = 131
MLD_V1_DONE = 132
MLD_V2_REPORT = 143
MODE_IS_INCLUDE, MODE_IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE, ALLOW_NEW, BLOCK_OLD = range(1, 7)


class GroupReport(msgspec.Struct, kw_only=True, gc=False, frozen=True):
    """What one record of a report says of one group."""

    group: str
    """Address of the group."""
    joins: bool
    """True: the host wants it; False: no longer, or no longer from these sources."""
    sources: tuple[str, ...] = ()
    """Addresses it is wanted from; empty: from anybody."""
    states: bool = True
    """Says all that the host wants of the group; False: adds sources, or takes some away."""


def decode_igmp(body: bytes) -> tuple[GroupReport, ...]:
    """Decode what an IGMP message says of groups.

    Layout: type 1 | time 1 | checksum 2 | group 4; version 3: type 1 | 1 | checksum 2 | 2 |
    records 2 | records
    """
    if len(body) < 8:
        return ()
    if body[0] in (IGMP_V1_REPORT, IGMP_V2_REPORT, IGMP_V2_LEAVE):
        group = str(ip_address(body[4:8]))
        return (GroupReport(group=group, joins=body[0] != IGMP_V2_LEAVE),)
    return tuple(_records(body, 4)) if body[0] == IGMP_V3_REPORT else ()


def decode_mld(body: bytes) -> tuple[GroupReport, ...]:
    """Decode what an ICMPv6 message says of groups.

    Layout: type 1 | code 1 | checksum 2 | delay 2 | 2 | group 16; version 2: type 1 | 1 |
    checksum 2 | 2 | records 2 | records
    """
    kind = body[0] if body else 0
    if kind in (MLD_V1_REPORT, MLD_V1_DONE) and len(body) >= 24:
        group = str(ip_address(body[8:24]))
        return (GroupReport(group=group, joins=kind == MLD_V1_REPORT),)
    return tuple(_records(body, 16)) if kind == MLD_V2_REPORT and len(body) >= 8 else ()


def _records(body: bytes, width: int) -> Iterator[GroupReport]:
    """Yield the records of a newer report, as far as they are whole.

    Layout: type 1 | auxiliary words 1 | sources 2 | group | sources | auxiliary
    """
    (count,) = struct.unpack_from(">H", body, 6)
    at = 8
    for _ in range(count):
        if len(body) < at + 4 + width:
            return
        kind, words, sources = struct.unpack_from(">BBH", body, at)
        first = at + 4 + width
        at = first + width * sources + 4 * words
        if len(body) < at:
            return
        listed = tuple(
            str(ip_address(body[place : place + width]))
            for place in range(first, first + width * sources, width)
        )
        group = str(ip_address(body[first - width : first]))
        everybody = kind in (MODE_IS_EXCLUDE, TO_EXCLUDE)
        named = kind in (MODE_IS_INCLUDE, TO_INCLUDE, ALLOW_NEW) and bool(listed)
        yield GroupReport(
            group=group,
            joins=everybody or named,
            sources=() if everybody else listed,
            states=kind not in (ALLOW_NEW, BLOCK_OLD),
        )
