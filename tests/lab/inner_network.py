"""Scenarios in which this process itself holds sockets on the hosts."""

import asyncio
import contextlib
import ctypes
import errno
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any, Literal

import inner_scenarios as inner
import msgspec

from mpwire.capture import records
from mpwire.capture.recorder import RunWriter
from mpwire.errors import LocalProtocolError, MachineError
from mpwire.lab import netlink
from mpwire.lab.decide import UNHARMED, Fate
from mpwire.lab.echoes import FabricError
from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.launch import launch
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.ring import SLOT_COUNT
from mpwire.lab.topology import lan
from tests.capture.runs import run_record

PORT = 7000
RTM_DELLINK = 17
GROUP = "239.1.2.3"


def open_socket(
    fabric: inner.AnyFabric, host: str, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM
) -> socket.socket:
    """Open a socket on a host; it stays there."""
    with inner.namespace_of(fabric, host).entered():
        return socket.socket(family, kind | socket.SOCK_NONBLOCK)


def received(listener: socket.socket) -> list[str]:
    """Take everything that waits in a socket."""
    taken = []
    with contextlib.suppress(BlockingIOError):
        while True:
            taken.append(listener.recv(65536).decode())
    return taken


@inner.scenario
async def exchange(spec: inner.Spec) -> object:
    """Send to a host, to the LAN and to a group, by both address families."""
    async with inner.fabric_of(spec) as (fabric, tape):
        listeners = {}
        for host in ("h1", "h2", "h3"):
            listener = open_socket(fabric, host, socket.AF_INET6)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::", PORT))
            listeners[host] = listener
            member = socket.inet_aton(GROUP) + socket.inet_aton(f"10.77.0.{host[1:]}")
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        sender = open_socket(fabric, "h2")
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(b"one", ("10.77.0.1", PORT))
        sender.sendto(b"all", ("10.77.255.255", PORT))
        sender.sendto(b"group", (GROUP, PORT))
        open_socket(fabric, "h2", socket.AF_INET6).sendto(b"six", ("fd77::1", PORT))
        await fabric.settle()
        taken = {host: received(listener) for host, listener in listeners.items()}
        for host in listeners:
            await fabric.sentinel(host, "end")
        return {"taken": taken, "tape": tape.entries}


@inner.scenario
async def first_datagrams(spec: inner.Spec) -> object:
    """Send to an IPv6 address at the first moment it is there, in many fabrics."""
    taken = []
    for _ in range(20):
        async with inner.fabric_of(spec | {"ipv6": True, "hosts": 2}) as (fabric, _tape):
            listener = open_socket(fabric, "h2", socket.AF_INET6)
            listener.bind(("fd77::2", PORT))
            open_socket(fabric, "h1", socket.AF_INET6).sendto(b"six", ("fd77::2", PORT))
            await fabric.settle()
            taken.append(received(listener))
    return taken


@inner.scenario
async def impaired(spec: inner.Spec) -> object:
    """Drop what says so, for one receiver."""

    def decide(frame: bytes, _sender: str, receiver: str) -> Fate:
        dropped = b"drop me" in frame and receiver == "h1"
        return Fate((), "says so") if dropped else UNHARMED

    async with inner.fabric_of(spec, decide) as (fabric, tape):
        listener = open_socket(fabric, "h1")
        listener.bind(("", PORT))
        sender = open_socket(fabric, "h2")
        for text in (b"first", b"drop me", b"last"):
            sender.sendto(text, ("10.77.0.1", PORT))
        sender.sendto(b"nobody", ("10.77.9.9", PORT))
        await fabric.settle()
        return {"taken": received(listener), "tape": tape.entries}


@inner.scenario
async def burst(spec: inner.Spec) -> object:
    """Send while nobody switches, then settle and compare what everybody has counted."""
    async with inner.fabric_of(spec) as (fabric, tape):
        listener = open_socket(fabric, "h1")
        listener.bind(("", PORT))
        sender = open_socket(fabric, "h2")
        payload = bytes(spec["octets"])
        for _ in range(spec["count"]):
            sender.sendto(payload, ("10.77.0.1", PORT))
        await fabric.settle()
        taken = received(listener)  # the kernel counts what was read
        counters = {host: fabric.counters(host) for host in ("h1", "h2")}
        payload_frames = [
            entry for entry in tape.entries if len(entry.get("data", "")) > 2 * len(payload)
        ]
        return {"counters": counters, "recorded": len(payload_frames), "taken": len(taken)}


@inner.scenario
async def many(spec: inner.Spec) -> object:
    """Talk between hosts that are too many to know each other by heart."""
    async with inner.fabric_of(spec) as (fabric, tape):
        last = f"h{spec['hosts']}"
        listener = open_socket(fabric, last, socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", PORT))
        sender = open_socket(fabric, "h1")
        sender.sendto(b"four", (f"10.77.0.{spec['hosts']}", PORT))
        six = open_socket(fabric, "h1", socket.AF_INET6)
        six.sendto(b"six", (f"fd77::{spec['hosts']:x}", PORT))
        await fabric.settle()
        return {"taken": received(listener), "tape": tape.entries}


def _down(fabric: inner.AnyFabric, host: str, remove: bool) -> None:
    with inner.namespace_of(fabric, host).entered(), netlink.RouteSocket() as route:
        down = netlink.link_set(route.index_of("eth0"), is_up=False)
        route.apply([down._replace(kind=RTM_DELLINK) if remove else down])


@inner.scenario
async def unplugged(spec: inner.Spec) -> object:
    """Take a host's interface away while others send to it."""
    async with inner.fabric_of(spec) as (fabric, tape):
        await fabric.settle()
        _down(fabric, "h1", spec["remove"])
        sender = open_socket(fabric, "h2")
        sender.sendto(b"anybody?", ("10.77.0.1", PORT))
        while not any(b"anybody?".hex() in entry.get("data", "") for entry in tape.entries):
            fabric.drain()
            await asyncio.sleep(0)
        try:
            await fabric.sentinel("h1", "end")
            refused = ""
        except FabricError as error:
            refused = str(error)
        await fabric.sentinel("h2", "end")
        # Nothing may be spinning: the loop has to come to rest although an interface is gone.
        assert isinstance(fabric, SwitchFabric)
        turns = len(fabric._epoll.poll(0)) if fabric._epoll else -1
        return {"refused": refused, "turns": turns, "tape": tape.entries}


@inner.scenario
async def tagged(spec: inner.Spec) -> object:
    """Send frames with a VLAN tag, longer than ordinary ones."""
    async with inner.fabric_of(spec) as (fabric, tape):
        with inner.namespace_of(fabric, "h2").entered():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            raw.bind(("eth0", 0))
        to, sender = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
        frame = to + sender + struct.pack("!HHH", 0x8100, 5, 0x88B5) + bytes(1500)
        raw.send(frame)
        await fabric.settle()
        sent = [entry for entry in tape.entries if entry.get("data") == frame.hex()]
        return [(entry["host"], entry["direction"]) for entry in sent]


SHOW = """
import json, os, sys
print(json.dumps({
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "environment": {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "PWD"))},
    "network": os.readlink("/proc/self/ns/net"),
    "cpus": sorted(os.sched_getaffinity(0)),
    "session": os.getsid(0) == os.getpid(),
}), flush=True)
print("to people", file=sys.stderr, flush=True)
sys.exit(len(sys.stdin.readline()))
"""


@inner.scenario
async def programs(spec: inner.Spec) -> object:
    """Run programs on hosts and tell what they found and how they ended."""
    cpus = sorted(os.sched_getaffinity(0))
    async with inner.fabric_of(spec) as (fabric, _):
        mine = Path("/proc/self/ns/net").readlink().name
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)  # which close-on-exec cannot stop
        shown = fabric.spawn("h1", [*inner.PYTHON, SHOW], {"ONLY": "this"})
        os.close(reader)
        os.close(writer)
        line = await inner.read_line(shown)
        shown.stdin.write(b"four\n")
        status = await shown.wait()
        while "people" not in shown.stderr():
            await asyncio.sleep(0)
        killed = fabric.spawn("h2", [*inner.PYTHON, "import sys; sys.stdin.read()"])
        before = killed.status
        killed.kill()
        killed_status = await killed.wait()
        killed.signal(signal.SIGTERM)  # harmless now
        try:
            fabric.spawn("h2", ["/nonexistent/agent"])
        except FileNotFoundError:
            after = Path("/proc/self/ns/net").readlink().name
        return {
            "line": line,
            "status": status,
            "stderr": shown.stderr(),
            "killed": [before, killed_status, killed.status],
            "stayed": mine == after,
            "mine": mine,
            "cpus": cpus,
        }


@inner.scenario
async def descriptors(spec: inner.Spec) -> object:
    """Start and stop fabrics and tell which descriptors that cost."""
    async with inner.fabric_of(spec) as (fabric, _):
        fabric.spawn("h1", [*inner.PYTHON, "import sys; sys.stdin.read()"])
    before, affinity = inner.open_files(), os.sched_getaffinity(0)
    for _ in range(3):
        async with inner.fabric_of(spec) as (fabric, _tape):
            fabric.spawn("h1", [*inner.PYTHON, "import sys; sys.stdin.read()"])
            await fabric.settle()
        await fabric.stop()  # harmless twice
    assert affinity == os.sched_getaffinity(0)
    return {"before": len(before), "after": len(inner.open_files())}


@inner.scenario
async def nested(spec: inner.Spec) -> object:
    """Start a lab inside this one, after taking away what the specification names."""
    for name, value in spec.get("limits", {}).items():
        (Path("/proc/sys/user") / name).write_text(str(value))
    if spec.get("mask"):
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mount(b"none", spec["mask"].encode(), b"tmpfs", 0, None) == 0
    try:
        with launch({"scenario": "nothing"}, "inner_scenarios") as lab:
            (line,) = lab.lines()
            return {"status": lab.wait(), "found": line["result"]}
    except MachineError as error:
        return {"lacks": str(error)}


@inner.scenario
async def recorded(spec: inner.Spec) -> object:
    """Write a run file of an exchange."""
    specs = inner.specs(3)
    hosts = [
        records.Host(name=host.name, mac=host.mac, addresses=[*host.addresses]) for host in specs
    ]
    with RunWriter(Path(spec["folder"]), hosts) as writer:
        fabric = inner.make_fabric(spec)
        run = run_record(
            hosts, fabric=fabric.name, carrier=fabric.carrier, decided_by=fabric.decided_by
        )
        writer.record(run)
        await fabric.start(lan(specs), writer)
        await asyncio.gather(*(fabric.sentinel(host.name, "start") for host in specs))
        listener = open_socket(fabric, "h1")
        listener.bind(("", PORT))
        open_socket(fabric, "h2").sendto(b"hello", ("10.77.0.1", PORT))
        await fabric.settle()
        await asyncio.gather(*(fabric.sentinel(host.name, "end") for host in specs))
        for host in specs:
            writer.record(fabric.counters(host.name))
        await fabric.stop()
    return received(listener)


class FullTape(inner.Tape):
    """Record a few frames, then find the disk full."""

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        """Record a frame, or fail as a full disk does."""
        if self.frame_count == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().frame(host, direction, data, time_ns)


@inner.scenario
async def full(spec: inner.Spec) -> object:
    """Go on after the recorder has failed."""
    fabric = inner.make_fabric(spec)
    await fabric.start(lan(inner.specs(2)), FullTape())
    sender = open_socket(fabric, "h2")
    for _ in range(3):
        sender.sendto(b"hello", ("10.77.0.1", PORT))
    while fabric._fault is None:
        await asyncio.sleep(0)
    try:
        await fabric.settle()
    except FabricError as error:
        return str(error)
    finally:
        await fabric.stop()
    return "nothing was said"


class Hole:
    """Take frames and deliver none."""

    def write(self, frame: bytes, /) -> None:
        """Take a frame."""


@inner.scenario
async def refusals(_spec: inner.Spec) -> object:
    """Ask the kernel and a fabric for what they refuse and tell what is said about it."""
    said = {**_refused_routes(), **_left_namespace(), **await _refused_hosts()}
    async with inner.fabric_of({"hosts": 1}, deadline_s=0.05) as (fabric, _):
        fabric.switch._ports["h1"] = Hole()
        try:
            await fabric.settle()
        except FabricError as error:
            said["silent"] = str(error)
    return said | {"slots": SLOT_COUNT}


def _refused_routes() -> dict[str, Any]:
    said: dict[str, Any] = {}
    with netlink.RouteSocket() as route:
        fine = netlink.link_set(1)
        wrong = netlink.route_add(77, "10.1.0.0/16")
        try:
            route.apply([fine, wrong, fine])
        except MachineError as error:
            said["netlink"] = str(error)
        route.apply([fine] * 200)  # the socket is still in step
    return said


def _left_namespace() -> dict[str, Any]:
    """Leave a namespace by an exception, close it twice, and try to enter it then."""
    said: dict[str, Any] = {}
    home = Path("/proc/self/ns/net").readlink()
    namespace = NetworkNamespace.create()
    try:
        with namespace.entered():
            said["inside"] = Path("/proc/self/ns/net").readlink() != home
            raise KeyError  # noqa: TRY301 - leaving by an exception is the point
    except KeyError:
        said["back"] = Path("/proc/self/ns/net").readlink() == home
    namespace.close()
    namespace.close()
    try:
        namespace.enter()
    except OSError as error:
        said["closed"] = errno.errorcode[error.errno or 0]
    return said


async def _refused_hosts() -> dict[str, Any]:
    said: dict[str, Any] = {}
    fabric = SwitchFabric(carrier="veth")
    one, two = inner.specs(2)
    for name, hosts in (
        ("twice", [one, one]),
        ("name", [one, msgspec.structs.replace(two, name="h1")]),
        ("address", [one, msgspec.structs.replace(two, addresses=one.addresses)]),
        ("none", [one, msgspec.structs.replace(two, addresses=())]),
        ("empty", []),
    ):
        try:
            await fabric.start(lan(hosts), inner.Tape())
        except LocalProtocolError as error:
            said[name] = str(error)
    return said
