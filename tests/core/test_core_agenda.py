"""Who is due next."""

from hypothesis import given
from hypothesis import strategies as st

from mpwire.core.agenda import Agenda


def test_nobody_is_due_when_nobody_is_noted() -> None:
    agenda: Agenda[str] = Agenda()
    assert agenda.next_s() is None
    assert [*agenda.due(9.0)] == []


def test_the_latest_note_counts() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.note("a", 1.0)
    agenda.note("a", 3.0)
    agenda.note("b", 2.0)
    assert agenda.next_s() == 2.0
    assert [*agenda.due(2.5)] == ["b"]
    assert agenda.next_s() == 3.0
    agenda.note("a", None)
    agenda.note("nobody", None)
    assert agenda.next_s() is None


def test_the_same_note_twice_is_one() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.note("a", 1.0)
    agenda.note("a", 1.0)
    assert [*agenda.due(1.0)] == ["a"]
    assert [*agenda.due(1.0)] == []


def test_who_is_noted_while_others_are_served_comes_too() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.note("a", 1.0)
    served = []
    for owner in agenda.due(2.0):
        served.append(owner)
        if len(served) == 1:
            agenda.note("a", 1.5)
            agenda.note("b", 2.5)
    assert served == ["a", "a"]
    assert agenda.next_s() == 2.5


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20))))
def test_agrees_with_a_plain_dictionary(notes: list[tuple[int, int | None]]) -> None:
    agenda: Agenda[int] = Agenda()
    plain: dict[int, float] = {}
    for owner, at in notes:
        agenda.note(owner, at)
        plain.pop(owner, None)
        if at is not None:
            plain[owner] = at
        assert agenda.next_s() == min(plain.values(), default=None)
    assert sorted(agenda.due(10.0)) == sorted(owner for owner, at_s in plain.items() if at_s <= 10)
