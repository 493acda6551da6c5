"""How a member takes data: delivery, DATA_ACK, NACK, SYNC (protocol.md 11)."""

import pytest

from mpwire.core.events import (
    BacklogChanged,
    DataReceived,
    DataSubmitted,
    DataTaken,
    Ended,
)
from mpwire.core.inflow import BUFFER, INITIAL_WINDOW
from mpwire.core.timers import TimerName
from mpwire.testing.ends import (
    LEAF_ID,
    OTHER_LEAF,
    PEER_SEQ,
    Ends,
    joined_leaf,
    joined_root,
)
from mpwire.testing.playbook import dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Data, DataAck, Nack
from mpwire.wire.registries import AbortReason, LeafDirection

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
