"""Runs in which the kernel, or the harness, loses something at one known place."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inner_scenarios as inner
from inner_network import FullTape, open_socket

from mpwire.capture import RunWriter
from mpwire.capture.records import AnyRecord, Decision
from mpwire.lab import testbed
from mpwire.lab.craft import checksum
from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.ports import TAP_QUEUE_COUNT
from mpwire.lab.progress import AnyProgress, StepChanged
from mpwire.lab.runner import Runner
from mpwire.lab.topology import lan
from mpwire.lab.vantages import vantages

Loss = Callable[[SwitchFabric], object]
LOSSES: dict[str, Loss] = {}

LEAF_PORT = 4000
GROUP = ("239.77.0.1", 61717)
STRANGE_TYPE = 0x88B5
"""An EtherType for experiments, which no kernel knows (IEEE 802)."""
UNKNOWN_MAC = bytes.fromhex("02ffffffffff")


def loss(function: Loss) -> Loss:
    """Make a loss known by its name."""
    LOSSES[function.__name__] = function
    return function


def datagram(fabric: SwitchFabric, payload: bytes, error: int = 0) -> bytes:
    """Build a frame with a datagram from leaf2 to leaf1's socket; `error` spoils its checksum."""
    sender, receiver = (fabric._cables[host].spec for host in ("leaf2", "leaf1"))
    addresses = b"".join(spec.interfaces()[0].ip.packed for spec in (sender, receiver))
    udp = struct.pack("!HHHH", 9, LEAF_PORT, 8 + len(payload), 0) + payload
    right = checksum(addresses + struct.pack("!HH", socket.IPPROTO_UDP, len(udp)) + udp)
    udp = udp[:6] + struct.pack("!H", right ^ error) + udp[8:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0)
    header += addresses
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return receiver.mac_octets() + sender.mac_octets() + b"\x08\x00" + header + udp


def put(fabric: SwitchFabric, *frames: bytes) -> None:
    """Let leaf2's kernel put frames on the cable as they are."""
    with fabric._hosts["leaf2"].namespace.entered():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("eth0", 0))
    with contextlib.closing(raw):
        for frame in frames:
            with contextlib.suppress(OSError):  # ENOBUFS: this one was lost
                raw.send(frame)


@loss
def nothing(_fabric: SwitchFabric) -> None:
    """Lose nothing."""


def fill(fabric: SwitchFabric, there: tuple[str, int]) -> None:
    """Let leaf2 send to an address until leaf1's kernel has no room, not even for a small one.

    Where a large datagram no longer fits a small one may: that depends on what came before.
    """
    with contextlib.closing(open_socket(fabric, "leaf2")) as sender:
        for octets, burst in ((1400, 30), (0, 1)):
            before = fabric.counters("leaf1").udp["RcvbufErrors"]
            for _ in range(1000):
                for _ in range(burst):
                    sender.sendto(bytes(octets), there)
                fabric.drain()
                if fabric.counters("leaf1").udp["RcvbufErrors"] > before:
                    break


@loss
def receive_buffer(fabric: SwitchFabric) -> None:
    """Send more to a socket that nobody reads than it holds."""
    fill(fabric, (str(fabric._cables["leaf1"].spec.interfaces()[0].ip), LEAF_PORT))


@loss
def group_buffer(fabric: SwitchFabric) -> None:
    """Send more to a group than a socket holds that nobody reads."""
    fill(fabric, GROUP)


@loss
def wrong_checksum(fabric: SwitchFabric) -> None:
    """Send a datagram whose checksum is wrong, which nobody has decided."""
    put(fabric, datagram(fabric, b"spoilt", error=0x5555))


@loss
def strange_protocol(fabric: SwitchFabric) -> None:
    """Send a frame that the receiving kernel drops at its interface."""
    macs = datagram(fabric, b"")[:12]
    put(fabric, macs + STRANGE_TYPE.to_bytes(2, "big") + bytes(46))


@loss
def queue_overflow(fabric: SwitchFabric) -> None:
    """Send more frames than any queue holds before anybody reads them."""
    frame = UNKNOWN_MAC + datagram(fabric, b"")[6:]
    put(fabric, *[frame] * (2 * TAP_QUEUE_COUNT))


@loss
def no_echo(fabric: SwitchFabric) -> None:
    """Keep a host's kernel from answering the echo at the end."""
    with fabric._hosts["leaf2"].namespace.entered():
        Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1")


@loss
def undecided_delivery(fabric: SwitchFabric) -> None:
    """Let a host be given a datagram that nobody sent."""
    fabric.switch.inject("leaf1", datagram(fabric, b"out of nowhere"))


@loss
def lost_decision(fabric: SwitchFabric) -> None:
    """Send a datagram whose decision is not recorded."""
    writer = fabric.switch._recorder
    record = writer.record

    def forgetful(one: AnyRecord, /) -> None:
        if isinstance(one, Decision):
            writer.record = record  # type: ignore[method-assign] # the harness itself fails here
        else:
            record(one)

    writer.record = forgetful  # type: ignore[method-assign] # until it has forgotten one
    put(fabric, datagram(fabric, b"unaccounted for"))
    fabric.drain()


@inner.scenario
async def losing(spec: inner.Spec) -> object:
    """Run a testbed, and lose what the specification says after the step that it names."""
    plan = testbed.parse(spec["bed"], Path(spec["folder"]) / "bed.yaml", {})
    fabric = inner.make_fabric(spec, deadline_s=spec.get("deadline_s", 10.0))
    assert isinstance(fabric, SwitchFabric)
    writer = RunWriter(Path(spec["folder"]), vantages(plan))

    def tell(line: AnyProgress) -> None:
        if isinstance(line, StepChanged) and (line.text, line.state) == (spec["after"], "done"):
            LOSSES[spec["loss"]](fabric)

    failure = await Runner(plan, fabric, writer, tell, watched=False).run()
    writer.finish()
    return failure.reason if failure is not None else None


@inner.scenario
async def outage(spec: inner.Spec) -> object:
    """Take a host its interface while it sends, and what is sent to it; tell what was counted."""
    result: dict[str, Any] = {}
    async with inner.fabric_of(spec) as (fabric, tape):
        sender = fabric.spawn("h1", [*inner.PYTHON, TALKER, "10.77.0.2", str(spec["burst"])])
        await inner.read_line(sender)
        other = open_socket(fabric, "h2")
        for _ in range(spec["times"]):
            fabric.drain()
            sender.stdin.write(b"go\n")
            fabric.set_interface("h1", is_up=False)
            other.sendto(b"anybody?", ("10.77.0.1", 7000))
            fabric.drain()
            fabric.set_interface("h1", is_up=True)
            await inner.read_line(sender)
        fabric.drain()
        result["interface"] = fabric.counters("h1").interface
        sender.kill()
        await sender.wait()
        result["outages"] = [
            entry["tx_dropped"] for entry in tape.entries if entry.get("kind") == "outage"
        ]
        result["refused"] = sum(entry.get("reason") == "port down" for entry in tape.entries)
    return result


@inner.scenario
async def leaving(spec: inner.Spec) -> object:
    """Leave a group of IPv6 while the interface is down: the kernel's reports go nowhere."""
    async with inner.fabric_of(spec | {"ipv6": True}) as (fabric, tape):
        member = open_socket(fabric, "h1", socket.AF_INET6)
        request = socket.inet_pton(socket.AF_INET6, "ff15::7:7") + struct.pack("=I", 0)
        with fabric._hosts["h1"].namespace.entered():
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
        await fabric.settle()
        fabric.set_interface("h1", is_up=False)
        before = fabric.counters("h1").interface["tx_dropped"]
        member.close()
        give_up_s = asyncio.get_running_loop().time() + 5
        while asyncio.get_running_loop().time() < give_up_s:
            if fabric.counters("h1").interface["tx_dropped"] > before:
                break
            await asyncio.sleep(0)
        fabric.set_interface("h1", is_up=True)
        await fabric.settle()
        outages = [entry["tx_dropped"] for entry in tape.entries if entry.get("kind") == "outage"]
        return {"interface": fabric.counters("h1").interface, "outages": outages}


@inner.scenario
async def full_at_once(_spec: inner.Spec) -> object:
    """Find the disk full while hosts say for the first time which groups they are in."""
    before = inner.open_files()
    fabric = inner.make_fabric({"carrier": "gates", "snooping": True})
    try:
        await fabric.start(lan(inner.specs(8, ipv6=True)), FullTape())
    except OSError as error:
        return {"said": str(error), "left": len(inner.open_files()) - len(before)}
    return "nothing was said"


TALKER = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setblocking(False)
print("ready", flush=True)
while sys.stdin.readline():
    for _ in range(int(sys.argv[2])):
        try:
            sender.sendto(b"x", (sys.argv[1], 7000))
        except OSError:
            pass
    print("done", flush=True)
"""
