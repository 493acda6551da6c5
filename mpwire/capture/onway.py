"""Look at a routed run from its hosts alone: what left one, and what arrived at others.

A datagram that crosses routers is captured several times: as it leaves its host, as it reaches a
router's port, as the router sends it on, and so on. Each of these frames and each decision of the
fabric about it is in the run file, and proves that nothing is missing. Whoever judges endpoints
wants to see the journey as one step. `end_to_end` leaves out the frames at the ports of routers
and ties every decision about the last part of a way to the frame that left the host.

A router changes the time to live and the checksum of the header, or the hop limit, and nothing
else (Source: RFC 1812 section 5.3.1, RFC 8200 section 3), so a frame that it sends on is known by
all other octets.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from mpwire.capture.deliveries import deliveries, with_deliveries
from mpwire.capture.framefile import Frame
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.records import AnyRecord, Counters, Decision, Run, Sentinel
from mpwire.capture.runfile import RunFile

_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"


def constant_octets(frame: bytes) -> bytes | None:
    """Return the part of a frame that routers leave alone; None where they take no part."""
    kind = frame[12:14]
    if kind == _IPV4 and len(frame) >= 34:
        return frame[14:22] + frame[23:24] + frame[26:]
    if kind == _IPV6 and len(frame) >= 54:
        return frame[14:21] + frame[22:]
    return None


def hops_left(frame: bytes) -> int:
    """Return the time to live or hop limit of an IP packet in an Ethernet frame."""
    return frame[22] if frame[12:14] == _IPV4 else frame[21]


def origins(run: RunFile) -> dict[int, int]:
    """Return for every frame that a router sent on the number of the frame as its host sent it."""
    routers = router_of(run.run)
    came_from = {one.delivered: one.frame for one in deliveries(run) if one.delivered is not None}
    arrived: dict[tuple[str, bytes], list[Frame]] = {}
    sent_on: Counter[tuple[str, bytes]] = Counter()
    found: dict[int, int] = {}
    for frame in run.frames if routers else ():
        router = routers.get(frame.vantage)
        octets = None if router is None else constant_octets(frame.data)
        if router is None or octets is None:
            continue
        if frame.direction == "in":
            arrived.setdefault((router, octets), []).append(frame)
            continue
        waiting = arrived.get((router, octets), ())
        place = sent_on[frame.vantage, octets]
        if place < len(waiting) and hops_left(frame.data) == hops_left(waiting[place].data) - 1:
            sent_on[frame.vantage, octets] += 1
            before = came_from.get(waiting[place].number)
            if before is not None:
                found[frame.number] = found.get(before, before)
    return found


def end_to_end(run: RunFile) -> RunFile:
    """Leave out what happens at routers; a run without routers stays as it is.

    Where the fabric says nothing of what became of frames, the frames themselves do.
    """
    run = with_deliveries(run)
    routers = router_of(run.run)
    if not routers:
        return run
    run = with_deliveries(run)
    return msgspec.structs.replace(
        run,
        frames=[frame for frame in run.frames if frame.vantage not in routers],
        records=[*_records(run, routers)],
    )


def router_of(run: Run | None) -> dict[str, str]:
    """Give the router of each vantage that is a port of one."""
    routers = run.routers if run else []
    return {port.name: router.name for router in routers for port in router.ports}


def _records(run: RunFile, routers: dict[str, str]) -> Iterator[AnyRecord]:
    """Yield the records about hosts, with decisions that name what a host sent."""
    first = origins(run)
    frames = {frame.number: frame for frame in run.frames}
    ends = _Ends(run)
    for record in run.records:
        if isinstance(record, Decision):
            sent = frames.get(record.frame)
            at_router = sent is not None and sent.vantage in routers
            origin = first.get(record.frame)
            if at_router and origin is None:
                continue  # the router's own
            number = record.frame if origin is None else origin
            if record.receiver not in routers:
                yield msgspec.structs.replace(record, frame=number)
            elif record.delivered is None and sent is not None:
                receiver = ends.receiver(sent) or record.receiver
                yield msgspec.structs.replace(record, frame=number, receiver=receiver)
        elif not (isinstance(record, Counters | Sentinel) and record.host in routers):
            yield record
    yield from ends.stranded(frames, routers, first)


class _Ends:
    """Know whom datagrams were for, and which never came out of a router again."""

    def __init__(self, run: RunFile) -> None:
        self._run = run
        self._owners = {
            address.partition("/")[0]: host.name
            for host in (run.run.hosts if run.run else ())
            for address in host.addresses
        }

    def receiver(self, frame: Frame) -> str | None:
        """Give the host that a datagram is addressed to."""
        decoded = decode_frame(frame.linktype, frame.data)
        return self._owners.get(decoded.destination[0]) if isinstance(decoded, Datagram) else None

    def stranded(
        self, frames: dict[int, Frame], routers: dict[str, str], first: dict[int, int]
    ) -> Iterator[Decision]:
        """Yield a decision for each datagram to a host that a router took and did not send on."""
        went_on = {(origin, routers[frames[number].vantage]) for number, origin in first.items()}
        for one in self._run.of(Decision):
            router = routers.get(one.receiver)
            sent = frames.get(one.frame)
            if router is None or sent is None or one.delivered is None:
                continue
            origin = first.get(one.frame, one.frame)
            known = sent.vantage not in routers or one.frame in first
            receiver = self.receiver(sent) if known and (origin, router) not in went_on else None
            if receiver is not None:
                reason = f"not sent on by {router}"
                yield Decision(frame=origin, receiver=receiver, delivered=None, reason=reason)
