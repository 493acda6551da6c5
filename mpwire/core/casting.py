"""Group data by IP multicast: one datagram for all who hear the group (protocol.md 11.6).

Only the root of a rooted session sends to its group: its own messages, and under a data plane
without a root what it passes on. Every receiver's outflow keeps each message as if it had been sent
to it alone, so that SYNC, NACK, repairs and windows stay a matter of two and of unicast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpwire.core.address import Address
from mpwire.core.events import DataSubmitted
from mpwire.core.membership import JOINED, Membership
from mpwire.core.participant import Participant
from mpwire.wire.codec import decode_untrusted, unknown_mandatory
from mpwire.wire.errors import DecodeError
from mpwire.wire.messages import Announce, Data, Message
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import Capability, DataFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mpwire.core.endpoint import Endpoint


@dataclass(slots=True, frozen=True)
class Cast:
    """How a root reaches its group."""

    source: Address
    """The concrete address that group data comes from."""
    group: Address


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
    if not all(_has_room(member, message.origin) for member in hearing):
        hearing = set()
    for member in receivers:
        by_group = DataSubmitted(message.seq, message.payload, message.origin, member in hearing)
        endpoint.call(member, by_group, now_s)
    if hearing:
        _send_to_group(endpoint, message)


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


def _has_room(member: Membership, origin: int | None) -> bool:
    flow = member.outflow if origin is None else member.relayed_out.get(origin)
    return flow is None or flow.has_room


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
