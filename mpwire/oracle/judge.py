"""Judge a run file or another capture: every rule, then the whole."""

from dataclasses import replace
from typing import Final

from mpwire.capture import RunFile
from mpwire.capture.onway import end_to_end
from mpwire.capture.passing import Unclear
from mpwire.capture.records import Step
from mpwire.oracle.audit import audit
from mpwire.oracle.carried import Straggler
from mpwire.oracle.case import Case
from mpwire.oracle.collecting import collecting_once
from mpwire.oracle.cutting import tally_of
from mpwire.oracle.gate import gate, gate_of_parts, missing_lines, of_others
from mpwire.oracle.judgement import Judgement, RuleResult
from mpwire.oracle.ledger import Ledger
from mpwire.oracle.limits import Limits
from mpwire.oracle.tally import Tally
from mpwire.vocabulary import Verdict

LONGER: Final = (1, 8)
"""How much longer it is waited for stragglers in one attempt after the other."""


def judge(run: RunFile, limits: Limits | None = None) -> Judgement:
    """Judge a run file or another capture; the stored verdict is never read.

    Args:
        run: the record.
        limits: how much of a long one is held at a time.
    """
    limits = limits or Limits()
    if run.run is None:
        return _judge_capture(run, limits)
    if len(run.frames) + len(run.records) > limits.whole:
        judgement = _judge_parts(run, limits)
        if judgement is not None:
            return judgement
    return _judge_run(run)


def _judge_capture(run: RunFile, limits: Limits) -> Judgement:
    """Judge the capture of another program, in parts where it is long."""
    tally = tally_of(run, limits)
    results = tally.settled()
    incomplete = of_others(run, tally.again)
    return Judgement(
        verdict=_total(results, incomplete, []),
        run_file=str(run.path),
        rules=results,
        incomplete=incomplete,
    )


@collecting_once
def _judge_run(run: RunFile) -> Judgement:
    """Judge a run file as a whole."""
    case = Case(end_to_end(run))
    incomplete = gate(run, case)
    tally = Tally()
    tally.take(case, complete=not incomplete)
    judgement = _judgement(run, tally, case, incomplete)
    judgement.events = case.events.judged
    lines = missing_lines(run)
    if lines:
        _mention(judgement, f"{lines} agent lines are missing from the record")
    return judgement


def _judge_parts(run: RunFile, limits: Limits) -> Judgement | None:
    """Judge a long run in parts; None for one that can only be judged as a whole.

    Where something comes after all to what was over, it is waited longer in another attempt.
    """
    numbered = all(place == frame.number for place, frame in enumerate(run.frames, 1))
    found = audit(run) if numbered and not missing_lines(run) else None
    if found is None or not found.sound:
        return None
    incomplete = gate_of_parts(run, found.reduced(run), found.recorded, found.unaccounted())
    for times in LONGER:
        waiting = replace(limits, quiet=limits.quiet * times)
        ledger = Ledger(run, waiting, complete=not incomplete, until_ns=found.until_ns)
        try:
            case = ledger.judge()
        except Straggler:
            continue
        except Unclear:
            return None
        judgement = _judgement(run, ledger.tally, case, incomplete)
        judgement.levels = ledger.levels
        return judgement
    return None


def _judgement(run: RunFile, tally: Tally, case: Case, incomplete: list[str]) -> Judgement:
    """Combine what the rules say with what became of the script."""
    results = tally.settled()
    unsupported = [
        f"{call.host}: {call}: {call.unsupported}"
        for log in case.logs.values()
        for call in log.unsupported
        if call.name != "exit" and call.asked <= case.trace.script_ended
    ]
    stopped = [
        f"line {step.line}: {step.text}: {step.reason or 'failed'}"
        for step in run.each(Step)
        if step.state == "failed"
    ]
    return Judgement(
        verdict=_total(results, [*incomplete, *stopped], unsupported),
        run_file=str(run.path),
        rules=results,
        incomplete=incomplete,
        unsupported=unsupported,
        stopped=stopped,
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
