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
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

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
"""Vantage, and what the link header says of it."""
Place = tuple[Port, int]
"""Port, and the hops that were left."""


class _Seen(NamedTuple):
    """Where one packet was seen, and which way it went.

    Most packets of a capture were seen alike, and share one of these: there may be very many.
    """

    places: tuple[tuple[Place, int], ...] = ()
    """Port and hops that were left, and how often it was seen there."""
    times: int = 0
    """How often it was sent."""
    came: tuple[int, ...] = ()
    """Hops that were left where it came in."""
    left: tuple[int, ...] = ()
    """Hops that were left where it went out."""


NOWHERE: Final = _Seen()


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
        self._shared: dict[_Seen, _Seen] = {}
        self._since_ns = 0

    def look(self, frame: Frame) -> Frame | None:
        """Return a frame as it is to be judged; None for a packet that was seen already."""
        decoded = decode_frame(frame.linktype, frame.data)
        if not isinstance(decoded, Datagram):
            return self._undirected(frame)
        to_group = _is_group(decoded.destination[0])
        port = frame.vantage, frame.data[LINK_HEADERS.get(frame.linktype, slice(0))]
        way = None if self.on_way else frame.direction
        self._age(frame.time_ns)
        if way is not None:
            self._pass(_key(decoded, None), way, decoded.ttl, to_group=to_group)
        if way == "in" and to_group and not self.on_way:
            return frame  # every member is given one
        where = way if way != "in" else f"in {frame.vantage}"
        packet = _key(decoded, None if self.on_way else where)
        if not self._count(packet, (port, decoded.ttl)):
            self.again += 1
            return None
        return self._undirected(frame)

    def _undirected(self, frame: Frame) -> Frame:
        if not self.on_way or frame.direction is None:
            return frame
        return msgspec.structs.replace(frame, direction=None)

    def _pass(self, packet: int, way: str, hops: int, *, to_group: bool) -> None:
        """See whether a packet was passed on between two places of this capture.

        It was when it left after it had come, or left or came twice with other hops left.
        """
        seen = self._seen(packet)
        if way == "out":
            came = any(earlier > hops for earlier in seen.came)
            came |= hops in seen.came and not seen.left
            self.on_way |= came or any(earlier != hops for earlier in seen.left)
            if hops not in seen.left:
                seen = seen._replace(left=(*seen.left, hops))
        else:
            self.on_way |= not to_group and any(earlier != hops for earlier in seen.came)
            if hops not in seen.came:
                seen = seen._replace(came=(*seen.came, hops))
        self._remember(packet, seen)

    def _count(self, packet: int, place: Place) -> bool:
        """Count a packet at a place; tell whether it was sent once more than was known."""
        seen = self._seen(packet)
        counts = dict(seen.places)
        count = counts[place] = counts.get(place, 0) + 1
        times = max(count, seen.times)
        self._remember(packet, seen._replace(places=tuple(counts.items()), times=times))
        return count > seen.times

    def _age(self, now_ns: int) -> None:
        """Forget what was not seen lately."""
        late = abs(now_ns - self._since_ns) > WINDOW_NS
        if late or len(self._young) > HELD_PACKETS:
            self._old = self._young
            self._young = {}
            self._shared = {}
            self._since_ns = now_ns

    def _seen(self, packet: int) -> _Seen:
        return self._young.get(packet) or self._old.get(packet) or NOWHERE

    def _remember(self, packet: int, seen: _Seen) -> None:
        self._young[packet] = self._shared.setdefault(seen, seen)


def _key(datagram: Datagram, way: str | None) -> int:
    """Tell a packet, and which way it went, from others; in one number, as there are many."""
    fragment = datagram.fragment
    return hash(
        (
            datagram.source,
            datagram.destination,
            datagram.identification,
            fragment.offset_octets if fragment is not None else 0,
            datagram.payload,
            way,
        )
    )


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
