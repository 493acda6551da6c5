"""Crossed joins: a leaf asks its root while the root invites that very leaf (protocol.md 9.6).

The invitation prevails, once and for all. Three rules make that safe, and each has one place, so
that what an older draft did instead can be put back there and be refuted again:

- a folded request is never taken up again: `repeat_crossed` ends the join, `State.FOLDED` has no
  way back to ASKING;
- an ACCEPT of the folded request comes too late: its row in the table is `abort_acceptance`;
- a root that invites a leaf parks what that leaf has in its queue: `Listener.park`.

Two ends of the machine take part at the leaf. The request ends FOLDED and only tells late
acceptances so; the invitation begins CROSSED and, being the leaf's join now, reports Joined or
JoinFailed for it. Which socket stands for it changes with the report RequestFolded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpwire.core.answering import (
    accept,
    close_when_settled,
    confirm_cancel,
    repeat_until_confirmed,
    settle_by_confirm,
)
from mpwire.core.events import (
    CloseRequested,
    Input,
    JoinFailed,
    RequestCrossed,
    RequestFolded,
)
from mpwire.core.membership import REQUESTING, Membership, action
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Cancel, Confirm
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import CancelResult, CloseReason, Role

if TYPE_CHECKING:
    from mpwire.core.address import Address
    from mpwire.core.endpoint import Endpoint
    from mpwire.wire.messages import JoinReq


def is_invited(endpoint: Endpoint, request: JoinReq, source: Address) -> bool:
    """Tell whether a leaf asks a root whose invitation of that very leaf is outstanding (RM10)."""
    session = endpoint.session
    return (
        session is not None
        and session.invitation is not None
        and session.invitation.peer == source
        and request.role == Role.C_LEAF_TO_ROOT
    )


def crossed_request(
    endpoint: Endpoint, request: JoinReq, source: Address, destination: Address
) -> Membership | None:
    """Return the outstanding request of this leaf to the root that invites it now (LF10)."""
    if endpoint.session is not None or request.role != Role.C_ROOT:
        return None
    asked = (
        own
        for own in endpoint.by_peer.get(source, ())
        if own.state in REQUESTING and own.local == destination
    )
    return next(asked, None)


def fold(endpoint: Endpoint, own: Membership, request: JoinReq, now_s: float) -> None:
    """Give our own request up for the invitation, and accept that at once (LF10)."""
    crossing = RequestCrossed(request)
    endpoint.call(own, crossing, now_s)
    invitation = endpoint.new_membership(own.local, own.peer, request, initiator=False)
    endpoint.reports.append((invitation, RequestFolded(own)))
    endpoint.call(invitation, crossing, now_s)


@action
def fold_request(end: Membership, _event: Input, now_s: float) -> None:
    """Send no more copies; stay only to tell a late acceptance so (LF13)."""
    end.enter(State.FOLDED)
    end.set_timer(TimerName.LIMIT, now_s + end.plan.linger_s)


@action
def accept_crossing(end: Membership, _event: Input, now_s: float) -> None:
    """Accept the invitation with flag X, because this leaf wants the same."""
    accept(end, now_s, State.CROSSED, flags=HeaderFlag.X)


@action
def settle_crossed(end: Membership, event: Input, now_s: float) -> None:
    """Become a member: the root has confirmed its invitation."""
    assert isinstance(event, Confirm)
    if not settle_by_confirm(end, event, now_s):
        _fail(end, WsaError.WSAECONNREFUSED)


@action
def repeat_crossed(end: Membership, _event: Input, now_s: float) -> None:
    """Repeat ACCEPT by the RTO law; after MRC copies the join has timed out (LF12)."""
    if not repeat_until_confirmed(end, now_s):
        _fail(end, WsaError.WSAETIMEDOUT)


@action
def undo_crossed(end: Membership, event: Input, _now_s: float) -> None:
    """Fail the join because the root has withdrawn its invitation (LF12)."""
    assert isinstance(event, Cancel)
    confirm_cancel(end, event, CancelResult.WAS_JOINED)
    end.enter(State.GONE)
    _fail(end, WsaError.WSAECONNREFUSED)


@action
def refuse_crossed(end: Membership, _event: Input, _now_s: float) -> None:
    """Fail the join because the root has aborted it, or knows nothing of it (LF12)."""
    end.enter(State.GONE)
    _fail(end, WsaError.WSAECONNREFUSED)


@action
def leave_when_settled(end: Membership, _event: Input, now_s: float) -> None:
    """Leave as soon as the root has confirmed: our ACCEPT is out, a CANCEL is not ours to send."""
    close_when_settled(end, CloseRequested(CloseReason.LEAVE), now_s)


def _fail(end: Membership, code: WsaError) -> None:
    """Report the failure, unless the handle was closed and nobody is to be told (D21)."""
    if end.pending_close is None:
        end.report(JoinFailed(code))
