"""Scenarios of real group sockets on the hosts of a lab."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import inner_scenarios as inner

from mpwire.core import Entropy, TimerPlan
from mpwire.errors import MachineError
from mpwire.io.driver import Driver
from mpwire.io.network import KernelNetwork
from mpwire.lab.fabric import SwitchFabric
from mpwire.lab.mroute import KernelMulticast
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.vocabulary import JoinFlag, NetworkEvent, SocketFlag
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.scope import MultipointIoctl

PORT = 47777
WAIT_S = 20.0
LEAF = SocketFlag.C_LEAF | SocketFlag.D_LEAF
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Member:
    """One socket in an open session, on a host of a lab."""

    def __init__(self, fabric: SwitchFabric, host: str, group: str, flag: JoinFlag) -> None:
        self.namespace = fabric._hosts[host].namespace
        self.host, self.group, self.flag = host, group, flag
        self.family = 6 if ":" in group else 4
        self.progress = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.driver = Driver(
            self.loop,
            KernelNetwork(self.loop),
            Entropy(host.encode()),
            TimerPlan(),
            self.progress.set,
        )
        self.provider = self.driver.provider
        self.handle = self.provider.socket(LEAF, self.family, Protocol.MPW_OPEN)

    @property
    def address(self) -> str:
        """Return the host's address of the group's family."""
        return {4: f"10.77.0.{self.host[1:]}", 6: f"fd77::{self.host[1:]}"}[self.family]

    def join(self, origins: tuple[str, ...] = ()) -> None:
        """Join the session of the group."""
        self.provider.ioctl(self.handle, MultipointIoctl.SIO_MPW_ORIGINS, origins, 0.0)
        with self.namespace.entered():
            self.provider.bind(self.handle, (self.address, 0))
            self.provider.event_select(self.handle, 1, NetworkEvent.FD_READ, self.loop.time())
            self.provider.join_leaf(
                self.handle, (self.group, PORT), self.loop.time(), flags=self.flag
            )
        self.driver.settle()

    def send(self, payload: bytes) -> None:
        """Send one message."""
        self.provider.send(self.handle, payload, self.loop.time())
        self.driver.settle()

    async def received(self, count: int) -> list[str]:
        """Wait for so many messages, and return all."""
        while len(self.provider.sockets[self.handle].queue) < count:
            self.progress.clear()
            await self.progress.wait()
        queue = self.provider.sockets[self.handle].queue
        return sorted(message.payload.decode() for message in queue)

    def close(self) -> None:
        """Close the socket."""
        self.provider.close(self.handle, self.loop.time())
        self.driver.settle()


def reports(tape: inner.Tape, host: str, group: str) -> list[int]:
    """Return the record types for a group in the IGMPv3 and MLDv2 reports that a host sent."""
    octets = socket.inet_pton(FAMILIES[6 if ":" in group else 4], group)
    types = []
    for entry in tape.entries:
        if entry.get("direction") != "out" or entry["host"] != host:
            continue
        frame = bytes.fromhex(entry["data"])
        if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_IGMP:
            report = frame[14 + 4 * (frame[14] & 15) :]
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 0 and frame[54] == 58:
            report = frame[62:]  # behind the router alert
        else:
            continue
        types += _records(report, octets)
    return types


def hop_limits(tape: inner.Tape, group: str) -> list[int]:
    """Return the hop limits of the UDP datagrams that hosts sent to a group."""
    octets = socket.inet_pton(FAMILIES[6 if ":" in group else 4], group)
    offsets = (14 + 24, 14 + 6, 14 + 7) if ":" in group else (14 + 16, 14 + 9, 14 + 8)
    frames = [
        bytes.fromhex(entry["data"]) for entry in tape.entries if entry.get("direction") == "out"
    ]
    address, protocol, hops = offsets
    return [
        frame[hops]
        for frame in frames
        if frame[address : address + len(octets)] == octets
        and frame[protocol] == socket.IPPROTO_UDP
    ]


def _records(report: bytes, group: bytes) -> list[int]:
    """Return the types of the records for a group (RFC 3376 4.2, RFC 3810 5.2)."""
    types, offset = [], 8
    for _ in range(int.from_bytes(report[6:8])):
        source_count = int.from_bytes(report[offset + 2 : offset + 4])
        if report[offset + 4 : offset + 4 + len(group)] == group:
            types.append(report[offset])
        offset += 4 + len(group) * (1 + source_count)
    return types


async def _while(members: list[Member], doing: Callable[[], Any]) -> object:
    """Do something, and close the drivers of all members whatever comes of it."""
    try:
        return await asyncio.wait_for(doing(), WAIT_S)
    finally:
        for member in members:
            member.driver.close()


@inner.scenario
async def gathering(spec: inner.Spec) -> object:
    """Let two members that listen and one that only sends meet in a group."""
    group = str(spec["group"])
    async with inner.fabric_of(spec | {"ipv6": True}) as (fabric, tape):
        flags = {"h1": JoinFlag.BOTH, "h2": JoinFlag.RECEIVER_ONLY, "h3": JoinFlag.SENDER_ONLY}
        members = [Member(fabric, host, group, flag) for host, flag in flags.items()]
        one, two, three = members

        async def doing() -> object:
            for member in members:
                member.join()
            await tape.until(lambda: all(reports(tape, host, group) for host in ("h1", "h2")))
            one.send(b"from one")
            three.send(b"from three")
            received = [await one.received(2), await two.received(2)]
            two.close()
            await tape.until(lambda: len(set(reports(tape, "h2", group))) == 2)
            await fabric.settle()
            return {
                "received": received,
                "reports": {host: reports(tape, host, group) for host in flags},
                "hop_limits": hop_limits(tape, group),
                "unsent": [member.driver.unsent_count for member in members],
            }

        return await _while(members, doing)


@inner.scenario
async def one_source(spec: inner.Spec) -> object:
    """Join a source-specific group for one of two hosts that send to it."""
    group = str(spec["group"])
    async with inner.fabric_of(spec | {"ipv6": True}) as (fabric, tape):
        flags = {"h1": JoinFlag.SENDER_ONLY, "h2": JoinFlag.BOTH, "h3": JoinFlag.SENDER_ONLY}
        members = [Member(fabric, host, group, flag) for host, flag in flags.items()]
        one, two, three = members

        async def doing() -> object:
            two.join(origins=(three.address,))
            await tape.until(lambda: bool(reports(tape, "h2", group)))
            for member in (one, three):
                member.join()
            one.send(b"from one")
            await fabric.settle()
            three.send(b"from three")
            received = await two.received(1)
            return {"received": received, "reports": reports(tape, "h2", group)}

        return await _while(members, doing)


@inner.scenario
async def neighbours(spec: inner.Spec) -> object:
    """Let two sockets of one host meet in a group that does not leave it, and one of another."""
    group = str(spec["group"])
    async with inner.fabric_of(spec | {"ipv6": True}) as (fabric, tape):
        members = [Member(fabric, host, group, JoinFlag.BOTH) for host in ("h1", "h1", "h2")]
        one, two, three = members

        async def doing() -> object:
            for member in (one, two):
                member.provider.ioctl(member.handle, MultipointIoctl.SIO_MULTICAST_SCOPE, 0, 0.0)
            for member in members:
                member.join()
            one.send(b"from one")
            received = await two.received(1)
            await fabric.settle()
            return {
                "received": received,
                "elsewhere": await three.received(0),
                "sent": hop_limits(tape, group).count(0),
                "unsent": [member.driver.unsent_count for member in members],
            }

        return await _while(members, doing)


@inner.scenario
async def second_forwarder(_spec: inner.Spec) -> object:
    """Let a second socket ask to forward IPv4 groups in a namespace where one does already."""
    with NetworkNamespace.created() as namespace:
        first = KernelMulticast(namespace, 4, ["lo"])
        try:
            KernelMulticast(namespace, 4, ["lo"]).close()
        except MachineError as error:
            return str(error)
        finally:
            first.close()
    return None
