"""The ladder of a run file, whole or as excerpts around what went wrong."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.text import Text

from mpwire.capture import Frame, RunFile
from mpwire.capture.onway import end_to_end
from mpwire.capture.records import AgentExit, AgentLine, AnyRecord, Decision, Step
from mpwire.oracle import Judgement, Level
from mpwire.report.cast import Cast, cast_of
from mpwire.report.ladder import HEADER_EVERY, Ladder, Marks, Row, SocketEvent
from mpwire.report.telling import is_ours
from mpwire.vocabulary import Verdict

EXCERPT_ROWS = 3
"""Rows shown before and after each frame of an excerpt."""
MARKS_NEAR_ROWS = 8
"""Marked events so close behind a frame of an excerpt belong to it."""
REACH_FRAMES = 40
"""Frames looked at around each; most of what surrounds it may be hidden."""


class _EventLine(msgspec.Struct):
    event: str | None = None
    socket: int = 0
    code: int = 0
    seq: int = 0


_DECODER = msgspec.json.Decoder(_EventLine)


def marks_of(judgement: Judgement) -> Marks:
    """Find what a ladder has to mark: events that nothing explains, else frames of findings.

    The frames of a finding about an event that came without cause are only where it came; the
    event itself is marked then.
    """
    marks = Marks()
    told: set[str] = set()
    for event in judgement.events:
        if event.level is Level.MUST_NOT and event.seq is not None:
            _add(marks.events.setdefault((event.host, event.seq), []), event.rule)
            told.add(event.rule)
    for finding in judgement.findings:
        if finding.verdict is Verdict.FAIL and finding.rule not in told:
            for number in finding.frames:
                _add(marks.frames.setdefault(number, []), finding.rule)
    return marks


def _add(rules: list[str], rule: str) -> None:
    if rule not in rules:
        rules.append(rule)


def ladder_of(
    run: RunFile,
    width: int,
    *,
    cast: Cast | None = None,
    marks: Marks | None = None,
    all_frames: bool = False,
    header_every: int = HEADER_EVERY,
) -> Ladder:
    """Make an empty ladder that knows what a run file can tell beforehand."""
    fates: dict[int, list[Decision]] = {}
    for decision in end_to_end(run).of(Decision):
        fates.setdefault(decision.frame, []).append(decision)
    ladder = Ladder(
        cast or cast_of(run),
        width,
        marks=marks,
        fates=fates if run.run else None,
        all_frames=all_frames,
        header_every=header_every,
    )
    ladder.origin_ns = origin_ns(run)
    return ladder


def origin_ns(run: RunFile) -> int | None:
    """Find time zero: where the script begins, or the first datagram that is ours."""
    for step in run.each(Step):
        if step.line:
            return step.time_ns
    return next((frame.time_ns for frame in run.frames if is_ours(frame)), None)


def ladder_rows(ladder: Ladder, items: Iterable[tuple[int, Frame | AnyRecord]]) -> Iterator[Row]:
    """Feed a timeline to a ladder and yield its rows."""
    for _, item in items:
        yield from feed(ladder, item)
    yield from ladder.finish()


def feed(ladder: Ladder, item: Frame | AnyRecord) -> list[Row]:
    """Feed one thing to a ladder; what a ladder does not show gives no rows."""
    match item:
        case Frame():
            return ladder.frame(item)
        case Step():
            return ladder.step(item.line, item.text, item.state, item.reason)
        case AgentExit(expected=False):
            return ladder.ended(item.host, item.status, item.time_ns)
        case AgentLine(direction="from"):
            said = event_of(item, ladder.cast.life(item.host, item.time_ns))
            return [] if said is None else ladder.event(said)
        case _:
            return []


def event_of(line: AgentLine, life: int = 0) -> SocketEvent | None:
    """Read an event line; None for a line that says something else.

    Args: life: what its numbers are made unique by.
    """
    try:
        said = _DECODER.decode(bytes(line.line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if said.event is None:
        return None
    return SocketEvent(
        host=line.host,
        socket=said.socket + life,
        event=said.event,
        code=said.code,
        seq=said.seq + life,
        time_ns=line.time_ns,
    )


def excerpt(
    run: RunFile, width: int, frames: Sequence[int], *, cast: Cast, marks: Marks
) -> list[Row]:
    """Draw what happened around some frames; `⋮` stands for what is left out."""
    ladder = ladder_of(run, width, cast=cast, marks=marks, header_every=0)
    rows = list(ladder_rows(ladder, _near(run, frames)))[1:]
    wanted = set(frames)
    places = [place for place, row in enumerate(rows) if wanted & set(row.frames)]
    places += [
        place
        for place, row in enumerate(rows)
        if row.marked and any(0 < place - near <= MARKS_NEAR_ROWS for near in places)
    ]
    shown: set[int] = set()
    for place in places:
        shown.update(range(place - EXCERPT_ROWS, place + EXCERPT_ROWS + 1))
    made: list[Row] = []
    last = -1
    for place in sorted(shown & set(range(len(rows)))):
        made += [] if place == last + 1 else [_gap()]
        made.append(rows[place])
        last = place
    return [ladder.header(), *made] if made else []


def _near(run: RunFile, frames: Sequence[int]) -> Iterator[tuple[int, Frame | AnyRecord]]:
    spans = [range(number - REACH_FRAMES, number + REACH_FRAMES + 1) for number in frames]
    return (item for item in run.timeline() if any(item[0] in span for span in spans))


def _gap() -> Row:
    return Row(text=Text("    ⋮", "dim", no_wrap=True, end=""))
