"""Measure what a leaf costs in a session of many: core and winsock, in memory and virtual time.

    python tests/benchmarks/bench_leaves.py [LEAVES...]

n leaves join a root, get one message, and the session is dismantled; every leaf sees exactly its
events. Time and memory per leaf have to stay the same from 100 to 10,000 leaves. Memory is taken
in a pass of its own, because tracing it takes time: what the root keeps per member, and what a
whole leaf process keeps. Time is the processor's, with Python's garbage collector off, whose full
collections look at every object of the process, and for comparison with it on. What still grows is
the memory's: ten thousand leaf processes in one do not fit the processor's caches.
"""

import gc
import sys
import time
import tracemalloc

from mpwire.testing.bus import Bus
from mpwire.testing.crowd import Crowd

SIZES = (100, 1_000, 10_000)
REPEATS = {100: 20, 1_000: 3}
PHASES = ("join", "tell", "dismantle", "forget")
KIB = 1024
PLAIN_OBJECTS = 70
"""Dictionaries of one entry that take as much memory as a leaf at both ends, 16 KiB."""


def times_us(leaf_count: int, *, collecting: bool) -> dict[str, float]:
    """Return the best processor microseconds per leaf of every phase."""
    best: dict[str, float] = {}
    for _ in range(REPEATS.get(leaf_count, 1)):
        crowd = Crowd(Bus(seed=1, traced=False), leaf_count)
        gc.collect()
        if not collecting:
            gc.disable()
        for phase in PHASES:
            started_s = time.process_time()
            getattr(crowd, phase)()
            taken_us = (time.process_time() - started_s) * 1e6 / leaf_count
            best[phase] = min(best.get(phase, taken_us), taken_us)
        gc.enable()
    return best


def plain_us(leaf_count: int) -> float:
    """Return what plain objects of a leaf's size cost per leaf: what the machine's caches allow.

    As many dictionaries as a leaf has are made for everybody, and then visited four times, in the
    order in which a session visits its leaves.
    """
    best = float("inf")
    for _ in range(REPEATS.get(leaf_count, 1)):
        gc.collect()
        gc.disable()
        started_s = time.process_time()
        leaves = [[{part: leaf} for part in range(PLAIN_OBJECTS)] for leaf in range(leaf_count)]
        for visit in range(len(PHASES)):
            for leaf in leaves:
                for part, one in enumerate(leaf):
                    one[part] += visit
        best = min(best, (time.process_time() - started_s) * 1e6 / leaf_count)
        gc.enable()
    return best


def memory_kib(leaf_count: int) -> tuple[float, float]:
    """Return the KiB per leaf that the root keeps, and that the leaf keeps, while joined."""
    gc.collect()
    tracemalloc.start()
    crowd = Crowd(Bus(seed=1, traced=False), leaf_count)
    crowd.join()
    crowd.tell()
    gc.collect()
    both, _ = tracemalloc.get_traced_memory()
    crowd.lose_root()
    gc.collect()
    leaves, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (both - leaves) / leaf_count / KIB, leaves / leaf_count / KIB


def main() -> None:
    """Measure and print."""
    sizes = tuple(int(size) for size in sys.argv[1:]) or SIZES
    totals: list[float] = []
    memory: list[tuple[float, float]] = []
    for size in sizes:
        phases = times_us(size, collecting=False)
        totals.append(sum(phases.values()))
        collected_us = sum(times_us(size, collecting=True).values())
        memory.append(memory_kib(size))
        told = ", ".join(f"{name} {taken_us:.0f}" for name, taken_us in phases.items())
        root_kib, leaf_kib = memory[-1]
        print(f"{size:6} leaves: {totals[-1]:.0f} us per leaf ({told}),", end=" ")
        print(f"{collected_us:.0f} us with the collector;", end=" ")
        print(f"{root_kib:.2f} KiB at the root, {leaf_kib:.2f} KiB at the leaf", flush=True)
    first, last = memory[0], memory[-1]
    plain = plain_us(sizes[-1]) / plain_us(sizes[0])
    print(
        f"{sizes[-1]} against {sizes[0]}: time {totals[-1] / totals[0]:.2f} x"
        f" (plain objects of the same size {plain:.2f} x),"
        f" memory {last[0] / first[0]:.2f} x at the root, {last[1] / first[1]:.2f} x at the leaf"
    )


if __name__ == "__main__":
    main()
