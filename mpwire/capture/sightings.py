"""Recognise a packet that one capture shows several times on its way.

Who captures at a router, at a bridge or on all interfaces of a machine sees one packet come in and
go out: twice, and yet it was sent once. A router counts the time to live down and writes other link
addresses; a bridge changes nothing, but the packet passes another interface. Sender, receiver,
identification, fragment and payload stay the same.

Something sent again looks alike, too. But it passes every place that the first one passed: how
often a packet was sent is how often it was seen at the place where it was seen most often. A place
is an interface, its link header and the hops that are left. Where all of that is equal nobody can
tell a second packet from a second copy of the capture (a mirror port makes them), so both are kept.

A capture on the way says "in" and "out" of packets that neither came to their receiver nor from
their sender. Where that shows, its directions mean nothing.

Source: RFC 1812 section 5.3.1, RFC 8200 section 3, tcpdump.org/linktypes.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

import msgspec

from mpwire.capture.frames import Datagram, LinkType, decode_frame
from mpwire.capture.runfile import Frame

WINDOW_NS: Final = 1_000_000_000
"""For so long at least a packet is remembered; after twice that it is another one."""
HELD_PACKETS: Final = 65_536
"""So many packets of that time are remembered."""
LINK_HEADERS: Final[dict[int, slice]] = {
    LinkType.ETHERNET: slice(0, 12),
    LinkType.LINUX_SLL: slice(0, 14),
    LinkType.LINUX_SLL2: slice(4, 20),
}
"""What of a link header tells one place from another: addresses, interface, kind of packet."""

Port = tuple[str, bytes]
"""Vantage, and what the link header says of the place."""


@dataclass(slots=True)
class _Seen:
    """Where one packet was seen, and which way it went."""

    places: dict[tuple[Port, int], int] = field(default_factory=dict)
    """How often at each place."""
    times: int = 0
    """How often it was sent."""
    came: dict[int, None] = field(default_factory=dict)
    """Hops that were left where it came in."""
    left: dict[int, None] = field(default_factory=dict)
    """Hops that were left where it went out."""


class Sightings:
    """Look at the frames of one capture in order, and leave out what is seen again."""

    def __init__(self, *, on_way: bool = False) -> None:
        """Begin with nothing seen; on_way: it is known that directions mean nothing."""
        self.on_way = on_way
        """Packets were passed on where this was captured."""
        self.again = 0
        """Frames that were left out."""
        self._young: dict[int, _Seen] = {}
        self._old: dict[int, _Seen] = {}
        self._since_ns = 0

    def look(self, frame: Frame) -> Frame | None:
        """Return a frame as it is to be judged; None for a packet that was seen already."""
        decoded = decode_frame(frame.linktype, frame.data)
        if not isinstance(decoded, Datagram):
            return self._undirected(frame)
        to_group = _is_group(decoded.destination[0])
        port = frame.vantage, frame.data[LINK_HEADERS.get(frame.linktype, slice(0))]
        way = None if self.on_way else frame.direction
        if way is not None:
            self._pass(self._seen(frame, decoded, None), way, decoded.ttl, to_group=to_group)
        if way == "in" and to_group and not self.on_way:
            return frame  # every member is given one
        where = way if way != "in" else f"in {frame.vantage}"
        seen = self._seen(frame, decoded, None if self.on_way else where)
        place = port, decoded.ttl
        count = seen.places[place] = seen.places.get(place, 0) + 1
        if count <= seen.times:
            self.again += 1
            return None
        seen.times = count
        return self._undirected(frame)

    def _undirected(self, frame: Frame) -> Frame:
        if not self.on_way or frame.direction is None:
            return frame
        return msgspec.structs.replace(frame, direction=None)

    def _pass(self, seen: _Seen, way: str, hops: int, *, to_group: bool) -> None:
        """See whether a packet was passed on between two places of this capture.

        It was when it left after it had come, or left or came twice with other hops left.
        """
        if way == "out":
            came = any(earlier > hops for earlier in seen.came)
            came |= hops in seen.came and not seen.left
            self.on_way |= came or any(earlier != hops for earlier in seen.left)
            seen.left[hops] = None
        else:
            self.on_way |= not to_group and any(earlier != hops for earlier in seen.came)
            seen.came[hops] = None

    def _seen(self, frame: Frame, datagram: Datagram, way: str | None) -> _Seen:
        """Return what is remembered of a packet."""
        fragment = datagram.fragment
        key = hash(
            (
                datagram.source,
                datagram.destination,
                datagram.identification,
                fragment.offset_octets if fragment is not None else 0,
                datagram.payload,
                way,
            )
        )
        late = abs(frame.time_ns - self._since_ns) > WINDOW_NS
        if late or len(self._young) > HELD_PACKETS:
            self._old = self._young
            self._young = {}
            self._since_ns = frame.time_ns
        seen = self._young.get(key) or self._old.get(key) or _Seen()
        self._young[key] = seen
        return seen


@lru_cache(maxsize=4096)
def _is_group(address: str) -> bool:
    return ip_address(address).is_multicast


def seen_once(frames: Sequence[Frame]) -> tuple[list[Frame], Sightings]:
    """Return the frames of a capture without what it shows again, and what was found."""
    sightings = Sightings()
    kept = [found for frame in frames if (found := sightings.look(frame)) is not None]
    if sightings.on_way and any(frame.direction for frame in frames):
        sightings = Sightings(on_way=True)
        kept = [found for frame in frames if (found := sightings.look(frame)) is not None]
    return kept, sightings
