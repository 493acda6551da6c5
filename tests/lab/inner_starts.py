"""Scenarios in which hosts cannot be made."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import inner_scenarios as inner

from mpwire.errors import MachineError
from mpwire.lab import netlink
from mpwire.lab.means import allow_descriptors
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.topology import lan

CEILING_COUNT = 128


@contextmanager
def _room_for(count: int) -> Iterator[None]:
    """Let only so many more descriptors be had for the length of a block."""
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


async def _attempt(spec: inner.Spec) -> str:
    """Start and stop; tell what was said when that failed."""
    fabric = inner.make_fabric(spec)
    try:
        await fabric.start(lan(inner.specs(spec["hosts"], ipv6=True)), inner.Tape())
    except MachineError as error:
        return str(error)
    finally:
        await fabric.stop()
    return ""


@inner.scenario
async def no_room(spec: inner.Spec) -> object:
    """Start with room for ever more descriptors, until it is enough; tell what was said and left.

    Each attempt fails at another moment of the start.
    """
    assert await _attempt(spec) == ""
    resource.setrlimit(resource.RLIMIT_NOFILE, (CEILING_COUNT, CEILING_COUNT))
    before, affinity = inner.open_files(), os.sched_getaffinity(0)
    home = NetworkNamespace.current()
    said: list[str] = []
    left: list[Any] = []
    for count in range(CEILING_COUNT // 2):
        with _room_for(count):
            said.append(await _attempt(spec))
        after = [one for one in inner.open_files() if one not in before]
        if after != [str(Path(f"/proc/self/fd/{home.descriptor}").readlink())]:
            left.append([count, after])
        if not said[-1]:
            break
    home.close()
    return {
        "said": said,
        "left": left,
        "before": before,
        "after": inner.open_files(),
        "affinity": affinity == os.sched_getaffinity(0),
    }


@inner.scenario
async def no_table(_spec: inner.Spec) -> object:
    """Ask for room for descriptors where there is no more, and without a standard input."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (CEILING_COUNT, CEILING_COUNT))
    with _room_for(0):
        allow_descriptors(CEILING_COUNT)
    os.close(0)
    allow_descriptors(2 * CEILING_COUNT)
    return resource.getrlimit(resource.RLIMIT_NOFILE)


@inner.scenario
async def all_refused(_spec: inner.Spec) -> object:
    """Ask the kernel for much that it refuses, and for the last of a batch; tell what is said."""
    fine = netlink.link_set(1)
    said = []
    with netlink.RouteSocket() as route:
        for asked in (
            [netlink.route_add(77, f"10.{number}.0.0/16") for number in range(200)],
            [*[fine] * (netlink.BATCH_COUNT - 1), netlink.route_add(77, "10.250.0.0/16"), fine],
            [fine] * 200,
        ):
            try:
                route.apply(asked)
                said.append("")
            except MachineError as error:
                said.append(str(error))
    return said


@inner.scenario
async def listening_bridges(spec: inner.Spec) -> object:
    """Start bridges that report a group of their own; tell what their ports have dropped."""
    found = []
    for _ in range(spec["count"]):
        async with inner.fabric_of(spec) as (fabric, _tape):
            await fabric.settle()
            hosts = [host.name for host in inner.specs(spec["hosts"])]
            found += [fabric.counters(host).interface["port_tx_dropped"] for host in hosts]
    return found
