"""Expect FD_READ: data that a socket can hand to its application."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.inbox import Deliverable, own_copies, readers, reads, receivers
from mpwire.oracle.judgement import Level
from mpwire.oracle.membership import End
from mpwire.oracle.sockets import Socket


def read_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect one FD_READ per message: when it is there and the one before it was read.

    FD_READ is level-triggered and every receive re-enables it (W92, W94), so that with an
    application that reads message by message the n-th event is recorded when the n-th message is
    readable and the receive of the one before it was called, whichever comes later.
    """
    group = receivers(case)
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
            yield expect(
                case,
                socket,
                "FD_READ",
                rule="EV13" if item.private else "EV11",
                opens=opens,
                level=Level.MUST if item.certain and not waiting else Level.MAY,
                frames=item.frames,
                taker=taker,
                cause=f"{item}" + (f", after {before} had read the one before" if before else ""),
            )
        yield from _of_its_own(case, socket, given, group.get(socket, []))


def _of_its_own(
    case: Case, socket: Socket, given: list[Deliverable], ends: list[End]
) -> Iterator[Expectation | None]:
    """Allow FD_READ for a copy of its own message that was not read yet (W65)."""
    if any(item.packet is None for item in given):
        return
    for item in own_copies(ends, socket):
        yield expect(
            case,
            socket,
            "FD_READ",
            rule="EV11",
            opens=item.released,
            level=Level.MAY,
            cause=f"{item}",
        )
