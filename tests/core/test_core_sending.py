"""How a member sends data: in its time, with repairs, and all of it before the end."""

import pytest
from msgspec.structs import replace

from mpwire.core.events import (
    Admitted,
    CloseRequested,
    DataSubmitted,
    Ended,
    Joined,
    RoomMade,
    TimerExpired,
)
from mpwire.core.inflow import INITIAL_WINDOW
from mpwire.core.outflow import Outflow
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.ends import (
    OTHER_LEAF,
    PEER_SEQ,
    Counterpart,
    Ends,
    asked_root,
    joined_root,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Accept, Close, CloseAck, Data, Nack, Sync
from mpwire.wire.registries import AbortReason, CloseAckFlag, CloseReason, DataFlag

# DATA_ACK -------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"origin": OTHER_LEAF}, {"rcv_next": 102}, {"window": 5000}])
def test_a_data_ack_that_cannot_be_true_is_dropped(ends: Ends, changes: dict[str, int]) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(replace(peer.data_ack(101), **changes)).expect(dropped("R110"))
    play.feed(peer.data_ack(101)).finish()


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


# Relay ----------------------------------------------------------------------------------------


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


def test_a_receiver_that_does_not_get_on_learns_how_much_it_was_sent() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(sent(Sync), sent(Data))
    play.feed(DataSubmitted(901, b"more", OTHER_LEAF)).expect(sent(Data))
    play.feed(CloseRequested(CloseReason.EXPEL)).finish()
    play.advance(5.9)
    play.unclaimed.clear()
    play.feed(peer.data_ack(901, origin=OTHER_LEAF))
    play.unclaimed.clear()
    play.advance(5.9)
    play.unclaimed.clear()
    assert peer.end.state is State.JOINED
    peer.end.relayed_out[OTHER_LEAF + 1] = Outflow(1, repairs=True)
    play.advance(0.1).expect(sent(Sync, seq=902, origin=OTHER_LEAF), sent(Close))
    play.feed(peer.nack((901, 901), origin=OTHER_LEAF)).expect(sent(Data, seq=901))
    assert TimerName.SYNC in play.timers


def test_a_receiver_without_room_is_given_up_aloud() -> None:
    """Closing instead would let it believe that nothing is missing."""
    play, _ = joined_root()
    for number in range(INITIAL_WINDOW + 1):
        play.feed(DataSubmitted(900 + number, b"theirs", OTHER_LEAF))
        play.unclaimed.clear()
    play.feed(CloseRequested(CloseReason.EXPEL)).finish()
    play.advance(5.9)
    play.unclaimed.clear()
    play.advance(0.2).expect(
        sent(Abort, reason=AbortReason.CLOSE_TIMEOUT),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )


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


# Before the end -------------------------------------------------------------------------------


def hurried(play: Playbook, peer: Counterpart, count: int = 2) -> None:
    """Submit messages that have to wait for their time."""
    pacer = peer.end.outflow.pacer
    assert pacer is not None
    pacer.rate_pps, pacer.tokens, pacer.filled_s = 1.0, 0.0, play.now_s
    for number in range(count):
        play.feed(DataSubmitted(100 + number, b"%d" % number)).finish()


def test_close_waits_until_the_last_message_has_left(ends: Ends) -> None:
    play, peer = ends()
    hurried(play, peer)
    play.feed(CloseRequested(CloseReason.LEAVE)).finish()
    play.expire(TimerName.PACE).expect(sent(Data, seq=100))
    play.feed(peer.data_ack(101)).finish()
    play.expire(TimerName.SYNC).expect(sent(Sync, seq=101))
    play.expire(TimerName.SYNC).expect(sent(Sync, seq=101))
    play.expire(TimerName.PACE).expect(sent(Data, seq=101), sent(Close, final_seq=101))


def test_it_waits_for_the_pace_however_long_that_takes(ends: Ends) -> None:
    play, peer = ends()
    hurried(play, peer)
    play.feed(CloseRequested(CloseReason.LEAVE)).finish()
    for _ in range(3):
        play.feed(TimerExpired(TimerName.LIMIT)).finish()
        assert play.timers[TimerName.LIMIT] == play.now_s + 6
    assert peer.end.state is State.JOINED


def test_what_is_submitted_leaves_although_the_peer_has_closed(ends: Ends) -> None:
    play, peer = ends()
    hurried(play, peer)
    play.feed(peer.close()).expect(sent(CloseAck, final_seq=101), reported(Ended))
    play.feed(peer.nack((100, 101))).finish()
    play.expire(TimerName.PACE).expect(sent(Data, seq=100, attempt=1, dflags=0))
    play.expire(TimerName.SYNC).expect(sent(Sync, seq=101))
    play.expire(TimerName.SYNC).expect(sent(Sync, seq=101))
    play.expire(TimerName.PACE).expect(sent(Data, seq=101, attempt=1))
    play.feed(peer.nack((100, 100))).expect(sent(Data, seq=100, attempt=2))
    until_s = play.timers[TimerName.LIMIT]
    play.feed(peer.data_ack(101)).finish()
    assert play.timers[TimerName.LIMIT] == play.now_s + 40 > until_s
    play.feed(peer.data_ack(102)).finish()
    assert set(play.timers) == {TimerName.LIMIT}


def test_an_end_that_drains_goes_on_sending(ends: Ends) -> None:
    play, peer = ends()
    hurried(play, peer, 1)
    play.feed(peer.close(final_seq=PEER_SEQ)).expect(sent(CloseAck))
    play.expire(TimerName.NACK).expect(sent(Nack))
    play.feed(TimerExpired(TimerName.PACE)).finish()
    play.advance(1.0)
    assert play.last(Data).seq == 100
    assert peer.end.state is State.DRAINING


def test_what_is_relayed_leaves_no_more_when_the_peer_has_closed() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"theirs", OTHER_LEAF)).expect(sent(Sync), sent(Data))
    (flow,) = peer.end.relayed_out.values()
    assert flow.pacer is not None
    flow.pacer.rate_pps, flow.pacer.tokens = 1.0, 0.0
    play.feed(DataSubmitted(901, b"late", OTHER_LEAF)).finish()
    play.feed(peer.close()).expect(sent(CloseAck), reported(Ended))
    play.feed(TimerExpired(TimerName.PACE)).finish()
    play.feed(peer.nack((900, 901), origin=OTHER_LEAF)).expect(sent(Data, seq=900, attempt=2))
    assert TimerName.SYNC not in play.timers


def test_a_clean_close_ack_acknowledges_everything(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close))
    play.expire(TimerName.SYNC).expect(sent(Sync, seq=101))
    play.feed(peer.close_ack()).expect(reported(Ended, code=WsaError.SUCCESS))
    assert set(play.timers) == {TimerName.LIMIT}


def test_a_close_ack_after_crossing_closes_stops_the_syncs(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close))
    late = peer.close_ack()
    play.feed(peer.close()).expect(sent(CloseAck), reported(Ended, code=WsaError.SUCCESS))
    play.expire(TimerName.SYNC).expect(sent(Sync))
    play.feed(late).finish()
    assert set(play.timers) == {TimerName.LIMIT}


def test_half_a_close_needs_no_room_and_no_sync(ends: Ends) -> None:
    play, peer = ends()
    play.feed(DataSubmitted(100, b"x")).expect(sent(Data))
    play.feed(peer.data_ack(101, window=0)).finish()
    peer.end.outflow.limit = 101
    play.feed(CloseRequested(CloseReason.LEAVE, half=True)).expect(reported(RoomMade), sent(Close))
    assert TimerName.SYNC not in play.timers
    play.feed(peer.close_ack()).finish()
    assert TimerName.SYNC not in play.timers


# Patience -------------------------------------------------------------------------------------


def test_copies_of_close_count_anew_when_the_peer_gets_on(ends: Ends) -> None:
    play, peer = ends()
    for seq in (100, 101):
        play.feed(DataSubmitted(seq, b"x")).expect(sent(Data))
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close))
    while play.last(Close).attempt < 5:
        play.expire()
        play.unclaimed.clear()
    missing = peer.close_ack(ack_flags=CloseAckFlag.DATA_MISSING, rcv_next=101)
    play.feed(missing).finish()
    play.feed(missing).finish()
    while TimerName.RETRANSMIT in play.timers:
        play.unclaimed.clear()
        play.expire()
    assert play.last(Close).attempt == 10
    play.expect(sent(Abort, reason=AbortReason.CLOSE_TIMEOUT), forgotten(), reported(Ended))


def test_no_more_copies_than_can_be_counted(ends: Ends) -> None:
    play, peer = ends()
    play.feed(CloseRequested(CloseReason.LEAVE)).expect(sent(Close))
    assert peer.end.outstanding is not None
    peer.end.outstanding.attempt, peer.end.answered_attempt = 255, 254
    play.feed(TimerExpired(TimerName.RETRANSMIT)).expect(sent(Abort), forgotten(), reported(Ended))


def test_progress_shortens_the_wait_for_the_next_sync(ends: Ends) -> None:
    play, peer = ends()
    for seq in (100, 101):
        play.feed(DataSubmitted(seq, b"x")).expect(sent(Data))
    for _ in range(4):
        play.expire(TimerName.SYNC).expect(sent(Sync))
    play.feed(peer.data_ack(100)).finish()
    assert play.timers[TimerName.SYNC] == play.now_s + 4
    play.feed(peer.data_ack(101)).finish()
    assert play.timers[TimerName.SYNC] == play.now_s + 0.25
