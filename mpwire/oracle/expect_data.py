"""Expect FD_READ: data that a socket can hand to its application."""

from collections.abc import Iterator

from mpwire.oracle.aims import collects
from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.inbox import (
    Deliverable,
    own_copies,
    payload_of,
    readers,
    reads,
    receivers,
    sent_by,
)
from mpwire.oracle.judgement import Level
from mpwire.oracle.sockets import Socket
from mpwire.oracle.trace import is_multicast


def read_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect one FD_READ per message: when it is there and the one before it was read.

    FD_READ is level-triggered and every receive re-enables it (W92, W94), so that with an
    application that reads message by message the n-th event is recorded when the n-th message is
    readable and the receive of the one before it was called, whichever comes later.
    """
    group = receivers(case)
    open_ones = {one.socket for one in case.openings if one.receives and not collects(one)}
    for socket, given in readers(case):
        taken = reads(socket)
        for place, item in enumerate(given):
            if place > len(taken):
                break
            before = taken[place - 1] if place else None
            opens = max(item.released, before.asked) if before else item.released
            taker = taken[place] if place < len(taken) else None
            if taker and before and taker.asked < before.answered:
                taker = None  # both were open at once: nothing says which one was served first
            waiting = place < len(taken) and taken[place].asked < item.released
            # What was read had been there: since when is uncertain, but not that it was announced.
            shown = taker is not None and payload_of(taker) == item.payload.hex()
            yield expect(
                case,
                socket,
                "FD_READ",
                rule=_window(item),
                opens=opens,
                level=Level.MUST if (item.certain or shown) and not waiting else Level.MAY,
                frames=item.frames,
                settled=taker.asked if taker is not None and not item.certain else None,
                taker=taker,
                cause=f"{item}" + (f", after {before} had read the one before" if before else ""),
            )
        own = own_copies(group.get(socket, []), socket)
        yield from _of_its_own(case, socket, given, sent_by(socket) if socket in open_ones else own)


def _of_its_own(
    case: Case, socket: Socket, given: list[Deliverable], own: list[Deliverable]
) -> Iterator[Expectation | None]:
    """Allow FD_READ for a copy of its own message that was not read yet (W65)."""
    if any(item.packet is None for item in given):
        return
    for item in own:
        yield expect(
            case,
            socket,
            "FD_READ",
            rule="EV11",
            opens=item.released,
            level=Level.MAY,
            cause=f"{item}",
        )


def _window(item: Deliverable) -> str:
    """Name the rule that speaks of the event for a message."""
    if item.private:
        return "EV13"
    cast = item.packet is not None and is_multicast(item.packet.destination[0])
    return "EV26" if cast else "EV11"
