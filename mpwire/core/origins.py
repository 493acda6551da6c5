"""Which origins a member knows besides its peer: those that the root relays (protocol.md 11.5).

Who relays knows when an origin has left, and says so with FIN when everything of it has arrived.
That SYNC is not repeated: who misses it remembers one origin longer than it has to. Nobody else
than the root vouches for an origin, so that a leaf remembers no more of them than a sane root has.
"""

from typing import Final

from mpwire.core.events import Input, OriginEnded
from mpwire.core.inflow import Inflow
from mpwire.core.membership import ROOT_ID, Membership, action
from mpwire.core.outflow import HIGHEST_ATTEMPT, Outflow
from mpwire.core.table import State
from mpwire.wire.messages import Data, Sync
from mpwire.wire.registries import DataFlag, SyncFlag

MAXIMUM_ORIGINS: Final = 1_024
"""Relayed origins that one member remembers at a time."""
MAXIMUM_AHEAD: Final = 4_096
"""Messages kept beyond the gaps of all relayed origins together; more count as lost."""


# Sending --------------------------------------------------------------------------------------


def send_sync(end: Membership, origin: int, flow: Outflow, flags: int = 0) -> None:
    """Tell the peer where an origin ends by now, and from where on it can be repaired."""
    flow.syncs = min(flow.syncs + 1, HIGHEST_ATTEMPT)
    flow.silence = min(flow.silence + 1, HIGHEST_ATTEMPT)
    end.send(
        Sync(
            **end.header(flow.sent_seq, flow.syncs),
            origin=origin,
            trail_seq=flow.acked_seq,
            sflags=flags,
        )
    )


@action
def end_origin(end: Membership, event: Input, _now_s: float) -> None:
    """Relay nothing more of an origin that has left, once all of it has arrived."""
    assert isinstance(event, OriginEnded)
    flow = end.relayed_out.get(event.origin)
    if flow is not None:
        flow.ended = True
        let_go(end, event.origin, flow)


def let_go(end: Membership, origin: int, flow: Outflow) -> None:
    """Forget a relayed origin that has ended, if nothing of it is on its way any more."""
    if flow.ended and flow.is_acknowledged:
        if end.repairs and end.state not in {State.DRAINING, State.LINGERING}:
            send_sync(end, origin, flow, SyncFlag.FIN)
        del end.relayed_out[origin]


# Receiving ------------------------------------------------------------------------------------


def inflow_of(end: Membership, data: Data, now_s: float) -> Inflow | None:
    """Return the flow a message belongs to; the first of a best-effort origin starts one."""
    if data.origin == end.identity.peer_id:
        return end.inflow
    relayed = bool(data.dflags & DataFlag.RELAYED) and end.takes_relayed
    if not relayed or data.origin in {end.identity.own_id, ROOT_ID}:
        return None
    flow = _hear(end, data.origin)
    if flow is None and not end.repairs:
        flow = _remember(end, data.origin, Inflow(data.seq), now_s)
    return flow


def synchronised(end: Membership, sync: Sync, now_s: float) -> Inflow | None:
    """Return the flow a SYNC speaks of; the first of a relayed origin says where it starts."""
    if not (end.repairs and end.may_receive):
        return None
    if sync.origin == end.identity.peer_id:
        return end.inflow
    if not end.takes_relayed or sync.origin in {end.identity.own_id, ROOT_ID}:
        return None
    flow = _hear(end, sync.origin)
    if flow is None:
        flow = _remember(end, sync.origin, Inflow(sync.trail_seq, repairs=True), now_s)
    return flow


def _hear(end: Membership, origin: int) -> Inflow | None:
    """Return the flow of a relayed origin, which becomes the one that was heard of last."""
    flow = end.relayed_in.pop(origin, None)
    if flow is not None:
        end.relayed_in[origin] = flow
        return flow
    departed = end.departed.get(origin)
    return None if departed is None else departed[1]


def _remember(end: Membership, origin: int, flow: Inflow, now_s: float) -> Inflow | None:
    """Add an origin, in the place of the longest silent one if there are too many.

    An origin of which something is missing keeps its place. The root repeats SYNC as long as it
    does not know that all has arrived; so after the longest silence it does, and when that origin
    speaks again a SYNC lets it begin where it stopped.
    """
    _forget_departed(end, now_s)
    if len(end.relayed_in) + len(end.departed) >= MAXIMUM_ORIGINS:
        if end.departed:
            del end.departed[next(iter(end.departed))]
        else:
            whole = (one for one, other in end.relayed_in.items() if not _is_owed(end, other))
            silent = next(whole, None)
            if silent is None:
                return None
            del end.relayed_in[silent]
    end.relayed_in[origin] = flow
    return flow


def _is_owed(end: Membership, flow: Inflow) -> bool:
    return end.repairs and flow.has_gap


def note_departure(end: Membership, sync: Sync, now_s: float) -> None:
    """Note that a relayed origin has left, when both ends know that all of it has arrived.

    It is remembered for T_LINGER: an old SYNC that the network held back would start it anew.
    """
    flow = end.relayed_in.get(sync.origin)
    if flow is None or not sync.sflags & SyncFlag.FIN:
        return
    if sync.trail_seq == sync.seq == flow.next_seq:
        _forget_departed(end, now_s)
        del end.relayed_in[sync.origin]
        end.departed[sync.origin] = now_s + end.plan.linger_s, flow


def _forget_departed(end: Membership, now_s: float) -> None:
    while end.departed:
        origin = next(iter(end.departed))
        if end.departed[origin][0] > now_s:
            return
        del end.departed[origin]


def is_crowded(end: Membership) -> bool:
    """Tell whether no more messages can be kept that wait for others before them."""
    return sum(len(flow.ahead) for flow in end.relayed_in.values()) >= MAXIMUM_AHEAD
