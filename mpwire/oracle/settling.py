"""Decide what of a run is settled: judged for good, and no more needed to judge what follows.

A unit is settled when its sockets are closed, its memberships over, what had to follow was given
the time to, and barriers of its hosts have shown that nothing more will come. What later parts
are compared with stays: the first members of a session, the first two that left it, the last that
was accepted, and the newest barriers of every host.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mpwire.oracle.calls import AgentLog
from mpwire.oracle.case import Case
from mpwire.oracle.membership import Attempt
from mpwire.oracle.sockets import Socket
from mpwire.oracle.trace import NEVER, START, Position
from mpwire.oracle.units import Unit, Units
from mpwire.wire.messages import Abort, Accept, Close

BARRIERS_KEPT: Final = 3
WITNESSES: Final = 2
"""One besides the one that may be compared with it."""
PATIENCE: Final = 1.25
"""So many times the longest announced wait nothing comes any more."""


@dataclass(slots=True)
class Settled:
    """What may be forgotten."""

    frames: set[int] = field(default_factory=set)
    lines: set[Position] = field(default_factory=set)
    event_numbers: list[tuple[str, int]] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    passed: dict[int, int] = field(default_factory=dict)
    """Tags of exchanges that stay, though what was sent since their newest frame is forgotten."""


def settled(case: Case, now_ns: int, quiet: float = PATIENCE) -> Settled:
    """Find out what of a case may be forgotten once it was judged.

    Args:
        case: what is held of a run.
        now_ns: how far the run was read.
        quiet: after so many times the longest announced wait nothing comes any more.
    """
    if any(log.gaps or log.oddities or log.orphans for log in case.logs.values()):
        return Settled()
    found = Settled()
    units = Units(case)
    ready = {unit for unit in units.all if _is_ready(case, unit, now_ns, quiet)}
    chosen = _chosen(units, ready, now_ns, quiet)
    for socket, _, _ in case.events.unexplained:
        if not any(socket in unit.sockets for unit in chosen):
            return found  # what is said of it depends on what else happened on its socket
    for unit in (*units.all, *units.of_hubs.values()):
        if unit in chosen:
            found.frames.update(packet.number for packet in unit.packets)
            found.lines |= unit.lines
            found.event_numbers += unit.event_numbers
            found.sockets += unit.sockets
            found.tags += (tag for one in unit.attempts for tag in _tags(one))
    for lines, near in units.shared:
        passed = {unit for unit in (near & ready) - chosen if unit.newest < lines[0]}
        if near and near <= chosen | passed:
            found.lines.update(lines)
            for unit in passed:
                newest = unit.newest[0]
                found.passed |= {tag: newest for one in unit.attempts for tag in _tags(one)}
    old = _Old(case, now_ns, quiet)
    found.lines |= {place for place in units.spent if old(place)}
    for log in case.logs.values():
        for call in log.barriers[:-BARRIERS_KEPT]:
            if old(call.answered):
                found.lines |= {call.asked, call.answered}
    found.lines -= set(_pins(case))
    return found


def _pins(case: Case) -> Iterator[Position]:
    """Yield the lines with which every process begins."""
    for log in case.logs.values():
        for life in log.lives:
            yield life.begun


class _Old:
    """Tell what happened so long ago that it is over."""

    def __init__(self, case: Case, now_ns: int, quiet: float) -> None:
        """Take the longest of all waits."""
        self._case = case
        self._before_ns = now_ns - int(quiet * max(map(_wait_ns, case.history.attempts), default=0))

    def __call__(self, position: Position) -> bool:
        """Look at the clock of the record."""
        return position < NEVER and self._case.trace.when(position) < self._before_ns


def _wait_ns(attempt: Attempt) -> int:
    """Return the longest time that one side of an exchange may wait for the other."""
    timers = attempt.request.timers
    return 1_000_000 * max(timers.linger_ms, timers.dead_ms, timers.drain_ms)


def _chosen(units: Units, ready: set[Unit], now_ns: int, quiet: float) -> set[Unit]:
    """Choose the units that are settled, and the hubs with all that they have seen."""
    case = units.case
    chosen = ready - set(_witnesses(units))
    children = {socket.parent for unit in set(units.all) - ready for socket in unit.sockets}
    for hub in units.hubs:
        met = {unit for unit in units.all if hub in unit.hubs}
        over = hub.gone < NEVER and hub not in children and met <= ready
        if over and _is_quiet(case, units.of_hubs[hub], met, now_ns, quiet):
            chosen |= {*met, units.of_hubs[hub]}
    return chosen


def _is_quiet(case: Case, hub: Unit, met: set[Unit], now_ns: int, quiet: float) -> bool:
    """Tell whether nothing was heard of a hub for as long as of its exchanges."""
    last = max(hub.lines - {NEVER}, default=START)
    wait_ns = max((_wait_ns(one) for unit in met for one in unit.attempts), default=0)
    proved = all(
        _is_proved(case, case.logs[socket.host], last, case.trace.when(last) + wait_ns)
        for socket in hub.sockets
        if socket.host in case.logs
    )
    return proved and bool(met) and case.trace.when(last) + quiet * wait_ns < now_ns


def _is_ready(case: Case, unit: Unit, now_ns: int, quiet: float) -> bool:
    """Tell whether everything about a unit has been said."""
    if unit.pinned or any(socket.gone == NEVER for socket in unit.sockets):
        return False
    if not all(map(_is_over, unit.attempts)):
        return False
    last_ns = max((packet.time_ns for packet in unit.packets), default=0)
    last = max([packet.position for packet in unit.packets] + list(unit.lines), default=NEVER)
    if last == NEVER:
        return False
    wait_ns = max((_wait_ns(attempt) for attempt in unit.attempts), default=0)
    if max(last_ns, case.trace.when(last)) + quiet * wait_ns >= now_ns:
        return False
    hosts = {packet.host for packet in unit.packets} | {socket.host for socket in unit.sockets}
    logs = (case.logs.get(host or "") for host in hosts)
    due_ns = last_ns + wait_ns
    return all(_is_proved(case, log, last, due_ns) for log in logs if log is not None)


def _is_over(attempt: Attempt) -> bool:
    """Tell whether an attempt was resolved, and what came of it ended on both sides."""
    if attempt.resolved() == NEVER:
        return False
    return all(end.ended() < NEVER for one in attempt.memberships for end in one.ends)


def _is_proved(case: Case, log: AgentLog, last: Position, due_ns: int) -> bool:
    """Tell whether a host has worked off everything and let all timers pass, or was ended."""
    over = max(case.silent_from(log.host, last), case.overdue(log.host, due_ns)) < NEVER
    return over or log.died(last) < NEVER


def _witnesses(units: Units) -> Iterator[Unit]:
    """Yield the units with which what comes later is compared."""
    case = units.case
    first: set[object] = set()
    left: Counter[tuple[int, bool]] = Counter()
    for membership in sorted(case.history.memberships, key=lambda one: one.accept.number):
        for end in membership.ends:
            socket = case.session_socket(end)
            if socket is not None and socket in units.hubs and socket not in first:
                first.add(socket)
                yield units.of_membership(membership)
    for membership in case.history.memberships:
        signs = (membership.root.arrived(Close, Abort), membership.shelf.sent(Close))
        for by_leaf, sign in enumerate(signs):
            kind = (membership.session_id, bool(by_leaf))
            if sign and left[kind] < WITNESSES:
                left[kind] += 1
                yield units.of_membership(membership)
    newest = {one.listener: one.attempt for one in case.bindings.acceptances if one.attempt}
    yield from (units.of(attempt) for attempt in newest.values())


def _tags(attempt: Attempt) -> Iterable[int]:
    yield attempt.init_tag
    for membership in attempt.memberships:
        yield membership.resp_tag
    for packet in attempt.shelf.of(Accept):
        yield packet.message.destination_tag if packet.message else 0
