"""Carry out the steps of `controls`: what is said to sockets beside the calls of a session."""

from typing import assert_never

from mpwire.lab import controls, protocols, records
from mpwire.lab.calling import calling
from mpwire.lab.controls import AnyControl
from mpwire.lab.stage import ANSWER_PATIENCE_S, SocketView, Stage, StepFailed
from mpwire.lab.steps import DEFAULT_PORT


async def perform(stage: Stage, step: AnyControl) -> None:
    """Make one step happen; raise as `actions.perform` does."""
    match step:
        case controls.Capacity():
            await _tell_capacity(stage, step)
        case controls.EventObject():
            await records.look_at_event_object(stage, step)
        case controls.FindProtocol():
            await protocols.find(stage, step)
        case controls.OpenInVain():
            await protocols.open_in_vain(stage, step)
        case _:
            await _on_socket(stage, step)


_OnSocket = (
    controls.SetFlow
    | controls.ReadFlow
    | controls.CancelJoin
    | controls.AwaitAddresses
    | controls.AwaitRoute
    | controls.EnumerateWrongly
)


async def _on_socket(stage: Stage, step: _OnSocket) -> None:
    view = stage.sockets[step.socket]
    setting: dict[str, object]
    match step:
        case controls.AwaitRoute():
            setting = {"code": "SIO_ROUTING_INTERFACE_CHANGE", "value": _peer(stage, view, step)}
            await calling(stage, view, "ioctl", setting, step.error)
        case controls.AwaitAddresses():
            setting = {"code": "SIO_ADDRESS_LIST_CHANGE"}
            await calling(stage, view, "ioctl", setting, step.error)
        case controls.SetFlow():
            setting = {"code": "SIO_SET_QOS", "value": step.flow}
            await calling(stage, view, "ioctl", setting, step.error)
        case controls.ReadFlow():
            result = await calling(stage, view, "ioctl", {"code": "SIO_GET_QOS"}, step.error)
            if step.error is None and result.get("value") != step.flow:
                told = f"expected {_said(step.flow)} as flow of {view.name}"
                raise StepFailed(f"{told}, seen {_said(result.get('value'))}")
        case controls.EnumerateWrongly():
            await records.enumerate_wrongly(stage, step)
        case controls.CancelJoin():
            if view.joining is None:
                raise StepFailed(f"expected a blocking join on {view.name}, seen none")
            stage.running(view.host)
            call = {"call": view.joining_id}
            await stage.link(view).call("cancel_blocking_call", call, ANSWER_PATIENCE_S)
        case _:
            assert_never(step)


async def _tell_capacity(stage: Stage, step: controls.Capacity) -> None:
    for address in stage.hosts[step.host].addresses:
        told = {"address": address.partition("/")[0], "octets_per_s": step.capacity}
        await stage.running(step.host).call("capacity_changed", told, ANSWER_PATIENCE_S)


def _peer(stage: Stage, view: SocketView, step: controls.AwaitRoute) -> list[object]:
    family = "inet6" if ":" in view.address[0] else "inet"
    return [stage.address(step.peer, family), DEFAULT_PORT]


def _said(flow: object) -> str:
    """Write a flow specification as the sentences do."""
    match flow:
        case {"sending": sending, "receiving": receiving}:
            return f"sending {sending} receiving {receiving} octets/s"
        case _:
            return f"{flow!r}"
