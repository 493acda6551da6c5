"""What of one origin has arrived: once each, in any order, inside the window, told in time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.core.inflow import BUFFER, HORIZON, INITIAL_WINDOW, RANGES, Inflow
from mpwire.core.serial import plus


def arrive(inflow: Inflow, *numbers: int) -> list[list[bytes] | None]:
    """Let messages arrive whose payload is their number."""
    return [inflow.take(seq, b"%d" % seq) for seq in numbers]


@pytest.fixture(params=[False, True], ids=["best effort", "repair"])
def inflow(request: pytest.FixtureRequest) -> Inflow:
    """Give a flow that starts at 10."""
    return Inflow(10, repairs=request.param)


def test_data_in_order_is_handed_up_at_once(inflow: Inflow) -> None:
    assert arrive(inflow, 10, 11, 12) == [[b"10"], [b"11"], [b"12"]]
    assert (inflow.next_seq, inflow.ahead, inflow.has_gap) == (13, {}, False)


def test_nothing_counts_twice(inflow: Inflow) -> None:
    for seq in (10, 12):
        assert inflow.take(seq, b"") is not None
        assert inflow.take(seq, b"") is None


def test_the_past_is_refused(inflow: Inflow) -> None:
    assert inflow.take(9, b"") is None


def test_nothing_sent_is_complete_at_once(inflow: Inflow) -> None:
    assert inflow.complete_to(9)
    assert not inflow.complete_to(10)


def test_best_effort_hands_up_what_comes() -> None:
    inflow = Inflow(10)
    assert arrive(inflow, 12, 10) == [[b"12"], [b"10"]]
    assert inflow.next_seq == 11


def test_repair_waits_for_what_is_missing() -> None:
    inflow = Inflow(10, repairs=True)
    assert arrive(inflow, 12, 10, 11) == [[], [b"10"], [b"11", b"12"]]
    assert inflow.unread == 3


def test_a_gap_is_known_from_what_lies_beyond_it() -> None:
    inflow = Inflow(10, repairs=True)
    arrive(inflow, 10, 12, 15)
    inflow.announce(18)
    inflow.announce(14)
    assert inflow.has_gap
    assert inflow.missing() == ((11, 11), (13, 14), (16, 17))


def test_a_nack_names_no_more_ranges_than_it_can() -> None:
    inflow = Inflow(0, repairs=True)
    inflow.limit = 2 * RANGES + 9
    arrive(inflow, *range(1, 2 * RANGES + 5, 2))
    assert inflow.missing() == tuple((seq, seq) for seq in range(0, 2 * RANGES, 2))


def test_best_effort_reaches_as_far_as_the_horizon() -> None:
    inflow = Inflow(10)
    assert inflow.take(10 + HORIZON, b"") is None
    assert inflow.take(10 + HORIZON - 1, b"") is not None


def test_best_effort_goes_on_after_a_loss_and_remembers_no_more_than_the_horizon() -> None:
    inflow = Inflow(0)
    for seq in range(1, 3 * HORIZON):
        assert inflow.take(seq, b"%d" % seq) == [b"%d" % seq]
        assert inflow.take(seq, b"again") is None
    assert len(inflow.ahead) == HORIZON
    assert inflow.take(2 * HORIZON - 1, b"forgotten, and too old") is None
    assert inflow.take(2 * HORIZON, b"remembered") is None
    assert inflow.next_seq == 0
    assert not inflow.complete_to(3 * HORIZON)


def test_the_window_is_what_was_granted() -> None:
    inflow = Inflow(10, repairs=True)
    assert inflow.take(10 + INITIAL_WINDOW, b"") is None
    assert inflow.take(10 + INITIAL_WINDOW - 1, b"") == []
    assert inflow.acknowledge() == BUFFER
    assert inflow.take(10 + BUFFER - 1, b"") == []
    assert inflow.take(10 + BUFFER, b"") is None


def test_what_is_unread_takes_room_and_gives_it_back() -> None:
    inflow = Inflow(0, repairs=True)
    inflow.acknowledge()
    arrive(inflow, *range(BUFFER))
    assert inflow.acknowledge() == 0
    inflow.unread -= BUFFER // 2 - 1
    assert not inflow.reopens
    inflow.unread -= 1
    reopened = inflow.reopens
    assert inflow.acknowledge() == BUFFER // 2
    assert reopened > inflow.reopens


def test_the_slowest_receiver_of_a_relay_takes_room_too() -> None:
    inflow = Inflow(0, repairs=True)
    inflow.backlog = 200
    assert inflow.acknowledge() == BUFFER - 200


def test_room_once_given_is_never_taken_back() -> None:
    inflow = Inflow(0, repairs=True)
    inflow.acknowledge()
    inflow.backlog = BUFFER
    assert inflow.acknowledge() == BUFFER


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.booleans(), st.randoms())
def test_any_order_with_duplicates_delivers_each_once(
    first: int, count: int, repairs: bool, shuffler: random.Random
) -> None:
    inflow = Inflow(first, repairs)
    inflow.acknowledge()
    sent = [plus(first, number) for number in range(count)]
    arrivals = sent * 2
    shuffler.shuffle(arrivals)
    delivered = [payload for seq in arrivals for payload in inflow.take(seq, b"%d" % seq) or []]
    expected = [b"%d" % seq for seq in sent]
    assert (delivered if repairs else sorted(delivered)) == (
        expected if repairs else sorted(expected)
    )
    assert inflow.next_seq == plus(first, count)
    assert inflow.complete_to(plus(first, count - 1))
