"""What becomes of a frame: pure decisions, the same for the same seed on any fabric.

A decision follows from the seed, the sentence of the fault, the sender, the receiver, the type of
the message and how many of that type went the same way before it. Nothing here knows a socket, a
kernel or a clock; time is an argument and matters only for queues (a slow link, a range of delays)
and not for who is hit.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, assert_never

from mpwire.lab.faults import (
    ANY,
    Aimed,
    AnyFault,
    Corrupt,
    Drop,
    Duplicate,
    Freeze,
    Hold,
    Kill,
    Limit,
    Reorder,
)

QUEUE_S: Final = 1.0
"""What would wait longer for a slow link is lost."""
BITS: Final = 8


@dataclass(slots=True, frozen=True)
class Sighting:
    """What a decision needs to know of a frame."""

    octets: int
    """Length of the frame."""
    message: str = ""
    """Name of the message's type; empty for a frame that holds none."""
    flags: frozenset[str] = frozenset()
    payload_octets: int = 0


@dataclass(slots=True, frozen=True)
class Change:
    """An octet that is inverted on the way."""

    octet: int
    """Counted from 0 in the UDP payload."""
    unnoticed: bool
    """The UDP checksum is put right."""


@dataclass(slots=True, frozen=True)
class Copy:
    """One delivery of a frame."""

    delay_s: float = 0.0
    passed: bool = False
    """The next frame between the same hosts goes first; the delay is for when none comes."""
    changes: tuple[Change, ...] = ()
    """Made one after the other."""


@dataclass(slots=True, frozen=True)
class Strike:
    """What a delivery does to an agent."""

    host: str
    frozen_s: float | None = None
    """So long it is stopped; None: it is killed."""


@dataclass(slots=True, frozen=True)
class Fate:
    """What becomes of one frame for one receiver."""

    copies: tuple[Copy, ...] = (Copy(),)
    """Its deliveries; none: it is lost."""
    cause: str | None = None
    """The faults it met, as their sentences say."""
    strikes: tuple[Strike, ...] = ()
    """What it does to agents once it is delivered."""


UNHARMED: Final = Fate()


@dataclass(slots=True)
class _Hit:
    """A frame on its way from one host to another, and what the faults have made of it so far."""

    seen: Sighting
    link: tuple[str, str]
    now_s: float
    causes: list[str] = field(default_factory=list)
    lost: bool = False
    count: int = 1
    delay_s: float = 0.0
    passed: bool = False
    changes: list[Change] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)


def delay_s(faults: Sequence[AnyFault]) -> float:
    """Say by how much faults can put off one message at most."""
    total_s = 0.0
    for fault in faults:
        if isinstance(fault, Hold | Freeze):
            total_s += fault.duration.most_s
        elif isinstance(fault, Limit):
            total_s += QUEUE_S
    return total_s


class Decider:
    """Decide about frames in the order in which they are sent."""

    def __init__(
        self, faults: Sequence[AnyFault], seed: int | None, *, overtaking_s: float = 0.25
    ) -> None:
        """Prepare.

        Args: seed: None decides as 0 does; overtaking_s: how long a reordered frame waits for one
            that passes it.
        """
        self._faults = faults
        self._seed = seed or 0
        self._overtaking_s = overtaking_s
        self._met: Counter[tuple[int, str, str]] = Counter()
        """Messages that a fault meant so far, by fault, sender and receiver."""
        self._seen: Counter[tuple[str, str, str]] = Counter()
        """Messages so far, by sender, receiver and type."""
        self._free_s: dict[tuple[int, str, str], float] = {}
        """When what a fault delays between two hosts comes to its end."""
        self._cuts: dict[tuple[str, str], str] = {}

    @property
    def active(self) -> bool:
        """Tell whether any frame can come to harm at present."""
        return bool(self._faults or self._cuts)

    def cut(self, sender: str, receiver: str, cause: str) -> None:
        """Let nothing pass from one host to another any more."""
        self._cuts[sender, receiver] = cause

    def restore(self, host: str) -> None:
        """Undo the cuts that concern a host."""
        self._cuts = {pair: cause for pair, cause in self._cuts.items() if host not in pair}

    def heal(self) -> None:
        """Undo all cuts."""
        self._cuts.clear()

    def decide(self, seen: Sighting, sender: str, receiver: str, now_s: float) -> Fate:
        """Say what becomes of a frame for one receiver."""
        self._seen[sender, receiver, seen.message] += 1
        hit = _Hit(seen, (sender, receiver), now_s)
        for number, fault in enumerate(self._faults):
            if fault.sender in (None, sender) and fault.receiver in (None, receiver):
                self._meet(number, fault, hit)
        cut = self._cuts.get((sender, receiver))
        if cut is not None:
            hit.lost = True
            hit.causes.append(cut)
        if not hit.causes:
            return UNHARMED
        copy = Copy(hit.delay_s, hit.passed, tuple(hit.changes))
        copies = () if hit.lost else (copy,) * hit.count
        return Fate(copies, "; ".join(hit.causes), () if hit.lost else tuple(hit.strikes))

    def severed(self, sender: str, receiver: str) -> Fate:
        """Say what becomes of any frame between two, as far as cuts go."""
        cut = self._cuts.get((sender, receiver))
        return UNHARMED if cut is None else Fate((), cut)

    def _meet(self, number: int, fault: AnyFault, hit: _Hit) -> None:
        """Let a fault act on a frame, if it means it."""
        if isinstance(fault, Limit):
            self._queue(number, fault, hit)
            return
        if not self._means(number, fault, hit):
            return
        match fault:
            case Drop():
                hit.lost = True
            case Duplicate():
                hit.count += 1
            case Hold():
                hit.delay_s += self._held_s(number, fault, hit)
            case Reorder():
                hit.passed = True
                hit.delay_s += self._overtaking_s
            case Corrupt():
                octet = fault.octet
                if octet is None:
                    octet = int(self._draw(fault, hit, "octet") * hit.seen.payload_octets)
                if octet >= hit.seen.payload_octets:
                    return
                hit.changes.append(Change(octet, fault.unnoticed))
            case Kill():
                hit.strikes.append(Strike(fault.host))
            case Freeze():
                hit.strikes.append(Strike(fault.host, self._long_s(fault, hit)))
            case _:
                assert_never(fault)
        hit.causes.append(fault.text)

    def _means(self, number: int, fault: Aimed, hit: _Hit) -> bool:
        """Tell whether a fault means a frame, which is one more of those between its hosts."""
        if not hit.seen.message or fault.message not in (ANY, hit.seen.message):
            return False
        if fault.flag is not None and fault.flag not in hit.seen.flags:
            return False
        self._met[number, *hit.link] += 1
        if fault.which.ordinal is not None:
            return self._met[number, *hit.link] == fault.which.ordinal
        return fault.which.share >= 1 or self._draw(fault, hit, "hit") < fault.which.share

    def _draw(self, fault: Aimed, hit: _Hit, purpose: str) -> float:
        """Draw from [0, 1): always the same for the same message of the same run."""
        message = hit.seen.message
        ordinal = self._seen[*hit.link, message]
        named = (str(self._seed), fault.text, *hit.link, message, str(ordinal), purpose)
        digest = blake2b("\0".join(named).encode(), digest_size=6).digest()
        return int.from_bytes(digest) / (1 << 48)

    def _long_s(self, fault: Hold | Freeze, hit: _Hit) -> float:
        least_s, most_s = fault.duration.least_s, fault.duration.most_s
        return least_s + (most_s - least_s) * self._draw(fault, hit, "time")

    def _held_s(self, number: int, fault: Hold, hit: _Hit) -> float:
        """Draw how long to hold; what one fault holds on a link keeps its order."""
        until_s = hit.now_s + self._long_s(fault, hit)
        until_s = max(until_s, self._free_s.get((number, *hit.link), 0.0))
        self._free_s[number, *hit.link] = until_s
        return until_s - hit.now_s

    def _queue(self, number: int, fault: Limit, hit: _Hit) -> None:
        starts_s = max(hit.now_s, self._free_s.get((number, *hit.link), 0.0))
        hit.causes.append(fault.text)
        if starts_s - hit.now_s > QUEUE_S:
            hit.lost = True
            return
        ends_s = starts_s + hit.seen.octets * BITS / fault.rate_bit_s
        self._free_s[number, *hit.link] = ends_s
        hit.delay_s += ends_s - hit.now_s
