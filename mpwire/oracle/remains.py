"""What is remembered of exchanges that were judged, as long as later ones may have to respect it.

A long capture is judged exchange by exchange, and each is forgotten then. What must never be used
again (tags, member IDs, the Session ID of a session that was dismantled) is remembered beyond that,
the newest of each kind: so much memory, and no more.
"""

from dataclasses import dataclass, field

DIGEST_BITS = 32
DIGEST = (1 << DIGEST_BITS) - 1
NAMES_KEPT = 1 << 16
"""Names of each kind that are remembered; the oldest is forgotten first."""


class Names:
    """Who used a name first, and in which frame."""

    def __init__(self, most: int = NAMES_KEPT) -> None:
        """Begin with no name at all."""
        self._known: dict[int, int] = {}
        """Frame and a digest of the holder, in one number, as there may be very many."""
        self._most = most

    def first(self, name: object, holder: object, frame: int) -> tuple[bool, int]:
        """Note who uses a name, if nobody has before.

        Returns: whether the holder is the first user, and the frame in which the first one did.
        """
        key, used = hash(name), hash(holder) & DIGEST
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            known = self._known[key] = frame << DIGEST_BITS | used
        return known & DIGEST == used, known >> DIGEST_BITS

    def used(self, name: object) -> int | None:
        """Return the frame in which a name was used first; None if it was not."""
        known = self._known.get(hash(name))
        return known >> DIGEST_BITS if known is not None else None


@dataclass(slots=True)
class Remains:
    """The names of a capture that are remembered."""

    tags: Names = field(default_factory=Names)
    """Tags, by who drew them for what."""
    assigned: Names = field(default_factory=Names)
    """Session ID and AssignedID, by attempt."""
    members: Names = field(default_factory=Names)
    """Session ID and Member ID, by the leaf's tag."""
    dismantled: Names = field(default_factory=Names)
    """Root address and Session ID of sessions that were dismantled, and whether it left there."""
    summing: set[str] = field(default_factory=set)
    """Addresses of hosts that write right checksums themselves."""
    leading: dict[int, set[int]] = field(default_factory=dict)
    """Member IDs of the leaves that are a session's d_root, by Session ID."""

    def lead(self, session_id: int, member_id: int) -> bool:
        """Note that a leaf is the d_root; tell whether that is news of its session."""
        news = session_id not in self.leading
        if news and len(self.leading) >= NAMES_KEPT:
            del self.leading[next(iter(self.leading))]
        self.leading.setdefault(session_id, set()).add(member_id)
        return news
