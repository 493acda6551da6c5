"""R95-R100: multicast: which group, who joins it, who may speak there, announcements."""

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import pairwise
from typing import NamedTuple

from mpwire.oracle.case import Case
from mpwire.oracle.membership import End, Membership
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.rules.timing import spaced
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import NEVER, Packet, Position, Trace, is_multicast
from mpwire.wire.messages import Announce, Message, Nack, SessionDesc
from mpwire.wire.numbers import AnnounceKind, HeaderFlag, LeafDirection, Planes

REPORT_NS = 1_000_000_000
"""A receiving member's host reports the group within this time."""
BRIEF_NS = 100_000_000
"""Kernels report a few ticks after the join, and not at all what is over by then."""
LEAVES_MAX = 2
JOINS_MAX = 3
ALIVE_SHARE = 0.8


def group_of(description: SessionDesc | None) -> str:
    """Return the address of the session's group; empty where it has none."""
    if description is None or not description.group:
        return ""
    return str(ip_address(description.group))


def _grouped(case: Case) -> Iterator[tuple[Membership, SessionDesc, str]]:
    for membership in case.history.memberships:
        description = membership.description
        group = group_of(description)
        if description is not None and group:
            yield membership, description, group


@rule(
    "R95",
    "What goes to a group goes to the group and port of SESSION_DESC with its hop limit, and the "
    "group is one of those that may be used.",
    source="protocol.md 17.6 R95",
    group="data",
    needs="frames",
    vantage="1",
)
def r95(case: Case) -> Iterator[Outcome]:
    """Compare addresses, ports and hop limits with the description."""
    seen: set[int] = set()
    for membership, description, group in _grouped(case):
        ssm = bool(description.planes & Planes.SSM)
        yield verify(
            allowed(group, ssm=ssm),
            membership.accept,
            expected="a group of 239/8, of 232/8 or ff3x with SSM, or of ff1x",
            seen=group,
        )
        if membership.session_id in seen:
            continue
        seen.add(membership.session_id)
        for packet in membership.group.packets:
            if packet.leads:
                hops = packet.datagram.ttl
                # On its way, where another program may have captured it, routers count down.
                routed = not case.trace.is_run and 0 < hops < description.hop_limit
                yield verify(
                    packet.destination == (group, description.data_port)
                    and (routed or hops == description.hop_limit),
                    [membership.accept, packet],
                    expected=f"{group}:{description.data_port}, {description.hop_limit} hops",
                    seen=f"{packet.destination}, {packet.datagram.ttl} hops",
                )


def allowed(group: str, *, ssm: bool) -> bool:
    """Tell whether a session may use a group: locally scoped, source-specific or transient."""
    address = ip_address(group)
    octets = address.packed
    if address.version == 4:
        return octets[0] == 239 or (ssm and octets[0] == 232)
    return octets[0] == 0xFF and octets[1] >> 4 in ((3,) if ssm else (1, 3))


def _receives(membership: Membership) -> bool:
    return bool(membership.leaf_dir & LeafDirection.RECEIVE)


@rule(
    "R96",
    "A host whose members of a session only send does not report its group.",
    source="protocol.md 17.6 R96",
    group="data",
    needs="history",
    vantage="S",
)
def r96(case: Case) -> Iterator[Outcome]:
    """Look for reports of hosts where nobody receives from that group."""
    wanted = {
        (membership.leaf.host, group)
        for membership, _, group in _grouped(case)
        if _receives(membership)
    }
    wanted |= {
        (membership.root.host, group)
        for membership, _, group in _grouped(case)
        if not membership.planes & Planes.DATA_ROOTED
    }
    wanted |= {
        (opening.call.host, opening.group[0]) for opening in case.openings if opening.receives
    }
    silent = {(m.leaf.host, group): m.accept for m, _, group in _grouped(case)}
    groups: dict[tuple[str | None, str], tuple[int, ...]] = {
        key: (accept.number,) for key, accept in silent.items() if key not in wanted
    }
    for opening in case.openings:
        key = (opening.call.host, opening.group[0])
        if key not in wanted:
            groups[key] = tuple(packet.number for packet in opening.announcements[:1])
    for (host, group), frames in groups.items():
        reports = [r for r in case.trace.reports if (r.host, r.group) == (host, group) and r.joins]
        yield (
            PASSED
            if not reports
            else Outcome(
                "fail",
                (*frames, *(report.position[0] for report in reports)),
                host or "",
                f"no report of {group}",
                "a report",
                f"{host} reports {group}, from which none of its members receives",
            )
        )


@rule(
    "R97",
    "The host of a receiving member reports the group within a second of the join, with the source "
    "where it is source-specific.",
    source="protocol.md 17.6 R97",
    group="data",
    needs="history",
    vantage="S",
)
def r97(case: Case) -> Iterator[Outcome]:
    """Look for the report; a capture of another program may lack it."""
    if not case.trace.is_run:
        return
    for membership, description, group in _grouped(case):
        begin = joined_at(membership.leaf)
        if _receives(membership) and begin != NEVER:
            source = membership.root.endpoint[0] if description.planes & Planes.SSM else ""
            stay = Stay(membership.leaf.host, begin, membership.leaf.ended())
            yield from _reported(case, stay, group, source)
    for opening in case.openings:
        if opening.receives and opening.began != NEVER:
            stay = Stay(opening.call.host, opening.began, opening.ended)
            yield from _reported(case, stay, opening.group[0], "")


class Stay(NamedTuple):
    """How long a host has a member in a group."""

    host: str | None
    begun: Position
    ended: Position

    def spares_report(self, trace: Trace) -> bool:
        """Tell whether its host may say nothing: the interface or the member went too soon."""
        begun_ns = trace.when(self.begun)
        lost = (
            self.begun < one.begun and trace.when(one.begun) < begun_ns + REPORT_NS
            for one in trace.losses
            if one.host == self.host
        )
        return any(lost) or (self.ended != NEVER and trace.when(self.ended) < begun_ns + BRIEF_NS)


def _reported(case: Case, stay: Stay, group: str, source: str) -> Iterator[Outcome]:
    """Judge one join: an earlier report that was not taken back will do."""
    host, frame = stay.host, stay.begun[0]
    said = [r for r in case.trace.reports if (r.host, r.group) == (host, group)]
    fitting = [r for r in said if not source or source in r.sources]
    before = [r for r in fitting if r.position[0] < frame]
    after = [r for r in fitting if r.position[0] > frame and r.joins]
    if after or (before and before[-1].joins):
        yield PASSED
        return
    due_ns = case.trace.when((frame, 0)) + REPORT_NS
    if case.overdue(host, due_ns) != NEVER and not stay.spares_report(case.trace):
        yield Outcome(
            "fail",
            (frame,),
            host or "",
            f"a report of {group}" + (f" from {source}" if source else ""),
            "none" if not said else "others",
            f"{host} joined in frame {frame} and never reported {group}",
        )


@rule(
    "R98",
    "A GroupTag stands only in what goes to a group; only live members with the right to send "
    "speak there, from their own address with their own ID.",
    source="protocol.md 17.6 R98",
    group="data",
    needs="history",
    vantage="1",
)
def r98(case: Case) -> Iterator[Outcome]:
    """Find the member behind every datagram to a group, and GroupTags elsewhere."""
    tags = {description.group_tag for _, description, _ in _grouped(case)}
    tags |= {p.message.destination_tag for p in case.history.announcements if p.message}
    for packet in case.sent:
        message = packet.message
        if message is None or isinstance(message, Announce):
            continue
        if is_multicast(packet.destination[0]):
            yield verify(
                _speaks(case, packet, message),
                packet,
                expected="a live member with the right to send",
                seen=f"{type(message).__name__} with Sender {message.sender_id}",
            )
        elif not message.flags & HeaderFlag.R and message.destination_tag in tags:
            yield broken(packet, expected="no GroupTag to a host", seen=type(message).__name__)


def _speaks(case: Case, packet: Packet, message: Message) -> bool:
    for membership in case.history.of_session(message.session_id):
        for end in membership.ends:
            if end.endpoint == packet.source and end.member_id == message.sender_id:
                flag = LeafDirection.RECEIVE if end.is_root else LeafDirection.SEND
                alive = joined_at(end) < packet.position < _over(end)
                if membership.leaf_dir & flag and alive:
                    return True
    return any(
        one.source == packet.source
        and one.number < packet.number
        and one.message is not None
        and one.message.sender_id == message.sender_id
        for one in case.history.announcements
    )


def _over(end: End) -> tuple[int, int]:
    """Return from where on a side may no longer speak to the group: its own end."""
    return min(end.closed(), end.aborted(), end.died)


@rule(
    "R99",
    "Nobody answers what went to a group by unicast, but with NACK and DATA_ACK to its sender.",
    source="protocol.md 17.6 R99",
    group="data",
    needs="history",
    vantage="N",
)
def r99(case: Case) -> Iterator[Outcome]:
    """Look for reflected GroupTags, and for NACK to somebody who is not the peer."""
    tags = {p.message.destination_tag for p in case.history.announcements if p.message}
    for membership, description, _ in _grouped(case):
        tags.add(description.group_tag)
        yield from (PASSED for _ in membership.group.arrived())
        for packet in membership.leaf.sent(Nack):
            yield verify(
                packet.destination == membership.root.endpoint,
                packet,
                expected="a NACK to the root",
                seen=f"a NACK to {packet.destination}",
            )
    for packet in case.own:
        message = packet.message
        if message is not None and message.flags & HeaderFlag.R:
            yield verify(
                message.destination_tag not in tags,
                packet,
                expected="no answer to what went to a group",
                seen=type(message).__name__,
            )


@rule(
    "R100",
    "A member of a nonrooted session announces itself: JOIN up to three times, then ALIVE at its "
    "distance, at last LEAVE up to twice; HoldS stays the same, Seq counts.",
    source="protocol.md 17.6 R100",
    group="data",
    needs="history",
    vantage="S",
)
def r100(case: Case) -> Iterator[Outcome]:
    """Follow the announcements of every MemberTag as they left."""
    members: dict[int, list[Packet]] = {}
    for packet in case.history.announcements:
        if packet.direction == "out":
            members.setdefault(read(packet, Announce).member_tag, []).append(packet)
    for packets in members.values():
        wrong = _misannounced([read(packet, Announce) for packet in packets])
        yield verify(not wrong, packets[-3:], expected="JOIN, ALIVE, LEAVE", seen=wrong)
        alive = [p for p in packets if read(p, Announce).kind == AnnounceKind.ALIVE]
        for before, after in pairwise(alive):
            law_ms = ALIVE_SHARE * 1000 * read(after, Announce).hold_s
            yield PASSED if _hastened(case, before, after) else spaced(before, after, law_ms)


def _hastened(case: Case, before: Packet, after: Packet) -> bool:
    """Tell whether something was heard between two ALIVE that brings the second one forward.

    That is somebody under the same Member ID and, for a d_root, another d_root or the first JOIN of
    somebody (protocol.md 21.3, 21.5).
    """
    mine = read(after, Announce)
    known: set[int] = set()
    for packet in case.history.announcements:
        heard = packet.direction == "in" and packet.host == after.host
        if not heard or packet.destination != after.destination or packet.number > after.number:
            continue
        other = read(packet, Announce)
        new = other.member_tag not in known and other.kind == AnnounceKind.JOIN
        known.add(other.member_tag)
        leading = mine.leaf_dir & LeafDirection.D_ROOT
        matters = other.sender_id == mine.sender_id or (
            leading and (new or other.leaf_dir & LeafDirection.D_ROOT)
        )
        if matters and packet.number > before.number:
            return True
    return False


def _misannounced(said: list[Announce]) -> str:
    """Return what is wrong with the announcements of one member, or nothing."""
    kinds = [one.kind for one in said]
    if kinds[0] != AnnounceKind.JOIN:
        return f"kind {kinds[0]} first"
    if kinds.count(AnnounceKind.JOIN) > JOINS_MAX or kinds.count(AnnounceKind.LEAVE) > LEAVES_MAX:
        return "more copies than there may be"
    if len({one.hold_s for one in said}) > 1:
        return "another HoldS than at first"
    if any(after.seq != before.seq + 1 for before, after in pairwise(said)):
        return "a Seq that does not count"
    gone = kinds.index(AnnounceKind.LEAVE) if AnnounceKind.LEAVE in kinds else len(kinds)
    back = any(kind in (AnnounceKind.JOIN, AnnounceKind.ALIVE) for kind in kinds[gone:])
    return "a sign of life after LEAVE" if back else ""
