"""What a caller asks of a lab that goes step by step, and what it is answered.

Such a lab has no script: its standard input carries, after the order, one of these a line, and
each is answered by one `Answered` among the progress lines. The first answer comes unasked, when
the agents are ready.
"""

from collections.abc import Mapping

import msgspec

from mpwire.lab.progress import AnyProgress, Failure, Progress
from mpwire.lab.steps import AnyExpectation, AnyStep


class Question(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask"):
    """Base of all that can be asked."""


class Perform(Question, frozen=True, kw_only=True, tag="perform"):
    """Carry out a step."""

    step: AnyStep | AnyExpectation


class Events(Question, frozen=True, kw_only=True, tag="events"):
    """Tell what a socket has reported so far."""

    socket: str


class Processes(Question, frozen=True, kw_only=True, tag="processes"):
    """Tell which process is the agent of which host."""


class Finish(Question, frozen=True, kw_only=True, tag="finish"):
    """End the run in order; the answer is the end."""


AnyQuestion = Perform | Events | Processes | Finish


class Answered(Progress, frozen=True, kw_only=True, tag="answered"):
    """What was asked has been done, or has failed."""

    failed: Failure | None = None
    received: str | None = None
    """What a step received, in hexadecimal."""
    events: tuple[str, ...] = ()
    """Oldest first, each as the sentences write it."""
    processes: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Process ids as the lab numbers them, by host; empty where hosts have no processes."""


AnyTold = AnyProgress | Answered
