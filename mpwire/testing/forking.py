"""Copies of one end of a membership, for whoever tries every way it may go on."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from mpwire.core import Membership
from mpwire.core.inflow import Inflow
from mpwire.core.outflow import Outflow

Slotted = TypeVar("Slotted")

_READERS: Final[dict[type, tuple[tuple[str, ...], Callable[[Any], tuple[object, ...]]]]] = {}


def fork(end: Membership) -> Membership:
    """Copy an end like `copy.deepcopy`, forty times faster: what no action changes is shared."""
    twin = _copy(end)
    twin.identity, twin.request = _copy(end.identity), replace(end.request)
    twin.entropy = _copy(end.entropy)
    twin.session = None if end.session is None else _copy(end.session)
    twin.early, twin.effects = [*end.early], [*end.effects]
    twin.outflow = _fork_outflow(end.outflow)
    twin.relayed_out = {origin: _fork_outflow(flow) for origin, flow in end.relayed_out.items()}
    twin.inflow = None if end.inflow is None else _fork_inflow(end.inflow)
    twin.relayed_in = {origin: _fork_inflow(flow) for origin, flow in end.relayed_in.items()}
    twin.departed = {
        origin: (at, _fork_inflow(flow)) for origin, (at, flow) in end.departed.items()
    }
    if end.side is not None:
        twin.side = _copy(end.side)
        twin.side.waiting = end.side.waiting.copy()
    return twin


def _fork_inflow(flow: Inflow) -> Inflow:
    twin = _copy(flow)
    twin.ahead = {**flow.ahead}
    return twin


def _fork_outflow(flow: Outflow) -> Outflow:
    twin = _copy(flow)
    twin.kept, twin.attempts = {**flow.kept}, {**flow.attempts}
    twin.by_group = {*flow.by_group}
    twin.pacer = None if flow.pacer is None else _copy(flow.pacer)
    return twin


def _copy(one: Slotted) -> Slotted:
    """Copy like `copy.copy` an object that holds everything in slots; that takes half the time."""
    kind = type(one)
    if kind not in _READERS:
        names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
        _READERS[kind] = (names, attrgetter(*names))
    names, read = _READERS[kind]
    twin = kind.__new__(kind)
    for name, held in zip(names, read(one), strict=True):
        setattr(twin, name, held)
    return twin
