"""What one receiver has not acknowledged: what may leave, what is kept, what is repaired."""

import pytest

from mpwire.core.inflow import HORIZON, INITIAL_WINDOW
from mpwire.core.outflow import HIGHEST_ATTEMPT, REPAIRS_PER_NACK, Outflow
from mpwire.core.serial import plus


def submitted(count: int, first: int = 10, *, repairs: bool = True) -> Outflow:
    """Return a flow to which messages were given; those there is room for have left."""
    flow = Outflow(first, repairs)
    for number in range(count):
        flow.submit(plus(first, number), b"%d" % number)
    list(flow.leaving(0.0))
    return flow


def test_best_effort_keeps_nothing_and_has_room_for_ever() -> None:
    flow = submitted(5000, repairs=False)
    assert flow.is_acknowledged
    assert flow.has_room
    assert flow.sent_seq == 5010


def test_no_more_leaves_than_the_receiver_has_room_for() -> None:
    flow = submitted(INITIAL_WINDOW + 2)
    assert flow.sent_seq == 10 + INITIAL_WINDOW
    assert not flow.has_room
    assert flow.acknowledge(10, INITIAL_WINDOW + 1) == 0
    assert [seq for seq, _ in flow.leaving(0.0)] == [10 + INITIAL_WINDOW]
    assert flow.acknowledge(12, INITIAL_WINDOW + 1) == 2
    assert [seq for seq, _ in flow.leaving(0.0)] == [11 + INITIAL_WINDOW]
    assert flow.has_room


def test_what_is_acknowledged_is_let_go() -> None:
    flow = submitted(3)
    assert flow.acknowledge(12, 100) == 2
    assert flow.kept == {12: b"2"}
    assert not flow.is_acknowledged
    assert flow.acknowledge(13, 100) == 1
    assert flow.is_acknowledged


@pytest.mark.parametrize(("rcv_next", "window"), [(14, 100), (10, HORIZON + 1)])
def test_what_cannot_be_is_not_believed(rcv_next: int, window: int) -> None:
    flow = submitted(3)
    assert flow.acknowledge(rcv_next, window) is None
    assert len(flow.kept) == 3


def test_an_old_acknowledgement_takes_nothing_back() -> None:
    flow = submitted(3)
    flow.acknowledge(13, 100)
    assert flow.acknowledge(11, 4) == 0
    assert (flow.acked_seq, flow.limit) == (13, 113)


def test_repairs_count_their_attempts() -> None:
    flow = submitted(3)
    assert list(flow.repairable([(11, 12)])) == [(11, 2, b"1"), (12, 2, b"2")]
    assert list(flow.repairable([(12, 12)])) == [(12, 3, b"2")]


def test_what_never_left_or_is_let_go_is_not_repaired() -> None:
    flow = submitted(INITIAL_WINDOW + 1)
    flow.acknowledge(11, INITIAL_WINDOW - 1)
    unsent = 10 + INITIAL_WINDOW
    assert list(flow.repairable([(9, 10), (unsent, unsent + 5)])) == []


def test_a_message_is_not_repaired_for_ever() -> None:
    flow = submitted(1)
    for _ in range(HIGHEST_ATTEMPT - 1):
        assert list(flow.repairable([(10, 10)]))
    assert list(flow.repairable([(10, 10)])) == []


def test_one_nack_causes_a_bounded_number_of_repairs() -> None:
    flow = submitted(0)
    flow.acknowledge(10, 200)
    for seq in range(10, 210):
        flow.submit(seq, b"")
    list(flow.leaving(0.0))
    assert len(list(flow.repairable([(10, 209)]))) == REPAIRS_PER_NACK
    assert len(list(flow.repairable([(0, 2**31 - 1)]))) == REPAIRS_PER_NACK


def test_numbers_wrap() -> None:
    flow = submitted(4, first=2**32 - 2)
    assert [*flow.kept] == [2**32 - 2, 2**32 - 1, 0, 1]
    assert [seq for seq, _, _ in flow.repairable([(2**32 - 1, 0)])] == [2**32 - 1, 0]
    assert flow.acknowledge(1, 100) == 3
    assert [*flow.kept] == [1]


def test_what_has_not_left_can_be_taken_back() -> None:
    flow = submitted(INITIAL_WINDOW + 2)
    flow.withdraw()
    assert flow.next_seq == flow.sent_seq == 10 + INITIAL_WINDOW
    assert len(flow.kept) == INITIAL_WINDOW
    flow.withdraw()
    assert len(flow.kept) == INITIAL_WINDOW
