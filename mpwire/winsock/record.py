"""Network-event records: what happened on a socket, and whether its application knows.

What may happen on which socket, and what lets it happen again, is the table `contract.CONTRACT`.
Each event of a record is in one of five states (D7):

    IDLE --occurs--> RECORDED --enumerated--> REPORTED --re-enabling call--> IDLE
                      |    ^                     |
    re-enabling call  |    | occurs, or    new selection
                      v    | still holds         v
                     STALE-+               AWAITING --occurs--> RECORDED
                      |
                      +--enumerated--> IDLE
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.contract import (
    CONTRACT,
    FD_ACCEPT,
    FD_CLOSE,
    FD_CONNECT,
    FD_READ,
    FD_WRITE,
    NO_EVENTS,
    REENABLED,
    REPORTING_ORDER,
)

__all__ = [
    "CONTRACT",
    "FD_ACCEPT",
    "FD_CLOSE",
    "FD_CONNECT",
    "FD_READ",
    "FD_WRITE",
    "NO_EVENTS",
    "REPORTING_ORDER",
]


@dataclass(slots=True, frozen=True)
class Window:
    """Where WSPAsyncSelect sends its messages."""

    window: int
    """Handle of the window."""
    message: int
    """Number of the message (wMsg)."""


class Phase(Enum):
    """Where one event of one socket stands."""

    IDLE = "idle"
    """Nothing is recorded; the next occurrence is."""
    RECORDED = "recorded"
    """It happened and has not been enumerated."""
    STALE = "stale"
    """It has not been enumerated, and a re-enabling call came since: the next one counts anew."""
    REPORTED = "reported"
    """It was enumerated; quiet until re-enabled."""
    AWAITING = "awaiting"
    """It was enumerated under an older selection; a new arrival is recorded (D7)."""


UNREAD: Final = frozenset({Phase.RECORDED, Phase.STALE})
UNTOUCHED: Final[Mapping[NetworkEvent, Phase]] = {
    event: Phase.REPORTED if row.asked_for else Phase.IDLE for event, row in CONTRACT.items()
}
"""Where the events of a new socket stand."""


@dataclass(slots=True)
class EventRecord:
    """Keep the network events of one socket and its selection."""

    mask: NetworkEvent = NO_EVENTS
    """The events nominated by WSPEventSelect."""
    event_object: int | None = None
    """The event object of the selection."""
    window: Window | None = None
    """Where messages go instead, if WSPAsyncSelect selected."""
    phases: Mapping[NetworkEvent, Phase] = field(default_factory=lambda: UNTOUCHED)
    """Where every event stands; shared, because most handles of a root have none but FD_CLOSE."""
    codes: dict[NetworkEvent, WsaError] = field(default_factory=dict)

    def inherited(self) -> "EventRecord":
        """Return the record of a socket that inherits this selection (W13, W47)."""
        return EventRecord(self.mask, self.event_object, self.window)

    def enter(self, event: NetworkEvent, phase: Phase) -> None:
        """Let an event go over into another phase."""
        if self.phases[event] is not phase:
            self.phases = {**self.phases, event: phase}

    def occur(self, event: NetworkEvent, code: WsaError = WsaError.SUCCESS) -> bool:
        """Record that something new happened; return whether the event object is to be set."""
        quiet = self.phases[event] in {Phase.REPORTED, Phase.RECORDED}
        return not quiet and self._record(event, code)

    def still_holds(self, event: NetworkEvent) -> bool:
        """Record that a level-triggered condition is true; return whether to set the object."""
        enabled = self.phases[event] in {Phase.IDLE, Phase.STALE}
        return enabled and self._record(event, WsaError.SUCCESS)

    def _record(self, event: NetworkEvent, code: WsaError) -> bool:
        assert code in CONTRACT[event].codes, (event, code)
        self.enter(event, Phase.RECORDED)
        self.codes[event] = code
        return bool(self.mask & event)

    def reenable(self, event: NetworkEvent) -> None:
        """Let the event be recorded again (W92, W93).

        A record that has signalled stays until it is read; one that nobody nominated goes, because
        a later selection is told what is true then (W97).
        """
        signalled = self.phases[event] in UNREAD and self.mask & event
        self.enter(event, Phase.STALE if signalled else Phase.IDLE)

    def called(self, call: str) -> None:
        """Re-enable every event whose row of the contract names this call."""
        for event in REENABLED.get(call, ()):
            if CONTRACT[event].drops_unread:
                self.enter(event, Phase.IDLE)
            else:
                self.reenable(event)

    def select(
        self, mask: NetworkEvent, event_object: int | None, window: Window | None = None
    ) -> bool:
        """Replace the selection (W91); return whether a nominated event is already recorded.

        What was reported and still holds is said again by a message, but not by an event object,
        which hears of new arrivals only (D7).
        """
        self.mask, self.event_object, self.window = mask, event_object, window
        for event, phase in self.phases.items():
            if phase in {Phase.REPORTED, Phase.AWAITING} and CONTRACT[event].level:
                self.enter(event, Phase.IDLE if window else Phase.AWAITING)
        return any(mask & event for event in self.recorded())

    def recorded(self) -> list[NetworkEvent]:
        """Return the events that wait to be enumerated, nominated or not."""
        return [event for event in REPORTING_ORDER if self.phases[event] in UNREAD]

    def enumerate(self) -> list[tuple[NetworkEvent, WsaError]]:
        """Hand out the nominated events and clear them from the record (W87, W90)."""
        found = [event for event in self.recorded() if self.mask & event]
        for event in found:
            stale = self.phases[event] is Phase.STALE
            self.enter(event, Phase.IDLE if stale else Phase.REPORTED)
        return [(event, self.codes[event]) for event in found]
