"""Where a mutant lives or dies: a process of its own, which plays scenarios until one is lost.

The parent has imported everything and played every scenario with the endpoint as it is. A child
takes the change and plays those scenarios that run what is changed. Where the record comes out
as it did without the change, it needs no judge.
"""

import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from mpwire.capture import open_run
from mpwire.report import Assessment, assess
from mpwire.vocabulary import Verdict
from tests.mutation.applying import Change, Simulate, applied
from tests.mutation.reach import Known, digest_of, folder_in_memory, warned

CPU_LIMIT_S: Final = 6.0
"""Of one scenario: fifty times what the longest takes."""
MEMORY_OCTETS: Final = 3 << 30
TOLD: Final = 160
"""Characters of a reason that are kept."""
Fate = Literal["killed", "survived", "unreached", "same", "unfit"]
"""survived: in spite of scenarios that run it; same: it compiles to what it was; unfit: it cannot
be imported."""
Way = Literal["", "rule", "warning", "expectation", "crash", "no end"]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a mutant."""

    fate: Fate
    scenario: str = ""
    """The scenario that killed it."""
    way: Way = ""
    """How it was noticed there: by a rule of the judge, by its warning that somebody was late
    (in virtual time nobody is without being wrong), by a step of the script that failed, by the end
    of an agent that broke down, or since it did not come to an end."""
    rules: tuple[str, ...] = ()
    """The rules that it broke there."""
    told: str = ""
    """The first step that failed, or how an agent broke down."""
    played: int = 0
    """How many scenarios it has played."""
    differed: tuple[str, ...] = ()
    """Scenarios that it survived though the record was another."""
    undecided: tuple[str, ...] = ()
    """Among these the ones that the judge could not decide."""
    seconds: float = 0.0
    """CPU time."""


def fight(change: Change, rounds: Sequence[Known], limit_s: float = CPU_LIMIT_S) -> Outcome:
    """Let a mutant play in a process of its own; limit_s: CPU time of each scenario."""
    if change.is_none:
        return Outcome("same")
    if not rounds:
        return Outcome("unreached")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            outcome = _play(change, rounds, writing, limit_s)
            os.write(writing, msgspec.json.encode(outcome))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        *begun, said = stream.read().split(b"\n")
    _, _, usage = os.wait4(child, 0)
    if not said:  # it ran without end, or took the process with it
        name = begun[-1].decode() if begun else "import"
        taken = usage.ru_utime + usage.ru_stime
        return Outcome("killed", name, "no end", played=len(begun), seconds=taken)
    return msgspec.json.decode(said, type=Outcome)


def _play(change: Change, rounds: Sequence[Known], writing: int, limit_s: float) -> Outcome:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_OCTETS, MEMORY_OCTETS))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        simulate = applied(change)
    except Exception as error:  # noqa: BLE001 - whatever a mutant does while it is imported
        return Outcome("unfit", "import", told=repr(error)[:TOLD], seconds=_seconds())
    differed: list[str] = []
    undecided: list[str] = []
    for number, one in enumerate(rounds, 1):
        os.write(writing, one.scenario.name.encode() + b"\n")
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        lost, verdict = _round(simulate, one)
        if lost is not None:
            return msgspec.structs.replace(
                lost,
                played=number,
                differed=tuple(differed),
                undecided=tuple(undecided),
                seconds=_seconds(),
            )
        if verdict is not None:
            differed.append(one.scenario.name)
        if verdict not in {None, Verdict.PASS}:
            undecided.append(one.scenario.name)
    return Outcome(
        "survived",
        played=len(rounds),
        differed=tuple(differed),
        undecided=tuple(undecided),
        seconds=_seconds(),
    )


def _round(simulate: Simulate, known: Known) -> tuple[Outcome | None, Verdict | None]:
    """Play a scenario; say how it was lost, else the verdict if the record is another."""
    name = known.scenario.name
    with folder_in_memory() as folder:
        try:
            simulate(known.scenario.plan, folder)
            if digest_of(folder) == known.played.digest:
                return None, None
            assessment = assess(open_run(folder))
        except BaseException as error:  # noqa: BLE001 - a mutant may break the harness's process
            return Outcome("killed", name, "crash", told=repr(error)[:TOLD]), None
        if assessment.verdict is Verdict.FAIL:
            return _lost(name, folder, assessment), None
        late = sorted(warned(assessment) - known.played.warned)
        if late:  # in virtual time no machine was too busy
            return Outcome("killed", name, "warning", tuple(late)), None
        return None, assessment.verdict


def _lost(name: str, folder: Path, assessment: Assessment) -> Outcome:
    rules = tuple(one.id for one in assessment.judgement.rules if one.failed)
    steps = [step for step in assessment.failed_steps if step.kind == "failed"]
    told = f"{steps[0].text}: {steps[0].reason}" if steps else ""
    broken = [path.read_text("utf-8") for path in sorted(folder.glob("*.stderr"))]
    if broken:
        told = broken[0].strip().rpartition("\n")[2]
    way: Way = "crash" if broken else "rule" if rules else "expectation"
    return Outcome("killed", name, way, rules, told[:TOLD])


def _seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round(usage.ru_utime + usage.ru_stime, 3)
