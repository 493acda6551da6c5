"""Find the attempts that a call can have begun or decided, without looking at all of them."""

from bisect import bisect_right
from collections.abc import Iterable

from mpwire.oracle.membership import Attempt
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Socket
from mpwire.oracle.trace import Endpoint, Position
from mpwire.wire.messages import Reject
from mpwire.wire.numbers import RejectReason


class Attempts:
    """All attempts in order, and by what one looks for them."""

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        """Sort them."""
        self.all = sorted(attempts, key=lambda attempt: attempt.first.number)
        self.between: dict[tuple[str | None, Endpoint], list[Attempt]] = {}
        """By the initiator's host and the responder's address."""
        self.by_initiator: dict[Endpoint, list[Attempt]] = {}
        self.by_responder: dict[Endpoint, list[Attempt]] = {}
        self.refused: list[tuple[int, Attempt]] = []
        """With the frame of the first REJECT, in the order of these, if an application said so."""
        for attempt in self.all:
            key = attempt.initiator_host, attempt.responder
            self.between.setdefault(key, []).append(attempt)
            self.by_initiator.setdefault(attempt.initiator, []).append(attempt)
            self.by_responder.setdefault(attempt.responder, []).append(attempt)
            refusal = next(iter(attempt.shelf.sent(Reject)), None)
            if refusal is not None and read(refusal, Reject).reason == RejectReason.APP_REFUSED:
                self.refused.append((refusal.number, attempt))
        self.refused.sort(key=lambda pair: pair[0])

    def begun_after(self, host: str, responder: Endpoint, asked: Position) -> list[Attempt]:
        """Return what a host began at an address after a position."""
        found = self.between.get((host, responder), [])
        return found[bisect_right(found, asked, key=lambda one: one.first.position) :]

    def at(self, socket: Socket) -> list[Attempt]:
        """Return what was asked of a socket's address, in order."""
        found = [
            attempt
            for responder, attempts in self.by_responder.items()
            if socket.is_at(responder)
            for attempt in attempts
        ]
        return sorted(found, key=lambda attempt: attempt.first.number)
