"""How a member carries data: DATA_ACK, NACK, repairs, SYNC, relay (protocol.md 11)."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from mpwire.core.events import (
    Admitted,
    BacklogChanged,
    CloseRequested,
    DataReceived,
    DataSubmitted,
    DataTaken,
    Ended,
    Joined,
    RoomMade,
)
from mpwire.core.inflow import BUFFER, INITIAL_WINDOW
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.ends import (
    LEAF_ID,
    PEER_SEQ,
    Counterpart,
    asked_root,
    joined_leaf,
    joined_root,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Accept, Close, Data, DataAck, Nack, Sync
from mpwire.wire.registries import AbortReason, CloseReason, DataFlag, LeafDirection

OTHER_LEAF = 7
Ends: TypeAlias = Callable[..., tuple[Playbook, Counterpart]]


@pytest.fixture(params=[joined_leaf, joined_root], ids=["leaf", "root"])
def ends(request: pytest.FixtureRequest) -> Ends:
    """Give both kinds of member."""
    ends: Ends = request.param
    return ends


def relayed(
    peer: Counterpart, seq: int, payload: bytes = b"theirs", origin: int = OTHER_LEAF
) -> Data:
    """Pass on a message of another leaf."""
    return peer.data(seq, payload, origin=origin, dflags=DataFlag.RELAYED, hop=1)


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


@pytest.mark.parametrize("changes", [{"origin": OTHER_LEAF}, {"rcv_next": 102}, {"window": 5000}])
def test_a_data_ack_that_cannot_be_true_is_dropped(ends: Ends, changes: dict[str, int]) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(replace(peer.data_ack(101), **changes)).expect(dropped("R110"))
    play.feed(peer.data_ack(101)).finish()


def test_best_effort_knows_no_acknowledgement(ends: Ends) -> None:
    play, peer = ends(caps=0)
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(peer.data_ack(101)).expect(dropped("R110"))
    play.feed(peer.nack((100, 100))).expect(dropped("R91"))
    play.feed(peer.sync()).expect(dropped("R92"))
    play.feed(DataTaken(peer.own_id, 1)).finish()
    play.feed(BacklogChanged(9)).finish()


# NACK and repairs -----------------------------------------------------------------------------


def test_a_nack_earns_repairs_and_each_counts(ends: Ends) -> None:
    play, peer = ends()
    for seq in (100, 101):
        play.feed(DataSubmitted(seq, b"%d" % seq)).expect(sent(Data, attempt=1, dflags=0))
    play.feed(peer.nack((100, 101))).expect(
        sent(Data, seq=100, attempt=2, dflags=DataFlag.REPAIR, payload=b"100"),
        sent(Data, seq=101, attempt=2, dflags=DataFlag.REPAIR, payload=b"101"),
    )
    play.feed(peer.nack((101, 101))).expect(sent(Data, seq=101, attempt=3))


def test_a_nack_for_what_has_arrived_is_answered_by_sync(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(peer.data_ack(101)).finish()
    play.feed(peer.nack((100, 100))).expect(sent(Sync, seq=101, trail_seq=101))


def test_a_nack_of_a_stranger_to_the_session_is_dropped(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.nack((100, 100), origin=OTHER_LEAF)).expect(dropped("R91"))


def test_a_closing_end_repairs_but_sends_no_sync(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close))
    play.feed(peer.nack((100, 100))).expect(sent(Data, attempt=2))
    play.feed(peer.data_ack(101)).finish()
    play.feed(peer.nack((100, 100))).finish()


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


def test_sync_is_sent_less_and_less_often_until_all_has_arrived(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    times_s = []
    for copy in (1, 2, 3):
        play.expire(TimerName.SYNC).expect(sent(Sync, seq=101, trail_seq=100, attempt=copy))
        times_s.append(play.now_s)
    assert times_s == pytest.approx([0.25, 0.75, 1.75])
    play.feed(peer.data_ack(101)).finish()
    assert TimerName.SYNC not in play.timers


def test_sync_reveals_a_loss_and_is_acknowledged(ends: Ends) -> None:
    play, peer = ends()
    play.feed(peer.sync(PEER_SEQ + 2)).expect(sent(DataAck, rcv_next=PEER_SEQ))
    play.expire(TimerName.NACK).expect(sent(Nack, ranges=((PEER_SEQ, PEER_SEQ + 1),)))


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
    play.feed(relayed(peer, 900, origin=LEAF_ID)).expect(dropped("R82"))
    play.feed(peer.sync(900, 900, origin=LEAF_ID)).expect(dropped("R92"))


# Relay ----------------------------------------------------------------------------------------


def test_a_relayed_origin_begins_where_sync_says() -> None:
    play, peer = joined_leaf()
    play.feed(relayed(peer, 900)).expect(dropped("R82"))
    play.feed(peer.sync(901, 900, origin=OTHER_LEAF)).expect(sent(DataAck, origin=OTHER_LEAF))
    play.expire(TimerName.NACK).expect(sent(Nack, origin=OTHER_LEAF, ranges=((900, 900),)))
    play.feed(relayed(peer, 900)).expect(
        reported(DataReceived, origin=OTHER_LEAF, payload=b"theirs", seq=900)
    )


def test_best_effort_relay_begins_with_the_first_message() -> None:
    play, peer = joined_leaf(caps=0)
    play.feed(relayed(peer, 900)).expect(reported(DataReceived, origin=OTHER_LEAF))


def test_a_root_tells_where_an_origin_starts_before_it_relays() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(
        sent(Sync, origin=OTHER_LEAF, seq=900, trail_seq=900),
        sent(Data, origin=OTHER_LEAF, seq=900, dflags=DataFlag.RELAYED, hop=1),
    )
    play.feed(DataSubmitted(901, b"more", OTHER_LEAF)).expect(sent(Data))
    play.feed(peer.nack((901, 901), origin=OTHER_LEAF)).expect(
        sent(Data, attempt=2, dflags=DataFlag.RELAYED | DataFlag.REPAIR)
    )


def test_best_effort_relay_needs_no_beginning() -> None:
    play, _ = joined_root(caps=0)
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(sent(Data, origin=OTHER_LEAF))


def test_a_root_that_closes_lets_what_it_relays_arrive_first() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(sent(Sync), sent(Data))
    play.feed(CloseRequested(CloseReason.EXPEL)).finish()
    play.feed(CloseRequested(CloseReason.DISMANTLE)).finish()
    play.feed(peer.data_ack(901, origin=OTHER_LEAF))
    assert isinstance(play.last(Close), Close)
    assert peer.end.state is State.CLOSING


def test_it_does_not_wait_for_ever() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(sent(Sync), sent(Data))
    play.feed(CloseRequested(CloseReason.EXPEL)).finish()
    play.advance(6.1)
    assert isinstance(play.last(Close), Close)
    assert peer.end.state is State.CLOSING


def test_the_slowest_receiver_closes_the_window_of_the_origin_and_reopens_it() -> None:
    play, peer = joined_root()
    play.feed(BacklogChanged(BUFFER)).finish()
    for number in range(INITIAL_WINDOW - 6):
        play.feed(peer.data(PEER_SEQ + number))
        play.unclaimed.clear()
        play.feed(DataTaken(LEAF_ID, 1)).finish()
    play.feed(BacklogChanged(BUFFER // 2)).expect(sent(DataAck, window=BUFFER // 2))


def test_data_held_back_for_a_leaf_makes_room_when_it_is_joined() -> None:
    play, peer = asked_root()
    play.feed(Admitted(None)).expect(sent(Accept))
    for number in range(INITIAL_WINDOW):
        play.feed(DataSubmitted(100 + number, b"")).finish()
    assert not peer.end.has_room
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(dropped("D35"))
    play.feed(peer.confirm()).expect(reported(Joined))
    assert sum(isinstance(message, Data) for message in play.messages) == INITIAL_WINDOW


def test_best_effort_makes_room_by_joining() -> None:
    play, peer = asked_root(caps=0)
    play.feed(Admitted(None)).expect(sent(Accept))
    for number in range(INITIAL_WINDOW):
        play.feed(DataSubmitted(100 + number, b"")).finish()
    play.feed(peer.confirm())
    assert any(isinstance(one, RoomMade) for one in play.unclaimed)
