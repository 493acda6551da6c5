"""Run a testbed many times while the machine is busy, and count the verdicts.

    python tests/benchmarks/soak.py [--runs 50] [--load 2] [TESTBED]

Each busy process spins on one core until the last run has ended. A correct endpoint must pass
every time: what this prints besides PASS is a bug of ours.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from mpwire.capture import open_run
from mpwire.lab.session import TOUR, run_testbed
from mpwire.oracle import judge
from mpwire.vocabulary import Verdict

SPIN = "while True: pass"


def main() -> int:
    """Run, count, and keep what did not pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("testbed", nargs="?", type=Path, default=TOUR)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--load", type=int, default=2, help="busy processes")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mpwire-soak-"))
    busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(options.load)]
    verdicts: Counter[str] = Counter()
    seconds: list[float] = []
    try:
        for number in range(options.runs):
            started_s = time.perf_counter()
            outcome = run_testbed(options.testbed, folder)
            seconds.append(time.perf_counter() - started_s)
            judgement = judge(open_run(outcome.run_file))
            verdict = judgement.verdict.value if outcome.failure is None else "step failed"
            verdicts[verdict] += 1
            if verdict == Verdict.PASS.value:
                shutil.rmtree(outcome.folder)
            else:
                print(f"run {number}: {verdict}, kept in {outcome.folder}", flush=True)
                print(f"  {outcome.failure} {judgement.incomplete}", flush=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(f"{options.runs} runs beside {options.load} busy processes: {dict(verdicts)}")
    print(f"a run took {statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s at most")
    return 0 if verdicts[Verdict.PASS.value] == options.runs else 1


if __name__ == "__main__":
    sys.exit(main())
