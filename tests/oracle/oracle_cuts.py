"""Write a run file again with something missing or changed."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from mpwire.capture import Frame, RunFile, open_run
from mpwire.capture.recorder import APPLICATION, write_lines
from mpwire.capture.records import AgentLine, AnyRecord, Counters, Decision, End, Run, verbatim
from mpwire.capture.writer import Writer


def rewritten(
    run: RunFile,
    path: Path,
    *,
    frames: Iterable[Frame] | None = None,
    records: Iterable[AnyRecord] | None = None,
    application: str = APPLICATION,
    directions: bool = True,
) -> RunFile:
    """Write the frames and records of a run into a new file and read it back."""
    with path.open("wb") as stream:
        writer = Writer(stream, application=application)
        numbers = {
            one.name: writer.interface(one.name, linktype=one.linktype) for one in run.interfaces
        }
        for frame in run.frames if frames is None else frames:
            writer.packet(
                numbers[frame.vantage],
                frame.data,
                frame.time_ns,
                direction=frame.direction if directions else None,
                packetid=frame.number,
            )
        kept = run.records if records is None else list(records)
        encode = msgspec.json.Encoder().encode
        write_lines(writer, [encode(record) + b"\n" for record in kept])
    return open_run(path)


def event_lines(run: RunFile) -> list[AgentLine]:
    """List the agents' event lines."""
    return [one for one in run.of(AgentLine) if b'"event":' in bytes(one.line)]


def without_record(run: RunFile, victim: AnyRecord, *, counted: bool) -> list[AnyRecord]:
    """Return the records without one; `counted` leaves the end record as it was."""
    kept = [record for record in run.records if record is not victim]
    if counted:
        return kept
    return [
        msgspec.structs.replace(
            record, agent_lines=record.agent_lines - 1, records=record.records - 1
        )
        if isinstance(record, End)
        else record
        for record in kept
    ]


def renumbered(records: Iterable[AnyRecord], host: str) -> list[AnyRecord]:
    """Number the event lines of a host anew, as if it had never said those that are missing."""
    count = 0
    made: list[AnyRecord] = []
    for one in records:
        if isinstance(one, AgentLine) and one.host == host and b'"event":' in bytes(one.line):
            count += 1
            content = {**msgspec.json.decode(bytes(one.line)), "seq": count}
            made.append(msgspec.structs.replace(one, line=verbatim(msgspec.json.encode(content))))
        else:
            made.append(one)
    return made


def on_bridge(run: RunFile, path: Path, decided_by: str = "", **counted: int) -> RunFile:
    """Make of a run one on a bridge, where the kernel counts every frame.

    Args: decided_by: nobody, or who keeps the decisions on record; counted: what is counted beyond
        the truth: of "sent", "received", "heard" and "dropped".
    """
    seen = Counter((frame.vantage, frame.direction) for frame in run.frames)
    kept: list[AnyRecord] = []
    for record in run.records:
        if isinstance(record, Run):
            kept.append(msgspec.structs.replace(record, fabric="bridge", decided_by=decided_by))
        elif isinstance(record, Counters):
            sent, arrived = seen[record.host, "out"], seen[record.host, "in"]
            wrong = Counter(counted if record.host == "leaf1" else {})
            interface = {
                "tx_packets": sent + wrong["sent"],
                "rx_packets": arrived + wrong["received"],
            }
            capture = {
                "received": sent + wrong["heard"],
                "delivered": arrived,
                "dropped": wrong["dropped"],
            }
            kept.append(msgspec.structs.replace(record, interface=interface, capture=capture))
        elif isinstance(record, End):
            kept.append(msgspec.structs.replace(record, records=len(kept)))
        elif decided_by or not isinstance(record, Decision):
            kept.append(record)
    return rewritten(run, path, records=kept)
