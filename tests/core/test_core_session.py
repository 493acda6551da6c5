"""The root's books: who is in, and where the session stands."""

import pytest
from msgspec.structs import replace

from mpwire.core.events import Admitted, CloseRequested
from mpwire.core.membership import Membership, SessionFacts
from mpwire.core.session import (
    TRANSITIONS,
    Session,
    SessionInput,
    SessionState,
)
from mpwire.errors import LocalProtocolError
from mpwire.testing.ends import (
    BOTH_WAYS,
    DESCRIPTION,
    LEAF_ID,
    SESSION_ID,
    Counterpart,
    asked_root,
    joined_root,
)
from mpwire.testing.playbook import Playbook
from mpwire.wire.registries import CloseReason, LeafDirection, Planes

OPEN, ACTIVE, DISMANTLING, DEAD = SessionState
POSSIBLE = {
    OPEN: {SessionInput.MEMBER_JOINED, SessionInput.DISMANTLED, SessionInput.ENDED_EMPTY},
    ACTIVE: set(SessionInput) - {SessionInput.ENDED_EMPTY},
    DISMANTLING: set(SessionInput) - {SessionInput.DISMANTLED, SessionInput.ENDED_EMPTY},
    DEAD: set(),
}
"""The inputs that can come in each state; all others are a mistake of ours."""


@pytest.fixture
def session() -> Session:
    return Session(SessionFacts(SESSION_ID, DESCRIPTION, next_data_seq=100))


def accepting_end() -> tuple[Playbook, Counterpart]:
    play, peer = asked_root()
    play.feed(Admitted(None)).unclaimed.clear()
    return play, peer


def member(member_id: int = LEAF_ID, leaf_dir: LeafDirection = BOTH_WAYS) -> Membership:
    _, peer = joined_root(leaf_dir=leaf_dir)
    peer.end.identity.peer_id = member_id
    return peer.end


def test_every_cell_is_a_row_or_illegal(session: Session) -> None:
    for state in SessionState:
        for event in SessionInput:
            session.state = state
            if event in POSSIBLE[state]:
                session.step(event)
                assert session.state is TRANSITIONS[state, event].next_state
            else:
                with pytest.raises(LocalProtocolError, match="illegal in session"):
                    session.step(event)
    assert {row.next_state for row in TRANSITIONS.values()} == set(SessionState)
    assert all(row.cite for row in TRANSITIONS.values())


def test_members_come_and_go(session: Session) -> None:
    one, two = member(2), member(3)
    session.note_joined(one)
    session.note_joined(two)
    assert session.state is ACTIVE
    session.note_ended(one)
    assert list(session.members.values()) == [two]
    session.note_ended(two)
    assert session.state.name == "OPEN"
    session.note_ended(two)
    assert not session.is_ending


def test_an_acceptance_that_fails_was_never_a_member(session: Session) -> None:
    _, peer = accepting_end()
    session.add(peer.end)
    session.note_ended(peer.end)
    assert session.state is OPEN
    assert session.members == {}


def test_an_acceptance_does_not_keep_a_session_active(session: Session) -> None:
    _, peer = accepting_end()
    peer.end.identity.peer_id = 9
    session.add(peer.end)
    one = member()
    session.note_joined(one)
    session.note_ended(one)
    assert session.state is OPEN


def test_a_dismantled_session_waits_for_the_last_member(session: Session) -> None:
    one, two = member(2), member(3)
    session.note_joined(one)
    session.note_joined(two)
    session.step(SessionInput.DISMANTLED)
    assert session.is_ending
    for end in (one, two):
        end.handle(CloseRequested(CloseReason.DISMANTLE), 0.0)
    session.note_ended(one)
    assert session.state is DISMANTLING
    session.note_ended(two)
    assert session.state.name == "DEAD"
    assert session.is_ending


def test_a_leaf_may_join_while_its_session_is_dismantled(session: Session) -> None:
    play, peer = accepting_end()
    session.add(peer.end)
    session.step(SessionInput.DISMANTLED)
    play.feed(peer.confirm()).unclaimed.clear()
    session.note_joined(peer.end)
    assert session.state is DISMANTLING


def test_data_goes_to_those_who_receive_and_are_still_there(session: Session) -> None:
    _, admitted = accepting_end()
    admitted.end.identity.peer_id = 9
    session.add(admitted.end)
    assert session.has_member()
    receiver = member(2)
    for end in (receiver, member(3, leaf_dir=LeafDirection.SEND)):
        session.note_joined(end)
    leaving = member(4)
    leaving.handle(CloseRequested(CloseReason.EXPEL), 0.0)
    session.add(leaving)
    assert session.receivers() == [admitted.end, receiver]


def test_a_session_of_leavers_has_no_member(session: Session) -> None:
    leaving = member()
    session.note_joined(leaving)
    leaving.handle(CloseRequested(CloseReason.EXPEL), 0.0)
    assert not session.has_member()


@pytest.mark.parametrize("half", [True, False])
def test_who_is_to_go_is_given_nothing_new(session: Session, *, half: bool) -> None:
    """Its CLOSE waits for what is on its way; new data would put it off again and again."""
    going, staying = member(2), member(3)
    session.note_joined(going)
    going.pending_close = CloseRequested(CloseReason.EXPEL, half=half)
    assert session.has_member() is half
    assert session.receivers() == []
    session.note_joined(staying)
    assert session.is_first(staying)
    assert session.receivers() == [staying]
    assert session.receivers_of(member(4)) == [staying]
    assert session.has_member()


def test_what_goes_to_a_group_reaches_who_is_to_go_as_well(session: Session) -> None:
    description = replace(DESCRIPTION, planes=DESCRIPTION.planes | Planes.MULTICAST)
    session.facts.description = description
    going = member(2)
    session.note_joined(going)
    going.pending_close = CloseRequested(CloseReason.EXPEL)
    assert session.receivers() == [going]
