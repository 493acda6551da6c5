"""The forwarding function, with ports made of lists and a recorder made of a list."""

import errno
import time
from collections import deque
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.capture.records import AnyRecord, Decision
from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.decide import UNHARMED, Change, Copy, Fate, Strike
from mpwire.lab.switch import (
    ANSWERED,
    FOR_THE_SWITCH,
    NOBODY,
    PORT_FULL,
    UNKNOWN_DESTINATION,
    Decide,
    Switch,
    deliver_all,
    port_error,
    ways,
)
from mpwire.lab.topology import Network, derive

HOSTS = ("a", "b", "c")
MACS = {host: bytes([2, 0, 0, 0, 0, number]) for number, host in enumerate(HOSTS, 1)}
BROADCAST = b"\xff" * 6


class Tape:
    """Number frames and keep everything in order."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str, bytes, int]] = []
        self.records: list[AnyRecord] = []
        self.order: list[str] = []

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        self.frames.append((host, direction, data, time_ns))
        self.order.append(f"{direction} {host}")
        return len(self.frames)

    def record(self, record: AnyRecord, /) -> None:
        self.records.append(record)

    def decisions(self) -> list[tuple[int, str, int | None, str | None]]:
        return [
            (one.frame, one.receiver, one.delivered, one.reason)
            for one in self.records
            if isinstance(one, Decision)
        ]


class ListPort:
    """Keep what is delivered; refuse with an errno when told to."""

    def __init__(self, tape: Tape, host: str) -> None:
        self.taken: list[bytes] = []
        self.refuses: int | None = None
        self._tape = tape
        self._host = host

    def write(self, frame: bytes, /) -> None:
        if self.refuses is not None:
            raise OSError(self.refuses, "refused")
        self._tape.order.append(f"write {self._host}")
        self.taken.append(frame)


class ListSource:
    """Yield prepared frames."""

    def __init__(self, *sent: tuple[str, bytes]) -> None:
        self._sent = deque(sent)

    def fileno(self) -> int:
        raise AssertionError("nobody polls it")

    def read(self) -> tuple[str, bytes] | None:
        return self._sent.popleft() if self._sent else None


class Lan:
    """Three hosts on a switch."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - handed through
        self.tape = Tape()
        self.ports = {host: ListPort(self.tape, host) for host in HOSTS}
        self.switch = Switch(self.tape, self.ports, MACS, **options)


@pytest.fixture
def lan() -> Lan:
    return Lan()


def frame(destination: str | bytes, sender: str = "a", payload: bytes = b"\x08\0data") -> bytes:
    to = MACS[destination] if isinstance(destination, str) else destination
    return to + MACS[sender] + payload


def test_unicast_goes_to_its_one_receiver(lan: Lan) -> None:
    lan.switch.forward("a", frame("b"))
    assert lan.ports["b"].taken == [frame("b")]
    assert lan.ports["c"].taken == []
    assert [entry[:3] for entry in lan.tape.frames] == [
        ("a", "out", frame("b")),
        ("b", "in", frame("b")),
    ]
    assert lan.tape.decisions() == [(1, "b", 2, None)]


@pytest.mark.parametrize("group", [BROADCAST, bytes.fromhex("01005e000001")])
def test_broadcast_and_multicast_go_to_everybody_else(lan: Lan, group: bytes) -> None:
    lan.switch.forward("b", frame(group, "b"))
    assert lan.ports["a"].taken == lan.ports["c"].taken == [frame(group, "b")]
    assert lan.ports["b"].taken == []
    assert lan.tape.decisions() == [(1, "a", 2, None), (1, "c", 3, None)]


def test_a_delivery_is_written_before_it_is_numbered(lan: Lan) -> None:
    lan.switch.forward("a", frame(BROADCAST))
    assert lan.tape.order == ["out a", "write b", "in b", "write c", "in c"]


@pytest.mark.parametrize("destination", [bytes.fromhex("02aaaaaaaaaa"), MACS["a"]])
def test_a_frame_for_nobody_is_dropped_with_a_reason(lan: Lan, destination: bytes) -> None:
    lan.switch.forward("a", frame(destination))
    assert lan.tape.decisions() == [(1, NOBODY, None, UNKNOWN_DESTINATION)]


def test_a_lonely_hosts_broadcast_is_dropped_with_a_reason() -> None:
    tape = Tape()
    switch = Switch(tape, {"a": ListPort(tape, "a")}, {"a": MACS["a"]})
    switch.forward("a", frame(BROADCAST))
    assert tape.decisions() == [(1, NOBODY, None, UNKNOWN_DESTINATION)]


def test_nothing_is_learned_from_source_addresses(lan: Lan) -> None:
    stranger = bytes.fromhex("02aaaaaaaaaa")
    lan.switch.forward("c", MACS["b"] + stranger + b"\x08\0")
    lan.switch.forward("a", frame(stranger))
    assert lan.tape.decisions()[1] == (3, NOBODY, None, UNKNOWN_DESTINATION)


def test_the_hook_decides_per_receiver_and_its_reason_is_recorded() -> None:
    asked: list[tuple[bytes, str, str]] = []

    def decide(octets: bytes, sender: str, receiver: str) -> Fate:
        asked.append((octets, sender, receiver))
        return Fate((), "third ACCEPT") if receiver == "b" else UNHARMED

    lan = Lan(decide=decide)
    lan.switch.forward("a", frame(BROADCAST))
    assert asked == [(frame(BROADCAST), "a", "b"), (frame(BROADCAST), "a", "c")]
    assert lan.tape.decisions() == [(1, "b", None, "impaired: third ACCEPT"), (1, "c", 2, None)]
    assert lan.ports["b"].taken == []


def test_the_hook_can_be_replaced_while_running(lan: Lan) -> None:
    lan.switch.decide = lambda _frame, _sender, _receiver: Fate((), "partition")
    lan.switch.forward("a", frame("b"))
    assert lan.tape.decisions() == [(1, "b", None, "impaired: partition")]


def lan_with(*fates: Fate) -> Lan:
    """Make a switch that deals out fates in turn."""
    dealt = iter(fates)
    return Lan(decide=lambda _frame, _sender, _receiver: next(dealt, UNHARMED))


def test_a_frame_may_arrive_twice_with_a_decision_each() -> None:
    lan = lan_with(Fate((Copy(), Copy()), "duplicate"))
    lan.switch.forward("a", frame("b"))
    assert lan.ports["b"].taken == [frame("b")] * 2
    assert lan.tape.decisions() == [
        (1, "b", 2, "impaired: duplicate"),
        (1, "b", 3, "impaired: duplicate"),
    ]


def test_a_held_frame_is_delivered_when_somebody_says_that_it_is_due() -> None:
    lan = lan_with(Fate((Copy(2.0),), "hold"))
    before_s = time.monotonic()
    lan.switch.forward("a", frame("b", payload=b"\x08\0first"))
    lan.switch.forward("a", frame("b", payload=b"\x08\0second"))
    assert lan.tape.decisions() == [(2, "b", 3, None)]
    assert len(lan.switch.held) == 1
    lan.switch.release(before_s + 1.9)
    assert len(lan.switch.held) == 1
    lan.switch.release(time.monotonic() + 2.0)
    assert len(lan.switch.held) == 0
    assert lan.tape.decisions()[1:] == [(1, "b", 4, "impaired: hold")]


def test_a_frame_that_waits_to_be_passed_arrives_behind_the_next_one() -> None:
    lan = lan_with(Fate((Copy(9.0, passed=True),), "reorder"))
    lan.switch.forward("a", frame("b"))
    lan.switch.forward("c", frame("b", "c"))
    lan.switch.forward("a", frame("c"))
    assert len(lan.switch.held) == 1
    lan.switch.forward("a", frame("b"))
    assert [one[:2] for one in lan.tape.decisions()] == [(2, "b"), (4, "c"), (6, "b"), (1, "b")]


def test_what_is_still_held_at_the_end_is_accounted_for() -> None:
    lan = lan_with(Fate((Copy(9.0),), "hold"))
    lan.switch.forward("a", frame("b"))
    lan.switch.abandon()
    assert lan.tape.decisions() == [(1, "b", None, "held at the end: hold")]


@pytest.mark.parametrize(
    ("octets", "payload", "said"),
    [
        ((2,), b"ab\x9cd", 2),
        ((2, 0), b"\x9eb\x9cd", [2, 0]),
        ((2, 2), b"abcd", None),
        ((2, 0, 2), b"\x9ebcd", 0),
    ],
)
def test_octets_are_changed_on_the_way_and_the_decision_says_which(
    octets: tuple[int, ...], payload: bytes, said: int | list[int] | None
) -> None:
    udp = bytes.fromhex("0800 4500 0020 0000 0000 4011 0000 0a4d0001 0a4d0002 0001 0002 000c 0000")
    changes = tuple(Change(octet, unnoticed=False) for octet in octets)
    lan = lan_with(Fate((Copy(changes=changes),), "corrupt"))
    lan.switch.forward("a", frame("b", payload=udp + b"abcd"))
    assert lan.ports["b"].taken == [frame("b", payload=udp + payload)]
    assert [one.changed for one in lan.tape.records if isinstance(one, Decision)] == [said]


def test_an_agent_dies_once_the_frame_that_kills_it_is_delivered() -> None:
    lan = lan_with(Fate((Copy(), Copy()), "kill", (Strike("b"),)))
    lan.switch.strike = lambda strike: lan.tape.order.append(f"kill {strike.host}")
    lan.switch.forward("a", frame("b"))
    assert lan.tape.order == ["out a", "write b", "in b", "kill b", "write b", "in b"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EAGAIN, PORT_FULL),
        (errno.ENOBUFS, PORT_FULL),
        (errno.ENETDOWN, "port down"),
        (errno.EIO, "port down"),
        (errno.EMSGSIZE, "port: refused"),
    ],
)
def test_a_port_that_refuses_is_the_reason(lan: Lan, number: int, reason: str) -> None:
    lan.ports["b"].refuses = number
    lan.switch.forward("a", frame(BROADCAST))
    assert lan.tape.decisions() == [(1, "b", None, reason), (1, "c", 2, None)]
    assert port_error(OSError()) == "port: "


def test_frames_to_the_switch_are_handed_over_and_count_as_its_own(lan: Lan) -> None:
    got: list[tuple[str, bytes, int]] = []
    lan.switch.forward("a", frame(SWITCH_MAC))
    lan.switch.received = lambda sender, octets, number: got.append((sender, octets, number))
    lan.switch.forward("b", frame(SWITCH_MAC, "b"))
    assert got == [("b", frame(SWITCH_MAC, "b"), 2)]
    assert [one[1:] for one in lan.tape.decisions()] == [(NOBODY, None, FOR_THE_SWITCH)] * 2
    assert lan.switch.handled_count == 0
    assert lan.switch.read_count == {"a": 1, "b": 1, "c": 0}


def test_an_injected_frame_is_a_delivery_without_a_sender(lan: Lan) -> None:
    assert lan.switch.inject("c", b"hello") == 1
    assert lan.ports["c"].taken == [b"hello"]
    assert lan.tape.decisions() == []
    lan.ports["c"].refuses = errno.EAGAIN
    with pytest.raises(OSError, match="refused"):
        lan.switch.inject("c", b"hello")
    assert len(lan.tape.frames) == 1


ARP = bytes.fromhex("00010800060400010200000000010a4d00010000000000000a4d0002")


def test_arp_is_flooded_unless_the_switch_knows_the_answer() -> None:
    ask = frame(BROADCAST, payload=b"\x08\x06" + ARP)
    flooding = Lan()
    flooding.switch.forward("a", ask)
    assert flooding.ports["b"].taken == [ask]
    answering = Lan(neighbours={bytes.fromhex("0a4d0002"): MACS["b"]})
    answering.switch.forward("a", ask)
    assert answering.ports["b"].taken == []
    (answer,) = answering.ports["a"].taken
    assert answer[:12] == MACS["a"] + MACS["b"]
    assert answering.tape.decisions() == [(1, NOBODY, None, ANSWERED)]
    answering.switch.forward("a", frame(BROADCAST))
    assert answering.ports["b"].taken == [frame(BROADCAST)]


def test_draining_stops_at_the_limit_and_at_the_end(lan: Lan) -> None:
    source = ListSource(*[("a", frame("b"))] * 5)
    assert lan.switch.drain(source, 3) == 3
    assert lan.switch.drain(source, 3) == 2
    assert lan.switch.drain(source, 3) == 0
    assert lan.switch.handled_count == 5


ANY_FRAME = st.tuples(
    st.sampled_from(HOSTS),
    st.sampled_from([*MACS.values(), BROADCAST, SWITCH_MAC, b"\x02" * 6]),
    st.binary(min_size=8, max_size=80),
)


@given(st.lists(ANY_FRAME, max_size=30), st.data())
def test_whatever_is_sent_every_frame_is_accounted_for(
    sent: list[tuple[str, bytes, bytes]], data: st.DataObject
) -> None:
    later = Fate((Copy(0.0), Copy(1.0), Copy(9.0, passed=True)), "chance")

    def decide(_frame: bytes, _sender: str, _receiver: str) -> Fate:
        return data.draw(st.sampled_from([UNHARMED, Fate((), "chance"), later]))

    lan = Lan(decide=decide)
    for sender, destination, rest in sent:
        lan.switch.forward(sender, destination + rest)
    lan.switch.release(time.monotonic() + 5)
    lan.switch.abandon()
    inbound = {n for n, entry in enumerate(lan.tape.frames, 1) if entry[1] == "in"}
    outbound = {n for n, entry in enumerate(lan.tape.frames, 1) if entry[1] == "out"}
    decisions = lan.tape.decisions()
    assert len(outbound) == len(sent)
    assert {one[0] for one in decisions} == outbound
    assert sorted(one[2] for one in decisions if one[2] is not None) == sorted(inbound)
    for number, receiver, delivered, reason in decisions:
        assert delivered is not None or reason is not None
        if delivered is not None:
            assert delivered > number
            assert lan.tape.frames[delivered - 1][0] == receiver
    assert sum(len(port.taken) for port in lan.ports.values()) == len(inbound)
    assert msgspec.json.encode(lan.tape.records)


ROUTED = derive(
    [Network(name="north", families=("inet", "inet6")), Network(name="south", families=("inet",))],
    {"a": "north", "b": "north", "c": "south"},
    {"edge": ["north", "south"]},
)


def routed(decide: Decide = deliver_all) -> tuple[Switch, Tape, dict[str, ListPort]]:
    """Connect two networks and the router between them."""
    tape = Tape()
    ports = {name: ListPort(tape, name) for name in ROUTED.ports}
    macs = {name: port.mac_octets() for name, port in ROUTED.ports.items()}
    return Switch(tape, ports, macs, decide, ways=ways(ROUTED)), tape, ports


def test_nothing_passes_from_one_network_to_another() -> None:
    switch, tape, ports = routed()
    frame = BROADCAST + ROUTED.ports["a"].mac_octets() + bytes(50)
    switch.forward("a", frame)
    assert [name for name, port in ports.items() if port.taken] == ["b", "edge.north"]
    switch.forward("a", ROUTED.ports["c"].mac_octets() + bytes(56))
    assert tape.decisions()[-1] == (4, NOBODY, None, UNKNOWN_DESTINATION)
    switch.forward("edge.south", ROUTED.ports["c"].mac_octets() + bytes(56))
    assert tape.decisions()[-1] == (5, "c", 6, None)


def test_faults_are_asked_about_whoever_made_a_frame() -> None:
    asked: list[tuple[str, str]] = []

    def decide(_frame: bytes, sender: str, receiver: str) -> Fate:
        asked.append((sender, receiver))
        return UNHARMED

    switch, _, _ = routed(decide)
    macs = {name: port.mac_octets() for name, port in ROUTED.ports.items()}
    edge, c = macs["edge.north"] + bytes(6), macs["c"] + bytes(6)
    ipv4 = b"\x08\x00" + bytes(12) + bytes((10, 77, 0, 2, 10, 77, 1, 2))
    ipv6 = b"\x86\xdd" + bytes(8) + bytes.fromhex(f"fd77{0:026x}02") + bytes(16)
    switch.forward("a", edge + ipv4)
    switch.forward("edge.south", c + ipv4)
    switch.forward("edge.south", c + ipv6)
    switch.forward("edge.south", c + b"\x08\x06" + bytes(28))
    assert asked == [("a", "edge.north"), ("a", "c"), ("a", "c"), ("edge", "c")]


def test_routers_are_told_of_what_comes_and_others_of_what_leaves() -> None:
    switch, tape, _ = routed()
    switch.sent = lambda sender, _frame: tape.order.append(f"sent {sender}")
    switch.arrives = lambda port, _frame: tape.order.append(f"arrives {port}")
    switch.forward("a", BROADCAST + bytes(56))
    switch.forward("a", SWITCH_MAC + bytes(56))
    assert tape.order == [
        *("out a", "sent a", "write b", "in b"),
        *("arrives edge.north", "write edge.north", "in edge.north", "out a"),
    ]
