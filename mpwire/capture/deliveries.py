"""What became of each frame of a run: as the fabric decided, or as the frames themselves show.

A switch decides, and says so; so does a fabric that stands at the ports of bridges. A bridge of
the kernel by itself passes frames on unchanged and says nothing: there a frame that arrives is the
newest one with these octets that was sent and has not arrived at this host yet.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from mpwire.capture.records import Decision, Run
from mpwire.capture.runfile import Frame, RunFile

DECIDING: Final = frozenset({"switch", "sim"})
"""Fabrics that always decide about every frame."""
NETEM: Final = "netem"
"""What decides where a kernel's bridge is left alone but for delays: `Run.decided_by`."""
NOBODY: Final = ""
NOT_DELIVERED: Final = "it never came out of the bridge"
FOR_NOBODY: Final = "passed on to nobody"


def decides(run: Run | None) -> bool:
    """Tell whether the fabric of a run decides about every frame, and records it."""
    return run is None or run.fabric in DECIDING or bool(run.decided_by)


def overhears(run: Run | None) -> bool:
    """Tell whether the fabric of a run stands nowhere, and hears what hosts tell each other.

    Then the kernel's counts must show whether it has heard everything.
    """
    return run is not None and (run.decided_by == NETEM or not decides(run))


def deliveries(run: RunFile) -> list[Decision]:
    """List what became of the frames of a run, once per frame and receiver."""
    if run.run is None or decides(run.run):
        return run.of(Decision)
    return _shown(run.frames, {_octets(host.mac): host.name for host in run.run.vantages})


def with_deliveries(run: RunFile) -> RunFile:
    """Give a run a record of what became of each frame, as if its fabric had decided."""
    if decides(run.run):
        return run
    return msgspec.structs.replace(run, records=[*run.records, *deliveries(run)])


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _shown(frames: Sequence[Frame], hosts: dict[bytes, str]) -> list[Decision]:
    """Match what arrived with what was sent."""
    sent: dict[bytes, list[Frame]] = {}
    taken: set[tuple[int, str]] = set()
    reached: set[int] = set()
    found = []
    for frame in frames:
        if frame.direction == "out":
            sent.setdefault(frame.data, []).append(frame)
            continue
        host = frame.vantage
        for earlier in reversed(sent.get(frame.data, ())):
            if (earlier.number, host) not in taken and earlier.vantage != host:
                taken.add((earlier.number, host))
                reached.add(earlier.number)
                found.append(Decision(frame=earlier.number, receiver=host, delivered=frame.number))
                break
    for frame in frames:
        if frame.direction != "out" or frame.number in reached:
            continue
        host = hosts.get(frame.data[:6], NOBODY)
        reason = NOT_DELIVERED if host else FOR_NOBODY
        found.append(Decision(frame=frame.number, receiver=host, delivered=None, reason=reason))
    return sorted(found, key=lambda one: one.frame)
