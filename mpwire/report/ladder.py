"""The session as a ladder: a lifeline per host, frames as arrows, socket events as flags.

A `Ladder` is fed one thing at a time, in the order in which things happened, and returns the rows
that are ready. So the same code shows a run that is under way and one that was recorded. A frame
that leaves a host waits for its deliveries, which follow at once; a delivery that comes later gets
a row of its own, with a dashed arrow.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from rich.text import Text

from mpwire.capture import Frame
from mpwire.capture.frames import Datagram, Other, decode_frame
from mpwire.capture.onway import constant_octets
from mpwire.capture.records import Decision
from mpwire.report.canvas import GUTTER, End, Layout, Line, arrange, arrow, titles
from mpwire.report.cast import Cast
from mpwire.report.telling import printable, tell
from mpwire.vocabulary import WsaError
from mpwire.wire import is_mpw

CHECK: Final = re.compile(r"\S+ (sees|saw) |everything settles|the join on ")
"""Sentences that only look; where nothing happens meanwhile, they are not worth a line."""
HEADER_EVERY: Final = 40
RECEIVERS_SHOWN: Final = 4
DIM, BAD, NUMBER = "dim", "bold red", "dim cyan"
NAME, LOST, HEADING = "bold", "red", "bold"


class Row(msgspec.Struct, kw_only=True):
    """One line of a ladder."""

    text: Text
    frames: tuple[int, ...] = ()
    """Numbers of the frames it shows."""
    marked: bool = False
    """It breaks a rule."""


class SocketEvent(msgspec.Struct, kw_only=True):
    """What an agent's event line says."""

    host: str
    socket: int
    event: str
    code: int
    seq: int
    time_ns: int


class Marks(msgspec.Struct, kw_only=True):
    """What breaks which rules."""

    frames: dict[int, list[str]] = {}
    """Rules by frame number."""
    events: dict[tuple[str, int], list[str]] = {}
    """Rules by host and number of the agent's event line."""


class _Sent(msgspec.Struct, kw_only=True):
    """A frame that has left its host and waits for its deliveries."""

    number: int
    sender: str | None
    time_ns: int
    data: bytes
    decoded: Datagram | Other
    arrived: list[tuple[int, str]]
    """Number and receiver of each delivery so far."""
    by_host: bool = False
    """Every delivery of it is captured, too: the vantages are hosts of a run."""


class Ladder:
    """Draw what happens between and at the hosts."""

    def __init__(
        self,
        cast: Cast,
        width: int,
        *,
        marks: Marks | None = None,
        fates: Mapping[int, Sequence[Decision]] | None = None,
        all_frames: bool = False,
        grows: bool = False,
        header_every: int = HEADER_EVERY,
    ) -> None:
        """Begin with nothing drawn.

        Args:
            cast: who takes part; may learn names of sockets while the ladder grows.
            width: columns.
            marks: what breaks rules, where that is known already.
            fates: what became of each frame, by its number, where that is known already.
            all_frames: show echoes, address resolution and the like, too.
            grows: it is drawn while the run goes on: what has not arrived yet is not lost.
            header_every: rows after which the lifelines' names are repeated; 0: never.
        """
        self.cast = cast
        self.layout: Layout = arrange(cast.lifelines, width)
        self.origin_ns: int | None = None
        """Time zero; the first thing that has a time, unless it is set before."""
        self._marks = marks or Marks()
        self._fates: dict[int, Sequence[Decision]] = dict(fates or {})
        self._grows = grows
        self._all_frames = all_frames
        self._header_every = header_every
        self._since_header = 0
        self._place = {name: place for place, name in enumerate(cast.lifelines)}
        self._sent: _Sent | None = None
        self._heading: tuple[int, str] | None = None

    def step(
        self,
        line: int,
        text: str,
        state: Literal["started", "done", "failed"],
        reason: str | None = None,
    ) -> list[Row]:
        """Take a change of the script; line 0 is what every run does."""
        rows = self.finish()
        if state == "started":
            self._heading = (line, text)
        elif state == "failed":
            self._heading = None
            rows += self._rows(self._title(line, f"✗ {text}", BAD), marked=True)
            rows += self._rows(self._title(None, reason or "failed", LOST), marked=True)
        elif self._heading is not None:
            if line and not CHECK.match(text):
                rows += self._head()
            self._heading = None
        return rows

    def frame(self, frame: Frame) -> list[Row]:
        """Take a frame as it left (out), as it arrived (in), or as somebody saw it (None)."""
        number, vantage, direction = frame.number, frame.vantage, frame.direction
        if vantage in self.cast.on_the_way:
            return []
        decoded = decode_frame(frame.linktype, frame.data)
        if not self._shows(decoded):
            return []
        source, destination = _ends(decoded)
        receiver = self._known(vantage) if direction == "in" else None
        receiver = receiver or self._of(destination) or ""
        sent = self._sent
        if direction == "in" and sent is not None and self._delivers(frame, sent):
            sent.arrived.append((number, receiver))
            return []
        rows = self.finish()
        leaving = _Sent(
            number=number,
            sender=self._of(source),
            time_ns=frame.time_ns,
            data=frame.data,
            decoded=decoded,
            arrived=[],
        )
        if direction == "out":
            leaving.by_host = self._known(vantage) is not None
            leaving.sender = self._known(vantage) or leaving.sender
            self._sent = leaving
            return rows
        leaving.arrived.append((number, receiver))
        late = direction == "in" and self._known(vantage) is not None
        return rows + self._transmission(leaving, late=late)

    def lose(self, number: int, receiver: str, reason: str) -> None:
        """Learn that a frame will never arrive at a host; call it before the frame is drawn."""
        fate = Decision(frame=number, receiver=receiver, delivered=None, reason=reason)
        self._fates[number] = [*self._fates.get(number, ()), fate]

    def event(self, event: SocketEvent) -> list[Row]:
        """Take a socket event that an agent reported."""
        rules = self._marks.events.get((event.host, event.seq), [])
        said = f"{self.cast.socket(event.host, event.socket)} {printable(event.event)}"
        if event.code:
            said += f" {_error(event.code)}"
        style = BAD if rules else "yellow" if event.code else "green"
        return self.finish() + self._flag(event.host, f"⚑ {said}", style, event.time_ns, rules)

    def ended(self, host: str, status: int, time_ns: int) -> list[Row]:
        """Take the end of an agent that nobody asked for."""
        how = f"with status {status}" if status >= 0 else f"by signal {-status}"
        return self.finish() + self._flag(host, f"╳ agent ended {how}", BAD, time_ns, [])

    def finish(self) -> list[Row]:
        """Return what was held back until more is known."""
        sent, self._sent = self._sent, None
        return [] if sent is None else self._transmission(sent, late=False)

    def header(self) -> Row:
        """Name the lifelines."""
        self._since_header = 0
        line = Line(self.layout, lifelines=False)
        line.put(0, "frame".rjust(5), DIM)
        line.put(5, "ms".rjust(8), DIM)
        for column, name in titles(self.layout):
            line.put(column, name, NAME)
        return Row(text=line.text())

    def _delivers(self, frame: Frame, sent: _Sent) -> bool:
        """Tell whether a frame is one that was sent, routers aside."""
        if frame.data == sent.data or not self.cast.on_the_way:
            return frame.data == sent.data
        octets = constant_octets(frame.data)
        return octets is not None and octets == constant_octets(sent.data)

    def _shows(self, decoded: Datagram | Other) -> bool:
        if self._all_frames:
            return True
        if not isinstance(decoded, Datagram):
            return False
        if is_mpw(decoded.payload):
            return True
        return self._of(decoded.source) is not None and self._of(decoded.destination) is not None

    def _known(self, name: str) -> str | None:
        return name if name in self._place else None

    def _of(self, endpoint: tuple[str, int] | None) -> str | None:
        return None if endpoint is None else self.cast.lifeline(endpoint)

    def _rows(self, line: Line, frames: tuple[int, ...] = (), *, marked: bool = False) -> list[Row]:
        """Make a row, after the heading of its step and, now and then, the names."""
        rows = []
        if self._since_header in {0, self._header_every}:
            rows.append(self.header())
        self._since_header += 1
        rows.append(Row(text=line.text(), frames=frames, marked=marked))
        return rows

    def _head(self) -> list[Row]:
        """Write the heading of the step under way, once."""
        heading, self._heading = self._heading, None
        return [] if heading is None else self._rows(self._title(*heading, HEADING))

    def _title(self, number: int | None, text: str, style: str) -> Line:
        """Write a step over the lifelines; None: what belongs to the one above."""
        line = Line(self.layout)
        lead = f"── {number} " if number else "── " if number == 0 else "   "
        room = self.layout.width - line.put(0, lead, DIM)
        text = printable(text)
        line.put(len(lead), f"{text} " if len(text) < room else f"{text[: room - 1]}…", style)
        return line

    def _timed(self, time_ns: int, number: int | None = None) -> Line:
        if self.origin_ns is None:
            self.origin_ns = time_ns
        elapsed_ms = (time_ns - self.origin_ns) / 1e6
        line = Line(self.layout)
        line.put(0, f"{number or '':>5}", NUMBER)
        shown = f"{elapsed_ms:8.1f}" if elapsed_ms < 99999.95 else f"{elapsed_ms / 1000:7.0f}s"
        line.put(5, shown, DIM)
        return line

    def _flag(
        self, host: str, text: str, style: str, time_ns: int, rules: Sequence[str]
    ) -> list[Row]:
        rows = self._head()
        line = self._timed(time_ns)
        place = self._place.get(host)
        if place is None or not self.layout.gap:
            text = f"{host} {text}"
            column = self.layout.margin
        else:
            column = self.layout.column(place) + 1
            if column + len(text) > self.layout.width and len(text) < column - GUTTER:
                text = f"{text[2:]} {text[0]}"  # the flag stays at its lifeline
                line.put(column - 1 - len(text), text, style)
                text = ""
        end = line.put(column, f"{text} " if text else "", style)
        if rules:
            line.end(end, (f"✗ {' '.join(rules)}", BAD))
        return rows + self._rows(line, marked=bool(rules))

    def _transmission(self, sent: _Sent, *, late: bool) -> list[Row]:
        """Draw a frame on its way, with all that became of it."""
        rows = self._head()
        numbers = tuple(dict.fromkeys((sent.number, *(number for number, _ in sent.arrived))))
        rules = list(dict.fromkeys(r for n in numbers for r in self._marks.frames.get(n, [])))
        telling = tell(sent.decoded)
        ends, notes = self._outcome(sent)
        style = BAD if rules else LOST if telling.broken else ""
        line = self._timed(sent.time_ns, sent.number)
        column = self._draw(line, sent, ends, telling.name, style=style, late=late)
        marks = [(f"✗ {' '.join(rules)} ", BAD)] if rules else []
        detail = telling.detail
        for rule in rules:  # which the mark has named already
            detail = detail.removeprefix(f"{rule} ")
        notes += [(detail, LOST if telling.broken else DIM)] if detail else []
        apart = [part for note in notes for part in (("; ", DIM), note)][1:]
        line.end(column, *marks, *apart)
        return rows + self._rows(line, numbers, marked=bool(rules))

    def _outcome(self, sent: _Sent) -> tuple[dict[str, End], list[tuple[str, str]]]:
        """Say how a frame ended at each of its receivers, and what to note about it."""
        ends: dict[str, End] = {receiver: "arrived" for _, receiver in sent.arrived}
        lost: list[str] = []
        later: list[str] = []
        why: list[str] = []
        here = {number for number, _ in sent.arrived}
        known = self._fates.get(sent.number, ())
        if self._grows:  # and would grow without end
            self._fates.pop(sent.number, None)
        for fate in known:
            if fate.delivered is None:
                ends.setdefault(fate.receiver, "lost")
                lost.append(_why(fate.reason or "no reason given"))
            elif fate.delivered not in here:
                ends.setdefault(fate.receiver, "later")
                later.append(str(fate.delivered))
                why += [_why(fate.reason)] if fate.reason else []
        if not ends:  # only who sees every delivery may call a frame lost
            missed: End = "later" if self._grows else "lost"
            seen: End = missed if sent.by_host else "arrived"
            ends[self._of(_ends(sent.decoded)[1]) or ""] = seen
        notes = [(f"lost: {', '.join(dict.fromkeys(lost))}", LOST)] if lost else []
        if "later" in ends.values() and not later:
            notes.append(("not there yet", DIM))
        told = ", ".join([f"arrives as {', '.join(later)}", *dict.fromkeys(why)])
        return ends, notes + ([(told, DIM)] if later else [])

    def _draw(
        self, line: Line, sent: _Sent, ends: dict[str, End], name: str, *, style: str, late: bool
    ) -> int:
        """Draw arrows and their label; return the column where notes may begin."""
        source = self._place.get(sent.sender or "")
        places = {self._place[name]: end for name, end in ends.items() if name in self._place}
        if not self.layout.gap or source is None or not places or source in places:
            known = source if source is not None else next(iter(places), 0)
            column = self.layout.column(known) + 2 if self.layout.gap else GUTTER
            told = f"{self._route(sent, list(ends))}  {name}  "
            return line.put(column, told, style or NAME)
        start = self.layout.column(source)
        farthest = max(places, key=lambda place: abs(place - source))
        for place, end in sorted(places.items(), key=lambda one: -abs(one[0] - source)):
            arrow(line, start, self.layout.column(place), style, dashed=late, end=end)
        return self._label(line, source, farthest, name, style or NAME)

    def _route(self, sent: _Sent, receivers: Sequence[str]) -> str:
        """Write in words from where to where a frame goes that no arrow can show."""
        source, destination = _ends(sent.decoded)
        here = sent.sender or (source[0] if source else "?")
        there = [name for name in receivers if name] or [destination[0] if destination else "?"]
        more = f" +{len(there) - RECEIVERS_SHOWN}" if len(there) > RECEIVERS_SHOWN else ""
        return f"{here} → {' '.join(there[:RECEIVERS_SHOWN])}{more}"

    def _label(self, line: Line, source: int, target: int, name: str, style: str) -> int:
        """Write the name on the arrow beside its sender, across it, or behind it."""
        label = f" {name} "
        low = self.layout.column(min(source, target))
        high = self.layout.column(max(source, target))
        first = low if source < target else high - self.layout.gap
        if len(label) <= self.layout.gap - 3:
            line.put(first + (self.layout.gap - len(label)) // 2 + 1, label, style)
        elif len(label) <= high - low - 3:
            line.put(low + (high - low - len(label)) // 2 + 1, label, style)
        else:
            return max(self.layout.margin, line.put(high + 1, label, style))
        return self.layout.margin


def _ends(
    decoded: Datagram | Other,
) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    """Give source and destination of a frame, as far as it has any."""
    if isinstance(decoded, Datagram):
        return decoded.source, decoded.destination
    source = None if decoded.source is None else (decoded.source, 0)
    return source, None if decoded.destination is None else (decoded.destination, 0)


def _why(reason: str) -> str:
    """Say why a frame was lost or late, without the word for it that stands before it."""
    return printable(reason).removeprefix("drop:").removeprefix("impaired: ")


def _error(code: int) -> str:
    try:
        return WsaError(code).name
    except ValueError:
        return str(code)
