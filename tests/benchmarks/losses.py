"""Lose every datagram of a testbed's session in turn and print one table.

    python tests/benchmarks/losses.py [TESTBED]

FAIL never has a place in it: one loss is nobody's fault.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from mpwire.vocabulary import Verdict  # noqa: E402
from tests.acceptance.losses import lose  # noqa: E402 - the path comes first


def main() -> int:
    """Run as many labs as the session has datagrams."""
    testbed = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "testbeds" / "rooted-lan.yaml"
    failed = 0
    number, last = 1, 1
    with tempfile.TemporaryDirectory() as folder:
        while number <= last:
            lossy = lose(testbed, number, Path(folder) / str(number))
            last = max(number, min(lossy.datagram_count, number + 1))
            broken = [rule.id for rule in lossy.judgement.rules if rule.verdict is Verdict.FAIL]
            failed += bool(broken)
            verdict = lossy.judgement.verdict.value
            print(f"{number:4}  {verdict:13} {' '.join(broken)} {lossy.failure or ''}", flush=True)
            number += 1
    print(f"{number - 1} labs, {failed} with a rule broken")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
