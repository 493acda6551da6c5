"""Group data by IP multicast: one datagram for all who hear the group (protocol.md 11.6).

Only the root of a rooted session sends to its group: its own messages, and under a data plane
without a root what it passes on. Every receiver's outflow keeps each message as if it had been sent
to it alone, so that SYNC, NACK, repairs and windows stay a matter of two and of unicast.

So does the pace, but a message leaves once: when every one of those that it goes to lets it leave.
The receiver with the worst path sets the pace of the group. A message waits here, by origin, until
all who are to hear it have got what went to them alone before, and the pacers of all are ready.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mpwire.core.address import Address
from mpwire.core.events import DataSubmitted, LeftByGroup
from mpwire.core.membership import JOINED, Membership
from mpwire.core.outflow import Outflow
from mpwire.core.participant import Participant
from mpwire.wire.codec import decode_untrusted, unknown_mandatory
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import Announce, Data, Message
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import Capability, DataFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mpwire.core.endpoint import Endpoint


@dataclass(slots=True)
class Cast:
    """How a root reaches its group, and what waits to be sent there."""

    source: Address
    """The concrete address that group data comes from."""
    group: Address
    waiting: dict[int | None, deque[DataSubmitted]] = field(default_factory=dict)
    """Messages that have not left, by origin; never an empty queue."""
    awaited: set[Membership] = field(default_factory=set)
    """Members that have to get something else before the next message of some origin."""
    due_s: float | None = None
    """When the next message may leave, if it waits for nothing but its time."""
    is_busy: bool = False
    """Whether messages are leaving at this moment."""


def distribute(
    endpoint: Endpoint, receivers: Sequence[Membership], message: DataSubmitted, now_s: float
) -> None:
    """Give a message to receivers: once to the group for those that hear it, else a copy each.

    While one of those that hear the group has no room, nobody gets it that way: what goes to the
    group goes to all (R109).
    """
    hearing: set[Membership] = set()
    if endpoint.cast is not None and _is_for_all(endpoint, message):
        hearing = {member for member in receivers if _hears(member)}
    if not all(_has_window(member, message.origin) for member in hearing):
        hearing = set()
    for member in receivers:
        by_group = DataSubmitted(message.seq, message.payload, message.origin, member in hearing)
        endpoint.call(member, by_group, now_s)
    if hearing:
        assert endpoint.cast is not None
        endpoint.cast.waiting.setdefault(message.origin, deque()).append(message)
        release(endpoint, now_s)


def note_step(endpoint: Endpoint, member: Membership, now_s: float) -> None:
    """Let the group go on, if it has waited for this member."""
    cast = endpoint.cast
    if cast is not None and member in cast.awaited and not cast.is_busy:
        release(endpoint, now_s)


def release(endpoint: Endpoint, now_s: float) -> None:
    """Send to the group what everybody who is to hear it lets leave by now."""
    cast = endpoint.cast
    assert cast is not None
    cast.is_busy, cast.due_s = True, None
    cast.awaited.clear()
    for origin in [*cast.waiting]:
        queue = cast.waiting[origin]
        while queue and _leave(endpoint, cast, queue[0], now_s):
            queue.popleft()
        if not queue:
            del cast.waiting[origin]
    cast.is_busy = False


def _leave(endpoint: Endpoint, cast: Cast, message: DataSubmitted, now_s: float) -> bool:
    """Send a message to the group; return False if it has to wait, and note for what."""
    assert endpoint.session is not None
    hearing = [
        (member, flow)
        for member in endpoint.session.members.values()
        if (flow := _flow(member, message.origin)) is not None and message.seq in flow.by_group
    ]
    before = {member for member, flow in hearing if flow.sent_seq != message.seq}
    if before:
        cast.awaited |= before
        return False
    pacers = [flow.pacer for _, flow in hearing if flow.pacer is not None]
    slow = [pacer.next_s(now_s) for pacer in pacers if not pacer.is_ready(now_s)]
    if slow:
        cast.due_s = max(slow) if cast.due_s is None else min(cast.due_s, max(slow))
        return False
    if hearing:
        _send_to_group(endpoint, message)
    for member, _ in hearing:
        endpoint.call(member, LeftByGroup(message.origin), now_s)
    return True


def _is_for_all(endpoint: Endpoint, message: DataSubmitted) -> bool:
    """Tell whether a message is not for a leaf alone that is the d_root (W58)."""
    session = endpoint.session
    if session is None or not session.awaits_d_root:
        return True
    source = None if message.origin is None else session.members.get(message.origin)
    return source is not None and source.is_d_root


def _hears(member: Membership) -> bool:
    """Tell whether a member is joined and has joined the group as well."""
    return member.state in JOINED and bool(member.agreed & Capability.MCAST_RX)


def _has_window(member: Membership, origin: int | None) -> bool:
    flow = _flow(member, origin)
    return flow is None or flow.has_window


def _flow(member: Membership, origin: int | None) -> Outflow | None:
    return member.outflow if origin is None else member.relayed_out.get(origin)


def _send_to_group(endpoint: Endpoint, message: DataSubmitted) -> None:
    session, cast = endpoint.session, endpoint.cast
    assert session is not None
    assert cast is not None
    relayed = message.origin is not None
    data = Data(
        flags=HeaderFlag.M,
        session_id=session.facts.session_id,
        destination_tag=session.facts.description.group_tag,
        seq=message.seq,
        sender_id=1,
        origin=1 if message.origin is None else message.origin,
        dflags=DataFlag.RELAYED if relayed else 0,
        hop=int(relayed),
        payload=message.payload,
    )
    endpoint.send(data, cast.source, cast.group)


# Hearing --------------------------------------------------------------------------------------


def hear(
    endpoint: Endpoint, group: Address, group_tag: int, hearer: Membership | Participant
) -> None:
    """Give what comes from a group under a GroupTag to a member of that session."""
    endpoint.groups.setdefault(group, {})[group_tag] = hearer


def stop_hearing(endpoint: Endpoint, hearer: Membership | Participant) -> Address | None:
    """Give a member nothing more; return the group if nobody else here is interested in it."""
    for group, hearers in endpoint.groups.items():
        for group_tag, other in hearers.items():
            if other is hearer:
                del hearers[group_tag]
                if hearers:
                    return None
                del endpoint.groups[group]
                return group
    return None


def take_untrusted(
    endpoint: Endpoint, data: bytes, source: Address, group: Address, now_s: float
) -> None:
    """Take a datagram of a group that is heard here: data or nothing, and no answer (R99, R103)."""
    try:
        message = decode_untrusted(data)
    except DecodeError as error:
        endpoint.drop(str(error), error.rule)
        return
    hearer = endpoint.groups[group].get(message.destination_tag)
    if not message.flags & HeaderFlag.M or hearer is None:
        endpoint.drop(f"{type(message).__name__} of another session of the group", "R16 R98")
    elif unknown_mandatory(message):
        endpoint.drop("a mandatory TLV that is unknown here", "6")
    elif isinstance(hearer, Participant):
        _tell_participant(endpoint, message, source, now_s)
    elif not isinstance(message, Data):
        endpoint.drop(f"{type(message).__name__} to a group", "R99")
    elif source != hearer.peer or message.session_id != hearer.identity.session_id:
        endpoint.drop("group data that does not come from the root", "R26 R98")
    else:
        endpoint.call(hearer, message, now_s)


def _tell_participant(endpoint: Endpoint, message: Message, source: Address, now_s: float) -> None:
    if isinstance(message, Announce | Data):
        endpoint.hear_session(message, source, now_s)
    else:
        endpoint.drop(f"{type(message).__name__} to a group", "R99")
