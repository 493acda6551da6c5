"""Carry out the steps that read records of network events by hand, and look at event objects."""

from typing import Final

from mpwire.lab import controls, steps
from mpwire.lab.calling import calling
from mpwire.lab.comparing import sight_shown
from mpwire.lab.stage import ANSWER_PATIENCE_S, Stage, StepFailed
from mpwire.lab.steps import Sight
from mpwire.vocabulary import NetworkEvent, WsaError

EVENT_OBJECT: Final = 2
"""That of selections without reports."""
NO_EVENT_OBJECT: Final = 0
FILL: Final = 424242
"""What every error code is before an enumeration: a number that is none."""
MAXIMUM_EVENTS: Final = 10
"""How many error codes a record has."""


async def enumerate_events(stage: Stage, step: steps.Enumerate) -> None:
    """Read a record and compare it.

    Raises:
        StepFailed: something else is in it, or more was written.
    """
    view = stage.sockets[step.socket]
    arguments: dict[str, object] = {}
    if step.resetting_its_event_object:
        arguments["event_object"] = EVENT_OBJECT
    if step.touching_nothing_else:
        arguments["fill"] = FILL
    result = await calling(stage, view, "enum_network_events", arguments, None)
    seen = result.get("events")
    found = [sight_shown(one) for one in seen] if isinstance(seen, list) else []
    wanted = [str(sight) for sight in step.sights]
    if sorted(found) != sorted(wanted):
        told, listed = ", ".join(wanted) or "nothing", ", ".join(found) or "nothing"
        raise StepFailed(f"expected {told} in the record of {view.name}, seen {listed}")
    if step.touching_nothing_else and result.get("codes") != _codes(step.sights):
        told, listed = f"{_codes(step.sights)}", f"{result.get('codes')!r}"
        raise StepFailed(f"expected {told} as codes of {view.name}, seen {listed}")


def _codes(sights: tuple[Sight, ...]) -> list[int]:
    """Give the array of error codes after an enumeration."""
    codes = [FILL] * MAXIMUM_EVENTS
    for sight in sights:
        codes[NetworkEvent[sight.event].bit_length() - 1] = int(WsaError[sight.error])
    return codes


async def enumerate_wrongly(stage: Stage, step: controls.EnumerateWrongly) -> None:
    """Name an event object that is none: the call fails.

    Raises:
        StepFailed: it does not, or otherwise.
    """
    view = stage.sockets[step.socket]
    arguments = {"event_object": NO_EVENT_OBJECT}
    await calling(stage, view, "enum_network_events", arguments, step.error)


async def look_at_event_object(stage: Stage, step: controls.EventObject) -> None:
    """Compare whether the event object of selections without reports is set.

    Raises:
        StepFailed: it is not as the step says.
    """
    arguments = {"event_object": EVENT_OBJECT}
    result = await stage.running(step.host).call("event_object", arguments, ANSWER_PATIENCE_S)
    if result.get("signalled") is not step.signalled:
        wanted, seen = ("signalled", "reset") if step.signalled else ("reset", "signalled")
        raise StepFailed(f"expected the event object of {step.host} {wanted}, seen it {seen}")
