"""Where what is sent to a group goes from network to network: the routers' common mind.

Routers hear what hosts report about groups (IGMP, MLD) and forward along the shortest ways from
the sender's network to the networks that want to hear it. All routers of a lab share one such
object, so that no protocol between them is needed: what one hears, all know. Who forwards is not
this object: a kernel is told (`switch`), or a simulated router asks (`sim`).

Nothing expires and nobody queries: a host that ends says so, because its kernel does.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from mpwire.capture.frames import Datagram, LinkType, decode_frame
from mpwire.capture.groups import GroupReport
from mpwire.lab.topology import Topology, distances

_LINK_SCOPE: Final = 2
"""IPv6 groups of this scope or a narrower one stay on their link (RFC 4291 section 2.7)."""


def crosses_routers(group: str) -> bool:
    """Tell whether a group is one that routers forward at all."""
    address = ip_address(group)
    if address.version == 4:
        return not group.startswith("224.0.0.")
    return (address.packed[1] & 0x0F) > _LINK_SCOPE


class Memberships:
    """What hosts of each network want to hear."""

    def __init__(self) -> None:
        """Begin with nobody who wants anything."""
        self._wanted: dict[tuple[str, str], dict[bytes, frozenset[str] | None]] = {}
        """By network and group: sources by link address of the host; None: from anybody."""

    def hear(self, network: str, host: bytes, report: GroupReport) -> None:
        """Take a record of a report that reached a router (RFC 3376 section 6.4)."""
        hosts = self._wanted.setdefault((network, report.group), {})
        old = hosts.get(host, frozenset())
        sources = frozenset(report.sources)
        if report.joins and not sources:
            hosts[host] = None
        elif report.states:
            hosts[host] = sources
        elif old is not None:
            hosts[host] = old | sources if report.joins else old - sources
        if hosts.get(host) == frozenset():
            del hosts[host]

    def wants(self, network: str, source: str, group: str) -> bool:
        """Tell whether some host of a network wants what a source sends to a group."""
        hosts = self._wanted.get((network, group), {})
        return any(sources is None or source in sources for sources in hosts.values())

    def heard(self, network: str, host: bytes) -> dict[str, frozenset[str] | None]:
        """Give the groups that a host wants, each with its sources; None: from anybody."""
        return {
            group: hosts[host]
            for (where, group), hosts in self._wanted.items()
            if where == network and host in hosts
        }


class MulticastRouting:
    """Shortest ways from a source to the networks that want to hear it."""

    def __init__(self, topology: Topology) -> None:
        """Begin with nobody who wants anything."""
        self.members = Memberships()
        self._topology = topology
        self._down: set[str] = set()

    def set_port(self, port: str, *, is_up: bool) -> None:
        """Learn that a router's port carries nothing any more, or does again."""
        self._down = self._down - {port} if is_up else self._down | {port}

    def take(self, port: str, frame: bytes) -> Datagram | None:
        """Learn from a frame that reaches a router's port; return it if it is data for a group."""
        decoded = decode_frame(LinkType.ETHERNET, frame)
        if isinstance(decoded, Datagram):
            group = decoded.destination[0]
            wanted = ip_address(group).is_multicast and crosses_routers(group)
            return decoded if wanted else None
        for report in decoded.groups:
            network = self._topology.ports[port].network
            self.members.hear(network, frame[6:12], report)
        return None

    def ways_out(self, port: str, source: str, group: str) -> list[str]:
        """List the ports by which a router passes on what came in by one of its ports."""
        node_of = self._topology.node_of
        edges = self._edges(source, group)
        router = node_of[port]
        return [out for into, out in edges if into == port and node_of[out] == router]

    def _edges(self, source: str, group: str) -> list[tuple[str, str]]:
        """List which port passes on to which, on the ways to all who want to hear."""
        owner = self._topology.owners.get(ip_address(source).packed)
        home = {port.network for port in self._topology.ports.values() if port.node == owner}
        family = "inet6" if ":" in source else "inet"
        if len(home) != 1:
            return []
        (first,) = home
        steps = distances(self._topology.networks, self._live(), first, family)
        found: dict[tuple[str, str], None] = {}
        for network in self._topology.networks:
            if network.name in steps and self.members.wants(network.name, source, group):
                found |= dict.fromkeys(self._way(network.name, steps))
        return [*found]

    def _way(self, network: str, steps: dict[str, int]) -> Iterable[tuple[str, str]]:
        """Yield the passages from the source to a network, the last one first."""
        while steps[network]:
            nearer, passage = min(
                ((steps[into], place, into), (f"{router}.{into}", f"{router}.{network}"))
                for place, (router, attached) in enumerate(self._live().items())
                if network in attached
                for into in attached
                if steps.get(into, steps[network]) < steps[network]
            )
            yield passage
            network = nearer[2]

    def _live(self) -> dict[str, list[str]]:
        """Give the networks that each router is attached to now."""
        return {
            router.name: [port.network for port in router.ports if port.name not in self._down]
            for router in self._topology.routers
        }
