"""Carry out the steps about what sockets of any kind can do."""

from mpwire.lab import steps
from mpwire.lab.calling import calling, new_descriptor
from mpwire.lab.stage import SocketView, Stage


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
