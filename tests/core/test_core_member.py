"""A member while it is one: data, keepalive, and every way to end."""

from collections.abc import Callable

import pytest

from mpwire.core.events import (
    AbortRequested,
    CloseRequested,
    DataReceived,
    DataSubmitted,
    Ended,
    NetworkUnreachable,
    PortUnreachable,
)
from mpwire.core.inflow import NACK_SENDS
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.ends import PEER_SEQ, PEER_TAG, Counterpart, joined_leaf, joined_root
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Close,
    CloseAck,
    Confirm,
    Data,
    DataAck,
    Nack,
    Probe,
    ProbeAck,
)
from mpwire.wire.registries import (
    AbortReason,
    CloseAckFlag,
    CloseFlag,
    CloseReason,
    LeafDirection,
)

Ends = Callable[..., tuple[Playbook, Counterpart]]
SUCCESS, ABORTED, RESET = WsaError.SUCCESS, WsaError.WSAECONNABORTED, WsaError.WSAECONNRESET
LEAVE = CloseRequested(CloseReason.LEAVE)
END = PEER_SEQ - 1
"""FinalSeq of a peer that sent no data."""


@pytest.fixture(params=[joined_leaf, joined_root])
def ends(request: pytest.FixtureRequest) -> Ends:
    """Give each end of a membership."""
    chosen: Ends = request.param
    return chosen


def suspect(ends: Ends = joined_leaf) -> tuple[Playbook, Counterpart]:
    """Bring an end to SUSPECT."""
    play, peer = ends()
    play.expire(TimerName.KEEPALIVE).expect(sent(Probe, attempt=1))
    return play, peer


def closing(ends: Ends = joined_leaf) -> tuple[Playbook, Counterpart]:
    """Bring an end to CLOSING."""
    play, peer = ends()
    play.feed(LEAVE).expect(sent(Close, attempt=1))
    return play, peer


def draining(ends: Ends = joined_leaf, missing: int = 1) -> tuple[Playbook, Counterpart]:
    """Bring an end to DRAINING, with so many messages missing."""
    play, peer = ends()
    play.feed(peer.close(final_seq=END + missing)).expect(
        sent(CloseAck, ack_flags=CloseAckFlag.DATA_MISSING, rcv_next=PEER_SEQ)
    )
    return play, peer


def lingering(ends: Ends = joined_leaf) -> tuple[Playbook, Counterpart]:
    """Bring an end to LINGERING."""
    play, peer = ends()
    play.feed(peer.close()).expect(sent(CloseAck), reported(Ended, code=SUCCESS))
    return play, peer


# Data -----------------------------------------------------------------------------------------


def test_data_goes_out_with_its_number_and_origin(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"hi")).expect(
        sent(
            Data,
            seq=100,
            payload=b"hi",
            origin=peer.end.identity.own_id,
            sender_id=peer.end.identity.own_id,
            destination_tag=PEER_TAG,
            attempt=1,
            hop=0,
        )
    )


def test_data_is_delivered_once(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(PEER_SEQ, b"a")).expect(
        reported(DataReceived, payload=b"a", origin=peer.end.identity.peer_id)
    )
    play.feed(peer.data(PEER_SEQ, b"a")).expect(dropped("R84"))
    play.feed(peer.data(PEER_SEQ - 1)).expect(dropped("R84"))


def test_data_of_a_foreign_origin_is_refused(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(origin=77)).expect(dropped("R82"))


def test_data_without_payload_is_refused(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(payload=None)).expect(dropped("R10"))


@pytest.mark.parametrize(
    ("ends_of", "leaf_dir"),
    [(joined_leaf, LeafDirection.SEND), (joined_root, LeafDirection.RECEIVE)],
)
def test_data_against_the_direction_is_refused(ends_of: Ends, leaf_dir: LeafDirection) -> None:
    play, peer = ends_of(leaf_dir=leaf_dir)
    play.feed(peer.data()).expect(dropped("R81"))
    assert peer.end.may_send
    assert not peer.end.may_receive


# Keepalive ------------------------------------------------------------------------------------


def test_a_silent_peer_is_probed_four_times_and_declared_dead(ends: Ends) -> None:
    play, peer = ends()
    play.expire(TimerName.KEEPALIVE)
    assert 16 <= play.now_s <= 24
    play.expect(sent(Probe, attempt=1, destination_tag=PEER_TAG))
    nonce = play.last(Probe).nonce
    for attempt in (2, 3, 4):
        play.expire().expect(sent(Probe, attempt=attempt, nonce=nonce))
    play.expire().expect(
        sent(Abort, reason=AbortReason.PEER_DEAD, echo_seq=play.last(Probe).seq),
        forgotten(),
        reported(Ended, code=ABORTED),
    )
    assert play.now_s < 45
    assert peer.end.state is State.GONE
    assert not play.timers


def test_a_peer_that_was_heard_is_not_probed_yet() -> None:
    play, peer = joined_leaf()
    play.advance(15.0)
    play.feed(peer.probe()).expect(sent(ProbeAck))
    play.expire(TimerName.KEEPALIVE).finish()
    assert play.timers[TimerName.KEEPALIVE] >= 15.0 + 16.0
    play.expire(TimerName.KEEPALIVE).expect(sent(Probe))


def test_any_message_of_the_peer_refutes_the_suspicion(ends: Ends) -> None:
    play, peer = suspect(ends)
    play.feed(peer.data()).expect(reported(DataReceived))
    assert peer.end.state is State.JOINED
    assert set(play.timers) == {TimerName.KEEPALIVE, TimerName.ACKNOWLEDGE}
    assert peer.end.outstanding is None


def test_a_probe_ack_refutes_it_only_with_our_nonce(ends: Ends) -> None:
    play, peer = suspect(ends)
    nonce = play.last(Probe).nonce
    play.feed(peer.probe_ack(nonce=nonce ^ 1)).expect(dropped("R69"))
    assert set(play.timers) == {TimerName.RETRANSMIT}
    play.feed(peer.probe_ack()).finish()
    assert peer.end.state is State.JOINED


def test_icmp_neither_refutes_nor_confirms_it() -> None:
    play, peer = suspect()
    play.feed(PortUnreachable()).expect(dropped("table"))
    play.feed(NetworkUnreachable()).expect(dropped("table"))
    assert peer.end.state is State.SUSPECT


def test_a_probe_ack_to_nothing_is_ignored() -> None:
    play, peer = joined_leaf()
    play.feed(peer.probe_ack()).expect(dropped("table"))


def test_every_probe_has_a_fresh_nonce() -> None:
    play, peer = suspect()
    first = play.last(Probe).nonce
    play.feed(peer.probe_ack())
    play.expire().expect(sent(Probe))
    assert play.last(Probe).nonce != first


def test_a_probe_is_answered_with_what_was_received(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))
    play.feed(peer.probe(nonce=5, attempt=3)).expect(
        sent(ProbeAck, nonce=5, attempt=3, seq=800, rcv_next=PEER_SEQ + 1, loss_permille=0)
    )


def test_a_suspect_can_still_be_written_to_closed_and_aborted() -> None:
    play, _ = suspect()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(LEAVE).expect(sent(Close))
    play, _ = suspect()
    play.feed(AbortRequested()).expect(sent(Abort), forgotten(), reported(Ended))


# Closing from here ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "cflags"),
    [
        (CloseReason.LEAVE, 0),
        (CloseReason.EXPEL, 0),
        (CloseReason.DISMANTLE, CloseFlag.DISMANTLE),
    ],
)
def test_close_says_why_and_what_was_sent_last(reason: CloseReason, cflags: int) -> None:
    play, _ = joined_leaf()
    play.feed(CloseRequested(reason)).expect(
        sent(Close, reason=reason, cflags=cflags, final_seq=99, seq=8, attempt=1)
    )
    play, _ = joined_leaf()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(CloseRequested(reason)).expect(sent(Close, final_seq=100))


def test_close_ack_ends_gracefully(ends: Ends) -> None:
    play, peer = closing(ends)
    play.feed(peer.close_ack()).expect(reported(Ended, code=SUCCESS))
    assert peer.end.state is State.LINGERING
    play.expire(TimerName.LIMIT).expect(forgotten())
    assert play.now_s == 40.0


def test_close_is_repeated_unchanged_and_given_up_aloud(ends: Ends) -> None:
    play, _ = closing(ends)
    first = play.last(Close)
    for attempt in (2, 3, 4, 5):
        play.expire().expect(sent(Close, attempt=attempt))
        copy = play.last(Close)
        copy.attempt = 1
        assert copy == first
        copy.attempt = attempt
    play.expire().expect(
        sent(Abort, reason=AbortReason.CLOSE_TIMEOUT, echo_seq=first.seq),
        forgotten(),
        reported(Ended, code=ABORTED),
    )


def test_a_crossing_close_is_acknowledged_and_ends_it(ends: Ends) -> None:
    play, peer = closing(ends)
    play.feed(peer.close()).expect(
        sent(CloseAck, ack_flags=0, final_seq=99), reported(Ended, code=SUCCESS)
    )
    assert peer.end.state is State.LINGERING


def test_data_on_its_way_is_still_delivered_while_closing(ends: Ends) -> None:
    play, peer = closing(ends)
    play.feed(peer.data()).expect(reported(DataReceived))
    play.feed(peer.close_ack(final_seq=PEER_SEQ)).expect(
        sent(DataAck, rcv_next=PEER_SEQ + 1), reported(Ended)
    )


def test_what_the_peer_sent_before_it_saw_our_close_is_waited_for(ends: Ends) -> None:
    for answer in ("close_ack", "close"):
        play, peer = closing(ends)
        play.feed(getattr(peer, answer)(final_seq=PEER_SEQ))
        play.unclaimed.clear()
        assert peer.end.state is State.DRAINING
        play.feed(peer.data()).expect(
            reported(DataReceived), sent(DataAck), reported(Ended, code=SUCCESS)
        )


def test_a_member_that_does_not_receive_waits_for_no_data() -> None:
    play, peer = joined_leaf(leaf_dir=LeafDirection.SEND)
    play.feed(peer.close(final_seq=END + 5)).expect(sent(CloseAck), reported(Ended))


def test_closing_answers_probes_and_confirms_again(ends: Ends) -> None:
    play, peer = closing(ends)
    play.feed(peer.probe()).expect(sent(ProbeAck))
    play.feed(peer.accept(attempt=2)).expect(sent(Confirm, attempt=2))


def test_closing_the_handle_changes_nothing_about_a_close_that_is_out() -> None:
    play, peer = closing()
    play.feed(CloseRequested(CloseReason.DISMANTLE)).finish()
    assert peer.end.state is State.CLOSING


# Closing from there ---------------------------------------------------------------------------


def test_close_of_the_peer_is_acknowledged_and_ends_it(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.close(attempt=2)).expect(
        sent(CloseAck, seq=900, attempt=2, ack_flags=0, rcv_next=PEER_SEQ, final_seq=99),
        reported(Ended, code=SUCCESS),
    )
    play.finish()
    assert set(play.timers) == {TimerName.LIMIT}


def test_close_ack_never_claims_more_than_the_peer_says_it_sent() -> None:
    play, peer = joined_leaf()
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))
    play.feed(peer.close(final_seq=END)).expect(
        sent(CloseAck, ack_flags=0, rcv_next=PEER_SEQ), reported(Ended)
    )


def test_missing_data_delays_the_end_until_it_comes(ends: Ends) -> None:
    play, peer = draining(ends, missing=2)
    play.feed(peer.data(PEER_SEQ + 1)).finish()
    play.feed(peer.data(PEER_SEQ)).expect(
        reported(DataReceived),
        reported(DataReceived),
        sent(DataAck, rcv_next=PEER_SEQ + 2),
        reported(Ended, code=SUCCESS),
    )
    assert peer.end.state is State.LINGERING


def test_missing_data_is_not_waited_for_forever(ends: Ends) -> None:
    play, _ = draining(ends)
    for _ in range(NACK_SENDS):
        play.expire(TimerName.NACK).expect(sent(Nack, ranges=((PEER_SEQ, PEER_SEQ),)))
    assert 5.0 < play.now_s < 5.2
    play.expire(TimerName.LIMIT).expect(reported(Ended, code=ABORTED))
    assert play.now_s == 6.0


def test_best_effort_ends_gracefully_whatever_is_missing(ends: Ends) -> None:
    play, peer = ends(caps=0)
    play.feed(peer.close(final_seq=END + 1)).expect(sent(CloseAck))
    play.expire(TimerName.LIMIT).expect(reported(Ended, code=SUCCESS))


def test_whatever_arrives_of_it_renews_the_patience(ends: Ends) -> None:
    play, peer = draining(ends, missing=3)
    play.advance(5.5)
    play.unclaimed.clear()
    play.feed(peer.data(PEER_SEQ + 1)).finish()
    assert play.timers[TimerName.LIMIT] == 11.5
    assert play.timers[TimerName.NACK] == 5.52
    play.advance(5.5)
    play.unclaimed.clear()
    play.feed(peer.data(PEER_SEQ + 1)).expect(dropped("R84"))
    assert play.timers[TimerName.LIMIT] == 11.5
    play.advance(0.6)
    assert any(isinstance(one, Ended) for one in play.unclaimed)


def test_a_copy_of_close_renews_the_patience_and_the_questions(ends: Ends) -> None:
    play, peer = draining(ends)
    play.advance(5.5)
    play.unclaimed.clear()
    assert TimerName.NACK not in play.timers
    play.feed(peer.close(final_seq=PEER_SEQ, attempt=4)).expect(sent(CloseAck, attempt=4))
    assert play.timers[TimerName.LIMIT] == 11.5
    play.expire(TimerName.NACK).expect(sent(Nack))


def test_no_copy_of_close_brings_what_nobody_repairs(ends: Ends) -> None:
    play, peer = ends(caps=0)
    play.feed(peer.close(final_seq=END + 1)).expect(sent(CloseAck))
    play.advance(3.0)
    play.feed(peer.close(final_seq=END + 1, attempt=2)).expect(sent(CloseAck))
    play.expire(TimerName.LIMIT).expect(reported(Ended, code=SUCCESS))
    assert play.now_s == 6.0


def test_best_effort_that_comes_late_is_waited_for(ends: Ends) -> None:
    play, peer = ends(caps=0)
    play.feed(peer.close(final_seq=END + 2)).expect(sent(CloseAck))
    play.advance(5.0)
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))
    play.advance(5.0)
    play.feed(peer.data(PEER_SEQ + 1)).expect(reported(DataReceived), reported(Ended, code=SUCCESS))


@pytest.mark.parametrize("call", [LEAVE, AbortRequested()])
def test_draining_ends_when_this_end_is_done_too(call: CloseRequested | AbortRequested) -> None:
    play, peer = draining()
    play.feed(call).expect(reported(Ended, code=SUCCESS))
    assert peer.end.state is State.LINGERING


def test_draining_still_answers(ends: Ends) -> None:
    play, peer = draining(ends)
    play.feed(peer.probe()).expect(sent(ProbeAck, rcv_next=PEER_SEQ))
    play.feed(peer.close(final_seq=PEER_SEQ, attempt=2)).expect(
        sent(CloseAck, attempt=2, ack_flags=CloseAckFlag.DATA_MISSING)
    )


def test_lingering_answers_copies_of_close_and_sync_and_nothing_else(ends: Ends) -> None:
    play, peer = lingering(ends)
    play.feed(peer.close(attempt=2)).expect(sent(CloseAck, attempt=2, ack_flags=0))
    play.feed(peer.sync()).expect(sent(DataAck, rcv_next=PEER_SEQ))
    play.feed(peer.sync(origin=77)).finish()
    play.feed(peer.data()).expect(dropped("table"))
    play.feed(peer.probe()).expect(dropped("table"))
    play.feed(peer.abort()).expect(dropped("table"))
    play.feed(LEAVE).finish()
    play.feed(AbortRequested()).finish()
    play.expire(TimerName.LIMIT).expect(forgotten())
    assert not play.timers


# Aborting -------------------------------------------------------------------------------------


def ends_in(ends: Ends, *reaches: Ends) -> list[tuple[Playbook, Counterpart]]:
    """Return an end in JOINED, and one in each of the other states."""
    return [ends(), *(reach(ends) for reach in reaches)]


def test_abort_is_one_message_and_the_end(ends: Ends) -> None:
    for play, peer in ends_in(ends, closing):
        play.feed(AbortRequested()).expect(
            sent(Abort, reason=AbortReason.LINGER0, destination_tag=PEER_TAG, attempt=1),
            forgotten(),
            reported(Ended, code=ABORTED),
        )
        assert not play.timers
        assert peer.end.state is State.GONE


def test_an_abort_of_the_peer_ends_it_without_an_answer(ends: Ends) -> None:
    for play, peer in ends_in(ends, suspect, closing, draining):
        play.feed(peer.abort()).expect(forgotten(), reported(Ended, code=RESET))
        play.finish()
        assert peer.end.state is State.GONE
        play.feed(peer.close()).expect(dropped("table"))
