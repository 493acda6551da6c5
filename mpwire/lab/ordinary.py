"""Carry out the steps about what sockets of any kind can do."""

from collections.abc import Sequence
from typing import Final

from mpwire.lab import steps
from mpwire.lab.calling import address_of, calling, new_descriptor
from mpwire.lab.links import Refused
from mpwire.lab.stage import SocketView, Stage, StepFailed

SETS: Final = {"read": "readable", "write": "writable", "exceptional": "exceptional"}
"""The sets of WSPSelect, and what a socket in them is."""


async def duplicate(stage: Stage, step: steps.Duplicate) -> None:
    """Make another descriptor, and give it its name.

    Raises:
        StepFailed: the call fails.
    """
    view = stage.sockets[step.socket]
    result = await calling(stage, view, "duplicate_socket", {}, None)
    descriptor = new_descriptor(result, "duplicate_socket", step.host)
    new = SocketView(step.new, step.host, descriptor, view.address, view.selected, view.blocking)
    new.twins = view.twins = view.twins or [view]
    new.twins.append(new)
    stage.add(new)


async def connect(stage: Stage, step: steps.Connect) -> None:
    """Ask for an ordinary connection.

    Raises:
        StepFailed: the call ends in another way than was said.
    """
    view = stage.sockets[step.socket]
    address = address_of(stage, view, step.target, step.port)
    await calling(stage, view, "connect", {"address": address}, step.error)


async def find(stage: Stage, step: steps.Find) -> None:
    """Look in which sets of WSPSelect a socket is now.

    Raises:
        StepFailed: it is in others than was said, or the call fails.
    """
    view = stage.sockets[step.socket]
    descriptor = stage.descriptor(view)
    arguments: dict[str, object] = {name: [descriptor] for name in SETS}
    try:
        result = await stage.ask(view, "select", {**arguments, "timeout_s": 0})
    except Refused as refused:
        raise StepFailed(f"expected success of select, seen {refused.name}") from None
    wanted, seen = _ready(step.sets), _ready([one for one in SETS if result.get(one)])
    if seen != wanted:
        raise StepFailed(f"expected {view.name} {wanted}, seen it {seen}")


def _ready(sets: Sequence[str]) -> str:
    return " and ".join(SETS[one] for one in sets) or "not ready"
