"""Merge captures of one session, each taken at another place with another clock.

A datagram that two captures hold left at one place before it arrived at the other. Each such pair
bounds how far apart the two clocks are; all pairs together bound the offset of every clock (the
system of difference constraints of Bellman and Ford, here with Floyd's closure). Where no offsets
satisfy all pairs the clocks drift, and times of different captures must not be compared.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import inf
from typing import BinaryIO, Final, Literal

import msgspec

from mpwire.capture.blocks import Direction, Interface
from mpwire.capture.framefile import FrameFile
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.runfile import Frame, RunFile
from mpwire.capture.spool import Spool
from mpwire.capture.writer import Writer
from mpwire.errors import InputError

MIDDLE: Final = "-"
"""Stands for a place between hosts, where a capture says where no frame came from or went to."""
DRIFT: Final = "the clocks of the captures drift, so times of different captures mean nothing"

WAYS: Final[tuple[Direction | None, ...]] = (None, "out", "in")
UNKNOWN, OUT, IN, LEFT_OUT = range(4)
NO_KEY: Final = 0
HELD_FRAMES: Final = 20_000
"""More merged frames are kept in a temporary file."""


@dataclass(slots=True)
class Source:
    """One capture to be merged."""

    run: RunFile
    places: frozenset[str] = frozenset()
    """Addresses of the host where it was taken, or MIDDLE; empty: to be found out."""
    name: str = ""
    """Name of its vantage in the merged capture."""
    inferred: bool = False
    """Its place was found out."""
    offset_ns: int = 0
    """What is added to its clock."""
    earliest_ns: float = -inf
    latest_ns: float = inf
    """Bounds of the offset, relative to the first capture's clock."""
    times_ns: "array[int]" = field(default_factory=lambda: array("q"))
    """When each frame was captured, by this capture's clock."""
    ways: bytearray = field(default_factory=bytearray)
    """Which way each frame went, as a place in WAYS."""
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    """What tells the same datagram in another capture, per frame; NO_KEY for what is none."""

    @property
    def count(self) -> int:
        """Count the frames that are not left out."""
        return len(self.ways) - self.ways.count(LEFT_OUT)

    def passed(self) -> Iterator[tuple[int, int, int]]:
        """Yield time, way and key of the frames that are not left out."""
        for time_ns, way, key in zip(self.times_ns, self.ways, self.keys, strict=True):
            if way != LEFT_OUT:
                yield time_ns, way, key

    def heads(self) -> Iterator[tuple[Frame, int]]:
        """Read the frames anew that are not left out, each with its key."""
        for frame, way, key in zip(self.run.frames, self.ways, self.keys, strict=True):
            if way != LEFT_OUT:
                yield msgspec.structs.replace(frame, direction=WAYS[way]), key


@dataclass(slots=True)
class Merged:
    """Captures put into one order."""

    run: RunFile
    sources: list[Source]
    drifting: bool
    """No offsets of the clocks satisfy all pairs."""


def merge(sources: Sequence[Source], held_frames: int = HELD_FRAMES) -> Merged:
    """Put captures into one order; frames are numbered anew.

    Args:
        sources: the captures; `place` may be left open.
        held_frames: more frames are kept in a temporary file, and read anew.

    Raises:
        InputError: one of them is a run file, its place cannot be found out, or it cannot have been
            taken where it is said to be.
    """
    for source in sources:
        if source.run.run is not None:
            raise InputError(f"{source.run.path}: a run file holds all vantages already")
    for source in sources:
        if source.places - {MIDDLE}:
            _require_there(source)
    _find_places(sources)
    for source in sources:
        _set_directions(source)
    _name(sources)
    _leave_out_twins(sources)
    bounds = _bounds(sources)
    drifting = any(bounds[place][place] < 0 for place in range(len(sources)))
    if not drifting:
        _set_clocks(sources, bounds)
    frames = _kept(_in_order(sources), sum(one.count for one in sources), held_frames)
    run = RunFile(
        path=sources[0].run.path,
        interfaces=[_interface(source) for source in sources],
        frames=frames,
        records=[],
        statistics=[one for source in sources for one in source.run.statistics],
        unknown_records={},
        incomplete=[reason for source in sources for reason in source.run.incomplete],
        clocks=DRIFT if drifting else "",
    )
    return Merged(run, list(sources), drifting)


def _interface(source: Source) -> Interface:
    first = source.run.interfaces[0]
    return msgspec.structs.replace(first, name=source.name)


def _find_places(sources: Sequence[Source]) -> None:
    """Find out at which host each capture was taken, where nobody has said so.

    That is the one address that all its datagrams share. Between two hosts there are two of them;
    then it is the one that no other capture claims.
    """
    open_ones = [source for source in sources if not source.places]
    found = [(source, _common(source.run)) for source in open_ones]
    claimed = {place for source in sources for place in source.places}
    claimed |= {place for _, common in found if len(common) == 1 for place in common}
    for source, common in sorted(found, key=lambda one: len(one[1])):
        places = common if len(common) < 2 else common - claimed
        twins = [one for one in sources if one.places & places]
        if len(places) > 1 or (common and not places) or twins:
            among = " and ".join(sorted(common))
            raise InputError(
                f"{source.run.path}: cannot tell where it was taken, at {among}, or between; "
                "write FILE@ADDRESS, or FILE@- for a place between hosts"
            )
        source.places, source.inferred = frozenset(places or {MIDDLE}), True
        claimed |= places


def _require_there(source: Source) -> None:
    """See that what is between two hosts concerns the one where a capture is said to be taken."""
    apart = [not source.places & pair for pair in set(map(frozenset, _pairs(source.run)))]
    if apart and all(apart):
        said = " and ".join(sorted(source.places))
        raise InputError(
            f"{source.run.path}: cannot have been taken at {said}: no datagram in it is from or to "
            "there; write FILE@ADDRESS, or FILE@- for a place between hosts"
        )


def _common(run: RunFile) -> set[str]:
    """Return the addresses that are one end of every unicast datagram."""
    common: set[str] | None = None
    for pair in _pairs(run):
        common = pair if common is None else common & pair
    return common or set()


def _pairs(run: RunFile) -> Iterator[set[str]]:
    """Yield the two addresses of every unicast datagram."""
    for frame in run.frames:
        decoded = decode_frame(frame.linktype, frame.data)
        if isinstance(decoded, Datagram) and not ip_address(decoded.destination[0]).is_multicast:
            yield {decoded.source[0], decoded.destination[0]}


def _set_directions(source: Source) -> None:
    """Say which way each frame went, as seen from where it was captured."""
    middle = MIDDLE in source.places
    for frame in source.run.frames:
        decoded = decode_frame(frame.linktype, frame.data)
        way, key = WAYS.index(frame.direction), NO_KEY
        if isinstance(decoded, Datagram):
            key = hash((decoded.source, decoded.destination, decoded.payload)) or 1
            if middle:
                way = UNKNOWN
            elif way == UNKNOWN:
                way = OUT if decoded.source[0] in source.places else IN
        source.times_ns.append(frame.time_ns)
        source.ways.append(way)
        source.keys.append(key)


def _name(sources: Sequence[Source]) -> None:
    """Name each vantage by its address, or by its file where it stands in the middle."""
    taken: Counter[str] = Counter()
    for source in sources:
        name = source.run.path.stem if MIDDLE in source.places else min(source.places)
        taken[name] += 1
        source.name = name if taken[name] == 1 else f"{name} ({taken[name]})"


def _leave_out_twins(sources: Sequence[Source]) -> None:
    """Leave out of captures in the middle what another capture has, too: it was sent once."""
    known: set[int] = set()
    middle = [source for source in sources if MIDDLE in source.places]
    for source in sources if middle else ():
        if source not in middle:
            known.update(source.keys)
    known.discard(NO_KEY)
    for source in middle:
        for place, key in enumerate(source.keys):
            if key in known:
                source.ways[place] = LEFT_OUT
        known.update(key for _, _, key in source.passed() if key != NO_KEY)


def _bounds(sources: Sequence[Source]) -> list[list[float]]:
    """Return the least upper bounds of x[i] - x[j], where x is what is added to each clock."""
    count = len(sources)
    bounds = [[0.0 if i == j else inf for j in range(count)] for i in range(count)]
    departures = [_lone(source, OUT) for source in sources]
    arrivals = [_lone(source, IN) for source in sources]
    for i in range(count):
        for j in range(count):
            if i == j:
                continue
            for key, left_ns in departures[i].items():
                arrived_ns = arrivals[j].get(key)
                if arrived_ns is not None:
                    bounds[i][j] = min(bounds[i][j], arrived_ns - left_ns)
    for k in range(count):
        for i in range(count):
            for j in range(count):
                bounds[i][j] = min(bounds[i][j], bounds[i][k] + bounds[k][j])
    return bounds


def _lone(source: Source, wanted: int) -> dict[int, int]:
    """Return the times of the datagrams that went one way exactly once, by their keys."""
    times: dict[int, int] = {}
    again: set[int] = set()
    for time_ns, way, key in source.passed():
        if key == NO_KEY or way != wanted:
            continue
        if key in times:
            again.add(key)
        times[key] = time_ns
    for key in again:
        del times[key]
    return times


def _set_clocks(sources: Sequence[Source], bounds: list[list[float]]) -> None:
    """Choose offsets that satisfy all bounds: none at all if that does, else the middle."""
    agree = all(bound >= 0 for row in bounds for bound in row)
    for place, source in enumerate(sources):
        source.earliest_ns, source.latest_ns = -bounds[0][place], bounds[place][0]
        if agree:
            continue
        low, high = source.earliest_ns, source.latest_ns
        if low == -inf and high == inf:
            continue
        if low == -inf or high == inf:
            source.offset_ns = int(high if low == -inf else low)
        else:
            source.offset_ns = int((low + high) // 2)


def _in_order(sources: Sequence[Source]) -> Iterator[Frame]:
    """Yield all frames by corrected time, but none before its departure in another capture."""
    leaving = {key for one in sources for _, way, key in one.passed() if way == OUT}
    leaving.discard(NO_KEY)
    streams = [source.heads() for source in sources]
    heads = [next(stream, None) for stream in streams]
    number = 0
    while ready := [(place, head) for place, head in enumerate(heads) if head is not None]:
        free = [(place, head) for place, head in ready if not _waits(head, leaving)]
        place, (frame, key) = min(free or ready, key=lambda one: _when(one[1][0], sources[one[0]]))
        heads[place] = next(streams[place], None)
        if frame.direction == "out":
            leaving.discard(key)
        number += 1
        source = sources[place]
        yield msgspec.structs.replace(
            frame,
            number=number,
            vantage=source.name,
            time_ns=frame.time_ns + source.offset_ns,
            comment=f"{source.run.path.name} frame {frame.number}",
        )


def _when(frame: Frame, source: Source) -> tuple[int, Literal[0, 1]]:
    return frame.time_ns + source.offset_ns, 0 if frame.direction == "out" else 1


def _waits(head: tuple[Frame, int], leaving: set[int]) -> bool:
    """Tell whether a frame arrives that another capture shows leaving, and that has not left."""
    frame, key = head
    return frame.direction == "in" and key in leaving


def _kept(frames: Iterator[Frame], count: int, held_frames: int) -> Sequence[Frame]:
    """Hold frames, or keep them in a temporary file if there are many."""
    if count <= held_frames:
        return list(frames)
    spool = Spool(lambda stream: _write(stream, frames))
    return FrameFile(spool.opened, "merged captures", count)


def _write(stream: BinaryIO, frames: Iterable[Frame]) -> None:
    """Write frames as pcapng; a vantage with several link types has several interfaces."""
    writer = Writer(stream)
    numbers: dict[tuple[str, int], int] = {}
    for frame in frames:
        way = frame.vantage, frame.linktype
        if way not in numbers:
            numbers[way] = writer.interface(frame.vantage, linktype=frame.linktype)
        writer.packet(
            numbers[way],
            frame.data,
            frame.time_ns,
            direction=frame.direction,
            original_octets=frame.original_octets,
            comments=[] if frame.comment is None else [frame.comment],
        )
