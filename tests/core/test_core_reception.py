"""What of one origin has arrived: once each, in any order, inside the window."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mpwire.core.reception import WINDOW, Reception
from mpwire.core.serial import plus


def test_data_in_order_moves_the_first_missing_number() -> None:
    reception = Reception(10)
    assert [reception.take(seq) for seq in (10, 11, 12)] == [True, True, True]
    assert reception.next_seq == 13
    assert reception.ahead == set()


def test_a_gap_is_remembered_and_closed() -> None:
    reception = Reception(10)
    assert reception.take(12)
    assert reception.next_seq == 10
    assert not reception.complete_to(12)
    assert reception.take(10)
    assert reception.take(11)
    assert reception.next_seq == 13
    assert reception.complete_to(12)


def test_nothing_counts_twice() -> None:
    reception = Reception(10)
    for seq in (10, 12):
        assert reception.take(seq)
        assert not reception.take(seq)


def test_the_window_ends() -> None:
    reception = Reception(10)
    assert not reception.take(9)
    assert not reception.take(10 + WINDOW)
    assert reception.take(10 + WINDOW - 1)


def test_nothing_sent_is_complete_at_once() -> None:
    assert Reception(10).complete_to(9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.randoms(use_true_random=False))
def test_any_order_with_duplicates_delivers_each_once(
    first: int, count: int, shuffler: random.Random
) -> None:
    reception = Reception(first)
    arrivals = [plus(first, number) for number in range(count)] * 2
    shuffler.shuffle(arrivals)
    taken = [seq for seq in arrivals if reception.take(seq)]
    assert sorted(taken) == sorted(set(arrivals))
    assert reception.next_seq == plus(first, count)
    assert reception.complete_to(plus(first, count - 1))
