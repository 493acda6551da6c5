"""A peer that has forgotten its membership and asks anew (protocol.md 9.7).

The old membership is never ended by the new request, which anybody on the path could forge: it is
asked. PROBE goes to its tag. A peer that has restarted answers ABORT(R) and by that ends it; a peer
that lives answers PROBE_ACK, and the new request is refused. Until then that request is held, out
of sight of WSPAccept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpwire.core.answering import answer_poll, wait_for_decision
from mpwire.core.events import (
    Input,
    Refused,
    RequestDoubted,
    RequestVerified,
    VerificationRequested,
)
from mpwire.core.member import suspect_peer
from mpwire.core.membership import Membership, action
from mpwire.core.table import State
from mpwire.wire.registries import RejectReason

if TYPE_CHECKING:
    from mpwire.core.address import Address
    from mpwire.core.endpoint import Endpoint


def live_member(endpoint: Endpoint, source: Address) -> Membership | None:
    """Return the live membership of a source, of which there is at most one (R52)."""
    return next((one for one in endpoint.by_peer.get(source, ()) if one.is_live), None)


def hold(endpoint: Endpoint, request: Membership, member: Membership, now_s: float) -> None:
    """Hold a request back until the membership of its source has turned out dead or alive."""
    endpoint.doubts[member] = request
    endpoint.call(request, RequestDoubted(request.request), now_s)
    verify(endpoint, member, now_s)


def verify(endpoint: Endpoint, member: Membership, now_s: float) -> None:
    """Probe a member at once; one that awaits an answer already finds out by that."""
    if member.state is State.JOINED:
        endpoint.call(member, VerificationRequested(), now_s)


def settle(endpoint: Endpoint, member: Membership, now_s: float) -> None:
    """Let go of the request that was held back, if `member` has turned out dead or alive."""
    if member not in endpoint.doubts or (member.is_live and member.state is not State.JOINED):
        return
    request = endpoint.doubts.pop(member)
    if request.state is not State.VERIFYING:
        return
    listener = endpoint.listener
    assert listener is not None
    if member.state is State.JOINED:
        endpoint.call(request, Refused(RejectReason.ALREADY_MEMBER), now_s)
    elif listener.is_full:
        endpoint.call(request, Refused(RejectReason.BACKLOG_FULL), now_s)
    else:
        listener.add(request)
        endpoint.call(request, RequestVerified(request.request), now_s)


def refuse_all(endpoint: Endpoint, reason: RejectReason, now_s: float) -> None:
    """Refuse every request that is held back, because nobody listens any more (LI14)."""
    for request in endpoint.doubts.values():
        if request.state is State.VERIFYING:
            endpoint.call(request, Refused(reason), now_s)


@action
def hold_request(end: Membership, event: Input, now_s: float) -> None:
    """Tell the sender of a request that its old membership is being looked at."""
    assert isinstance(event, RequestDoubted)
    end.state = State.VERIFYING
    wait_for_decision(end, now_s)
    answer_poll(end, event.request, now_s)


@action
def queue_held_request(end: Membership, _event: Input, now_s: float) -> None:
    """Hold the request for WSPAccept; its sender learns that when it asks again (R37)."""
    end.enter(State.QUEUED)
    wait_for_decision(end, now_s)


@action
def verify_peer(end: Membership, _event: Input, now_s: float) -> None:
    """Probe the peer now, however lately it was heard."""
    suspect_peer(end, now_s)
