"""What the lab benchmark measures from inside a lab."""

import asyncio
import ctypes
import subprocess
import tempfile
import time
from pathlib import Path

import inner_scenarios as inner

from mpwire.capture import RunWriter
from mpwire.capture.records import Host
from mpwire.lab.bridge import BridgeFabric
from mpwire.lab.topology import Port, lan

CLOCK = time.perf_counter


@inner.scenario
async def start(spec: inner.Spec) -> object:
    """Start a fabric and prove that every host answers."""
    fabric = inner.make_fabric(spec)
    hosts = inner.specs(spec["hosts"])
    began_s = CLOCK()
    await fabric.start(lan(hosts), inner.Tape())
    started_s = CLOCK()
    await fabric.settle()
    settled_s = CLOCK()
    result = {"start_s": started_s - began_s, "settle_s": settled_s - started_s}
    inner.say({"up": result})
    if spec.get("stay"):
        await asyncio.Event().wait()
    await fabric.stop()
    return result


FLOOD = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
sender.connect(("239.77.0.1", 7000))
payload, count = bytes(int(sys.argv[2])), int(sys.argv[1])
sys.stdin.readline()
for _ in range(count):
    sender.send(payload)
"""


@inner.scenario
async def flood(spec: inner.Spec) -> object:
    """Let a host send to all others as fast as it can, and tell what the ring has heard of it.

    Every datagram is a frame for each host: one into the bridge, the others out of it.
    """
    hosts = inner.specs(spec["hosts"])
    writer = tempfile.TemporaryDirectory()
    recorder = _Counting() if spec["recorder"] == "none" else _run_writer(Path(writer.name), hosts)
    fabric = BridgeFabric()
    await fabric.start(lan(hosts), recorder)
    argv = [*inner.PYTHON, FLOOD, str(spec["count"]), str(spec["octets"])]
    process = fabric.spawn("h1", argv)
    process.stdin.write(b"go\n")
    began_s = CLOCK()
    count = 0
    while process.status is None:
        count += fabric._take()
        await asyncio.sleep(0)
    sent_s = CLOCK() - began_s
    count += fabric.drain()
    done_s = CLOCK() - began_s
    counters = [fabric.counters(host.name) for host in hosts]
    heard = sum(one.capture["received"] + one.capture["delivered"] for one in counters)
    kernel = sum(one.interface["tx_packets"] + one.interface["rx_packets"] for one in counters)
    dropped = sum(
        value
        for one in counters
        for name, value in one.interface.items()
        if name in {"tx_dropped", "port_tx_dropped"}
    )
    result = {
        "sent_per_s": len(hosts) * spec["count"] / sent_s,
        "heard_per_s": count / done_s,
        "heard": heard,
        "kernel": kernel,
        "lost": fabric.ring.lost_count() + dropped,
    }
    await fabric.stop()
    writer.cleanup()
    return result


class _Counting:
    """Record nothing."""

    def __init__(self) -> None:
        self.count = 0

    def frame(self, _host: str, _direction: str, _data: bytes, _time_ns: int, /) -> int:
        """Count a frame."""
        self.count += 1
        return self.count

    def record(self, _record: object, /) -> None:
        """Take any record."""


def _run_writer(folder: Path, ports: list[Port]) -> RunWriter:
    hosts = [Host(name=one.name, mac=one.mac, addresses=[]) for one in ports]
    return RunWriter(folder, hosts)


@inner.scenario
async def with_ip(spec: inner.Spec) -> object:
    """Have `ip -batch` make the same hosts with veth pairs, in a /run of our own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None) != 0:
        return {"lacks": "cannot mount a private /run"}
    hosts = inner.specs(spec["hosts"])
    began_s = CLOCK()
    outside = []
    for number, host in enumerate(hosts):
        outside += [
            f"netns add {host.name}",
            f"link add p{number} type veth peer name eth0 address {host.mac} netns {host.name}",
            f"link set p{number} up",
        ]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(outside), text=True, check=True)
    for host in hosts:
        lines = ["link set lo up", f"addr add {host.addresses[0]} dev eth0", "link set eth0 up"]
        lines += ["route add 192.0.0.8/32 dev eth0", "route add 224.0.0.0/4 dev eth0"]
        lines += ["neigh add 192.0.0.8 lladdr 02:6d:70:77:00:00 dev eth0"]
        command = ["ip", "-n", host.name, "-batch", "-"]
        subprocess.run(command, input="\n".join(lines), text=True, check=True)
    return {"start_s": CLOCK() - began_s}


@inner.scenario
async def forward(spec: inner.Spec) -> object:
    """Push datagrams from one host to another through the switch and tell the rate."""
    import inner_network as network

    async with inner.fabric_of(spec) as (fabric, tape):
        listener = network.open_socket(fabric, "h1")
        listener.bind(("", network.PORT))
        sender = network.open_socket(fabric, "h2")
        payload = bytes(200)
        before, began_s = tape.frame_count, CLOCK()
        for _ in range(spec["count"] // 64):
            for _ in range(64):
                sender.sendto(payload, ("10.77.0.1", network.PORT))
            fabric.drain()
            network.received(listener)
        elapsed_s = CLOCK() - began_s
        return {"frames_per_s": (tape.frame_count - before) / elapsed_s}
