"""The playbook claims effects in order, runs the timers, and lets nothing pass unseen."""

import pytest

from mpwire.core.events import (
    ClearTimer,
    Dropped,
    Effect,
    Forgotten,
    Input,
    Joined,
    JoinRequested,
    Send,
    SetTimer,
    TimerExpired,
)
from mpwire.core.timers import TimerName
from mpwire.testing.playbook import Playbook, Wanted, dropped, forgotten, reported, sent
from mpwire.wire.messages import CancelAck, Challenge


class Parrot:
    """Answers every input with the effects it was given, and remembers the inputs."""

    def __init__(self, *effects: Effect) -> None:
        self.effects = list(effects)
        self.heard: list[tuple[float, Input]] = []

    def handle(self, event: Input, now_s: float) -> list[Effect]:
        self.heard.append((now_s, event))
        effects, self.effects = self.effects, []
        return effects


ACK = CancelAck(destination_tag=7, seq=3, result=1)


def test_expectations_match_type_and_named_fields_only() -> None:
    play = Playbook(Parrot(Send(ACK), Joined(b"hi"), Dropped("late", "R1"), Forgotten()))
    play.feed(JoinRequested())
    play.expect(sent(CancelAck, result=1), reported(Joined), dropped("R1"), forgotten())
    play.finish()
    assert play.last(CancelAck) is ACK


@pytest.mark.parametrize(
    "wrong",
    [sent(Challenge), sent(CancelAck, result=0), reported(Joined), dropped("R1")],
)
def test_a_wrong_expectation_fails(wrong: Wanted) -> None:
    play = Playbook(Parrot(Send(ACK)))
    with pytest.raises(AssertionError, match=r"expected .*, got CancelAck"):
        play.feed(JoinRequested()).expect(wrong)


def test_expecting_more_than_happened_fails() -> None:
    play = Playbook(Parrot())
    with pytest.raises(AssertionError, match="nothing happened"):
        play.feed(JoinRequested()).expect(sent(CancelAck, result=1))


def test_an_unclaimed_effect_fails_the_next_step_and_the_end() -> None:
    play = Playbook(Parrot(Send(ACK)))
    play.feed(JoinRequested())
    for step in (
        play.finish,
        play.expire,
        lambda: play.feed(JoinRequested()),
        lambda: play.advance(1),
    ):
        with pytest.raises(AssertionError, match="nobody expected"):
            step()


def test_time_reaches_every_timer_on_its_way_in_order() -> None:
    later, sooner = SetTimer(TimerName.LIMIT, 5.0), SetTimer(TimerName.RETRANSMIT, 2.0)
    machine = Parrot(later, sooner, SetTimer(TimerName.KEEPALIVE, 9.0))
    play = Playbook(machine).feed(JoinRequested())
    play.advance(6.0)
    assert machine.heard[1:] == [
        (2.0, TimerExpired(TimerName.RETRANSMIT)),
        (5.0, TimerExpired(TimerName.LIMIT)),
    ]
    assert play.now_s == 6.0
    play.expire(TimerName.KEEPALIVE)
    assert play.now_s == 9.0


def test_a_stopped_timer_never_expires() -> None:
    machine = Parrot(SetTimer(TimerName.LIMIT, 5.0), ClearTimer(TimerName.LIMIT))
    play = Playbook(machine).feed(JoinRequested())
    assert play.timers == {}
    with pytest.raises(AssertionError, match="no timer runs"):
        play.expire()


def test_the_next_timer_can_be_named() -> None:
    play = Playbook(Parrot(SetTimer(TimerName.LIMIT, 5.0))).feed(JoinRequested())
    with pytest.raises(AssertionError, match="the next timer is"):
        play.expire(TimerName.RETRANSMIT)


def test_asking_for_a_message_that_was_never_sent_fails() -> None:
    with pytest.raises(AssertionError, match="no Challenge was sent"):
        Playbook(Parrot()).last(Challenge)
