"""Print how fast the codec is, as a ratio to Scapy's layers, in one and the same run.

    PYTHONPATH=. python tests/benchmarks/bench_codec.py [seconds per figure, default 0.05]

For each message type the first hand-made vector is decoded and encoded again and again by both;
turns alternate, so that a busy machine slows both. Figures are ratios of the medians; absolute
times stand beside them for scale only.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from mpwire.wire.bridge import packet_from_message
from mpwire.wire.codec import decode_untrusted, encode
from mpwire.wire.layers import MPW
from mpwire.wire.numbers import MessageType

VECTORS = Path(__file__).parents[1] / "wire" / "vectors.txt"
ROUNDS = 7


def first_of_each_type() -> dict[int, bytes]:
    """Return one datagram per message type."""
    found: dict[int, bytes] = {}
    octets = ""
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            octets = ""
        elif line.startswith("=>"):
            data = bytes.fromhex(octets)
            found.setdefault(data[3], data)
        elif not line.startswith("#"):
            octets += line.partition("|")[0]
    return dict(sorted(found.items()))


def repetitions(action: Callable[[], object], seconds: float) -> int:
    """Return how often the action fits into the time."""
    start = perf_counter_ns()
    for _ in range(20):
        action()
    return max(int(seconds * 1e9 * 20 / (perf_counter_ns() - start)), 5)


def compare(
    ours: Callable[[], object], theirs: Callable[[], object], seconds: float
) -> tuple[float, float]:
    """Return the median times of both in nanoseconds, measured in alternating turns."""
    plans = [(one, repetitions(one, seconds / ROUNDS)) for one in (ours, theirs)]
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for (action, count), sink in zip(plans, times, strict=True):
            start = perf_counter_ns()
            for _ in range(count):
                action()
            sink.append((perf_counter_ns() - start) / count)
    return median(times[0]), median(times[1])


def main(seconds: float) -> None:
    """Print one line per message type."""
    head = " |  {}  ours us  scapy us  ratio"
    sys.stdout.write("type         octets" + head.format("decode") + head.format("encode") + "\n")
    ratios: tuple[list[float], list[float]] = ([], [])
    for code, data in first_of_each_type().items():
        message = decode_untrusted(data)
        packet = packet_from_message(message)
        line = f"{MessageType(code).name:12} {len(data):6}"
        figures = (
            compare(partial(decode_untrusted, data), partial(MPW, data), seconds),
            compare(partial(encode, message), partial(bytes, packet), seconds),
        )
        for (ours, theirs), sink in zip(figures, ratios, strict=True):
            sink.append(theirs / ours)
            line += f" |      {ours / 1000:10.2f} {theirs / 1000:9.1f} {theirs / ours:6.1f}"
        sys.stdout.write(line + "\n")
    medians = f"decode {median(ratios[0]):.1f}, encode {median(ratios[1]):.1f}"
    sys.stdout.write(f"median ratio to Scapy: {medians}\n")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.05)
