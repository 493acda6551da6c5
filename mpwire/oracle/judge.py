"""Judge a run file: every rule, then the whole."""

from collections.abc import Iterable, Iterator

from mpwire.capture import RunFile
from mpwire.capture.records import Step
from mpwire.oracle import rules as _rules
from mpwire.oracle.case import Case
from mpwire.oracle.gate import gate, missing_lines
from mpwire.oracle.judgement import Finding, Judgement, RuleResult
from mpwire.oracle.registry import Outcome, Rule, broken, rules_in_order
from mpwire.oracle.rules.framing import is_grease_probe
from mpwire.oracle.trace import Packet
from mpwire.vocabulary import Verdict

SHOWN = "frame", "frames"
"""What a violation may rest on to count in an incomplete record."""
VERDICTS = {"fail": Verdict.FAIL, "unsure": Verdict.INCONCLUSIVE, "late": Verdict.PASS}

assert _rules.__all__, "importing the package registers the rules"


def judge(run: RunFile) -> Judgement:
    """Judge a run file or another capture; the stored verdict is never read."""
    case = Case(run)
    incomplete = gate(run, case)
    refused = _refused(case)
    results = [_apply(rule, case, refused, complete=not incomplete) for rule in rules_in_order()]
    unsupported = [
        f"{call.host}: {call}: {call.unsupported}"
        for log in case.logs.values()
        for call in log.unsupported
        if call.name != "exit" and call.asked <= case.trace.script_ended
    ]
    stopped = [
        f"line {step.line}: {step.text}: {step.reason or 'failed'}"
        for step in run.of(Step)
        if step.state == "failed"
    ]
    lines = missing_lines(run)
    judgement = Judgement(
        verdict=_total(results, [*incomplete, *stopped], unsupported),
        run_file=str(run.path),
        rules=results,
        events=case.events.judged,
        incomplete=incomplete,
        unsupported=unsupported,
        stopped=stopped,
    )
    if lines:
        _mention(judgement, f"{lines} agent lines are missing from the record")
    return judgement


def _apply(
    rule: Rule, case: Case, refused: dict[str, list[Packet]], *, complete: bool
) -> RuleResult:
    result = RuleResult(id=rule.id, group=rule.group, findings=[])
    shown = complete or rule.needs in SHOWN
    for outcome in _outcomes(rule, case):
        _count(result, rule, outcome, shown=shown)
    for outcome in _decoder_findings(rule, refused):
        _count(result, rule, outcome, shown=True)
    result.settle()
    return result


def _outcomes(rule: Rule, case: Case) -> Iterable[Outcome]:
    """Judge by the rule; rules about what agents said are silent where no agent spoke."""
    if rule.needs == "events" and not case.trace.is_run:
        return ()
    return rule.check(case)


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


def _count(result: RuleResult, rule: Rule, outcome: Outcome, *, shown: bool) -> None:
    kind = outcome.kind
    if kind == "fail" and not shown:
        kind = "unsure"
    if kind == "fail" and rule.severity == "warn":
        kind = "late"
    match kind:
        case "pass":
            result.passed += 1
            return
        case "fail":
            result.failed += 1
        case "unsure":
            result.undecided += 1
        case "late":
            result.passed += 1
            result.warned += 1
    result.findings.append(
        Finding(
            rule=rule.id,
            verdict=VERDICTS[kind],
            severity="warn" if kind == "late" else "error",
            endpoint=outcome.endpoint,
            frames=outcome.frames,
            expected=outcome.expected,
            seen=outcome.seen,
            reason=outcome.reason or f"expected {outcome.expected}; seen: {outcome.seen}",
        )
    )


def _total(results: list[RuleResult], open_ends: list[str], unsupported: list[str]) -> Verdict:
    """Combine: a violation shown is FAIL, an open question INCONCLUSIVE, nothing seen likewise.

    A call that is not implemented leaves the rest of the script untried; it takes nothing back of
    what was shown. A rule that looked at nothing does not count.
    """
    if any(result.failed for result in results):
        return Verdict.FAIL
    if unsupported:
        return Verdict.UNSUPPORTED
    if open_ends or any(result.undecided for result in results):
        return Verdict.INCONCLUSIVE
    exercised = any(result.exercised for result in results)
    return Verdict.PASS if exercised else Verdict.INCONCLUSIVE


def _mention(judgement: Judgement, text: str) -> None:
    for finding in judgement.findings:
        if finding.verdict is Verdict.FAIL:
            finding.reason += f" ({text})"
