"""Expect FD_READ: data that a socket can hand to its application."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.inbox import inbox, reads, receivers
from mpwire.oracle.judgement import Level


def read_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect one FD_READ per message: when it is there and the one before it was read.

    FD_READ is level-triggered and every receive re-enables it (W92, W94), so that with an
    application that reads message by message the n-th event is recorded when the n-th message is
    readable and the receive of the one before it was called, whichever comes later.
    """
    for socket, ends in receivers(case).items():
        given = inbox(case, ends)
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
                rule="EV11",
                opens=opens,
                level=Level.MUST if item.certain and not waiting else Level.MAY,
                frames=(item.packet.number,),
                taker=taker,
                cause=f"DATA {item.seq} of origin {item.origin} in frame {item.packet.number}"
                + (f", after {before} had read the one before" if before else ""),
            )
