"""`mpwire check --merge`: several captures of one session, judged as one."""

from collections.abc import Sequence
from ipaddress import ip_address
from math import inf
from pathlib import Path

from mpwire.capture import open_run
from mpwire.capture.merging import MIDDLE, Merged, Source, merge
from mpwire.capture.runfile import RunFile
from mpwire.capture.writer import Writer
from mpwire.cli.files import find_file
from mpwire.cli.output import Output
from mpwire.cli.results import judged, print_verdict, require_folder_of, write_junit
from mpwire.cli.status import Status
from mpwire.errors import InputError
from mpwire.report import assess
from mpwire.report.telling import printable
from mpwire.report.verdict import counted, line


def check_merged(
    output: Output, arguments: Sequence[str], *, save: Path | None, junit: Path | None
) -> Status:
    """Merge captures, judge them as one, and save what was judged where that is wanted."""
    require_folder_of(junit)
    merged = merge([_source(argument) for argument in arguments])
    if save is not None:
        _save(merged.run, save)
    result = judged(assess(merged.run), in_full=True, junit=junit is not None)
    write_junit(junit, [result])
    if output.json:
        output.document({**result.document, "vantages": _vantages(merged)})
    else:
        if not output.quiet:
            _print_vantages(output, merged)
        print_verdict(output, result)
    return result.status


def _source(argument: str) -> Source:
    """Read FILE, FILE@ADDRESS[,ADDRESS] or FILE@-."""
    name, at, places = argument.rpartition("@")
    if not at or Path(argument).exists():
        return Source(open_run(find_file(argument)))
    return Source(open_run(find_file(name)), frozenset(map(_place, places.split(","))))


def _place(text: str) -> str:
    """Write the address of a place as captures do."""
    if text == MIDDLE:
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        raise InputError(
            f"--merge: found {text!r} behind @, expected an IP address, or - for a place between "
            "hosts"
        ) from None


def _print_vantages(output: Output, merged: Merged) -> None:
    output.line()
    output.line(line(("  vantages", "bold")))
    for source in merged.sources:
        where = "in the middle" if MIDDLE in source.places else f"at {source.name}"
        how = " (found out)" if source.inferred else ""
        output.line(
            line(
                (f"    {printable(str(source.run.path))}", "bold"),
                (f"  {where}{how}, {counted(source.count, 'frame')}", ""),
                (f", {_clock(source, merged)}", "dim"),
            )
        )


def _clock(source: Source, merged: Merged) -> str:
    """Say how a clock compares with the first one."""
    if source is merged.sources[0]:
        return "its clock counts"
    if merged.drifting:
        return "the clocks drift: rules about time are left open"
    low, high = source.earliest_ns, source.latest_ns
    offset = f"clock {_milliseconds(source.offset_ns)}"
    if low == -inf and high == inf:
        return "its clock is taken for the same: nothing in both captures bounds it"
    if low == -inf:
        return f"{offset}, at most {_milliseconds(high)}"
    if high == inf:
        return f"{offset}, at least {_milliseconds(low)}"
    return f"{offset}, between {_milliseconds(low)} and {_milliseconds(high)}"


def _milliseconds(value_ns: float) -> str:
    return f"{value_ns / 1e6:+.3f} ms"


def _vantages(merged: Merged) -> list[dict[str, object]]:
    return [
        {
            "name": source.name,
            "file": str(source.run.path),
            "addresses": sorted(source.places - {MIDDLE}),
            "frames": source.count,
            "offset_ns": source.offset_ns,
            "earliest_ns": None if source.earliest_ns == -inf else int(source.earliest_ns),
            "latest_ns": None if source.latest_ns == inf else int(source.latest_ns),
        }
        for source in merged.sources
    ]


def _save(run: RunFile, path: Path) -> None:
    """Write merged captures as one pcapng file, wholly or not at all."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"--save {path}: expected a file in a folder that is there")
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as stream:
        writer = Writer(stream, application="mpwire merge")
        numbers = {
            one.name: writer.interface(one.name, linktype=one.linktype) for one in run.interfaces
        }
        for frame in run.frames:
            writer.packet(
                numbers[frame.vantage],
                frame.data,
                frame.time_ns,
                direction=frame.direction,
                packetid=frame.number,
                original_octets=frame.original_octets,
                comments=[frame.comment] if frame.comment else [],
            )
    part.replace(path)
