"""What the lab benchmark measures from inside a lab."""

import asyncio
import ctypes
import subprocess
import time

import inner_scenarios as inner

from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.topology import lan

CLOCK = time.perf_counter


@inner.scenario
async def start(spec: inner.Spec) -> object:
    """Start a fabric and prove that every host answers."""
    fabric = SwitchFabric(carrier=spec["carrier"])
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
