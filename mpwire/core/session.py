"""The root's session: one outstanding invitation, its members, and its end (protocol.md 16.2)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from mpwire.core.membership import Membership, SessionFacts
from mpwire.core.table import State
from mpwire.errors import LocalProtocolError
from mpwire.wire.registries import Planes


class SessionState(Enum):
    """Where a session stands."""

    OPEN = "OPEN"
    """No leaf is a member (S0)."""
    ACTIVE = "ACTIVE"
    """At least one leaf is a member (S1)."""
    DISMANTLING = "DISMANTLING"
    """The root has ended the session, some leaf has not acknowledged (S2)."""
    DEAD = "DEAD"
    """Nothing is left (S3)."""


class SessionInput(Enum):
    """What moves a session."""

    MEMBER_JOINED = "a member joined"
    MEMBER_ENDED = "a member ended, others remain"
    LAST_ENDED = "the last member ended"
    DISMANTLED = "api: dismantle or abort, with members"
    ENDED_EMPTY = "api: dismantle or abort, without members"


class SessionRow(NamedTuple):
    """One step of a session, and its source."""

    next_state: SessionState
    cite: str


S = SessionState
I = SessionInput  # noqa: E741 - one letter each keeps the table on one screen

TRANSITIONS: Final[dict[tuple[SessionState, SessionInput], SessionRow]] = {
    (S.OPEN, I.MEMBER_JOINED): SessionRow(S.ACTIVE, "RS5 RS8"),
    (S.OPEN, I.DISMANTLED): SessionRow(S.DISMANTLING, "RS11 R53"),
    (S.OPEN, I.ENDED_EMPTY): SessionRow(S.DEAD, "RS11 RS13"),
    (S.ACTIVE, I.MEMBER_JOINED): SessionRow(S.ACTIVE, "RS5 RS8"),
    (S.ACTIVE, I.MEMBER_ENDED): SessionRow(S.ACTIVE, "RS10"),
    (S.ACTIVE, I.LAST_ENDED): SessionRow(S.OPEN, "RS10"),
    (S.ACTIVE, I.DISMANTLED): SessionRow(S.DISMANTLING, "RS11 RS13 RS14"),
    (S.DISMANTLING, I.MEMBER_JOINED): SessionRow(S.DISMANTLING, "R53"),
    (S.DISMANTLING, I.MEMBER_ENDED): SessionRow(S.DISMANTLING, "RS15"),
    (S.DISMANTLING, I.LAST_ENDED): SessionRow(S.DEAD, "RS16"),
}
"""Every other cell is impossible: a mistake of ours, not of any peer."""

JOINED: Final = frozenset({State.JOINED, State.SUSPECT, State.HALF_CLOSING})
ADMITTED: Final = JOINED | {State.ACCEPTING}
"""Ends that data can be given to: what is not joined yet keeps it until it is (R81)."""


@dataclass(slots=True)
class Session:
    """Keep the books of one session at its root."""

    facts: SessionFacts
    state: SessionState = SessionState.OPEN
    invitation: Membership | None = None
    """The outstanding invitation; there is at most one (W29, R28)."""
    awaits_d_root: bool = False
    """Whether a leaf is to be the d_root, as the c_root is a d_leaf (K11)."""
    members: dict[int, Membership] = field(default_factory=dict)
    """Every end with an acceptance out or in that has not ended, by Member ID."""
    full: set[Membership] = field(default_factory=set)
    """Receivers without room for another message; while there are any, nothing is sent (D35)."""

    @property
    def is_ending(self) -> bool:
        """Tell whether nobody can join any more (W70)."""
        return self.state in {SessionState.DISMANTLING, SessionState.DEAD}

    @property
    def relays(self) -> bool:
        """Tell whether the root passes on what leaves send (protocol.md 11.5)."""
        rooted = self.facts.description.planes & Planes.DATA_ROOTED
        return (self.awaits_d_root or not rooted) and not self.is_ending

    def step(self, event: SessionInput) -> None:
        """Move to the next state."""
        row = TRANSITIONS.get((self.state, event))
        if row is None:
            raise LocalProtocolError(f"{event.value} is illegal in session {self.state.value}")
        self.state = row.next_state

    def add(self, membership: Membership) -> None:
        """Enter a leaf into the books, from the moment an acceptance is out or in."""
        self.members[membership.identity.peer_id] = membership

    def note_joined(self, membership: Membership) -> None:
        """Note that a leaf is a member now."""
        self.add(membership)
        self.step(SessionInput.MEMBER_JOINED)

    def note_ended(self, membership: Membership) -> None:
        """Note that a leaf is no member any more, or never became one."""
        self.full.discard(membership)
        if self.members.pop(membership.identity.peer_id, None) is None:
            return
        if self.state is SessionState.OPEN:
            return
        others = any(other.state in JOINED or self.is_ending for other in self.members.values())
        self.step(SessionInput.MEMBER_ENDED if others else SessionInput.LAST_ENDED)

    def receivers(self) -> list[Membership]:
        """Return the ends that a message of the root goes to: members that receive (D35).

        Of a root that is a d_leaf they are the d_root alone.
        """
        return [member for member in self._listening() if self._is_for(member)]

    def receivers_of(self, source: Membership) -> list[Membership]:
        """Return the ends that a message of a leaf is passed on to (W58, W59)."""
        return [
            member
            for member in self._listening()
            if member is not source and (source.is_d_root or self._is_for(member))
        ]

    def _listening(self) -> Iterator[Membership]:
        """Yield the ends that are given what is sent from now on.

        One whose handle was closed is not, though its CLOSE may have to wait for what is on its way
        already: otherwise new data would put it off again and again. What goes to an IP group
        reaches it nevertheless, and its CLOSE counts that.
        """
        cast = bool(self.facts.description.planes & Planes.MULTICAST)
        return (
            member
            for member in self.members.values()
            if member.may_send
            and member.state in ADMITTED
            and (cast or member.pending_close is None)
        )

    def _is_for(self, member: Membership) -> bool:
        """Tell whether data of those who are no d_root is for this member."""
        return member.is_d_root or not self.awaits_d_root

    def hears(self, source: Membership) -> bool:
        """Tell whether data of a leaf is for the root itself, and not for the d_root alone."""
        return source.is_d_root or not self.awaits_d_root

    def is_first(self, receiver: Membership) -> bool:
        """Tell whether nobody but this member receives, so that it makes the session sendable."""
        return self._is_for(receiver) and not any(
            member is not receiver and member.state in JOINED and self._is_for(member)
            for member in self._listening()
        )

    def has_member(self) -> bool:
        """Tell whether anybody is joined, or has at least been admitted, and is not to go."""
        return any(
            member.state in ADMITTED and self._is_for(member) and not _is_to_go(member)
            for member in self.members.values()
        )


def _is_to_go(member: Membership) -> bool:
    return member.pending_close is not None and not member.pending_close.half
