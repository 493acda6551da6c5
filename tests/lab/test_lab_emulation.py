"""Delays that netem can make: which faults those are, and what they come to."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from mpwire.lab import testbed
from mpwire.lab.able import emulates
from mpwire.lab.emulation import Delays, message_keys, message_source, steady
from mpwire.lab.plan import Plan
from mpwire.lab.topology import Port
from mpwire.lab.traffic_control import BAND_COUNT_MAX, RTM_NEWQDISC, RTM_NEWTFILTER
from mpwire.wire.numbers import MAGIC, MessageType

BED = """
about: Three hosts.
hosts: [root, leaf1, leaf2]
faults: [{faults}]
script:
  - root opens R as c_root/d_root
  - {step}
"""


def plan_of(*faults: str, step: str = "everything settles") -> Plan:
    """Read a testbed with faults."""
    return testbed.parse(BED.format(faults=", ".join(faults), step=step), Path("bed.yaml"), {})


@pytest.mark.parametrize(
    ("fault", "able"),
    [
        ("hold every message for 20 ms", True),
        ("hold every message from root to leaf1 for 20 ms", True),
        ("hold every message for 10 to 20 ms", False),
        ("hold every CLOSE for 20 ms", False),
        ("hold the first message for 20 ms", False),
        ("hold 5 % of messages for 20 ms", False),
        ("hold every message with RELAYED for 20 ms", False),
        ("drop every message from root", False),
        ("send at most 64 kbit/s", False),
    ],
)
def test_only_a_delay_of_every_message_decides_nothing(fault: str, able: bool) -> None:
    assert emulates(plan_of(fault)) is able
    both = plan_of("hold every message for 20 ms", fault)
    assert steady(both.faults) is able


def test_without_faults_there_is_nothing_to_emulate() -> None:
    assert not emulates(plan_of())


@pytest.mark.parametrize(
    "step",
    [
        "the network cuts off leaf1 from root",
        "the network cuts off leaf1",
        "leaf1 loses its interface",
        "leaf1 loses its addresses",
    ],
)
def test_who_is_taken_from_the_others_needs_gates(step: str) -> None:
    assert not emulates(plan_of("hold every message for 20 ms", step=step))


def test_delays_of_one_way_add_up() -> None:
    made = plan_of("hold every message to leaf1 for 20 ms", "hold every message from root for 5 ms")
    delays = Delays(made.topology, made.faults)
    found = {
        receiver: {delay: [one.name for one in senders] for delay, senders in held.items()}
        for receiver in ("root", "leaf1", "leaf2")
        if (held := delays.to(receiver))
    }
    assert found == {
        "leaf1": {25_000_000: ["root"], 20_000_000: ["leaf2"]},
        "leaf2": {5_000_000: ["root"]},
    }
    assert delays.requests(7, "root") == []
    kinds = [one.kind for one in delays.requests(7, "leaf1")]
    bands, filters = kinds.count(RTM_NEWQDISC) - 1, kinds.count(RTM_NEWTFILTER)
    assert (bands, filters % bands) == (2, 0)
    assert filters > 0


def message(source: str, *, kind: int = MessageType.DATA, **oddity: int) -> bytes:
    """Make a frame of UDP, with one octet of the packet as somebody wants it."""
    address = ip_address(source).packed
    octets = MAGIC.to_bytes(2, "big") + bytes([1, kind])
    if len(address) == 4:
        packet = b"\x45" + bytes(8) + b"\x11" + bytes(2) + address + bytes(12) + octets
    else:
        packet = b"\x60" + bytes(5) + b"\x11" + bytes(1) + address + bytes(24) + octets
    changed = bytearray(packet)
    for place, octet in oddity.items():
        changed[int(place.removeprefix("at"))] = octet
    return bytes(12) + (b"\x08\0" if len(address) == 4 else b"\x86\xdd") + bytes(changed)


def test_the_cause_is_every_sentence_that_meant_the_message() -> None:
    faults = ("hold every message to leaf1 for 20 ms", "hold every message from root for 5 ms")
    made = plan_of(*faults)
    delays = Delays(made.topology, made.faults)
    source = {host.name: str(host.port.interfaces()[0].ip) for host in made.topology.hosts}
    assert delays.cause(message(source["root"]), "leaf1") == "; ".join(faults)
    assert delays.cause(message(source["leaf2"]), "leaf1") == faults[0]
    assert delays.cause(message(source["leaf1"]), "root") is None
    assert delays.cause(message(source["leaf1"]), "leaf1") is None, "its own"
    assert delays.cause(message("10.99.0.1"), "leaf1") is None, "nobody's"
    assert delays.cause(message(source["root"]), "edge.lan") is None, "only on its way to a router"
    assert delays.cause(bytes(100), "leaf1") is None, "no message"


def chosen(frame: bytes, port: Port) -> bool:
    """Tell whether the kernel takes a frame for a message of a host, as it reads filters."""
    kinds = {4: b"\x08\0", 6: b"\x86\xdd"}
    packet = frame[14:]
    return any(
        frame[12:14] == kinds[version]
        and all(
            len(packet) >= key.place + 4
            and not (int.from_bytes(packet[key.place : key.place + 4]) ^ key.value) & key.mask
            for key in keys
        )
        for version, keys in message_keys(port)
    )


ODDITIES = [{}, *({f"at{place}": octet} for place in range(30) for octet in (1, 0x20, 0x46))]


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_the_record_says_of_odd_frames_what_the_filters_make_of_them(family: str) -> None:
    """Ask for every type, for octets that are not as ever, and for frames cut short."""
    text = BED.format(faults="hold every message for 1 ms", step="everything settles")
    text = text.replace("hosts:", f"networks: {{lan: {{family: {family}}}}}\nhosts:")
    made = testbed.parse(text, Path("bed.yaml"), {})
    port = made.topology.hosts[0].port
    source = port.interfaces()[0].ip
    frames = [message(str(source), kind=kind) for kind in range(256)]
    frames += [message(str(source), **oddity) for oddity in ODDITIES]
    frames += [frames[MessageType.DATA][:length] for length in range(len(frames[0]))]
    taken = [message_source(frame) == source.packed for frame in frames]
    assert taken == [chosen(frame, port) for frame in frames]
    assert len(MessageType) < sum(taken) < len(frames) - 256 + len(MessageType)


def test_a_port_has_only_so_many_bands() -> None:
    hosts = [f"h{number}" for number in range(BAND_COUNT_MAX + 1)]
    bed = BED.replace("[root, leaf1, leaf2]", f"[root, {', '.join(hosts)}]")
    faults = [f"hold every message from {host} for {at + 1} ms" for at, host in enumerate(hosts)]
    for count in (BAND_COUNT_MAX - 1, BAND_COUNT_MAX):
        text = bed.format(faults=", ".join(faults[:count]), step="everything settles")
        plan = testbed.parse(text, Path("bed.yaml"), {})
        assert emulates(plan) is (count < BAND_COUNT_MAX)
