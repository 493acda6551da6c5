"""Judge a run file or another capture: every rule, then the whole."""

from mpwire.capture import RunFile
from mpwire.capture.onway import end_to_end
from mpwire.capture.records import Step
from mpwire.oracle.case import Case
from mpwire.oracle.cutting import tally_of
from mpwire.oracle.gate import gate, missing_lines, of_others
from mpwire.oracle.judgement import Judgement, RuleResult
from mpwire.oracle.limits import Limits
from mpwire.oracle.tally import Tally
from mpwire.vocabulary import Verdict


def judge(run: RunFile, limits: Limits | None = None) -> Judgement:
    """Judge a run file or another capture; the stored verdict is never read.

    Args:
        run: the record.
        limits: how much of another program's capture is held at a time.
    """
    return _judge_run(run) if run.run is not None else _judge_capture(run, limits or Limits())


def _judge_capture(run: RunFile, limits: Limits) -> Judgement:
    """Judge the capture of another program, in parts where it is long."""
    results = tally_of(run, limits).settled()
    incomplete = of_others(run)
    return Judgement(
        verdict=_total(results, incomplete, []),
        run_file=str(run.path),
        rules=results,
        incomplete=incomplete,
    )


def _judge_run(run: RunFile) -> Judgement:
    """Judge a run file as a whole: what agents said ties everything to everything."""
    case = Case(end_to_end(run))
    incomplete = gate(run, case)
    tally = Tally()
    tally.take(case, complete=not incomplete)
    results = tally.settled()
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
