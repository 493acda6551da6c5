"""`mpwire lab`: look at testbeds without running them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.text import Text

from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.lab import testbed
from mpwire.lab.topology import Network, Node, Port, Topology, prefix
from mpwire.report.verdict import counted, line, wrapped

Row = tuple[str, str, str]
"""Branch, name, and the addresses."""


def show(output: Output, path: Path) -> Status:
    """Draw the topology of a testbed.

    Raises:
        InputError: the file has mistakes, or cannot be read.
    """
    plan = testbed.load(path)
    made = plan.topology
    if output.json:
        output.document({"testbed": str(path), "topology": msgspec.to_builtins(made)})
        return Status.PASS
    told = [
        counted(len(made.hosts), "host"),
        counted(len(made.networks), "network"),
        counted(len(made.routers), "router"),
    ]
    output.line(line((plan.name, "bold"), (f"  {', '.join(told)}", "dim")))
    output.lines(wrapped(("", ""), (plan.about, ""), output.width))
    output.lines(drawing(made))
    return Status.PASS


def drawing(topology: Topology) -> Iterator[Text]:
    """Draw every network with what is attached to it, then the ways that lead further."""
    rows = [[_row(topology, port) for port in topology.on(one.name)] for one in topology.networks]
    names = [name for row in rows for _, name, _ in row]
    width = max((len(name) for name in names), default=0)
    for place, network in enumerate(topology.networks):
        yield line()
        yield _title(network, place)
        for branch, name, addresses in rows[place]:
            style = "magenta" if "►" in name else "cyan"
            yield line((branch, "dim"), (f"{name:{width}}", style), (f"  {addresses}", ""))
    ways = [row for node in topology.nodes for row in _ways(topology, node)]
    if ways:
        yield line()
        yield line(("routes", "bold"))
        yield from ways


def _title(network: Network, place: int) -> Text:
    prefixes = "  ".join(prefix(family, place) for family in network.families)
    return line((network.name, "bold"), (f"  {prefixes}  MTU {network.mtu}", "dim"))


def _row(topology: Topology, port: Port) -> Row:
    """Show a host, or a router with the networks that it leads to."""
    addresses = "  ".join(one.partition("/")[0] for one in port.addresses)
    if port.name not in topology.router_ports:
        return "├─ ", port.name, addresses
    router = next(one for one in topology.routers if one.name == topology.node_of[port.name])
    others = [one.network for one in router.ports if one != port]
    return "├─ ", f"{router.name} ─► {', '.join(others)}", addresses


def _ways(topology: Topology, node: Node) -> Iterator[Text]:
    """Say by which routers a node reaches the networks that it is not on."""
    owners = {
        one.partition("/")[0]: topology.node_of[port.name]
        for port in topology.ports.values()
        for one in port.addresses
    }
    for route in node.routes:
        via = f"via {owners[route.gateway]} ({route.gateway})"
        yield line(("├─ ", "dim"), (node.name, "cyan"), (f" ─► {route.destination}  {via}", ""))
