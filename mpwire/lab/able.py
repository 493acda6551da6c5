"""What a fabric cannot do of what a testbed asks for."""

from mpwire.lab import steps
from mpwire.lab.plan import Plan

BRIDGE = "bridge"


def lacking(plan: Plan, fabric: str) -> str:
    """Say why a plan cannot be carried out on a fabric; empty where it can."""
    if fabric != BRIDGE:
        return ""
    if plan.faults:
        return f"{plan.faults[0].text!r} on the fabric bridge, which passes every message on"
    for step in plan.script:
        if isinstance(step, steps.Cut) and (step.peer is not None or step.one_way):
            return f"{step.text!r} on the fabric bridge, which parts a host from all others only"
    return ""
