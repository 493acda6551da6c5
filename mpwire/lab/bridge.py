"""The `bridge` fabric: hosts with real kernel stacks on a bridge of the kernel, which we watch.

Frames pass from host to host without us: this is as fast as the kernel is, and what it does with
groups is what it does anywhere. Nothing is decided here, so nothing can be lost, delayed or
changed on purpose; `gated_bridge` is for that. One ring hears every
port; `drain` reads it up to now, and proves it: it goes on until the record has every frame that
the kernel has counted at the ports. Call it before recording a line that a program on a host has
written: whatever the program had received or sent before it wrote the line then has its number
first.
"""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import itemgetter
from typing import Final, Literal

from mpwire.capture.blocks import Seen
from mpwire.capture.deliveries import NETEM
from mpwire.capture.records import Counters
from mpwire.errors import LocalProtocolError, MachineError, MpwireError
from mpwire.lab.bridge_cables import BridgePort, Cables
from mpwire.lab.bridge_decisions import BridgeDecisions
from mpwire.lab.bridge_echoes import BridgeEchoes
from mpwire.lab.bridge_ring import BridgeRing
from mpwire.lab.clock import KERNEL_CLOCK
from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.decide import Strike
from mpwire.lab.echoes import FabricError
from mpwire.lab.emulation import Delays
from mpwire.lab.fabric import DEADLINE_S
from mpwire.lab.faults import AnyFault
from mpwire.lab.groups import GroupControl
from mpwire.lab.hosts import check_ports
from mpwire.lab.means import allow_descriptors
from mpwire.lab.mroute import MakeForwarding, MulticastRouter
from mpwire.lab.outages import Outages
from mpwire.lab.process import HostProcess
from mpwire.lab.silence import Silence
from mpwire.lab.switch import Decide, RunRecorder
from mpwire.lab.topology import Topology

TURN_BLOCK_COUNT: Final = 8
"""Blocks of the ring that are read before the loop may do something else."""

COUNTING_ROUNDS: Final = 8
HELD_S: Final = 0.001
"""How often to look whether ports still hold messages back."""


class BridgeFabric:
    """Run hosts on a bridge and hear everything that passes."""

    name = "bridge"
    carrier = "veth"
    clock = KERNEL_CLOCK

    def __init__(
        self,
        *,
        snooping: bool = False,
        forwarding: MakeForwarding = MulticastRouter,
        deadline_s: float = DEADLINE_S,
        emulated: Sequence[AnyFault] = (),
    ) -> None:
        """Prepare.

        Args: snooping: the bridge learns who is in which group (IGMP, MLD), and asks for it;
            forwarding: of groups, in routers; deadline_s: for an echo through a host's stack;
            emulated: delays, see `emulation`.
        """
        self.decided_by = NETEM if emulated else ""
        self._emulated = emulated
        self._decisions: BridgeDecisions | None = None
        self._snooping = snooping
        self._forwarding = forwarding
        self._deadline_s = deadline_s
        self._processes: list[HostProcess] = []
        self._affinity = os.sched_getaffinity(0)
        self._ring: BridgeRing | None = None
        self._cables: Cables | None = None
        self._groups: GroupControl | None = None
        self._outages: Outages | None = None
        self._without_addresses: set[str] = set()
        self._fault: Exception | None = None
        self._handled_count = 0

    def impair(self, decide: Decide, strike: Callable[[Strike], None]) -> None:
        """Take note of nothing: a bridge delivers every frame."""

    async def start(self, topology: Topology, recorder: RunRecorder) -> None:
        """Make the hosts and connect them; from here on frames are recorded.

        Raises: LocalProtocolError for specifications that contradict each other; MachineError
            for what the kernel refused.
        """
        check_ports([port for node in topology.nodes for port in node.ports])
        self._recorder = recorder
        allow_descriptors(64 + 16 * len(topology.ports))
        try:
            delays = self._new_delays(topology, recorder)
            self._cables = Cables(
                topology, snooping=self._snooping, deadline_s=self._deadline_s, delays=delays
            )
            # The kernel takes as long for the ring as for some hosts: let it do both.
            with ThreadPoolExecutor(1) as aside:
                ring = aside.submit(BridgeRing)
                try:
                    self._cables.make()
                finally:
                    self._ring = ring.result()
            self._cables.connect(self._ring)
            self._echoes = BridgeEchoes(self._cables, recorder, self.drain, self._deadline_s)
            self._outages = Outages(self.drain, self._cables.sent_counts, recorder)
            if topology.routers or self._snooping:
                self._groups = GroupControl(topology, self._cables.hosts, self._forwarding)
        except OSError as error:
            await self.stop()
            raise MachineError(f"the kernel refused a host: {error}") from error
        except BaseException:
            await self.stop()
            raise
        asyncio.get_running_loop().add_reader(self._ring.fileno(), self._on_readable)

    def _new_delays(self, topology: Topology, recorder: RunRecorder) -> Delays | None:
        if not self._emulated:
            return None
        delays = Delays(topology, self._emulated)
        self._decisions = BridgeDecisions(topology, delays, recorder)
        return delays

    @property
    def ring(self) -> BridgeRing:
        """Give the ring of a fabric that was started."""
        if self._ring is None:
            raise LocalProtocolError("the fabric has not been started")
        return self._ring

    @property
    def cables(self) -> Cables:
        """Give the cables of a fabric that was started."""
        if self._cables is None:
            raise LocalProtocolError("the fabric has not been started")
        return self._cables

    def set_interface(self, host: str, *, is_up: bool) -> None:
        """Set the interface of a host, or a router's port, down, or up again with all it had."""
        assert self._outages is not None
        cable = self.cables[host].cable
        if not is_up:
            self.cables.stop(host)
        self._outages.set_interface(cable, self._deadline_s, is_up=is_up)
        if is_up and host in self._without_addresses:
            self._without_addresses.remove(host)
            self.cables.open(host)
        if is_up:
            self.cables.begin(host)
        if self._groups is not None:
            self._groups.routing.set_port(host, is_up=is_up)
            self._groups.expect_again()

    def remove_addresses(self, host: str) -> None:
        """Take the addresses of a host's interface; setting it up gives them back."""
        assert self._outages is not None
        self.cables.stop(host)
        self._without_addresses.add(host)
        self._outages.remove_addresses(self.cables[host].cable)

    def part(self, host: str, *, is_apart: bool) -> None:
        """Let nothing pass between a host and all others, or let it pass again."""
        self.cables.part(host, is_apart=is_apart)

    def _on_readable(self) -> None:
        """Record when the loop finds frames; a fault ends the reading and is kept."""
        try:
            self._take(TURN_BLOCK_COUNT)
        except (OSError, MpwireError):
            # The loop would log it and go on, and the record would have a hole.
            asyncio.get_running_loop().remove_reader(self.ring.fileno())

    def _take(self, block_count: int | None = None) -> int:
        """Record what the ring holds; what it raises is kept, as a hole in the record stays."""
        try:
            return self._taken(block_count)
        except (OSError, MpwireError) as error:
            self._fault = error
            raise

    def _taken(self, block_count: int | None) -> int:
        count = 0
        for _ in itertools.count() if block_count is None else range(block_count):
            block = self.ring.read()
            if block is None:
                break
            singly = self._groups is not None or self._decisions is not None
            if singly or SWITCH_MAC in block.octets:
                for seen in block.frames:
                    self._record_one(seen)
            elif block.frames:
                self._record(block.frames)
            count += len(block.frames)
        return count

    def _record(self, frames: list[Seen]) -> None:
        """Record frames between hosts."""
        self._recorder.frames(frames)
        self._handled_count += len(frames)
        for (host, direction), count in Counter(map(itemgetter(0), frames)).items():
            port = self.cables[host]
            if direction == "in":
                port.delivered_count += count
            else:
                port.sent_count += count

    def _record_one(self, seen: Seen) -> None:
        """Record a frame that may be an echo of ours, or matter to routers."""
        (host, direction), frame, _ = seen
        number = self._recorder.frames([seen])
        port = self.cables[host]
        if direction == "in":
            port.delivered_count += 1
            if frame[6:12] == SWITCH_MAC:
                self._echoes.asked(host, frame, number)
                return
        else:
            port.sent_count += 1
            if frame[:6] == SWITCH_MAC:
                if self._decisions is not None:
                    self._decisions.for_us(number)
                self._echoes.answered(host, frame, number)
                return
        self._handled_count += 1
        if self._decisions is not None:
            note = self._decisions.sent if direction == "out" else self._decisions.arrived
            note(number, host, frame)
        if self._groups is not None:
            if direction == "out":
                self._groups.sent(host, frame)
            elif port.is_router:
                self._groups.expect(host, frame)

    def drain(self) -> int:
        """Record everything that has passed the ports by now; return the number of frames.

        Raises: FabricError when the record lacks a frame that the kernel has counted.
        """
        if self._fault is not None:
            raise FabricError(f"frames are not recorded any more: {self._fault}") from self._fault
        count = self._take()
        give_up_s = None
        counted = self.cables.counted()
        while self._missing(counted):
            self.ring.flush()
            taken_count = self._take()
            count += taken_count
            now_s = time.monotonic()
            give_up_s = give_up_s or now_s + self._deadline_s
            lost_count = self.ring.lost_count()
            if now_s > give_up_s or (not taken_count and lost_count):
                why = f"; the ring was full for {lost_count}" if lost_count else ""
                raise FabricError(self._missing(counted) + why)
            if not taken_count:
                os.sched_yield()  # it waits in a queue of another CPU
        return count

    def _missing(self, counted: Mapping[str, tuple[int, int]]) -> str:
        """Say whose frames the kernel has counted and the record does not have."""
        for port in self.cables:
            sent_count, delivered_count = counted.get(port.interface, (0, 0))
            if port.sent_count < sent_count or port.delivered_count < delivered_count:
                return _told(port, sent_count, delivered_count)
        return ""

    def spawn(
        self, host: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> HostProcess:
        """Start a program on a host.

        Args: env: None hands down this process's environment.
        Raises: OSError when it cannot be started.
        """
        process = HostProcess(self.cables.namespace(host), argv, env, self._affinity)
        self._processes.append(process)
        return process

    def counters(self, host: str) -> Counters:
        """Tell what the kernel has counted for a host since its start, and what was heard."""
        port = self.cables[host]
        for _ in range(COUNTING_ROUNDS):
            with suppress(FabricError):  # the numbers will say it
                self.drain()
            counters = port.cable.counters(port.sent_count, self.ring.lost_count())
            counters.interface["port_tx_dropped"] = self.cables.dropped_count(host)
            counters.capture["delivered"] = port.delivered_count
            kernel = counters.interface
            counted = kernel.get("tx_packets"), kernel.get("rx_packets")
            if counted == (port.sent_count, port.delivered_count):
                break  # else a stack has spoken between two looks
        return counters

    async def sentinel(self, host: str, stage: Literal["start", "end"]) -> None:
        """Record an echo through the host's own stack as proof that its capture works now.

        Raises: FabricError when no answer comes.
        """
        await self._echoes.answers({self._echoes.ask(host, stage): host})

    async def settle(self) -> None:
        """Wait until nothing is on the way any more.

        Afterwards every frame delivered before has been handled by its host's stack, and so have
        the answers of the stacks. What the programs on the hosts make of it is theirs: ask them
        (`barrier`), and settle again.

        Raises: FabricError when an echo is not answered, or the hosts never fall silent.
        """
        self.drain()
        newest = 0 if self._decisions is None else self._decisions.newest
        await self._delivered()
        silence, unsaid = Silence(self._deadline_s), ""
        while silence.is_awaited():
            self.drain()
            handled_count = self._handled_count
            await self._echoes.answers(self._echoes.ask_on_all_cpus())
            self.drain()
            quiet = self._handled_count == handled_count and not self.cables.held_count()
            unsaid = self._unsaid() if quiet else ""
            if quiet and not unsaid:
                self._conclude(newest)
                return
            if self.cables.held_count():
                with silence.held_back():
                    await self._delivered()
            await asyncio.sleep(0)
        raise FabricError(unsaid or silence.broken())

    async def _delivered(self) -> None:
        """Wait until what ports hold back by now has left them."""
        gone_s = time.monotonic() + self.cables.delay_s
        while self.cables.held_count() and time.monotonic() < gone_s:
            await asyncio.sleep(HELD_S)

    def _conclude(self, newest: int) -> None:
        """Say that what was sent until then is not on the way any more."""
        if self._decisions is not None:
            self.drain()
            self._decisions.conclude(newest)

    def _unsaid(self) -> str:
        """Say whose kernel will yet report a group, as it does after some milliseconds."""
        if self._groups is None:
            return ""
        for port in self.cables:
            groups = [] if port.is_down else self._groups.unsaid(port.name)
            if groups:
                return f"{port.name} has not reported {', '.join(groups)}"
        return ""

    async def stop(self) -> None:
        """Kill what still runs and let go of all namespaces."""
        if self._ring is not None:
            asyncio.get_running_loop().remove_reader(self._ring.fileno())
        if self._decisions is not None:
            self._decisions.conclude(self._decisions.newest)
        for process in self._processes:
            process.close()
        if self._groups is not None:
            self._groups.close()
        if self._cables is not None:
            self._cables.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None


def _told(port: BridgePort, sent_count: int, delivered_count: int) -> str:
    return (
        f"{port.name} has sent {sent_count} and was sent {delivered_count} frames,"
        f" {port.sent_count} and {port.delivered_count} were heard"
    )
