"""Hosts and routers on bridges of the kernel: a veth pair each, our end of it a port of one.

There is one bridge per network. What passes from one network to another does so through routers,
which are namespaces like those of hosts.
"""

import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from mpwire.errors import MachineError
from mpwire.lab.attaching import make_hosts
from mpwire.lab.bridge_links import (
    DISABLED,
    FORWARDING,
    RESPONSE_S,
    bridge_add,
    port_requests,
    port_state_set,
    port_states,
    querier_begin,
    router_port_set,
    waiting,
)
from mpwire.lab.bridge_ring import BridgeRing
from mpwire.lab.counters import InterfaceFile
from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.hosts import (
    LOOPBACK_INDEX,
    Cable,
    Host,
    enable_ipv6,
    make_pairs,
    silence_switch_side,
)
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import RouteSocket, address_add, link_set
from mpwire.lab.ports import VethPort
from mpwire.lab.topology import Port, Topology

MESH_PORT_COUNT: Final = 64
"""Up to so many ports of a network know each other as permanent neighbours; beyond, they ask."""
QUERIER: Final = ip_interface("fe80::8/64")
NETFILTER: Final = Path("/proc/sys/net/bridge")
_FILTERS: Final = tuple(f"bridge-nf-call-{tables}tables" for tables in ("ip", "ip6", "arp"))
_numbers = itertools.count()
# Never the same name twice, as with the pairs.


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

    def __init__(self, topology: Topology, *, snooping: bool, deadline_s: float) -> None:
        """Prepare; nothing is made yet."""
        self._topology = topology
        self._snooping = snooping
        self._deadline_s = deadline_s
        self._bridges: dict[str, int] = {}
        self._hosts: dict[str, Host] = {}
        self._ports: dict[str, BridgePort] = {}
        self._counted: InterfaceFile | None = None
        self._dropped_before: Mapping[str, int] = {}

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

    def make(self) -> None:
        """Make the bridges, the hosts and the routers; they are connected, but down.

        Raises: OSError, MachineError for what the kernel refuses.
        """
        silence_switch_side()
        _keep_filters_out()
        self._counted = InterfaceFile("")
        with RouteSocket() as route:
            self._make_bridges(route)
            make_hosts(self._topology, self._hosts)
            for cable in make_pairs(self._hosts.values()):
                self._add_port(cable, route)
            requests = []
            for port in self:
                spec = port.cable.spec
                requests += port_requests(
                    port.index, self._bridges[spec.network], spec.mac_octets()
                )
                if self._snooping and port.is_router:
                    requests.append(router_port_set(port.index))
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
        # A bridge that snoops reports a group of its own at some moment, into ports that may only
        # just have come up: what they drop until all forward is nobody's loss.
        self._dropped_before = self._dropped()
        if self._snooping:
            self._wait_for_members()

    def _make_bridges(self, route: RouteSocket) -> None:
        names = {network.name: f"b{next(_numbers)}" for network in self._topology.networks}
        made = [bridge_add(one, SWITCH_MAC, snooping=self._snooping) for one in names.values()]
        route.apply([link_set(LOOPBACK_INDEX), *made])
        self._bridges = {network: route.index_of(name) for network, name in names.items()}
        for network in self._topology.networks:
            if self._snooping and "inet6" in network.families:
                # A question about groups needs an address that it comes from (RFC 3810 5.1.14).
                enable_ipv6(names[network.name])
                route.apply([address_add(self._bridges[network.name], QUERIER)])

    def _add_port(self, cable: Cable, route: RouteSocket) -> None:
        assert isinstance(cable.port, VethPort)
        name = cable.port.name
        is_router = cable.spec.name in self._topology.router_ports
        port = BridgePort(cable, name, route.index_of(name), is_router=is_router)
        self._ports[cable.spec.name] = port

    def _known_to(self, port: Port) -> Sequence[Port]:
        known = self._topology.on(port.network)
        return () if len(known) > MESH_PORT_COUNT else known

    def _wait_for_members(self) -> None:
        """Begin to ask who is in a group; until all could answer, groups are for everybody."""
        with RouteSocket() as route:
            route.apply([querier_begin(bridge) for bridge in self._bridges.values()])
        heard_s = time.monotonic() + 2 * RESPONSE_S
        while time.monotonic() < heard_s:
            os.sched_yield()

    def _wait_until_forwarding(self) -> None:
        """Wait until the kernel has noticed every carrier; a thread of its own does, some time."""
        give_up_s = time.monotonic() + self._deadline_s
        ports = [port.index for port in self if not port.is_down]
        while waiting(port_states(), ports):
            if time.monotonic() > give_up_s:
                raise MachineError("the bridge does not forward to all its ports")
            os.sched_yield()

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
        assert self._counted is not None
        return self._counted.packets()

    def dropped_count(self, port: str) -> int:
        """Count the frames for a host that were lost at its port since all ports forward."""
        interface = self._ports[port].interface
        before = self._dropped_before.get(interface, 0)
        return self._dropped().get(interface, before) - before

    def _dropped(self) -> Mapping[str, int]:
        assert self._counted is not None
        return self._counted.dropped()

    def close(self) -> None:
        """Let go of all hosts; the bridges are left to their namespace."""
        for host in self._hosts.values():
            host.close()
        if self._counted is not None:
            self._counted.close()


def _keep_filters_out() -> None:
    """Let no packet filter look at what passes the bridge, nor drop what it finds odd."""
    for name in _FILTERS:
        with suppress(FileNotFoundError):  # a kernel without such filters
            (NETFILTER / name).write_text("0", "ascii")
