"""Measure what an agent costs: its start, and a call through its pipe.

    python tests/benchmarks/bench_agent.py

Peers in the same run: an interpreter that does nothing, one that imports the Scapy layers, and a
bare echo loop over the same kind of pipe.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
CALLS = 3000
AGENT = [sys.executable, "-m", "mpwire.io.agent"]
BARE = [sys.executable, "-c", "print('hello', flush=True); input()"]
SCAPY = [sys.executable, "-c", "import mpwire.wire.layers; print('hello', flush=True); input()"]
ECHO_PROGRAM = """
import sys
print("hello")
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""
ECHO = [sys.executable, "-u", "-c", ECHO_PROGRAM]


def start_s(command: list[str]) -> float:
    """Return the seconds from starting a program to its first line."""
    started_s = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken_s = time.perf_counter() - started_s
        process.communicate()
    return taken_s


def round_trips_us(command: list[str], line: bytes) -> list[float]:
    """Return the microseconds of every line written and answered."""
    taken_us = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(CALLS):
            started_s = time.perf_counter()
            process.stdin.write(line)
            process.stdin.flush()
            process.stdout.readline()
            taken_us.append((time.perf_counter() - started_s) * 1e6)
        process.stdin.close()
        process.wait()
    return sorted(taken_us)


def main() -> None:
    """Measure and print."""
    commands = {"bare interpreter": BARE, "agent": AGENT, "interpreter with Scapy layers": SCAPY}
    starts: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        start_s(command)
    for _ in range(ROUNDS):
        for name, command in commands.items():
            starts[name].append(start_s(command))
    bare_s = statistics.median(starts["bare interpreter"])
    for name, taken in starts.items():
        median_s = statistics.median(taken)
        print(f"start, {name}: {median_s * 1000:.0f} ms, {median_s / bare_s:.1f} x bare")
    line = b'{"id": 1, "call": "barrier", "args": {}}\n'
    echo, agent = round_trips_us(ECHO, line), round_trips_us(AGENT, line)
    for name, taken in (("echo", echo), ("agent barrier", agent)):
        p50, p99 = taken[CALLS // 2], taken[CALLS * 99 // 100]
        ratio = p50 / echo[CALLS // 2]
        print(f"call, {name}: p50 {p50:.0f} us, p99 {p99:.0f} us, {ratio:.1f} x echo")


if __name__ == "__main__":
    main()
