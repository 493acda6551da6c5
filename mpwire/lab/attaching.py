"""Make the hosts of a topology and hold the other ends of their cables."""

import os
from concurrent.futures import ThreadPoolExecutor

from mpwire.lab.hosts import Host, make_pairs, silence_switch_side
from mpwire.lab.means import present_cpu
from mpwire.lab.ring import PacketRing
from mpwire.lab.topology import Topology

ETHERNET_OCTETS = 14


def make_hosts(topology: Topology, hosts: dict[str, Host], *, by_tap: bool = False) -> None:
    """Make hosts and routers, down and without addresses.

    Args: hosts: filled one by one, so that those can be closed that are there when one fails.
    Raises: OSError where a namespace or a TAP device cannot be had.
    """
    for node in topology.nodes:
        hosts[node.name] = Host(node, by_tap=by_tap, forwards=node in topology.routers)


def attach_by_pairs(topology: Topology, hosts: dict[str, Host]) -> PacketRing:
    """Make hosts and routers, connect them to the present namespace, and hear what they send.

    Raises: OSError, MachineError where something cannot be had.
    """
    silence_switch_side()
    octets = max(one.mtu for one in topology.networks) + ETHERNET_OCTETS
    # The kernel takes as long for the ring as for some hosts, waiting: let it do both.
    with ThreadPoolExecutor(1) as aside:
        preparing = aside.submit(PacketRing, octets)
        try:
            make_hosts(topology, hosts)
            cables = make_pairs(hosts.values())
        except BaseException:
            preparing.result().close()
            raise
    ring = preparing.result()
    try:
        # Frames to a host wait in a queue per CPU: from one CPU they keep their order.
        os.sched_setaffinity(0, {present_cpu()})
        for cable in cables:
            cable.plug(ring)
    except BaseException:
        ring.close()
        raise
    return ring
