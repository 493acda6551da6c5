"""What a fabric cannot do of what a testbed asks for."""

from typing import Final, Literal

from mpwire.lab import mishaps, smcroute
from mpwire.lab.emulation import Delays, steady
from mpwire.lab.plan import Plan

BRIDGE: Final = "bridge"
SMCROUTE: Final = "smcroute"
OFFERS: Final = {
    "switch": frozenset({"kernel", SMCROUTE}),
    BRIDGE: frozenset({"kernel", "snooping", SMCROUTE}),
}
"""What fabrics have that a testbed may need."""
_PARTING: Final = (mishaps.Cut, mishaps.Lose, mishaps.LoseAddress)
"""Steps that take a host from the others."""


def lacking(plan: Plan, fabric: str) -> str:
    """Say why a plan cannot be carried out on a fabric; empty where it can."""
    for need in plan.needs:
        if need not in OFFERS.get(fabric, ()):
            return f"{need!r}, which the fabric {fabric} does not have"
    if SMCROUTE in plan.needs and smcroute.lacks():
        return f"{SMCROUTE!r}, which is not installed: {smcroute.lacks()}"
    return ""


def meddles(plan: Plan) -> bool:
    """Tell whether a plan asks for what a bridge cannot do by itself: faults, or aimed cuts."""
    cuts = [step for step in plan.script if isinstance(step, mishaps.Cut)]
    return bool(plan.faults) or any(step.peer is not None or step.one_way for step in cuts)


def emulates(plan: Plan) -> bool:
    """Tell whether netem can do to messages what a plan asks for, and nothing else is to be done.

    What it holds back for a host whose interface goes down it loses without a word, or sends into
    nothing. Whether this kernel has it is another matter.
    """
    parted = any(isinstance(step, _PARTING) for step in plan.script)
    return not parted and steady(plan.faults) and Delays(plan.topology, plan.faults).possible


def preferred(plan: Plan) -> Literal["switch", "bridge"]:
    """Choose between the fabrics of namespaces: the bridge only for what the switch lacks."""
    return BRIDGE if lacking(plan, "switch") and not lacking(plan, BRIDGE) else "switch"
