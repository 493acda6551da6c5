"""Stateless answers: no larger than their trigger, back where it came from, limited per source."""

import pytest

from mpwire.core.replies import BUCKETS, BURST, OUT_OF_THE_BLUE, Limiter, challenge, reject
from mpwire.core.replies import version_negotiation as negotiate
from mpwire.testing.ends import PEER_TAG, Counterpart, asking_leaf, join_request, joined_leaf
from mpwire.wire.codec import encode
from mpwire.wire.errors import Invariant
from mpwire.wire.messages import Abort, CancelAck, Member, Message, Side
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import AbortReason, CancelResult, RejectReason, Role

REQUEST = join_request(Role.C_LEAF_TO_ROOT, 0x11)
REQUEST.attempt = 3


def strange_messages() -> list[Message]:
    """Return one message of every type that earns an answer."""
    _, peer = joined_leaf()
    asking = Counterpart(asking_leaf()[1].end)
    header = peer.end.header(42, 2)
    return [
        peer.close(),
        peer.cancel(),
        asking.accept(),
        asking.confirm(),
        peer.probe(),
        Member(**header, action=1, leaf_dir=3, member_id=3, boundary_seq=0),
        Side(**header, sflags=0, payload=b""),
        peer.data(),
    ]


def test_a_challenge_echoes_the_request_and_is_smaller() -> None:
    answer = challenge(REQUEST, bytes(22), 30.0)
    assert (answer.destination_tag, answer.seq, answer.attempt) == (0x11, 7, 3)
    assert (answer.cookie, answer.cookie_life_ms) == (bytes(22), 30_000)
    assert len(encode(answer)) <= len(encode(REQUEST))


def test_a_refusal_echoes_the_request_and_names_what_is_unknown() -> None:
    answer = reject(REQUEST, RejectReason.UNSUPPORTED_TLV, (0x9999,))
    assert (answer.destination_tag, answer.seq, answer.attempt) == (0x11, 7, 3)
    assert (answer.reason, answer.unknown_tlvs) == (RejectReason.UNSUPPORTED_TLV, (0x9999,))
    assert len(encode(reject(REQUEST, RejectReason.NOT_LISTENING))) == 40


def test_version_negotiation_goes_to_the_init_tag() -> None:
    answer = negotiate(Invariant(9, 128, session_id=5, destination_tag=0, init_tag=0x11))
    assert (answer.session_id, answer.destination_tag, answer.versions) == (5, 0x11, (1,))
    assert len(encode(answer)) <= 128


@pytest.mark.parametrize("message", strange_messages(), ids=lambda one: type(one).__name__)
def test_a_message_out_of_the_blue_gets_an_answer_no_larger(message: Message) -> None:
    answer = OUT_OF_THE_BLUE[type(message)](message)
    assert answer.seq == message.seq
    assert len(encode(answer)) <= len(encode(message))
    if isinstance(answer, CancelAck):
        assert (answer.result, answer.destination_tag) == (CancelResult.UNKNOWN, PEER_TAG)
    else:
        assert isinstance(answer, Abort)
        assert answer.reason == AbortReason.NO_MEMBERSHIP
        assert answer.echo_seq == message.seq


def test_abort_reflects_the_tag_except_to_an_acceptance() -> None:
    reflected = {
        type(message): OUT_OF_THE_BLUE[type(message)](message).flags == HeaderFlag.R
        for message in strange_messages()
    }
    assert {kind.__name__ for kind, r in reflected.items() if not r} == {"Accept", "Cancel"}


def test_every_answerable_type_was_tried_and_nothing_answers_an_answer() -> None:
    assert set(OUT_OF_THE_BLUE) == {type(message) for message in strange_messages()}
    assert Abort not in OUT_OF_THE_BLUE
    assert CancelAck not in OUT_OF_THE_BLUE


def test_a_source_earns_a_burst_and_then_one_per_second() -> None:
    limiter = Limiter()
    source = ("10.0.0.9", 1)
    assert [limiter.admits(source, 0.0) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert not limiter.admits(source, 0.5)
    assert limiter.admits(source, 1.1)
    assert not limiter.admits(source, 1.2)
    assert [limiter.admits(source, 100.0) for _ in range(BURST + 1)][-1] is False


def test_ports_share_what_addresses_do_not() -> None:
    limiter = Limiter()
    for port in range(BURST):
        assert limiter.admits(("10.0.0.9", port), 0.0)
    assert not limiter.admits(("10.0.0.9", 99), 0.0)
    assert limiter.admits(("10.0.0.8", 99), 0.0)


def test_the_longest_silent_source_is_forgotten_first() -> None:
    limiter = Limiter()
    for _ in range(BURST):
        limiter.admits(("first", 1), 0.0)
    for number in range(BUCKETS):
        limiter.admits((f"source {number}", 1), 0.0)
    assert len(limiter.buckets) == BUCKETS
    assert limiter.admits(("first", 1), 0.0)


def test_as_many_sources_are_remembered_as_the_specification_says() -> None:
    limiter = Limiter()
    for number in range(5000):
        limiter.admits((f"source {number}", 1), 0.0)
    assert len(limiter.buckets) == 4096
