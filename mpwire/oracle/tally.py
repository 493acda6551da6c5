"""Count what the rules say, over one case or over the many that a long capture is cut into.

Counts are exact however long a capture is. Of the findings the first ones of each rule are kept,
as nobody reads thousands, and a broken endpoint may break a rule with every frame.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mpwire.oracle import rules as _rules
from mpwire.oracle.case import Case
from mpwire.oracle.judgement import Finding, RuleResult
from mpwire.oracle.registry import TIMED, Outcome, Rule, broken, rules_in_order
from mpwire.oracle.rules.framing import is_grease_probe
from mpwire.oracle.trace import Packet
from mpwire.vocabulary import Verdict

SHOWN = "frame", "frames"
"""What a violation may rest on to count in an incomplete record."""
VERDICTS = {"fail": Verdict.FAIL, "unsure": Verdict.INCONCLUSIVE, "late": Verdict.PASS}
FINDINGS_KEPT = 500
"""Findings of one rule that are kept; further ones only count."""

Key = tuple[object, ...]
"""What tells findings of one rule apart."""

assert _rules.__all__, "importing the package registers the rules"


class Tally:
    """The results of all rules, growing case by case."""

    def __init__(self, kept: int = FINDINGS_KEPT) -> None:
        """Start with nothing looked at; kept: how many findings of each rule are held."""
        self._kept = kept
        self.again = 0
        """Frames of a capture that show again what was seen before."""
        self.debts: dict[str, Counter[Key]] = {}
        """Findings that were taken back before they were counted, by rule."""
        self.results = {
            rule.id: RuleResult(id=rule.id, group=rule.group, findings=[])
            for rule in rules_in_order()
        }

    def take(self, case: Case, *, complete: bool) -> None:
        """Judge a case by every rule.

        Args:
            case: the case.
            complete: the record proves that nothing is missing, so that silence means something.
        """
        refused = _refused(case)
        for rule in rules_in_order():
            result = self.results[rule.id]
            shown = complete or rule.needs in SHOWN
            passed = 0
            for outcome in _outcomes(rule, case):
                if outcome.kind == "pass":
                    passed += 1
                else:
                    sure = complete if outcome.kind == "lacking" else shown
                    _count(result, rule, outcome, shown=sure, kept=self._kept)
            result.passed += passed
            for outcome in _decoder_findings(rule, refused):
                _count(result, rule, outcome, shown=True, kept=self._kept)

    def settled(self) -> list[RuleResult]:
        """Derive the verdicts, and return the results in the order of the rules."""
        for result in self.results.values():
            result.findings = in_order(result.findings)[: self._kept]
            result.settle()
        return list(self.results.values())

    def pass_again(self, weights: Mapping[str, int], times: int) -> None:
        """Count that rules passed as often as `weights` says, several times over."""
        for rule_id, passed in weights.items():
            self.results[rule_id].passed += passed * times

    def add(self, other: "Tally") -> None:
        """Take over what another tally has counted."""
        for rule_id, theirs in other.results.items():
            ours = self.results[rule_id]
            ours.passed += theirs.passed
            ours.failed += theirs.failed
            ours.undecided += theirs.undecided
            ours.warned += theirs.warned
            debts = self.debts.setdefault(rule_id, Counter())
            debts += other.debts.get(rule_id, Counter())
            for finding in theirs.findings:
                if debts[_key(finding)] > 0:
                    debts[_key(finding)] -= 1
                else:
                    _keep(ours, finding, self._kept)

    def less(self, part: "Tally") -> "Tally":
        """Return what this tally has beyond another one, which looked at a part of the same.

        What only the other one has found is owed.
        """
        rest = Tally(self._kept)
        for rule_id, whole in self.results.items():
            taken, result = part.results[rule_id], rest.results[rule_id]
            result.passed = whole.passed - taken.passed
            result.failed = whole.failed - taken.failed
            result.undecided = whole.undecided - taken.undecided
            result.warned = whole.warned - taken.warned
            result.findings.extend(_beyond(whole.findings, taken.findings))
            owed = Counter(map(_key, _beyond(taken.findings, whole.findings)))
            if owed:
                rest.debts[rule_id] = owed
        return rest

    def weights(self) -> dict[str, int] | None:
        """Return how often each rule passed; None if there is anything but that."""
        passed = {}
        for rule_id, result in self.results.items():
            if result.failed or result.undecided or result.warned or result.passed < 0:
                return None
            if result.passed:
                passed[rule_id] = result.passed
        return passed


def _beyond(findings: Iterable[Finding], others: Iterable[Finding]) -> Iterator[Finding]:
    known = Counter(_key(finding) for finding in others)
    for finding in findings:
        key = _key(finding)
        if known[key]:
            known[key] -= 1
        else:
            yield finding


def _key(finding: Finding) -> Key:
    return finding.verdict, finding.frames, finding.endpoint, finding.seen, finding.reason


def _outcomes(rule: Rule, case: Case) -> Iterable[Outcome]:
    """Judge by the rule; rules about what agents said are silent where no agent spoke."""
    if rule.needs == "events" and not case.trace.is_run:
        return ()
    clocks = case.trace.run.clocks
    if clocks and rule.id in TIMED:
        return (_voided(outcome, clocks) for outcome in rule.check(case))
    return rule.check(case)


def _voided(outcome: Outcome, reason: str) -> Outcome:
    """Leave open what a comparison of times shows where the clocks disagree."""
    if outcome.kind not in ("fail", "late"):
        return outcome
    return replace(outcome, kind="unsure", reason=f"{outcome.reason or outcome.seen}: {reason}")


def _refused(case: Case) -> dict[str, list[Packet]]:
    """Sort what the strict decoder refused by the rule that it names."""
    found: dict[str, list[Packet]] = {}
    for packet in case.trace.sent():
        if packet.error is not None and not is_grease_probe(packet):
            found.setdefault(packet.error.rule, []).append(packet)
    return found


def _decoder_findings(rule: Rule, refused: dict[str, list[Packet]]) -> Iterator[Outcome]:
    for packet in refused.get(rule.id, ()):
        yield broken(packet, expected=rule.sentence, seen=str(packet.error))


def _count(result: RuleResult, rule: Rule, outcome: Outcome, *, shown: bool, kept: int) -> None:
    kind = "fail" if outcome.kind == "lacking" else outcome.kind
    if kind == "fail" and not shown:
        kind = "unsure"
    if kind == "fail" and rule.severity == "warn":
        kind = "late"
    match kind:
        case "fail":
            result.failed += 1
        case "unsure":
            result.undecided += 1
        case "late":
            result.passed += 1
            result.warned += 1
    finding = Finding(
        rule=rule.id,
        verdict=VERDICTS[kind],
        severity="warn" if kind == "late" else "error",
        endpoint=outcome.endpoint,
        frames=outcome.frames,
        expected=outcome.expected,
        seen=outcome.seen,
        reason=outcome.reason or f"expected {outcome.expected}; seen: {outcome.seen}",
    )
    _keep(result, finding, kept)


def _keep(result: RuleResult, finding: Finding, kept: int) -> None:
    """Keep a finding; of too many the first ones, and what decides the verdict before others."""
    result.findings.append(finding)
    if len(result.findings) >= 2 * kept:
        result.findings = in_order(result.findings)[:kept]


def in_order(findings: list[Finding]) -> list[Finding]:
    """Sort findings: what decides the verdict first, then by frames."""
    return sorted(findings, key=_place)


def _place(finding: Finding) -> tuple[object, ...]:
    fails = finding.verdict is Verdict.FAIL
    return not fails, finding.frames, finding.endpoint, finding.seen, finding.reason
