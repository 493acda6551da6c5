"""Say what the judge found: findings, results per rule, judged events, the whole judgement.

A verdict has three values. FAIL needs frames or agent lines that contradict the specification,
PASS needs at least one subject that was looked at and found right, everything else is
INCONCLUSIVE. Lateness and the like are warnings: findings that fail nothing.
"""

from collections import Counter
from enum import StrEnum

import msgspec

from mpwire.vocabulary import Verdict

FRAMES_SHOWN = 12
"""Frames that one rule lists in the JSON document; its findings carry their own."""


class Level(StrEnum):
    """How strongly the specification speaks about one event."""

    MUST = "must"
    """A conforming endpoint reports it."""
    MAY = "may"
    """A conforming endpoint may report it or not."""
    MUST_NOT = "must not"
    """No frame and no call explains it."""


class Finding(msgspec.Struct, kw_only=True):
    """One deviation, one warning or one question that stayed open."""

    rule: str
    verdict: Verdict
    severity: str = "error"
    """error, or warn for what is noted and fails nothing."""
    endpoint: str = ""
    """Who is judged: "leaf1:L1" for a socket, "leaf1 10.0.0.2:61717" for an address."""
    frames: tuple[int, ...] = ()
    """Packet ids of the frames that show it."""
    expected: str = ""
    seen: str = ""
    reason: str = ""


class RuleResult(msgspec.Struct, kw_only=True):
    """What one rule says of the whole run."""

    id: str
    group: str
    verdict: Verdict = Verdict.INCONCLUSIVE
    passed: int = 0
    failed: int = 0
    undecided: int = 0
    warned: int = 0
    findings: list[Finding] = []

    @property
    def exercised(self) -> bool:
        """Tell whether the run had anything this rule looks at."""
        return bool(self.passed or self.failed or self.undecided)

    @property
    def count(self) -> int:
        """Count the subjects that were looked at."""
        return self.passed + self.failed + self.undecided

    @property
    def reason(self) -> str:
        """Give the first reason for a verdict other than PASS."""
        for finding in self.findings:
            if finding.verdict is self.verdict:
                return finding.reason or f"expected {finding.expected}, seen {finding.seen}"
        return "" if self.exercised else "not exercised"

    @property
    def frames(self) -> list[int]:
        """List the frames of the findings that decide the verdict, each once."""
        numbers = (
            number
            for finding in self.findings
            if finding.verdict is self.verdict
            for number in finding.frames
        )
        return list(dict.fromkeys(numbers))[:FRAMES_SHOWN]

    def to_json(self) -> dict[str, object]:
        """Give the part of the document that is about this rule."""
        return {
            "id": self.id,
            "group": self.group,
            "verdict": self.verdict.value,
            "count": self.count,
            "frames": self.frames,
            "reason": "" if self.verdict is Verdict.PASS else self.reason,
            "findings": [msgspec.to_builtins(finding) for finding in self.findings],
        }

    def settle(self) -> None:
        """Derive the verdict from the counts."""
        if self.failed:
            self.verdict = Verdict.FAIL
        elif self.passed and not self.undecided:
            self.verdict = Verdict.PASS
        else:
            self.verdict = Verdict.INCONCLUSIVE


class JudgedEvent(msgspec.Struct, kw_only=True):
    """One socket event that an agent reported, and what the packets say of it."""

    host: str
    socket: int
    event: str
    code: int
    seq: int | None
    """Number of the agent's event line; None when a call enumerated the event."""
    level: Level
    rule: str
    """The event window that decided the level."""
    frames: tuple[int, ...] = ()
    """Frames that caused the event."""


class Judgement(msgspec.Struct, kw_only=True):
    """What the judge says of a run, rule by rule."""

    verdict: Verdict
    run_file: str
    rules: list[RuleResult]
    events: list[JudgedEvent] = []
    """The reported events; none of a run that was judged in parts."""
    levels: dict[str, int] = {}
    """How many events there are of each level, where they are not listed."""
    incomplete: list[str] = []
    """Why the record does not prove that nothing is missing; empty for a complete run."""
    unsupported: list[str] = []
    """Calls that an agent does not implement."""
    stopped: list[str] = []
    """Steps of the script that failed: what came after them was not tried."""

    @property
    def findings(self) -> list[Finding]:
        """List all findings of all rules."""
        return [finding for result in self.rules for finding in result.findings]

    def rule(self, rule_id: str) -> RuleResult:
        """Return the result of one rule."""
        return next(result for result in self.rules if result.id == rule_id)

    def counts(self) -> dict[str, int]:
        """Count the reported events by level."""
        levels = Counter(self.levels) + Counter(event.level for event in self.events)
        return {
            "reported": levels.total(),
            "must": levels[Level.MUST],
            "may": levels[Level.MAY],
            "must_not": levels[Level.MUST_NOT],
        }

    def to_json(self) -> dict[str, object]:
        """Give the document that `mpwire check --json` prints, made of plain values only."""
        return {
            "verdict": self.verdict.value,
            "run_file": self.run_file,
            "rules": [result.to_json() for result in self.rules],
            "events": self.counts(),
            "incomplete": list(self.incomplete),
            "unsupported": list(self.unsupported),
            "stopped": list(self.stopped),
        }
