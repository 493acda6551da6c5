"""One host: a namespace of its own with its interface, addresses, and nothing that speaks unasked.

A host is a kernel network stack and no process. Duplicate address detection, router
solicitations, link-local addresses and reverse-path filters are off: they delay first packets by
seconds, or add frames that no testbed asked for. Peers are permanent neighbours, so no ARP or ND
precedes a datagram. A router is the same with an interface in each of its networks, and passes on
what is not for itself.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mpwire.capture.records import Counters
from mpwire.errors import LocalProtocolError, MachineError
from mpwire.lab.counters import InterfaceFile, read_udp
from mpwire.lab.craft import SWITCH_MAC, switch_address
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import (
    Request,
    RouteSocket,
    address_add,
    address_delete,
    link_set,
    neighbour_add,
    replacing,
    route_add,
    route_via,
)
from mpwire.lab.ports import TAP_QUEUE_COUNT, Ears, TapPort, VethPort
from mpwire.lab.topology import Node, Port, Route

LOOPBACK_INDEX = 1
_PER_VERSION = ((4, 32, ("224.0.0.0/4",)), (6, 128, ()))
"""Per IP version: bits of an address, and multicast where the kernel routes it nowhere yet."""
ROUTES = Path("/proc/self/net/ipv6_route")
RTF_LOCAL = 0x8000_0000


def check_ports(ports: Sequence[Port]) -> None:
    """Raise LocalProtocolError for specifications that contradict each other."""
    if not ports:
        raise LocalProtocolError("a fabric needs at least one host")
    macs = [spec.mac_octets() for spec in ports]
    for spec, mac in zip(ports, macs, strict=True):
        if len(mac) != 6 or mac[0] & 1 or mac == SWITCH_MAC or macs.count(mac) > 1:
            raise LocalProtocolError(f"{spec.name}: {spec.mac} cannot be its link address")
        if not spec.addresses:
            raise LocalProtocolError(f"{spec.name} has no address")
    names = [spec.name for spec in ports]
    addresses = [address.ip for spec in ports for address in spec.interfaces()]
    for what, given in (("name", names), ("address", addresses)):
        if len(set(given)) < len(given):
            raise LocalProtocolError(f"two hosts have the same {what}")


def packed_neighbours(ports: Iterable[Port]) -> dict[bytes, bytes]:
    """Give the link address of every address, all in octets."""
    return {address.ip.packed: port.mac_octets() for port in ports for address in port.interfaces()}


def own_addresses(text: str) -> set[str]:
    """Return the IPv6 addresses, as 32 hexadecimal digits, that a host takes for its own.

    Layout: lines of destination, prefix length, source, prefix length, next hop, metric, two
    counters, flags, interface; numbers in hexadecimal, as in /proc/net/ipv6_route.
    """
    found = set()
    for line in text.splitlines():
        destination, length, *_, flags, _interface = line.split()
        if length == "80" and int(flags, 16) & RTF_LOCAL:
            found.add(destination)
    return found


def _quieten(*, wants_ipv6: bool, forwards: bool = False) -> None:
    """Set the switches of the present namespace before it has an interface."""
    settings = {f"ipv4/conf/{scope}/rp_filter": 0 for scope in ("all", "default")}
    settings["ipv6/conf/all/disable_ipv6"] = int(not wants_ipv6)  # for the default, too
    if wants_ipv6:
        for scope in ("all", "default"):
            ipv6 = f"ipv6/conf/{scope}"
            settings |= {
                f"{ipv6}/accept_dad": 0,
                f"{ipv6}/accept_ra": 0,
                f"{ipv6}/autoconf": 0,
                f"{ipv6}/router_solicitations": 0,
                f"{ipv6}/addr_gen_mode": 1,
            }
    if forwards:
        # Every error is told, however many there are: what is limited by time is not repeatable.
        settings |= {"ipv4/ip_forward": 1, "ipv4/icmp_ratelimit": 0}
        settings |= {f"ipv4/conf/{scope}/send_redirects": 0 for scope in ("all", "default")}
        if wants_ipv6:
            settings |= {"ipv6/conf/all/forwarding": 1, "ipv6/icmp/ratelimit": 0}
    _write(settings)


def enable_ipv6(interface: str) -> None:
    """Let one interface have IPv6 where others do not, and say nothing unasked."""
    ipv6 = f"ipv6/conf/{interface}"
    quiet = dict.fromkeys(("accept_dad", "accept_ra", "autoconf", "router_solicitations"), 0)
    settings = {f"{ipv6}/{name}": value for name, value in quiet.items()}
    _write({**settings, f"{ipv6}/addr_gen_mode": 1, f"{ipv6}/disable_ipv6": 0})


def _write(settings: Mapping[str, int]) -> None:
    for path, value in settings.items():
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6 has nothing to say
            file = os.open(f"/proc/sys/net/{path}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(file, b"%d" % value)
            finally:
                os.close(file)


def silence_switch_side() -> None:
    """Keep our own ends of veth pairs from speaking IPv6 into the hosts' networks."""
    _quieten(wants_ipv6=False)


class Host:
    """Hold the namespace of a host or a router, and our ends of its cables."""

    def __init__(self, node: Node, *, by_tap: bool = False, forwards: bool = False) -> None:
        """Make the namespace, and TAP devices, which are still down and have no addresses.

        All that has to be done from inside is done now, in one visit: a socket and a file that
        were opened in a namespace stay there.

        Args: by_tap: else by veth pairs, which `make_pairs` makes; forwards: it is a router.
        Raises: OSError where the namespace or the devices cannot be had.
        """
        self.name = node.name
        self.cables: dict[str, Cable] = {}
        """By the name of the port."""
        with NetworkNamespace.created() as self.namespace:
            self.route = RouteSocket()
            try:
                versions = {one.version for port in node.ports for one in port.interfaces()}
                _quieten(wants_ipv6=6 in versions, forwards=forwards)
                for place, port in enumerate(node.ports):
                    routes = [route for route in node.routes if route.port == port.name]
                    self.cables[port.name] = Cable(self, port, routes, place, by_tap=by_tap)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let go of the cables and of the namespace; harmless when done already."""
        for cable in self.cables.values():
            cable.close()
        self.route.close()
        self.namespace.close()


class Cable:
    """Attach a host, or a router, to one network."""

    def __init__(
        self, host: Host, spec: Port, routes: Sequence[Route], place: int, *, by_tap: bool
    ) -> None:
        """Begin, in the namespace of the host.

        Args: routes: those that begin here; place: among the interfaces of the host, from 0.
        Raises: OSError where the carrier cannot be had.
        """
        self.spec = spec
        self.place = place
        self.interface = f"eth{place}"
        self._routes = routes
        self._host = host
        self._peers: tuple[Port, ...] = ()
        self._addresses = spec.interfaces()
        self._counters = InterfaceFile(self.interface)
        try:
            self.port = TapPort(spec.name, self.interface) if by_tap else VethPort()
        except OSError:
            self._counters.close()
            raise

    def pair(self) -> list[Request]:
        """Ask for what connects the host: nothing, where that is a TAP device."""
        if isinstance(self.port, TapPort):
            return []
        spec = self.spec
        namespace, name = self._host.namespace, self.interface
        return [self.port.pair(namespace, mac=spec.mac, mtu=spec.mtu, interface=name)]

    def plug(self, ring: Ears) -> None:
        """Use the pair that has been made."""
        if isinstance(self.port, VethPort):
            self.port.plug(self._host.route, ring, self.interface)
            ring.hear(self.port.name, self.spec.name)

    def bring_up(self, peers: Iterable[Port]) -> None:
        """Bring the link up, with addresses, routes and the peers as neighbours.

        Raises: MachineError naming what the kernel refused.
        """
        self._peers = tuple(peers)
        self._host.route.apply(self._requests(self._index()))

    def _index(self) -> int:
        return self._host.route.index_of(self.interface)

    def set_interface(self, deadline_s: float, *, is_up: bool) -> None:
        """Set the interface down, which forgets routes and neighbours, or up with all it had.

        Raises: MachineError naming what the kernel refused.
        """
        index = self._index()
        requests = [link_set(index, is_up=False)]
        if is_up:
            requests = [replacing(one) for one in self._requests(index)]
        self._host.route.apply(requests)
        if is_up:
            self.wait_until_usable(deadline_s)

    def remove_addresses(self) -> None:
        """Take all addresses; setting the interface up gives them back.

        Raises: MachineError naming what the kernel refused.
        """
        index = self._index()
        self._host.route.apply([address_delete(index, one) for one in self._addresses])

    def _requests(self, index: int) -> list[Request]:
        requests = [link_set(LOOPBACK_INDEX), link_set(index)]
        if isinstance(self.port, TapPort):  # a pair was made with all of it
            # Before it is up: a queue that is made anew loses what a router says as it comes up.
            wanted = link_set(
                index,
                mac=self.spec.mac,
                mtu=self.spec.mtu,
                queue_count=TAP_QUEUE_COUNT,
                is_up=False,
            )
            requests.insert(1, wanted)
        requests += [address_add(index, address) for address in self._addresses]
        versions = {address.version for address in self._addresses}
        mac = SWITCH_MAC.hex(":")
        for version, bits, multicast in _PER_VERSION:
            if version in versions:
                switch = switch_address(version, self.place)
                requests.append(route_add(index, f"{switch}/{bits}"))
                # A router sends nothing to groups of its own accord.
                requests += [route_add(index, route) for route in multicast if not self.place]
                requests.append(neighbour_add(index, str(switch), mac))
        for peer in self._peers:
            requests += [
                neighbour_add(index, str(address.ip), peer.mac)
                for address in peer.interfaces()
                if peer != self.spec and address.version in versions
            ]
        requests += [route_via(index, one.destination, one.gateway) for one in self._routes]
        return requests

    def wait_until_usable(self, deadline_s: float) -> None:
        """Wait until the host takes what is sent to its addresses.

        IPv4 is ready when the kernel has acknowledged the address. An IPv6 address becomes a
        route of the host's own some moments later, in a kernel thread, whatever netlink said.

        Raises: MachineError when that takes too long.
        """
        wanted = {address.ip.packed.hex() for address in self._addresses if address.version == 6}
        if not wanted:
            return
        give_up_s = time.monotonic() + deadline_s
        with self._host.namespace.entered():
            while not wanted <= own_addresses(ROUTES.read_text("ascii")):
                if time.monotonic() > give_up_s:
                    raise MachineError(f"{self.spec.name} does not take its IPv6 addresses")
                os.sched_yield()

    def sent_count(self) -> int:
        """Count the frames that the host's kernel has put on the cable since it came up."""
        return self._interface().get("tx_packets", 0)

    def dropped_count(self) -> int:
        """Count the frames of the host's own that did not get on the cable."""
        return self._interface().get("tx_dropped", 0)

    def _interface(self) -> dict[str, int]:
        """Read the counters of the interface, which started from 0 with it."""
        return self._counters.read()

    def counters(self, received_count: int, lost_count: int) -> Counters:
        """Tell what the kernel has counted since the host came up.

        Args: received_count: frames of this host that the switch has read; lost_count: frames
            that were lost before it could, of this host or of any that shares its ring.
        """
        with self._host.namespace.entered():
            udp = read_udp()  # a namespace counts from 0, too
        capture = {"received": received_count, "dropped": lost_count}
        return Counters(host=self.spec.name, interface=self._interface(), udp=udp, capture=capture)

    def close(self) -> None:
        """Let go of our end; harmless when done already."""
        self._counters.close()
        self.port.close()


def make_pairs(hosts: Iterable[Host]) -> list[Cable]:
    """Connect hosts, where not by TAP devices, to the thread's present namespace, all at once.

    Their own ends are still down: nothing passes the cables, which are returned.

    Raises: OSError, MachineError where pairs cannot be had.
    """
    cables = [cable for host in hosts for cable in host.cables.values()]
    with RouteSocket() as route:
        route.apply([request for cable in cables for request in cable.pair()])
    return cables
