"""Side chat as one end sees it: SIDE one at a time, acknowledged, in order, exactly once (11.9)."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from mpwire.core.events import (
    AbortRequested,
    Admitted,
    CloseRequested,
    DataSubmitted,
    DataTaken,
    Ended,
    Joined,
    SideReceived,
    SideRoomMade,
    SideSubmitted,
)
from mpwire.core.outflow import HIGHEST_ATTEMPT
from mpwire.core.sidechat import QUEUE, UNREAD
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.testing.ends import (
    CAPABILITIES,
    PEER_SEQ,
    Counterpart,
    asked_root,
    invited_leaf,
    joined_leaf,
    joined_root,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Accept, Ack, Close, CloseAck, Confirm, Probe, Side
from mpwire.wire.registries import (
    AbortReason,
    AckedType,
    Capability,
    CloseReason,
    LeafDirection,
    SideFlag,
)

Joining: TypeAlias = Callable[[], tuple[Playbook, Counterpart]]
LEAVE = CloseRequested(CloseReason.LEAVE)


def taken(count: int = 1) -> DataTaken:
    """Say that the application has read so many private messages."""
    return DataTaken(0, count, private=True)


def state_of(peer: Counterpart) -> State:
    """Return where the end stands."""
    return peer.end.state


def until_copy(play: Playbook, peer: Counterpart) -> None:
    """Let the peer answer every PROBE until it is time for a copy of SIDE."""
    while min(play.timers, key=play.timers.__getitem__) is not TimerName.SIDE:
        play.expire(TimerName.KEEPALIVE).expect(sent(Probe))
        play.feed(peer.probe_ack())


# Sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", [joined_leaf, joined_root])
def test_a_private_message_is_repeated_until_it_is_acknowledged(joined: Joining) -> None:
    play, peer = joined()
    play.feed(SideSubmitted(b"one"))
    play.expect(sent(Side, seq=1, attempt=1, payload=b"one", sflags=SideFlag.ACK_REQ))
    for attempt in range(2, 5):
        play.expire(TimerName.SIDE).expect(sent(Side, seq=1, attempt=attempt, payload=b"one"))
    play.feed(peer.side_ack(1, 3))
    assert TimerName.SIDE not in play.timers
    play.feed(SideSubmitted(b"two")).expect(sent(Side, seq=2, attempt=1, payload=b"two"))
    play.finish()


def test_one_message_is_out_at_a_time() -> None:
    play, peer = joined_leaf()
    play.feed(SideSubmitted(b"one")).expect(sent(Side, payload=b"one"))
    play.feed(SideSubmitted(b"two"))
    play.feed(SideSubmitted(b"three"))
    play.feed(peer.side_ack(1)).expect(sent(Side, seq=2, payload=b"two"))
    play.feed(peer.side_ack(2)).expect(sent(Side, seq=3, payload=b"three"))
    play.feed(peer.side_ack(3))
    play.finish()


def test_an_acknowledgement_of_anything_else_is_dropped() -> None:
    play, peer = joined_leaf()
    play.feed(peer.side_ack(1)).expect(dropped("R90"))
    play.feed(SideSubmitted(b"one")).expect(sent(Side))
    play.feed(peer.side_ack(2)).expect(dropped("R90"))
    play.feed(peer.side_ack(1, acked_type=AckedType.MEMBER)).expect(dropped("R90"))
    play.feed(peer.side_ack(1))
    play.feed(peer.side_ack(1)).expect(dropped("R90"))
    play.finish()


def test_room_is_made_by_the_acknowledgement_after_the_queue_was_full() -> None:
    play, peer = joined_root()
    side = peer.end.side
    assert side is not None
    play.feed(SideSubmitted(b"x")).expect(sent(Side))
    rooms = []
    for _ in range(QUEUE - 1):
        rooms.append(side.has_room)
        play.feed(SideSubmitted(b"x"))
    rooms.append(side.has_room)
    play.feed(peer.side_ack(1)).expect(sent(Side, seq=2), reported(SideRoomMade))
    assert [*rooms, side.has_room] == [True] * (QUEUE - 1) + [False, True]
    play.feed(peer.side_ack(2)).expect(sent(Side, seq=3))
    play.finish()


def test_copies_go_on_for_as_long_as_the_peer_lives() -> None:
    play, peer = joined_leaf()
    play.feed(SideSubmitted(b"x")).expect(sent(Side))
    for _ in range(HIGHEST_ATTEMPT + 10):
        until_copy(play, peer)
        before_s = play.now_s
        play.expire(TimerName.SIDE).expect(sent(Side, seq=1))
        assert play.now_s - before_s <= peer.end.plan.rto_maximum_s * 1.1
    assert play.last(Side).attempt == HIGHEST_ATTEMPT
    assert state_of(peer) is State.JOINED


def test_a_message_can_be_sent_while_the_peer_is_suspected() -> None:
    play, peer = joined_leaf()
    while state_of(peer) is not State.SUSPECT:
        play.expire()
    play.unclaimed.clear()
    play.feed(SideSubmitted(b"x")).expect(sent(Side, attempt=1))
    play.advance(1.2)
    assert [type(one) for one in play.unclaimed] in ([Side, Probe], [Probe, Side])
    play.unclaimed.clear()
    play.feed(peer.side_ack(1))
    assert state_of(peer) is State.JOINED


def test_nothing_leaves_before_the_peer_has_confirmed() -> None:
    play, peer = asked_root()
    play.feed(Admitted(None)).expect(sent(Accept))
    play.feed(SideSubmitted(b"early"))
    play.feed(peer.confirm()).expect(reported(Joined), sent(Side, seq=1, payload=b"early"))
    play.finish()


def test_a_sequence_number_wraps() -> None:
    play, peer = joined_leaf()
    assert peer.end.side is not None
    peer.end.side.sent_seq = peer.end.side.taken_seq = 2**32 - 1
    play.feed(SideSubmitted(b"x")).expect(sent(Side, seq=0))
    play.feed(peer.side(0)).expect(reported(SideReceived), sent(Ack, seq=0))
    play.finish()


# Receiving ------------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", [joined_leaf, joined_root])
def test_a_message_is_handed_up_once_and_every_copy_acknowledged(joined: Joining) -> None:
    play, peer = joined()
    play.feed(peer.side(1, b"one")).expect(
        reported(SideReceived, payload=b"one"),
        sent(Ack, seq=1, attempt=1, acked_type=AckedType.SIDE),
    )
    play.feed(peer.side(1, b"one", attempt=2)).expect(sent(Ack, seq=1, attempt=2))
    play.feed(peer.side(2, b"two")).expect(reported(SideReceived, payload=b"two"), sent(Ack, seq=2))
    play.feed(peer.side(1, b"one", attempt=3)).expect(sent(Ack, seq=1, attempt=3))
    play.finish()


def test_a_message_beyond_the_next_is_not_taken() -> None:
    play, peer = joined_leaf()
    play.feed(peer.side(2)).expect(dropped("R90"))
    play.feed(peer.side(1)).expect(reported(SideReceived), sent(Ack))
    play.finish()


def test_what_is_no_private_message_is_dropped() -> None:
    play, peer = joined_leaf()
    play.feed(peer.side(1, None, sealed=bytes(32))).expect(dropped("R10 R90"))
    play.feed(peer.side(1, sflags=0)).expect(dropped("R10 R90"))
    play.finish()


def test_a_direction_that_the_leaf_does_not_have_carries_nothing() -> None:
    play, peer = joined_leaf(leaf_dir=LeafDirection.SEND)
    play.feed(peer.side()).expect(dropped("R81"))
    play.finish()


def test_without_the_capability_a_message_is_dropped() -> None:
    play, peer = joined_leaf(caps=Capability.REPAIR)
    assert peer.end.side is None
    play.feed(peer.side()).expect(dropped("R89"))
    play.feed(peer.side_ack()).expect(dropped("R90"))
    play.feed(LEAVE).expect(sent(Close, side_final_seq=0))
    play.finish()


def test_the_capability_of_one_end_alone_is_none() -> None:
    play, peer = invited_leaf(caps=Capability.REPAIR)
    play.feed(Admitted(None)).expect(sent(Accept, caps=CAPABILITIES))
    play.feed(peer.confirm()).expect(reported(Joined))
    play.feed(peer.side()).expect(dropped("R89"))
    play.finish()


def test_what_has_no_room_is_acknowledged_when_there_is_some() -> None:
    play, peer = joined_root()
    for seq in range(1, UNREAD + 1):
        play.feed(peer.side(seq)).expect(reported(SideReceived), sent(Ack))
    play.feed(peer.side(UNREAD + 1, b"more", attempt=1))
    play.feed(peer.side(UNREAD + 1, b"more", attempt=2))
    play.feed(peer.side(UNREAD, attempt=2)).expect(sent(Ack, seq=UNREAD))
    play.feed(taken()).expect(
        reported(SideReceived, payload=b"more"), sent(Ack, seq=UNREAD + 1, attempt=2)
    )
    play.feed(peer.side(UNREAD + 1, b"more", attempt=3)).expect(sent(Ack, attempt=3))
    play.feed(peer.side(UNREAD + 2))
    play.feed(taken(2)).expect(reported(SideReceived), sent(Ack, seq=UNREAD + 2))
    play.feed(taken())
    play.finish()


def test_side_stands_for_a_lost_confirm_at_the_root_only() -> None:
    play, peer = asked_root()
    play.feed(Admitted(None)).expect(sent(Accept))
    play.feed(peer.side()).expect(reported(Joined), reported(SideReceived), sent(Ack))
    play.finish()
    play, peer = invited_leaf()
    play.feed(Admitted(None)).expect(sent(Accept))
    play.feed(peer.side()).expect(dropped("LF16"))
    play.feed(peer.confirm()).expect(reported(Joined))
    play.feed(peer.side(attempt=2)).expect(reported(SideReceived), sent(Ack, attempt=2))
    play.finish()


# Closing --------------------------------------------------------------------------------------


def chatting_leaf() -> tuple[Playbook, Counterpart]:
    """Return a leaf with one private message out and one behind it."""
    play, peer = joined_leaf()
    play.feed(SideSubmitted(b"one")).expect(sent(Side))
    play.feed(SideSubmitted(b"two"))
    return play, peer


def test_a_close_waits_until_everything_is_acknowledged() -> None:
    play, peer = chatting_leaf()
    play.feed(LEAVE)
    play.feed(peer.side_ack(1)).expect(sent(Side, seq=2))
    play.feed(LEAVE)
    play.feed(peer.side_ack(2)).expect(sent(Close, side_final_seq=2))
    play.feed(peer.side_ack(2)).expect(dropped("table"))
    play.feed(peer.close_ack()).expect(reported(Ended, code=WsaError.SUCCESS))
    play.finish()


def test_a_close_gives_up_after_as_many_copies_as_a_close_has() -> None:
    play, peer = chatting_leaf()
    play.expire(TimerName.SIDE).expect(sent(Side, attempt=2))
    play.feed(LEAVE)
    for attempt in range(3, 3 + peer.end.plan.retransmissions):
        until_copy(play, peer)
        play.expire(TimerName.SIDE).expect(sent(Side, attempt=attempt))
    until_copy(play, peer)
    play.expire(TimerName.SIDE).expect(
        sent(Abort, reason=AbortReason.CLOSE_TIMEOUT),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )
    play.finish()
    assert play.timers == {}


def test_what_leaves_while_a_close_waits_has_as_many_copies_of_its_own() -> None:
    play, peer = chatting_leaf()
    play.feed(LEAVE)
    play.feed(peer.side_ack(1)).expect(sent(Side, seq=2, attempt=1))
    for attempt in range(2, 1 + peer.end.plan.retransmissions):
        until_copy(play, peer)
        play.expire(TimerName.SIDE).expect(sent(Side, seq=2, attempt=attempt))
    until_copy(play, peer)
    play.expire(TimerName.SIDE).expect(
        sent(Abort, reason=AbortReason.CLOSE_TIMEOUT),
        forgotten(),
        reported(Ended, code=WsaError.WSAECONNABORTED),
    )


def test_the_peers_close_ends_what_was_to_be_sent() -> None:
    play, peer = chatting_leaf()
    play.feed(LEAVE)
    play.feed(peer.close()).expect(sent(CloseAck), reported(Ended, code=WsaError.SUCCESS))
    play.advance(30)
    play.finish()


def test_an_abort_does_not_wait() -> None:
    play, _ = chatting_leaf()
    play.feed(AbortRequested()).expect(sent(Abort), forgotten(), reported(Ended))
    play.finish()


def test_what_arrives_after_ones_own_close_is_still_taken() -> None:
    play, peer = joined_leaf()
    play.feed(LEAVE).expect(sent(Close))
    play.feed(peer.side()).expect(reported(SideReceived), sent(Ack))
    play.feed(taken())
    play.feed(peer.close(side_final_seq=1)).expect(
        sent(CloseAck), reported(Ended, code=WsaError.SUCCESS)
    )
    play.finish()


@pytest.mark.parametrize("caps", [Capability.SIDECHAT, Capability.SIDECHAT | Capability.REPAIR])
@pytest.mark.parametrize("has_data", [True, False])
def test_a_peer_that_closes_without_waiting_did_not_end_gracefully(
    caps: Capability, *, has_data: bool
) -> None:
    play, peer = joined_leaf(caps=caps)
    play.feed(peer.side(1)).expect(reported(SideReceived), sent(Ack))
    play.feed(peer.close(PEER_SEQ if has_data else PEER_SEQ - 1, side_final_seq=2))
    if has_data:
        play.unclaimed.clear()
        while not any(isinstance(one, Ended) for one in play.unclaimed):
            play.unclaimed.clear()
            play.expire()
    assert [one for one in play.unclaimed if isinstance(one, Ended)] == [
        Ended(WsaError.WSAECONNABORTED)
    ]
    play.unclaimed.clear()


def test_private_messages_go_before_what_is_passed_on_is_waited_for() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"x", origin=7)).unclaimed.clear()
    play.feed(SideSubmitted(b"one")).expect(sent(Side))
    play.feed(CloseRequested(CloseReason.EXPEL))
    play.feed(peer.data_ack(901, origin=7)).unclaimed.clear()
    assert state_of(peer) is State.JOINED
    play.feed(peer.side_ack(1)).expect(sent(Close, side_final_seq=1))
    play.finish()
    play, peer = joined_root()
    play.feed(DataSubmitted(900, b"x", origin=7)).unclaimed.clear()
    play.feed(SideSubmitted(b"one")).expect(sent(Side))
    play.feed(CloseRequested(CloseReason.EXPEL))
    play.feed(peer.side_ack(1))
    assert TimerName.LIMIT in play.timers
    play.feed(peer.data_ack(901, origin=7))
    assert isinstance(play.unclaimed[-1], Close)
    play.unclaimed.clear()


def test_a_close_before_the_peer_has_confirmed_waits_as_well() -> None:
    play, peer = asked_root()
    play.feed(Admitted(None)).expect(sent(Accept))
    play.feed(SideSubmitted(b"early"))
    play.feed(CloseRequested(CloseReason.EXPEL))
    play.feed(peer.confirm()).expect(reported(Joined), sent(Side))
    play.feed(peer.side_ack(1)).expect(sent(Close, side_final_seq=1))
    play.finish()


def test_a_late_accept_is_confirmed_as_ever() -> None:
    play, peer = chatting_leaf()
    play.feed(peer.accept(attempt=2)).expect(sent(Confirm, attempt=2))
    play.finish()
