"""The judgement of the packets and the outcome of the script, taken together.

The judge says what the packets prove. The script of a testbed claims something, too: that a step
succeeds, that a socket saw certain events. A run whose script failed is FAIL even when no rule was
broken; one that an endpoint could not carry out is UNSUPPORTED, unless something failed besides;
one that somebody interrupted proves nothing more than what was seen.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.framefile import FrameFile
from mpwire.capture.onway import end_to_end
from mpwire.capture.records import AgentExit, AgentLine, Decision, Sentinel, Step, Testbed
from mpwire.capture.sightings import seen_once
from mpwire.oracle import Judgement, judge
from mpwire.oracle.inferring import InferredSocket, infer
from mpwire.report.cast import Cast, cast_of
from mpwire.report.telling import is_ours
from mpwire.vocabulary import Verdict

Kind = Literal["failed", "unsupported", "interrupted", "unproved"]
"""Why a step did not succeed; unproved: the harness could not show that its capture works."""
UNSUPPORTED_PREFIX: Final = "unsupported:"
INTERRUPTED: Final = "interrupted"
BEGINNING_FRAMES: Final = 50
REACH_FRAMES: Final = 400
"""Of a long capture so much around each finding is kept to be shown."""
SHOWN_FRAMES_MAX: Final = 20_000
INFERRED_FRAMES_MAX: Final = 10_000
"""Of longer captures so many frames get a timeline of events, which takes memory per frame."""


class FailedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the script that did not succeed."""

    line: int
    """Line in the testbed file; 0 for what every run does before and after its script."""
    text: str
    reason: str
    kind: Kind

    @property
    def told(self) -> str:
        """Say why, and in which line if it is one of the file's."""
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class Assessment(msgspec.Struct, kw_only=True):
    """What is to be said of one run."""

    run: RunFile
    """The run; of a long capture of another program the frames around what was found."""
    datagrams: int
    """How many messages were sent, as far as it was captured."""
    judgement: Judgement
    cast: Cast
    failed_steps: list[FailedStep]
    testbed: str | None
    """Path of the testbed; None for captures of other programs."""
    inferred: list[InferredSocket]
    """What sockets report by what the packets say; only where no agent says what they did."""
    idle_faults: list[str] = []
    """Faults of the run that no message met, each as its sentence."""
    inferred_frames: int = 0
    """The timeline is about so many frames from the first on; 0: about all there are."""

    @property
    def verdict(self) -> Verdict:
        """Give the verdict of judge and script together."""
        kinds = {step.kind for step in self.failed_steps}
        judged = self.judgement.verdict
        if "failed" in kinds or judged is Verdict.FAIL:
            return Verdict.FAIL
        if "unsupported" in kinds or judged is Verdict.UNSUPPORTED:
            return Verdict.UNSUPPORTED
        return Verdict.INCONCLUSIVE if kinds else judged

    @property
    def begun(self) -> bool:
        """Tell whether more is on record than that the run is not supported."""
        reasons = {step.reason for step in self.failed_steps if step.kind == "unsupported"}
        return not reasons or set(self.judgement.incomplete) != reasons

    @property
    def command(self) -> str | None:
        """Give the command line that made the run, to make it again; None where nobody knows."""
        run = self.run.run
        if run is None or not run.command:
            return None
        program, *arguments = run.command
        return shlex.join([Path(program).name, *arguments])

    @property
    def interrupted(self) -> bool:
        """Tell whether somebody stopped the script."""
        return any(step.kind == "interrupted" for step in self.failed_steps)


def assess(
    run: RunFile,
    failures: Sequence[FailedStep] = (),
    inferred_max: int = INFERRED_FRAMES_MAX,
) -> Assessment:
    """Judge a run file and take what became of its script into account.

    Args:
        run: the run; what an earlier judgement stored in it is not read.
        failures: what the caller knows of the script beyond the record.
        inferred_max: from so many frames events are inferred where no agent tells of them.
    """
    found = [_failed(step, run) for step in run.each(Step) if step.state == "failed"]
    known = {(step.line, step.text) for step in found}
    steps = found + [one for one in failures if (one.line, one.text) not in known]
    judgement = judge(run)
    judgement.incomplete = _never_begun(run, steps) or judgement.incomplete
    shown = _around(run, judgement)
    assessment = Assessment(
        run=shown,
        datagrams=_datagrams(run, judgement),
        judgement=judgement,
        cast=cast_of(shown, run),
        failed_steps=steps,
        inferred=_inferred(run, inferred_max),
        inferred_frames=inferred_max if run.run is None and len(run.frames) > inferred_max else 0,
        testbed=next((record.path for record in run.records if isinstance(record, Testbed)), None),
    )
    assessment.idle_faults = _idle_faults(run) if assessment.begun else []
    return assessment


def _idle_faults(run: RunFile) -> list[str]:
    """List the faults that no decision of a run names as its cause."""
    if run.run is None or not run.run.faults:
        return []
    met: set[str] = set()
    for reason in {one.reason for one in run.each(Decision) if one.reason}:
        met.update(reason.partition(": ")[2].split("; "))
    return [fault for fault in run.run.faults if fault not in met]


def _never_begun(run: RunFile, steps: Sequence[FailedStep]) -> list[str]:
    """Say why no agent was started; a whole record of that lacks nothing else worth telling."""
    if run.incomplete or any(run.each(AgentLine)) or run.of(AgentExit):
        return []
    return list(dict.fromkeys(step.reason for step in steps if step.kind == "unsupported"))


def _around(run: RunFile, judgement: Judgement) -> RunFile:
    """Keep of a long capture what can be shown of it: its beginning, and what is about findings."""
    if not isinstance(run.frames, FrameFile):
        return run
    wanted = set(range(1, BEGINNING_FRAMES))
    for finding in judgement.findings:
        if finding.verdict is Verdict.FAIL and len(wanted) < SHOWN_FRAMES_MAX:
            for number in finding.frames:
                wanted.update(range(number - REACH_FRAMES, number + REACH_FRAMES + 1))
    return run.some(wanted)


def _datagrams(run: RunFile, judgement: Judgement) -> int:
    """Count the messages, each transmission once; in a long capture by a rule that sees all."""
    if isinstance(run.frames, FrameFile):
        return judgement.rule("R4").count
    frames = end_to_end(run).frames if run.run is not None else seen_once(run.frames)[0]
    return sum(1 for frame in frames if frame.direction != "in" and is_ours(frame))


def _inferred(run: RunFile, most: int) -> list[InferredSocket]:
    """Infer the events of a capture of another program, as far as it is looked at for that."""
    if run.run is not None:
        return []
    if len(run.frames) > most:
        run = msgspec.structs.replace(run, frames=list(run.frames[:most]))
    return infer(run)


def _failed(step: Step, run: RunFile) -> FailedStep:
    reason = step.reason or "no reason given"
    kind: Kind = "failed"
    if reason.startswith(UNSUPPORTED_PREFIX):
        kind = "unsupported"
    elif reason == INTERRUPTED:
        kind = "interrupted"
    elif not step.line and not _proved(run):
        kind = "unproved"
    return FailedStep(line=step.line, text=step.text, reason=reason, kind=kind)


def _proved(run: RunFile) -> bool:
    """Tell whether every capture was shown to work before and after."""
    vantages = run.run.vantages if run.run else []
    return len(run.of(Sentinel)) >= 2 * len(vantages)
