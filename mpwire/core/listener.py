"""The queue of a listening socket: requests that wait for WSPAccept (protocol.md 9.3)."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mpwire.core.address import Address
from mpwire.core.membership import Membership
from mpwire.vocabulary import WsaError
from mpwire.wire.registries import Role

MAXIMUM_BACKLOG: Final = 200
"""Larger backlogs are clamped without a word (W101)."""


class ListenerState(Enum):
    """What the head of the queue allows; LI-OFF is the absence of a listener, LI-FULL a count."""

    IDLE = "IDLE"
    """The queue is empty (LI-IDLE)."""
    QUEUED = "QUEUED"
    """The head awaits its first decision (LI-QUEUED)."""
    DEFERRED = "DEFERRED"
    """The condition function deferred the head (LI-DEFERRED)."""


@dataclass(slots=True, eq=False)
class Entry:
    """One request in the queue; one that ended stays for the WSPAccept that meets it (D17)."""

    membership: Membership
    gone: WsaError | None = None
    """Why WSPAccept will fail: ECONNRESET withdrawn, EACCES expired."""
    parked: bool = False
    """Whether an invitation of ours to the same leaf hides it from WSPAccept (RM16)."""


@dataclass(slots=True)
class Listener:
    """Requests in the order of their verification: at most `backlog` living, as many dead ones.

    Without a limit for the dead a stranger could fill the memory of a listener that is slow to
    accept, with requests that it withdraws at once. WSPAccept never misses what FD_ACCEPT told of:
    the last that died is always there.
    """

    role: Role
    """The only role admitted: C_LEAF at a root, C_ROOT at a leaf (W38)."""
    backlog: int
    entries: list[Entry] = field(default_factory=list)
    arrived: bool = False
    """Whether a request has come in since the layer above last looked."""

    @property
    def state(self) -> ListenerState:
        """Return the state that the head of the queue makes."""
        head = self.head
        if head is None:
            return ListenerState.IDLE
        deferred = head.membership.deferred and head.gone is None
        return ListenerState.DEFERRED if deferred else ListenerState.QUEUED

    @property
    def head(self) -> Entry | None:
        """Return the entry that the next WSPAccept decides about."""
        return next((entry for entry in self.entries if not entry.parked), None)

    @property
    def is_full(self) -> bool:
        """Tell whether another request is one too many (LI-FULL)."""
        return sum(entry.gone is None for entry in self.entries) >= self.backlog

    @property
    def indicates(self) -> bool:
        """Tell whether the condition of FD_ACCEPT holds.

        A request is there to be accepted, and the head of the queue is not deferred (W44); one
        that has ended is no reason to wake anybody (D17).
        """
        return self.state is ListenerState.QUEUED and any(
            entry.gone is None and not entry.parked for entry in self.entries
        )

    def add(self, membership: Membership) -> None:
        """Append a verified request (LI3, LI9)."""
        self.entries.append(Entry(membership))
        self.arrived = True

    def mark_gone(self, membership: Membership, code: WsaError) -> None:
        """Note that a request ended undecided; of too many dead ones the oldest go."""
        for entry in self.entries:
            if entry.membership is membership:
                entry.gone = code
        self._forget_dead()

    def _forget_dead(self) -> None:
        dead = [entry for entry in self.entries if entry.gone is not None]
        surplus = dead[: max(0, len(dead) - self.backlog)]
        self.entries = [entry for entry in self.entries if entry not in surplus]

    def take(self, entry: Entry) -> None:
        """Remove an entry that has been decided (LI10, LI12)."""
        self.entries.remove(entry)

    def park(self, leaf: Address | None) -> None:
        """Hide the requests of a leaf that is being invited, show all others (RM16, RM8)."""
        for entry in self.entries:
            entry.parked = entry.membership.peer == leaf

    def resize(self, backlog: int) -> list[Membership]:
        """Change the backlog; return the requests that no longer fit (LI13, D24)."""
        self.backlog = min(max(backlog, 1), MAXIMUM_BACKLOG)
        living = [entry for entry in self.entries if entry.gone is None]
        excess = living[self.backlog :]
        self.entries = [entry for entry in self.entries if entry not in excess]
        self._forget_dead()
        return [entry.membership for entry in excess]
