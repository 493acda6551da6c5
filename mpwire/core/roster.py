"""The other participants of a nonrooted session, as far as one of them has heard of them.

Nobody confirms anything here. Who is there, where, and under which Member ID is taken from
announcements; data of somebody who has not been heard of binds its Member ID to its address until
the announcement comes. Of two that claim one Member ID the lower MemberTag keeps it, and every
observer comes to the same conclusion from the same announcements.

Nothing of that is proven, and a single datagram is cheap to forge. So who was heard of once counts
for nothing yet (RFC 3550 section 6.2.1 does the same), and is the first to go when there are too
many. A newcomer always finds a place: no flood keeps anybody out for longer than it lasts.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from mpwire.core.address import Address
from mpwire.core.serial import after, plus
from mpwire.wire.messages import Announce
from mpwire.wire.registries import AnnounceKind, LeafDirection

MEMBER_HOLDS: Final = 5
"""Holds of silence after which a participant is forgotten (RFC 3550 section 6.3.5)."""
SPACING_S: Final = 0.5
"""Seconds between announcements of the whole session that members leave at least."""
MAXIMUM_HOLD_S: Final = 300.0
"""Longest hold that is believed: nobody stays for days who was never seen again."""
MAXIMUM_OTHERS: Final = 10_000
"""Participants remembered at a time."""
MISORDER: Final = 1024
"""How far behind the newest message one may be and still count as new (protocol.md 21.4)."""
ALL_TAKEN: Final = (1 << MISORDER) - 1
DROPOUT: Final = 3000
"""How far ahead of the newest a message may be without a second one to back it (RFC 3550 A.1)."""


@dataclass(slots=True)
class BestEffort:
    """Which data of one origin has come, when nothing is repaired: duplicates out, gaps forgiven.

    A message far from all others is believed only when the one after it follows (RFC 3550 A.1).
    """

    newest: int
    """Highest sequence number taken, or the one before the first."""
    taken: int = 0
    """What has been taken of the last `MISORDER`: bit n stands for `newest` - n."""
    doubted: int | None = None
    """The number that would back the jump that was last refused."""

    def take(self, seq: int) -> bool:
        """Note the arrival of `seq`; return whether it is to be delivered."""
        ahead = after(seq, self.newest)
        near = -MISORDER < ahead < DROPOUT
        if not near and seq != self.doubted:
            self.doubted = plus(seq, 1)
            return False
        if near and ahead <= 0 and self.taken >> -ahead & 1:
            return False
        if seq == self.doubted:
            self.newest, self.taken = seq, 1
        elif ahead > 0:
            self.newest, self.taken = seq, (self.taken << ahead | 1) & ALL_TAKEN
        else:
            self.taken |= 1 << -ahead
        self.doubted = None
        return True


class Standing(IntEnum):
    """How well a participant is known; when there are too many the least known go first."""

    NAMED = 0
    """One datagram was heard of it, which anybody may have sent."""
    HEARD = 1
    """More were heard: it goes on announcing itself."""
    SPEAKS = 2
    """It was known when it sent data."""


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
    standing: Standing = Standing.NAMED

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
    ranks: tuple[dict[Other, None], ...] = field(default_factory=lambda: ({}, {}, {}))
    """Everybody by standing, the longest silent one first."""
    root: Other | None = None
    """The d_root: the first heard of that is still there."""

    @property
    def crowd_s(self) -> float:
        """Return how long all who are known to be there take to announce themselves once."""
        heard = len(self.ranks[Standing.HEARD]) + len(self.ranks[Standing.SPEAKS])
        return SPACING_S * (heard + 1)

    def alive_interval_s(self) -> float:
        """Return how far apart a participant's announcements are before jitter (R100)."""
        return max(self.hold_s, self.crowd_s)

    def expire(self, now_s: float) -> None:
        """Forget who was silent for five holds; nobody is told (W54)."""
        crowd_s = self.crowd_s
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
        if here is None:
            here = self._newcomer(announce.sender_id, source, now_s)
        else:
            self._note(here, Standing.HEARD, now_s)
        self._enter(here, announce)
        return ""

    def _newcomer(self, member_id: int, source: Address, now_s: float) -> Other:
        """Make a place for somebody who is new: that of the longest silent of the least known."""
        if len(self.by_id) >= MAXIMUM_OTHERS:
            self._remove(next(other for rank in self.ranks for other in rank))
        other = Other(member_id, source, now_s, self.hold_s)
        self.ranks[other.standing][other] = None
        return other

    def _note(self, other: Other, standing: Standing, now_s: float) -> None:
        """Note that somebody who is known was heard again, and counts for so much by that."""
        del self.ranks[other.standing][other]
        other.heard_s, other.standing = now_s, max(other.standing, standing)
        self.ranks[other.standing][other] = None

    def _enter(self, other: Other, announce: Announce) -> None:
        """Write down what an announcement says of a participant."""
        self.by_id.pop(other.member_id, None)
        other.member_id, other.member_tag = announce.sender_id, announce.member_tag
        other.leaf_dir, other.hold_s = announce.leaf_dir, min(announce.hold_s, MAXIMUM_HOLD_S)
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
        del self.ranks[other.standing][other]
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
        if other is None and source not in self.by_address:
            other = self._newcomer(member_id, source, now_s)
            other.reception = BestEffort(plus(seq, -1))
            self.by_id[member_id] = self.by_address[source] = other
        elif other is None or other.address != source:
            return None
        else:
            self._note(other, Standing.SPEAKS, now_s)
        return other
