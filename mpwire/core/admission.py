"""What becomes of a JOIN_REQ: challenged, refused, queued, answered as before (protocol.md 9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from mpwire.core import crossing, replies, restarting
from mpwire.core.address import Address
from mpwire.core.events import RequestVerified, Superseded
from mpwire.core.table import State
from mpwire.wire.codec import unknown_mandatory
from mpwire.wire.numbers import MIN_PAYLOAD_OCTETS
from mpwire.wire.registries import JoinFlags, LeafDirection, RejectReason, Role

if TYPE_CHECKING:
    from mpwire.core.endpoint import Endpoint
    from mpwire.core.membership import Membership
    from mpwire.wire.messages import JoinReq, Reject


MAXIMUM_TOMBSTONES: Final = 16_384
"""Ended requests remembered by one endpoint, some 10 MB of them."""


@dataclass(slots=True)
class Tombstones:
    """Remember requests that have ended, so that no late copy brings them back (9.3).

    Of too many the oldest is forgotten. Its copies carry cookies from before it was buried, and so
    those are not to be taken any more: the more requests end, the shorter cookies live.
    """

    life_s: float
    answers: dict[tuple[Address, int], tuple[float, Reject | None]] = field(default_factory=dict)
    """(burial in seconds, REJECT or silence) by source and InitTag, oldest first."""
    forgotten_s: float | None = None
    """When the youngest was buried of those that had to go before their time."""

    def bury(self, source: Address, request: JoinReq, answer: Reject | None, now_s: float) -> None:
        """Remember how a request ended."""
        self._expire(now_s)
        self.answers[source, request.init_tag] = (now_s, answer)
        if len(self.answers) > MAXIMUM_TOMBSTONES:
            self.forgotten_s, _ = self.answers.pop(next(iter(self.answers)))

    def find(self, source: Address, request: JoinReq, now_s: float) -> tuple[Reject | None] | None:
        """Return the last answer of an ended request, in a tuple, or None if it never was."""
        self._expire(now_s)
        grave = self.answers.get((source, request.init_tag))
        return None if grave is None else (grave[1],)

    def _expire(self, now_s: float) -> None:
        while self.answers:
            oldest = next(iter(self.answers))
            if self.answers[oldest][0] + self.life_s > now_s:
                return
            del self.answers[oldest]


@dataclass(slots=True)
class Admission:
    """Consider one JOIN_REQ that arrived at an endpoint."""

    endpoint: Endpoint

    def consider(
        self, request: JoinReq, source: Address, destination: Address, now_s: float
    ) -> None:
        """Take the request through every check, from the cheapest to the one that keeps state.

        An attempt that was heard of before gets no answer but its own, whether anybody still
        listens or not (R38). Neither does it take a listener to cross a request (9.6).
        """
        endpoint = self.endpoint
        known = self._known(request, source)
        grave = endpoint.tombstones.find(source, request, now_s)
        invited = crossing.is_invited(endpoint, request, source)
        crossed = crossing.crossed_request(endpoint, request, source, destination)
        heard_of = known is not None or grave is not None
        if endpoint.listener is None and not (heard_of or invited or crossed is not None):
            self._refuse_unproven(request, source, destination, now_s)
        elif not endpoint.cookies.proves(request, source, destination, now_s):
            cookie = endpoint.cookies.issue(request, source, destination, now_s)
            answer = replies.challenge(request, cookie, endpoint.cookies.life_s)
            endpoint.send(answer, destination, source)
        elif invited:
            endpoint.drop("JOIN_REQ from a leaf that is being invited", "RM10 RM16")
        elif known is not None:
            endpoint.call(known, request, now_s)
        elif grave is not None:
            self._answer_again(request, grave[0], source, destination)
        elif crossed is not None:
            self._fold(crossed, request, source, destination, now_s)
        else:
            self._consider_new(request, source, destination, now_s)

    def _refuse_unproven(
        self, request: JoinReq, source: Address, destination: Address, now_s: float
    ) -> None:
        """Refuse whoever asks while nobody listens; no cookie is needed for a no (R35).

        A member that asks may have forgotten that it is one (LF32).
        """
        if not self.endpoint.refusals.admits(source, now_s):
            self.endpoint.drop("JOIN_REQ while nobody listens, too many", "R104")
            return
        closing = RejectReason.SESSION_CLOSING
        reason = closing if self._is_ending else RejectReason.NOT_LISTENING
        self.endpoint.send(replies.reject(request, reason), destination, source)
        member = restarting.live_member(self.endpoint, source)
        if member is not None:
            restarting.verify(self.endpoint, member, now_s)

    @property
    def _is_ending(self) -> bool:
        session = self.endpoint.session
        return session is not None and session.is_ending

    def _known(self, request: JoinReq, source: Address) -> Membership | None:
        """Return the membership that this very attempt has led to, if it still exists."""
        membership = self.endpoint.by_peer_tag.get((source, request.init_tag))
        return None if membership is None or membership.initiator else membership

    def _answer_again(
        self, request: JoinReq, answer: Reject | None, source: Address, destination: Address
    ) -> None:
        """Repeat the answer to an attempt that has ended, unless the session has too (R48)."""
        if answer is None or (self._is_ending and answer.reason != RejectReason.SESSION_CLOSING):
            self.endpoint.drop("copy of a request that has ended", "9.3")
        else:
            again = replace(answer, attempt=request.attempt)
            self.endpoint.send(again, destination, source)

    def _consider_new(
        self, request: JoinReq, source: Address, destination: Address, now_s: float
    ) -> None:
        """Queue or refuse a proven attempt; it ends an older one of the same socket (R29)."""
        endpoint = self.endpoint
        assert endpoint.listener is not None
        for older in [*endpoint.by_peer.get(source, ())]:
            if older.state in {State.VERIFYING, State.QUEUED}:
                endpoint.call(older, Superseded(), now_s)
        reason = self._objection(request, source)
        if reason is not None:
            self._refuse(request, reason, source, destination, now_s)
            return
        member = restarting.live_member(endpoint, source)
        membership = endpoint.new_membership(destination, source, request, initiator=False)
        if member is None:
            endpoint.listener.add(membership)
            endpoint.call(membership, RequestVerified(request), now_s)
        else:
            restarting.hold(endpoint, membership, member, now_s)

    def _fold(
        self,
        crossed: Membership,
        request: JoinReq,
        source: Address,
        destination: Address,
        now_s: float,
    ) -> None:
        """Let an invitation prevail over our own request, unless it is one to refuse (LF10).

        Nobody is invited to be the d_root: who wants to be that gets it by asking (K11).
        """
        reason = self._misfit(request, Role.C_ROOT, source)
        if reason is None and crossed.is_d_root:
            reason = RejectReason.DIRECTION
        if reason is None:
            crossing.fold(self.endpoint, crossed, request, now_s)
        else:
            self._refuse(request, reason, source, destination, now_s)

    def _objection(self, request: JoinReq, source: Address) -> RejectReason | None:
        """Return why a proven request is refused at once, or None."""
        endpoint = self.endpoint
        assert endpoint.listener is not None
        reason = self._misfit(request, endpoint.listener.role, source)
        if reason is not None:
            return reason
        if endpoint.listener.is_full:
            return RejectReason.BACKLOG_FULL
        return None

    def _misfit(self, request: JoinReq, role: Role, source: Address) -> RejectReason | None:
        """Return what in a request does not fit this endpoint and this role, or None."""
        session = self.endpoint.session
        if unknown_mandatory(request):
            return RejectReason.UNSUPPORTED_TLV
        if request.role != role or request.planes != self.endpoint.profile.planes:
            return RejectReason.WRONG_ROLE
        if session is not None and request.session_id not in {0, session.facts.session_id}:
            return RejectReason.NO_SUCH_SESSION
        if session is None and request.session_id == 0:
            return RejectReason.NO_SUCH_SESSION
        if not _directions_agree(request):
            return RejectReason.DIRECTION
        if request.max_payload < MIN_PAYLOAD_OCTETS:
            return RejectReason.NO_RESOURCES
        if request.leaf_dir & LeafDirection.D_ROOT and self._has_d_root(source):
            return RejectReason.DIRECTION
        if self.endpoint.profile.one_way and request.leaf_dir & LeafDirection.SEND:
            return RejectReason.DIRECTION
        if self._asks_too_much(request):
            return RejectReason.QOS_UNAVAILABLE
        return None

    def _has_d_root(self, source: Address) -> bool:
        """Tell whether nobody at `source` can be the d_root (K11, D35).

        Requests that wait count too; what the source itself once was does not, for before it is
        admitted anew that is dead (9.7).
        """
        session = self.endpoint.session
        if session is None or not session.awaits_d_root:
            return True
        return any(
            member.is_d_root
            and member.peer != source
            and (member.is_live or member.state in {State.VERIFYING, State.QUEUED})
            for member in self.endpoint.by_tag.values()
        )

    def _asks_too_much(self, request: JoinReq) -> bool:
        """Tell whether the flow specification is beyond what our network carries (W17)."""
        capacity = self.endpoint.capacity_octets_per_s
        if request.qos is None or capacity is None:
            return False
        return max(request.qos.sending_octets_per_s, request.qos.receiving_octets_per_s) > capacity

    def _refuse(
        self,
        request: JoinReq,
        reason: RejectReason,
        source: Address,
        destination: Address,
        now_s: float,
    ) -> None:
        """Refuse a proven request and remember that it was refused."""
        unknown = None
        if reason is RejectReason.UNSUPPORTED_TLV:
            unknown = unknown_mandatory(request)[:16]
        answer = replies.reject(request, reason, unknown)
        self.endpoint.bury(source, request, answer, now_s)
        self.endpoint.send(answer, destination, source)


def _directions_agree(request: JoinReq) -> bool:
    """Tell whether JL, which speaks of the asking socket, and LeafDir say the same (R30)."""
    sends = bool(request.leaf_dir & LeafDirection.SEND)
    receives = bool(request.leaf_dir & LeafDirection.RECEIVE)
    if request.role == Role.C_ROOT:
        sends, receives = receives, sends
    return (sends, receives) == (
        request.jl != JoinFlags.RECEIVER_ONLY,
        request.jl != JoinFlags.SENDER_ONLY,
    )
