"""The plan as announced, the law of copies, and the queue of running timers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpwire.core.entropy import Entropy
from mpwire.core.timers import CONTROLLED, TimerName, TimerPlan, TimerQueue

LIMIT, RETRANSMIT, KEEPALIVE = TimerName.LIMIT, TimerName.RETRANSMIT, TimerName.KEEPALIVE


def test_the_default_plan_is_the_specifications() -> None:
    timers = TimerPlan().announced()
    assert (timers.rto_initial_ms, timers.rto_maximum_ms) == (1000, 16_000)
    assert (timers.keepalive_ms, timers.dead_ms) == (20_000, 45_000)
    assert (timers.pend_ms, timers.linger_ms) == (180_000, 40_000)
    assert (timers.drain_ms, timers.mrc, timers.tflags) == (6000, 5, 0)


def test_a_scaled_plan_says_that_it_is_controlled() -> None:
    plan = TimerPlan().scaled(0.1)
    assert plan.announced().tflags == CONTROLLED
    assert plan.announced().keepalive_ms == 2000
    assert plan.retransmissions == 5
    assert plan.cookie_life_s == pytest.approx(3.0)


def test_no_duration_is_announced_as_zero() -> None:
    assert TimerPlan().scaled(1e-9).announced().rto_initial_ms == 1


@given(st.integers(1, 8), st.binary(min_size=1, max_size=8))
def test_intervals_double_up_to_the_cap_with_ten_percent_of_jitter(sends: int, seed: bytes) -> None:
    interval_s = TimerPlan().interval_s(sends, Entropy(seed))
    law_s = min(2.0 ** (sends - 1), 16.0)
    assert 0.9 * law_s <= interval_s <= 1.1 * law_s


def test_timers_expire_in_order_and_only_when_due() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.set("a", LIMIT, 5.0)
    queue.set("b", RETRANSMIT, 2.0)
    assert queue.next_s() == 2.0
    assert queue.pop_expired(1.9) is None
    assert queue.pop_expired(9.0) == ("b", RETRANSMIT)
    assert queue.pop_expired(9.0) == ("a", LIMIT)
    assert queue.next_s() is None
    assert queue.pop_expired(9.0) is None


def test_setting_again_replaces_and_clearing_stops() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.set("a", LIMIT, 5.0)
    queue.set("a", LIMIT, 7.0)
    queue.set("a", KEEPALIVE, 6.0)
    queue.clear("a", KEEPALIVE)
    queue.clear("a", RETRANSMIT)
    assert queue.next_s() == 7.0
    assert queue.pop_expired(8.0) == ("a", LIMIT)
    assert queue.pop_expired(8.0) is None


OWNERS, NAMES = st.sampled_from("abc"), st.sampled_from(list(TimerName))
SETTINGS = st.lists(st.tuples(OWNERS, NAMES, st.none() | st.integers(0, 50)), max_size=40)


@given(SETTINGS)
def test_it_agrees_with_a_dictionary(
    settings: list[tuple[str, TimerName, int | None]],
) -> None:
    queue: TimerQueue[str] = TimerQueue()
    running: dict[tuple[str, TimerName], int] = {}
    for owner, name, at_s in settings:
        if at_s is None:
            queue.clear(owner, name)
            running.pop((owner, name), None)
        else:
            queue.set(owner, name, at_s)
            running[owner, name] = at_s
    assert queue.next_s() == min(running.values(), default=None)
    expired = []
    while (one := queue.pop_expired(100.0)) is not None:
        expired.append(one)
    assert sorted(expired, key=str) == sorted(running, key=str)
    assert [running[one] for one in expired] == sorted(running.values())


def test_hastening_never_puts_off() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.hasten("a", TimerName.NACK, 3.0)
    queue.hasten("a", TimerName.NACK, 5.0)
    assert queue.next_s() == 3.0
    queue.hasten("a", TimerName.NACK, 2.0)
    assert queue.pop_expired(2.5) == ("a", TimerName.NACK)
    assert queue.next_s() is None


def test_the_running_timers_are_those_set_and_neither_cleared_nor_expired() -> None:
    queue = TimerQueue[str]()
    for name in TimerName:
        queue.set("a", name, 1.0)
    queue.clear("a", TimerName.LIMIT)
    assert queue.pop_expired(1.0) == ("a", TimerName.RETRANSMIT)
    others = set(TimerName) - {TimerName.LIMIT, TimerName.RETRANSMIT}
    assert set(queue.running()) == {("a", name) for name in others}
