"""Who can be reached: cuts, and the interfaces, addresses and ports that a script takes away."""

from typing import Protocol, assert_never

from mpwire.lab import mishaps
from mpwire.lab.decide import Decider
from mpwire.lab.topology import Topology

Severing = (
    mishaps.Lose
    | mishaps.Regain
    | mishaps.LoseAddress
    | mishaps.RegainAddress
    | mishaps.Unplug
    | mishaps.Plug
    | mishaps.Cut
    | mishaps.Heal
)
"""Steps that take somebody out of reach, or give back what was taken."""


class Severable(Protocol):
    """The part of a fabric that lets hosts be out of reach."""

    def set_interface(self, host: str, *, is_up: bool) -> None:
        """Set a host's interface down, or up again."""

    def remove_addresses(self, host: str) -> None:
        """Take the addresses of a host's interface; setting it up gives them back."""

    def part(self, host: str, *, is_apart: bool) -> None:
        """Let nothing pass between a host and all others, or again, where nobody decides that."""


class Reach:
    """Take hosts and routers out of reach, and give back what was taken."""

    def __init__(self, topology: Topology, fabric: Severable, network: Decider) -> None:
        """Begin with everybody in reach; `network` decides about messages under way."""
        self._nodes = [node.name for node in topology.nodes]
        self._fabric = fabric
        self._network = network
        self._down: set[str] = set()
        """Hosts that have lost their interface, or its addresses."""
        self._unplugged: set[str] = set()
        """Ports that routers have lost."""
        self._apart: set[str] = set()
        """Hosts that are cut off from all others, both ways."""

    @property
    def hosts_are_down(self) -> bool:
        """Tell whether a host has lost its interface, or its addresses."""
        return bool(self._down)

    def perform(self, step: Severing) -> None:
        """Make one step happen."""
        match step:
            case mishaps.Lose():
                self.set_interface(step.host, step.text, is_up=False)
            case mishaps.LoseAddress():
                self.remove_addresses(step.host, step.text)
            case mishaps.Regain() | mishaps.RegainAddress():
                self.set_interface(step.host, step.text, is_up=True)
            case mishaps.Unplug() | mishaps.Plug():
                self.set_port(step.port, is_up=isinstance(step, mishaps.Plug))
            case mishaps.Cut():
                self.cut(step.host, step.peer, step.text, one_way=step.one_way)
            case mishaps.Heal():
                self.heal()
            case _:
                assert_never(step)

    def cut(self, host: str, peer: str | None, cause: str, *, one_way: bool) -> None:
        """Let nothing pass between a host and another, or all others, any more."""
        self._cut(host, peer, cause, one_way=one_way)
        if peer is None and not one_way:
            self._apart.add(host)
            self._fabric.part(host, is_apart=True)

    def heal(self) -> None:
        """Undo all cuts."""
        self._network.heal()
        while self._apart:
            self._fabric.part(self._apart.pop(), is_apart=False)

    def _cut(self, host: str, peer: str | None, cause: str, *, one_way: bool) -> None:
        for other in self._nodes if peer is None else (peer,):
            self._network.cut(host, other, cause)
            if not one_way:
                self._network.cut(other, host, cause)

    def set_interface(self, host: str, cause: str, *, is_up: bool) -> None:
        """Take a host's interface, and what is under way to it, or give it back if it is gone."""
        if is_up and host not in self._down:
            return
        if is_up:
            self._down.remove(host)
            self._fabric.set_interface(host, is_up=True)
            self._network.restore(host)
        else:
            self._down.add(host)
            self._cut(host, None, cause, one_way=False)
            self._fabric.set_interface(host, is_up=False)

    def remove_addresses(self, host: str, cause: str) -> None:
        """Take a host's addresses, and what is under way to them, if it has any left."""
        if host in self._down:
            return
        self._down.add(host)
        self._cut(host, None, cause, one_way=False)
        self._fabric.remove_addresses(host)

    def set_port(self, port: str, *, is_up: bool) -> None:
        """Take a router's port, or give it back if it is gone."""
        if is_up and port not in self._unplugged:
            return
        self._unplugged = self._unplugged - {port} if is_up else self._unplugged | {port}
        self._fabric.set_interface(port, is_up=is_up)

    def restore(self) -> None:
        """Give back every interface and port, as at the end of a run."""
        for host in sorted(self._down):
            self.set_interface(host, "", is_up=True)
        for port in sorted(self._unplugged):
            self.set_port(port, is_up=True)
