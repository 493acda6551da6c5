"""Copies of one end of a membership, for whoever tries every way it may go on."""

from copy import copy

from mpwire.core import Membership
from mpwire.core.inflow import Inflow
from mpwire.core.outflow import Outflow


def fork(end: Membership) -> Membership:
    """Copy an end like `copy.deepcopy`, twenty times faster: what no action changes is shared."""
    twin = copy(end)
    twin.identity, twin.request = copy(end.identity), copy(end.request)
    twin.entropy, twin.session = copy(end.entropy), copy(end.session)
    twin.early, twin.effects = [*end.early], [*end.effects]
    twin.outflow = _fork_outflow(end.outflow)
    twin.relayed_out = {origin: _fork_outflow(flow) for origin, flow in end.relayed_out.items()}
    twin.inflow = None if end.inflow is None else _fork_inflow(end.inflow)
    twin.relayed_in = {origin: _fork_inflow(flow) for origin, flow in end.relayed_in.items()}
    twin.departed = {
        origin: (at, _fork_inflow(flow)) for origin, (at, flow) in end.departed.items()
    }
    if end.side is not None:
        twin.side = copy(end.side)
        twin.side.waiting = copy(end.side.waiting)
    return twin


def _fork_inflow(flow: Inflow) -> Inflow:
    twin = copy(flow)
    twin.ahead = {**flow.ahead}
    return twin


def _fork_outflow(flow: Outflow) -> Outflow:
    twin = copy(flow)
    twin.kept, twin.attempts, twin.pacer = {**flow.kept}, {**flow.attempts}, copy(flow.pacer)
    return twin
