"""How a member takes data: delivery, DATA_ACK, NACK, SYNC (protocol.md 11)."""

import pytest

from mpwire.core.events import (
    BacklogChanged,
    CloseRequested,
    DataReceived,
    DataSubmitted,
    DataTaken,
    Ended,
)
from mpwire.core.inflow import BUFFER, INITIAL_WINDOW, NACK_SENDS, SERIES_IN_VAIN
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.ends import (
    LEAF_ID,
    OTHER_LEAF,
    PEER_SEQ,
    Counterpart,
    Ends,
    joined_leaf,
    joined_root,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Close, Data, DataAck, Nack
from mpwire.wire.registries import AbortReason, CloseReason, LeafDirection

# DATA_ACK -------------------------------------------------------------------------------------


def test_eight_messages_are_acknowledged_at_once_and_fewer_a_little_later(ends: Ends) -> None:
    play, peer = ends()
    for number in range(7):
        play.feed(peer.data(PEER_SEQ + number)).expect(reported(DataReceived))
    play.feed(peer.data(PEER_SEQ + 7)).expect(
        reported(DataReceived), sent(DataAck, seq=1, rcv_next=PEER_SEQ + 8, window=BUFFER - 8)
    )
    play.feed(peer.data(PEER_SEQ + 8)).expect(reported(DataReceived))
    play.expire(TimerName.ACKNOWLEDGE).expect(
        sent(DataAck, seq=2, rcv_next=PEER_SEQ + 9, window=BUFFER - 9)
    )


def test_nothing_is_acknowledged_twice(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))
    play.feed(peer.sync(PEER_SEQ + 1)).expect(sent(DataAck))
    play.expire(TimerName.ACKNOWLEDGE).finish()


def test_reading_reopens_a_window_that_was_nearly_closed(ends: Ends) -> None:
    play, peer = ends()
    for number in range(INITIAL_WINDOW - 7):
        play.feed(peer.data(PEER_SEQ + number))
        play.unclaimed.clear()
    play.expire(TimerName.ACKNOWLEDGE).expect(sent(DataAck))
    play.feed(DataTaken(peer.own_id, 1)).finish()


def test_best_effort_knows_no_acknowledgement(ends: Ends) -> None:
    play, peer = ends(caps=0)
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(peer.data_ack(101)).expect(dropped("R110"))
    play.feed(peer.nack((100, 100))).expect(dropped("R91"))
    play.feed(peer.sync()).expect(dropped("R92"))
    play.feed(DataTaken(peer.own_id, 1)).finish()
    play.feed(BacklogChanged(9)).finish()


# NACK and repairs -----------------------------------------------------------------------------


def test_progress_begins_a_new_series(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(PEER_SEQ + 2)).finish()
    play.expire(TimerName.NACK).expect(sent(Nack, ranges=((PEER_SEQ, PEER_SEQ + 1),)))
    play.expire(TimerName.ACKNOWLEDGE).expect(sent(DataAck, rcv_next=PEER_SEQ))
    play.expire(TimerName.NACK).expect(sent(Nack, ranges=((PEER_SEQ, PEER_SEQ + 1),)))
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))
    before_s = play.now_s
    play.expire(TimerName.NACK).expect(sent(Nack, ranges=((PEER_SEQ + 1, PEER_SEQ + 1),)))
    assert play.now_s - before_s == pytest.approx(0.02)
    play.feed(peer.data(PEER_SEQ + 1)).expect(reported(DataReceived), reported(DataReceived))
    assert TimerName.NACK not in play.timers


def test_a_gap_that_does_not_move_begins_nothing_new(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(PEER_SEQ + 2)).finish()
    due_s = play.timers[TimerName.NACK]
    play.advance(0.01)
    play.feed(peer.data(PEER_SEQ + 3)).finish()
    assert play.timers[TimerName.NACK] == due_s


# An origin that promises what never comes ------------------------------------------------------


def answers_only(play: Playbook, peer: Counterpart, duration_s: float) -> list[float]:
    """Let an origin answer each NACK by the same SYNC; return when it was asked, within a time."""
    asked_s: list[float] = []
    end_s = play.now_s + duration_s
    play.unclaimed.clear()
    while play.timers and min(play.timers.values()) <= end_s:
        play.expire()
        if any(isinstance(one, Nack) for one in play.unclaimed):
            asked_s.append(play.now_s)
            play.unclaimed.clear()
            play.feed(peer.sync(PEER_SEQ + 1))
        play.unclaimed.clear()
    return asked_s


def test_an_origin_that_answers_by_sync_is_asked_less_and_less_often(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 1))
    asked_s = answers_only(play, peer, 30.0)
    begun = [place for place in range(1, len(asked_s)) if is_first(asked_s, place)]
    assert begun == [3, 7, 12, 18, 25, 33, 41, 49, 57]
    assert asked_s[33] == pytest.approx(9.98)
    assert asked_s[41] - asked_s[33] == pytest.approx(5.1)


def is_first(asked_s: list[float], place: int) -> bool:
    """Tell whether a NACK is the first of a series: T_NACK after the one before."""
    return asked_s[place] - asked_s[place - 1] == pytest.approx(0.02)


def test_what_such_an_origin_promises_counts_as_lost_when_a_dead_one_would_be_given_up(
    ends: Ends,
) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 1))
    asked_s = answers_only(play, peer, 200.0)
    assert peer.end.state is State.GONE
    assert asked_s[0] + 45 + 5 <= asked_s[-1] < asked_s[0] + 45 + 2 * 5.1
    assert len(asked_s) < 100
    assert play.last(Abort).reason == AbortReason.DATA_LOST


def test_an_origin_that_never_repairs_is_given_up_at_its_sync(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.data(PEER_SEQ + 1)).finish()
    for at_s in (0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75, 51.75):  # the law of SYNC (11.4)
        play.advance(at_s - play.now_s)
        play.unclaimed.clear()
        play.feed(peer.sync(PEER_SEQ + 2)).expect(sent(DataAck))
        assert play.timers[TimerName.NACK] == pytest.approx(at_s + 0.02)
    play.advance(20)
    play.unclaimed.clear()
    play.feed(peer.sync(PEER_SEQ + 2)).expect(
        sent(Abort, reason=AbortReason.DATA_LOST),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )


def test_a_path_that_was_down_for_long_is_no_reason_to_give_up(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 1))
    answers_only(play, peer, 5.0)
    peer.end.heard_s = play.now_s + 60  # whatever tells that the peer lives
    play.advance(60)
    play.unclaimed.clear()
    play.feed(peer.sync(PEER_SEQ + 1)).expect(sent(DataAck))
    play.expire(TimerName.NACK).expect(sent(Nack))
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))


def test_progress_makes_an_origin_credible_again(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 2))
    answers_only(play, peer, 44.0)
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived))
    answers_only(play, peer, 10.0)
    assert peer.end.state is State.JOINED
    play.feed(peer.data(PEER_SEQ + 1)).expect(reported(DataReceived))
    assert peer.end.inflow is not None
    assert not peer.end.inflow.has_gap


def test_what_has_not_left_yet_is_not_promised(ends: Ends) -> None:
    """The FinalSeq of a CLOSE_ACK counts what waits for the pace; SYNC does not."""
    play, peer = ends()
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close))
    play.feed(peer.close_ack(PEER_SEQ + 5))
    flow = peer.end.inflow
    assert flow is not None
    flow.asked, flow.in_vain, flow.asked_s = NACK_SENDS, SERIES_IN_VAIN, -100.0
    play.unclaimed.clear()
    play.feed(peer.sync(PEER_SEQ)).expect(sent(DataAck))
    assert peer.end.state is State.DRAINING


def test_a_sync_never_leaves_a_gap_without_a_series() -> None:
    """A series that went on for another origin may end when this one was hardly asked."""
    play, peer = joined_leaf()
    play.feed(peer.sync(900, 900, origin=OTHER_LEAF)).expect(sent(DataAck))
    play.feed(peer.data(PEER_SEQ + 1)).finish()
    play.advance(4)
    play.unclaimed.clear()
    play.feed(peer.relayed(901)).finish()
    play.feed(peer.data(PEER_SEQ)).expect(reported(DataReceived), reported(DataReceived))
    play.advance(2)
    play.unclaimed.clear()
    assert TimerName.NACK not in play.timers
    play.feed(peer.sync(902, 900, origin=OTHER_LEAF)).expect(sent(DataAck))
    play.expire(TimerName.NACK).expect(sent(Nack, origin=OTHER_LEAF))


# SYNC -----------------------------------------------------------------------------------------


def test_sync_reveals_a_loss_and_is_acknowledged(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 2)).expect(sent(DataAck, rcv_next=PEER_SEQ))
    play.expire(TimerName.NACK).expect(sent(Nack, ranges=((PEER_SEQ, PEER_SEQ + 1),)))


def test_a_sync_of_one_origin_does_not_put_off_the_question_for_another() -> None:
    play, peer = joined_leaf()
    play.feed(peer.sync(900, 900, origin=OTHER_LEAF)).expect(sent(DataAck))
    play.feed(peer.data(PEER_SEQ + 1)).finish()
    for number in range(1, 4):
        play.advance(0.006)
        play.feed(peer.sync(900 + number, 900, origin=OTHER_LEAF)).expect(sent(DataAck))
    assert play.timers[TimerName.NACK] == 0.02
    play.feed(peer.sync(900, 900, origin=OTHER_LEAF)).expect(sent(DataAck))
    play.expire(TimerName.NACK).expect(sent(Nack), sent(Nack, origin=OTHER_LEAF))


def test_what_can_be_repaired_no_more_ends_the_membership(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 2, PEER_SEQ + 1)).expect(
        sent(Abort, reason=AbortReason.DATA_LOST),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )


def test_a_sync_beyond_the_window_is_no_sync(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + INITIAL_WINDOW + 1)).expect(dropped("R109"))


def test_a_sender_only_leaf_hears_no_sync() -> None:
    play, peer = joined_leaf(leaf_dir=LeafDirection.SEND)
    play.feed(peer.sync()).expect(dropped("R92"))


def test_nobody_is_relayed_what_is_its_own() -> None:
    play, peer = joined_leaf()
    play.feed(peer.relayed(900, origin=LEAF_ID)).expect(dropped("R82"))
    play.feed(peer.sync(900, 900, origin=LEAF_ID)).expect(dropped("R92"))


# Relay ----------------------------------------------------------------------------------------


def test_a_relayed_origin_begins_where_sync_says() -> None:
    play, peer = joined_leaf()
    play.feed(peer.relayed(900)).expect(dropped("R82"))
    play.feed(peer.sync(901, 900, origin=OTHER_LEAF)).expect(sent(DataAck, origin=OTHER_LEAF))
    play.expire(TimerName.NACK).expect(sent(Nack, origin=OTHER_LEAF, ranges=((900, 900),)))
    play.feed(peer.relayed(900)).expect(
        reported(DataReceived, origin=OTHER_LEAF, payload=b"theirs", seq=900)
    )


def test_best_effort_relay_begins_with_the_first_message() -> None:
    play, peer = joined_leaf(caps=0)
    play.feed(peer.relayed(900)).expect(reported(DataReceived, origin=OTHER_LEAF))


def test_the_slowest_receiver_closes_the_window_of_the_origin_and_reopens_it() -> None:
    play, peer = joined_root()
    play.feed(BacklogChanged(BUFFER)).finish()
    for number in range(INITIAL_WINDOW - 6):
        play.feed(peer.data(PEER_SEQ + number))
        play.unclaimed.clear()
        play.feed(DataTaken(LEAF_ID, 1)).finish()
    play.feed(BacklogChanged(BUFFER // 2)).expect(sent(DataAck, window=BUFFER // 2))
