"""R81-R106: group data on the wire, and answers to strangers."""

from collections.abc import Iterator

from mpwire.oracle.aims import leading_leaves
from mpwire.oracle.case import Case
from mpwire.oracle.membership import Membership, is_full
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.serial import serial_before, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import originated
from mpwire.oracle.trace import NEVER, Packet, is_multicast
from mpwire.wire.errors import UnsupportedVersion
from mpwire.wire.messages import (
    Abort,
    CancelAck,
    Challenge,
    Close,
    CloseAck,
    Data,
    Reject,
    Side,
    VersionNeg,
)
from mpwire.wire.numbers import (
    JOIN_REQ_MIN_OCTETS,
    ROOT_MEMBER_ID,
    HeaderFlag,
    LeafDirection,
    Planes,
)


@rule(
    "R81",
    "DATA is originated only when the handshake is complete at its sender, and in the direction "
    "that LeafDir allows.",
    source="protocol.md 17.6 R81",
    group="data",
    needs="history",
    vantage="N",
)
def r81(case: Case) -> Iterator[Outcome]:
    """Compare the first transmissions with the handshake and with LeafDir."""
    for end in case.ends():
        flag = LeafDirection.RECEIVE if end.is_root else LeafDirection.SEND
        allowed = bool(end.membership.leaf_dir & flag)
        for packet in originated(end):
            if packet.direction == "out" and not is_multicast(packet.destination[0]):
                yield verify(
                    allowed and joined_at(end) < packet.position,
                    packet,
                    expected="DATA of a member in an allowed direction",
                    seen="DATA before the handshake" if allowed else "DATA against LeafDir",
                )


@rule(
    "R82",
    "In a rooted data plane a leaf's DATA goes to the root only, and the root sends no DATA whose "
    "origin is a leaf; where a leaf is the d_root, only DATA that is its own or is for it.",
    source="protocol.md 17.6 R82",
    group="data",
    needs="frames",
    vantage="1",
)
def r82(case: Case) -> Iterator[Outcome]:
    """Compare origin and direction of the DATA of every membership."""
    for membership in case.history.memberships:
        if not membership.planes & Planes.DATA_ROOTED:
            continue
        root = membership.root.endpoint
        leading = leading_leaves(case, membership.session_id)
        for packet in [*membership.shelf.sent(Data), *membership.leaf.cast(Data)]:
            origin = read(packet, Data).origin
            if packet.source != root:
                right = origin in (membership.leaf_id, origin * (not membership.leaf_id))
                right = right and packet.destination == root
            elif leading:
                right = origin in leading or membership.leaf_id in leading
            else:
                right = origin == ROOT_MEMBER_ID
            yield PASSED if right else _astray(case, membership, packet)


def _astray(case: Case, membership: Membership, packet: Packet) -> Outcome:
    """Object to DATA unless its origin may be the d_root: who is, a member says as it joins."""
    origin = read(packet, Data).origin
    members = {one.leaf_id for one in case.history.of_session(membership.session_id)}
    joined = packet.source != membership.root.endpoint or origin in {*members, ROOT_MEMBER_ID}
    known = joined and 0 not in leading_leaves(case, membership.session_id)
    return broken(
        packet,
        expected="DATA of the root to a leaf, or of a leaf to its root",
        seen=f"origin {origin} to {packet.destination[0]}",
        reason="" if known else f"how member {origin} has joined is not on record",
        kind="fail" if known else "lacking",
    )


@rule(
    "R84",
    "First copies of DATA of one origin have consecutive Seq for each receiver, from the sender's "
    "NextDataSeq on.",
    source="protocol.md 17.6 R84",
    group="data",
    needs="history",
    vantage="S",
)
def r84(case: Case) -> Iterator[Outcome]:
    """Count along the first transmissions; what went to the group may go to one member, too."""
    for end in case.ends():
        expected = end.next_data_seq
        cast: set[int] = set()
        for packet in originated(end):
            seq = read(packet, Data).seq
            if seq in cast and not is_multicast(packet.destination[0]):
                continue
            if expected is not None and packet.direction == "out":
                yield verify(seq == expected, packet, expected=f"Seq {expected}", seen=f"Seq {seq}")
            if is_multicast(packet.destination[0]):
                cast.add(seq)
            expected = serial_next(seq)


@rule(
    "R88",
    "PAYLOAD is not longer than either side's MaxPayload.",
    source="protocol.md 17.6 R88",
    group="data",
    needs="frames",
    vantage="1",
)
def r88(case: Case) -> Iterator[Outcome]:
    """Compare with what both sides announced."""
    for membership in case.history.memberships:
        limit = min(end.max_payload for end in membership.ends)
        for packet in membership.shelf.sent(Data, Side):
            octets = len(getattr(packet.message, "payload", None) or b"")
            yield verify(
                octets <= limit, packet, expected=f"at most {limit} octets", seen=f"{octets}"
            )


@rule(
    "R94",
    "New DATA goes only to live members.",
    source="protocol.md 17.6 R94",
    group="data",
    needs="history",
    vantage="S",
)
def r94(case: Case) -> Iterator[Outcome]:
    """Look for DATA after the sender itself had said that the membership is over.

    What its CLOSE_ACK counted in FinalSeq is not new, although its time may come later.
    """
    for end in case.ends():
        full = {read(packet, Close).seq for packet in end.closes if is_full(packet)}
        aborted = min((p.position for p in end.sent(Abort) if p.direction == "out"), default=NEVER)
        answers = [
            packet
            for packet in end.sent(CloseAck)
            if packet.direction == "out" and read(packet, CloseAck).seq in full
        ]
        answered = min((packet.position for packet in answers), default=NEVER)
        final = read(answers[0], CloseAck).final_seq if answers else None
        for packet in end.sent(Data):
            data = read(packet, Data)
            promised = (
                data.origin == end.member_id
                and final is not None
                and not serial_before(final, data.seq)
                and packet.position < aborted
            )
            yield verify(
                packet.position < min(answered, aborted) or data.attempt > 1 or promised,
                packet,
                expected="no new DATA after the end",
                seen="DATA",
            )


@rule(
    "R101",
    "What is sent to an address that has not proved itself is not larger than its cause, and one "
    "per cause.",
    source="protocol.md 17.6 R101",
    group="data",
    needs="history",
    vantage="R+S",
)
def r101(case: Case) -> Iterator[Outcome]:
    """Pair stateless answers with what had arrived from that address."""
    arrived: dict[tuple[object, object], list[Packet]] = {}
    for packet in case.trace.packets:
        if packet.direction == "in":
            arrived.setdefault((packet.source, packet.destination), []).append(packet)
        elif packet.direction == "out" and _stateless(packet):
            causes = arrived.get((packet.destination, packet.source), [])
            large = [cause for cause in causes if cause.octets >= packet.octets]
            if not large:
                yield broken(
                    packet,
                    expected="a cause at least as large",
                    seen=f"{type(packet.message).__name__} of {packet.octets} octets",
                )
                continue
            causes.remove(large[-1])
            yield PASSED


def _stateless(packet: Packet) -> bool:
    message = packet.message
    reflected = isinstance(message, Abort) and bool(message.flags & HeaderFlag.R)
    return reflected or isinstance(message, Challenge | VersionNeg | CancelAck)


@rule(
    "R102",
    "CHALLENGE, REJECT, VERSION_NEG and CANCEL_ACK go to the source of their cause, from where it "
    "was sent to.",
    source="protocol.md 17.6 R102",
    group="data",
    needs="history",
    vantage="R+S",
)
def r102(case: Case) -> Iterator[Outcome]:
    """Compare addresses with those of the attempt whose InitTag they carry."""
    for packet in case.own:
        if not isinstance(packet.message, Challenge | Reject | VersionNeg | CancelAck):
            continue
        attempts = list(case.history.of_init_tag(packet.message.destination_tag))
        yield verify(
            not attempts
            or any(
                (one.initiator, one.responder) == (packet.destination, packet.source)
                for one in attempts
            ),
            packet,
            expected="the addresses of the request, exchanged",
            seen=f"{packet.source} to {packet.destination}",
        )


@rule(
    "R106",
    "VERSION_NEG answers only a version that its sender does not speak, in a datagram of at least "
    "128 octets, and does not list the version that was offered.",
    source="protocol.md 17.6 R106",
    group="data",
    needs="history",
    vantage="R+S",
)
def r106(case: Case) -> Iterator[Outcome]:
    """Find the datagram that each VERSION_NEG answers."""
    for packet in case.own:
        if not isinstance(packet.message, VersionNeg):
            continue
        offered = [
            one.error.invariant.version
            for one in case.trace.packets
            if one.direction == "in"
            and one.number < packet.number
            and (one.source, one.destination) == (packet.destination, packet.source)
            and isinstance(one.error, UnsupportedVersion)
            and one.octets >= JOIN_REQ_MIN_OCTETS
        ]
        yield verify(
            bool(offered) and offered[-1] not in packet.message.versions,
            packet,
            expected="an unsupported version before it, and not that version in the list",
            seen=f"versions {packet.message.versions}",
        )
