"""How long a run waits follows from the timers, and only from them."""

import dataclasses

import pytest

from mpwire.core.timers import TimerPlan
from mpwire.lab.timers import DEFAULTS, handshake_budget_s, patience_s, scaled


def test_the_budget_is_the_retransmission_law() -> None:
    assert handshake_budget_s({}) == pytest.approx(1.1 * (1 + 2 + 4 + 8 + 16 + 16))
    assert handshake_budget_s({"retransmissions": 1, "rto_initial_s": 3}) == pytest.approx(9.9)


def test_scaling_scales_every_time_and_no_count() -> None:
    assert scaled(0.5) == {
        name: value if name == "retransmissions" else value / 2 for name, value in DEFAULTS.items()
    }
    assert patience_s(scaled(0.1)) == pytest.approx(patience_s({}) / 10)


def test_outcomes_that_come_late_are_waited_for_longer() -> None:
    assert patience_s({}, "WSAETIMEDOUT") >= patience_s({}) + DEFAULTS["pend_s"]
    assert patience_s({}, "WSAECONNABORTED") >= patience_s({}) + DEFAULTS["dead_s"]
    assert patience_s({}, "WSAECONNREFUSED") == patience_s({})


def test_the_defaults_are_those_of_the_reference_endpoint() -> None:
    assert dataclasses.asdict(TimerPlan()) == DEFAULTS
