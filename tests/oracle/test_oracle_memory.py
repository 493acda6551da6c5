"""Need no more memory for four times the file, as long as no more is live at a time."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from mpwire.oracle.limits import Limits
from tests.benchmarks.bench_judge import made
from tests.oracle.oracle_churn import churn
from tests.oracle.oracle_story import record

CHILD = """
import json, sys
from mpwire.capture import open_run
from mpwire.oracle import judge
from mpwire.oracle.limits import Limits
judgement = judge(open_run(sys.argv[1], held_octets=0), Limits(**json.loads(sys.argv[2])))
failed = [rule.id for rule in judgement.rules if rule.failed]
peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
print(json.dumps([peak, failed]))
"""
GROWTH_KIB = {"run": 4 * 1024, "capture": 10 * 1024}
"""What may differ by chance, and by the names that are remembered, up to a number; judged in one
piece, four times the file needs far more."""
WHOLE = Limits(whole=1 << 40)


def peak_kib(path: Path, limits: Limits) -> int:
    """Judge a file in a process of its own, and return the most memory that it had."""
    command = [sys.executable, "-c", CHILD, str(path), json.dumps(asdict(limits))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, failed = json.loads(done.stdout)
    assert failed == []
    return int(peak)


def run_file(folder: Path, times: int) -> Path:
    """Write a run in which members come and go."""
    folder.mkdir()
    return record(churn(30 * times), folder)


def capture(folder: Path, times: int) -> Path:
    """Write a capture of another program in which members come and go."""
    folder.mkdir()
    made(folder / "x.pcapng", 6000 * times, 20, "control")
    return folder / "x.pcapng"


CASES = {
    "run": (run_file, Limits(whole=0, held=1000, quiet=1.05)),
    "capture": (capture, Limits(whole=0, batch=500, over=1000, tidy=16)),
}


@pytest.mark.timeout(600)  # six processes, each of which is slow on a busy machine
@pytest.mark.parametrize("kind", CASES)
def test_memory_does_not_grow_with_the_file(kind: str, tmp_path: Path) -> None:
    """Compare four times the file with one, and with what it takes in one piece."""
    write: Callable[[Path, int], Path]
    write, limits = CASES[kind]
    short, long = write(tmp_path / "short", 1), write(tmp_path / "long", 4)
    one, four = peak_kib(short, limits), peak_kib(long, limits)
    assert four <= one + GROWTH_KIB[kind]
    assert peak_kib(long, WHOLE) > one + 2 * GROWTH_KIB[kind]
