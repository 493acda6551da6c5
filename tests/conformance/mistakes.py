"""Ways to be wrong that several patches share."""

from mpwire.core import Endpoint, Membership
from mpwire.core.events import JoinFailed
from mpwire.core.membership import ACTIONS
from mpwire.core.table import State
from mpwire.vocabulary import WsaError
from mpwire.winsock import Provider
from mpwire.winsock.record import FD_CONNECT
from mpwire.winsock.sockets import Role, Socket
from mpwire.wire.messages import Reject
from mpwire.wire.registries import RejectReason
from tests.conformance.registry import MonkeyPatch, Original, wrap


def mute(patch: MonkeyPatch, role: Role) -> None:
    """Wake blocked calls but record no FD_ACCEPT on listeners of a role."""

    def wrong(original: Original, self: Provider, endpoint: Endpoint, now_s: float) -> None:
        owner = self.holders.get(endpoint.local)
        if endpoint.listener is None or owner is None or owner.role is not role:
            original(self, endpoint, now_s)
            return
        endpoint.listener.arrived = False
        if endpoint.listener.indicates:
            self.wake("accept", owner, now_s)

    wrap(patch, Provider, "indicate_request", wrong)


def connect_at_once(patch: MonkeyPatch, role: Role) -> None:
    """Record FD_CONNECT(0) as soon as a join of a role has been started."""

    def wrong(
        original: Original, self: Provider, handle: int, *others: object, **named: object
    ) -> object:
        value = original(self, handle, *others, **named)
        socket = self.sockets[handle]
        if socket.role is role and socket.pending is not None:
            self.occur(socket, FD_CONNECT)
        return value

    wrap(patch, Provider, "join_leaf", wrong)


def mistake_refusal(patch: MonkeyPatch, *, of_invitation: bool) -> None:
    """Tell a requester that was rejected that nobody answered."""
    fail_rejected = ACTIONS["fail_rejected"]

    def wrong(end: Membership, event: object, now_s: float) -> None:
        assert isinstance(event, Reject)
        if end.is_root is of_invitation and event.reason == RejectReason.APP_REFUSED:
            end.enter(State.GONE)
            end.report(JoinFailed(WsaError.WSAETIMEDOUT))
        else:
            fail_rejected(end, event, now_s)

    patch.setitem(ACTIONS, "fail_rejected", wrong)


def on_close_seen(patch: MonkeyPatch, wrong: Original) -> None:
    """Replace what happens on a socket whose membership has ended."""
    wrap(patch, Provider, "_close_seen", wrong)


def mistake_close(patch: MonkeyPatch, code: WsaError, becomes: WsaError) -> None:
    """Let FD_CLOSE carry another code than it ought to."""

    def wrong(
        original: Original, self: Provider, socket: Socket, found: WsaError, now_s: float
    ) -> None:
        original(self, socket, becomes if found is code else found, now_s)

    on_close_seen(patch, wrong)
