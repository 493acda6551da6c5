"""Who is connected to what: networks, hosts and routers, with every address and route derived.

A topology is pure data, made from names and their order alone, and is what every fabric is given.
Each attachment of a node to a network is a `Port`; a port is a vantage of the capture. A host has
one port, which has the host's name; the ports of a router are named `edge.north`.

The n-th network (from 0) is 10.77.n.0/24 and fd77:0:0:n::/64. Its hosts count from 2 in their
order, its routers take 1, 254, 253, ...; a link address ends in the numbers of network and node.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Final

import msgspec

from mpwire.errors import MachineError

FIRST_HOST: Final = 2
ROUTERS_PER_NETWORK: Final = 4
_ROUTER_NUMBERS: Final = (1, 254, 253, 252)


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One LAN."""

    name: str
    families: tuple[str, ...]
    """"inet", "inet6"; the usual one first."""
    mtu: int = 1500
    """Largest packet of its hosts, in octets."""


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node is attached to a network."""

    name: str
    """The vantage: the host's name, or router and network, "edge.north"."""
    mac: str
    """Link address, such as "02:4d:50:00:00:02"."""
    addresses: tuple[str, ...]
    """With prefix length, such as "10.77.0.2/24"."""
    mtu: int = 1500
    network: str = "lan"
    node: str = ""
    """Name of the host or router; empty where it is the port's."""

    def interfaces(self) -> list[IPv4Interface | IPv6Interface]:
        """Give the addresses as objects."""
        return [ip_interface(address) for address in self.addresses]

    def mac_octets(self) -> bytes:
        """Give the link address as octets."""
        return bytes.fromhex(self.mac.replace(":", ""))

    def address(self, family: str) -> str | None:
        """Give the address of a family without prefix length; None if there is none."""
        wanted = family == "inet6"
        found = (one.partition("/")[0] for one in self.addresses if (":" in one) is wanted)
        return next(found, None)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How a node reaches a network that it is not attached to."""

    destination: str
    """Prefix, such as "10.77.1.0/24"."""
    gateway: str
    """Address of a router's port in a network of the node's own."""
    port: str
    """The node's own port towards it."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A host, or a router."""

    name: str
    ports: tuple[Port, ...]
    routes: tuple[Route, ...] = ()

    @property
    def port(self) -> Port:
        """Give the only port of a host."""
        (port,) = self.ports
        return port


class Topology(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Networks, hosts and routers, in the order of the testbed."""

    networks: tuple[Network, ...]
    hosts: tuple[Node, ...]
    routers: tuple[Node, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """List hosts, then routers."""
        return (*self.hosts, *self.routers)

    @cached_property
    def ports(self) -> dict[str, Port]:
        """Give all ports by name: those of hosts first."""
        return {port.name: port for node in self.nodes for port in node.ports}

    @cached_property
    def router_ports(self) -> dict[str, Port]:
        """Give the ports of routers by name."""
        return {port.name: port for node in self.routers for port in node.ports}

    @cached_property
    def node_of(self) -> dict[str, str]:
        """Give the node of each port."""
        return {port.name: node.name for node in self.nodes for port in node.ports}

    @cached_property
    def owners(self) -> dict[bytes, str]:
        """Give the node that has an address, by the octets of the address."""
        return {
            address.ip.packed: node.name
            for node in self.nodes
            for port in node.ports
            for address in port.interfaces()
        }

    def neighbours(self, port: Port) -> list[Port]:
        """List the other ports of a port's network."""
        return [one for one in self.ports.values() if one.network == port.network and one != port]

    def on(self, network: str) -> list[Port]:
        """List the ports of a network, those of hosts first."""
        return [one for one in self.ports.values() if one.network == network]


def lan(ports: Sequence[Port], name: str = "lan") -> Topology:
    """Give the topology of hosts that are all on one network."""
    versions = {address.version for port in ports for address in port.interfaces()}
    families = tuple(one for one, version in (("inet", 4), ("inet6", 6)) if version in versions)
    mtu = max((port.mtu for port in ports), default=1500)
    return Topology(
        networks=(Network(name=name, families=families, mtu=mtu),),
        hosts=tuple(Node(name=port.node or port.name, ports=(port,)) for port in ports),
    )


def one_lan(topology: Topology) -> list[Port]:
    """Give the hosts' ports, for a fabric that has one network.

    Raises:
        MachineError: there are more.
    """
    if len(topology.networks) > 1 or topology.routers:
        raise MachineError("this fabric has one network, and the testbed several")
    return [host.port for host in topology.hosts]


def derive(
    networks: Sequence[Network],
    hosts: Mapping[str, str],
    routers: Mapping[str, Sequence[str]] | None = None,
) -> Topology:
    """Give every node its ports, addresses and routes.

    Args:
        networks: in their order.
        hosts: network by host.
        routers: networks by router; at most `ROUTERS_PER_NETWORK` in each.
    """
    places = {network.name: place for place, network in enumerate(networks)}
    counts = {network.name: itertools.count(FIRST_HOST) for network in networks}
    routing = {network.name: iter(_ROUTER_NUMBERS) for network in networks}

    def port(name: str, node: str, network: str, number: int) -> Port:
        place = places[network]
        return Port(
            name=name,
            node=node,
            network=network,
            mac=f"02:4d:50:00:{place:02x}:{number:02x}",
            addresses=tuple(_address(one, place, number) for one in networks[place].families),
            mtu=networks[place].mtu,
        )

    ended = [
        Node(name=host, ports=(port(host, host, network, next(counts[network])),))
        for host, network in hosts.items()
    ]
    between = [
        Node(
            name=router,
            ports=tuple(
                port(f"{router}.{network}", router, network, next(routing[network]))
                for network in attached
            ),
        )
        for router, attached in (routers or {}).items()
    ]
    ways = _Ways(networks, between)
    return Topology(
        networks=tuple(networks),
        hosts=tuple(msgspec.structs.replace(one, routes=ways.routes(one)) for one in ended),
        routers=tuple(msgspec.structs.replace(one, routes=ways.routes(one)) for one in between),
    )


@functools.cache
def prefix(family: str, place: int) -> str:
    """Give the prefix of the network that stands there in the order, from 0."""
    return str(ip_interface(_address(family, place, 0)).network)


def _address(family: str, place: int, number: int) -> str:
    if family == "inet":
        return f"10.77.{place}.{number}/24"
    return ip_interface(f"fd77:0:0:{place:x}::{number:x}/64").with_prefixlen


class _Ways:
    """Shortest ways between networks, per family; of equal ones the first in the file."""

    def __init__(self, networks: Sequence[Network], routers: Sequence[Node]) -> None:
        self._networks = networks
        self._routers = routers
        self._attached = {one.name: [port.network for port in one.ports] for one in routers}
        self._steps: dict[tuple[str, str], dict[str, int]] = {}
        """By target and family: what every node asks for."""

    def routes(self, node: Node) -> tuple[Route, ...]:
        """List the routes of a node to all networks that it can reach and is not attached to."""
        return tuple(self._routes(node))

    def _routes(self, node: Node) -> Iterator[Route]:
        attached = {port.network for port in node.ports}
        for place, network in enumerate(self._networks):
            if network.name in attached:
                continue
            for family in network.families:
                hop = self._next_hop(node, network.name, family)
                if hop is not None:
                    gateway = hop[1].address(family)
                    assert gateway is not None
                    yield Route(
                        destination=prefix(family, place), gateway=gateway, port=hop[0].name
                    )

    def _next_hop(self, node: Node, target: str, family: str) -> tuple[Port, Port] | None:
        """Return the node's own port and the next router's, on the shortest way to a network."""
        steps = self._steps.get((target, family))
        if steps is None:
            steps = distances(self._networks, self._attached, target, family)
            self._steps[target, family] = steps
        best: tuple[int, Port, Port] | None = None
        for router in self._routers:
            near = [steps[one.network] for one in router.ports if one.network in steps]
            if router.name == node.name or not near:
                continue
            for own in node.ports:
                entry = next((one for one in router.ports if one.network == own.network), None)
                if entry is None or own.address(family) is None:
                    continue
                if best is None or min(near) < best[0]:
                    best = (min(near), own, entry)
        return best[1:] if best else None


def distances(
    networks: Sequence[Network], routers: Mapping[str, Sequence[str]], target: str, family: str
) -> dict[str, int]:
    """Count the routers between a network and each that can be reached from it.

    Args: routers: the networks that each is attached to.
    """
    usable = {network.name for network in networks if family in network.families}
    found = {target: 0} if target in usable else {}
    edge = list(found)
    while edge:
        following: list[str] = []
        for name in edge:
            for attached in routers.values():
                for other in attached if name in attached else ():
                    if other in usable and other not in found:
                        found[other] = found[name] + 1
                        following.append(other)
        edge = following
    return found
