"""Whether runs of one testbed on several fabrics tell the same.

A fabric has its own pace: what happens at two hosts at once may come in either order. But between
two moments at which everything had settled, every socket must have reported the same events in
the same order. How often data could be read or sent depends on how it came in pieces, so that
a run of FD_READ and FD_WRITE counts as one, whichever of the two it is made of and how often.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from mpwire.capture import RunFile
from mpwire.capture.records import LIFE, AgentExit, AgentLine, Step
from mpwire.report.cast import cast_of
from mpwire.vocabulary import Verdict, WsaError

BARRIER: Final = "everything settles"
"""The step of a script after which nothing moves any more."""
OF_DATA: Final = ("FD_READ", "FD_WRITE")
NOTHING: Final = "nothing"


class Seen(msgspec.Struct, frozen=True):
    """What a socket reported at one place of its sequence."""

    told: str
    """Event and error; for a run about data, the events that it is made of."""
    frame: int
    """Number of the last frame before it."""

    def __str__(self) -> str:
        """Say it."""
        return f"{self.told} (after frame {self.frame})"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where runs part for the first time."""

    socket: str
    """Such as "leaf1:L1"; empty where the verdicts differ."""
    where: str
    """Between which barriers; empty where the verdicts differ."""
    place: int
    """In the socket's sequence there, from 1."""
    seen: Mapping[str, str]
    """What each fabric reported."""

    def __str__(self) -> str:
        """Say it in one line."""
        told = ", ".join(f"{fabric} {seen}" for fabric, seen in self.seen.items())
        if not self.socket:
            return f"verdicts: {told}"
        return f"{self.socket}, {self.where}, event {self.place}: {told}"


Sequences = dict[str, list[Seen]]
"""What each socket reported, in order."""


class _Event(msgspec.Struct):
    event: str = ""
    socket: int = 0
    code: int = 0


_EVENTS = msgspec.json.Decoder(_Event)


def first_difference(
    runs: Mapping[str, RunFile], verdicts: Mapping[str, Verdict]
) -> Difference | None:
    """Find where the runs of one testbed, by fabric, first tell something different.

    Returns: None where they agree. Events come before verdicts, as they say more.
    """
    spans = {fabric: spans_of(run) for fabric, run in runs.items()}
    for per_fabric in itertools.zip_longest(*spans.values(), fillvalue=("", {})):
        where = next((name for name, _ in per_fabric if name), "")
        sequences = dict(zip(spans, (found for _, found in per_fabric), strict=True))
        difference = _in_span(where, sequences)
        if difference is not None:
            return difference
    if len(set(verdicts.values())) > 1:
        told = {fabric: verdict.value for fabric, verdict in verdicts.items()}
        return Difference(socket="", where="", place=0, seen=told)
    return None


def _in_span(where: str, sequences: Mapping[str, Sequences]) -> Difference | None:
    sockets = sorted({socket for found in sequences.values() for socket in found})
    for socket in sockets:
        columns = [found.get(socket, []) for found in sequences.values()]
        for place, row in enumerate(itertools.zip_longest(*columns), 1):
            if len({one.told if one else None for one in row}) > 1:
                told = [NOTHING if one is None else str(one) for one in row]
                seen = dict(zip(sequences, told, strict=True))
                return Difference(socket=socket, where=where, place=place, seen=seen)
    return None


def spans_of(run: RunFile) -> list[tuple[str, Sequences]]:
    """Give what sockets reported between barriers: name of the span, sequences by socket."""
    names = cast_of(run).sockets
    spans: list[tuple[str, Sequences]] = []
    found: dict[tuple[str, int], list[tuple[str, int]]] = {}
    began = "the start"

    def close(until: str) -> None:
        told = {_named(names, key): collapsed(events) for key, events in found.items()}
        spans.append((f"from {began} to {until}", told))
        found.clear()

    for record, lives in _with_lives(run):
        if isinstance(record, Step) and record.text == BARRIER and record.state == "done":
            close(f"line {record.line}")
            began = f"line {record.line}"
        elif isinstance(record, AgentLine) and record.direction == "from":
            event = _event(bytes(record.line))
            if event is not None:
                key = record.host, event.socket + LIFE * lives.get(record.host, 0)
                found.setdefault(key, []).append((_told(event), record.after))
    close("the end")
    return spans


def _with_lives(run: RunFile) -> Iterator[tuple[object, Mapping[str, int]]]:
    """Yield the records, and how often the agent of each host had ended before."""
    lives: dict[str, int] = {}
    for record in run.records:
        yield record, lives
        if isinstance(record, AgentExit):
            lives[record.host] = lives.get(record.host, 0) + 1


def _named(names: Mapping[tuple[str, int], str], key: tuple[str, int]) -> str:
    host, number = key
    return f"{host}:{names.get(key) or f'socket {number}'}"


def _event(line: bytes) -> _Event | None:
    try:
        event = _EVENTS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if event.event else None


def _told(event: _Event) -> str:
    if not event.code:
        return event.event
    known = event.code in WsaError.__members__.values()
    return f"{event.event} {WsaError(event.code).name if known else event.code}"


def collapsed(events: Sequence[tuple[str, int]]) -> list[Seen]:
    """Collapse runs of events about data.

    Args: events: event and error, and the last frame before.
    """
    made: list[Seen] = []
    for about_data, group in itertools.groupby(events, lambda one: one[0] in OF_DATA):
        rows = list(group)
        if about_data:
            made.append(Seen(" and ".join(sorted({told for told, _ in rows})), rows[0][1]))
        else:
            made += [Seen(told, frame) for told, frame in rows]
    return made
