"""A member that asks anew: its old membership is asked before it is believed (RM42, LF32)."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from mpwire.core import Membership
from mpwire.core.events import (
    AbortRequested,
    Admitted,
    CloseRequested,
    Ended,
    RequestDoubted,
    VerificationRequested,
)
from mpwire.core.replies import OUT_OF_THE_BLUE
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.conversation import Conversation
from mpwire.testing.ends import LEAF, SESSION_ID, Counterpart, asked_root, join_request, joined_root
from mpwire.testing.playbook import sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    CancelAck,
    Challenge,
    Close,
    JoinReq,
    Message,
    Pending,
    Probe,
    Reject,
)
from mpwire.wire.registries import (
    CancelReason,
    CancelResult,
    CloseReason,
    LeafDirection,
    PendingState,
    RejectReason,
    Role,
)


@dataclass
class Doubt:
    """A member that asks anew, and what it was told."""

    talk: Conversation
    member: Membership
    request: JoinReq
    """The copy with the cookie, which was answered."""
    answers: list[Message]

    @property
    def held(self) -> Membership:
        """Return the end of the new request."""
        return self.talk.endpoint.by_peer_tag[LEAF, self.request.init_tag]

    def restarted(self) -> list[Message]:
        """Answer the last PROBE as a process does that knows nothing of the membership."""
        probes = [message for message, _ in self.talk.heard if isinstance(message, Probe)]
        return self.talk.say(OUT_OF_THE_BLUE[Probe](probes[-1]))


@pytest.fixture
def doubt(root: Conversation) -> Doubt:
    """Let a member ask anew."""
    member = root.join(0x11)
    root.reports()
    proven = root.prove(root.request(0x12))
    return Doubt(root, member, proven, root.say(proven))


def listed(talk: Conversation) -> list[Membership]:
    """Return the requests in the queue."""
    assert talk.endpoint.listener is not None
    return [entry.membership for entry in talk.endpoint.listener.entries if entry.gone is None]


# What it is told, and what becomes of it ------------------------------------------------------


def test_a_member_that_asks_anew_is_held_and_probed(doubt: Doubt) -> None:
    pending, probe = doubt.answers
    assert isinstance(pending, Pending)
    assert isinstance(probe, Probe)
    assert (pending.state, pending.destination_tag) == (PendingState.VERIFYING, 0x12)
    assert probe.destination_tag == 0x11
    assert doubt.talk.reports() == []
    assert listed(doubt.talk) == []


def test_a_restarted_peer_ends_its_old_membership_and_is_queued(doubt: Doubt) -> None:
    """Without a second PENDING: that answers a copy, and none has come (R37)."""
    assert doubt.restarted() == []
    assert doubt.talk.reports() == [Ended(WsaError.WSAECONNRESET)]
    assert listed(doubt.talk) == [doubt.held]
    (pending,) = doubt.talk.say(replace(doubt.request, attempt=3))
    assert isinstance(pending, Pending)
    assert pending.state == PendingState.QUEUED
    doubt.talk.decide(doubt.held, Admitted(None))
    assert doubt.held.state is State.ACCEPTING


def test_a_peer_that_lives_is_refused(doubt: Doubt) -> None:
    (refusal,) = doubt.talk.say(Counterpart(doubt.member, tag=0x11).probe_ack())
    assert isinstance(refusal, Reject)
    assert (refusal.reason, refusal.destination_tag) == (RejectReason.ALREADY_MEMBER, 0x12)
    assert doubt.member.state is State.JOINED
    (again,) = doubt.talk.say(replace(doubt.request, attempt=3))
    assert isinstance(again, Reject)


def test_a_peer_that_says_nothing_is_dead_after_four_probes(doubt: Doubt) -> None:
    while doubt.member.state is State.SUSPECT:
        doubt.talk.now_s = doubt.talk.endpoint.next_timer_s() or 0.0
        doubt.talk.endpoint.expire_timers(doubt.talk.now_s)
    assert 13 < doubt.talk.now_s < 17
    assert doubt.talk.reports() == [Ended(WsaError.WSAECONNABORTED)]
    assert listed(doubt.talk) == [doubt.held]


def test_polls_are_answered_meanwhile(doubt: Doubt) -> None:
    for attempt in (3, 4):
        (pending,) = doubt.talk.say(replace(doubt.request, attempt=attempt))
        assert isinstance(pending, Pending)
        assert (pending.state, pending.attempt) == (PendingState.VERIFYING, attempt)


# What may happen meanwhile --------------------------------------------------------------------


def test_a_held_request_can_be_cancelled(doubt: Doubt) -> None:
    cancel = Counterpart(doubt.held, tag=0x12).cancel(reason=CancelReason.WITHDRAWN)
    (answer,) = doubt.talk.say(cancel)
    assert isinstance(answer, CancelAck)
    assert answer.result == CancelResult.DONE
    doubt.restarted()
    assert listed(doubt.talk) == []
    assert doubt.talk.endpoint.doubts == {}


def test_a_newer_attempt_takes_the_place_of_the_held_one(doubt: Doubt) -> None:
    newer = doubt.talk.prove(doubt.talk.request(0x13))
    (pending,) = doubt.talk.say(newer)
    assert isinstance(pending, Pending)
    assert pending.state == PendingState.VERIFYING
    doubt.restarted()
    assert [one.request.init_tag for one in listed(doubt.talk)] == [0x13]


def test_there_may_be_no_room_any_more(doubt: Doubt) -> None:
    for number in range(2):
        doubt.talk.queue(0x20 + number, (LEAF[0], 7000 + number))
    (refusal,) = doubt.restarted()
    assert isinstance(refusal, Reject)
    assert refusal.reason == RejectReason.BACKLOG_FULL


def test_nobody_may_listen_any_more(doubt: Doubt) -> None:
    """The answer is the session's, whatever the old membership says after that."""
    doubt.talk.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    (refusal,) = doubt.talk.answers()
    assert isinstance(refusal, Reject)
    assert refusal.reason == RejectReason.SESSION_CLOSING
    doubt.talk.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    assert doubt.restarted() == []
    assert doubt.talk.endpoint.by_tag == {}


def test_requests_that_ended_are_not_refused_again(doubt: Doubt) -> None:
    doubt.talk.say(Counterpart(doubt.held, tag=0x12).abort())
    doubt.talk.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    assert doubt.talk.answers() == []


def test_the_old_membership_may_be_ended_here(doubt: Doubt) -> None:
    doubt.talk.endpoint.call(doubt.member, AbortRequested(), 0.0)
    assert listed(doubt.talk) == [doubt.held]


# In other states of the old membership --------------------------------------------------------


def asks_anew(talk: Conversation) -> list[Message]:
    """Let LEAF ask with a new tag and prove itself."""
    return talk.say(talk.prove(talk.request(0x12)))


def kinds(messages: list[Message]) -> list[type[Message]]:
    """Return the types of messages."""
    return [type(message) for message in messages]


def test_an_acceptance_that_is_not_confirmed_finds_out_by_itself(root: Conversation) -> None:
    old = root.queue(0x11)
    root.decide(old, Admitted(None))
    assert kinds(asks_anew(root)) == [Pending]
    root.say(Counterpart(old, tag=0x11).abort())
    assert [one.request.init_tag for one in listed(root)] == [0x12]


def test_an_acceptance_that_is_confirmed_after_all_refuses(root: Conversation) -> None:
    old = root.queue(0x11)
    root.decide(old, Admitted(None))
    asks_anew(root)
    assert kinds(root.say(Counterpart(old, tag=0x11).confirm())) == [Reject]


def test_a_membership_that_is_being_closed_finds_out_by_itself(root: Conversation) -> None:
    old = root.join(0x11)
    root.endpoint.call(old, CloseRequested(CloseReason.EXPEL), 0.0)
    assert kinds(root.answers()) == [Close]
    assert kinds(asks_anew(root)) == [Pending]
    assert kinds(root.say(Counterpart(old, tag=0x11).close_ack())) == []
    assert old.state is State.LINGERING
    assert [one.request.init_tag for one in listed(root)] == [0x12]


def test_a_suspected_member_is_not_probed_twice(root: Conversation) -> None:
    old = root.join(0x11)
    root.endpoint.call(old, VerificationRequested(), 0.0)
    root.answers()
    assert kinds(asks_anew(root)) == [Pending]


def test_the_d_root_may_restart_and_be_it_again(root: Conversation) -> None:
    """K11: its own past is no second d_root; anybody else's is, held back or not."""
    session = root.endpoint.session
    assert session is not None
    session.awaits_d_root = True
    d_root = LeafDirection.SEND | LeafDirection.RECEIVE | LeafDirection.D_ROOT
    root.say(root.prove(root.request(0x11, leaf_dir=d_root)))
    old = listed(root)[0]
    root.decide(old, Admitted(None))
    root.say(Counterpart(old, tag=0x11).confirm())
    anew = root.prove(root.request(0x12, leaf_dir=d_root))
    assert kinds(root.say(anew)) == [Pending, Probe]
    root.endpoint.call(old, AbortRequested(), 0.0)
    root.answers()
    other = (LEAF[0], LEAF[1] + 1)
    (refusal,) = root.say(root.prove(root.request(0x13, leaf_dir=d_root), other), other)
    assert isinstance(refusal, Reject)
    assert refusal.reason == RejectReason.DIRECTION
    assert [one.request.init_tag for one in listed(root)] == [0x12]


# Nobody listens -------------------------------------------------------------------------------


def test_a_member_that_asks_where_nobody_listens_is_refused_and_probed(
    root: Conversation,
) -> None:
    """LF32: no cookie is needed for a no, and none to look after what is ours."""
    old = root.join(0x11)
    root.endpoint.listener = None
    assert kinds(root.say(root.request(0x12))) == [Reject, Probe]
    assert kinds(root.say(root.request(0x13))) == [Reject]
    assert old.state is State.SUSPECT


def test_a_root_that_restarted_is_refused_by_a_leaf_that_does_not_listen(
    leaf: Conversation,
) -> None:
    """LF32: its invitation names another session."""
    member = leaf.join(0x11)
    leaf.endpoint.listener = None
    leaf.reports()
    anew = join_request(Role.C_ROOT, 0x12, session_id=SESSION_ID + 1)
    refusal, probe = leaf.say(anew)
    assert isinstance(refusal, Reject)
    assert isinstance(probe, Probe)
    assert leaf.say(OUT_OF_THE_BLUE[Probe](probe)) == []
    assert leaf.reports() == [Ended(WsaError.WSAECONNRESET)]
    assert member.state is State.GONE
    assert not isinstance(leaf.say(anew)[0], Challenge)


# The machine ----------------------------------------------------------------------------------


def test_verification_probes_at_once_however_lately_the_peer_was_heard() -> None:
    play, peer = joined_root()
    play.advance(1.0)
    play.feed(VerificationRequested()).expect(sent(Probe, attempt=1))
    play.expire(TimerName.RETRANSMIT).expect(sent(Probe, attempt=2))
    play.feed(peer.probe_ack())
    assert peer.end.state is State.JOINED
    assert set(play.timers) == {TimerName.KEEPALIVE}


def test_a_held_request_expires_after_its_sender_gave_up() -> None:
    play, peer = asked_root()
    peer.end.state = State.NEW
    play.feed(RequestDoubted(peer.end.request))
    play.expect(sent(Pending, state=PendingState.VERIFYING))
    play.expire(TimerName.LIMIT).expect(sent(Reject, reason=RejectReason.EXPIRED))
    play.unclaimed.clear()
    assert play.now_s == 190.0
