"""Describe for the run file who was there and where frames were captured."""

from collections.abc import Sequence

from mpwire.capture.records import Host, Router
from mpwire.lab.plan import Plan
from mpwire.lab.topology import Port


def recorded(plan: Plan) -> list[Host]:
    """Describe the hosts for the run file."""
    return [_vantage(plan, host.port, host.agent) for host in plan.hosts]


def routers(plan: Plan) -> list[Router]:
    """Describe the routers for the run file."""
    return [
        Router(name=one.name, ports=[_vantage(plan, port) for port in one.ports])
        for one in plan.topology.routers
    ]


def vantages(plan: Plan) -> list[Host]:
    """Describe where frames are captured, for the run file."""
    return [*recorded(plan), *(port for router in routers(plan) for port in router.ports)]


def _vantage(plan: Plan, port: Port, agent: Sequence[str] = ()) -> Host:
    network = port.network if len(plan.topology.networks) > 1 else ""
    addresses = list(port.addresses)
    return Host(
        name=port.name, mac=port.mac, addresses=addresses, agent=list(agent), network=network
    )
