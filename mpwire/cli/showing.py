"""`mpwire show`: a capture as a ladder, as a document, or one of its frames in full."""

from collections.abc import Iterator

import msgspec
from rich.text import Text

from mpwire.capture import Frame, RunFile, open_run
from mpwire.capture.frames import Datagram, Other, decode_frame
from mpwire.capture.records import AgentExit, AgentLine, AnyRecord, Step
from mpwire.cli.files import find_file
from mpwire.cli.output import Output
from mpwire.cli.status import Status
from mpwire.errors import InputError
from mpwire.oracle import judge
from mpwire.report import Cast, cast_of, ladder_rows
from mpwire.report.recorded import event_of, ladder_of, marks_of
from mpwire.report.telling import is_ours, printable, type_name
from mpwire.report.verdict import counted, line
from mpwire.vocabulary import Verdict
from mpwire.wire import decode_untrusted, is_mpw
from mpwire.wire.errors import DecodeError
from mpwire.wire.numbers import MessageType

HEADER_ROWS_MIN = 12
OCTETS_PER_LINE = 16
WIDE_FIELDS = frozenset({"session_id", "destination_tag", "init_tag", "resp_tag"})
"""64-bit fields, shown in hexadecimal: people compare them, and JavaScript would round them."""


def show(output: Output, argument: str, *, all_frames: bool, frame: int | None) -> Status:
    """Show a capture; nothing is decided by it, so the status is 0 whatever it holds."""
    run = open_run(find_file(argument))
    if frame is not None:
        return _show_frame(output, run, frame)
    if output.json:
        output.document(_document(run, all_frames=all_frames))
        return Status.PASS
    marks = marks_of(judge(run))
    every = max(HEADER_ROWS_MIN, output.height - 4) if output.is_terminal else 0
    ladder = ladder_of(run, output.width, marks=marks, all_frames=all_frames, header_every=every)
    output.line(_title(run))
    count = 0
    for row in ladder_rows(ladder, run.timeline()):
        output.line(row.text)
        count += 1
        if output.closed:
            return Status.PASS
    if not count:
        output.line("  no MPW datagrams in it; --all-frames shows what else there is")
    if run.incomplete:
        told = f"the record is not whole: {printable(run.incomplete[0])}"
        output.line(line((told, "yellow")))
    if marks.frames or marks.events:
        told = f"✗ breaks a rule: mpwire check {printable(argument)}"
        output.line(line((told, "bold red")))
    return Status.PASS


def _title(run: RunFile) -> Text:
    frames = counted(len(run.frames), "frame")
    if run.run is None:
        return line((printable(run.path.name), "bold"), (f"  {frames}, not from mpwire", "dim"))
    made = run.run
    told = f"{counted(len(made.hosts), 'host')} on {made.fabric} ({made.carrier}), {frames}"
    return line((printable(str(run.path)), "bold"), (f"  {told}", "dim"))


def _show_frame(output: Output, run: RunFile, number: int) -> Status:
    found = next((frame for frame in run.frames if frame.number == number), None)
    if found is None:
        last = run.frames[-1].number if run.frames else 0
        raise InputError(f"--frame {number}: found no such frame, expected one of 1 to {last}")
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
    for finding in judge(run).findings:
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


def _document(run: RunFile, *, all_frames: bool) -> dict[str, object]:
    cast = cast_of(run)
    items = [_item(item, cast, all_frames=all_frames) for _, item in run.timeline()]
    return {
        "run_file": str(run.path),
        "hosts": list(cast.lifelines),
        "incomplete": list(run.incomplete),
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
