"""Test one machine as a dialogue: an input, the effects it must have, and the time in between.

    play = Playbook(machine)
    play.feed(JoinRequested()).expect(sent(JoinReq, attempt=1))
    play.expire().expect(sent(JoinReq, attempt=2))
    play.feed(challenge).expect(sent(JoinReq, cookie=challenge.cookie))
    play.finish()

An expectation names a type and the fields that matter; a field that is not named matches anything.
Effects are claimed in order and completely: one that nobody expected fails the next step, or
`finish`. Timers need no claim, for the playbook runs them: time moves only by `advance` and
`expire`, and reaches every timer on its way.
"""

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mpwire.core.events import (
    ClearTimer,
    Dropped,
    Effect,
    Forgotten,
    HastenTimer,
    Input,
    Report,
    Send,
    SetTimer,
    TimerExpired,
)
from mpwire.core.timers import TimerName
from mpwire.wire.messages import Message

M = TypeVar("M", bound=Message)


class Machine(Protocol):
    """Anything that answers an input with effects."""

    def handle(self, event: Input, now_s: float) -> list[Effect]:
        """Take one step and return what is to be done."""


@dataclass(slots=True)
class Wanted:
    """One expected effect: its type, and the fields that matter."""

    kind: type
    fields: dict[str, object]

    def matches(self, subject: object) -> bool:
        """Tell whether this is what was wanted."""
        return type(subject) is self.kind and all(
            getattr(subject, name) == value for name, value in self.fields.items()
        )

    def __str__(self) -> str:
        """Write it as it was stated."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.kind.__name__}({fields})"


def sent(kind: type[Message], **fields: object) -> Wanted:
    """Expect that a message of this type is sent."""
    return Wanted(kind, fields)


def reported(kind: type[Report], **fields: object) -> Wanted:
    """Expect a report to the layer above."""
    return Wanted(kind, fields)


def forgotten() -> Wanted:
    """Expect that the machine lets go of everything."""
    return Wanted(Forgotten, {})


def dropped(rule: str) -> Wanted:
    """Expect that the input is ignored, for this rule."""
    return Wanted(Dropped, {"rule": rule})


@dataclass(slots=True)
class Playbook:
    """Feed one machine, keep its timers, and check that every effect was expected."""

    machine: Machine
    now_s: float = 0.0
    timers: dict[TimerName, float] = field(default_factory=dict)
    """When each running timer expires."""
    messages: list[Message] = field(default_factory=list)
    """Every message sent, in order."""
    unclaimed: list[object] = field(default_factory=list)
    """Messages, reports and drops that nobody has expected yet."""

    def feed(self, event: Input) -> "Playbook":
        """Give the machine an input, now."""
        self.finish()
        self._step(event)
        return self

    def expect(self, *wanted: Wanted) -> "Playbook":
        """Claim the next effects, in order."""
        for one in wanted:
            assert self.unclaimed, f"expected {one}, nothing happened"
            subject = self.unclaimed.pop(0)
            assert one.matches(subject), f"expected {one}, got {subject}"
        return self

    def expire(self, name: TimerName | None = None) -> "Playbook":
        """Go to the next timer and let it expire; `name` says which one it has to be."""
        self.finish()
        assert self.timers, "no timer runs"
        first = min(self.timers, key=self.timers.__getitem__)
        assert name in {None, first}, f"expected {name}, the next timer is {first}"
        self._expire(first)
        return self

    def advance(self, duration_s: float) -> "Playbook":
        """Let time pass, and every timer on the way expire."""
        self.finish()
        end_s = self.now_s + duration_s
        while self.timers and min(self.timers.values()) <= end_s:
            self._expire(min(self.timers, key=self.timers.__getitem__))
        self.now_s = end_s
        return self

    def last(self, kind: type[M]) -> M:
        """Return the message of this type that was sent last."""
        found = [message for message in self.messages if isinstance(message, kind)]
        assert found, f"no {kind.__name__} was sent"
        return found[-1]

    def finish(self) -> None:
        """Check that nothing happened which nobody expected."""
        assert not self.unclaimed, f"nobody expected {self.unclaimed}"

    def _expire(self, name: TimerName) -> None:
        self.now_s = max(self.now_s, self.timers.pop(name))
        self._step(TimerExpired(name))

    def _step(self, event: Input) -> None:
        for effect in self.machine.handle(event, self.now_s):
            match effect:
                case SetTimer(name, at_s):
                    self.timers[name] = at_s
                case HastenTimer(name, at_s):
                    self.timers[name] = min(at_s, self.timers.get(name, at_s))
                case ClearTimer(name):
                    self.timers.pop(name, None)
                case Send(message):
                    self.messages.append(message)
                    self.unclaimed.append(message)
                case _:
                    self.unclaimed.append(effect)
