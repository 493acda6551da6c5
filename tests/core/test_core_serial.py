"""Sequence numbers that wrap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.core.serial import after, plus

NUMBERS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("seq", "reference", "distance"),
    [
        (5, 5, 0),
        (6, 5, 1),
        (5, 6, -1),
        (0, 2**32 - 1, 1),
        (2**32 - 1, 0, -1),
        (2**31 - 1, 0, 2**31 - 1),
        (2**31, 0, -(2**31)),
    ],
)
def test_distance_goes_the_short_way_round(seq: int, reference: int, distance: int) -> None:
    assert after(seq, reference) == distance


@given(NUMBERS, st.integers(-(2**31), 2**31 - 1))
def test_moving_and_measuring_agree(seq: int, count: int) -> None:
    moved = plus(seq, count)
    assert 0 <= moved < 2**32
    assert after(moved, seq) == count
