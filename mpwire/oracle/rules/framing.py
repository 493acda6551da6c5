"""R1-R18: what a single datagram shows.

Most of these are checked by the strict decoder; its errors name the rule that was broken, and the
judge files every such error under that rule. Here the decoder's rules only count what was right,
and the rules it cannot know (addresses, IP headers, what came before) are spelled out.
"""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.registry import PASSED, Check, Outcome, broken, rule, verify
from mpwire.oracle.shelf import read
from mpwire.oracle.trace import Packet, is_broadcast, is_multicast, is_unspecified
from mpwire.wire.errors import UnsupportedVersion
from mpwire.wire.messages import (
    Accept,
    Ack,
    Announce,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    CloseAck,
    Confirm,
    Data,
    JoinReq,
    Member,
    Message,
    Pending,
    Probe,
    ProbeAck,
    Reject,
    Rekey,
    Side,
    Sync,
    VersionNeg,
)
from mpwire.wire.numbers import (
    DATA_OVERHEAD_OCTETS,
    MAX_DATAGRAM_OCTETS,
    HeaderFlag,
    MessageType,
    is_grease,
    is_grease_tlv,
    is_mandatory_tlv,
)

JOINING = (
    JoinReq,
    Challenge,
    Pending,
    Accept,
    Confirm,
    Reject,
    Cancel,
    CancelAck,
)
"""Types 0x01 to 0x08, sent before or while the payload limits are negotiated."""
ANSWERED: dict[type[Message], tuple[type[Message], ...]] = {
    Challenge: (JoinReq,),
    Pending: (JoinReq,),
    Reject: (JoinReq,),
    Confirm: (Accept,),
    CancelAck: (Cancel,),
    CloseAck: (Close,),
    ProbeAck: (Probe,),
    Ack: (Side, Member, Rekey),
}
"""What each response answers; VERSION_NEG answers what nobody here can read (R106)."""
DECODED: tuple[tuple[str, str], ...] = (
    ("R2", "Length equals the length of the UDP payload."),
    ("R3", "Length covers the common header and the fixed body of the type."),
    ("R7", "TLVs fill the rest of the message exactly: every header whole, every value inside."),
    ("R8", "Padding and the value of PAD are zero."),
    ("R9", "TLVs ascend by type, PAD and then AUTH last, none twice; there are at most 32."),
    ("R10", "Each TLV stands only in the types that may carry it, and required ones are there."),
    ("R11", "Each TLV value has a length, and an inner order, that its type admits."),
    ("R12", "Reserved fields and reserved flag bits are zero."),
    ("R14", "Flag A is set exactly when an AUTH TLV is there, and AUTH is the last TLV."),
    ("R18", "Enumerated fields hold only their assigned values, flag fields only known bits."),
)


def _decoded(case: Case) -> Iterator[Outcome]:
    return (PASSED for _ in case.sent)


def _register_decoded() -> None:
    for rule_id, sentence in DECODED:
        check: Check = _decoded
        rule(
            rule_id,
            sentence,
            source=f"protocol.md 17.1 {rule_id}",
            group="framing",
            needs="frame",
            vantage="1",
        )(check)


_register_decoded()


@rule(
    "R1",
    "Magic is 0x6D70; Version is 1, 0 on VERSION_NEG only, GREASE on a join probe only.",
    source="protocol.md 17.1 R1",
    group="framing",
    needs="frame",
    vantage="1",
)
def r1(case: Case) -> Iterator[Outcome]:
    """Judge magic and version; a version error that is no GREASE probe is the decoder's R1."""
    yield from _decoded(case)
    for packet in case.trace.strangers():
        start = packet.datagram.payload[:4].hex()
        yield broken(packet, expected="a message that starts with 6d70", seen=f"it starts {start}")


def is_grease_probe(packet: Packet) -> bool:
    """Tell whether a datagram is a join request of a GREASE version, which anyone may send."""
    payload = packet.datagram.payload
    return (
        isinstance(packet.error, UnsupportedVersion)
        and is_grease(payload[2])
        and payload[3] == MessageType.JOIN_REQ
    )


@rule(
    "R4",
    "A datagram has at most 1200 octets, and after the join at most 44 more than the smaller "
    "MaxPayload, unless a padded PROBE of that size was answered.",
    source="protocol.md 17.1 R4",
    group="framing",
    needs="frames",
    vantage="1",
)
def r4(case: Case) -> Iterator[Outcome]:
    """Compare sizes with the limit that holds at that point."""
    for packet in case.trace.sent():
        limit = MAX_DATAGRAM_OCTETS
        if packet.message is not None and not isinstance(packet.message, (*JOINING, VersionNeg)):
            limit = max(_later_limit(case, packet), _probed(case, packet))
        if packet.octets <= limit:
            yield PASSED
            continue
        yield broken(packet, expected=f"at most {limit} octets", seen=f"{packet.octets} octets")


def _later_limit(case: Case, packet: Packet) -> int:
    membership = case.history.owner(packet)
    if membership is None:
        return MAX_DATAGRAM_OCTETS
    payload = min(end.max_payload for end in membership.ends)
    padded = payload + -payload % 4
    return min(padded + DATA_OVERHEAD_OCTETS, MAX_DATAGRAM_OCTETS)


def _probed(case: Case, packet: Packet) -> int:
    """Return the largest size of a PROBE that was answered before in the same direction."""
    membership = case.history.owner(packet)
    if membership is None:
        return 0
    answered = {
        read(answer, ProbeAck).nonce
        for answer in membership.shelf.sent(ProbeAck)
        if answer.number < packet.number
    }
    return max(
        (
            probe.octets
            for probe in membership.shelf.sent(Probe)
            if probe.source == packet.source and read(probe, Probe).nonce in answered
        ),
        default=0,
    )


@rule(
    "R5",
    "MPW datagrams are not fragmented, and IPv4 sets Don't Fragment.",
    source="protocol.md 17.1 R5",
    group="framing",
    needs="frame",
    vantage="S",
)
def r5(case: Case) -> Iterator[Outcome]:
    """Look at the fragment fields of the IP header; on the way a tunnel may have cleared DF."""
    for packet in case.trace.sent():
        datagram = packet.datagram
        if datagram.df and not datagram.fragment:
            yield PASSED
            continue
        yield broken(
            packet,
            expected="a whole datagram with DF set",
            seen="a fragment" if datagram.fragment else "Don't Fragment is clear",
            kind="fail" if packet.direction == "out" else "lacking",
        )


@rule(
    "R6",
    "The UDP checksum is there and right.",
    source="protocol.md 17.1 R6",
    group="framing",
    needs="frame",
    vantage="R",
)
def r6(case: Case) -> Iterator[Outcome]:
    """Recompute; a wrong one counts only where it was delivered, for kernels compute it late."""
    for packet in case.trace.packets:
        state = packet.datagram.checksum
        delivered = packet.direction == "in" and case.trace.is_run
        if state == "ok" and (delivered or not case.trace.is_run):
            yield PASSED
        elif state == "absent" or (state == "bad" and delivered):
            yield broken(packet, expected="a right UDP checksum", seen=f"{state}")


@rule(
    "R13",
    "Types, TLV types, reasons and versions are assigned or GREASE; mandatory GREASE is not sent.",
    source="protocol.md 17.1 R13",
    group="framing",
    needs="frame",
    vantage="1",
)
def r13(case: Case) -> Iterator[Outcome]:
    """Look at the TLVs that the decoder does not know; the other registries are the decoder's."""
    for packet in case.sent:
        extra = packet.message.extra if packet.message else ()
        wrong = [code for code, _ in extra if not is_grease_tlv(code) or is_mandatory_tlv(code)]
        yield verify(
            not wrong,
            packet,
            expected="assigned TLV types or optional GREASE",
            seen=", ".join(f"TLV {code:#06x}" for code in wrong),
        )


@rule(
    "R15",
    "Flag M is set exactly when the destination is multicast; only DATA, SYNC and ANNOUNCE may "
    "go to a group, and nothing goes to a broadcast address.",
    source="protocol.md 17.1 R15",
    group="framing",
    needs="frame",
    vantage="1",
)
def r15(case: Case) -> Iterator[Outcome]:
    """Compare the class of the destination with flag and type."""
    for packet in case.sent:
        address = packet.destination[0]
        group = is_multicast(address)
        flagged = bool(packet.message and packet.message.flags & HeaderFlag.M)
        may = not group or isinstance(packet.message, Data | Sync | Announce)
        if flagged == group and may and not is_broadcast(address):
            yield PASSED
            continue
        yield broken(
            packet,
            expected="flag M and a group type to a group, neither to a host",
            seen=f"{type(packet.message).__name__} to {address}, M {'set' if flagged else 'clear'}",
        )


@rule(
    "R16",
    "The source is a specified unicast address and no port is zero.",
    source="protocol.md 17.1 R16",
    group="framing",
    needs="frame",
    vantage="1",
)
def r16(case: Case) -> Iterator[Outcome]:
    """Look at the addresses of the UDP datagram."""
    for packet in case.trace.sent():
        address, port = packet.source
        wrong = is_multicast(address) or is_broadcast(address) or is_unspecified(address)
        yield verify(
            not wrong and port != 0 and packet.destination[1] != 0,
            packet,
            expected="a unicast source and ports other than 0",
            seen=f"{address}:{port} to port {packet.destination[1]}",
        )


@rule(
    "R17",
    "Attempt counts from 1; a response echoes Seq and Attempt of a request copy that had arrived.",
    source="protocol.md 17.1 R17",
    group="framing",
    needs="history",
    vantage="SR",
)
def r17(case: Case) -> Iterator[Outcome]:
    """Find the request copy that a response answers among what had arrived at its sender."""
    arrived: dict[tuple[object, ...], list[Packet]] = {}
    for packet in case.trace.packets:
        message = packet.message
        if message is None:
            continue
        if not isinstance(message, Sync | Announce):
            yield verify(message.attempt > 0, packet, expected="Attempt 1 or more", seen="0")
        if packet.direction == "in":
            where = (packet.destination, packet.source, message.seq, message.attempt)
            arrived.setdefault(where, []).append(packet)
        elif packet.direction == "out" and type(message) in ANSWERED:
            where = (packet.source, packet.destination, message.seq, message.attempt)
            requests = arrived.get(where, [])
            yield verify(
                any(isinstance(one.message, ANSWERED[type(message)]) for one in requests),
                packet,
                expected="Seq and Attempt of a request that had arrived",
                seen=f"{type(message).__name__} with Seq {message.seq}, Attempt {message.attempt}",
            )
