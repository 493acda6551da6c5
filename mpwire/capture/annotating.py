"""Store a verdict in a run file, where Wireshark shows it."""

import os
import tempfile
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from mpwire.capture.framefile import VERDICT_MARK
from mpwire.capture.recorder import APPLICATION, journal_of, sync, sync_folder, write_lines
from mpwire.capture.records import StoredVerdict
from mpwire.capture.runfile import RunFile, open_run
from mpwire.capture.writer import Writer
from mpwire.errors import InputError

COMMENT_CHARACTERS_MAX: Final = 8192


def annotate(path: Path | str, verdict: dict[str, object], comments: dict[int, str]) -> None:
    """Store a verdict in a run file, and comments with the frames they are about.

    What an earlier call stored is replaced. The file is written anew beside the old one and then
    takes its place, so that at every moment there is one whole run file. A journal that a crash
    left becomes part of it.

    Args:
        path: the run file or its folder.
        verdict: anything JSON can hold.
        comments: by frame number.

    Raises:
        InputError: as `open_run`; and for a capture that is no run file.
    """
    run = open_run(path)
    if run.run is None:
        raise InputError(f"{run.path}: not a run file; verdicts are stored only in run files")
    if run.unknown_records:
        raise InputError(
            f"{run.path}: written by a later edition of mpwire, which knows the records "
            f"{', '.join(run.unknown_records)}; storing a verdict here would drop them"
        )
    handle, name = tempfile.mkstemp(prefix=".run-", suffix=".pcapng", dir=run.path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            _write(stream, run, verdict, comments)
            sync(stream)
        temporary.chmod(run.path.stat().st_mode & 0o777)
        temporary.replace(run.path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    journal_of(run.path).unlink(missing_ok=True)
    sync_folder(run.path.parent)


def _write(
    stream: BinaryIO, run: RunFile, verdict: dict[str, object], comments: dict[int, str]
) -> None:
    pcapng = Writer(stream, application=APPLICATION)
    hosts = {host.name: host for host in run.run.vantages} if run.run else {}
    numbers = {}
    for interface in run.interfaces:
        host = hosts.get(interface.name)
        numbers[interface.name] = pcapng.interface(
            interface.name,
            linktype=interface.linktype,
            snaplen_octets=interface.snaplen_octets,
            mac=host.mac if host else None,
            addresses=host.addresses if host else (),
        )
    for frame in run.frames:
        said = [] if frame.comment is None else [frame.comment]
        if frame.number and frame.number in comments:
            said.append((VERDICT_MARK + comments[frame.number])[:COMMENT_CHARACTERS_MAX])
        pcapng.packet(
            numbers[frame.vantage],
            frame.data,
            frame.time_ns,
            direction=frame.direction,
            packetid=frame.number or None,
            original_octets=frame.original_octets,
            comments=said,
        )
    for one in run.statistics:
        pcapng.statistics(
            numbers[one.interface.name],
            one.time_ns,
            received_count=one.received_count,
            dropped_count=one.dropped_count,
            os_dropped_count=one.os_dropped_count,
        )
    kept = (record for record in run.records if not isinstance(record, StoredVerdict))
    encode = msgspec.json.Encoder().encode
    lines = (encode(record) + b"\n" for record in chain(kept, [StoredVerdict(verdict=verdict)]))
    write_lines(pcapng, lines)
