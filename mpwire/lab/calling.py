"""Make a call of an agent that a step is about, and compare how it ends with what is expected."""

from collections.abc import Mapping
from typing import Any

from mpwire.lab.links import AgentFault, Refused
from mpwire.lab.stage import SocketView, Stage, StepFailed
from mpwire.lab.steps import DEFAULT_PORT


async def calling(
    stage: Stage,
    view: SocketView,
    call: str,
    arguments: Mapping[str, object],
    error: str | None,
) -> dict[str, Any]:
    """Make a call that is expected to succeed, or to fail in one way.

    Raises:
        StepFailed: it does something else.
    """
    try:
        result = await stage.call(view, call, arguments)
    except Refused as refused:
        if refused.name != error:
            wanted = error or "success"
            raise StepFailed(f"expected {wanted} of {call}, seen {refused.name}") from None
        return {}
    if error is not None:
        raise StepFailed(f"expected {error} of {call}, seen success")
    return result


def new_descriptor(result: Mapping[str, Any], call: str, host: str) -> int:
    """Read the descriptor that a call has handed out.

    Raises:
        AgentFault: there is none.
    """
    descriptor = result.get("socket")
    if not isinstance(descriptor, int):
        raise AgentFault(f"{host} answered {call} without a socket")
    return descriptor


def address_of(stage: Stage, view: SocketView, target: str, port: int | None) -> list[object]:
    """Give the address of a socket, or of a host in the family of the socket that asks for it.

    Raises:
        StepFailed: the host has none.
    """
    asked = stage.sockets.get(target)
    if asked is not None:
        ip, usual = asked.address
    else:
        ip = stage.address(target, "inet6" if ":" in view.address[0] else "inet")
        usual = DEFAULT_PORT
    return [ip, port or usual]
