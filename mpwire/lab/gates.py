"""Gates: we stand between each port and the bridge of its network, and decide who gets what.

What a host sends goes through us to the bridge; what comes out of the bridge for a host goes
through us to it. Who is to get a frame is the bridge's matter (its ports, who listens to which
group); whether it arrives, when, and how often, is decided here as by any switch of ours, frame by
frame and receiver by receiver. The bridges live in a namespace of their own, so that the sockets
of hosts' cables and those of gates hear nothing of each other.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from mpwire.capture.deliveries import FOR_NOBODY
from mpwire.lab.attaching import ETHERNET_OCTETS
from mpwire.lab.bridges import Bridges
from mpwire.lab.clock import KERNEL_CLOCK
from mpwire.lab.namespaces import NetworkNamespace
from mpwire.lab.netlink import RouteSocket, link_set, veth_add
from mpwire.lab.ring import PacketRing
from mpwire.lab.switch import (
    NOBODY,
    Decide,
    Port,
    Recorder,
    Source,
    Switch,
    Ways,
    port_error,
)
from mpwire.lab.topology import Topology
from mpwire.lab.underway import NONE, Sent, UnderWay


class Gates:
    """Hold the bridges, and a pair of interfaces at each of their ports."""

    def __init__(self, topology: Topology, *, snooping: bool, deadline_s: float) -> None:
        """Make it all.

        Args: snooping: the bridges learn who is in which group; deadline_s: until they forward.
        Raises: OSError, MachineError for what the kernel refuses, or never finishes.
        """
        self._writers: dict[str, Callable[[bytes], object]] = {}
        self._interfaces: dict[str, str] = {}
        with (
            NetworkNamespace.created() as self._namespace,
            RouteSocket() as route,
            ExitStack() as made,
        ):
            self.ring = PacketRing(max(one.mtu for one in topology.networks) + ETHERNET_OCTETS)
            made.callback(self.ring.close)
            self._bridges = Bridges(route, topology.networks, snooping=snooping)
            made.callback(self._bridges.close)
            indexes = self._connect(route, topology)
            self._bridges.wait_until_forwarding(indexes, deadline_s)
            self._bridges.count_from_here()
            self._made = made.pop_all()

    def _connect(self, route: RouteSocket, topology: Topology) -> list[int]:
        """Make the pairs, one end a port of a bridge, the other ours; return the ports."""
        requests, indexes = [], []
        # The kernel serves the port first that came last, and receivers are to have their order.
        for place, (name, spec) in enumerate(reversed(topology.ports.items())):
            ours, port = f"g{place}", f"k{place}"
            here = self._namespace.descriptor
            route.apply([veth_add(port, ours, here, mac=spec.mac, mtu=spec.mtu)])
            index = route.index_of(port)
            is_router = name in topology.router_ports
            requests += self._bridges.port(index, spec, is_router=is_router)
            requests.append(link_set(route.index_of(ours)))
            self._interfaces[name] = port
            indexes.append(index)
            self.ring.hear(ours, name)
            self._writers[name] = self.ring.writer(ours)
        route.apply(requests)
        return indexes

    def fileno(self) -> int:
        """Tell the descriptor to poll."""
        return self.ring.fileno()

    def read(self) -> tuple[str, bytes] | None:
        """Return the next frame out of a bridge with the port that it is for; None for none."""
        return self.ring.read()

    def write(self, sender: str, frame: bytes) -> None:
        """Give the bridge a frame that a port has sent; raise OSError when it was not taken."""
        self._writers[sender](frame)

    def ask_for_members(self) -> float:
        """Begin to ask who is in a group, if bridges snoop; say how long answers may take."""
        with self._namespace.entered():
            return self._bridges.ask_for_members()

    def dropped_count(self, port: str) -> int:
        """Count the frames that the bridge had for a port, and lost."""
        return self._bridges.dropped_count(self._interfaces[port])

    def close(self) -> None:
        """Let go of the bridges; harmless when done already."""
        self._made.close()
        self._namespace.close()


class GatedSwitch(Switch):
    """Decide about frames, whose receivers a bridge finds."""

    def __init__(
        self,
        recorder: Recorder,
        ports: Mapping[str, Port],
        macs: Mapping[str, bytes],
        decide: Decide,
        neighbours: Mapping[bytes, bytes] | None,
        *,
        ways: Ways,
        gates: Gates,
    ) -> None:
        """Connect the hosts' ports with the bridges; see `Switch`."""
        super().__init__(recorder, ports, macs, decide, neighbours, clock=KERNEL_CLOCK, ways=ways)
        self._gates = gates
        self._under_way = UnderWay(ways.networks)

    def drain(self, source: Source, limit_count: int) -> int:
        """Forward up to that many waiting frames of a source; return how many there were."""
        if source is not self._gates:
            return super().drain(source, limit_count)
        for count in range(limit_count):
            out = self._gates.read()
            if out is None:
                return count
            self._come_out(*out)
        return limit_count

    @property
    def newest(self) -> int:
        """Give the number of the frame that the bridge was given last."""
        return self._under_way.newest

    def conclude(self, until: int) -> None:
        """Say of frames that came out of the bridge for nobody that they never will.

        Args: until: number of the newest that cannot be on the way any more.
        """
        for sent in self._under_way.forget(until):
            self._undelivered(sent.number, NOBODY, FOR_NOBODY)

    def abandon(self) -> None:
        """Say of what still waits that it never arrived."""
        super().abandon()
        self.conclude(self.newest)

    def _pass_on(self, number: int, frame: bytes, sender: str) -> None:
        self.conclude(NONE)
        try:
            self._gates.write(sender, frame)
        except OSError as error:
            self._undelivered(number, NOBODY, port_error(error))
            return
        self._under_way.add(Sent(number, sender), frame)
        # The kernel has mostly passed it on by now: so it arrives before the next one is read, and
        # the ring never holds more than one frame for every port.
        while (out := self._gates.read()) is not None:
            self._come_out(*out)

    def _come_out(self, receiver: str, frame: bytes) -> None:
        """Deliver what a bridge has for a port, as it is decided."""
        self.handled_count += 1
        sent = self._under_way.out(frame, receiver)
        if sent is not None:
            self._hand_over(sent.number, frame, sent.sender, receiver)
            return
        with suppress(OSError):  # the bridge's own word, to a port that is down
            self.inject(receiver, frame)
