"""Which origins a member remembers: none that has left, and never more than are sane (11.5)."""

from mpwire.core.events import (
    CloseRequested,
    DataReceived,
    DataSubmitted,
    DataTaken,
    OriginEnded,
    RelayedAcknowledged,
)
from mpwire.core.inflow import INITIAL_WINDOW
from mpwire.core.origins import MAXIMUM_AHEAD, MAXIMUM_ORIGINS
from mpwire.core.timers import TimerName
from mpwire.testing.ends import LEAF_ID, Counterpart, joined_leaf, joined_root
from mpwire.testing.playbook import Playbook, Wanted, dropped, reported, sent
from mpwire.wire.messages import Close, Data, DataAck, Nack, Sync
from mpwire.wire.registries import Capability, CloseReason, DataFlag, SyncFlag

ONE, TWO, LAST, FIRST = 7, 8, 50_000, 900
"""Other leaves, and where their data starts."""
ACKNOWLEDGED = Wanted(RelayedAcknowledged, {"origin": ONE})


def relayed(peer: Counterpart, seq: int, origin: int = ONE) -> Data:
    """Pass on a message of another leaf."""
    return peer.data(seq, b"theirs", origin=origin, dflags=DataFlag.RELAYED, hop=1)


def begin(play: Playbook, peer: Counterpart, origin: int, count: int = 1) -> None:
    """Pass on the first messages of an origin to a leaf, which acknowledges them."""
    play.feed(peer.sync(FIRST, FIRST, origin=origin)).expect(sent(DataAck, origin=origin))
    for seq in range(FIRST, FIRST + count):
        play.feed(relayed(peer, seq, origin)).expect(reported(DataReceived, origin=origin))
    play.expire(TimerName.ACKNOWLEDGE).expect(sent(DataAck, rcv_next=FIRST + count))


def fin(peer: Counterpart, lead: int, trail: int | None = None, origin: int = ONE) -> Sync:
    """Say that an origin has left."""
    trail_seq = lead if trail is None else trail
    return peer.sync(lead, trail_seq, origin=origin, sflags=SyncFlag.FIN)


# At the root ----------------------------------------------------------------------------------


def test_an_origin_that_has_left_is_let_go_at_once_if_all_has_arrived() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(FIRST, b"theirs", ONE)).expect(sent(Sync), sent(Data))
    play.feed(peer.data_ack(FIRST + 1, origin=ONE)).expect(ACKNOWLEDGED)
    play.feed(OriginEnded(ONE)).expect(
        sent(Sync, origin=ONE, seq=FIRST + 1, trail_seq=FIRST + 1, sflags=SyncFlag.FIN)
    )
    assert peer.end.relayed_out == {}
    play.feed(OriginEnded(ONE)).finish()


def test_otherwise_it_is_let_go_when_the_last_of_it_is_acknowledged() -> None:
    play, peer = joined_root()
    play.feed(DataSubmitted(FIRST, b"theirs", ONE)).expect(sent(Sync), sent(Data))
    play.feed(DataSubmitted(FIRST + 1, b"more", ONE)).expect(sent(Data))
    play.feed(OriginEnded(ONE)).finish()
    play.feed(peer.data_ack(FIRST + 1, origin=ONE)).expect(ACKNOWLEDGED)
    play.feed(peer.nack((FIRST + 1, FIRST + 1), origin=ONE)).expect(sent(Data, attempt=2))
    play.feed(peer.data_ack(FIRST + 2, origin=ONE)).expect(
        ACKNOWLEDGED, sent(Sync, seq=FIRST + 2, attempt=1, sflags=SyncFlag.FIN)
    )
    assert peer.end.relayed_out == {}
    play.feed(peer.data_ack(FIRST + 2, origin=ONE)).expect(dropped("R110"))


def test_best_effort_lets_it_go_when_the_last_of_it_has_left() -> None:
    play, peer = joined_root(caps=0)
    play.feed(DataSubmitted(FIRST, b"theirs", ONE)).expect(sent(Data))
    pacer = peer.end.relayed_out[ONE].pacer
    assert pacer is not None
    pacer.tokens = 0.0
    play.feed(DataSubmitted(FIRST + 1, b"more", ONE)).finish()
    play.feed(OriginEnded(ONE)).finish()
    play.expire(TimerName.PACE).expect(sent(Data, seq=FIRST + 1))
    assert peer.end.relayed_out == {}


def test_it_is_let_go_while_a_direction_is_being_closed_as_well() -> None:
    play, peer = joined_root(caps=Capability.REPAIR | Capability.HALFCLOSE)
    play.feed(DataSubmitted(FIRST, b"theirs", ONE)).expect(sent(Sync), sent(Data))
    play.feed(peer.data_ack(FIRST + 1, origin=ONE)).expect(ACKNOWLEDGED)
    play.feed(CloseRequested(CloseReason.EXPEL, half=True)).expect(sent(Close))
    play.feed(OriginEnded(ONE)).expect(sent(Sync, sflags=SyncFlag.FIN))
    assert peer.end.relayed_out == {}


# At a leaf ------------------------------------------------------------------------------------


def test_a_leaf_forgets_who_has_left_after_a_while() -> None:
    play, peer = joined_leaf()
    begin(play, peer, ONE)
    play.feed(fin(peer, FIRST + 1)).expect(sent(DataAck, origin=ONE, rcv_next=FIRST + 1))
    assert peer.end.relayed_in == {}
    play.feed(DataTaken(ONE, 1)).finish()
    play.feed(relayed(peer, FIRST)).expect(dropped("R84"))
    play.feed(peer.sync(FIRST + 1, FIRST, origin=ONE)).expect(sent(DataAck, rcv_next=FIRST + 1))
    begin(play, peer, TWO)
    play.feed(fin(peer, FIRST + 1, origin=TWO)).expect(sent(DataAck, origin=TWO))
    assert [*peer.end.departed] == [ONE, TWO]
    play.now_s += 39.99
    play.feed(peer.sync(FIRST, FIRST, origin=LAST)).expect(sent(DataAck, origin=LAST))
    assert [*peer.end.departed] == [TWO]
    assert [*peer.end.relayed_in] == [LAST]


def test_it_does_not_forget_who_left_something_that_is_missing() -> None:
    play, peer = joined_leaf()
    begin(play, peer, ONE)
    play.feed(fin(peer, FIRST + 2, FIRST + 1)).expect(sent(DataAck, rcv_next=FIRST + 1))
    assert peer.end.departed == {}
    play.expire(TimerName.NACK).expect(sent(Nack, origin=ONE))
    play.feed(relayed(peer, FIRST + 1)).expect(reported(DataReceived))
    play.feed(fin(peer, FIRST + 2, FIRST + 1)).expect(sent(DataAck, rcv_next=FIRST + 2))
    assert [*peer.end.relayed_in] == [ONE]
    play.feed(fin(peer, FIRST + 2)).expect(sent(DataAck, rcv_next=FIRST + 2))
    assert [*peer.end.departed] == [ONE]


def test_a_root_that_names_ever_more_origins_makes_a_leaf_remember_only_so_many() -> None:
    """The longest silent of which nothing is missing goes."""
    play, peer = joined_leaf()
    play.feed(peer.sync(FIRST + 1, FIRST, origin=ONE)).expect(sent(DataAck))
    for origin in range(TWO, TWO + MAXIMUM_ORIGINS - 1):
        play.feed(peer.sync(FIRST, FIRST, origin=origin)).expect(sent(DataAck))
    play.feed(peer.sync(FIRST, FIRST, origin=TWO)).expect(sent(DataAck))
    play.feed(peer.sync(FIRST, FIRST, origin=LAST)).expect(sent(DataAck))
    known = peer.end.relayed_in
    assert len(known) == MAXIMUM_ORIGINS
    assert {ONE, TWO, LAST} <= known.keys()
    assert TWO + 1 not in known


def test_what_was_left_behind_goes_first() -> None:
    play, peer = joined_leaf()
    begin(play, peer, ONE)
    play.feed(fin(peer, FIRST + 1)).expect(sent(DataAck))
    for origin in range(TWO, TWO + MAXIMUM_ORIGINS):
        play.feed(peer.sync(FIRST, FIRST, origin=origin)).expect(sent(DataAck))
    assert peer.end.departed == {}
    assert len(peer.end.relayed_in) == MAXIMUM_ORIGINS
    assert TWO in peer.end.relayed_in


def test_an_origin_beyond_that_is_not_heard_while_all_others_owe_something() -> None:
    play, peer = joined_leaf()
    for origin in range(ONE, ONE + MAXIMUM_ORIGINS):
        play.feed(peer.sync(FIRST + 1, FIRST, origin=origin)).expect(sent(DataAck))
    play.feed(peer.sync(FIRST, FIRST, origin=LAST)).expect(dropped("R92"))
    assert len(peer.end.relayed_in) == MAXIMUM_ORIGINS


def test_best_effort_always_has_a_place_for_who_is_new() -> None:
    play, peer = joined_leaf(caps=0)
    for origin in range(ONE, ONE + MAXIMUM_ORIGINS + 1):
        play.feed(relayed(peer, FIRST + 1, origin)).expect(reported(DataReceived))
        play.feed(relayed(peer, FIRST + 3, origin)).expect(reported(DataReceived))
    assert len(peer.end.relayed_in) == MAXIMUM_ORIGINS
    assert ONE not in peer.end.relayed_in
    assert LEAF_ID not in peer.end.relayed_in


def test_gaps_of_many_origins_together_hold_only_so_much() -> None:
    play, peer = joined_leaf()
    each = INITIAL_WINDOW - 1
    for number in range(MAXIMUM_AHEAD // each + 1):
        origin = ONE + number
        play.feed(peer.sync(FIRST, FIRST, origin=origin)).expect(sent(DataAck))
        for seq in range(FIRST + 1, FIRST + 1 + each):
            play.feed(relayed(peer, seq, origin))
            play.unclaimed.clear()
    assert sum(len(flow.ahead) for flow in peer.end.relayed_in.values()) == MAXIMUM_AHEAD
    last = ONE + MAXIMUM_AHEAD // each
    play.feed(relayed(peer, FIRST + each, last)).expect(dropped("11.5"))
    play.feed(relayed(peer, FIRST, last))
    assert reported(DataReceived, origin=last).matches(play.unclaimed[0])
    play.unclaimed.clear()
