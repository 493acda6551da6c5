"""What a validated testbed asks for, as plain structs.

The process that reads the file (ruamel.yaml, pydantic) and the one that runs it (namespaces, one
thread, quick to start) are two. A plan is what travels between them, as JSON.
"""

from typing import Final, Literal

import msgspec

from mpwire.lab.faults import AnyFault
from mpwire.lab.steps import AnyExpectation, AnyStep
from mpwire.lab.topology import Port, Topology

ICMP: Final = "icmp"
"""What a testbed may require of agents beside calls: to learn of ICMP errors."""


class HostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One host: its place on the network and the agent that holds its sockets."""

    name: str
    port: Port
    """Its link address, its addresses and its network."""
    families: tuple[str, ...]
    """Address families of its network, the usual one first."""
    agent: tuple[str, ...]
    """Command line of the agent."""
    seed: int | None
    """Given to the agent by `configure`; None lets it draw from the system."""

    @property
    def mac(self) -> str:
        """Give the link address."""
        return self.port.mac

    @property
    def addresses(self) -> tuple[str, ...]:
        """Give the addresses with prefix length, such as `10.77.0.2/24`."""
        return self.port.addresses

    def address(self, family: str) -> str | None:
        """Give the host's address of a family ("inet" or "inet6"); None if it has none."""
        return self.port.address(family)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run needs to know, and nothing it could find out by itself."""

    name: str
    path: str
    about: str
    """What the testbed shows, for people."""
    text: str
    """The testbed file, word for word, for the run file."""
    seed: int | None
    hosts: tuple[HostPlan, ...]
    topology: Topology
    """What the hosts are connected to, and how."""
    timers: dict[str, float]
    """Arguments of `configure`; empty means the defaults of the specification."""
    requires: tuple[str, ...]
    """Calls every agent must offer, or the run is UNSUPPORTED; or `ICMP`."""
    needs: tuple[str, ...] = ()
    """What the network must have, or the run is UNSUPPORTED."""
    script: tuple[AnyStep, ...]
    expect: tuple[AnyExpectation, ...]
    faults: tuple[AnyFault, ...] = ()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the lab process is told on its standard input."""

    plan: Plan
    folder: str
    """Where the run file goes; it exists and is empty."""
    command: tuple[str, ...] = ()
    """Command line that started it all, for the run file."""
    fabric: Literal["switch", "bridge"] = "switch"
    carrier: Literal["tap", "veth"] | None = None
    live: bool = False
    """The plan's script is not played: what happens is asked for, line by line (`dialogue`)."""
    watched: bool = False
    """Somebody wants to see every frame and event while the run goes on."""
