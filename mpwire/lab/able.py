"""What a fabric cannot do of what a testbed asks for."""

from typing import Final, Literal

from mpwire.lab import mishaps, smcroute
from mpwire.lab.plan import Plan

BRIDGE: Final = "bridge"
SMCROUTE: Final = "smcroute"
OFFERS: Final = {
    "switch": frozenset({"kernel", SMCROUTE}),
    BRIDGE: frozenset({"kernel", "snooping", SMCROUTE}),
}
"""What fabrics have that a testbed may need."""


def lacking(plan: Plan, fabric: str) -> str:
    """Say why a plan cannot be carried out on a fabric; empty where it can."""
    for need in plan.needs:
        if need not in OFFERS.get(fabric, ()):
            return f"{need!r}, which the fabric {fabric} does not have"
    if SMCROUTE in plan.needs and smcroute.lacks():
        return f"{SMCROUTE!r}, which is not installed: {smcroute.lacks()}"
    if fabric != BRIDGE:
        return ""
    if plan.faults:
        return f"{plan.faults[0].text!r} on the fabric bridge, which passes every message on"
    for step in plan.script:
        if isinstance(step, mishaps.Cut) and (step.peer is not None or step.one_way):
            return f"{step.text!r} on the fabric bridge, which parts a host from all others only"
    return ""


def preferred(plan: Plan) -> Literal["switch", "bridge"]:
    """Choose between the fabrics of namespaces: the bridge only for what the switch lacks."""
    return BRIDGE if lacking(plan, "switch") and not lacking(plan, BRIDGE) else "switch"
