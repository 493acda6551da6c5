"""Patches of joining and of ending: drafts that were refuted, and mutants; all are `PATCHES`."""

from typing import Any

from mpwire.core import Endpoint, Membership, membership, restarting, table
from mpwire.core.address import Address
from mpwire.core.admission import Admission, Tombstones
from mpwire.core.events import Admitted, Ended, Input, Joined, RequestFolded, TimerExpired
from mpwire.core.kinds import Kind
from mpwire.core.listener import Listener
from mpwire.core.table import Row, State
from mpwire.core.timers import TimerName
from mpwire.testing.exploration import patches_of_data
from mpwire.testing.exploration.invariants import Invariant
from mpwire.testing.exploration.patching import PATCHES, Swap, patch, patched
from mpwire.vocabulary import WsaError
from mpwire.winsock.reactions import Reactions
from mpwire.winsock.record import FD_CLOSE, FD_CONNECT, EventRecord, Phase
from mpwire.wire.messages import Abort, Accept, JoinReq, Message, Reject

# Drafts that were refuted (docs/protocol.md 9.6), switched back in --------------------------------


@patch("calm-glare", Invariant.CAUSE)
def draft_resume_folded(swap: Swap) -> None:
    """Let a leaf resume its folded request, without a word, when nobody confirms its ACCEPT."""

    def give_up(end: Membership, _event: Input, now_s: float) -> None:
        last = end.outstanding
        assert isinstance(last, Accept)
        if last.attempt < end.plan.retransmissions:
            end.send_copy(now_s)
        else:
            end.enter(State.GONE)

    call = Endpoint.call

    def resume(self: Endpoint, end: Membership, event: Input, now_s: float) -> None:
        was_crossed = end.state is State.CROSSED
        call(self, end, event, now_s)
        if not was_crossed or end.state is State.CROSSED:
            return
        timed_out = end.state is State.GONE and isinstance(event, TimerExpired)
        folded = [one for one in self.by_peer.get(end.peer, ()) if one.state is State.FOLDED]
        for twin in folded:
            if timed_out:
                assert isinstance(twin.outstanding, JoinReq)
                self.reports.append((twin, RequestFolded(end)))
                twin.state = State.PROVING if twin.outstanding.cookie else State.ASKING
            timer = TimerName.RETRANSMIT if timed_out else TimerName.LIMIT
            call(self, twin, TimerExpired(timer), now_s)

    def fold(end: Membership, _event: Input, _now_s: float) -> None:
        end.enter(State.FOLDED)

    swap.entry(membership.ACTIONS, "fold_request", fold)
    swap.entry(membership.ACTIONS, "repeat_crossed", give_up)
    swap.attribute(Endpoint, "call", resume)


@patch("glare-listening-plain", Invariant.ONE_MEMBERSHIP)
def draft_no_parking(swap: Swap) -> None:
    """Let a root accept a request in its queue though it is inviting that very leaf."""

    def leave_visible(_self: Listener, _leaf: Address | None) -> None:
        return

    swap.attribute(Listener, "park", leave_visible)


@patch("glare-dead-acceptance", Invariant.ONE_MEMBERSHIP)
def draft_late_accept_wins(swap: Swap) -> None:
    """Let an ACCEPT of the folded request override the invitation that it was folded into."""
    row = Row("confirm_join", (State.JOINED, State.GONE), "draft")
    swap.entry(table.TRANSITIONS, (State.FOLDED, Kind.IN_ACCEPT), row)


# Mutants: a rule of ours, left out ----------------------------------------------------------------


def _forget_what_was_told(swap: Swap, event: object) -> None:
    """Let a record take an event anew as soon as it has been read."""
    enumerate_ = EventRecord.enumerate

    def forgetful(self: EventRecord) -> list[tuple[Any, WsaError]]:
        found = enumerate_(self)
        for told, _ in found:
            if told is event:
                self.enter(told, Phase.IDLE)
        return found

    swap.attribute(EventRecord, "enumerate", forgetful)


@patch("joined-leave", Invariant.ONE_CLOSE)
def end_at_every_close(swap: Swap) -> None:
    """Report the end of a membership for every copy of CLOSE, believe it, and record it."""
    acknowledge = membership.ACTIONS["acknowledge_close"]

    def eager(end: Membership, event: Input, now_s: float) -> None:
        acknowledge(end, event, now_s)
        end.report(Ended(WsaError.SUCCESS))

    def gullible(
        self: Reactions, _endpoint: Endpoint, gone: Membership, code: WsaError, now_s: float
    ) -> None:
        socket = self.owners.get(gone)
        if socket is not None:
            self._close_seen(socket, code, now_s)

    swap.entry(membership.ACTIONS, "acknowledge_close", eager)
    swap.attribute(Reactions, "_ended", gullible)
    _forget_what_was_told(swap, FD_CLOSE)


@patch("root-accept", Invariant.ONE_CONNECT)
def join_at_every_accept(swap: Swap) -> None:
    """Report the join again for every copy of ACCEPT, believe it, and record it."""
    confirm = membership.ACTIONS["confirm_again"]

    def eager(end: Membership, event: Input, now_s: float) -> None:
        confirm(end, event, now_s)
        end.report(Joined())

    joined = Reactions._joined

    def gullible(
        self: Reactions, endpoint: Endpoint, end: Membership, callee_data: bytes, now_s: float
    ) -> None:
        joined(self, endpoint, end, callee_data, now_s)
        socket = self.owners[end]
        self.occur(socket.parent or socket, FD_CONNECT)

    swap.entry(membership.ACTIONS, "confirm_again", eager)
    swap.attribute(Reactions, "_joined", gullible)
    _forget_what_was_told(swap, FD_CONNECT)


@patch("leaf-retry", Invariant.ONE_ENTRY)
def forget_requests(swap: Swap) -> None:
    """Keep no tombstones (correction K6)."""

    def find(
        _self: Tombstones, _source: Address, _request: JoinReq, _now_s: float
    ) -> tuple[Reject | None] | None:
        return None

    swap.attribute(Tombstones, "find", find)


@patch("leaf-again", Invariant.CAUSE)
def believe_every_abort(swap: Swap) -> None:
    """Take an ABORT from the peer's address for one's own, whatever its tag."""
    addressee = Endpoint._addressee

    def credulous(self: Endpoint, message: Message, source: Address) -> Membership | None:
        if isinstance(message, Abort) and self.by_peer.get(source):
            return self.by_peer[source][-1]
        return addressee(self, message, source)

    swap.attribute(Endpoint, "_addressee", credulous)


@patch("leaf-accept", Invariant.CONSENT)
def accept_unasked(swap: Swap) -> None:
    """Accept every request that is queued, without asking the application."""
    consider = Admission._consider_new

    def generous(
        self: Admission, request: JoinReq, source: Address, destination: Address, now_s: float
    ) -> None:
        consider(self, request, source, destination, now_s)
        queued = self.endpoint.by_peer_tag.get((source, request.init_tag))
        if queued is not None:
            self.endpoint.call(queued, Admitted(None), now_s)

    swap.attribute(Admission, "_consider_new", generous)


@patch("joined-leaf-restart", Invariant.ONE_MEMBERSHIP)
def admit_members_again(swap: Swap) -> None:
    """Queue a request from an address that has a live membership (rule R52)."""

    def nobody(_endpoint: Endpoint, _source: Address) -> Membership | None:
        return None

    swap.attribute(restarting, "live_member", nobody)


@patch("joined-leaf-crash", Invariant.NO_HALF_OPEN)
def never_probe(swap: Swap) -> None:
    """Never look whether the peer is still there."""

    def blind(_self: Membership, _from_s: float) -> None:
        return

    swap.attribute(Membership, "watch_peer", blind)


@patch("joined-root-crash", Invariant.TERMINATION)
def repeat_for_ever(swap: Swap) -> None:
    """Repeat CLOSE without counting the copies."""

    def tireless(end: Membership, _event: Input, now_s: float) -> None:
        assert end.outstanding is not None
        end.send_request(end.outstanding, now_s)

    swap.entry(membership.ACTIONS, "repeat_close", tireless)


__all__ = ["PATCHES", "patched", "patches_of_data"]
