"""What becomes of a JOIN_REQ, in every condition of the endpoint (machine 2.4)."""

import pytest
from msgspec.structs import replace

from mpwire.core.admission import MAXIMUM_TOMBSTONES, Tombstones
from mpwire.core.events import Admitted, Refused, RequestGone
from mpwire.core.session import SessionInput
from mpwire.core.table import State
from mpwire.testing.conversation import Conversation
from mpwire.testing.ends import LEAF, ROOT, SESSION_ID, Counterpart, join_request
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Accept, Challenge, JoinReq, Message, Pending, Qos, Reject
from mpwire.wire.numbers import MIN_PAYLOAD_OCTETS
from mpwire.wire.registries import (
    JoinFlags,
    LeafDirection,
    PendingState,
    Planes,
    RejectReason,
    Role,
)

OTHER = ("10.0.0.3", 61000)
UNKNOWN = tuple((0x9001 + number * 16, b"") for number in range(20))
"""Mandatory TLVs that nobody knows."""


def reason_of(answers: list[Message]) -> RejectReason:
    """Return the reason of the one REJECT there is."""
    (answer,) = answers
    assert isinstance(answer, Reject)
    return RejectReason(answer.reason)


# Proof ----------------------------------------------------------------------------------------


def test_an_unproven_request_is_challenged_and_forgotten(root: Conversation) -> None:
    answers = root.say(root.request())
    assert [type(answer) for answer in answers] == [Challenge]
    assert root.endpoint.by_tag == {}
    assert root.endpoint.listener is not None
    assert root.endpoint.listener.entries == []


def test_a_cookie_of_another_source_is_challenged_again(root: Conversation) -> None:
    proven = root.prove(root.request())
    assert [type(answer) for answer in root.say(proven, OTHER)] == [Challenge]


def test_a_stale_cookie_is_challenged_again(root: Conversation) -> None:
    proven = root.prove(root.request())
    root.now_s = 31.0
    assert [type(answer) for answer in root.say(proven)] == [Challenge]


def test_a_proven_request_is_queued_and_answered(root: Conversation) -> None:
    (answer,) = root.say(root.prove(root.request()))
    assert isinstance(answer, Pending)
    assert (answer.destination_tag, answer.attempt) == (0x11, 2)
    listener = root.endpoint.listener
    assert listener is not None
    assert listener.indicates
    assert listener.entries[0].membership.peer == LEAF


def test_answers_come_from_where_the_request_went(root: Conversation) -> None:
    root.endpoint.receive(root.request(), OTHER, ("10.0.0.7", 61717), 0.0)
    (datagram,) = root.endpoint.datagrams
    assert (datagram.source, datagram.destination) == (("10.0.0.7", 61717), OTHER)


# Copies ---------------------------------------------------------------------------------------


def test_a_copy_of_a_queued_request_is_answered_not_queued(root: Conversation) -> None:
    proven = root.prove(root.request())
    root.say(proven)
    (answer,) = root.say(replace(proven, attempt=3))
    assert isinstance(answer, Pending)
    assert (answer.state, answer.attempt) == (PendingState.QUEUED, 3)
    assert root.endpoint.listener is not None
    assert len(root.endpoint.listener.entries) == 1


def test_a_copy_of_a_refused_request_gets_the_same_answer_for_a_while(
    root: Conversation,
) -> None:
    proven = root.prove(root.request())
    root.say(proven)
    root.decide(root.endpoint.by_peer[LEAF][0], Refused(RejectReason.APP_REFUSED))
    (answer,) = root.say(replace(proven, attempt=4))
    assert isinstance(answer, Reject)
    assert (answer.reason, answer.attempt) == (RejectReason.APP_REFUSED, 4)


@pytest.mark.parametrize("listening", [True, False])
def test_a_copy_of_an_accepted_request_is_never_refused(
    root: Conversation, *, listening: bool
) -> None:
    """R38, K8: not even by an endpoint that listens no more."""
    proven = root.prove(root.request())
    root.say(proven)
    root.decide(root.endpoint.by_peer[LEAF][0], Admitted(None))
    if not listening:
        root.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    assert root.say(replace(proven, attempt=3)) == []
    assert [type(a) for a in root.say(replace(proven, cookie=None))] == [Challenge]


def test_a_copy_of_what_ended_without_a_word_gets_none(root: Conversation) -> None:
    proven = root.prove(root.request())
    membership = root.join()
    root.say(Counterpart(membership).abort())
    assert membership.state is State.GONE
    assert root.say(replace(proven, attempt=5)) == []
    assert root.rules()[-1] == "9.3"


def test_a_refusal_for_want_of_room_is_repeated_when_there_is_room(root: Conversation) -> None:
    root.queue(0x21, ("10.0.0.4", 1))
    root.queue(0x22, ("10.0.0.5", 1))
    proven = root.prove(root.request())
    assert reason_of(root.say(proven)) is RejectReason.BACKLOG_FULL
    assert root.endpoint.listener is not None
    root.endpoint.listener.entries.clear()
    assert reason_of(root.say(replace(proven, attempt=3))) is RejectReason.BACKLOG_FULL


# Objections -----------------------------------------------------------------------------------


def test_a_stranger_asking_whom_nobody_listens_is_refused_statelessly(
    root: Conversation,
) -> None:
    root.endpoint.listener = None
    assert reason_of(root.say(root.request())) is RejectReason.NOT_LISTENING
    assert root.endpoint.tombstones.answers == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": Role.C_ROOT, "session_id": SESSION_ID}, RejectReason.WRONG_ROLE),
        ({"role": Role.C_LEAF_TO_SESSION}, RejectReason.WRONG_ROLE),
        ({"planes": Planes.CONTROL_ROOTED}, RejectReason.WRONG_ROLE),
        ({"planes": 7}, RejectReason.WRONG_ROLE),
        ({"jl": JoinFlags.SENDER_ONLY}, RejectReason.DIRECTION),
        ({"leaf_dir": LeafDirection.RECEIVE}, RejectReason.DIRECTION),
        ({"max_payload": MIN_PAYLOAD_OCTETS - 1}, RejectReason.NO_RESOURCES),
        ({"session_id": 77}, RejectReason.NO_SUCH_SESSION),
        ({"leaf_dir": LeafDirection.SEND | LeafDirection.D_ROOT}, RejectReason.DIRECTION),
        ({"extra": UNKNOWN[:1]}, RejectReason.UNSUPPORTED_TLV),
    ],
)
def test_root_refuses_what_does_not_fit(
    root: Conversation, changes: dict[str, object], reason: RejectReason
) -> None:
    assert reason_of(root.say(root.prove(replace(root.request(), **changes)))) is reason
    assert root.endpoint.by_tag == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": Role.C_LEAF_TO_ROOT}, RejectReason.WRONG_ROLE),
        ({"jl": JoinFlags.SENDER_ONLY}, RejectReason.DIRECTION),
        ({"session_id": 0}, RejectReason.NO_SUCH_SESSION),
        ({"leaf_dir": LeafDirection.RECEIVE | LeafDirection.D_ROOT}, RejectReason.DIRECTION),
    ],
)
def test_leaf_refuses_what_does_not_fit(
    leaf: Conversation, changes: dict[str, object], reason: RejectReason
) -> None:
    assert reason_of(leaf.say(leaf.prove(replace(leaf.request(), **changes)))) is reason


def test_a_request_may_name_the_session(root: Conversation) -> None:
    (answer,) = root.say(root.prove(root.request(session_id=SESSION_ID)))
    assert isinstance(answer, Pending)


def test_unknown_mandatory_tlvs_are_named_as_far_as_there_is_room(root: Conversation) -> None:
    (answer,) = root.say(root.prove(root.request(extra=UNKNOWN)))
    assert isinstance(answer, Reject)
    assert answer.unknown_tlvs == tuple(code for code, _ in UNKNOWN[:16])


def test_a_full_queue_refuses(root: Conversation) -> None:
    for port in (1, 2):
        root.queue(port, ("10.0.0.9", port))
    assert reason_of(root.say(root.prove(root.request()))) is RejectReason.BACKLOG_FULL


def test_another_port_of_a_member_is_somebody_else(root: Conversation) -> None:
    root.join(0x11)
    other_port = (LEAF[0], LEAF[1] + 1)
    (answer,) = root.say(root.prove(root.request(0x13), other_port), other_port)
    assert isinstance(answer, Pending)


def test_a_new_attempt_of_the_same_socket_ends_the_old_one(root: Conversation) -> None:
    old = root.queue(0x11)
    new = root.queue(0x12)
    assert (old.state, new.state) == (State.GONE, State.QUEUED)
    assert root.reports() == [RequestGone(WsaError.WSAECONNRESET)]
    assert [type(m).__name__ for m, _ in root.heard[-3:]] == ["Pending", "Challenge", "Pending"]


# Glare and the end of a session ---------------------------------------------------------------


def invite(root: Conversation) -> JoinReq:
    """Start an invitation of LEAF; return its JOIN_REQ."""
    session = root.endpoint.session
    assert session is not None
    request = join_request(Role.C_ROOT, 0x99)
    session.invitation = root.endpoint.join(ROOT, LEAF, request, root.now_s)
    (sent,) = root.answers()
    assert isinstance(sent, JoinReq)
    return sent


def test_a_leaf_that_is_being_invited_gets_no_answer_of_its_own(root: Conversation) -> None:
    queued = root.prove(root.request(0x12))
    root.say(queued)
    proven = root.prove(root.request(0x11))
    invite(root)
    assert root.say(proven) == []
    assert root.say(replace(queued, attempt=3)) == []
    assert root.rules() == ["RM10 RM16"] * 2
    assert [type(a) for a in root.say(root.request(0x13))] == [Challenge]
    (answer,) = root.say(root.prove(root.request(0x14), OTHER), OTHER)
    assert isinstance(answer, Pending)


def test_an_ending_session_refuses_everybody_alike(root: Conversation) -> None:
    refused = root.prove(root.request(0x11))
    root.say(refused)
    session = root.endpoint.session
    assert session is not None
    root.decide(root.endpoint.by_peer[LEAF][0], Refused(RejectReason.APP_REFUSED))
    waiting = root.prove(root.request(0x12), OTHER)
    root.say(waiting, OTHER)
    root.answers()
    session.step(SessionInput.ENDED_EMPTY)
    root.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    assert reason_of(root.answers()) is RejectReason.SESSION_CLOSING
    assert reason_of(root.say(root.request(0x13))) is RejectReason.SESSION_CLOSING
    copy = replace(waiting, attempt=3)
    assert reason_of(root.say(copy, OTHER)) is RejectReason.SESSION_CLOSING
    assert root.say(replace(refused, attempt=3)) == []


def test_an_attempt_of_ours_is_no_attempt_of_the_peer(leaf: Conversation) -> None:
    """A RespTag that happens to equal an InitTag does not mix up the two."""
    request = join_request(Role.C_LEAF_TO_ROOT, 0x77)
    membership = leaf.endpoint.join(LEAF, ROOT, request, 0.0)
    leaf.answers()
    leaf.endpoint.by_peer_tag[ROOT, 0x11] = membership
    (answer,) = leaf.say(leaf.prove(leaf.request(0x11)))
    assert isinstance(answer, Accept)


# Tombstones -----------------------------------------------------------------------------------


def test_tombstones_stand_for_their_time() -> None:
    graves = Tombstones(life_s=40.0)
    one, two = join_request(Role.C_ROOT, 1), join_request(Role.C_ROOT, 2)
    graves.bury(LEAF, one, None, 0.0)
    graves.bury(LEAF, two, None, 10.0)
    assert graves.find(LEAF, one, 39.9) == (None,)
    assert graves.find(OTHER, one, 39.9) is None
    assert graves.find(LEAF, one, 40.0) is None
    assert graves.find(LEAF, two, 40.0) == (None,)
    assert len(graves.answers) == 1


def test_of_too_many_tombstones_the_oldest_goes() -> None:
    graves = Tombstones(life_s=40.0)
    requests = [join_request(Role.C_ROOT, 1 + tag) for tag in range(MAXIMUM_TOMBSTONES + 2)]
    for number, request in enumerate(requests):
        graves.bury(LEAF, request, None, number / 1000)
    now_s = MAXIMUM_TOMBSTONES / 1000
    assert len(graves.answers) == MAXIMUM_TOMBSTONES
    assert [graves.find(LEAF, one, now_s) for one in requests[:3]] == [None, None, (None,)]
    assert graves.forgotten_s == 0.001


def test_a_copy_of_a_request_that_was_forgotten_is_challenged(root: Conversation) -> None:
    """No cookie that is older than a tombstone which had to go brings anything back."""
    root.now_s = 1.0
    proven = root.prove(root.request())
    root.say(proven)
    root.decide(root.endpoint.by_peer[LEAF][0], Refused(RejectReason.APP_REFUSED))
    root.now_s = 2.0
    younger = root.prove(root.request(0x12), OTHER)
    for tag in range(MAXIMUM_TOMBSTONES):
        root.endpoint.bury(OTHER, root.request(0x100 + tag), None, 2.0)
    assert [type(answer) for answer in root.say(replace(proven, attempt=3))] == [Challenge]
    assert [type(answer) for answer in root.say(younger, OTHER)] == [Pending]
    assert len(root.endpoint.tombstones.answers) == MAXIMUM_TOMBSTONES


# Flow specifications --------------------------------------------------------------------------


@pytest.mark.w(17)
@pytest.mark.parametrize(
    ("capacity", "sending", "receiving", "fits"),
    [
        (None, 4_000_000_000, 4_000_000_000, True),
        (1000, 1000, 1000, True),
        (1000, 1001, 0, False),
        (1000, 0, 1001, False),
        (0, 0, 0, True),
    ],
)
def test_nobody_asks_for_more_than_the_network_carries(
    root: Conversation, capacity: int | None, sending: int, receiving: int, *, fits: bool
) -> None:
    root.endpoint.capacity_octets_per_s = capacity
    qos = Qos(sending_octets_per_s=sending, receiving_octets_per_s=receiving)
    answers = root.say(root.prove(replace(root.request(), qos=qos)))
    if fits:
        assert [type(answer) for answer in answers] == [Pending]
    else:
        assert reason_of(answers) is RejectReason.QOS_UNAVAILABLE
