"""A packet that passes a router or a bridge stands twice in a capture, and was sent once."""

import struct
from typing import Literal

import pytest

from mpwire.capture import Frame
from mpwire.capture.frames import LinkType
from mpwire.capture.sightings import WINDOW_NS, Sightings, seen_once
from mpwire.sim import packets

ENDS = {4: (("10.77.0.2", 5), ("10.77.1.2", 6)), 6: (("fd00::2", 5), ("fd01::2", 6))}
GROUP = ("239.1.2.3", 6)
NEAR = bytes(5) + b"\1", bytes(5) + b"\2"
FAR = bytes(5) + b"\3", bytes(5) + b"\4"
OUTGOING = 4


class Tape:
    """Write down what a capture program sees, a microsecond apart."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.now_ns = 0

    def sees(
        self,
        payload: bytes = b"mpw",
        hops: int = 64,
        *,
        macs: tuple[bytes, bytes] = NEAR,
        vantage: str = "any",
        way: Literal["in", "out"] | None = None,
        to: tuple[str, int] | None = None,
        version: int = 4,
    ) -> None:
        """See a datagram over Ethernet."""
        here, there = ENDS[version]
        data = packets.udp_frame(macs, here, to or there, payload, hops)
        self.put(data, vantage=vantage, way=way)

    def cooked(self, hops: int, interface: int, kind: int = 0, payload: bytes = b"mpw") -> None:
        """See a datagram on one of all interfaces, as version 2 of the cooked header tells it."""
        data = packets.udp_frame(NEAR, *ENDS[4], payload, hops)
        head = struct.pack(">HHIHBB8s", 0x0800, 0, interface, 1, kind, 6, NEAR[1])
        self.put(head + data[14:], linktype=LinkType.LINUX_SLL2)

    def put(
        self,
        data: bytes,
        *,
        vantage: str = "any",
        way: Literal["in", "out"] | None = None,
        linktype: int = LinkType.ETHERNET,
    ) -> None:
        """See a frame."""
        self.now_ns += 1000
        self.frames.append(
            Frame(
                number=len(self.frames) + 1,
                vantage=vantage,
                direction=way,
                time_ns=self.now_ns,
                data=data,
                linktype=linktype,
                original_octets=len(data),
            )
        )

    def kept(self) -> list[int]:
        """Return the numbers of what was seen for the first time."""
        return [frame.number for frame in seen_once(self.frames)[0]]


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.mark.parametrize("version", [4, 6])
def test_a_router_counts_down_and_sends_on(tape: Tape, version: int) -> None:
    tape.sees(b"one", version=version)
    tape.sees(b"one", 63, macs=FAR, version=version)
    tape.sees(b"two", version=version)
    tape.sees(b"two", 63, macs=FAR, version=version)
    tape.sees(b"two", 62, macs=NEAR, version=version)
    assert tape.kept() == [1, 3]


def test_interfaces_may_be_written_out_of_order(tape: Tape) -> None:
    tape.sees(b"one", 63, macs=FAR)
    tape.sees(b"one")
    tape.sees(b"two")
    tape.sees(b"three")
    tape.sees(b"three", 63, macs=FAR)
    tape.sees(b"two", 63, macs=FAR)
    assert tape.kept() == [1, 3, 4]


def test_what_is_sent_again_passes_all_places_again(tape: Tape) -> None:
    """Keep two of four, however they are mixed."""
    tape.sees()
    tape.sees()
    tape.sees(hops=63, macs=FAR)
    tape.sees(hops=63, macs=FAR)
    assert tape.kept() == [1, 2]
    tape.frames.sort(key=lambda frame: frame.number % 2)
    assert len(tape.kept()) == 2


def test_cooked_headers_tell_interfaces_apart(tape: Tape) -> None:
    tape.cooked(64, interface=2)
    tape.cooked(63, interface=3, kind=OUTGOING)
    assert tape.kept() == [1]


def test_a_bridge_changes_nothing_but_the_interface(tape: Tape) -> None:
    """See it at the port, at the bridge, and at the other port."""
    for interface, kind in ((2, 3), (4, 0), (3, OUTGOING)):
        tape.cooked(64, interface, kind)
    assert tape.kept() == [1]
    tape.cooked(64, interface=2, kind=3)
    assert tape.kept() == [1, 4]


def test_equal_copies_at_one_place_may_be_two_packets(tape: Tape) -> None:
    tape.sees()
    tape.sees()
    assert tape.kept() == [1, 2]


def test_the_number_of_a_packet_tells_it_from_another(tape: Tape) -> None:
    tape.sees()
    tape.sees(hops=63, macs=FAR)
    frame = tape.frames[1]
    frame.data = frame.data[:18] + b"\0\1" + frame.data[20:]
    assert tape.kept() == [1, 2]


def test_what_comes_much_later_is_another_packet(tape: Tape) -> None:
    tape.sees()
    tape.now_ns += WINDOW_NS // 2
    tape.sees(hops=63, macs=FAR)
    tape.now_ns += 2 * WINDOW_NS
    tape.sees(b"other")
    tape.now_ns += 2 * WINDOW_NS
    tape.sees(hops=62)
    assert tape.kept() == [1, 3, 4]


def test_what_is_no_datagram_is_left_alone(tape: Tape) -> None:
    for _ in range(2):
        tape.put(NEAR[0] + NEAR[1] + b"\x08\x06" + bytes(28))
    assert tape.kept() == [1, 2]


@pytest.mark.parametrize("hops", [64, 63])
def test_directions_on_the_way_mean_nothing(tape: Tape, hops: int) -> None:
    """Know a bridge and a router by a packet that leaves where none began."""
    tape.sees(way="in", vantage="eth0")
    tape.sees(hops=hops, macs=FAR, way="out", vantage="eth1")
    tape.sees(b"reply", way="out", vantage="eth0")
    kept, sightings = seen_once(tape.frames)
    assert sightings.on_way
    assert [(frame.number, frame.direction) for frame in kept] == [(1, None), (3, None)]


def test_two_ways_out_show_that_it_was_passed_on(tape: Tape) -> None:
    tape.sees(way="out", vantage="host")
    tape.sees(hops=63, macs=FAR, way="out", vantage="port")
    tape.sees(hops=63, macs=FAR, way="in", vantage="other")
    assert tape.kept() == [1]


def test_what_came_in_twice_was_passed_on(tape: Tape) -> None:
    tape.sees(way="in", vantage="port")
    tape.sees(hops=63, macs=FAR, way="in", vantage="host")
    kept, sightings = seen_once(tape.frames)
    assert [frame.number for frame in kept] == [1]
    assert sightings.on_way


@pytest.mark.parametrize("hops", [64, 63])
def test_captures_at_hosts_show_departure_and_arrival(tape: Tape, hops: int) -> None:
    """Keep what both hosts saw, over a router or not, and what was sent or came again."""
    for _ in range(2):
        tape.sees(way="out", vantage="left")
        tape.sees(hops=hops, way="in", vantage="right")
        tape.sees(hops=hops, way="in", vantage="right")
    kept, sightings = seen_once(tape.frames)
    assert kept == tape.frames
    assert not sightings.on_way


def test_every_member_of_a_group_is_given_one(tape: Tape) -> None:
    tape.sees(way="out", vantage="left", to=GROUP)
    tape.sees(way="in", vantage="right", to=GROUP)
    tape.sees(hops=63, way="in", vantage="far", to=GROUP)
    kept, sightings = seen_once(tape.frames)
    assert kept == tape.frames
    assert not sightings.on_way


def test_a_host_with_a_bridge_sends_once(tape: Tape) -> None:
    tape.sees(way="out", vantage="br0")
    tape.sees(way="out", vantage="eth0")
    assert tape.kept() == [1]


def test_directions_are_taken_away_from_where_it_shows(tape: Tape) -> None:
    """Look at frames as they come, as one has to with long captures."""
    tape.sees(way="in", vantage="eth0")
    tape.sees(hops=63, macs=FAR, way="out", vantage="eth1")
    tape.put(NEAR[0] + NEAR[1] + b"\x08\x06" + bytes(28), way="out")
    sightings = Sightings()
    found = [sightings.look(frame) for frame in tape.frames]
    assert [frame.direction if frame else "again" for frame in found] == ["in", None, None]
