"""Bridges of the kernel, one per network, in the namespace where they are made."""

import itertools
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from mpwire.errors import MachineError
from mpwire.lab.bridge_links import (
    RESPONSE_S,
    bridge_add,
    port_requests,
    port_states,
    querier_begin,
    router_port_set,
    waiting,
)
from mpwire.lab.counters import InterfaceFile
from mpwire.lab.craft import SWITCH_MAC
from mpwire.lab.hosts import LOOPBACK_INDEX, enable_ipv6, silence_switch_side
from mpwire.lab.netlink import Request, RouteSocket, address_add, link_set
from mpwire.lab.topology import Network, Port

QUERIER: Final = ip_interface("fe80::8/64")
NETFILTER: Final = Path("/proc/sys/net/bridge")
_FILTERS: Final = tuple(f"bridge-nf-call-{tables}tables" for tables in ("ip", "ip6", "arp"))
_numbers = itertools.count()
# Never the same name twice, as with the pairs.


class Bridges:
    """Hold the bridges; they are left to their namespace."""

    def __init__(self, route: RouteSocket, networks: Sequence[Network], *, snooping: bool) -> None:
        """Make them, and set them up.

        Args: route: asks the kernel, in the thread's present namespace; snooping: they learn who
            is in which group (IGMP, MLD), and once `ask_for_members` was called, ask for it.
        Raises: OSError, MachineError for what the kernel refuses.
        """
        self._snooping = snooping
        silence_switch_side()
        _keep_filters_out()
        self._counted = InterfaceFile("")
        self._dropped_before: Mapping[str, int] = {}
        try:
            self._indexes = self._made(route, networks)
        except BaseException:
            self._counted.close()
            raise

    def _made(self, route: RouteSocket, networks: Sequence[Network]) -> dict[str, int]:
        names = {network.name: f"b{next(_numbers)}" for network in networks}
        made = [bridge_add(one, SWITCH_MAC, snooping=self._snooping) for one in names.values()]
        route.apply([link_set(LOOPBACK_INDEX), *made])
        indexes = {network: route.index_of(name) for network, name in names.items()}
        for network in networks:
            if self._snooping and "inet6" in network.families:
                # A question about groups needs an address that it comes from (RFC 3810 5.1.14).
                enable_ipv6(names[network.name])
                route.apply([address_add(indexes[network.name], QUERIER)])
        return indexes

    def port(self, interface: int, spec: Port, *, is_router: bool) -> list[Request]:
        """Ask for an interface to become a port, behind which a host or a router has its own."""
        requests = port_requests(interface, self._indexes[spec.network], spec.mac_octets())
        if self._snooping and is_router:
            requests.append(router_port_set(interface))
        return requests

    def wait_until_forwarding(self, ports: Iterable[int], deadline_s: float) -> None:
        """Wait until the kernel has noticed every carrier; a thread of its own does, some time.

        Raises: MachineError when that takes too long.
        """
        give_up_s = time.monotonic() + deadline_s
        wanted = list(ports)
        while waiting(port_states(), wanted):
            if time.monotonic() > give_up_s:
                raise MachineError("the bridge does not forward to all its ports")
            os.sched_yield()

    def count_from_here(self) -> None:
        """Forget what ports have dropped until now, when all of them forward.

        A bridge that snoops reports a group of its own at some moment, into ports that may only
        just have come up: what they drop until all forward is nobody's loss.
        """
        self._dropped_before = self._counted.dropped()

    def ask_for_members(self) -> float:
        """Begin to ask who is in a group, if they snoop; say how long hosts may take to answer.

        Until all could answer, groups are for everybody.
        """
        if not self._snooping:
            return 0.0
        with RouteSocket() as route:
            route.apply([querier_begin(bridge) for bridge in self._indexes.values()])
        return 2 * RESPONSE_S

    def counted(self) -> Mapping[str, tuple[int, int]]:
        """Read how many frames each interface of the namespace has received and sent."""
        return self._counted.packets()

    def dropped_count(self, interface: str) -> int:
        """Count the frames that an interface has dropped since `count_from_here`."""
        before = self._dropped_before.get(interface, 0)
        return self._counted.dropped().get(interface, before) - before

    def close(self) -> None:
        """Let go of the counters; harmless when done already."""
        self._counted.close()


def _keep_filters_out() -> None:
    """Let no packet filter look at what passes the bridge, nor drop what it finds odd."""
    for name in _FILTERS:
        with suppress(FileNotFoundError):  # a kernel without such filters
            (NETFILTER / name).write_text("0", "ascii")
