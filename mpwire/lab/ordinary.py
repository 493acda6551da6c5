"""Carry out the steps about what sockets of any kind can do."""

from mpwire.lab import steps
from mpwire.lab.calling import address_of, calling, new_descriptor
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


async def connect(stage: Stage, step: steps.Connect) -> None:
    """Ask for an ordinary connection.

    Raises:
        StepFailed: the call ends in another way than was said.
    """
    view = stage.sockets[step.socket]
    address = address_of(stage, view, step.target, step.port)
    await calling(stage, view, "connect", {"address": address}, step.error)
