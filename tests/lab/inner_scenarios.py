"""Run inside a lab: `main()` does the scenario that the specification names."""

import asyncio
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from mpwire.capture.blocks import Seen
from mpwire.capture.records import AnyRecord
from mpwire.lab.bridge import BridgeFabric
from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.faults import ANY, Duration, Hold, Which
from mpwire.lab.gated_bridge import GatedBridgeFabric
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.process import HostProcess
from mpwire.lab.switch import Decide, deliver_all
from mpwire.lab.topology import Port, lan

Spec = dict[str, Any]
Scenario = Callable[[Spec], Coroutine[Any, Any, object]]
SCENARIOS: dict[str, Scenario] = {}

PYTHON = [sys.executable, "-I", "-S", "-c"]


def scenario(function: Scenario) -> Scenario:
    """Make a scenario known by its name."""
    SCENARIOS[function.__name__] = function
    return function


def say(progress: object) -> None:
    """Print a progress line."""
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Do what standard input says; the scenario's result is the last line."""
    spec = msgspec.json.decode(sys.stdin.buffer.read())
    for module in spec.get("modules", ()):
        importlib.import_module(module)
    result = asyncio.run(SCENARIOS[spec["scenario"]](spec))
    say({"result": result})
    return int(spec.get("status", 0))


class Tape:
    """Keep frames and records in the order in which they came."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.frame_count = 0
        self.heard = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a frame after which something is the case."""
        while not condition():
            self.heard.clear()
            await self.heard.wait()

    def frame(
        self, host: str, direction: Literal["in", "out"], data: bytes, time_ns: int, /
    ) -> int:
        """Record a frame."""
        self.frame_count += 1
        entry = {"number": self.frame_count, "host": host, "direction": direction}
        self.entries.append({**entry, "data": data.hex(), "time_ns": time_ns})
        self.heard.set()
        return self.frame_count

    def frames(self, seen: Sequence[Seen], /) -> int:
        """Record frames one after the other."""
        first, *_ = [self.frame(*at, data, time_ns) for at, data, time_ns in seen]
        return first

    def record(self, record: AnyRecord, /) -> None:
        """Record anything else."""
        self.entries.append({"after": self.frame_count, **msgspec.to_builtins(record)})


def specs(count: int, ipv6: bool = False) -> list[Port]:
    """Describe h1, h2, ... of one LAN."""
    return [
        Port(
            name=f"h{number}",
            mac=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}",
            addresses=(
                f"10.77.{number >> 8}.{number & 255}/16",
                *((f"fd77::{number:x}/64",) if ipv6 else ()),
            ),
        )
        for number in range(1, count + 1)
    ]


AnyFabric = SwitchFabric | BridgeFabric


def make_fabric(spec: Spec, decide: Decide = deliver_all, deadline_s: float = 10.0) -> AnyFabric:
    """Make a fabric as the specification says: the last three carriers are others."""
    carrier = spec.get("carrier")
    if carrier == "gates":
        return GatedBridgeFabric(
            snooping=spec.get("snooping", False), decide=decide, deadline_s=deadline_s
        )
    if carrier == "noting":  # every message is held back for no time at all
        word = Hold(
            text="hold it", line=0, column=0, message=ANY, which=Which(), duration=Duration(0, 0)
        )
        return BridgeFabric(deadline_s=deadline_s, emulated=[word])
    if carrier == "bridge":
        return BridgeFabric(snooping=spec.get("snooping", False), deadline_s=deadline_s)
    return SwitchFabric(carrier=carrier, decide=decide, deadline_s=deadline_s)


def namespace_of(fabric: AnyFabric, host: str) -> NetworkNamespace:
    """Give the namespace of a host."""
    if isinstance(fabric, BridgeFabric):
        return fabric.cables.namespace(host)
    return fabric._hosts[host].namespace


@contextlib.asynccontextmanager
async def fabric_of(
    spec: Spec, decide: Decide = deliver_all, deadline_s: float = 10.0
) -> AsyncIterator[tuple[AnyFabric, Tape]]:
    """Run a fabric as the specification says."""
    tape = Tape()
    fabric = make_fabric(spec, decide, deadline_s)
    await fabric.start(lan(specs(spec.get("hosts", 3), spec.get("ipv6", False))), tape)
    try:
        yield fabric, tape
    finally:
        await fabric.stop()


_unread: dict[int, bytes] = {}


async def read_line(process: HostProcess) -> str:
    """Read the next line of a program."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(process.stdout.fileno(), ready.set)
    text = _unread.pop(process.pid, b"")
    try:
        while b"\n" not in text:
            await ready.wait()
            ready.clear()
            chunk = process.stdout.read()
            if chunk == b"":
                raise EOFError(process.stderr())
            text += chunk or b""
    finally:
        loop.remove_reader(process.stdout.fileno())
    line, _, _unread[process.pid] = text.partition(b"\n")
    return line.decode()


def open_files() -> list[str]:
    """Name what this process's descriptors refer to."""
    links = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists
            links.append(str(path.readlink()))
    return sorted(links)


ECHO_SERVER = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 5000))
print("ready", flush=True)
while True:
    octets, peer = server.recvfrom(2048)
    server.sendto(octets.upper(), peer)
"""

CLIENT = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(30)
for number in range(int(sys.argv[2])):
    client.sendto(b"hello %d" % number, (sys.argv[1], 5000))
    print(client.recv(2048).decode(), flush=True)
"""


@scenario
async def talk(spec: Spec) -> object:
    """Exchange datagrams between two hosts and return everything recorded."""
    async with fabric_of(spec) as (fabric, tape):
        names = [host.name for host in specs(spec.get("hosts", 3))]
        for name in names:
            await fabric.sentinel(name, "start")
        server = fabric.spawn("h1", [*PYTHON, ECHO_SERVER])
        await read_line(server)
        count = spec.get("count", 5)
        client = fabric.spawn("h2", [*PYTHON, CLIENT, "10.77.0.1", str(count)])
        answers = []
        for _ in range(count):
            answers.append(await read_line(client))
            fabric.drain()
            tape.entries.append({"kind": "line", "after": tape.frame_count, "line": answers[-1]})
        status = await client.wait()
        await fabric.settle()
        for name in names:
            tape.record(fabric.counters(name))
        for name in names:
            await fabric.sentinel(name, "end")
        return {
            "carrier": fabric.carrier,
            "answers": answers,
            "status": status,
            "tape": tape.entries,
        }


@scenario
async def linger(spec: Spec) -> object:
    """Bring a lab up, tell what it holds, and stay until killed."""
    async with fabric_of(spec) as (fabric, _):
        namespaces = [name for name in open_files() if name.startswith("net:")]
        server = fabric.spawn("h1", [*PYTHON, ECHO_SERVER])
        await read_line(server)
        say({"up": namespaces})
        await asyncio.Event().wait()
    return None


@scenario
async def nothing(spec: Spec) -> object:
    """Return the specification and what the process finds itself in."""
    return {
        "spec": spec,
        "uid": os.getuid(),
        "parent": os.getppid(),
        "processes": sorted(
            int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()
        ),
        "path": sys.path,
        "executable": sys.executable,
        "network": str(Path("/proc/self/ns/net").readlink()),
    }


@scenario
async def until_interrupted(_spec: Spec) -> object:
    """Wait for Ctrl-C and say that it came."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    say({"ready": True})
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say({"interrupted": True})
        raise
    return None
