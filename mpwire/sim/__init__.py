"""A simulated network: the `sim` fabric, with virtual time, no kernel and no other process.

In reading order:
    loop      an asyncio loop whose time jumps to whatever comes next
    packets   the frames that hosts make: UDP, ICMP, ICMPv6, IGMP, MLD
    stack     a host's network stack: sockets, groups, errors, loopback
    driver    a provider on such a stack
    process   the reference agent as a process that is none
    fabric    hosts and the switch between them, as the runner sees them
    session   a testbed run in here
"""

from mpwire.sim.session import (
    FabricName,
    RunRequest,
    run_on_fabric,
    run_simulated,
)

__all__ = ["FabricName", "RunRequest", "run_on_fabric", "run_simulated"]
