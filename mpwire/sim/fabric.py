"""The `sim` fabric: simulated hosts, and every frame through the same switch as ever."""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from mpwire.capture.records import Counters, Sentinel
from mpwire.lab.craft import echo_reply_nonce, echo_request
from mpwire.lab.decide import Strike
from mpwire.lab.multicast import MulticastRouting
from mpwire.lab.switch import Decide, Recorder, Switch, deliver_all, spare, ways
from mpwire.lab.topology import Topology
from mpwire.sim.loop import VirtualLoop
from mpwire.sim.neighbours import Neighbours
from mpwire.sim.process import SimProcess
from mpwire.sim.router import Router, RouterPort
from mpwire.sim.stack import Stack
from mpwire.sim.transit import LINK_LATENCY_S


class SimFabric:
    """Run hosts and the wire between them in virtual time."""

    name = "sim"
    carrier = "none"
    decided_by = ""

    def __init__(self, loop: VirtualLoop) -> None:
        """Prepare to run in a loop, which is also the clock."""
        self.clock = loop
        self._loop = loop
        self._stacks: dict[str, Stack] = {}
        self._routers: dict[str, Router] = {}
        """By port."""
        self._multicast: MulticastRouting | None = None
        self._processes: list[SimProcess] = []
        self._nonces = itertools.count(1)
        self._replies: dict[int, int] = {}
        self._decide: Decide = deliver_all
        self._strike: Callable[[Strike], None] = spare
        self._switch: Switch | None = None
        self._alarm_s: float | None = None

    def impair(self, decide: Decide, strike: Callable[[Strike], None]) -> None:
        """Let faults act on frames, and through them on agents."""
        self._decide, self._strike = decide, strike

    async def start(self, topology: Topology, recorder: Recorder) -> None:
        """Make hosts and routers and connect them."""
        self._recorder = recorder
        ports = topology.ports
        for node in topology.hosts:
            name = node.port.name
            sender = self._sender(name)
            self._stacks[name] = Stack(node.port, self._loop, sender, node.routes)
        self._multicast = MulticastRouting(topology)
        for node in topology.routers:
            senders = {port.name: self._sender(port.name) for port in node.ports}
            router = Router(node, self._loop, senders, self._multicast)
            self._routers |= dict.fromkeys(router.ports, router)
        self._switch = Switch(
            recorder,
            {name: self._end(name) for name in ports},
            {name: port.mac_octets() for name, port in ports.items()},
            self._decide,
            clock=self.clock,
            ways=ways(topology),
        )
        self._switch.received = self._received
        self._switch.strike = self._strike
        for name, port in ports.items():
            known = self._neighbours(name).known
            for other in topology.neighbours(port):
                known |= {str(one.ip): other.mac_octets() for one in other.interfaces()}

    def _end(self, port: str) -> Stack | RouterPort:
        """Give what stands behind a port."""
        router = self._routers.get(port)
        return self._stacks[port] if router is None else router.ports[port]

    def _neighbours(self, port: str) -> Neighbours:
        router = self._routers.get(port)
        return self._stacks[port].neighbours if router is None else router.neighbours[port]

    def _sender(self, host: str) -> Callable[[bytes], None]:
        def put_on_cable(frame: bytes) -> None:
            self.switch.forward(host, frame)
            self._set_alarm()

        return put_on_cable

    @property
    def switch(self) -> Switch:
        """Give the switch of a fabric that was started."""
        assert self._switch is not None
        return self._switch

    def _set_alarm(self) -> None:
        due_s = self.switch.held.next_due_s
        if due_s is not None and (self._alarm_s is None or due_s < self._alarm_s):
            self._alarm_s = due_s
            self._loop.call_at(due_s, self._release)

    def _release(self) -> None:
        self._alarm_s = None
        self.switch.release(self._loop.time())
        self._set_alarm()

    def spawn(
        self, host: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> SimProcess:
        """Start the reference agent on a host; who ordered the run has seen that it is no other."""
        del argv, env
        process = SimProcess(self._loop, self._stacks[host])
        self._processes.append(process)
        return process

    def set_interface(self, host: str, *, is_up: bool) -> None:
        """Set a host's interface down or up, and tell its agent; or set a router's port."""
        router = self._routers.get(host)
        if router is not None:
            assert self._multicast is not None
            self._multicast.set_port(host, is_up=is_up)
            router.set_port(host, is_up=is_up)
            return
        stack = self._stacks[host]
        stack.is_up = is_up
        for address in stack.spec.interfaces():
            stack.on_interface(str(address.ip), is_up)

    def remove_addresses(self, host: str) -> None:
        """Take what a host is reached by: without an address a stack does as without interface."""
        self.set_interface(host, is_up=False)

    def part(self, host: str, *, is_apart: bool) -> None:
        """Leave it to the decisions about frames."""

    def drain(self) -> int:
        """Forward nothing: every frame was forwarded when it was sent."""
        return 0

    def counters(self, host: str) -> Counters:
        """Tell what a stack has counted."""
        end = self._end(host)
        received = self.switch.read_count[host]
        return Counters(
            host=host,
            interface={"tx_packets": received, "tx_dropped": 0, "rx_dropped": end.rx_dropped},
            udp={
                f"{family}{name}": count
                for family, count in end.udp_in_errors.items()
                for name in ("InErrors", "InCsumErrors")
            },
            capture={"received": received, "dropped": 0},
        )

    async def sentinel(self, host: str, stage: Literal["start", "end"]) -> None:
        """Record an echo through the host's own stack."""
        end = self._end(host)
        spec = end.spec
        nonce = next(self._nonces)
        frame = echo_request(spec.mac_octets(), spec.interfaces()[0].ip, nonce, end.place)
        request = self.switch.inject(host, frame)
        await self._pause(LINK_LATENCY_S * 2)
        reply = self._replies.pop(nonce)
        self._recorder.record(Sentinel(host=host, stage=stage, request=request, reply=reply))

    def _received(self, _sender: str, frame: bytes, number: int) -> None:
        nonce = echo_reply_nonce(frame)
        if nonce is not None:
            self._replies[nonce] = number

    async def settle(self) -> None:
        """Wait until no frame is under way any more."""
        last_s = self.switch.held.last_due_s
        while self._under_way(last_s):
            await self._pause(LINK_LATENCY_S)

    def _under_way(self, last_s: float) -> bool:
        next_s = self.switch.held.next_due_s
        held = next_s is not None and next_s <= last_s
        return held or any(self._end(port).in_flight for port in self.switch.read_count)

    async def _pause(self, duration_s: float) -> None:
        passed = asyncio.Event()
        waking = self._loop.call_later(duration_s, passed.set)
        try:
            await passed.wait()
        finally:
            waking.cancel()  # for who is interrupted no time passes

    async def stop(self) -> None:
        """End the agents; frames that are held are lost."""
        if self._switch is not None:
            self._switch.abandon()
        for process in self._processes:
            process.kill()
