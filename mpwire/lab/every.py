"""One fault for every message of a session: which messages there are, and the sentences for them.

A message is known by its sender, its receiver, its type and its number among those of that type
between these two; not by time. So it can be met again in another run of the same testbed.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, get_args

from mpwire.capture import RunFile
from mpwire.capture.onway import end_to_end
from mpwire.capture.records import Decision
from mpwire.lab.sight import sighting

Every = Literal["drop", "drop-pair", "dup", "reorder", "kill-after"]
KINDS: Final[tuple[str, ...]] = get_args(Every)
_SUFFIXES: Final = {1: "st", 2: "nd", 3: "rd"}


@dataclass(slots=True, frozen=True)
class Sent:
    """One message on its way to one receiver."""

    sender: str
    receiver: str
    message: str
    ordinal: int

    def __str__(self) -> str:
        """Name it as the sentences of faults do."""
        teen = 10 < self.ordinal % 100 < 20
        suffix = "th" if teen else _SUFFIXES.get(self.ordinal % 10, "th")
        named = f"the {self.ordinal}{suffix} {self.message}"
        return f"{named} from {self.sender} to {self.receiver}"


def messages(run: RunFile) -> list[Sent]:
    """List what was sent in a run, in order, once per receiver."""
    run = end_to_end(run)
    frames = {frame.number: frame for frame in run.frames}
    counts: Counter[tuple[str, str, str]] = Counter()
    decided: set[tuple[int, str]] = set()
    found = []
    for one in sorted(run.of(Decision), key=lambda one: one.frame):  # held ones come later
        frame = frames.get(one.frame)
        if frame is None or not one.receiver or (one.frame, one.receiver) in decided:
            continue
        decided.add((one.frame, one.receiver))
        message = sighting(frame.data).message
        if message:
            key = (frame.vantage, one.receiver, message)
            counts[key] += 1
            found.append(Sent(*key, counts[key]))
    return found


def cases(kind: Every, sent: Sequence[Sent]) -> list[tuple[str, ...]]:
    """Write down every case of a kind, each as the faults that make it."""
    match kind:
        case "drop":
            return [(f"drop {one}",) for one in sent]
        case "drop-pair":
            pairs = itertools.combinations(sent, 2)
            return [(f"drop {one}", f"drop {other}") for one, other in pairs]
        case "dup":
            return [(f"duplicate {one}",) for one in sent]
        case "reorder":
            return [(f"reorder {one}",) for one in sent]
        case "kill-after":
            return [
                (f"kill {host} after {one}",) for one in sent for host in (one.receiver, one.sender)
            ]


def sampled(
    everything: Sequence[tuple[str, ...]], count: int | None, seed: int | None
) -> list[tuple[str, ...]]:
    """Draw so many cases with a seed, in their order; all of them if there are no more."""
    if count is None or count >= len(everything):
        return list(everything)
    ranked = sorted(range(len(everything)), key=lambda place: _rank(place, seed or 0))
    return [everything[place] for place in sorted(ranked[:count])]


def _rank(place: int, seed: int) -> bytes:
    return sha256(f"every {seed} {place}".encode()).digest()


def met(run: RunFile, faults: Sequence[str]) -> bool:
    """Tell whether each of some faults has met a message in a run."""
    causes = {one.reason for one in run.of(Decision) if one.reason}
    return all(any(fault in cause for cause in causes) for fault in faults)
