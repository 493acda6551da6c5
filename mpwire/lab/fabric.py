"""The `switch` fabric: hosts with real kernel stacks, and every frame through our own switch.

Everything happens in one thread and its asyncio loop, shared with whoever drives the hosts: so
there is one order of all frames and of everything the driver reads, and it is causal. Frames are
read by plain function calls; `drain` may be called at any moment and reads what is waiting now.
Call it before recording a line that a program on a host has written: whatever the program sent
before it wrote the line then has its number first.
"""

import asyncio
import os
import select
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from mpwire.capture.records import Counters
from mpwire.errors import LocalProtocolError, MachineError, MpwireError
from mpwire.lab.attaching import attach_by_pairs, make_hosts
from mpwire.lab.clock import KERNEL_CLOCK
from mpwire.lab.decide import Strike
from mpwire.lab.echoes import Echo, Echoes, FabricError
from mpwire.lab.groups import GroupControl
from mpwire.lab.hosts import Cable, Host, check_ports, packed_neighbours
from mpwire.lab.means import allow_descriptors, tap_opens
from mpwire.lab.mroute import MakeForwarding, MulticastRouter
from mpwire.lab.outages import Outages
from mpwire.lab.ports import TAP_QUEUE_COUNT, TapPort
from mpwire.lab.process import HostProcess
from mpwire.lab.ring import PacketRing
from mpwire.lab.silence import Silence
from mpwire.lab.switch import (
    Decide,
    Port,
    Recorder,
    Source,
    Switch,
    Ways,
    deliver_all,
    spare,
    ways,
)
from mpwire.lab.topology import Topology

Carrier = Literal["tap", "veth"]

MESH_HOST_COUNT = 64
"""Up to so many hosts know each other as permanent neighbours; beyond, the switch answers ARP."""
TURN_FRAME_COUNT = 64
"""Frames of one host that are forwarded before another host's turn comes."""
DEADLINE_S = 10.0
"""How long a host's stack may take for an echo on a machine that is busy elsewhere."""


class SwitchFabric:
    """Run hosts and the wire between them."""

    name = "switch"
    clock = KERNEL_CLOCK
    decided_by = ""

    def __init__(
        self,
        *,
        carrier: Carrier | None = None,
        decide: Decide = deliver_all,
        forwarding: MakeForwarding = MulticastRouter,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Prepare.

        Args: carrier: None takes TAP devices where they open, else veth pairs; decide: asked for
            each frame and receiver; forwarding: of groups, in routers; deadline_s: for an echo.
        """
        self.carrier: Carrier = carrier or "tap"
        """How hosts are attached; final after `start`."""
        self._forced = carrier is not None
        self._decide, self._forwarding = decide, forwarding
        self._strike: Callable[[Strike], None] = spare
        self._deadline_s = deadline_s
        self._hosts: dict[str, Host] = {}
        self._ring: PacketRing | None = None
        self._processes: list[HostProcess] = []
        self._echoes: Echoes | None = None
        self._affinity = os.sched_getaffinity(0)
        self._epoll: select.epoll | None = None
        self._switch: Switch | None = None
        self._fault: Exception | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_s = 0.0
        self._released = asyncio.Event()
        self._cables: dict[str, Cable] = {}
        self._groups: GroupControl | None = None

    def set_interface(self, host: str, *, is_up: bool) -> None:
        """Set the interface of a host, or a router's port, down, or up again with all it had."""
        self._outages.set_interface(self._cables[host], self._deadline_s, is_up=is_up)
        if self._groups is not None:
            self._groups.routing.set_port(host, is_up=is_up)

    def remove_addresses(self, host: str) -> None:
        """Take the addresses of a host's interface; setting it up gives them back."""
        self._outages.remove_addresses(self._cables[host])

    def part(self, host: str, *, is_apart: bool) -> None:
        """Leave it to the decisions about frames."""

    def impair(self, decide: Decide, strike: Callable[[Strike], None]) -> None:
        """Let faults act from the start on: on frames, and through them on agents."""
        self._decide, self._strike = decide, strike

    async def start(self, topology: Topology, recorder: Recorder) -> None:
        """Make hosts and routers and connect them; from here on frames are recorded.

        Raises: LocalProtocolError for specifications that contradict each other; MachineError
            for what the kernel refused.
        """
        ports = topology.ports
        check_ports([port for node in topology.nodes for port in node.ports])
        self._recorder = recorder
        allow_descriptors(64 + 16 * len(ports))
        lans = {network.name: topology.on(network.name) for network in topology.networks}
        answering = max(map(len, lans.values())) > MESH_HOST_COUNT
        try:
            self._make(topology)
            for name, cable in self._cables.items():
                cable.bring_up(() if answering else lans[ports[name].network])
            for cable in self._cables.values():
                cable.wait_until_usable(self._deadline_s)
            if self._hears_groups(topology):
                self._groups = GroupControl(topology, self._hosts, self._forwarding)
        except OSError as error:
            await self.stop()
            raise MachineError(f"the kernel refused a host: {error}") from error
        except BaseException:
            await self.stop()
            raise
        neighbours = packed_neighbours(ports.values()) if answering else None
        self._switch = self._new_switch(recorder, neighbours, ways(topology))
        self._echoes = Echoes(self._switch, self._cables, recorder, self._deadline_s)
        self._switch.received = self._echoes.received
        self._switch.strike = self._strike
        self._outages = Outages(self.drain, self._switch.read_count, recorder)
        if self._groups is not None:
            self._switch.sent, self._switch.arrives = self._groups.sent, self._groups.arrives
        self._epoll = select.epoll()
        self._sources = {source.fileno(): source for source in self._listening()}
        for descriptor in self._sources:
            self._epoll.register(descriptor, select.EPOLLIN)
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._on_readable)

    def _make(self, topology: Topology) -> None:
        if not self._forced:
            self.carrier = "tap" if tap_opens() else "veth"
        if self.carrier == "tap":
            make_hosts(topology, self._hosts, by_tap=True)
        else:
            self._ring = attach_by_pairs(topology, self._hosts)
        for host in self._hosts.values():
            self._cables |= host.cables

    def _hears_groups(self, topology: Topology) -> bool:
        """Tell whether anybody but the hosts cares who is in a group."""
        return bool(topology.routers)

    def _new_switch(
        self, recorder: Recorder, neighbours: Mapping[bytes, bytes] | None, ways: Ways
    ) -> Switch:
        ports, macs = self._cable_ports(), self._macs()
        return Switch(recorder, ports, macs, self._decide, neighbours, ways=ways)

    def _cable_ports(self) -> dict[str, Port]:
        return {name: cable.port for name, cable in self._cables.items()}

    def _macs(self) -> dict[str, bytes]:
        return {name: cable.spec.mac_octets() for name, cable in self._cables.items()}

    def _listening(self) -> list[Source]:
        """List all from which frames are read."""
        taps = [one.port for one in self._cables.values() if isinstance(one.port, TapPort)]
        return [self._ring] if self._ring else [*taps]

    @property
    def switch(self) -> Switch:
        """Give the switch, whose `decide` may be replaced at any moment."""
        if self._switch is None:
            raise LocalProtocolError("the fabric has not been started")
        return self._switch

    @property
    def echoes(self) -> Echoes:
        """Give the echoes of a fabric that was started."""
        if self._echoes is None:
            raise LocalProtocolError("the fabric has not been started")
        return self._echoes

    def _on_readable(self) -> None:
        """Take turns when the loop finds frames; a fault ends the reading and is kept."""
        try:
            self._take_turns()
        except (OSError, MpwireError) as error:
            # The loop would log it and go on, and the record would have a hole.
            self._fault = error
            if self._epoll is not None:
                asyncio.get_running_loop().remove_reader(self._epoll.fileno())

    def _take_turns(self) -> int:
        """Forward what is waiting, up to a turn per host; return the number of frames."""
        if self._epoll is None:
            return 0
        count = 0
        for descriptor, flags in self._epoll.poll(0):
            source = self._sources[descriptor]
            read_count = self.switch.drain(source, TURN_FRAME_COUNT)
            gone = flags & ~select.EPOLLIN and isinstance(source, TapPort)
            if not read_count and gone:
                self._epoll.unregister(descriptor)  # somebody has removed the TAP device
            count += read_count
        self._set_alarm()
        return count

    def _set_alarm(self) -> None:
        """See to it that what waits is delivered when it is due.

        An alarm that is set already stays unless it were late: frames that come all the time must
        not put it off for ever.
        """
        due_s = self.switch.held.next_due_s
        if due_s is None or (self._alarm is not None and self._alarm_s <= due_s):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_s = due_s
        wait_s = max(0.0, due_s - self.clock.now_s())
        self._alarm = asyncio.get_running_loop().call_later(wait_s, self._release)

    def _release(self) -> None:
        self._alarm = None
        self.drain()  # what was sent before now comes first
        self.switch.release(self.clock.now_s())
        self._released.set()
        self._set_alarm()

    def drain(self) -> int:
        """Forward everything that hosts have sent by now; return the number of frames.

        Two hosts that answer each other without end cannot hold it: it stops when it has read
        more than any queue holds.

        Raises: FabricError when an earlier frame could not be recorded.
        """
        if self._fault is not None:
            raise FabricError(f"frames are not recorded any more: {self._fault}") from self._fault
        count = 0
        for _ in range(1 + TAP_QUEUE_COUNT // TURN_FRAME_COUNT):
            turn_count = self._take_turns()
            if not turn_count:
                break
            count += turn_count
        return count

    def spawn(
        self, host: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> HostProcess:
        """Start a program on a host.

        Args: env: None hands down this process's environment.
        Raises: OSError when it cannot be started.
        """
        process = HostProcess(self._hosts[host].namespace, argv, env, self._affinity)
        self._processes.append(process)
        return process

    def counters(self, host: str) -> Counters:
        """Tell what the kernel has counted for a host since its start."""
        return self._cables[host].counters(self.switch.read_count[host], self._lost_count())

    def _lost_count(self) -> int:
        """Count frames that reached us and were lost: a TAP device counts such at the host."""
        return self._ring.lost_count() if self._ring else 0

    async def sentinel(self, host: str, stage: Literal["start", "end"]) -> None:
        """Record an echo through the host's own stack as proof that its capture works now.

        Raises: FabricError when no answer comes.
        """
        await self._answered([self.echoes.ask(host, stage)])

    async def _answered(self, asked: Sequence[Echo]) -> None:
        self.drain()
        await self.echoes.answers(asked)

    async def settle(self) -> None:
        """Wait until nothing is on the way any more.

        Afterwards every frame delivered before has been handled by its host's stack, every frame
        that a host had sent has been forwarded, and so have the answers of the stacks. What the
        programs on the hosts make of it is theirs: ask them (`barrier`), and settle again.

        Raises: FabricError when an echo is not answered, or the hosts never fall silent.
        """
        self.drain()
        await self._delivered_until(self.switch.held.last_due_s)
        silence, missing = Silence(self._deadline_s), ""
        while silence.is_awaited():
            self.drain()
            handled_count = self.switch.handled_count
            reached = [port for port in self._cables if port not in self._outages]
            await self._answered([self.echoes.ask(host, None) for host in reached])
            self.drain()
            quiet = self.switch.handled_count == handled_count and not len(self.switch.held)
            missing = (self._missing() or self._unsaid(reached)) if quiet else ""
            if quiet and not missing:
                return
            if len(self.switch.held):
                with silence.held_back():
                    await self._delivered_until(self.switch.held.last_due_s)
            await asyncio.sleep(0)
        raise FabricError(missing or silence.broken())

    async def _delivered_until(self, due_s: float) -> None:
        """Wait until nothing is held any more that was due by then."""
        while (next_s := self.switch.held.next_due_s) is not None and next_s <= due_s:
            self._released.clear()
            await self._released.wait()

    def _missing(self) -> str:
        """Say whose kernel has sent more frames than came out of the cable."""
        lost_count = self._lost_count()
        for name, cable in self._cables.items():
            arrived_count = self.switch.read_count[name] + lost_count
            sent_count = cable.sent_count()
            if sent_count > arrived_count:
                return f"{name} has sent {sent_count} frames, {arrived_count} have arrived"
        return ""

    def _unsaid(self, reached: Sequence[str]) -> str:
        """Say whose kernel will yet report a group to routers, as it does after milliseconds."""
        if self._groups is None:
            return ""
        waiting = {name: self._groups.unsaid(name) for name in reached}
        found = [
            f"{name} has not reported {', '.join(one)}" for name, one in waiting.items() if one
        ]
        return found[0] if found else ""

    async def stop(self) -> None:
        """End the programs, remove the hosts; frames still under way are lost. Harmless twice."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._switch is not None:
            self._switch.abandon()
        for process in self._processes:
            process.close()
        if self._groups is not None:
            self._groups.close()
        for host in self._hosts.values():
            host.close()
        if self._ring is not None:
            self._ring.close()
        os.sched_setaffinity(0, self._affinity)
