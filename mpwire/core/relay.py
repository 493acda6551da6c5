"""The root passes on what leaves send, where the data plane has no root (protocol.md 11.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpwire.core import casting
from mpwire.core.events import BacklogChanged, DataReceived, DataSubmitted, OriginEnded
from mpwire.core.membership import CARRYING, JOINED
from mpwire.core.session import JOINED as MEMBERS

if TYPE_CHECKING:
    from mpwire.core.endpoint import Endpoint
    from mpwire.core.membership import Membership


def pass_on(endpoint: Endpoint, source: Membership, message: DataReceived, now_s: float) -> None:
    """Give a leaf's message to all other leaves that it is for, Origin and Seq kept (R83)."""
    assert endpoint.session is not None
    receivers = endpoint.session.receivers_of(source)
    submitted = DataSubmitted(message.seq, message.payload, message.origin)
    casting.distribute(endpoint, receivers, submitted, now_s)
    update_backlog(endpoint, message.origin, now_s)


def update_backlog(endpoint: Endpoint, origin: int, now_s: float) -> None:
    """Tell the end that a leaf's messages come in by how far the slowest receiver is behind."""
    assert endpoint.session is not None
    source = endpoint.session.members.get(origin)
    if source is None or source.state not in CARRYING:
        return
    backlog = max(
        (
            len(member.relayed_out[origin].kept)
            for member in endpoint.session.members.values()
            if member.state in JOINED and origin in member.relayed_out
        ),
        default=0,
    )
    endpoint.call(source, BacklogChanged(backlog), now_s)


def let_go(endpoint: Endpoint, member: Membership, now_s: float) -> None:
    """Wait no more for a receiver that has ended, and tell the others that it sends no more."""
    for origin in member.relayed_out:
        update_backlog(endpoint, origin, now_s)
    session, origin = endpoint.session, member.identity.peer_id
    if session is None or not session.relays:
        return
    for other in session.members.values():
        if other.state in MEMBERS and origin in other.relayed_out:
            endpoint.call(other, OriginEnded(origin), now_s)
