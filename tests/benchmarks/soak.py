"""Judge many sessions of correct endpoints, drawn at random, on bad networks and a busy machine.

    python -m tests.benchmarks.soak [--runs 300] [--seed 1] [--jobs 2] [--load 0] [--fabric sim]
    python -m tests.benchmarks.soak --library --runs 1000 --load 2
    python -m tests.benchmarks.soak --library --bad-networks --fabric sim --runs 1200

Run number N plays the testbed that `random_testbeds.drawn(N)` draws, with its losses, doubles,
delays, disorder, cuts and frozen processes. Each busy process of `--load` spins on one core. What
is not PASS is kept, with its number; Ctrl-C counts what was played until then. A correct endpoint
must pass every time: what this prints besides PASS is a mistake of ours, in the endpoint or in the
judge.

With `--library` the runs play the testbeds of the library in turn, as they are, each with its own
number as seed. They must pass, too.

With `--bad-networks` as well, run number N plays a testbed that is drawn, on a network that is
drawn. There a script may rightly come to no end: who sends ABORT, withdraws a request, or speaks
without repair, does it once, and a script that goes on from there does not hold if that is lost.
What must not come is FAIL.
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
from typing import Literal

from mpwire.capture import open_run
from mpwire.lab import testbed as testbeds
from mpwire.lab.session import run_testbed
from mpwire.oracle import judge
from mpwire.sim import run_simulated
from mpwire.vocabulary import Verdict
from tests.benchmarks.random_testbeds import SCALE, drawn, from_library
from tests.library import possible

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


@dataclass(frozen=True, slots=True)
class Kind:
    """What to play."""

    fabric: str
    library: Sequence[Path] = ()
    """The testbeds to choose from; none: they are made up."""
    bad_networks: bool = False
    """Whether testbeds of the library are put on networks that are drawn."""

    @property
    def accepted(self) -> set[str]:
        """Return what a correct endpoint may come to."""
        return {Verdict.PASS.value, STOPPED} if self.bad_networks else {Verdict.PASS.value}

    def play(self, number: int, folder: Path) -> Path:
        """Play one testbed; return the run file."""
        faults: list[str] = []
        scale = None
        if self.bad_networks:
            path, faults = from_library(number, self.library)
            scale = SCALE
        elif self.library:
            path = self.library[number % len(self.library)]
        else:
            path = folder / "random.yaml"
            path.write_text(drawn(number), "utf-8")
        if self.fabric == "sim":
            plan = testbeds.load(path, seed=number, faults=faults, scale=scale)
            return run_simulated(plan, folder).run_file
        named: Literal["switch", "bridge"] = "bridge" if self.fabric == "bridge" else "switch"
        outcome = run_testbed(path, folder, fabric=named, seed=number, faults=faults, scale=scale)
        return outcome.run_file


def play(number: int, out: Path, kind: Kind) -> Outcome:
    """Run one testbed and judge it; keep it unless it passes."""
    folder = out / str(number)
    folder.mkdir(parents=True)
    started_s = time.perf_counter()
    run_file = kind.play(number, folder)
    took_s = time.perf_counter() - started_s
    run = open_run(run_file)
    judgement = judge(run)
    verdict = judgement.verdict.value
    told = [
        f"{one.rule}: {one.reason}" for one in judgement.findings if one.verdict is Verdict.FAIL
    ]
    told += [*judgement.incomplete, *judgement.stopped]
    if judgement.stopped and judgement.verdict is not Verdict.FAIL:
        verdict = STOPPED
    if verdict in kind.accepted:
        shutil.rmtree(folder)
    levels = Counter(event.level.value for event in judgement.events if event.seq is not None)
    return Outcome(number, verdict, took_s, len(run.frames), told, levels)


def soak(numbers: range, jobs: int, out: Path, kind: Kind) -> list[Outcome]:
    """Play them all and say what did not pass."""
    outcomes = []
    with ProcessPoolExecutor(jobs) as pool:
        played = [pool.submit(play, number, out, kind) for number in numbers]
        try:
            for future in as_completed(played):
                outcome = future.result()
                outcomes.append(outcome)
                if outcome.verdict not in kind.accepted:
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
    parser.add_argument("--fabric", choices=("switch", "bridge", "sim"), default="switch")
    parser.add_argument("--library", action="store_true", help="play testbeds of the library")
    parser.add_argument("--bad-networks", action="store_true", help="on networks that are drawn")
    parser.add_argument("--out", type=Path, help="where to keep what did not pass")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="mpwire-soak-"))
    library = possible(options.fabric) if options.library else []
    kind = Kind(options.fabric, library, options.library and options.bad_networks)
    busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(options.load)]
    try:
        numbers = range(options.seed, options.seed + options.runs)
        outcomes = soak(numbers, options.jobs, out, kind)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(f"beside {options.load} busy processes; what did not pass is kept in {out}")
    return 0 if report(outcomes, kind.accepted) else 1


if __name__ == "__main__":
    sys.exit(main())
