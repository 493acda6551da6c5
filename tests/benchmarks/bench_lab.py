"""How fast a lab starts, compared with `ip -batch` making the same hosts, and how fast it dies.

Then what passes the switch, and what the ring of the bridge hears of a flood: all of it, proved by
the kernel's counters.

Run: python tests/benchmarks/bench_lab.py
"""

import os
import select
import statistics
import sys
import time
from pathlib import Path

import msgspec

from mpwire.errors import MachineError
from mpwire.lab.launch import launch

HERE = Path(__file__).parent
PATHS = [str(HERE), str(HERE.parent / "lab")]
MODULES = ["inner_bench"]
ROUND_COUNT = 5
CLOCK = time.perf_counter


def say(line: str) -> None:
    """Print a line of the table as soon as it is known."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(scenario: str, **spec: object) -> dict[str, float]:
    """Run a scenario in a lab of its own; `launch_s` is all the time until its first line."""
    began_s = CLOCK()
    with launch(
        {"scenario": scenario, "modules": MODULES, **spec}, "inner_scenarios", PATHS
    ) as lab:
        first, *_ = lines = [(CLOCK() - began_s, line) for line in lab.lines()]
        lab.wait()
    result = msgspec.convert(lines[-1][1]["result"], dict[str, float])
    return {"launch_s": first[0], **result}


def kill(**spec: object) -> float:
    """Measure from SIGKILL of the supervisor until nothing of the lab is left."""
    spec = {"scenario": "start", "modules": MODULES, "stay": True, **spec}
    with launch(spec, "inner_scenarios", PATHS) as lab:
        next(lab.lines())
        children = Path(f"/proc/{lab.pid}/task/{lab.pid}/children").read_text("ascii").split()
        ending = os.pidfd_open(int(children[0]))
        began_s = CLOCK()
        lab.kill()
        select.select([ending], [], [])
        os.close(ending)
        return CLOCK() - began_s


def median(scenario: str, key: str, **spec: object) -> float:
    """Repeat and take the middle."""
    return statistics.median(run(scenario, **spec)[key] for _ in range(ROUND_COUNT))


def flooded(recorder: str, told: str) -> str:
    """Tell what the ring hears when one host sends to nine others as fast as it can."""
    found = run("flood", recorder=recorder, count=100_000, hosts=10, octets=200)
    whole = found["heard"] == found["kernel"] and not found["lost"]
    return (
        f"bridge: {found['sent_per_s'] / 1000:.0f} k frames/s sent,"
        f" {found['heard_per_s'] / 1000:.0f} k/s {told}, {found['lost']:.0f} lost,"
        f" {'all' if whole else 'NOT ALL'} of {found['kernel']:.0f} that the kernel counted"
    )


def main() -> int:
    """Print the table."""
    try:
        say(f"{'hosts':>5} {'carrier':>8} {'start':>9} {'of ip':>6} {'launch':>9} {'kill':>9}")
        for hosts in (3, 100):
            peer_s = median("with_ip", "start_s", hosts=hosts)
            say(f"{hosts:>5} {'ip -batch':>8} {peer_s * 1000:>6.1f} ms   1.00")
            for carrier in ("tap", "veth", "bridge"):
                spec = {"hosts": hosts, "carrier": carrier}
                start_s = median("start", "start_s", **spec)
                launch_s = median("start", "launch_s", **spec)
                kill_s = statistics.median(kill(**spec) for _ in range(ROUND_COUNT))
                say(
                    f"{hosts:>5} {carrier:>8} {start_s * 1000:>6.1f} ms {start_s / peer_s:>6.2f}"
                    f" {launch_s * 1000:>6.1f} ms {kill_s * 1000:>6.1f} ms"
                )
        for carrier in ("tap", "veth"):
            rate = run("forward", carrier=carrier, count=40_000)["frames_per_s"]
            say(f"{carrier}: {rate / 1000:.0f} k recorded frames/s through the switch")
        for recorder, told in (("none", "heard"), ("file", "heard and recorded in a file")):
            say(flooded(recorder, told))
    except MachineError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
