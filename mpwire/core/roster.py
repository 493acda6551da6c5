"""The other participants of a nonrooted session, as far as one of them has heard of them.

Nobody confirms anything here. Who is there, where, and under which Member ID is taken from
announcements; data of somebody who has not been heard of binds its Member ID to its address until
the announcement comes. Of two that claim one Member ID the lower MemberTag keeps it, and every
observer comes to the same conclusion from the same announcements.
"""

from dataclasses import dataclass, field
from typing import Final

from mpwire.core.address import Address
from mpwire.core.serial import after, plus
from mpwire.wire.messages import Announce
from mpwire.wire.registries import AnnounceKind, LeafDirection

MEMBER_HOLDS: Final = 5
"""Holds of silence after which a participant is forgotten (RFC 3550 section 6.3.5)."""
SPACING_S: Final = 0.5
"""Seconds between announcements of the whole session that members leave at least."""
MAXIMUM_OTHERS: Final = 10_000
"""Participants remembered; of more nothing is known or received."""
MISORDER: Final = 1024
"""How far behind the newest message one may be and still count as new (protocol.md 21.4)."""
DROPOUT: Final = 3000
"""How far ahead of the newest a message may be without a second one to back it (RFC 3550 A.1)."""


@dataclass(slots=True)
class BestEffort:
    """Which data of one origin has come, when nothing is repaired: duplicates out, gaps forgiven.

    A message far from all others is believed only when the one after it follows (RFC 3550 A.1).
    """

    newest: int
    """Highest sequence number taken, or the one before the first."""
    taken: set[int] = field(default_factory=set)
    """What has been taken of the last `MISORDER`."""
    doubted: int | None = None
    """The number that would back the jump that was last refused."""

    def take(self, seq: int) -> bool:
        """Note the arrival of `seq`; return whether it is to be delivered."""
        ahead = after(seq, self.newest)
        if not -MISORDER < ahead < DROPOUT and seq != self.doubted:
            self.doubted = plus(seq, 1)
            return False
        if seq in self.taken:
            return False
        if seq == self.doubted:
            self.taken.clear()
            ahead = 1
        self.doubted = None
        self.taken.add(seq)
        if ahead > 0:
            self.newest = seq
        if len(self.taken) > 2 * MISORDER:
            self.taken = {one for one in self.taken if after(one, self.newest) > -MISORDER}
        return True


@dataclass(slots=True, eq=False)
class Other:
    """One other participant."""

    member_id: int
    address: Address
    heard_s: float
    hold_s: float
    member_tag: int = 0
    """0 until it announces itself: then all that is known of it is its data."""
    leaf_dir: int = LeafDirection.SEND
    reception: BestEffort | None = None

    @property
    def is_root(self) -> bool:
        """Tell whether it says that it is the d_root."""
        return bool(self.leaf_dir & LeafDirection.D_ROOT)


@dataclass(slots=True)
class Roster:
    """Everybody else, by Member ID, by MemberTag if announced, and by address."""

    hold_s: float
    """What is assumed of those who have not announced a hold of their own."""
    by_id: dict[int, Other] = field(default_factory=dict)
    by_tag: dict[int, Other] = field(default_factory=dict)
    by_address: dict[Address, Other] = field(default_factory=dict)
    root: Other | None = None
    """The d_root: the first heard of that is still there."""

    @property
    def is_full(self) -> bool:
        """Tell whether no more can be remembered."""
        return len(self.by_id) >= MAXIMUM_OTHERS

    def alive_interval_s(self) -> float:
        """Return how far apart a participant's announcements are before jitter (R100)."""
        return max(self.hold_s, SPACING_S * (len(self.by_id) + 1))

    def expire(self, now_s: float) -> None:
        """Forget who was silent for five holds; nobody is told (W54)."""
        crowd_s = SPACING_S * (len(self.by_id) + 1)
        for other in [*self.by_id.values()]:
            if now_s - other.heard_s > MEMBER_HOLDS * max(other.hold_s, crowd_s):
                self._remove(other)

    def hear(self, announce: Announce, source: Address, now_s: float) -> str:
        """Take an announcement; return why it is ignored, or nothing."""
        known = self.by_tag.get(announce.member_tag)
        if known is not None and known.address != source:
            return "ANNOUNCE of a member from elsewhere"
        if announce.kind == AnnounceKind.LEAVE:
            if known is not None:
                self._remove(known)
            return ""
        rival = self.by_id.get(announce.sender_id)
        if rival is not None and rival.address != source:
            if 0 < rival.member_tag < announce.member_tag:
                return "ANNOUNCE under a Member ID that a lower MemberTag holds"
            self._remove(rival)
        here = self.by_address.get(source)
        if here is not None and here.member_tag not in {0, announce.member_tag}:
            self._remove(here)  # a new socket has taken its place
            here = None
        if here is None and self.is_full:
            return "ANNOUNCE of one participant too many"
        self._enter(here or Other(announce.sender_id, source, now_s, 0.0), announce, now_s)
        return ""

    def _enter(self, other: Other, announce: Announce, now_s: float) -> None:
        """Write down what an announcement says of a participant."""
        self.by_id.pop(other.member_id, None)
        other.member_id, other.member_tag = announce.sender_id, announce.member_tag
        other.leaf_dir, other.hold_s = announce.leaf_dir, float(announce.hold_s)
        other.heard_s = now_s
        if other.reception is None:
            other.reception = BestEffort(plus(announce.lead_seq, -1))
        self.by_id[other.member_id] = self.by_tag[other.member_tag] = other
        self.by_address[other.address] = other
        if other.is_root and self.root is None:
            self.root = other
        elif self.root is other and not other.is_root:
            self._elect()

    def _remove(self, other: Other) -> None:
        del self.by_id[other.member_id], self.by_address[other.address]
        self.by_tag.pop(other.member_tag, None)
        if self.root is other:
            self._elect()

    def _elect(self) -> None:
        """Choose another d_root, should there be one: the lowest MemberTag."""
        roots = [other for other in self.by_id.values() if other.is_root]
        self.root = min(roots, key=lambda other: other.member_tag, default=None)

    def sender(self, member_id: int, source: Address, seq: int, now_s: float) -> Other | None:
        """Return who sends data, entering one that is new; None if ID and address do not fit."""
        other = self.by_id.get(member_id)
        if other is None and source not in self.by_address and not self.is_full:
            other = Other(member_id, source, now_s, self.hold_s)
            other.reception = BestEffort(plus(seq, -1))
            self.by_id[member_id] = self.by_address[source] = other
        if other is None or other.address != source:
            return None
        other.heard_s = now_s
        return other
