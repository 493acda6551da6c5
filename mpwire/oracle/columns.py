"""Look at many datagrams at once: the messages that a membership repeats, as columns of numbers.

`columns_of` chooses from a batch what can be judged without decoding it: DATA, DATA_ACK, SYNC and
NACK of the usual shape, whole, over Ethernet and IPv4, with Don't Fragment and a right checksum.
Whatever is unusual in any way is not chosen, and goes the long way.

Layout of what is chosen: Ethernet 14 | IPv4 without options 20 | UDP 8 | header 32 | body | TLV
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpwire.wire.numbers import (
    HIGHEST_MEMBER_ID,
    MAGIC,
    MAX_DATAGRAM_OCTETS,
    VERSION,
    DataFlag,
    MessageType,
    SyncFlag,
    TlvType,
)

LINK: Final = 14
MESSAGE: Final = LINK + 20 + 8
SEEN_OCTETS: Final = MESSAGE + 32 + 20
"""As much of a frame is looked at; the longest of what has a fixed length is a NACK."""
DATA_OCTETS, ACK_OCTETS, NACK_OCTETS = 32 + 8 + 4, 32 + 12, 32 + 8 + 4 + 8
KINDS: Final = ("DATA", "relayed DATA", "DATA_ACK", "SYNC", "NACK")
"""What is told apart; a `kind` is a place in this."""
DATA, RELAYED, DATA_ACK, SYNC, NACK = range(len(KINDS))
FIELDS: Final = (
    ("ethertype", ">u2", 12),
    ("version_length", "u1", 14),
    ("total", ">u2", 16),
    ("fragment", ">u2", 20),
    ("protocol", "u1", 23),
    ("source", ">u4", 26),
    ("destination", ">u4", 30),
    ("ports", ">u4", 34),
    ("udp_length", ">u2", 38),
    ("checksum", ">u2", 40),
    ("magic", ">u2", MESSAGE),
    ("version", "u1", MESSAGE + 2),
    ("type", "u1", MESSAGE + 3),
    ("flags", "u1", MESSAGE + 4),
    ("attempt", "u1", MESSAGE + 5),
    ("length", ">u2", MESSAGE + 6),
    ("session_id", ">u8", MESSAGE + 8),
    ("tag", ">u8", MESSAGE + 16),
    ("sender_id", ">u4", MESSAGE + 28),
    ("origin", ">u4", MESSAGE + 32),
    ("dflags", "u1", MESSAGE + 36),
    ("hop", "u1", MESSAGE + 37),
    ("data_reserved", ">u2", MESSAGE + 38),
    ("nack_reserved", ">u4", MESSAGE + 36),
    ("sflags_reserved", ">u4", MESSAGE + 40),
    ("code", ">u2", MESSAGE + 40),
    ("octets", ">u2", MESSAGE + 42),
    ("first", ">u4", MESSAGE + 44),
    ("last", ">u4", MESSAGE + 48),
)
LAYOUT: Final = np.dtype(
    {
        "names": [name for name, _, _ in FIELDS],
        "formats": [form for _, form, _ in FIELDS],
        "offsets": [offset for _, _, offset in FIELDS],
        "itemsize": SEEN_OCTETS,
    }
)
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(slots=True)
class Columns:
    """What was chosen of a batch."""

    places: Numbers
    """Place of each in the batch."""
    kinds: Numbers
    session_ids: NDArray[np.uint64]
    tags: NDArray[np.uint64]
    sender_ids: Numbers
    sources: Numbers
    destinations: Numbers
    ports: Numbers
    """Source and destination port as one number."""
    payloads: Numbers
    """Octets of the PAYLOAD of DATA; 0 for the others."""

    def chosen(self, which: "Flags | slice") -> "Columns":
        """Return some of them."""
        return Columns(
            self.places[which],
            self.kinds[which],
            self.session_ids[which],
            self.tags[which],
            self.sender_ids[which],
            self.sources[which],
            self.destinations[which],
            self.ports[which],
            self.payloads[which],
        )


def columns_of(
    octets: bytes, starts: Sequence[int], captured: Sequence[int], originals: Sequence[int]
) -> Columns | None:
    """Choose what has the usual shape from packets over Ethernet; None if there is nothing.

    Args:
        octets: the octets in which the packets stand.
        starts: where each begins; negative for one that is not there.
        captured: how many octets there are of each.
        originals: how many there were on the wire.
    """
    if len(octets) < SEEN_OCTETS:
        return None
    begins = np.asarray(starts, dtype=np.int64)
    lengths = np.asarray(captured, dtype=np.int64)
    long_enough = (begins >= 0) & (lengths >= MESSAGE + ACK_OCTETS)
    long_enough &= begins + SEEN_OCTETS <= len(octets)
    long_enough &= lengths == np.asarray(originals, dtype=np.int64)
    places = np.flatnonzero(long_enough)
    if not len(places):
        return None
    view = np.frombuffer(octets, dtype=np.uint8)
    rows = np.lib.stride_tricks.sliding_window_view(view, SEEN_OCTETS)[begins[places]]
    heads = rows.view(LAYOUT)[:, 0]
    kinds = _kinds(heads)
    usual = (kinds >= 0) & _framed(heads, lengths[places])
    places, heads, kinds = places[usual], heads[usual], kinds[usual]
    right = _summed(view, begins[places] + LINK, heads) & _filled(view, begins[places], heads)
    places, heads, kinds = places[right], heads[right], kinds[right]
    if not len(places):
        return None
    return Columns(
        places,
        kinds,
        heads["session_id"].astype(np.uint64),
        heads["tag"].astype(np.uint64),
        _number(heads, "sender_id"),
        _number(heads, "source"),
        _number(heads, "destination"),
        _number(heads, "ports"),
        np.where(kinds <= RELAYED, _number(heads, "octets"), 0),
    )


def _number(heads: NDArray[np.void], name: str) -> Numbers:
    column: Numbers = heads[name].astype(np.int64)
    return column


def _framed(heads: NDArray[np.void], lengths: Numbers) -> Flags:
    """Tell which headers of IP, UDP and MPW say what usual ones say."""
    total, udp = _number(heads, "total"), _number(heads, "udp_length")
    usual = (heads["ethertype"] == 0x0800) & (heads["version_length"] == 0x45)
    usual &= (heads["fragment"] == 0x4000) & (heads["protocol"] == 17) & (heads["checksum"] != 0)
    usual &= (total + LINK <= lengths) & (udp + 20 == total)
    usual &= (heads["magic"] == MAGIC) & (heads["version"] == VERSION) & (heads["flags"] == 0)
    usual &= (heads["length"] == udp - 8) & (heads["tag"] != 0)
    usual &= heads["sender_id"] <= HIGHEST_MEMBER_ID
    found: Flags = usual & (heads["origin"] <= HIGHEST_MEMBER_ID)
    return found


def _kinds(heads: NDArray[np.void]) -> Numbers:
    """Return the kind of each by its type and body; -1 where these are not usual."""
    kinds = np.full(len(heads), -1, dtype=np.int64)
    length, octets = _number(heads, "length"), _number(heads, "octets")
    first = heads["attempt"] == 1
    data = (heads["type"] == MessageType.DATA) & first & (heads["data_reserved"] == 0)
    data &= (heads["code"] == TlvType.PAYLOAD) & (length <= MAX_DATAGRAM_OCTETS)
    data &= length == DATA_OCTETS + octets + (-octets & 3)
    own = heads["origin"] == heads["sender_id"]
    kinds[data & own & (heads["dflags"] == 0) & (heads["hop"] == 0)] = DATA
    passed_on = (heads["dflags"] == DataFlag.RELAYED) & (heads["hop"] == 1)
    kinds[data & ~own & (heads["sender_id"] == 1) & passed_on] = RELAYED
    kinds[(heads["type"] == MessageType.DATA_ACK) & first & (length == ACK_OCTETS)] = DATA_ACK
    said = (heads["sflags_reserved"] == 0) | (heads["sflags_reserved"] == int(SyncFlag.FIN) << 24)
    kinds[(heads["type"] == MessageType.SYNC) & said & (length == ACK_OCTETS)] = SYNC
    ahead = (_number(heads, "last") - _number(heads, "first")) & 0xFFFF_FFFF
    nack = (heads["type"] == MessageType.NACK) & first & (length == NACK_OCTETS)
    nack &= (heads["code"] == TlvType.NACK_RANGES) & (octets == 8) & (ahead < 0x8000_0000)
    kinds[nack & (heads["nack_reserved"] == 1 << 24)] = NACK
    return kinds


def _summed(view: NDArray[np.uint8], begins: Numbers, heads: NDArray[np.void]) -> Flags:
    """Tell whose UDP checksum is right.

    Sums of all octets up to each place, even and odd ones apart, make the sum over any stretch a
    difference: no loop, whatever the lengths.
    """
    if not len(begins):
        return np.zeros(0, dtype=np.bool_)
    padded = view if not len(view) & 1 else np.append(view, np.uint8(0))
    pairs = padded.reshape(-1, 2)
    sums = np.zeros((2, len(pairs) + 1), dtype=np.int64)
    np.cumsum(pairs[:, 0], dtype=np.int64, out=sums[0, 1:])
    np.cumsum(pairs[:, 1], dtype=np.int64, out=sums[1, 1:])
    first, length = begins + 12, 8 + _number(heads, "udp_length")
    last = first + length

    def stretch(parity: int, start: Numbers, end: Numbers) -> Numbers:
        """Sum the octets of one parity from start up to end."""
        column: Numbers = sums[parity]
        total: Numbers = column[(end + 1 - parity) >> 1] - column[(start + 1 - parity) >> 1]
        return total

    even, odd = stretch(0, first, last), stretch(1, first, last)
    high = np.where(first & 1 == 0, even, odd)
    low = np.where(first & 1 == 0, odd, even)
    found: Flags = (256 * high + low + 17 + _number(heads, "udp_length")) % 0xFFFF == 0
    return found


def _filled(view: NDArray[np.uint8], begins: Numbers, heads: NDArray[np.void]) -> Flags:
    """Tell whose PAYLOAD is filled up with zeros."""
    filled = np.ones(len(begins), dtype=np.bool_)
    octets = np.where(heads["code"] == TlvType.PAYLOAD, _number(heads, "octets"), 0)
    for missing in range(1, 4):
        padded = (-octets & 3) >= missing
        ends = begins + MESSAGE + _number(heads, "length") - missing
        filled &= ~padded | (view[np.where(padded, ends, 0)] == 0)
    return filled
