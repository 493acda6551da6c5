"""One participant of a nonrooted session, step by step."""

from itertools import pairwise, product

import pytest

from mpwire.core.address import Address
from mpwire.core.entropy import Entropy
from mpwire.core.events import DataReceived, Dropped, Send
from mpwire.core.groups import session_name
from mpwire.core.participant import (
    ARRIVALS,
    TRANSITIONS,
    Participant,
    ParticipantEffect,
    ParticipantInput,
    ParticipantState,
    ReceiverAppeared,
)
from mpwire.core.serial import plus
from mpwire.core.timers import TimerPlan
from mpwire.errors import LocalProtocolError
from mpwire.wire.messages import Announce, Data
from mpwire.wire.registries import AnnounceKind, LeafDirection

S = ParticipantState
I = ParticipantInput  # noqa: E741 - as in the table
K = AnnounceKind
GROUP: Address = ("239.255.7.7", 7777)
NAME = session_name(GROUP)
HERE: Address = ("10.0.0.1", 61000)
THERE: Address = ("10.0.0.2", 61000)
BOTH = LeafDirection.SEND | LeafDirection.RECEIVE
D_ROOT = BOTH | LeafDirection.D_ROOT
LOW, HIGH = 1, (1 << 64) - 1
"""MemberTags below and above any that is drawn."""


def participant(direction: LeafDirection = BOTH, *, data_rooted: bool = False) -> Participant:
    """Return one that has not joined."""
    entropy = Entropy(b"participant")
    return Participant(HERE, GROUP, NAME, TimerPlan(), entropy, direction, data_rooted)


def entered(direction: LeafDirection = BOTH, *, data_rooted: bool = False) -> Participant:
    """Return one that has just joined."""
    one = participant(direction, data_rooted=data_rooted)
    one.join(0.0)
    return one


def present(direction: LeafDirection = BOTH, *, data_rooted: bool = False) -> Participant:
    """Return one that has joined two seconds ago."""
    one = entered(direction, data_rooted=data_rooted)
    one.expire(1.0)
    one.expire(2.0)
    assert one.state is S.PRESENT
    return one


def announce(
    kind: K = K.ALIVE, member_id: int = 77, tag: int = LOW, leaf_dir: int = BOTH
) -> Announce:
    """Return what another one announces."""
    return Announce(
        session_id=NAME.session_id,
        sender_id=member_id,
        kind=kind,
        leaf_dir=leaf_dir,
        hold_s=20,
        member_tag=tag,
        lead_seq=100,
        conflict_id=0,
    )


def data(member_id: int = 77, seq: int = 100, **changes: object) -> Data:
    """Return what another one sends."""
    fields = {
        "session_id": NAME.session_id,
        "sender_id": member_id,
        "origin": member_id,
        "seq": seq,
        "dflags": 0,
        "hop": 0,
        "payload": b"x",
        **changes,
    }
    return Data(**fields)  # type: ignore[arg-type]


def sent(effects: list[ParticipantEffect]) -> list[Announce]:
    """Return the announcements among the effects."""
    messages = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in messages if isinstance(message, Announce)]


def is_dropped(effects: list[ParticipantEffect]) -> bool:
    """Tell whether all that was done was to ignore something."""
    return [type(effect) for effect in effects] == [Dropped]


# The table ------------------------------------------------------------------------------------


def in_state(state: S) -> Participant:
    """Bring a participant into a state."""
    one = participant()
    if state is not S.NEW:
        one.join(0.0)
    if state in {S.PRESENT, S.LEAVING, S.GONE}:
        one.expire(1.0)
        one.expire(2.0)
    if state in {S.LEAVING, S.GONE}:
        one.leave(3.0)
    if state is S.GONE:
        one.expire(4.0)
    assert one.state is state
    return one


@pytest.mark.parametrize(("state", "kind"), [*product(S, I)])
def test_every_cell_is_a_row_or_ignored_or_illegal(state: S, kind: I) -> None:
    one = in_state(state)
    calls = {
        I.JOIN: lambda: one.join(9.0),
        I.SEND: lambda: one.send(b"x"),
        I.LEAVE: lambda: one.leave(9.0),
        I.TIMER: lambda: one.expire(9.0),
        I.IN_ANNOUNCE: lambda: one.receive(announce(), THERE, 9.0),
        I.IN_DATA: lambda: one.receive(data(), THERE, 9.0),
    }
    row = TRANSITIONS.get((state, kind))
    if row is not None:
        assert not is_dropped(calls[kind]())
        assert one.state in row.next_states
    elif kind in ARRIVALS:
        assert is_dropped(calls[kind]())
        assert one.state is state
    else:
        with pytest.raises(LocalProtocolError):
            calls[kind]()


# Announcing -----------------------------------------------------------------------------------


def test_it_announces_itself_thrice_and_then_now_and_then() -> None:
    one = participant()
    times_s, said = [0.0], sent(one.join(0.0))
    while len(said) < 40:
        assert one.timer_s is not None
        times_s.append(one.timer_s)
        said += sent(one.expire(one.timer_s))
    assert [message.kind for message in said] == [K.JOIN] * 3 + [K.ALIVE] * 37
    assert times_s[:3] == [0.0, 1.0, 2.0]
    gaps_s = [later - earlier for earlier, later in pairwise(times_s[2:])]
    assert all(16 <= gap_s <= 24 for gap_s in gaps_s)
    assert max(gaps_s) - min(gaps_s) > 4
    assert [message.seq for message in said] == [*range(1, 41)]
    assert {(message.attempt, message.hold_s) for message in said} == {(1, 20)}


def test_it_leaves_twice() -> None:
    one = present()
    said = sent(one.leave(5.0))
    assert one.timer_s == 6.0
    said += sent(one.expire(6.0))
    assert [message.kind for message in said] == [K.LEAVE] * 2
    assert one.timer_s is None


def test_a_short_plan_still_holds_for_a_second() -> None:
    entropy, plan = Entropy(b""), TimerPlan().scaled(0.001)
    assert Participant(HERE, GROUP, NAME, plan, entropy, BOTH).hold_s == 1


# Member IDs -----------------------------------------------------------------------------------


def test_a_lower_tag_takes_the_member_id() -> None:
    one = present()
    before = one.member_id
    (conflict,) = sent(one.receive(announce(member_id=before), THERE, 10.0))
    assert (conflict.kind, conflict.conflict_id) == (K.CONFLICT, before)
    assert conflict.sender_id == one.member_id != before
    assert one.roster.by_id[before].address == THERE
    again = announce(member_id=one.member_id, tag=2)
    assert is_dropped(one.receive(again, ("10.0.0.3", 1), 10.5))
    assert sent(one.receive(again, ("10.0.0.3", 1), 11.0))


def test_a_higher_tag_does_not_get_it_and_hears_so_soon() -> None:
    one = present()
    assert is_dropped(one.receive(announce(member_id=one.member_id, tag=HIGH), THERE, 10.0))
    assert one.timer_s is not None
    assert 10.0 <= one.timer_s <= 10.25


def test_who_has_just_announced_itself_waits_for_one_rto_first() -> None:
    one = present()
    assert is_dropped(one.receive(announce(member_id=one.member_id, tag=HIGH), THERE, 2.5))
    assert one.timer_s is not None
    assert 3.0 <= one.timer_s <= 3.25


def test_who_is_entering_announces_itself_anyway() -> None:
    one = entered()
    assert is_dropped(one.receive(announce(member_id=one.member_id, tag=HIGH), THERE, 0.1))
    assert one.timer_s == 1.0


def test_an_id_that_is_taken_is_not_drawn() -> None:
    one, twin = present(), present()
    drawn = twin._draw_id()
    one.receive(announce(member_id=drawn), THERE, 10.0)
    assert one._draw_id() != drawn


def test_a_leave_under_our_id_is_no_claim_to_it() -> None:
    one = present()
    assert one.receive(announce(K.LEAVE, one.member_id), THERE, 10.0) == []


# Data -----------------------------------------------------------------------------------------


def test_data_is_taken_once_from_whoever_sends_it() -> None:
    one = present()
    assert one.receive(data(), THERE, 3.0) == [DataReceived(77, b"x", data().seq)]
    for ignored in (
        data(),
        data(payload=None),
        data(origin=78, seq=101),
        data(hop=1, seq=101),
        data(session_id=1, seq=101),
    ):
        assert is_dropped(one.receive(ignored, THERE, 3.0))
    assert is_dropped(one.receive(data(seq=101), ("10.0.0.3", 1), 3.0))
    assert is_dropped(one.receive(data(seq=101), HERE, 3.0))
    assert one.receive(data(seq=101), THERE, 3.0) == [DataReceived(77, b"x", 101)]


def test_its_own_messages_are_numbered_without_a_gap() -> None:
    one = present()
    messages = [
        effect.message for _ in range(3) for effect in one.send(b"x") if type(effect) is Send
    ]
    first = messages[0].seq
    assert [message.seq for message in messages] == [plus(first, step) for step in range(3)]
    assert one.next_data_seq == plus(first, 3)


def test_who_says_that_it_only_receives_is_not_heard() -> None:
    one = present()
    one.receive(announce(leaf_dir=LeafDirection.RECEIVE), THERE, 3.0)
    assert is_dropped(one.receive(data(), THERE, 3.0))


def test_who_only_sends_takes_nothing() -> None:
    one = present(LeafDirection.SEND)
    assert is_dropped(one.receive(data(), THERE, 3.0))


def test_an_announcement_that_does_not_fit_is_dropped() -> None:
    one = present()
    one.receive(announce(), THERE, 3.0)
    assert is_dropped(one.receive(announce(), ("10.0.0.3", 1), 3.0))


# The d_root -----------------------------------------------------------------------------------


def test_a_d_leaf_waits_for_the_d_root() -> None:
    one = present(data_rooted=True)
    assert not one.may_send(3.0)
    assert is_dropped(one.receive(data(), THERE, 3.0))
    one.receive(announce(member_id=78, tag=78), ("10.0.0.3", 1), 3.0)
    assert one.receive(announce(leaf_dir=D_ROOT), THERE, 3.0) == [ReceiverAppeared()]
    assert one.may_send(3.0)
    assert one.receive(data(), THERE, 3.0) == [DataReceived(77, b"x", data().seq)]
    assert is_dropped(one.receive(data(78), ("10.0.0.3", 1), 3.0))
    assert not one.may_send(200.0)


def test_a_d_root_that_is_there_answers_who_enters() -> None:
    one = present(D_ROOT, data_rooted=True)
    one.receive(announce(K.JOIN), THERE, 10.0)
    assert one.timer_s is not None
    assert one.timer_s <= 10.25
    assert one.may_send(10.0)


def test_of_two_that_enter_the_lower_tag_is_the_d_root() -> None:
    one = entered(D_ROOT, data_rooted=True)
    one.receive(announce(K.JOIN, tag=HIGH, leaf_dir=D_ROOT), THERE, 0.5)
    assert one.may_send(0.5)
    one.receive(announce(K.LEAVE, tag=HIGH, leaf_dir=D_ROOT), THERE, 0.6)
    one.receive(announce(K.JOIN, tag=LOW, leaf_dir=D_ROOT), THERE, 0.7)
    assert not one.may_send(0.7)
    (said,) = sent(one.expire(1.0))
    assert said.leaf_dir == BOTH
    assert ReceiverAppeared() in one.receive(
        announce(K.LEAVE, tag=LOW, leaf_dir=D_ROOT), THERE, 0.9
    )
    assert one.may_send(1.0)


def test_who_enters_stands_back_before_one_that_is_there() -> None:
    one = entered(D_ROOT, data_rooted=True)
    one.receive(announce(K.ALIVE, tag=HIGH, leaf_dir=D_ROOT), THERE, 0.5)
    assert not one.is_root


def test_who_is_there_stays_d_root_when_another_enters() -> None:
    one = present(D_ROOT, data_rooted=True)
    one.receive(announce(K.JOIN, tag=LOW, leaf_dir=D_ROOT), THERE, 10.0)
    assert one.is_root


@pytest.mark.parametrize(("tag", "stays"), [(LOW, False), (HIGH, True)])
def test_two_that_are_there_agree_by_their_tags(tag: int, stays: bool) -> None:
    one = present(D_ROOT, data_rooted=True)
    one.receive(announce(K.ALIVE, tag=tag, leaf_dir=D_ROOT), THERE, 10.0)
    assert one.is_root is stays


def test_a_third_one_s_news_change_nothing_between_two_d_roots() -> None:
    one = present(D_ROOT, data_rooted=True)
    one.receive(announce(K.JOIN, tag=LOW, leaf_dir=D_ROOT), THERE, 10.0)
    one.receive(announce(K.ALIVE, 78, HIGH), ("10.0.0.3", 1), 10.0)
    assert one.is_root


def test_silence_of_the_other_d_root_ends_standing_back() -> None:
    one = present(D_ROOT, data_rooted=True)
    one.receive(announce(K.ALIVE, tag=LOW, leaf_dir=D_ROOT), THERE, 10.0)
    assert ReceiverAppeared() in one.expire(200.0)
    assert one.is_root
