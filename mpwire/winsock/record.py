"""Network-event records: what happened on a socket, and whether its application knows.

The FD_* contract is the table `CONTRACT`: which call re-enables an event, and whether a condition
that still holds is recorded again (level) or only a new occurrence is (edge). Each event of a
record is in one of five states (D7):

    IDLE --occurs--> RECORDED --enumerated--> REPORTED --re-enabling call--> IDLE
                      |    ^                     |
    re-enabling call  |    | occurs, or    new selection
                      v    | still holds         v
                     STALE-+               AWAITING --occurs--> RECORDED
                      |
                      +--enumerated--> IDLE
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from mpwire.vocabulary import NetworkEvent, WsaError

FD_READ, FD_WRITE, FD_ACCEPT, FD_CONNECT, FD_CLOSE = (
    NetworkEvent.FD_READ,
    NetworkEvent.FD_WRITE,
    NetworkEvent.FD_ACCEPT,
    NetworkEvent.FD_CONNECT,
    NetworkEvent.FD_CLOSE,
)
NO_EVENTS: Final = NetworkEvent(0)
REPORTING_ORDER: Final = (FD_CONNECT, FD_ACCEPT, FD_READ, FD_WRITE, FD_CLOSE)
"""FD_CONNECT precedes FD_WRITE (W100); FD_CLOSE comes last (W73)."""


class EventContract(NamedTuple):
    """How one network event behaves (W92-W95)."""

    level: bool
    """Whether a condition that still holds is recorded again after the re-enabling call."""
    reenabled_by: tuple[str, ...]
    """Calls that re-enable the event."""
    codes: tuple[WsaError, ...]
    """Error codes the event may carry (W98)."""
    cite: str


E = WsaError
CONTRACT: Final[dict[NetworkEvent, EventContract]] = {
    FD_CONNECT: EventContract(
        level=False,
        reenabled_by=("join_leaf",),
        codes=(
            E.SUCCESS,
            E.WSAEAFNOSUPPORT,
            E.WSAECONNREFUSED,
            E.WSAEISCONN,
            E.WSAENETUNREACH,
            E.WSAENOBUFS,
            E.WSAEOPNOTSUPP,
            E.WSAETIMEDOUT,
        ),
        cite="W27 D6 W98",
    ),
    FD_ACCEPT: EventContract(True, ("accept",), (E.SUCCESS, E.WSAENETDOWN), "W92 W94"),
    FD_READ: EventContract(True, ("recv",), (E.SUCCESS, E.WSAENETDOWN), "W92 W94"),
    FD_WRITE: EventContract(False, ("send",), (E.SUCCESS, E.WSAENETDOWN), "W95"),
    FD_CLOSE: EventContract(
        level=False,
        reenabled_by=(),
        codes=(E.SUCCESS, E.WSAECONNABORTED, E.WSAECONNRESET, E.WSAENETDOWN),
        cite="W77 W92",
    ),
}


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


@dataclass(slots=True)
class EventRecord:
    """Keep the network events of one socket and its selection."""

    mask: NetworkEvent = NO_EVENTS
    """The events nominated by WSPEventSelect."""
    event_object: int | None = None
    """The event object of the selection."""
    phases: dict[NetworkEvent, Phase] = field(
        default_factory=lambda: dict.fromkeys(CONTRACT, Phase.IDLE)
    )
    codes: dict[NetworkEvent, WsaError] = field(default_factory=dict)

    def inherited(self) -> "EventRecord":
        """Return the record of a socket that inherits this selection (W13, W47)."""
        return EventRecord(self.mask, self.event_object)

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
        self.phases[event] = Phase.RECORDED
        self.codes[event] = code
        return bool(self.mask & event)

    def reenable(self, event: NetworkEvent) -> None:
        """Let the event be recorded again (W92, W93).

        A record that has signalled stays until it is read; one that nobody nominated goes, because
        a later selection is told what is true then (W97).
        """
        signalled = self.phases[event] in UNREAD and self.mask & event
        self.phases[event] = Phase.STALE if signalled else Phase.IDLE

    def rearm_connect(self) -> None:
        """Start a new join: FD_CONNECT can happen again, an unread one is dropped (D6)."""
        self.phases[FD_CONNECT] = Phase.IDLE

    def select(self, mask: NetworkEvent, event_object: int | None) -> bool:
        """Replace the selection (W91); return whether a nominated event is already recorded."""
        self.mask, self.event_object = mask, event_object
        for event, phase in self.phases.items():
            if phase is Phase.REPORTED and CONTRACT[event].level:
                self.phases[event] = Phase.AWAITING
        return any(mask & event for event in self.recorded())

    def recorded(self) -> list[NetworkEvent]:
        """Return the events that wait to be enumerated, nominated or not."""
        return [event for event in REPORTING_ORDER if self.phases[event] in UNREAD]

    def enumerate(self) -> list[tuple[NetworkEvent, WsaError]]:
        """Hand out the nominated events and clear them from the record (W87, W90)."""
        found = [event for event in self.recorded() if self.mask & event]
        for event in found:
            stale = self.phases[event] is Phase.STALE
            self.phases[event] = Phase.IDLE if stale else Phase.REPORTED
        return [(event, self.codes[event]) for event in found]
