"""R19-R27: tags, session identifiers, member IDs, addresses, versions."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.membership import TO_INIT_TAG, Attempt, Membership
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import Packet
from mpwire.wire.errors import UnsupportedVersion
from mpwire.wire.messages import (
    Abort,
    Accept,
    Announce,
    Cancel,
    Challenge,
    Close,
    Confirm,
    JoinReq,
    Pending,
    SessionDesc,
    VersionNeg,
)
from mpwire.wire.numbers import ROOT_MEMBER_ID, CloseReason, HeaderFlag

REFLECTION_NS = 2_000_000_000
"""A reflected tag is a reaction to something of the last two seconds."""
STATELESS = (*TO_INIT_TAG, Abort, Cancel)
"""Messages that an endpoint may send without knowing its own member ID."""


def descriptions(attempt: Attempt) -> Iterator[tuple[Packet, SessionDesc]]:
    """Yield the session descriptions sent in an attempt."""
    for packet in attempt.shelf.sent(Accept, Confirm):
        description = getattr(packet.message, "session_desc", None)
        if isinstance(description, SessionDesc):
            yield packet, description


@rule(
    "R19",
    "InitTag, RespTag, GroupTag and MemberTag are not zero.",
    source="protocol.md 17.2 R19",
    group="identity",
    needs="frame",
    vantage="1",
)
def r19(case: Case) -> Iterator[Outcome]:
    """Count the tags that were drawn; the decoder refuses zeros."""
    return (PASSED for _ in case.sent_of(JoinReq, Pending, Accept, Cancel, Announce))


@rule(
    "R20",
    "A tag is never used again for another attempt or session, nor equal to a tag of the peer.",
    source="protocol.md 17.2 R20",
    group="identity",
    needs="frames",
    vantage="1",
)
def r20(case: Case) -> Iterator[Outcome]:
    """Note who drew which tag first."""
    for packet in case.sent_of(JoinReq, Pending, Accept):
        message = packet.message
        if isinstance(message, JoinReq):
            tag, owner = message.init_tag, ("init", packet.source, packet.destination, message.seq)
        else:
            assert isinstance(message, Pending | Accept)
            tag = message.resp_tag
            owner = ("resp", packet.source, packet.destination, message.destination_tag)
        own, frame = case.remains.tags.first(tag, owner, packet.number)
        yield verify(
            own,
            packet,
            earlier=(frame,),
            expected="a fresh tag for every attempt and every acceptance",
            seen=f"tag {tag:016x} again for another",
        )


@rule(
    "R21",
    "Destination Tag is 0 in JOIN_REQ, the InitTag in answers to it, the receiver's own tag in "
    "what follows, the GroupTag to a group, and what was reflected where flag R is set.",
    source="protocol.md 17.2 R21",
    group="identity",
    needs="history",
    vantage="1",
)
def r21(case: Case) -> Iterator[Outcome]:
    """Look the tag up among attempts and memberships of the same two addresses."""
    for packet in case.sent:
        message = packet.message
        if message is None or isinstance(message, Announce):
            continue
        if _addressed(case, packet):
            yield PASSED
            continue
        yield broken(
            packet,
            expected="the tag by which the receiver knows this exchange",
            seen=f"{type(message).__name__} to tag {message.destination_tag:016x}",
        )


def _addressed(case: Case, packet: Packet) -> bool:
    message = packet.message
    assert message is not None
    tag = message.destination_tag
    if isinstance(message, JoinReq):
        return tag == 0
    if isinstance(message, Cancel):
        known = {0} | _answered_tags(case, message.init_tag)
        return tag in known and any(
            attempt.initiator == packet.source
            for attempt in case.history.of_init_tag(message.init_tag)
        )
    if isinstance(message, VersionNeg):
        return any(
            isinstance(one.error, UnsupportedVersion) and one.error.invariant.init_tag == tag
            for one in case.trace.packets
            if one.source == packet.destination and one.number < packet.number
        )
    if isinstance(message, TO_INIT_TAG):
        return any(
            attempt.initiator == packet.destination and attempt.responder == packet.source
            for attempt in case.history.of_init_tag(tag)
        )
    if message.flags & HeaderFlag.R:
        return bool(triggers(case, packet))
    if message.flags & HeaderFlag.M:
        return tag in _group_tags(case)
    return any(
        end.tag == tag and end.endpoint == packet.destination
        for membership in case.history.of_tag(tag)
        for end in membership.ends
    ) or _early_tag(case, packet)


def _early_tag(case: Case, packet: Packet) -> bool:
    """Tell whether an ABORT goes to a RespTag that only a PENDING has named."""
    tag = packet.message.destination_tag if packet.message else 0
    return isinstance(packet.message, Abort) and any(
        read(pending, Pending).resp_tag == tag and pending.source == packet.destination
        for pending in case.sent_of(Pending)
    )


def _answered_tags(case: Case, init_tag: int) -> set[int]:
    tags = set()
    for attempt in case.history.of_init_tag(init_tag):
        for packet in attempt.shelf.of(Pending, Accept):
            tags.add(getattr(packet.message, "resp_tag", 0))
    return tags


def _group_tags(case: Case) -> set[int]:
    """Return the tags of all groups: described by a root, or announced by members."""
    announced = {
        packet.message.destination_tag for packet in case.history.announcements if packet.message
    }
    return announced | {
        description.group_tag
        for attempt in case.history.attempts
        for _, description in descriptions(attempt)
    }


def triggers(case: Case, packet: Packet) -> list[Packet]:
    """Return what had come from the receiver with the tag that this packet reflects."""
    message = packet.message
    assert message is not None
    seen = case.delivered if packet.direction == "out" else case.sent
    return [
        one
        for one in seen
        if one.number < packet.number
        and one.message is not None
        and one.message.destination_tag == message.destination_tag
        and one.source == packet.destination
        and one.destination == packet.source
    ]


@rule(
    "R22",
    "Destination Tag 0 stands only in JOIN_REQ, and in CANCEL before a RespTag is known.",
    source="protocol.md 17.2 R22",
    group="identity",
    needs="frame",
    vantage="1",
)
def r22(case: Case) -> Iterator[Outcome]:
    """Look at the tag of everything else."""
    for packet in case.sent:
        if packet.message is not None and not isinstance(packet.message, JoinReq | Cancel):
            yield verify(
                packet.message.destination_tag != 0,
                packet,
                expected="a Destination Tag",
                seen=f"{type(packet.message).__name__} to tag 0",
            )


@rule(
    "R23",
    "Flag R is set only on ABORT, as a direct reaction to a packet with that Destination Tag.",
    source="protocol.md 17.2 R23",
    group="identity",
    needs="history",
    vantage="R",
)
def r23(case: Case) -> Iterator[Outcome]:
    """Search the packet that was reflected."""
    for packet in case.sent:
        if packet.message is None or not packet.message.flags & HeaderFlag.R:
            continue
        causes = triggers(case, packet)
        if not isinstance(packet.message, Abort) or not causes:
            yield broken(
                packet,
                expected="ABORT in answer to something with the same Destination Tag",
                seen=f"{type(packet.message).__name__} with flag R and no such cause",
            )
        elif packet.time_ns - causes[-1].time_ns > REFLECTION_NS:
            yield broken(
                [causes[-1], packet],
                expected="a reaction within 2 s",
                seen=f"{(packet.time_ns - causes[-1].time_ns) / 1e9:.3f} s later",
                kind="late",
            )
        else:
            yield PASSED


@rule(
    "R24",
    "The Session ID is constant within a membership, not zero from ACCEPT on nor in an "
    "invitation, and new after a dismantling.",
    source="protocol.md 17.2 R24",
    group="identity",
    needs="frames",
    vantage="1",
)
def r24(case: Case) -> Iterator[Outcome]:
    """Compare within each membership, and over time at each root address."""
    for packet in case.sent_of(JoinReq):
        message = read(packet, JoinReq)
        if message.role == 1:
            yield verify(
                message.session_id != 0, packet, expected="the root's Session ID", seen="0"
            )
    for membership in case.history.memberships:
        yield from _constant_session(membership)
    yield from _new_sessions(case)


def _constant_session(membership: Membership) -> Iterator[Outcome]:
    for packet in membership.shelf.packets:
        message = packet.message
        if message is None or not packet.leads or isinstance(message, Cancel):
            continue
        if message.session_id == membership.session_id != 0:
            yield PASSED
            continue
        yield broken(
            [membership.accept, packet],
            expected=f"Session ID {membership.session_id:016x}",
            seen=f"{type(message).__name__} with Session ID {message.session_id:016x}",
        )


def _new_sessions(case: Case) -> Iterator[Outcome]:
    """Check what a root says after dismantling; elsewhere, or by other stamps, that is not sure."""
    dismantled = case.remains.dismantled
    closed_ns: dict[object, int] = {}
    for packet in case.sent_of(Close, JoinReq, Accept):
        message = packet.message
        sure = packet.direction == "out"
        if isinstance(message, Close):
            if message.reason == CloseReason.DISMANTLE:
                name = packet.source, message.session_id, sure
                dismantled.first(name, packet.source, packet.number)
                closed_ns.setdefault(name, packet.time_ns)
        elif isinstance(message, JoinReq) and message.role == 1 and message.attempt == 1:
            frame = dismantled.used(name := (packet.source, message.session_id, sure))
            outcome = broken(
                packet,
                earlier=(frame,) if frame else (),
                expected="a new Session ID after the dismantling",
                seen=f"{message.session_id:016x} again",
                kind="fail" if sure and closed_ns.get(name, 0) <= packet.time_ns else "lacking",
            )
            yield outcome if frame is not None and frame < packet.number else PASSED


@rule(
    "R25",
    "Sender Member ID is 1 from the root, 0 from a leaf before one was assigned and the assigned "
    "one afterwards, and 0 in a CHALLENGE; one ID serves one member of a session.",
    source="protocol.md 17.2 R25",
    group="identity",
    needs="frames",
    vantage="1",
)
def r25(case: Case) -> Iterator[Outcome]:
    """Compare with what the root assigned."""
    for packet in case.sent_of(Challenge):
        yield verify(
            read(packet, Challenge).sender_id == 0,
            packet,
            expected="Sender Member ID 0 where no state is kept",
            seen=f"{read(packet, Challenge).sender_id}",
        )
    for membership in case.history.memberships:
        assigned = membership.leaf_id
        for packet in membership.shelf.packets:
            if packet.leads and packet.message is not None:
                yield from _sender(membership, packet, assigned)
        if assigned:
            key = (membership.session_id, assigned)
            accept = membership.accept
            own, frame = case.remains.members.first(key, membership.leaf.tag, accept.number)
            yield verify(
                own,
                accept,
                earlier=(frame,),
                expected="one member per ID",
                seen=f"ID {assigned} for two tags of session {membership.session_id:016x}",
            )


def _sender(membership: Membership, packet: Packet, assigned: int) -> Iterator[Outcome]:
    message = packet.message
    assert message is not None
    if packet.source == membership.root.endpoint:
        allowed = {ROOT_MEMBER_ID}
    elif packet.source == membership.leaf.endpoint:
        if isinstance(message, Accept):
            assigned = 0
        elif assigned == 0:
            return
        allowed = {assigned}
    else:
        return
    if isinstance(message, STATELESS) and not isinstance(message, Accept):
        allowed.add(0)
    if message.sender_id in allowed:
        yield PASSED
        return
    yield broken(
        [membership.accept, packet],
        expected="Sender Member ID " + " or ".join(str(one) for one in sorted(allowed)),
        seen=f"{message.sender_id} in {type(message).__name__}",
    )


@rule(
    "R26",
    "All unicast packets of a membership use the two addresses and ports of its join request.",
    source="protocol.md 17.2 R26",
    group="identity",
    needs="frames",
    vantage="1",
)
def r26(case: Case) -> Iterator[Outcome]:
    """Compare addresses of everything that carries a tag of the membership."""
    for membership in case.history.memberships:
        pair = {membership.root.endpoint, membership.leaf.endpoint}
        for packet in membership.shelf.packets:
            if packet.leads and {packet.source, packet.destination} == pair:
                yield PASSED
            elif packet.leads:
                yield broken(
                    [membership.accept, packet],
                    expected=" and ".join(f"{a}:{p}" for a, p in sorted(pair)),
                    seen=f"{packet.source} to {packet.destination}",
                )


@rule(
    "R27",
    "The version does not change within an attempt or a membership.",
    source="protocol.md 17.2 R27",
    group="identity",
    needs="frames",
    vantage="1",
)
def r27(case: Case) -> Iterator[Outcome]:
    """Compare all copies of a request; later messages are version 1 or do not decode."""
    for attempt in case.history.attempts:
        yield from (PASSED for _ in attempt.requests)
    for packet in case.trace.sent():
        if isinstance(packet.error, UnsupportedVersion):
            for attempt in case.history.of_init_tag(packet.error.invariant.init_tag):
                yield broken(
                    [attempt.first, packet],
                    expected="one version per attempt",
                    seen=f"version {packet.error.invariant.version:#04x} in a later copy",
                )
