"""What the lab benchmark measures from inside a lab."""

import asyncio
import ctypes
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import inner_scenarios as inner

from mpwire.capture import RunWriter
from mpwire.capture.blocks import Seen
from mpwire.capture.records import Host
from mpwire.lab.bridge import BridgeFabric
from mpwire.lab.bridge_cables import Cables
from mpwire.lab.bridge_ring import BridgeRing
from mpwire.lab.topology import Port, lan

CLOCK = time.perf_counter
IDLE_S = 0.001


def cpu_s() -> float:
    """Tell the CPU time of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def waited_s() -> float:
    """Tell how long this thread has waited for a CPU.

    Layout: /proc/thread-self/schedstat: nanoseconds on a CPU, nanoseconds waiting for one, turns.
    """
    return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9


@inner.scenario
async def start(spec: inner.Spec) -> object:
    """Start a fabric and prove that every host answers."""
    fabric = inner.make_fabric(spec)
    hosts = inner.specs(spec["hosts"])
    began_s, began_cpu_s, began_waited_s = CLOCK(), cpu_s(), waited_s()
    await fabric.start(lan(hosts), inner.Tape())
    started_s, started_cpu_s, started_waited_s = CLOCK(), cpu_s(), waited_s()
    await fabric.settle()
    settled_s = CLOCK()
    result = {
        "start_s": started_s - began_s,
        "cpu_s": started_cpu_s - began_cpu_s,
        "awake_s": started_s - began_s - (started_waited_s - began_waited_s),
        "settle_s": settled_s - started_s,
    }
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
    process = fabric.spawn("h1", _flooding(spec))
    process.stdin.write(b"go\n")
    began_s, began_cpu_s = CLOCK(), time.process_time()
    while process.status is None:
        # Whoever has nothing to do leaves the CPU to the sender. The loop reads the ring, too.
        await asyncio.sleep(0 if fabric._take() else IDLE_S)
    sent_s = CLOCK() - began_s
    fabric.drain()
    done_s, taken_s = CLOCK() - began_s, time.process_time() - began_cpu_s
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
        "heard_per_s": heard / done_s,
        "cpu_us": taken_s / heard * 1e6,
        "heard": heard,
        "kernel": kernel,
        "lost": fabric.ring.lost_count() + dropped,
    }
    await fabric.stop()
    writer.cleanup()
    return result


def _flooding(spec: inner.Spec) -> list[str]:
    return [*inner.PYTHON, FLOOD, str(spec["count"]), str(spec["octets"])]


PEERS = {
    "tcpdump": ["tcpdump", "-i", "any", "-B", "65536", "-Z", "root", "-w"],
    "dumpcap": ["dumpcap", "-q", "-i", "any", "-B", "64", "-w"],
}
"""Programs that write what passes all interfaces into a file, with a buffer as large as ours."""


@inner.scenario
async def flood_peer(spec: inner.Spec) -> object:
    """Let a host send as in `flood`, while another program captures instead of our ring."""
    hosts = inner.specs(spec["hosts"])
    cables, ring = Cables(lan(hosts), snooping=False, deadline_s=10.0), BridgeRing()
    cables.make()
    cables.connect(ring)
    ring.close()
    with tempfile.TemporaryDirectory() as folder:
        argv = [*PEERS[spec["peer"]], str(Path(folder) / "flood.pcap")]
        peer = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        assert peer.stderr is not None
        said = ""
        while "listening" not in said and "File: " not in said:
            line = peer.stderr.readline()
            if not line:
                return {"lacks": f"{spec['peer']}: {said}"}
            said += line
        began_s = CLOCK()
        with cables.namespace("h1").entered():
            subprocess.run(_flooding(spec), input=b"go\n", check=True)
        sent_s = CLOCK() - began_s
        peer.send_signal(signal.SIGTERM)  # a lab's interrupts are held back
        said += peer.stderr.read()
        _, _, usage = os.wait4(peer.pid, 0)
        done_s = CLOCK() - began_s
    cables.close()
    heard, lost = _counted(said)
    return {
        "sent_per_s": len(hosts) * spec["count"] / sent_s,
        "heard_per_s": heard / done_s,
        "cpu_us": (usage.ru_utime + usage.ru_stime) / heard * 1e6,
        "lost": lost,
    }


def _counted(said: str) -> tuple[int, int]:
    """Read how many packets a program has captured, and how many it knows to be lost."""
    of_tcpdump = re.search(
        r"(\d+) packets captured.*?(\d+) packets dropped by kernel", said, re.DOTALL
    )
    of_dumpcap = re.search(r"received/dropped on interface '[^']*': (\d+)/(\d+)", said)
    found = of_tcpdump or of_dumpcap
    if found is None:
        raise ValueError(said)
    return int(found[1]), int(found[2])


class _Counting:
    """Record nothing."""

    def __init__(self) -> None:
        self.count = 0

    def frame(self, _host: str, _direction: str, _data: bytes, _time_ns: int, /) -> int:
        """Count a frame."""
        self.count += 1
        return self.count

    def frames(self, seen: Sequence[Seen], /) -> int:
        """Count frames."""
        self.count += len(seen)
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
    began_s, began_cpu_s = CLOCK(), cpu_s()
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
    return {"start_s": CLOCK() - began_s, "cpu_s": cpu_s() - began_cpu_s}


MININET = """
import sys, time
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo
began_s = time.perf_counter()
net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None)
net.start()
print(time.perf_counter() - began_s, flush=True)
net.stop()
"""


@inner.scenario
async def with_mininet(spec: inner.Spec) -> object:
    """Have Mininet make as many hosts on a bridge, and tell how long that took without imports."""
    argv = ["/usr/bin/python3", "-c", MININET, str(spec["hosts"])]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return {"start_s": float(done.stdout), "cpu_s": cpu_s()}


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
