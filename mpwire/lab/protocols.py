"""Carry out the steps about protocol entries: what they say, and which sockets they have."""

from mpwire.lab import controls
from mpwire.lab.links import Refused
from mpwire.lab.stage import ANSWER_PATIENCE_S, Stage, StepFailed

SUPPORT, CONTROL, DATA = (
    "XP1_SUPPORT_MULTIPOINT",
    "XP1_MULTIPOINT_CONTROL_PLANE",
    "XP1_MULTIPOINT_DATA_PLANE",
)


async def find(stage: Stage, step: controls.FindProtocol) -> None:
    """Look an entry up and compare its planes.

    Raises:
        StepFailed: there is none, or several, or it says something else.
    """
    link = stage.running(step.host)
    result = await link.call("enum_protocols", {}, ANSWER_PATIENCE_S)
    listed = result.get("protocols")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    found = [one for one in entries if one.get("name") == step.protocol]
    if len(found) != 1:
        raise StepFailed(f"expected one entry {step.protocol}, seen {len(found)}")
    flags = found[0].get("service_flags")
    said = set(map(str, flags)) if isinstance(flags, list) else set()
    wanted = {SUPPORT}
    wanted |= {CONTROL} if step.with_rooted_control else set()
    wanted |= {DATA} if step.and_rooted_data else set()
    seen = said & {SUPPORT, CONTROL, DATA}
    if seen != wanted:
        told, shown = ", ".join(sorted(wanted)), ", ".join(sorted(seen)) or "none of the three"
        raise StepFailed(f"expected {told} of {step.protocol}, seen {shown}")


async def open_in_vain(stage: Stage, step: controls.OpenInVain) -> None:
    """Try to create a socket that there is none of.

    Raises:
        StepFailed: it is there, or the call fails in another way.
    """
    arguments = {"flags": step.lacking.upper().split("/"), "protocol": step.protocol}
    try:
        await stage.running(step.host).call("socket", arguments, ANSWER_PATIENCE_S)
    except Refused as refused:
        if refused.name == step.error:
            return
        raise StepFailed(f"expected {step.error} of socket, seen {refused.name}") from None
    raise StepFailed(f"expected {step.error} of socket, seen success")
