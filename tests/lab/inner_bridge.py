"""Scenarios on the bridge: what its ring hears, and what only a bridge does."""

import os
import socket
import struct
from collections.abc import Callable

import inner_network as network
import inner_scenarios as inner

from mpwire.capture.blocks import Seen
from mpwire.lab.bridge import BridgeFabric
from mpwire.lab.bridge_links import port_states
from mpwire.lab.bridge_ring import BridgeRing
from mpwire.lab.echoes import FabricError
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import RouteSocket, link_set, veth_add

GROUP = "239.1.2.3"
GROUP6 = "ff15::77:1"
PORT = 7000
ETH0_INDEX = 2


def _pair(ring: BridgeRing) -> Callable[[bytes], object]:
    """Make a pair of interfaces in this namespace, of which the ring hears one; return a writer."""
    home = NetworkNamespace.current()
    with RouteSocket() as route:
        mac = "02:00:00:00:00:01"
        pair = veth_add("near", "far", home.descriptor, mac=mac, mtu=1500)
        route.apply([link_set(1), pair])
        route.apply([link_set(socket.if_nametoindex("far"))])
    home.close()
    ring.hear("near", "host")
    write = ring.writer("near")
    while not _all(ring):  # the kernel has not noticed the carrier yet
        write(bytes(12) + b"\x08\x00")
        ring.flush()
    return write


def _all(ring: BridgeRing) -> list[Seen]:
    heard: list[Seen] = []
    while (block := ring.read()) is not None:
        heard += block.frames
    return heard


@inner.scenario
async def ring_hears(_spec: inner.Spec) -> object:
    """Send frames out of an interface and read them, with and without a flush."""
    ring = BridgeRing(block_octets=1 << 12, block_count=8)
    write = _pair(ring)
    frame = bytes.fromhex("0200000000010200000000990800") + b"x" * 60
    write(frame)
    early = len(_all(ring))
    ring.flush()
    told = [(*at, data == frame) for at, data, _ in _all(ring)]
    ring.flush()
    again = len(_all(ring))
    ring.hear("near", "other")
    tagged = frame[:12] + struct.pack("!HH", 0x8100, 7) + frame[12:]
    write(tagged)
    ring.flush()
    (((host, _), data, before_ns),) = _all(ring)
    counts = (ring.lost_count(), ring.unread_count())
    ring.close()
    ring.close()
    return {
        "early": early,
        "told": told,
        "again": again,
        "tagged": data == tagged and host == "other",
        "stamped": before_ns > 1_700_000_000_000_000_000,
        "lost": counts[0],
        "unread": counts[1] >= 0,
    }


@inner.scenario
async def ring_overflows(spec: inner.Spec) -> object:
    """Send more than the ring holds while nobody reads."""
    ring = BridgeRing(block_octets=1 << 12, block_count=4)
    write = _pair(ring)
    ring.hear("far", "other")
    for number in range(spec["count"]):
        write(bytes(12) + b"\x08\x00" + number.to_bytes(4, "big") + bytes(496))
    ring.flush()
    heard = _all(ring)
    ring.flush()
    heard += _all(ring)
    numbers = [int.from_bytes(data[14:18], "big") for _, data, _ in heard]
    result = {"heard": len(heard), "in_order": numbers == sorted(numbers)}
    result["lost"] = ring.lost_count()
    result["lost_again"] = ring.lost_count()
    ring.close()
    return result


def _listener(fabric: BridgeFabric, host: str) -> socket.socket:
    made = network.open_socket(fabric, host)
    made.bind(("", PORT))
    return made


@inner.scenario
async def parted(spec: inner.Spec) -> object:
    """Cut a host off, let it join again, take its interface and give it back."""
    async with inner.fabric_of(spec) as (fabric, tape):
        assert isinstance(fabric, BridgeFabric)
        one, two = _listener(fabric, "h1"), _listener(fabric, "h2")

        async def both(text: str) -> list[list[str]]:
            one.sendto(text.encode(), ("10.77.0.2", PORT))
            two.sendto(text.encode(), ("10.77.0.1", PORT))
            await fabric.settle()
            return [network.received(one), network.received(two)]

        taken = {"first": await both("first")}
        fabric.part("h1", is_apart=True)
        taken["apart"] = await both("apart")
        fabric.part("h1", is_apart=False)
        taken["healed"] = await both("healed")
        fabric.set_interface("h1", is_up=False)
        fabric.part("h1", is_apart=True)
        two.sendto(b"down", ("10.77.0.1", PORT))
        await fabric.settle()
        try:
            await fabric.sentinel("h1", "end")
        except FabricError as error:
            refused = str(error)
        fabric.set_interface("h1", is_up=True)
        taken["up, apart"] = await both("up, apart")
        fabric.part("h1", is_apart=False)
        taken["back"] = await both("back")
        counters = {host: fabric.counters(host).interface for host in ("h1", "h2")}
        return {"taken": taken, "refused": refused, "counters": counters, "tape": tape.entries}


@inner.scenario
async def groups(spec: inner.Spec) -> object:
    """Send to a group of which one host of three is a member."""
    async with inner.fabric_of(spec) as (fabric, tape):
        six = spec["ipv6"]
        member = network.open_socket(fabric, "h1", socket.AF_INET6)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        member.bind(("::", PORT))
        if six:
            request = socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("=I", ETH0_INDEX)
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
        else:
            request = socket.inet_aton(GROUP) + socket.inet_aton("10.77.0.1")
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)

        def has_reported() -> bool:
            fabric.drain()
            sent = (one["data"] for one in tape.entries if one.get("direction") == "out")
            frames = (bytes.fromhex(data) for data in sent)
            # IGMP; or ICMPv6 behind a hop-by-hop header with a router alert, which is MLD.
            told = (b"\x86\xdd", 20, 0) if six else (b"\x08\0", 23, 2)
            named = socket.inet_pton(socket.AF_INET6, GROUP6) if six else socket.inet_aton(GROUP)
            return any(
                frame[12:14] == told[0] and frame[told[1]] == told[2] and named in frame
                for frame in frames
            )

        while not has_reported():
            os.sched_yield()
        if six:
            sender = network.open_socket(fabric, "h2", socket.AF_INET6)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, ETH0_INDEX)
            sender.sendto(b"group", (GROUP6, PORT))
        else:
            network.open_socket(fabric, "h2").sendto(b"group", (GROUP, PORT))
        await fabric.settle()
        heard = [
            (entry["host"], entry["direction"])
            for entry in tape.entries
            if entry.get("data", "").endswith(b"group".hex())
        ]
        return {"taken": network.received(member), "heard": heard}


@inner.scenario
async def stranger(spec: inner.Spec) -> object:
    """Send to a link address that nobody has."""
    async with inner.fabric_of(spec) as (fabric, tape):
        with inner.namespace_of(fabric, "h2").entered():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            raw.bind(("eth0", 0))
        raw.send(bytes.fromhex("0200000000770200000000020800") + b"to nobody")
        await fabric.settle()
        return [
            (entry["host"], entry["direction"])
            for entry in tape.entries
            if entry.get("data", "").endswith(b"to nobody".hex())
        ]


@inner.scenario
async def flooded(spec: inner.Spec) -> object:
    """Send more than the ring has room for, while nobody reads it."""
    async with inner.fabric_of(spec) as (fabric, _):
        sender = network.open_socket(fabric, "h1")
        for _ in range(spec["count"]):
            sender.sendto(bytes(1400), ("10.77.0.2", PORT))
        try:
            fabric.drain()
        except FabricError as error:
            return str(error)
        return ""


@inner.scenario
async def held_up(spec: inner.Spec) -> object:
    """Ask for what the kernel has counted, where the record can never have it."""
    async with inner.fabric_of(spec, deadline_s=0.05) as (fabric, _):
        assert isinstance(fabric, BridgeFabric)
        network.open_socket(fabric, "h1").sendto(b"lost", ("10.77.0.2", PORT))
        fabric.ring.flush()
        while fabric.ring.read() is not None:  # somebody takes it away
            pass
        try:
            fabric.drain()
        except FabricError as error:
            said = str(error)
        counters = fabric.counters("h1")
        return {
            "said": said,
            "kernel": counters.interface["tx_packets"],
            "capture": counters.capture,
            "ports": len(port_states()),
        }
