"""A leaf asks while its root invites it: the invitation prevails (protocol.md 9.6)."""

import pytest
from msgspec.structs import replace

from mpwire.core.events import (
    DataReceived,
    Ended,
    Joined,
    JoinFailed,
    RequestCrossed,
    RequestFolded,
    Withdrawn,
)
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.conversation import Conversation
from mpwire.testing.ends import (
    DESCRIPTION,
    LEAF,
    LEAF_ID,
    PEER_SEQ,
    ROOT,
    Counterpart,
    asking_leaf,
    invited_leaf,
    join_request,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    CloseAck,
    Confirm,
    JoinReq,
    Message,
    Reject,
)
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import (
    AbortReason,
    CancelResult,
    CloseReason,
    LeafDirection,
    RejectReason,
    Role,
)

ELSEWHERE = ("10.0.0.3", 61717)


# The leaf's endpoint --------------------------------------------------------------------------


def asking(leaf: Conversation) -> Counterpart:
    """Let a leaf that does not listen ask its root; return what speaks for the root."""
    leaf.endpoint.listener = None
    request = join_request(Role.C_LEAF_TO_ROOT, 0xA, next_data_seq=100)
    peer = Counterpart(leaf.endpoint.join(LEAF, ROOT, request, leaf.now_s))
    leaf.answers()
    return peer


def only(messages: list[Message]) -> Message:
    """Return the one message there is."""
    (message,) = messages
    return message


def challenged(leaf: Conversation, request: JoinReq) -> bool:
    """Tell whether a request without a cookie is challenged, else refused."""
    return isinstance(only(leaf.say(request)), Challenge)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_leaf_that_asks_accepts_the_invitation_of_its_root(
    leaf: Conversation, steps: int
) -> None:
    """LF10, K9: without a listener, without FD_ACCEPT, in every stage of its own request."""
    peer = asking(leaf)
    for message in (peer.challenge, peer.pending)[:steps]:
        leaf.say(message())
    answer = only(leaf.say(leaf.prove(leaf.request(0x11))))
    assert isinstance(answer, Accept)
    assert (answer.flags, answer.destination_tag) == (HeaderFlag.X, 0x11)
    invitation = leaf.endpoint.by_peer_tag[ROOT, 0x11]
    assert (peer.end.state, invitation.state) == (State.FOLDED, State.CROSSED)
    assert leaf.reports() == [RequestFolded(peer.end)]


def test_a_folded_request_is_not_repeated_and_its_acceptance_is_aborted(
    leaf: Conversation,
) -> None:
    """LF13, R51: and in the end there is nothing left of it."""
    peer = asking(leaf)
    acceptance = peer.accept(resp_tag=0xDEAD)
    leaf.say(leaf.prove(leaf.request(0x11)))
    for message in (peer.challenge(), peer.pending(), peer.reject(1), peer.abort()):
        assert leaf.say(message) == []
    abort = only(leaf.say(acceptance))
    assert isinstance(abort, Abort)
    assert (abort.destination_tag, abort.reason) == (0xDEAD, AbortReason.NO_CONFIRM)
    leaf.endpoint.expire_timers(3.5)
    assert {type(message) for message in leaf.answers()} == {Accept}
    while (next_s := leaf.endpoint.next_timer_s()) is not None:
        leaf.endpoint.expire_timers(next_s)
    assert leaf.endpoint.by_tag == {}
    assert leaf.endpoint.by_peer == {}


def test_copies_of_the_invitation_are_left_to_the_timer_of_accept(leaf: Conversation) -> None:
    """K8."""
    asking(leaf)
    proven = leaf.prove(leaf.request(0x11))
    leaf.say(proven)
    assert leaf.say(replace(proven, attempt=3)) == []


def test_an_invitation_that_ended_stays_dead(leaf: Conversation) -> None:
    """K6: a late copy finds a tombstone, whether the leaf asks again or not."""
    asking(leaf)
    proven = leaf.prove(leaf.request(0x11))
    leaf.say(proven)
    invitation = leaf.endpoint.by_peer_tag[ROOT, 0x11]
    leaf.say(Counterpart(invitation, tag=0x11).cancel())
    asking(leaf)
    assert leaf.say(replace(proven, attempt=3)) == []


def test_only_the_root_that_was_asked_can_cross(leaf: Conversation) -> None:
    asking(leaf)
    invitation = leaf.request(0x11)
    assert challenged(leaf, invitation)
    refusal = only(leaf.say(invitation, ELSEWHERE))
    assert isinstance(refusal, Reject)
    assert refusal.reason == RejectReason.NOT_LISTENING
    asked = join_request(Role.C_LEAF_TO_ROOT, 0x12)
    assert not challenged(leaf, asked)


def test_only_the_very_pair_of_addresses_can_cross(leaf: Conversation) -> None:
    asking(leaf)
    leaf.endpoint.receive(leaf.request(0x11), ROOT, ELSEWHERE, 0.0)
    assert isinstance(only(leaf.answers()), Reject)


def test_a_withdrawn_request_is_crossed_no_more(leaf: Conversation) -> None:
    peer = asking(leaf)
    leaf.say(peer.challenge())
    leaf.endpoint.call(peer.end, Withdrawn(), 0.0)
    leaf.answers()
    assert not challenged(leaf, leaf.request(0x11))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"extra": ((0x9001, b""),)}, RejectReason.UNSUPPORTED_TLV),
        ({"planes": 0b1001}, RejectReason.WRONG_ROLE),
        ({"session_id": 0}, RejectReason.NO_SUCH_SESSION),
        ({"leaf_dir": 0b111}, RejectReason.DIRECTION),
    ],
)
def test_an_invitation_that_does_not_fit_is_refused_and_folds_nothing(
    leaf: Conversation, changes: dict[str, object], reason: RejectReason
) -> None:
    peer = asking(leaf)
    answer = only(leaf.say(leaf.prove(leaf.request(0x11, **changes))))
    assert isinstance(answer, Reject)
    assert answer.reason == reason
    assert peer.end.state is State.ASKING


def test_who_asks_to_be_the_d_root_is_not_made_a_d_leaf(leaf: Conversation) -> None:
    """K11: the invitation is refused, the request goes on."""
    leaf.endpoint.listener = None
    d_root = LeafDirection.SEND | LeafDirection.RECEIVE | LeafDirection.D_ROOT
    asked = join_request(Role.C_LEAF_TO_ROOT, 0xA, leaf_dir=d_root)
    own = leaf.endpoint.join(LEAF, ROOT, asked, leaf.now_s)
    leaf.answers()
    answer = only(leaf.say(leaf.prove(leaf.request(0x11))))
    assert isinstance(answer, Reject)
    assert answer.reason == RejectReason.DIRECTION
    assert own.state is State.ASKING


# The root's endpoint --------------------------------------------------------------------------


@pytest.mark.parametrize("listening", [True, False])
def test_a_root_that_invites_answers_the_invited_with_nothing_but_a_challenge(
    root: Conversation, *, listening: bool
) -> None:
    """RM10, K9: never with NOT_LISTENING, or two willing parties would refuse each other."""
    if not listening:
        root.endpoint.listener = None
    session = root.endpoint.session
    assert session is not None
    session.invitation = root.endpoint.join(ROOT, LEAF, join_request(Role.C_ROOT, 0x99), 0.0)
    root.answers()
    assert root.say(root.prove(root.request(0x11))) == []
    assert root.rules() == ["RM10 RM16"]
    refusal = only(root.say(join_request(Role.C_ROOT, 0x12)))
    assert isinstance(refusal, Challenge if listening else Reject)


# The invitation as a machine ------------------------------------------------------------------


def crossed_leaf() -> tuple[Playbook, Counterpart]:
    """Return a leaf's end whose root has crossed its request and which has accepted."""
    play, peer = invited_leaf()
    play.timers.clear()
    assert peer.end.state is State.QUEUED
    peer.end.state = State.NEW
    play.feed(RequestCrossed(peer.end.request)).expect(sent(Accept, flags=HeaderFlag.X))
    return play, peer


def test_confirm_completes_the_join() -> None:
    """LF11."""
    play, peer = crossed_leaf()
    play.feed(peer.data(PEER_SEQ)).feed(peer.confirm())
    play.expect(reported(Joined), reported(DataReceived, payload=b"hello"))
    assert peer.end.state is State.JOINED
    assert peer.end.identity.own_id == LEAF_ID


def test_a_probe_before_confirm_says_nothing() -> None:
    play, peer = crossed_leaf()
    play.feed(peer.probe()).expect(dropped("LF16"))


def test_a_confirm_that_does_not_fit_fails_the_join() -> None:
    play, peer = crossed_leaf()
    play.feed(peer.confirm(leaf_dir=LeafDirection.SEND)).expect(
        dropped("R39 R40 R41"),
        sent(Abort, reason=AbortReason.PROTOCOL),
        forgotten(),
        reported(JoinFailed, code=WsaError.WSAECONNREFUSED),
    )


def test_cancel_fails_the_join() -> None:
    """LF12."""
    play, peer = crossed_leaf()
    play.feed(peer.cancel()).expect(
        sent(CancelAck, result=CancelResult.WAS_JOINED),
        forgotten(),
        reported(JoinFailed, code=WsaError.WSAECONNREFUSED),
    )


def test_abort_fails_the_join() -> None:
    """LF12."""
    play, peer = crossed_leaf()
    play.feed(peer.abort()).expect(forgotten(), reported(JoinFailed, code=WsaError.WSAECONNREFUSED))


def test_without_confirm_the_join_times_out() -> None:
    """LF12: at 31 s, with the jitter of four intervals and the last."""
    play, _peer = crossed_leaf()
    for attempt in range(2, 6):
        play.expire(TimerName.RETRANSMIT).expect(sent(Accept, attempt=attempt, flags=HeaderFlag.X))
    play.expire(TimerName.RETRANSMIT).expect(
        sent(Abort, reason=AbortReason.NO_CONFIRM),
        forgotten(),
        reported(JoinFailed, code=WsaError.WSAETIMEDOUT),
    )
    assert 31 * 0.9 <= play.now_s <= 31 * 1.1


def test_a_close_before_confirm_waits_for_it() -> None:
    """R53: a root closes nothing that is not joined at its side, and answers ACCEPT meanwhile."""
    play, peer = crossed_leaf()
    play.feed(peer.data(PEER_SEQ)).feed(peer.close(final_seq=PEER_SEQ)).expect(dropped("LF16"))
    play.feed(peer.confirm(session_desc=DESCRIPTION)).expect(
        reported(Joined), reported(DataReceived, payload=b"hello")
    )
    play.feed(peer.close(final_seq=PEER_SEQ, attempt=2)).expect(
        sent(CloseAck), reported(Ended, code=WsaError.SUCCESS)
    )


def test_a_handle_closed_meanwhile_leaves_once_confirmed() -> None:
    play, peer = crossed_leaf()
    play.feed(Withdrawn()).feed(peer.confirm(session_desc=DESCRIPTION))
    play.expect(reported(Joined), sent(Close, reason=CloseReason.LEAVE))
    assert peer.end.state is State.CLOSING


@pytest.mark.parametrize("message", ["abort", "cancel", "confirm"])
def test_a_handle_closed_meanwhile_is_told_of_no_failure(message: str) -> None:
    """D21."""
    play, peer = crossed_leaf()
    messages: dict[str, Abort | Cancel | Confirm] = {
        "abort": peer.abort(),
        "cancel": peer.cancel(),
        "confirm": peer.confirm(leaf_dir=LeafDirection.SEND),
    }
    play.feed(Withdrawn()).feed(messages[message])
    assert not [one for one in play.unclaimed if isinstance(one, (Joined, JoinFailed))]
    assert peer.end.state is State.GONE


def test_the_request_that_gave_way_is_forgotten_after_a_while() -> None:
    play, peer = asking_leaf()
    peer.end.state = State.ASKING
    play.feed(RequestCrossed(peer.end.request)).finish()
    play.feed(peer.accept()).expect(sent(Abort, reason=AbortReason.NO_CONFIRM))
    play.feed(peer.accept()).expect(sent(Abort, reason=AbortReason.NO_CONFIRM))
    play.expire(TimerName.LIMIT).expect(forgotten())
    assert play.now_s == 40.0
    assert Confirm not in map(type, play.messages)
