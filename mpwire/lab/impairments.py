"""The network of a plan: what its faults make of frames, now."""

from typing import Final

from mpwire.lab import timers
from mpwire.lab.clock import KERNEL_CLOCK, Clock
from mpwire.lab.decide import UNHARMED, Decider, Fate
from mpwire.lab.plan import Plan
from mpwire.lab.sight import sighting

OVERTAKING: Final = 0.25
"""Part of `rto_initial_s` that a reordered frame waits for one that passes it."""


class Impairments:
    """Decide about frames as a switch asks for it."""

    def __init__(self, plan: Plan, clock: Clock = KERNEL_CLOCK) -> None:
        """Take the faults and the seed of a plan."""
        self._clock = clock
        topology = plan.topology
        self._router_of = {port: topology.node_of[port] for port in topology.router_ports}
        known = {**timers.DEFAULTS, **plan.timers}
        overtaking_s = OVERTAKING * known["rto_initial_s"]
        self.decider = Decider(plan.faults, plan.seed, overtaking_s=overtaking_s)

    def __call__(self, frame: bytes, sender: str, receiver: str) -> Fate:
        """Say what becomes of a frame for one receiver.

        A message meets its faults once on each way: where it would reach its receiver. On the
        way to a router only cuts act.
        """
        if not self.decider.active:
            return UNHARMED
        router = self._router_of.get(receiver)
        if router is not None:
            return self.decider.severed(sender, router)
        return self.decider.decide(sighting(frame), sender, receiver, self._clock.now_s())
