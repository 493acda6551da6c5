"""The inferred events of a capture: what each socket must and may report, as text."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.text import Text

from mpwire.oracle.inferring import InferredEvent, InferredSocket
from mpwire.oracle.judgement import Level
from mpwire.report.telling import printable
from mpwire.report.verdict import counted, line, wrapped
from mpwire.vocabulary import WsaError

SOCKETS_SHOWN: Final = 40
EVENT_COLUMNS: Final = 30
STYLES: Final = {Level.MUST: "green", Level.MAY: "yellow", Level.MUST_NOT: "red"}
IN_PART: Final = "may be caused by peers that this capture does not show"
ALL: Final = ("FD_ACCEPT", "FD_CONNECT", "FD_WRITE", "FD_READ", "FD_CLOSE")


def timeline_lines(
    sockets: Sequence[InferredSocket], width: int, frames: int = 0
) -> Iterator[Text]:
    """Write the timeline of every socket; a run of equal events is one line.

    Args:
        sockets: what was inferred.
        width: columns.
        frames: of a long capture only so many frames were looked at; 0: all.
    """
    told = "what their sockets report if the applications ask for every event and read at once"
    yield line(("  inferred events", "bold"))
    yield from wrapped(("  ", ""), (told, "dim"), width)
    if frames:
        told = f"from the first {frames:,} frames alone; what comes later is not told"
        yield from wrapped(("  ", ""), (told, "yellow"), width)
    for socket in sockets[:SOCKETS_SHOWN]:
        yield line()
        peer = f" with {socket.peer}" if socket.peer else ""
        yield line(
            ("    ", ""), (printable(socket.endpoint), "bold"), (f"  {socket.role.value}{peer}", "")
        )
        for _, alike in groupby(socket.events, key=_kind):
            yield from _told(list(alike), width)
        never = [name for name in ALL if all(one.event != name for one in socket.events)]
        if socket.in_part:
            yield line(("      more  ", "dim"), (IN_PART, "dim"))
        elif never:
            yield line(("      never ", "dim"), (", ".join(never), "dim"))
    if len(sockets) > SOCKETS_SHOWN:
        more = counted(len(sockets) - SOCKETS_SHOWN, "more socket")
        yield line((f"    and {more} (--json lists all)", "dim"))


def _kind(event: InferredEvent) -> tuple[str, int, Level, str]:
    return event.event, event.code, event.level, event.condition


def _told(alike: list[InferredEvent], width: int) -> Iterator[Text]:
    first, last = alike[0], alike[-1]
    name = first.event
    if first.code:
        known = first.code in WsaError.__members__.values()
        name += f" {WsaError(first.code).name if known else first.code}"
    if len(alike) > 1:
        name += f" x{len(alike)}"
    why = first.cause
    if len(alike) > 1 and last.frames:
        why += f" ... frame {last.frames[-1]}"
    if first.condition:
        why += f"; {first.condition}"
    lead = f"      {first.level.value:5} {name:{EVENT_COLUMNS}} "
    yield from wrapped((lead, STYLES[first.level]), (printable(why), ""), width)
