"""Groups in namespaces: a fabric sees what hosts report, and tells the routers' kernels.

Every frame to a router passes our own switch, so no kernel has to ask where a datagram for a group
goes: its entry is made before it gets the datagram. On a bridge nobody stands between, and there is
an entry for every host that might send, as soon as anybody has reported the group.
"""

from collections.abc import Mapping

from mpwire.capture.frames import Datagram, LinkType, decode_frame
from mpwire.errors import MachineError
from mpwire.lab.hosts import Host
from mpwire.lab.joined import JoinedGroups
from mpwire.lab.mroute import Forwarding, MakeForwarding, MulticastRouter
from mpwire.lab.multicast import Memberships, MulticastRouting, crosses_routers
from mpwire.lab.topology import Topology


class GroupControl:
    """Hear reports, and have groups forwarded."""

    def __init__(
        self,
        topology: Topology,
        hosts: Mapping[str, Host],
        make: MakeForwarding = MulticastRouter,
    ) -> None:
        """Take over the forwarding of groups in all routers.

        Args: hosts: by name; the routers, too, and all of them up; make: who forwards.
        Raises: OSError where this kernel does not forward groups; MachineError as `make` does.
        """
        self.routing = MulticastRouting(topology)
        self._topology = topology
        self._said = Memberships()
        """What hosts have reported, heard or not."""
        self._expected: set[str] = set()
        self._joined: dict[str, JoinedGroups] = {}
        self._routers: dict[str, Forwarding] = {}
        try:
            for node in topology.hosts:
                cable = hosts[node.name].cables[node.port.name]
                joined = JoinedGroups(hosts[node.name].namespace, cable.interface)
                self._joined[node.port.name] = joined
            for node in topology.routers:
                router = hosts[node.name]
                ports = {
                    name: (cable.interface, cable.spec.address("inet6") is not None)
                    for name, cable in router.cables.items()
                }
                self._routers[node.name] = make(node.name, router.namespace, ports)
        except (OSError, MachineError):
            self.close()
            raise

    def sent(self, port: str, frame: bytes) -> None:
        """Take note of a report that a host has sent, whoever hears it."""
        if port not in self._joined or not frame[0] & 1:
            return
        decoded = decode_frame(LinkType.ETHERNET, frame)
        if not isinstance(decoded, Datagram):
            for report in decoded.groups:
                self._said.hear(self._topology.ports[port].network, frame[6:12], report)

    def arrives(self, port: str, frame: bytes) -> None:
        """Prepare a router for a frame that is about to reach a port of it."""
        if not frame[0] & 1:
            return
        data = self.routing.take(port, frame)
        if data is not None:
            source, group = data.source[0], data.destination[0]
            router = self._routers[self._topology.node_of[port]]
            router.forward(source, group, port, self.routing.ways_out(port, source, group))

    def expect(self, port: str, frame: bytes) -> None:
        """Prepare all routers for whatever may be sent to the groups of a report.

        This is for who cannot hold a datagram up until its entry is made: there is one for every
        host that might send, before it does.
        """
        if not frame[0] & 1:
            return
        decoded = decode_frame(LinkType.ETHERNET, frame)
        if isinstance(decoded, Datagram):
            return
        self.routing.take(port, frame)
        for report in decoded.groups:
            if crosses_routers(report.group):
                self._expected.add(report.group)
                self._prepare(report.group)

    def expect_again(self) -> None:
        """Prepare all routers anew, as ways have changed."""
        for group in self._expected:
            self._prepare(group)

    def _prepare(self, group: str) -> None:
        family = "inet6" if ":" in group else "inet"
        for host in self._topology.hosts:
            source = host.port.address(family)
            if source is None:
                continue
            for node in self._topology.routers:
                for port in node.ports:
                    if port.address(family) is not None:
                        out = self.routing.ways_out(port.name, source, group)
                        self._routers[node.name].forward(source, group, port.name, out)

    def unsaid(self, port: str) -> list[str]:
        """List the groups of which a host has yet to report that it wants them, or no longer."""
        joined = self._joined.get(port)
        if joined is None:  # a router wants nothing
            return []
        spec = self._topology.ports[port]
        said = self._said.heard(spec.network, spec.mac_octets())
        wanted = joined.read()
        found = [group for group in said if group not in wanted]
        for group, sources in wanted.items():
            known = said.get(group, frozenset())
            whole = known is None or (bool(sources) and sources <= known)
            if crosses_routers(group) and not whole:
                found.append(group)
        return found

    def close(self) -> None:
        """Let go of everything; harmless when done already."""
        for joined in self._joined.values():
            joined.close()
        for router in self._routers.values():
            router.close()
