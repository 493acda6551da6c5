"""Count what memberships repeat without end, many frames at a time.

In a capture without directions a DATA of the usual shape is like every other one of its
membership: each rule passes as often for the next one as for the last. So one specimen is judged
by all rules, with and without which its handshake passes so and so often; what makes the
difference is what each further one of its class is worth. A class is everything about a membership
that rules look at, besides addresses and identifiers; those, and that a frame is as usual as the
specimen, are compared for every single one.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpwire.capture.batches import Batch
from mpwire.capture.frames import LinkType
from mpwire.oracle.columns import KINDS, Columns, Numbers, columns_of
from mpwire.oracle.history import History
from mpwire.oracle.membership import End, Membership
from mpwire.oracle.tally import Tally

SORTED_AT_MOST: Final = 100
"""So many known lines for each new one are sorted when that is put in, or it has to wait."""
NOBODY: Final = -1
Class = tuple[int, bool, int, int, int, bool, int]
"""Kind, side, planes, LeafDir, CAPS, repair and family of addresses."""
LINE: Final = np.dtype(
    [
        ("tag", np.uint64),
        ("session_id", np.uint64),
        ("sender_id", np.int64),
        ("source", np.int64),
        ("destination", np.int64),
        ("ports", np.int64),
        ("payload", np.int64),
        ("heard_ns", np.int64),
        ("classes", np.int16, len(KINDS)),
    ]
)
"""What one side of a membership sends: who it is, and the classes of what it repeats."""


@dataclass(slots=True)
class Line:
    """What one side of a membership sends to the other."""

    end: End
    classes: list[int] = field(default_factory=lambda: [NOBODY] * len(KINDS))
    """Class of each kind; NOBODY where there was no specimen yet."""

    @property
    def tag(self) -> int:
        """Return the tag that its frames go to."""
        return self.end.peer.tag


def lines_of(
    history: History, pairs: Iterable[tuple[int, int]], leading: Container[int]
) -> list[Line]:
    """Return both directions of the memberships with these tags, as far as they are usual.

    Args:
        history: all memberships.
        pairs: InitTag and RespTag of those that are meant.
        leading: sessions in which a leaf is the d_root: these are not usual.
    """
    found: list[Line] = []
    for init_tag, resp_tag in pairs:
        members = {id(one): one for tag in (init_tag, resp_tag) for one in history.of_tag(tag)}
        if len(members) == 1:
            (membership,) = members.values()
            if _usual(membership) and membership.session_id not in leading:
                found += (Line(end) for end in membership.ends)
    return found


def _usual(membership: Membership) -> bool:
    """Tell whether a membership is known whole, between two hosts, and uses no group."""
    description = membership.description
    if description is None or description.group or not membership.leaf_id:
        return False
    return all(_usual_address(end.endpoint) for end in membership.ends)


def _usual_address(endpoint: tuple[str, int]) -> bool:
    address = ip_address(endpoint[0])
    usual = isinstance(address, IPv4Address) and not (
        address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255")
    )
    return usual and endpoint[1] != 0


def class_of(line: Line, kind: int) -> Class:
    """Name the class of what one side of a membership repeats."""
    membership = line.end.membership
    return (
        kind,
        line.end.is_root,
        membership.planes,
        membership.leaf_dir,
        membership.caps,
        membership.repair,
        4,
    )


class Folder:
    """The lines of all memberships that are live, and what each frame of them is worth."""

    def __init__(self, tally: Tally) -> None:
        """Begin with none."""
        self._tally = tally
        self._lines: NDArray[np.void] = np.zeros(0, dtype=LINE)
        self._pending: dict[int, NDArray[np.void]] = {}
        self._numbers: dict[Class, int] = {}
        self._weights: list[dict[str, int]] = []

    def known(self, named: Class) -> int | None:
        """Return the number of a class; None if no specimen was weighed."""
        return self._numbers.get(named)

    def count(self, number: int) -> None:
        """Count one frame of a class."""
        self._tally.pass_again(self._weights[number], 1)

    def weigh(self, named: Class, difference: Tally) -> int:
        """Note what a specimen is worth; NOBODY for one of which not every rule passed."""
        weights = difference.weights()
        self._numbers[named] = NOBODY
        if weights is not None:
            self._numbers[named] = len(self._weights)
            self._weights.append(weights)
        return self._numbers[named]

    def add(self, line: Line) -> None:
        """Take the frames of a line from now on."""
        end, peer = line.end, line.end.peer
        row = np.zeros(1, dtype=LINE)
        row["tag"], row["session_id"] = peer.tag, end.membership.session_id
        row["sender_id"] = end.member_id
        row["source"], row["destination"] = _address(end), _address(peer)
        row["ports"] = end.endpoint[1] << 16 | peer.endpoint[1]
        row["payload"] = min(end.max_payload, peer.max_payload)
        row["classes"] = line.classes
        self._pending[peer.tag] = row

    def settle(self) -> None:
        """Put new lines in, and leave out those that were dropped; that sorts all of them."""
        if len(self._pending) * SORTED_AT_MOST < len(self._lines):
            return
        new = np.fromiter(self._pending, dtype=np.uint64, count=len(self._pending))
        kept = (self._lines["classes"] != NOBODY).any(axis=1) & ~np.isin(self._lines["tag"], new)
        lines = np.concatenate([self._lines[kept], *self._pending.values()])
        self._pending.clear()
        self._lines = lines[np.argsort(lines["tag"])]

    def drop(self, tags: Iterable[int]) -> int:
        """Take no more frames to these tags; return when one of them was taken last."""
        heard_ns = 0
        for tag in tags:
            self._pending.pop(tag, None)
            place = self._place(tag)
            if place is not None:
                heard_ns = max(heard_ns, int(self._lines["heard_ns"][place]))
                self._lines["classes"][place] = NOBODY
        return heard_ns

    def drop_session(self, session_id: int) -> None:
        """Take no more frames of a session."""
        for tag, row in list(self._pending.items()):
            if int(row["session_id"][0]) == session_id:
                del self._pending[tag]
        self._lines["classes"][self._lines["session_id"] == np.uint64(session_id)] = NOBODY

    def heard(self, tags: Iterable[int]) -> int:
        """Return when a frame to one of these tags was taken last."""
        places = (self._place(tag) for tag in tags)
        return max(
            (int(self._lines["heard_ns"][one]) for one in places if one is not None), default=0
        )

    def _place(self, tag: int) -> int | None:
        place = int(np.searchsorted(self._lines["tag"], np.uint64(tag)))
        there = place < len(self._lines) and int(self._lines["tag"][place]) == tag
        return place if there else None

    def recognized(self, usual: Columns) -> tuple[Columns, Numbers]:
        """Choose what known lines send, and return it with the places of the lines."""
        if not len(self._lines) or not len(usual.places):
            return usual.chosen(slice(0)), np.zeros(0, dtype=np.int64)
        rows, ours = _matched(self._lines, usual)
        return usual.chosen(ours), rows[ours]

    def tag_of(self, row: int) -> int:
        """Return the tag of a line by its place."""
        return int(self._lines["tag"][row])

    def fold(self, usual: Columns, first: int, last: int, now_ns: int) -> set[int]:
        """Count what known lines send among the packets of a batch from one place up to another.

        Returns: the places of what was counted.
        """
        low, high = np.searchsorted(usual.places, (first, last)).tolist()
        found, rows = self.recognized(usual.chosen(slice(low, high)))
        classes = self._lines["classes"][rows, found.kinds].astype(np.int64)
        counted = classes != NOBODY
        if not counted.any():
            return set()
        for number, times in enumerate(np.bincount(classes[counted]).tolist()):
            self._tally.pass_again(self._weights[number], times)
        self._lines["heard_ns"][rows[counted]] = now_ns
        return set(found.places[counted].tolist())


def usual_of(batch: Batch) -> Columns | None:
    """Choose what is usual of a batch; None if there is nothing."""
    if any(one.linktype != LinkType.ETHERNET for one in batch.described):
        return None
    return columns_of(batch.octets, batch.starts, batch.captured, batch.originals)


def _address(end: End) -> int:
    return int(IPv4Address(end.endpoint[0]))


def _matched(lines: NDArray[np.void], found: Columns) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the line of every frame, and which are what that line sends."""
    rows: Numbers = np.searchsorted(lines["tag"], found.tags).astype(np.int64)
    rows = np.minimum(rows, len(lines) - 1)
    ours = lines["tag"][rows] == found.tags
    for name, values in (
        ("session_id", found.session_ids),
        ("sender_id", found.sender_ids),
        ("source", found.sources),
        ("destination", found.destinations),
        ("ports", found.ports),
    ):
        ours &= lines[name][rows] == values
    ours &= found.payloads <= lines["payload"][rows]
    return rows, ours
