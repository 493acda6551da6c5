"""Requests about queues of interfaces, in the kernel's own layout: who waits, and how long.

Source: linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h, linux/gen_stats.h, tc-u32(8).
"""

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from mpwire.lab.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Request,
    attribute,
    attributes,
    dump,
    text,
    word,
)

RTM_NEWQDISC, RTM_GETQDISC, RTM_NEWTFILTER = 36, 38, 44
TCA_KIND, TCA_OPTIONS, TCA_STATS2 = 1, 2, 7
TCA_STATS_QUEUE: Final = 3
TCA_NETEM_LATENCY64: Final = 10
TCA_U32_CLASSID, TCA_U32_SEL = 1, 5
TC_H_ROOT: Final = 0xFFFF_FFFF
TC_U32_TERMINAL: Final = 1
NETEM: Final = "netem"
UDP: Final = 17
FRAGMENT: Final = 0x3FFF
"""More fragments, or an offset, in the fourth pair of octets of an IPv4 header."""
BAND_COUNT_MAX: Final = 16
"""Bands of a `prio` queue."""
PACKET_COUNT_MAX: Final = 1 << 20
"""Packets that may wait in one band: more than any testbed has under way."""

_TC: Final = struct.Struct("=B3xiIII")
"""Layout: tcmsg: family 8, interface 32, handle 32, parent 32, information 32."""
_PRIO: Final = struct.Struct("=i16x")
"""Layout: tc_prio_qopt: bands 32, band of each priority 16 times 8."""
_NETEM: Final = struct.Struct("=IIIIII")
"""Layout: tc_netem_qopt: latency 32, limit 32, loss 32, gap 32, duplicates 32, jitter 32."""
_SELECTOR: Final = struct.Struct("=BBBxHHhhI")
"""Layout: tc_u32_sel: flags 8, shift 8, keys 8, mask 16, offset 16, place of the offset 16,
place of the hash 16, mask of the hash 32."""
_KEY: Final = struct.Struct("=4s4sii")
"""Layout: tc_u32_key: mask 32, value 32, place 32, mask of the place 32."""
_QUEUE: Final = struct.Struct("=IIIII")
"""Layout: gnet_stats_queue: packets 32, octets 32, drops 32, requeues 32, over limit 32."""
_NEW: Final = NLM_F_CREATE | NLM_F_EXCL
_ROOT: Final = 0x1_0000
"""Handle of the queue with bands, 1:0; its bands are 1:1 and on."""


class Key(NamedTuple):
    """Four octets of a packet that must be as said, where the mask has ones."""

    place: int
    """From the first octet of the IP header, a multiple of 4."""
    value: int
    mask: int


class Queue(NamedTuple):
    """What the kernel says of one queue."""

    interface: int
    kind: str
    waiting_count: int
    dropped_count: int


def _request(what: str, kind: int, interface: int, *parts: bytes, **ids: int) -> Request:
    body = _TC.pack(
        socket.AF_UNSPEC, interface, ids["handle"], ids["parent"], ids.get("information", 0)
    )
    return Request(f"{what} of interface {interface}", kind, _NEW, body + b"".join(parts))


def bands_add(interface: int, band_count: int) -> Request:
    """Give an interface a queue of so many bands, all but the first for what filters choose."""
    options = attribute(TCA_OPTIONS, _PRIO.pack(band_count))
    parts = (text(TCA_KIND, "prio"), options)
    return _request("bands", RTM_NEWQDISC, interface, *parts, handle=_ROOT, parent=TC_H_ROOT)


def delay_add(interface: int, band: int, delay_ns: int) -> Request:
    """Let everything in a band, counted from 1, wait for so long."""
    emulated = _NETEM.pack(0, PACKET_COUNT_MAX, 0, 0, 0, 0)
    emulated += attribute(TCA_NETEM_LATENCY64, struct.pack("=q", delay_ns))
    parts = (text(TCA_KIND, NETEM), attribute(TCA_OPTIONS, emulated))
    handle = (_ROOT >> 16) + band << 16
    return _request("delay", RTM_NEWQDISC, interface, *parts, handle=handle, parent=_ROOT + band)


def filter_add(interface: int, band: int, version: int, keys: Sequence[Key]) -> Request:
    """Put packets of that IP version for which all keys hold into a band.

    Handle and order of filters are the kernel's choice.
    """
    selector = _SELECTOR.pack(TC_U32_TERMINAL, 0, len(keys), 0, 0, 0, 0, 0)
    for key in keys:
        mask, value = key.mask.to_bytes(4, "big"), key.value.to_bytes(4, "big")
        selector += _KEY.pack(mask, value, key.place, 0)
    options = word(TCA_U32_CLASSID, _ROOT + band) + attribute(TCA_U32_SEL, selector)
    parts = (text(TCA_KIND, "u32"), attribute(TCA_OPTIONS, options))
    protocol = socket.htons(0x0800 if version == 4 else 0x86DD)
    information = version << 16 | protocol  # filters of one priority are for one protocol
    return _request(
        "filter",
        RTM_NEWTFILTER,
        interface,
        *parts,
        handle=0,
        parent=_ROOT,
        information=information,
    )


def datagram_keys(source: IPv4Address | IPv6Address) -> tuple[list[Key], int]:
    """Say how to know a whole UDP datagram of a host, and where its payload begins.

    One with IPv4 options, or extension headers, is none of these.
    """
    if isinstance(source, IPv4Address):
        return [
            Key(0, 0x4500_0000, 0xFF00_0000),  # no options
            Key(4, 0, FRAGMENT),  # none
            Key(8, UDP << 16, 0xFF_0000),
            Key(12, int(source), 0xFFFF_FFFF),
        ], 28
    octets = source.packed
    words = [int.from_bytes(octets[at : at + 4], "big") for at in range(0, 16, 4)]
    keys = [Key(4, UDP << 8, 0xFF00)]
    keys += [Key(8 + 4 * at, one, 0xFFFF_FFFF) for at, one in enumerate(words)]
    return keys, 48


def blocks(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cover numbers of 8 bits, and no others, by values and masks."""
    left = set(numbers)
    for size in (256, 128, 64, 32, 16, 8, 4, 2, 1):
        for first in range(0, 256, size):
            block = set(range(first, first + size))
            if block <= left:
                left -= block
                yield first, 256 - size


def queues() -> list[Queue]:
    """Ask the kernel for the state of every queue in the thread's present namespace."""
    asked = _TC.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    return list(_queues(dump("states of queues", RTM_GETQDISC, asked)))


def _queues(bodies: Iterable[bytes]) -> Iterator[Queue]:
    for body in bodies:
        interface = _TC.unpack_from(body)[1]
        outer = attributes(body[_TC.size :])
        counted = attributes(outer.get(TCA_STATS2, b"")).get(TCA_STATS_QUEUE, b"")
        if len(counted) >= _QUEUE.size:
            waiting_count, _, dropped_count, *_ = _QUEUE.unpack_from(counted)
            name = outer[TCA_KIND].rstrip(b"\0").decode()
            yield Queue(interface, name, waiting_count, dropped_count)
