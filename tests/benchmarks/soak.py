"""Judge many sessions of correct endpoints, drawn at random, on bad networks and a busy machine.

    python -m tests.benchmarks.soak [--runs 300] [--seed 1] [--jobs 2] [--load 0] [--fabric sim]

Run number N plays the testbed that `random_testbeds.drawn(N)` draws, with its losses, doubles,
delays, disorder, cuts and frozen processes. Each busy process of `--load` spins on one core. What
is not PASS is kept, with its number; Ctrl-C counts what was played until then. A correct endpoint
must pass every time: what this prints besides PASS is a mistake of ours, in the endpoint or in the
judge.

With `--library` run number N plays a testbed of the library on a network that is drawn. Such a
script may rightly fail there, where it says what happens at once or without repair; what must not
come is FAIL.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from mpwire.capture import open_run
from mpwire.lab import testbed as testbeds
from mpwire.lab.session import run_testbed
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.benchmarks.random_testbeds import SCALE, drawn, from_library
from tests.library import simulated

STOPPED = "step failed"
"""No rule was broken, but the script was not played to its end."""
SPIN = "while True: pass"


@dataclass(slots=True)
class Outcome:
    """What came of one run."""

    number: int
    verdict: str
    seconds: float
    frames: int
    told: list[str] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)
    """Reported events, by how strongly they were judged."""


def play(number: int, out: Path, fabric: str, library: Sequence[Path]) -> Outcome:
    """Run one testbed and judge it; keep it unless it passes."""
    folder = out / str(number)
    folder.mkdir(parents=True)
    if library:
        path, faults = from_library(number, library)
    else:
        path, faults = folder / "random.yaml", []
        path.write_text(drawn(number), "utf-8")
    scale = SCALE if library else None
    started_s = time.perf_counter()
    if fabric == "sim":
        plan = testbeds.load(path, seed=number, faults=faults, scale=scale)
        outcome = run_simulated(plan, folder)
    else:
        outcome = run_testbed(path, folder, seed=number, faults=faults, scale=scale)
    took_s = time.perf_counter() - started_s
    run = open_run(outcome.run_file)
    judgement = judge(run)
    verdict = judgement.verdict.value
    told = [
        f"{one.rule}: {one.reason}" for one in judgement.findings if one.verdict is Verdict.FAIL
    ]
    told += [*judgement.incomplete, *judgement.stopped]
    if judgement.stopped and judgement.verdict is not Verdict.FAIL:
        verdict = STOPPED
    if verdict == Verdict.PASS.value or (library and verdict == STOPPED):
        shutil.rmtree(folder)
    levels = Counter(event.level.value for event in judgement.events if event.seq is not None)
    return Outcome(number, verdict, took_s, len(run.frames), told, levels)


def soak(
    numbers: range, jobs: int, out: Path, fabric: str, library: Sequence[Path]
) -> list[Outcome]:
    """Play them all and say what did not pass."""
    outcomes = []
    with ProcessPoolExecutor(jobs) as pool:
        played = [pool.submit(play, number, out, fabric, library) for number in numbers]
        try:
            for future in as_completed(played):
                outcome = future.result()
                outcomes.append(outcome)
                if outcome.verdict not in (Verdict.PASS.value, *([STOPPED] if library else [])):
                    print(f"run {outcome.number}: {outcome.verdict}", flush=True)
                    for line in outcome.told[:6]:
                        print(f"    {line[:300]}", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print(f"interrupted: {len(outcomes)} of {len(numbers)} runs were played", flush=True)
    return outcomes


def report(outcomes: list[Outcome], accepted: set[str]) -> bool:
    """Print the figures; tell whether all verdicts are accepted ones."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    levels = sum((outcome.levels for outcome in outcomes), Counter[str]())
    events = levels.total()
    share = 100 * levels["must"] / events if events else 0.0
    seconds = sorted(outcome.seconds for outcome in outcomes) or [0.0]
    frames = sum(outcome.frames for outcome in outcomes)
    print(f"{len(outcomes)} runs, {frames} frames: {dict(verdicts)}")
    print(f"{events} reported events, {share:.1f} % judged by a must: {dict(levels)}")
    print(f"a run took {seconds[len(seconds) // 2]:.2f} s (median), {seconds[-1]:.2f} s at most")
    return set(verdicts) <= accepted


def main() -> int:
    """Play, count, and keep what did not pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="number of the first run")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--load", type=int, default=0, help="busy processes")
    parser.add_argument("--fabric", choices=("switch", "sim"), default="switch")
    parser.add_argument("--library", action="store_true", help="play testbeds of the library")
    parser.add_argument("--out", type=Path, help="where to keep what did not pass")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="mpwire-soak-"))
    library = simulated() if options.library else []
    busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(options.load)]
    try:
        numbers = range(options.seed, options.seed + options.runs)
        outcomes = soak(numbers, options.jobs, out, options.fabric, library)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(f"beside {options.load} busy processes; what did not pass is kept in {out}")
    accepted = {Verdict.PASS.value, STOPPED} if library else {Verdict.PASS.value}
    return 0 if report(outcomes, accepted) else 1


if __name__ == "__main__":
    sys.exit(main())
