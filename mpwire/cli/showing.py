"""`mpwire show`: a capture as a ladder, as a document, or one of its frames in full."""

from collections.abc import Iterator

import msgspec
from rich.text import Text

from mpwire.capture import Frame, RunFile, open_run
from mpwire.capture.frames import Datagram, Other, decode_frame
from mpwire.capture.records import AgentExit, AgentLine, AnyRecord, Decision, Step
from mpwire.cli.files import find_file
from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.errors import InputError
from mpwire.oracle import judge
from mpwire.report import Cast, Marks, cast_of, ladder_rows
from mpwire.report.recorded import event_of, ladder_of, marks_of, origin_ns
from mpwire.report.telling import is_ours, printable, type_name
from mpwire.report.verdict import counted, line
from mpwire.vocabulary import Verdict
from mpwire.wire import decode_untrusted, is_mpw
from mpwire.wire.errors import DecodeError
from mpwire.wire.numbers import MessageType

HEADER_ROWS_MIN = 12
SHOWN_FRAMES_MAX = 10_000
"""Of longer captures a part is shown unless another one is asked for."""
PART_FRAMES = 1_000
OCTETS_PER_LINE = 16
WIDE_FIELDS = frozenset({"session_id", "destination_tag", "init_tag", "resp_tag"})
"""64-bit fields, shown in hexadecimal: people compare them, and JavaScript would round them."""


def show(
    output: Output,
    argument: str,
    *,
    all_frames: bool,
    frame: int | None,
    first: int | None = None,
    count: int | None = None,
) -> Status:
    """Show a capture; nothing is decided by it, so the status is 0 whatever it holds.

    Of a long one a part is shown, and of a part nothing is marked, since that takes all of it.
    """
    run = open_run(find_file(argument))
    if frame is not None:
        return _show_frame(output, run, frame)
    part = _part(run, first, count)
    shown = run if part is None else run.some(part)
    if output.json:
        output.document(_document(shown, run, part, all_frames=all_frames))
        return Status.PASS
    marks = marks_of(judge(run)) if part is None else Marks()
    output.line(_title(run))
    _print_ladder(output, shown, run, marks, all_frames=all_frames)
    if part is not None:
        told = f"frames {part.start:,} to {part.stop - 1:,} of {len(run.frames):,}; --from N and"
        output.line(line((f"{told} --count N show others, mpwire check judges them all", "yellow")))
    if run.incomplete:
        told = f"the record is not whole: {printable(run.incomplete[0])}"
        output.line(line((told, "yellow")))
    if marks.frames or marks.events:
        told = f"✗ breaks a rule: mpwire check {printable(argument)}"
        output.line(line((told, "bold red")))
    return Status.PASS


def _print_ladder(
    output: Output, shown: RunFile, run: RunFile, marks: Marks, *, all_frames: bool
) -> None:
    """Print a run, or a part of it, row by row until nobody reads on."""
    ladder = ladder_of(
        shown,
        output.width,
        cast=cast_of(shown, run),
        marks=marks,
        all_frames=all_frames,
        header_every=max(HEADER_ROWS_MIN, output.height - 4) if output.is_terminal else 0,
    )
    ladder.origin_ns = origin_ns(run)
    rows = 0
    for row in ladder_rows(ladder, shown.timeline()):
        if output.closed:
            return
        output.line(row.text)
        rows += 1
    if not rows:
        output.line("  no MPW datagrams in it; --all-frames shows what else there is")


def _part(run: RunFile, first: int | None, count: int | None) -> range | None:
    """Return which frames are shown; None for all."""
    there = len(run.frames)
    if first is None and count is None and there <= SHOWN_FRAMES_MAX:
        return None
    start = 1 if first is None else first
    if start > max(there, 1):
        raise InputError(f"--from {start}: found no such frame, expected one of 1 to {there}")
    rest = there + 1 - start
    return range(start, start + min(rest, PART_FRAMES if count is None else count))


def _title(run: RunFile) -> Text:
    frames = counted(len(run.frames), "frame")
    if run.run is None:
        return line((printable(run.path.name), "bold"), (f"  {frames}, not from mpwire", "dim"))
    made = run.run
    how = ", ".join(filter(None, (made.carrier, made.decided_by)))
    told = f"{counted(len(made.hosts), 'host')} on {made.fabric} ({how}), {frames}"
    return line((printable(str(run.path)), "bold"), (f"  {told}", "dim"))


def _show_frame(output: Output, run: RunFile, number: int) -> Status:
    there = run.some([number])
    if not there.frames:
        last = run.frames[-1].number if run.frames else 0
        raise InputError(f"--frame {number}: found no such frame, expected one of 1 to {last}")
    found = there.frames[0]
    if output.json:
        output.document(_frame_document(found))
        return Status.PASS
    decoded = decode_frame(found.linktype, found.data)
    way = {"out": "sent by", "in": "delivered to", None: "seen at"}[found.direction]
    octets = counted(len(found.data), "octet")
    output.line(
        line((f"frame {number}", "bold"), (f"  {way} {printable(found.vantage)}, {octets}", "dim"))
    )
    described = _frame_document(found)
    del described["frame"], described["vantage"], described["direction"]
    output.lines(_tree(described, 1))
    for finding in judge(run).findings if len(run.frames) <= SHOWN_FRAMES_MAX else ():
        if number in finding.frames and finding.verdict is Verdict.FAIL:
            told = cast_of(run).retold(f"{finding.expected}; seen: {finding.seen}")
            output.line(line((f"  ✗ {finding.rule}  ", "bold red"), (printable(told), "")))
    output.line()
    output.lines(_octets(decoded.payload if isinstance(decoded, Datagram) else found.data))
    return Status.PASS


def _tree(value: dict[str, object], depth: int) -> Iterator[Text]:
    """Write fields and their values, those of parts indented."""
    for name, content in value.items():
        lead = "  " * depth
        if isinstance(content, dict):
            yield line((f"{lead}{name}", "cyan"))
            yield from _tree(content, depth + 1)
        else:
            yield line((f"{lead}{name:18} ", "cyan"), (printable(str(content)), ""))


def _octets(data: bytes) -> Iterator[Text]:
    for start in range(0, len(data), OCTETS_PER_LINE):
        row = data[start : start + OCTETS_PER_LINE]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        yield line((f"  {start:04x}  ", "dim"), (f"{row.hex(' '):48}", ""), (f" {shown}", "dim"))


def _document(
    run: RunFile, whole: RunFile, part: range | None, *, all_frames: bool
) -> dict[str, object]:
    cast = cast_of(run, whole)
    items = [_item(item, cast, all_frames=all_frames) for _, item in run.timeline()]
    left_out = 0 if part is None else len(whole.frames) - len(part)
    return {
        "run_file": str(run.path),
        "hosts": list(cast.lifelines),
        "incomplete": list(run.incomplete),
        "first_frame": 1 if part is None else part.start,
        "frames_left_out": left_out,
        "items": [item for item in items if item is not None],
    }


def _item(item: Frame | AnyRecord, cast: Cast, *, all_frames: bool) -> dict[str, object] | None:
    match item:
        case Frame():
            return _frame_document(item) if all_frames or is_ours(item) else None
        case Step():
            return {"step": item.line, "text": item.text, "state": item.state} | (
                {} if item.reason is None else {"reason": item.reason}
            )
        case Decision(reason=str()) if item.receiver:
            return {
                "decision": item.frame,
                "receiver": item.receiver,
                "delivered": item.delivered,
                "reason": item.reason,
            }
        case AgentExit():
            return {"exit": item.host, "status": item.status, "expected": item.expected}
        case AgentLine(direction="from"):
            return _event_document(item, cast)
        case _:
            return None


def _event_document(item: AgentLine, cast: Cast) -> dict[str, object] | None:
    said = event_of(item)
    if said is None:
        return None
    return {
        "event": said.event,
        "host": item.host,
        "socket": said.socket,
        "name": cast.sockets.get((item.host, said.socket + cast.life(item.host, item.time_ns))),
        "code": said.code,
        "seq": said.seq,
        "after": item.after,
    }


def _frame_document(frame: Frame) -> dict[str, object]:
    made: dict[str, object] = {
        "frame": frame.number,
        "vantage": frame.vantage,
        "direction": frame.direction,
        "time_ns": frame.time_ns,
    }
    decoded = decode_frame(frame.linktype, frame.data)
    if isinstance(decoded, Other):
        made["other"] = decoded.name
        made |= {} if decoded.reason is None else {"reason": decoded.reason}
        return made
    made["source"] = "{}:{}".format(*decoded.source)
    made["destination"] = "{}:{}".format(*decoded.destination)
    if not is_mpw(decoded.payload):
        made["other"] = "udp"
        return made
    try:
        message = decode_untrusted(decoded.payload)
    except DecodeError as error:
        made["type"] = type_name(decoded.payload)
        made["error"] = {
            "rule": error.rule,
            "offset_octets": error.offset_octets,
            "reason": error.reason,
        }
        return made
    made["type"] = MessageType(message.TYPE).name
    fields: dict[str, object] = msgspec.to_builtins(message, builtin_types=(bytes,))
    for name in fields.keys() & WIDE_FIELDS:
        fields[name] = f"{fields[name]:016x}"
    made["message"] = _plain(fields)
    return made


def _plain(value: object) -> object:
    """Write octets in hexadecimal and leave out what is absent."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
