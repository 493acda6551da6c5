"""Closing one direction of a membership: CLOSE with HALF (protocol.md 12.5)."""

from collections.abc import Callable

import pytest

from mpwire.core.events import (
    CloseRequested,
    DataReceived,
    DataSubmitted,
    Ended,
    PeerFinished,
    RoomMade,
    SideSubmitted,
    TimerExpired,
)
from mpwire.core.table import State
from mpwire.core.timers import TimerName
from mpwire.errors import LocalProtocolError
from mpwire.testing.ends import (
    PEER_SEQ,
    Counterpart,
    asked_root,
    joined_leaf,
    joined_root,
)
from mpwire.testing.playbook import Playbook, dropped, forgotten, reported, sent
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Close, CloseAck, Data, Side
from mpwire.wire.registries import (
    AbortReason,
    Capability,
    CloseAckFlag,
    CloseFlag,
    CloseReason,
)

HALF = CloseRequested(CloseReason.LEAVE, half=True)
FULL = CloseRequested(CloseReason.LEAVE)
E = WsaError
Ends = Callable[[], tuple[Playbook, Counterpart]]


@pytest.fixture(params=[joined_leaf, joined_root])
def ends(request: pytest.FixtureRequest) -> tuple[Playbook, Counterpart]:
    """Give a member of either kind, and its peer."""
    made: tuple[Playbook, Counterpart] = request.param()
    return made


def state_of(peer: Counterpart) -> State:
    """Return where the end stands that this counterpart talks to."""
    return peer.end.state


def half_closed(play: Playbook, peer: Counterpart) -> None:
    """Let the end close its direction, and the peer acknowledge it."""
    play.feed(HALF).expect(sent(Close, cflags=CloseFlag.HALF))
    play.feed(peer.close_ack())
    assert state_of(peer) is State.JOINED


def test_the_closer_goes_on_receiving(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    half_closed(play, peer)
    play.feed(peer.data()).expect(reported(DataReceived))
    assert not peer.end.may_send
    play.feed(peer.close(final_seq=PEER_SEQ)).expect(
        sent(CloseAck, ack_flags=0), reported(Ended, code=E.SUCCESS)
    )


def test_the_closer_originates_nothing_more(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    half_closed(play, peer)
    for submitted in (DataSubmitted(peer.end.outflow.next_seq, b"x"), SideSubmitted(b"x")):
        with pytest.raises(LocalProtocolError, match="HALF"):
            peer.end.handle(submitted, play.now_s)
    play.feed(HALF)


def test_close_is_repeated_while_the_peer_misses_data(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    seq = peer.end.outflow.next_seq
    play.feed(DataSubmitted(seq, b"x")).expect(sent(Data))
    play.feed(HALF).expect(sent(Close, final_seq=seq))
    play.feed(peer.close_ack(ack_flags=CloseAckFlag.DATA_MISSING, rcv_next=seq))
    assert state_of(peer) is State.HALF_CLOSING
    play.feed(TimerExpired(TimerName.RETRANSMIT)).expect(sent(Close, attempt=2))
    play.feed(peer.nack((seq, seq))).expect(sent(Data, seq=seq, attempt=2))
    play.feed(peer.close_ack())
    assert state_of(peer) is State.JOINED


def test_the_second_close_takes_the_place_of_the_first(
    ends: tuple[Playbook, Counterpart],
) -> None:
    play, peer = ends
    play.feed(HALF).expect(sent(Close, cflags=CloseFlag.HALF))
    late = peer.close_ack()
    play.feed(FULL).expect(sent(Close, cflags=0))
    play.feed(late).expect(dropped("R57"))
    assert state_of(peer) is State.CLOSING
    play.feed(peer.close_ack()).expect(reported(Ended, code=E.SUCCESS))


def test_a_peer_that_sends_no_more_may_be_sent_to(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    play.feed(peer.half_close()).expect(sent(CloseAck, ack_flags=0), reported(PeerFinished))
    play.feed(peer.half_close(attempt=2)).expect(sent(CloseAck, attempt=2))
    play.feed(peer.data()).expect(dropped("R116"))
    play.feed(DataSubmitted(peer.end.outflow.next_seq, b"x")).expect(sent(Data))
    play.feed(HALF).expect(sent(Close, cflags=0))
    play.feed(peer.close_ack()).expect(reported(Ended, code=E.SUCCESS))


def test_a_silent_peer_is_finished_when_all_is_here(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    play.feed(peer.half_close(final_seq=PEER_SEQ)).expect(
        sent(CloseAck, ack_flags=CloseAckFlag.DATA_MISSING)
    )
    play.feed(peer.data()).expect(reported(DataReceived), reported(PeerFinished))
    play.feed(peer.half_close(final_seq=PEER_SEQ, attempt=2)).expect(sent(CloseAck, ack_flags=0))


def test_what_never_comes_is_lost(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    play.feed(peer.half_close(final_seq=PEER_SEQ)).expect(sent(CloseAck))
    play.feed(TimerExpired(TimerName.LIMIT)).expect(
        sent(Abort, reason=AbortReason.DATA_LOST),
        forgotten(),
        reported(Ended, code=E.WSAECONNABORTED),
    )


def test_progress_and_copies_renew_the_patience(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    play.feed(peer.half_close(final_seq=PEER_SEQ + 1)).expect(sent(CloseAck))
    play.advance(5.5)
    play.unclaimed.clear()
    play.feed(peer.data()).expect(reported(DataReceived))
    assert play.timers[TimerName.LIMIT] == 11.5
    play.advance(5.5)
    play.unclaimed.clear()
    play.feed(peer.half_close(final_seq=PEER_SEQ + 1, attempt=4)).expect(sent(CloseAck))
    assert play.timers[TimerName.LIMIT] == 17.0


def test_a_close_that_waits_to_chat_lets_no_missing_data_pass(
    ends: tuple[Playbook, Counterpart],
) -> None:
    play, peer = ends
    play.feed(SideSubmitted(b"x")).expect(sent(Side))
    play.feed(peer.half_close(final_seq=PEER_SEQ)).expect(sent(CloseAck))
    play.feed(FULL).finish()
    play.feed(TimerExpired(TimerName.LIMIT)).expect(
        sent(Abort, reason=AbortReason.DATA_LOST), forgotten(), reported(Ended)
    )


def test_what_is_not_repaired_is_done_without() -> None:
    play, peer = joined_leaf(caps=Capability.HALFCLOSE)
    play.feed(peer.half_close(final_seq=PEER_SEQ)).expect(sent(CloseAck))
    play.feed(TimerExpired(TimerName.LIMIT)).expect(reported(PeerFinished))
    assert state_of(peer) is State.JOINED


def test_crossing_halves_are_both_repeated(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    play.feed(HALF).expect(sent(Close, cflags=CloseFlag.HALF))
    play.feed(peer.half_close()).expect(sent(CloseAck))
    assert state_of(peer) is State.CLOSING
    play.feed(TimerExpired(TimerName.RETRANSMIT)).expect(
        sent(Close, attempt=2, cflags=CloseFlag.HALF)
    )
    play.feed(peer.half_close(attempt=2)).expect(sent(CloseAck, attempt=2))
    play.feed(peer.close_ack(final_seq=PEER_SEQ - 3)).expect(reported(Ended, code=E.SUCCESS))


def test_a_close_that_crosses_a_half_ends_both(ends: tuple[Playbook, Counterpart]) -> None:
    play, peer = ends
    play.feed(HALF).expect(sent(Close))
    play.feed(peer.close()).expect(sent(CloseAck), reported(Ended, code=E.SUCCESS))


def test_without_the_capability_a_half_is_a_whole() -> None:
    play, peer = joined_leaf(caps=Capability.REPAIR)
    play.feed(HALF).expect(sent(Close, cflags=0))
    assert state_of(peer) is State.CLOSING
    play, peer = joined_leaf(caps=Capability.REPAIR)
    play.feed(peer.half_close()).expect(sent(CloseAck), reported(Ended, code=E.SUCCESS))


def test_who_waits_for_room_is_woken() -> None:
    play, peer = joined_leaf()
    while peer.end.has_room:
        play.feed(DataSubmitted(peer.end.outflow.next_seq, b"x"))
        if peer.end.outflow.is_held_back:
            play.feed(TimerExpired(TimerName.PACE))
        play.unclaimed.clear()
    play.feed(HALF)
    kinds = [type(effect) for effect in play.unclaimed]
    assert kinds.count(RoomMade) == 1
    play.unclaimed.clear()


def test_a_whole_close_that_waits_stays_whole() -> None:
    play, peer = asked_root()
    end = peer.end
    for asked, waits in ((HALF, HALF), (FULL, FULL), (HALF, FULL)):
        end.postpone_close(asked)
        assert end.pending_close is waits
    play.unclaimed.clear()
