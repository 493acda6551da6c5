"""MaxRate is kept, and a path that loses is given less (protocol.md 11.8)."""

from mpwire.core.pacing import BURST, Pacer


def drain(pacer: Pacer, now_s: float) -> int:
    """Let as many messages leave as may; return how many did."""
    count = 0
    while pacer.admits(now_s):
        count += 1
    return count


def interval(pacer: Pacer, now_s: float, loss: float) -> int:
    """Send all that may leave in the interval that begins now, of which a share is lost."""
    sent = sum(drain(pacer, now_s + step / 100) for step in range(100))
    pacer.note_repairs(round(sent * loss))
    return sent


def test_a_burst_and_then_the_rate() -> None:
    pacer = Pacer(100.0, 1.0)
    assert drain(pacer, 5.0) == BURST
    assert pacer.next_s(5.0) == 5.01
    assert drain(pacer, 5.0099) == 0
    assert drain(pacer, 5.0101) == 1
    assert sum(drain(pacer, 6 + step / 1000) for step in range(1000)) <= 100 + BURST


def test_a_pause_earns_no_more_than_a_burst() -> None:
    pacer = Pacer(1000.0, 1.0)
    drain(pacer, 0.0)
    assert drain(pacer, 60.0) == BURST


def test_losses_halve_the_rate_and_their_end_doubles_it() -> None:
    pacer = Pacer(1000.0, 1.0)
    sent = interval(pacer, 0.0, 0.10)
    assert interval(pacer, 1.0, 0.0) <= sent / 2 + BURST
    halved = pacer.rate_pps
    interval(pacer, 2.0, 0.0)
    assert pacer.rate_pps == 2 * halved
    for second in range(3, 8):
        interval(pacer, float(second), 0.0)
    assert pacer.rate_pps == 1000.0


def test_few_losses_are_no_congestion() -> None:
    pacer = Pacer(1000.0, 1.0)
    for second in range(5):
        interval(pacer, float(second), 0.04)
    assert pacer.rate_pps == 1000.0


def test_a_handful_of_messages_proves_nothing() -> None:
    pacer = Pacer(1000.0, 1.0)
    for second in range(5):
        assert pacer.admits(float(second))
        pacer.note_repairs(1)
    assert pacer.rate_pps == 1000.0


def test_the_rate_does_not_fall_below_a_floor() -> None:
    pacer = Pacer(1000.0, 1.0)
    for second in range(30):
        interval(pacer, float(second), 0.15)
    assert pacer.rate_pps == 8.0


def test_lasting_heavy_loss_breaks_the_circuit_until_the_path_is_good_again() -> None:
    pacer = Pacer(1000.0, 1.0)
    for second in range(3):
        interval(pacer, float(second), 0.5)
    pacer.admits(3.0)
    assert pacer.rate_pps == 1.0
    assert interval(pacer, 4.0, 0.0) <= 2
    interval(pacer, 5.0, 0.0)
    interval(pacer, 6.0, 0.0)
    assert pacer.rate_pps >= 8.0


def test_a_broken_circuit_stays_broken_while_losses_last() -> None:
    pacer = Pacer(1000.0, 1.0)
    for second in range(3):
        interval(pacer, float(second), 0.5)
    for second in range(3, 20):
        assert interval(pacer, float(second), 1.0) <= 2


def test_repairs_of_a_time_without_messages_are_held_against_none() -> None:
    pacer = Pacer(1000.0, 1.0)
    drain(pacer, 0.0)
    assert not pacer.is_ready(0.0)
    pacer.admits(1.0)
    pacer.note_repairs(60)
    for hour in range(1, 4):
        pacer.is_ready(3600.0 * hour)
        pacer.note_repairs(60)
    assert interval(pacer, 20_000.0, 0.0) >= BURST
    pacer.admits(20_002.0)
    assert pacer.rate_pps == 1000.0


def test_asking_whether_it_is_ready_uses_nothing_up() -> None:
    pacer = Pacer(1.0, 1.0)
    assert all(pacer.is_ready(0.0) for _ in range(2 * BURST))
    assert drain(pacer, 0.0) == BURST
    assert not pacer.is_ready(0.0)


def paced(count: int, repaired: int, now_s: float = 0.0, pacer: Pacer | None = None) -> Pacer:
    """Let so many messages leave at one time, of which so many are repaired."""
    pacer = pacer or Pacer(1000.0, 1.0)
    assert all(pacer.admits(now_s) for _ in range(count))
    pacer.note_repairs(repaired)
    return pacer


def test_who_has_tokens_left_waits_for_none() -> None:
    assert Pacer(100.0, 1.0).next_s(5.0) == 5.0


def test_one_loss_in_twenty_is_no_congestion_and_two_are() -> None:
    for repaired, rate_pps in ((1, 1000.0), (2, 10.0)):
        pacer = paced(20, repaired)
        pacer.is_ready(1.0)
        assert pacer.rate_pps == rate_pps


def test_a_fifth_that_is_lost_for_long_does_not_break_the_circuit() -> None:
    pacer = Pacer(1000.0, 1.0)
    for second in range(4):
        paced(10, 2, float(second), pacer)
    assert pacer.rate_pps == 8.0
    assert pacer.broken == 0


def test_an_interval_begins_when_something_leaves() -> None:
    pacer = Pacer(1000.0, 1.0)
    pacer.is_ready(5.0)
    paced(20, 2, 5.9, pacer)
    pacer.is_ready(6.5)
    assert pacer.rate_pps == 1000.0
    pacer.is_ready(6.9)
    assert pacer.rate_pps == 10.0


def test_an_interval_in_which_nothing_left_lends_nothing_to_the_next() -> None:
    pacer = Pacer(1000.0, 1.0)
    pacer.note_repairs(60)
    pacer.is_ready(3.0)
    assert pacer.repaired == 0
    paced(20, 2, 3.0, pacer)
    pacer.is_ready(4.0)
    assert pacer.rate_pps == 10.0
