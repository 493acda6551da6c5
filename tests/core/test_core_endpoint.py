"""One UDP address: whose datagram it is, what strangers are told, and that nothing is raised."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mpwire.core.events import (
    CloseRequested,
    DataReceived,
    Ended,
    JoinFailed,
    RequestGone,
    Withdrawn,
)
from mpwire.core.replies import BURST
from mpwire.core.table import State
from mpwire.testing.conversation import Conversation, leaf_conversation, root_conversation
from mpwire.testing.ends import (
    LEAF,
    ROOT,
    SESSION_ID,
    Counterpart,
    join_request,
)
from mpwire.vocabulary import WsaError
from mpwire.wire.codec import encode
from mpwire.wire.messages import (
    Abort,
    CancelAck,
    JoinReq,
    Reject,
    VersionNeg,
)
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import AbortReason, CancelResult, CloseReason, RejectReason, Role

ELSEWHERE = ("10.0.0.66", 1)
UNKNOWN_TLV = ((0x9999, b""),)


def asking(leaf: Conversation) -> Counterpart:
    """Let the leaf's endpoint ask its root; return what speaks for the root."""
    request = join_request(Role.C_LEAF_TO_ROOT, 0xA)
    peer = Counterpart(leaf.endpoint.join(LEAF, ROOT, request, leaf.now_s))
    (sent,) = leaf.answers()
    assert isinstance(sent, JoinReq)
    return peer


# Whose datagram -------------------------------------------------------------------------------


def test_messages_reach_the_membership_whose_tag_they_carry(root: Conversation) -> None:
    one = root.join(0x11)
    two = root.join(0x12, ("10.0.0.3", 61000))
    root.reports()
    peer = Counterpart(two)
    root.say(peer.data(two.request.next_data_seq), two.peer)
    assert root.reports() == [DataReceived(3, b"hello", two.request.next_data_seq)]
    assert one.inflow is not None
    assert one.inflow.next_seq == one.request.next_data_seq


def test_a_tag_counts_only_from_its_address(root: Conversation) -> None:
    peer = Counterpart(root.join())
    root.rules()
    assert root.say(peer.close(), ELSEWHERE) == []
    assert root.rules() == ["R26"]
    assert root.say(peer.abort(), ELSEWHERE) == []
    assert peer.end.state is State.JOINED


def test_a_tag_counts_only_in_its_session(root: Conversation) -> None:
    peer = Counterpart(root.join())
    assert root.say(peer.close(session_id=SESSION_ID + 1)) == []
    assert peer.end.state is State.JOINED


def test_an_abort_may_reflect_our_own_tag_of_the_peer(root: Conversation) -> None:
    peer = Counterpart(root.join(0x11))
    root.reports()
    reflected = {"flags": HeaderFlag.R, "destination_tag": 0x11}
    assert root.say(peer.probe_ack(**reflected)) == []
    assert root.say(peer.abort(**reflected), ELSEWHERE) == []
    root.say(peer.abort(**reflected))
    assert root.reports() == [Ended(WsaError.WSAECONNRESET)]


def test_a_cancel_is_known_by_the_tag_it_cancels(root: Conversation) -> None:
    peer = Counterpart(root.queue(0x11))
    (answer,) = root.say(peer.cancel(destination_tag=0, init_tag=0x11))
    assert isinstance(answer, CancelAck)
    assert answer.result == CancelResult.DONE
    assert root.reports() == [RequestGone(WsaError.WSAECONNRESET)]


def test_a_changed_resp_tag_replaces_the_old_one(leaf: Conversation) -> None:
    peer = asking(leaf)
    leaf.say(peer.challenge())
    leaf.say(peer.pending())
    leaf.say(peer.pending(resp_tag=5))
    assert leaf.endpoint.by_peer_tag == {(ROOT, 5): peer.end}
    leaf.say(peer.reject(RejectReason.APP_REFUSED))
    assert leaf.endpoint.by_peer_tag == {}
    assert leaf.endpoint.by_tag == {}
    assert leaf.endpoint.by_peer == {}


def test_a_mandatory_tlv_that_is_unknown_voids_the_message(root: Conversation) -> None:
    peer = Counterpart(root.join())
    root.rules()
    assert root.say(peer.close(extra=UNKNOWN_TLV)) == []
    assert root.rules() == ["6"]
    assert peer.end.state is State.JOINED


# Strangers ------------------------------------------------------------------------------------


def test_a_close_of_no_membership_is_aborted_with_its_own_tag(root: Conversation) -> None:
    peer = Counterpart(copy.deepcopy(root.join()))
    root.endpoint.by_tag.clear()
    (answer,) = root.say(peer.close())
    assert isinstance(answer, Abort)
    assert answer.flags == HeaderFlag.R
    assert answer.destination_tag == peer.end.identity.own_tag
    assert answer.reason == AbortReason.NO_MEMBERSHIP


def test_an_unknown_cancel_is_acknowledged(root: Conversation) -> None:
    peer = Counterpart(copy.deepcopy(root.join()), tag=0x4444)
    (answer,) = root.say(peer.cancel(destination_tag=0), ELSEWHERE)
    assert isinstance(answer, CancelAck)
    assert (answer.result, answer.destination_tag) == (CancelResult.UNKNOWN, 0x4444)


@pytest.mark.parametrize("flag", [HeaderFlag.R, HeaderFlag.M])
def test_reflected_and_group_messages_out_of_the_blue_earn_silence(
    root: Conversation, flag: HeaderFlag
) -> None:
    peer = Counterpart(copy.deepcopy(root.join()))
    assert root.say(peer.close(flags=flag, destination_tag=9), ELSEWHERE) == []
    assert root.rules() == ["13"]


def test_answers_out_of_the_blue_earn_silence(root: Conversation) -> None:
    peer = Counterpart(copy.deepcopy(root.join()))
    for message in (peer.abort(), peer.close_ack(), peer.probe_ack(), peer.cancel_ack()):
        assert root.say(replace(message, destination_tag=9), ELSEWHERE) == []


def test_answers_to_strangers_are_limited_per_source(root: Conversation) -> None:
    peer = Counterpart(copy.deepcopy(root.join()))
    probes = [peer.probe(destination_tag=9) for _ in range(BURST + 3)]
    assert sum(len(root.say(probe, ELSEWHERE)) for probe in probes) == BURST
    assert root.rules()[-1] == "R104"
    assert len(root.say(probes[0], ("10.0.0.67", 1))) == 1


# Other versions and nonsense ------------------------------------------------------------------


def foreign_version(octets: int = 128, init_tag: int = 0x11) -> bytes:
    """Return a message of version 9."""
    head = bytes.fromhex("6d700901") + bytes(2) + octets.to_bytes(2, "big") + bytes(24)
    return (head + init_tag.to_bytes(8, "big")).ljust(octets, b"\0")[:octets]


def test_another_version_is_told_ours(root: Conversation) -> None:
    (answer,) = root.say_octets(foreign_version())
    assert isinstance(answer, VersionNeg)
    assert (answer.destination_tag, answer.versions) == (0x11, (1,))


@pytest.mark.parametrize("data", [foreign_version(127), foreign_version(128, init_tag=0)])
def test_but_only_for_what_could_be_a_join_request(root: Conversation, data: bytes) -> None:
    assert root.say_octets(data) == []
    assert root.rules() == ["R1"]


def test_version_answers_are_limited_too(root: Conversation) -> None:
    answers = [root.say_octets(foreign_version()) for _ in range(BURST + 2)]
    assert sum(map(len, answers)) == BURST


def test_nonsense_is_dropped_with_its_rule(root: Conversation) -> None:
    assert root.say_octets(b"nonsense") == []
    assert root.say_octets(encode(root.request())[:-1]) == []
    assert root.rules() == ["R1", "R2"]


@given(st.binary(max_size=200))
def test_no_octets_raise(data: bytes) -> None:
    for speaker in (root_conversation(), leaf_conversation()):
        speaker.say_octets(data)
        speaker.say_octets(b"mp\x01" + data)


# Unreachable ----------------------------------------------------------------------------------


def test_icmp_counts_when_it_quotes_our_request(leaf: Conversation) -> None:
    peer = asking(leaf)
    quote = encode(peer.end.request)
    for data, source in ((quote[:39], ROOT), (quote, ELSEWHERE), (b"mp\x01\x02" + quote[4:], ROOT)):
        leaf.endpoint.unreachable_untrusted(data, source, 0.0, port=True)
    assert peer.end.unreachable_count == 0
    for _ in range(2):
        leaf.endpoint.unreachable_untrusted(quote[:40], ROOT, 0.0, port=True)
    assert leaf.reports() == [JoinFailed(WsaError.WSAECONNREFUSED)]
    leaf.endpoint.unreachable_untrusted(quote, ROOT, 0.0, port=True)


def test_icmp_of_the_network_names_the_reason_of_a_time_out(leaf: Conversation) -> None:
    peer = asking(leaf)
    leaf.endpoint.unreachable_untrusted(encode(peer.end.request), ROOT, 0.0, port=False)
    while (at_s := leaf.endpoint.next_timer_s()) is not None:
        leaf.endpoint.expire_timers(at_s)
    assert leaf.reports() == [JoinFailed(WsaError.WSAENETUNREACH)]


def test_icmp_about_a_member_is_no_news_in_any_state(leaf: Conversation) -> None:
    peer = asking(leaf)
    quote = encode(peer.end.request)
    leaf.say(peer.challenge())
    leaf.say(peer.accept())
    for state in (State.JOINED, State.SUSPECT):
        peer.end.state = state
        for port in (True, False):
            leaf.endpoint.unreachable_untrusted(quote, ROOT, 0.0, port=port)
    assert leaf.reports()[1:] == []


# Time and the end of things -------------------------------------------------------------------


def test_timers_due_at_once_do_not_fire_after_they_were_stopped(leaf: Conversation) -> None:
    peer = asking(leaf)
    leaf.endpoint.expire_timers(1000.0)
    assert [type(message).__name__ for message in leaf.answers()] == ["JoinReq", "Cancel"]
    assert peer.end.state is State.GONE
    assert leaf.endpoint.next_timer_s() is None
    assert leaf.reports() == [JoinFailed(WsaError.WSAETIMEDOUT)]


def test_nothing_is_left_of_a_membership_that_is_over(root: Conversation) -> None:
    peer = Counterpart(root.join(0x11))
    root.endpoint.call(peer.end, CloseRequested(CloseReason.EXPEL), 0.0)
    (close,) = root.answers()
    root.say(peer.close_ack())
    assert peer.end.state is State.LINGERING
    root.endpoint.expire_timers(100.0)
    for book in (root.endpoint.by_tag, root.endpoint.by_peer_tag, root.endpoint.by_peer):
        assert book == {}
    assert root.endpoint.next_timer_s() is None
    assert close.seq == 8


def test_other_memberships_of_the_same_peer_stay(leaf: Conversation) -> None:
    one, two = asking(leaf), asking(leaf)
    assert len(leaf.endpoint.by_peer[ROOT]) == 2
    leaf.endpoint.call(one.end, Withdrawn(), 0.0)
    assert leaf.endpoint.by_peer[ROOT] == [two.end]


def test_who_stops_listening_refuses_those_who_wait(root: Conversation) -> None:
    root.queue(0x11)
    gone = root.queue(0x12, ("10.0.0.3", 1))
    root.say(Counterpart(gone).cancel(destination_tag=0, init_tag=0x12), gone.peer)
    root.endpoint.listener.entries[1].gone = WsaError.WSAECONNRESET  # type: ignore[union-attr] # listens
    root.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    (answer,) = root.answers()
    assert isinstance(answer, Reject)
    assert answer.reason == RejectReason.SESSION_CLOSING
    root.endpoint.stop_listening(RejectReason.SESSION_CLOSING, 0.0)
    assert root.answers() == []


def test_a_copied_endpoint_goes_on_exactly_alike(root: Conversation) -> None:
    root.queue(0x11)
    peer = Counterpart(root.join(0x12, ("10.0.0.3", 1)))
    twin = copy.deepcopy(root)
    for one in (root, twin):
        one.say(peer.probe(), peer.end.peer)
        one.queue(0x13, ("10.0.0.4", 1))
        one.endpoint.expire_timers(50.0)
        one.answers()
    assert root.heard == twin.heard
    assert root.reports() == twin.reports()
    assert root.endpoint.by_tag.keys() == twin.endpoint.by_tag.keys()
    assert not set(root.endpoint.by_tag.values()) & set(twin.endpoint.by_tag.values())


# Groups, broadcasts, floods -------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", [("239.1.1.1", 5), ("255.255.255.255", 5), ("0.0.0.0", 5), ("10.0.0.66", 0)]
)
def test_nobody_and_groups_get_no_answer(root: Conversation, source: tuple[str, int]) -> None:
    request = encode(join_request(Role.C_LEAF_TO_ROOT, 0xA))
    root.endpoint.receive_untrusted(request, source, ROOT, root.now_s)
    assert root.answers() == []
    assert root.rules() == ["R16 R103"]


def test_what_was_sent_to_a_group_gets_no_answer(root: Conversation) -> None:
    request = encode(join_request(Role.C_LEAF_TO_ROOT, 0xA))
    root.endpoint.receive_untrusted(request, ELSEWHERE, ("239.1.1.1", 61717), root.now_s)
    assert root.answers() == []


def test_refusals_without_proof_are_limited_per_source(root: Conversation) -> None:
    root.endpoint.stop_listening(RejectReason.SESSION_CLOSING, root.now_s)
    request = encode(join_request(Role.C_LEAF_TO_ROOT, 0xA))
    for _ in range(1500):
        root.endpoint.receive_untrusted(request, ELSEWHERE, ROOT, root.now_s)
    assert len(root.answers()) == 1000
    root.endpoint.receive_untrusted(request, ("10.0.0.67", 1), ROOT, root.now_s)
    assert len(root.answers()) == 1
