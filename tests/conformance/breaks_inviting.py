"""Break W33 to W38: the root invites."""

from mpwire.core import Membership
from mpwire.core.admission import Admission
from mpwire.core.listener import Listener
from mpwire.core.membership import ACTIONS
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider
from mpwire.winsock.sockets import Role
from mpwire.wire.messages import JoinReq
from mpwire.wire.registries import RejectReason
from mpwire.wire.registries import Role as WireRole
from tests.conformance.mistakes import connect_at_once, mistake_refusal, mute
from tests.conformance.registry import MonkeyPatch, Original, breaks, mistake, wrap

BACKLOG = 5


# E. The root invites --------------------------------------------------------------------------


@breaks(33)
def leaf_listens_as_soon_as_it_is_bound(patch: MonkeyPatch) -> None:
    """A bound c_leaf can be invited without having called WSPListen."""

    def wrong(original: Original, self: Provider, handle: int, *others: object) -> None:
        original(self, handle, *others)
        endpoint = self.sockets[handle].endpoint
        if endpoint is not None and self.sockets[handle].role is Role.LEAF:
            endpoint.listener = Listener(WireRole.C_ROOT, BACKLOG)

    wrap(patch, Provider, "bind", wrong)


@breaks(34)
def invitation_is_not_indicated(patch: MonkeyPatch) -> None:
    """An invitation waits at L without FD_ACCEPT."""
    mute(patch, Role.LEAF)


@breaks(35)
def root_is_told_before_the_leaf_agrees(patch: MonkeyPatch) -> None:
    """R gets FD_CONNECT(0) when its invitation leaves, not when the leaf has accepted."""
    connect_at_once(patch, Role.ROOT)


@breaks(36)
def refused_invitation_seems_unanswered(patch: MonkeyPatch) -> None:
    """R gets FD_CONNECT(ETIMEDOUT) when the leaf's condition function rejects."""
    mistake_refusal(patch, of_invitation=True)


@breaks(36)
def refusing_leaf_fails_otherwise(patch: MonkeyPatch) -> None:
    """WSPAccept with CF_REJECT fails with EACCES."""
    mistake(patch, Provider, "_decide", WsaError.WSAECONNREFUSED, becomes=WsaError.WSAEACCES)


@breaks(37)
def unanswered_join_never_ends(patch: MonkeyPatch) -> None:
    """A join that nobody answers stays outstanding for ever."""

    def wrong(
        original: Original, self: Provider, endpoint: object, end: Membership, code: WsaError
    ) -> None:
        if code is not WsaError.WSAETIMEDOUT:
            original(self, endpoint, end, code)

    wrap(patch, Provider, "_join_failed", wrong)


@breaks(37)
def no_route_seems_no_answer(patch: MonkeyPatch) -> None:
    """A join without a route to the other end fails with ETIMEDOUT in the end."""
    patch.setitem(ACTIONS, "note_unreachable", lambda *_: None)


@breaks(37)
@breaks(101)
def backlog_has_no_end(patch: MonkeyPatch) -> None:
    """Requests beyond the backlog are queued."""
    patch.setattr(Listener, "is_full", property(lambda _: False))


@breaks(38)
def listening_leaf_admits_anybody(patch: MonkeyPatch) -> None:
    """A listening c_leaf queues requests that are no invitations."""

    def wrong(
        original: Original, self: Admission, request: JoinReq, *others: object
    ) -> RejectReason | None:
        reason: RejectReason | None = original(self, request, *others)
        wrong_role = reason in {RejectReason.WRONG_ROLE, RejectReason.NO_SUCH_SESSION}
        return None if wrong_role and self.endpoint.session is None else reason

    wrap(patch, Admission, "_objection", wrong)
