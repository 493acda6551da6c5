"""How fast a lab starts, compared with `ip -batch` making the same hosts, and how fast it dies.

"start" is all from the call of a fabric's `start` until every host is up with its addresses, routes
and neighbours and every frame is captured, in a lab process that is ready (its interpreter runs,
its modules are imported, it is in namespaces of its own). "launch" is all from nothing: a new
interpreter, new namespaces, the imports, the start, and a proof that each host answers.

The peers take turns with us in every round, and ratios are of times of one round. The time that we
waited for a CPU which others had is told apart ("awake" is the start without it), and CPU time
counts what `ip` and its children have spent, too. Mininet makes the same hosts on a bridge of the
kernel, where it is installed.

Then what passes the switch, and what the ring of the bridge hears of a flood: all of it, proved by
the kernel's counters; and what other programs get into a file of such a flood.

Run: python tests/benchmarks/bench_lab.py [ROUNDS]
"""

import os
import select
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from mpwire.errors import MachineError
from mpwire.lab.launch import launch

HERE = Path(__file__).parent
PATHS = [str(HERE), str(HERE.parent / "lab"), str(HERE.parent.parent)]
MODULES = ["inner_bench"]
ROUND_COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 5
CARRIERS = ("tap", "veth", "bridge", "gates")
PEERS = {"ip -batch": "with_ip", "mininet": "with_mininet"}
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


Round = dict[str, dict[str, float]]


def round_of(hosts: int, peers: dict[str, str]) -> Round:
    """Let everybody make so many hosts once."""
    found = {name: run(scenario, hosts=hosts) for name, scenario in peers.items()}
    return found | {name: run("start", hosts=hosts, carrier=name) for name in CARRIERS}


def middle(rounds: list[Round], name: str, key: str, peer: str | None = None) -> float:
    """Take the middle of some figure, or of its ratios to a peer's."""
    return statistics.median(
        one[name][key] / (1.0 if peer is None else one[peer][key]) for one in rounds
    )


def starts(hosts: int) -> None:
    """Print how long it takes to make so many hosts."""
    peers = {name: one for name, one in PEERS.items() if name != "mininet" or has_mininet()}
    rounds = [round_of(hosts, peers) for _ in range(ROUND_COUNT)]
    for name in (*peers, *CARRIERS):
        line = f"{hosts:>5} {name:>9}"
        line += f" {middle(rounds, name, 'start_s') * 1000:>6.1f} ms"
        line += f" {middle(rounds, name, 'cpu_s') * 1000:>6.1f} ms"
        for peer in peers:
            line += "".join(
                f" {middle(rounds, name, key, peer):>6.2f}" for key in ("start_s", "cpu_s")
            )
        if name in CARRIERS:
            killed_s = statistics.median(kill(hosts=hosts, carrier=name) for _ in rounds)
            line += f" {middle(rounds, name, 'awake_s') * 1000:>6.1f} ms"
            line += f" {middle(rounds, name, 'launch_s') * 1000:>6.1f} ms"
            line += f" {killed_s * 1000:>6.1f} ms"
        say(line)


def has_mininet() -> bool:
    """Tell whether there is a mininet to compare with."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None or shutil.which("mnexec") is None:
        return False
    return subprocess.run([python, "-c", "import mininet.net"], check=False).returncode == 0


FLOODS = {
    "heard by the ring": ("flood", {"recorder": "none"}),
    "heard and recorded in a file": ("flood", {"recorder": "file"}),
    "recorded by tcpdump": ("flood_peer", {"peer": "tcpdump"}),
    "recorded by dumpcap": ("flood_peer", {"peer": "dumpcap"}),
}


def floods() -> None:
    """Print what is heard when one host sends to nine others as fast as it can."""
    for told, (scenario, spec) in FLOODS.items():
        if shutil.which(spec.get("peer", "ip")) is None:
            continue
        asked = {"count": 100_000, "hosts": 10, "octets": 200}
        rounds = [run(scenario, **asked, **spec) for _ in range(ROUND_COUNT)]
        found = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        line = (
            f"bridge: {found['sent_per_s'] / 1000:.0f} k frames/s sent,"
            f" {found['heard_per_s'] / 1000:.0f} k/s {told}, {found['cpu_us']:.2f} us of CPU each,"
            f" {max(one['lost'] for one in rounds):.0f} lost"
        )
        if "kernel" in found:
            whole = all(one["heard"] == one["kernel"] for one in rounds)
            line += f", {'all' if whole else 'NOT ALL'} of {found['kernel']:.0f} counted"
        say(line)


def main() -> int:
    """Print the tables."""
    try:
        say(f"{'hosts':>5} {'':>9} {'start':>9} {'CPU':>9}  of ip: time, CPU; awake, launch, kill")
        for hosts in (3, 100):
            starts(hosts)
        for carrier in ("tap", "veth", "gates"):
            rate = run("forward", carrier=carrier, count=40_000)["frames_per_s"]
            say(f"{carrier}: {rate / 1000:.0f} k recorded frames/s through the switch")
        floods()
    except MachineError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
