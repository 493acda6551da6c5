"""Keep the rules: each is a function that looks at a case and yields what it finds.

A rule yields one outcome per subject it looked at (a frame, an attempt, a membership, a socket,
a reported event). It yields nothing when the run has no such subject: then the rule was not
exercised and says nothing about the run.

`needs` says what a violation stands on, which decides whether it counts in an incomplete record:

- "frame": one frame shows it.
- "frames": several frames show it, whatever else may be missing.
- "history": it rests on something not being there, or on order at a node; needs a complete record.
- "events": it rests on what agents said; needs a complete run file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from mpwire.oracle.case import Case
    from mpwire.oracle.trace import Packet

Needs = Literal["frame", "frames", "history", "events"]
Severity = Literal["error", "warn"]
Group = Literal["framing", "identity", "join", "close", "events", "calls", "data"]
Kind = Literal["pass", "fail", "lacking", "unsure", "late"]
"""`lacking` is a failure in a complete record only: it rests on something that is not there."""


@dataclass(slots=True)
class Outcome:
    """What a rule says of one subject."""

    kind: Kind
    frames: tuple[int, ...] = ()
    endpoint: str = ""
    expected: str = ""
    seen: str = ""
    reason: str = ""


TIMED: Final = frozenset(
    {"R45", "R46", "R60", "R65", "R72", "R73", "R76", "R86", "R87", "R97", "R104", "R113", "R115"}
)
"""Rules that compare times; where the clocks of a record disagree they show nothing."""
PASSED = Outcome("pass")

Check = Callable[["Case"], Iterable[Outcome]]


@dataclass(slots=True)
class Rule:
    """One requirement, in one sentence, and the function that judges it."""

    id: str
    sentence: str
    source: str
    group: Group
    needs: Needs
    vantage: str
    """Where one must capture to judge it: protocol.md section 3, or "E" for agent lines."""
    severity: Severity
    check: Check = field(repr=False)


RULES: dict[str, Rule] = {}
"""All rules by id, in the order in which they were registered."""


def rule(
    rule_id: str,
    sentence: str,
    *,
    source: str,
    group: Group,
    needs: Needs,
    vantage: str,
    severity: Severity = "error",
) -> Callable[[Check], Check]:
    """Register the decorated function as the judge of one requirement."""

    def register(check: Check) -> Check:
        if rule_id in RULES:
            raise ValueError(f"rule {rule_id} is registered twice")
        RULES[rule_id] = Rule(rule_id, sentence, source, group, needs, vantage, severity, check)
        return check

    return register


def verify(
    condition: bool,
    subject: "Packet | Sequence[Packet]",
    *,
    expected: str,
    seen: str,
    reason: str = "",
    earlier: tuple[int, ...] = (),
) -> Outcome:
    """Return PASSED, or a failure that names the frames and the sender of the last of them."""
    if condition:
        return PASSED
    return broken(subject, expected=expected, seen=seen, reason=reason, earlier=earlier)


def broken(
    subject: "Packet | Sequence[Packet]",
    *,
    expected: str,
    seen: str,
    reason: str = "",
    kind: Kind = "fail",
    endpoint: str = "",
    earlier: tuple[int, ...] = (),
) -> Outcome:
    """Return a failure (or another outcome) that these frames show, after `earlier` ones."""
    packets = list(subject) if isinstance(subject, Sequence) else [subject]
    return Outcome(
        kind,
        frames=(*earlier, *(packet.number for packet in packets)),
        endpoint=endpoint or (packets[-1].sender_name if packets else ""),
        expected=expected,
        seen=seen,
        reason=reason,
    )


def natural_order(rule_id: str) -> tuple[str, int]:
    """Order R2 before R10 and keep the families together."""
    letters = rule_id.rstrip("0123456789")
    return letters, int(rule_id[len(letters) :] or 0)


def rules_in_order() -> Iterator[Rule]:
    """Yield all rules: R, then EV, CR and DR, by number."""
    families = {"R": 0, "EV": 1, "CR": 2, "DR": 3}

    def place(rule_id: str) -> tuple[int, int]:
        family, number = natural_order(rule_id)
        return families[family], number

    for rule_id in sorted(RULES, key=place):
        yield RULES[rule_id]
