"""Hosts and routers on bridges of the kernel: a veth pair each, our end of it a port of one.

There is one bridge per network. What passes from one network to another does so through routers,
which are namespaces like those of hosts.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mpwire.errors import LocalProtocolError
from mpwire.lab.attaching import make_hosts
from mpwire.lab.bridge_links import DISABLED, FORWARDING, port_state_set
from mpwire.lab.bridge_ring import BridgeRing
from mpwire.lab.bridges import Bridges
from mpwire.lab.emulation import Delays, held_back
from mpwire.lab.hosts import Cable, Host, make_pairs
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import RouteSocket
from mpwire.lab.ports import VethPort
from mpwire.lab.topology import Port, Topology
from mpwire.lab.traffic_control import Queue

MESH_PORT_COUNT: Final = 64
"""Up to so many ports of a network know each other as permanent neighbours; beyond, they ask."""


@dataclass(slots=True)
class BridgePort:
    """The bridge's end of a cable."""

    cable: Cable
    interface: str
    index: int
    is_router: bool = False
    """It is a router's."""
    sent_count: int = 0
    """Frames that have come in from the host, on record."""
    delivered_count: int = 0
    """Frames that have left towards the host, on record."""
    is_down: bool = False
    """The interface at the other end has been taken."""
    is_apart: bool = False
    """The host is cut off from all others."""

    @property
    def name(self) -> str:
        """Give the vantage."""
        return self.cable.spec.name


class _SentCounts(Mapping[str, int]):
    """Look up how many frames a port has had from its host."""

    def __init__(self, ports: Mapping[str, BridgePort]) -> None:
        self._ports = ports

    def __getitem__(self, port: str) -> int:
        return self._ports[port].sent_count

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports)

    def __len__(self) -> int:
        return len(self._ports)


class Cables:
    """Hold hosts, routers and the bridges between them."""

    def __init__(
        self,
        topology: Topology,
        *,
        snooping: bool,
        deadline_s: float,
        delays: Delays | None = None,
    ) -> None:
        """Prepare; nothing is made yet.

        Args: snooping: the bridges learn who is in which group; delays: what ports hold back.
        """
        self._delays = delays
        self._topology = topology
        self._snooping = snooping
        self._deadline_s = deadline_s
        self._hosts: dict[str, Host] = {}
        self._ports: dict[str, BridgePort] = {}
        self._bridges: Bridges | None = None

    def __getitem__(self, port: str) -> BridgePort:
        """Give a port by its vantage."""
        return self._ports[port]

    def __iter__(self) -> Iterator[BridgePort]:
        """Go through all ports."""
        return iter(self._ports.values())

    @property
    def hosts(self) -> Mapping[str, Host]:
        """Give hosts and routers by name."""
        return self._hosts

    @property
    def sent_counts(self) -> Mapping[str, int]:
        """Give the number of frames on record that each port has had from its host, at any time."""
        return _SentCounts(self._ports)

    def namespace(self, host: str) -> NetworkNamespace:
        """Give the namespace of a host."""
        return self._hosts[host].namespace

    @property
    def bridges(self) -> Bridges:
        """Give the bridges, once they are made."""
        if self._bridges is None:
            raise LocalProtocolError("the bridges have not been made")
        return self._bridges

    def make(self) -> None:
        """Make the bridges, the hosts and the routers; they are connected, but down.

        Raises: OSError, MachineError for what the kernel refuses.
        """
        networks = self._topology.networks
        with RouteSocket() as route:
            self._bridges = Bridges(route, networks, snooping=self._snooping)
            make_hosts(self._topology, self._hosts)
            for cable in make_pairs(self._hosts.values()):
                self._add_port(cable, route)
            requests = []
            for port in self:
                spec = port.cable.spec
                requests += self._bridges.port(port.index, spec, is_router=port.is_router)
                if self._delays is not None and not port.is_router:
                    requests += self._delays.requests(port.index, port.name)
            route.apply(requests)

    def connect(self, ring: BridgeRing) -> None:
        """Bring everything up; from here on the ring hears it.

        Raises: OSError, MachineError for what the kernel refuses, or never finishes.
        """
        for port in self:
            port.cable.plug(ring)
        for port in self:
            port.cable.bring_up(self._known_to(port.cable.spec))
        for port in self:
            port.cable.wait_until_usable(self._deadline_s)
        self._wait_until_forwarding()
        self.bridges.count_from_here()
        heard_s = time.monotonic() + self.bridges.ask_for_members()
        while time.monotonic() < heard_s:
            os.sched_yield()

    def _add_port(self, cable: Cable, route: RouteSocket) -> None:
        assert isinstance(cable.port, VethPort)
        name = cable.port.name
        is_router = cable.spec.name in self._topology.router_ports
        port = BridgePort(cable, name, route.index_of(name), is_router=is_router)
        self._ports[cable.spec.name] = port

    def _known_to(self, port: Port) -> Sequence[Port]:
        known = self._topology.on(port.network)
        return () if len(known) > MESH_PORT_COUNT else known

    def _wait_until_forwarding(self) -> None:
        ports = [port.index for port in self if not port.is_down]
        self.bridges.wait_until_forwarding(ports, self._deadline_s)

    def stop(self, name: str) -> None:
        """Let a port pass nothing any more, before the interface behind it goes down.

        The port stops first and begins last: no frame is under way into an interface that is down.
        """
        port = self._ports[name]
        port.is_down = True
        self._set_port(port, DISABLED)

    def open(self, name: str) -> None:
        """Let a port pass on that was stopped, though the interface behind it never went down."""
        self._set_port(self._ports[name], FORWARDING)

    def begin(self, name: str) -> None:
        """Let a port pass on again, when the interface behind it is up."""
        port = self._ports[name]
        port.is_down = False
        self._wait_until_forwarding()
        self.part(name, is_apart=port.is_apart)

    def part(self, host: str, *, is_apart: bool) -> None:
        """Let nothing pass between a host and all others, or let it pass again."""
        port = self._ports[host]
        port.is_apart = is_apart
        if not port.is_down:
            self._set_port(port, DISABLED if is_apart else FORWARDING)

    def _set_port(self, port: BridgePort, state: int) -> None:
        with RouteSocket() as route:
            route.apply([port_state_set(port.index, state)])

    def counted(self) -> Mapping[str, tuple[int, int]]:
        """Read how many frames each interface of a port has received and sent."""
        return self.bridges.counted()

    def dropped_count(self, port: str) -> int:
        """Count the frames for a host that were lost at its port since all ports forward."""
        index = self._ports[port].index
        unheld = [one.dropped_count for one in self._held_back() if one.interface == index]
        return self.bridges.dropped_count(self._ports[port].interface) + sum(unheld)

    def held_count(self) -> int:
        """Count the messages that ports hold back now."""
        return sum(one.waiting_count for one in self._held_back())

    @property
    def delay_s(self) -> float:
        """Tell how long ports hold a message back at most."""
        return 0.0 if self._delays is None else self._delays.most_s

    def _held_back(self) -> list[Queue]:
        return [] if self._delays is None else held_back()

    def close(self) -> None:
        """Let go of all hosts; the bridges are left to their namespace."""
        for host in self._hosts.values():
            host.close()
        if self._bridges is not None:
            self._bridges.close()
