"""Follow what a side asks for in vain, and tell where that counts as lost for good.

As long as the first message that is missing of an origin stays the same, so does the first number
of each NACK: such a run of NACKs is a plea. SYNC promises what a plea asks for if it says that it
has been sent and can be repaired.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from mpwire.oracle.membership import End
from mpwire.oracle.serial import serial_before
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import inflows
from mpwire.oracle.trace import Packet, Position
from mpwire.wire.messages import DataAck, Nack, Sync

NACKS_PER_SERIES = 8
FEWEST_NACKS = 3
"""NACKs before another SYNC begins a series; one more for each that has done so."""
SERIES_IN_VAIN = 8
"""Series that SYNCs have begun before the last one."""
NACKS_IN_VAIN = 57
"""All NACKs of these series, of the first and of the last one."""
SOONEST, LATEST = 0.9, 1.1
"""Shares of T_DEAD before which nobody may give up, and after which a promise is stale."""


@dataclass(slots=True)
class Plea:
    """The NACKs of one side for the same first message of an origin, and what answers them."""

    origin: int
    missing: int
    nacks: list[Packet] = field(default_factory=list)
    promises: list[Packet] = field(default_factory=list)
    """SYNCs that were delivered after the first NACK."""
    heard: list[Packet] = field(default_factory=list)
    """Those that were acknowledged before the next one came, or the next NACK left."""


def pleas(end: End) -> list[Plea]:
    """Sort what one side asked for, and what it was promised meanwhile."""
    found: list[Plea] = []
    latest: dict[int, Plea] = {}
    waiting: dict[int, Packet] = {}
    happened = [*end.sent(Nack, DataAck), *end.arrived(Sync)] if end.sent(Nack) else []
    for packet in sorted(happened, key=lambda one: one.number):
        message = packet.message
        if isinstance(message, Nack):
            waiting.pop(message.origin, None)
            missing = message.ranges[0][0]
            plea = latest.get(message.origin)
            if plea is None or plea.missing != missing:
                plea = latest[message.origin] = Plea(message.origin, missing)
                found.append(plea)
            plea.nacks.append(packet)
        elif isinstance(message, Sync):
            plea = latest.get(message.origin)
            if plea is not None and _promises(message, plea.missing):
                plea.promises.append(packet)
                waiting[message.origin] = packet
        elif isinstance(message, DataAck) and message.origin in waiting:
            latest[message.origin].heard.append(waiting.pop(message.origin))
    return found


def _promises(sync: Sync, missing: int) -> bool:
    return serial_before(missing, sync.seq) and not serial_before(missing, sync.trail_seq)


def lost_at(end: End) -> list[Position]:
    """List where this side was told that what it misses can no longer be repaired.

    Nobody need believe for ever the promises that it can be.
    """
    told = [
        packet.position
        for packet in end.arrived(Sync)
        for inflow in (inflows(end)[read(packet, Sync).origin],)
        for expected in (inflow.rcv_next(packet.position),)
        if expected is not None and serial_before(expected, read(packet, Sync).trail_seq)
    ]
    dead_ns = SOONEST * end.timers.dead_ms * 1_000_000
    incredible = [
        packet.position
        for plea in pleas(end)
        if len(plea.nacks) >= NACKS_IN_VAIN
        for packet in plea.promises
        if packet.number > plea.nacks[NACKS_IN_VAIN - 2].number
        and packet.time_ns - plea.nacks[0].time_ns >= dead_ns
    ]
    return [*told, *incredible]


def stale_from(end: End, plea: Plea) -> Packet | None:
    """Return the promise by which a plea counts as lost, whatever of it was noticed when.

    A SYNC that comes while NACK is being sent may be worked off before or after. So this asks for
    one NACK more before each, and for one series more on either side of T_DEAD.
    """
    dead_ns = LATEST * end.timers.dead_ms * 1_000_000
    counted, before, after = 0, 0, 0
    places = [packet.number for packet in plea.nacks]
    for promise in plea.heard:
        count = bisect_left(places, promise.number)
        if count - counted <= NACKS_PER_SERIES:
            continue
        counted = count
        late = promise.time_ns - plea.nacks[0].time_ns >= dead_ns
        before, after = before + (not late), after + late
        if before + after > SERIES_IN_VAIN and after > 2:
            return promise
    return None


def soonest(count: int) -> Iterator[int]:
    """Yield how long after the first of so many NACKs each may leave at the soonest, in T_NACK.

    That is when a SYNC comes at once whenever it is time for another series. The last series have
    a NACK less than they have to, for what DATA may begin in between.
    """
    base, length, place = 0, FEWEST_NACKS, 1
    for _ in range(count):
        yield base + 2**place - 2
        place += 1
        if place > length:
            base += 2**length - 1
            length, place = min(length + 1, NACKS_PER_SERIES - 1), 1
