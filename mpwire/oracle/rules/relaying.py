"""R83, R93, R114 and R119: what a root passes on, and what it tells of other members."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End, Membership
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.serial import serial_before, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import flows
from mpwire.oracle.trace import NEVER, Packet, Position, is_multicast
from mpwire.wire.messages import Data, Member
from mpwire.wire.numbers import ROOT_MEMBER_ID, Capability, DataFlag, MemberAction


@rule(
    "R83",
    "RELAYED is set exactly where Origin is not the sender; only the root relays, with Hop 1, what "
    "had arrived from that origin, unchanged and never back to it.",
    source="protocol.md 17.6 R83",
    group="data",
    needs="history",
    vantage="N",
)
def r83(case: Case) -> Iterator[Outcome]:
    """Compare every DATA with its sender, and what is relayed with what had arrived."""
    arrived = _arrived(case)
    cast: set[int] = set()
    for end in case.ends():
        ours = [packet for packet in end.cast(Data) if packet.number not in cast]
        cast.update(packet.number for packet in ours)
        for packet in [*end.sent(Data), *ours]:
            message = read(packet, Data)
            relayed = message.origin != message.sender_id
            marked = bool(message.dflags & DataFlag.RELAYED)
            yield verify(
                marked == relayed
                and message.hop == int(relayed)
                and (not relayed or (end.is_root and message.sender_id == ROOT_MEMBER_ID)),
                packet,
                expected="RELAYED and Hop 1 from the root exactly for the messages of others",
                seen=f"Origin {message.origin}, DFlags {message.dflags:#x}, Hop {message.hop}",
            )
            if relayed and packet.direction == "out":
                key = (message.session_id, message.origin, message.seq)
                yield _as_it_came(end, packet, arrived.get(key))


def _arrived(case: Case) -> dict[tuple[int, int, int], Packet]:
    """Return the first delivery to a root of every message of a leaf."""
    found: dict[tuple[int, int, int], Packet] = {}
    for membership in case.history.memberships:
        for packet in [*membership.root.arrived(Data), *membership.root.caught(Data)]:
            message = read(packet, Data)
            key = (message.session_id, message.origin, message.seq)
            if key not in found or packet.number < found[key].number:
                found[key] = packet
    return found


def _as_it_came(end: End, packet: Packet, source: Packet | None) -> Outcome:
    message = read(packet, Data)
    came = source is not None and source.number < packet.number
    same = source is not None and read(source, Data).payload == message.payload
    echo = message.origin == end.peer.member_id and not is_multicast(packet.destination[0])
    return verify(
        came and same and not echo,
        [source, packet] if source else packet,
        expected="a message of another leaf as it had arrived",
        seen=f"DATA {message.seq} of origin {message.origin}"
        + ("" if same or not came else " with another payload"),
    )


@rule(
    "R114",
    "Before the first DATA of an origin that a root relays to a leaf, SYNC tells that leaf where "
    "the origin starts.",
    source="protocol.md 17.6 R114",
    group="data",
    needs="history",
    vantage="S",
)
def r114(case: Case) -> Iterator[Outcome]:
    """Look for the SYNC before the first relayed message of every origin."""
    for end in case.ends():
        for flow in flows(end).values():
            theirs = flow.origin in (end.member_id, end.peer.member_id)
            if theirs or not end.membership.repair:
                continue
            known = joined_at(end)  # what went to the group before was not for this leaf
            meant = (p for p in flow.copies if not _is_cast(p) or known < p.position)
            first = next(meant, None)
            if first is not None and first.direction == "out":
                told = [p for p in flow.syncs if p.number < first.number]
                yield verify(
                    bool(told),
                    first,
                    expected=f"SYNC of origin {flow.origin} before its first DATA",
                    seen="DATA first",
                )


def _is_cast(packet: Packet) -> bool:
    return is_multicast(packet.destination[0])


@rule(
    "R119",
    "What a root relays of one origin to a leaf has consecutive Seq, from where SYNC says that the "
    "origin starts.",
    source="protocol.md 17.6 R119",
    group="data",
    needs="history",
    vantage="S",
)
def r119(case: Case) -> Iterator[Outcome]:
    """Count along the first copies of every relayed origin, once each."""
    for end in case.ends():
        for flow in flows(end).values():
            theirs = flow.origin in (end.member_id, end.peer.member_id)
            expected = flow.start
            if theirs or expected is None or not end.membership.repair:
                continue
            for packet in flow.copies:
                seq = read(packet, Data).seq
                if packet.direction != "out" or serial_before(seq, expected):
                    continue
                yield verify(seq == expected, packet, expected=f"Seq {expected}", seen=f"Seq {seq}")
                expected = serial_next(seq)


@rule(
    "R93",
    "MEMBER comes from the root only, to a leaf that wants it, after the named member has joined "
    "or its membership has begun to end.",
    source="protocol.md 17.6 R93",
    group="data",
    needs="history",
    vantage="S",
)
def r93(case: Case) -> Iterator[Outcome]:
    """Compare every notice with the membership it speaks of."""
    for end in case.ends():
        for packet in end.sent(Member):
            if packet.direction != "out":
                continue
            message = read(packet, Member)
            wanted = bool(end.membership.caps & Capability.MEMBER_EVENTS)
            if not end.is_root or not wanted:
                yield broken(packet, expected="a notice of the root, wanted", seen="MEMBER")
                continue
            since = _since(case, end.membership, message)
            yield (
                PASSED
                if since < packet.position
                else broken(
                    packet,
                    expected="news of what has happened",
                    seen=f"action {message.action} of member {message.member_id} too soon",
                )
            )


def _since(case: Case, told: Membership, message: Member) -> Position:
    """Return from where on what a notice says was true at the root."""
    for membership in case.history.of_session(told.session_id):
        if membership.leaf_id == message.member_id:
            root = membership.root
            return joined_at(root) if message.action == MemberAction.JOINED else root.ended()
    return NEVER
