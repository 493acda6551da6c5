"""How long hosts may talk before a lab gives up waiting for their silence."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from mpwire.lab.silence import DELAYED_FLIGHT_COUNT, Silence
from tests.lab.tapes import records

Run = Callable[..., Any]
MODULES = ["inner_network", "inner_silence"]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_hosts_may_talk_until_the_deadline() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    clock.now_s += 9.9
    assert silence.is_awaited()
    clock.now_s += 0.1
    assert not silence.is_awaited()
    assert silence.broken() == "hosts still talk after 10 s"


def test_what_is_held_back_is_on_nobodys_time() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    for _ in range(DELAYED_FLIGHT_COUNT):
        with silence.held_back():
            clock.now_s += 60
        assert silence.is_awaited()
    clock.now_s += 9.9
    assert silence.is_awaited()
    clock.now_s += 0.2
    assert not silence.is_awaited()
    assert silence.broken() == "hosts still talk after 10 s, and 32 times what was held back"


def test_nobody_is_waited_for_without_end_whose_answers_are_held_back_without_end() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    for _ in range(DELAYED_FLIGHT_COUNT + 1):
        with silence.held_back():
            clock.now_s += 12
    assert not silence.is_awaited()


def test_short_delays_count_only_when_the_deadline_has_passed() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    for _ in range(9_999):
        with silence.held_back():
            clock.now_s += 0.001
        assert silence.is_awaited()
    clock.now_s += 0.01
    assert not silence.is_awaited()


@pytest.mark.lab
def test_an_answer_that_is_held_longer_than_hosts_may_talk_is_waited_for(
    inside: Run, attached: str
) -> None:
    told = inside("late_answer", modules=MODULES, carrier=attached, held_s=0.5, deadline_s=0.2)
    assert told["refused"] == errno.ECONNREFUSED
    delivered = [one for one in records(told["tape"], "decision") if one["delivered"]]
    assert [one["reason"] for one in delivered] == ["impaired: says so"] * 2


@pytest.mark.lab
@pytest.mark.parametrize("held_s", [0.0, 0.002])
def test_hosts_that_never_fall_silent_end_the_wait(
    inside: Run, attached: str, held_s: float
) -> None:
    said = inside("endless", modules=MODULES, carrier=attached, held_s=held_s, deadline_s=0.3)
    assert said.startswith("hosts still talk after 0.3 s")
    assert ("held back" in said) == bool(held_s)


@pytest.mark.lab
def test_a_bridge_waits_no_longer_for_hosts_that_never_fall_silent(
    inside: Run, bridge: str
) -> None:
    said = inside("endless", modules=MODULES, carrier=bridge, held_s=0.0, deadline_s=0.3)
    assert said == "hosts still talk after 0.3 s"
