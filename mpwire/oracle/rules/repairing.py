"""R85, R91, R92, R111, R115 and R117: what is asked for again, and what is sent again."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.expect_close import DRAIN_SHARE
from mpwire.oracle.inbox import deliverables
from mpwire.oracle.membership import End
from mpwire.oracle.obligations import owed
from mpwire.oracle.promises import NACKS_PER_SERIES, Plea, lost_at, pleas, soonest, stale_from
from mpwire.oracle.registry import PASSED, Outcome, broken, rule, verify
from mpwire.oracle.rules.punctual import NACK_SHARE, is_virtual, late_demands
from mpwire.oracle.rules.timing import spaced
from mpwire.oracle.serial import serial_before, serial_distance, serial_next
from mpwire.oracle.shelf import read
from mpwire.oracle.streams import Flow, announced, asked_for, flows, inflows
from mpwire.oracle.trace import NEVER, Packet, is_multicast
from mpwire.wire.messages import Abort, Close, CloseAck, Data, DataAck, Nack, Probe, Sync
from mpwire.wire.numbers import AbortReason, CloseFlag, DataFlag, SyncFlag

RANGE_MAX = 1 << 12
"""More numbers than this no NACK is looked through for."""


@rule(
    "R85",
    "A further copy of DATA is marked as a repair, has the payload of the first, and answers a "
    "NACK that asked for it.",
    source="protocol.md 17.6 R85",
    group="data",
    needs="history",
    vantage="S",
)
def r85(case: Case) -> Iterator[Outcome]:
    """Compare every repair with the first copy and with the NACKs that had arrived."""
    for end in case.ends():
        for flow in flows(end).values():
            firsts = {read(packet, Data).seq: packet for packet in flow.copies}
            for packet in flow.copies:
                marked = bool(read(packet, Data).dflags & DataFlag.REPAIR)
                yield verify(not marked, packet, expected="no mark on a first copy", seen="REPAIR")
            yield from _repairs(end, flow, firsts)


def _repairs(end: End, flow: Flow, firsts: dict[int, Packet]) -> Iterator[Outcome]:
    asked: dict[int, int] = {}
    for packet in flow.repairs:
        if packet.direction != "out":
            continue
        message = read(packet, Data)
        asked[message.seq] = asked.get(message.seq, 0) + 1
        first = firsts.get(message.seq)
        same = first is not None and read(first, Data).payload == message.payload
        yield verify(
            same and bool(message.dflags & DataFlag.REPAIR),
            [first, packet] if first else packet,
            expected="flag REPAIR and the payload of the first copy",
            seen=f"DATA {message.seq}, DFlags {message.dflags:#x}",
        )
        demands = sum(
            nack.number < packet.number and asked_for(nack, flow.origin, message.seq)
            for nack in end.arrived(Nack)
        )
        yield verify(
            asked[message.seq] <= demands,
            packet,
            expected=f"at most {demands} repairs of DATA {message.seq}, one per NACK",
            seen=f"{asked[message.seq]}",
        )


@rule(
    "R91",
    "NACK goes to the originator or the relayer, asks only for what is known to exist and has not "
    "arrived, not sooner than its law, at most eight times in a row, less often where SYNC is all "
    "that comes, and not for what counts as lost.",
    source="protocol.md 17.6 R91",
    group="data",
    needs="history",
    vantage="N",
)
def r91(case: Case) -> Iterator[Outcome]:
    """Compare with what had been announced and delivered at the node that asks."""
    virtual = is_virtual(case)
    for end in case.ends():
        if not end.sent(Nack) and not virtual:
            continue
        known: dict[tuple[int, int], int] = {}
        for item in deliverables(case, end):
            if item.certain and item.packet is not None:
                silent = case.silent_from(end.host, item.packet.position)
                known[item.origin, item.seq] = silent[0] if silent != NEVER else NEVER[0]
        for packet in end.sent(Nack):
            if packet.direction == "out":
                yield _wanted(end, packet, known)
        yield from _series(end)
        for plea in pleas(end):
            yield from _insistence(end, plea)
        if virtual and end.membership.repair:
            yield from late_demands(end)


def _wanted(end: End, packet: Packet, known: dict[tuple[int, int], int]) -> Outcome:
    message = read(packet, Nack)
    here = message.origin == end.peer.member_id or not end.is_root
    wrong = "" if here and end.membership.repair else "a NACK to somebody who repairs nothing"
    for first, last in message.ranges:
        if not announced(end, message.origin, last, packet.number):
            wrong = wrong or f"a NACK for {last}, which nothing has announced"
        number = first
        for _ in range(min(serial_distance(first, serial_next(last)), RANGE_MAX)):
            if known.get((message.origin, number), NEVER[0]) < packet.number:
                wrong = wrong or f"a NACK for {number}, which had been received"
            number = serial_next(number)
    return verify(not wrong, packet, expected="what exists and is missing", seen=wrong)


def _series(end: End) -> Iterator[Outcome]:
    """Judge number and distance of the NACKs between which nothing came that begins a series.

    All origins share one series: DATA and SYNC of any of them may begin it anew, as may CLOSE and
    CLOSE_ACK, which say what is missing. A NACK is the first of a series only if one of them came
    T_NACK before it; what leaves sooner was on its way already, and belongs to the series before.
    """
    series: dict[int, list[Packet]] = {}
    begun_ns: list[int] = []
    before: dict[int, int] = {}
    """How many of these came before the series of an origin."""
    wait_ms = 0.9 * end.timers.rto_initial_ms * NACK_SHARE
    everything = [*end.sent(Nack), *end.arrived(Data, Sync, Close, CloseAck), *end.caught(Data)]
    for packet in sorted(everything, key=lambda one: one.number):
        message = packet.message
        if not isinstance(message, Nack):
            begun_ns.append(packet.time_ns)
            continue
        if packet.direction != "out":
            continue  # what its sender was given in between, only its own interface shows
        known = before.get(message.origin, 0)
        news = known < len(begun_ns)
        if news and packet.time_ns >= begun_ns[known] + wait_ms * 1_000_000:
            series.pop(message.origin, None)
            before[message.origin] = len(begun_ns)
        asked = series.setdefault(message.origin, [])
        asked.append(packet)
        yield verify(
            len(asked) <= NACKS_PER_SERIES,
            [*asked[-2:]],
            expected=f"at most {NACKS_PER_SERIES} NACKs in a row",
            seen=f"{len(asked)}",
        )
        if len(asked) > 1:
            yield spaced(asked[-2], packet, wait_ms * 2 ** (len(asked) - 2))


def _insistence(end: End, plea: Plea) -> Iterator[Outcome]:
    """Judge how often, and for how long, a side asks for one message that is only promised.

    Of several origins all share one series, so that what one sends hastens the question for
    another; and CLOSE, CLOSE_ACK and PROBE may begin a series whatever was asked for before.
    """
    nacks = [packet for packet in plea.nacks if packet.direction == "out"]
    others = end.arrived(Close, CloseAck, Probe)
    alone = len(inflows(end)) == 1
    until = min((one.number for one in others), default=nacks[-1].number + 1 if nacks else 0)
    for packet, waits in zip(nacks, soonest(len(nacks)), strict=True):
        if alone and packet.number < until and packet is not nacks[0]:
            law_ms = 0.9 * end.timers.rto_initial_ms * NACK_SHARE * waits
            yield spaced(nacks[0], packet, law_ms)
    stale = stale_from(end, plea)
    later = [packet for packet in nacks if stale is not None and packet.number > stale.number]
    if stale is not None and len(later) > 1:
        yield broken(
            [nacks[0], stale, later[1]],
            expected=f"nothing more for {plea.missing}, which was promised in vain",
            seen=f"{len(later)} NACKs",
        )


@rule(
    "R92",
    "SYNC names the Seq after the highest that was sent and the oldest that can be repaired; after "
    "FIN nothing new of that origin follows.",
    source="protocol.md 17.6 R92",
    group="data",
    needs="history",
    vantage="S",
)
def r92(case: Case) -> Iterator[Outcome]:
    """Compare with the data seen leaving before and after."""
    for end in case.ends():
        for flow in flows(end).values():
            for packet in flow.syncs:
                if packet.direction == "out":
                    yield _lead(flow, packet)


def _lead(flow: Flow, packet: Packet) -> Outcome:
    message = read(packet, Sync)
    following = flow.next_unsent(packet.number)
    later = [
        copy
        for copy in flow.copies
        if copy.number > packet.number and message.sflags & SyncFlag.FIN
    ]
    right = following is None or message.seq == following
    return verify(
        right and not serial_before(message.seq, message.trail_seq) and not later,
        [packet, *later],
        expected=f"Seq {following}, TrailSeq not beyond it, and nothing new after FIN",
        seen=f"Seq {message.seq}, TrailSeq {message.trail_seq}"
        + (f", then DATA {read(later[0], Data).seq}" if later else ""),
    )


@rule(
    "R111",
    "DATA_ACK and NACK are sent only where lost data is repaired; their Seq counts them from 1 in "
    "each membership, and none is repeated.",
    source="protocol.md 17.6 R111",
    group="data",
    needs="history",
    vantage="S",
)
def r111(case: Case) -> Iterator[Outcome]:
    """Count along what each side sends."""
    for end in case.ends():
        for place, packet in enumerate(end.sent(DataAck, Nack), 1):
            message = packet.message
            if message is None or packet.direction != "out":
                continue
            yield verify(
                end.membership.repair and message.seq == place and message.attempt == 1,
                packet,
                expected=f"Seq {place}, Attempt 1, in a session that repairs",
                seen=f"Seq {message.seq}, Attempt {message.attempt}",
            )


@rule(
    "R115",
    "A NACK for what its receiver can still repair is answered by a repair.",
    source="protocol.md 17.6 R115",
    group="data",
    needs="history",
    vantage="R+S",
)
def r115(case: Case) -> Iterator[Outcome]:
    """Look for a repair, or for word that it is too late, after each NACK for what was sent."""
    for end in case.ends():
        sent = flows(end)
        for arrival in end.arrived(Nack):
            message = read(arrival, Nack)
            flow = sent.get(message.origin)
            over = min(end.aborted(), end.died)
            if flow is None or not end.started() < arrival.position < over:
                continue
            wanted = [
                packet
                for packet in flow.copies
                if packet.number < arrival.number
                and not _for_others(end, packet)
                and asked_for(arrival, flow.origin, read(packet, Data).seq)
            ]
            if not wanted or _lingered_out(end, arrival):
                continue
            first = read(wanted[0], Data).seq
            if _given_up(end, flow.origin, first, arrival) or _too_large(case, wanted[0], arrival):
                continue
            answers = [p for p in flow.repairs if read(p, Data).seq == first]
            answers += [p for p in flow.syncs if serial_before(first, read(p, Sync).trail_seq)]
            answers += end.sent(Abort)
            answers = [packet for packet in answers if packet.number > arrival.number]
            outcome = owed(
                case, arrival, answers, expected=f"DATA {first} again", due_to=f"NACK for {first}"
            )
            if outcome is not None:
                yield outcome


def _for_others(end: End, packet: Packet) -> bool:
    """Tell whether a message went to the group when its sender knew that this peer had left."""
    return is_multicast(packet.destination[0]) and end.peer_closed() < packet.position


def _given_up(end: End, origin: int, seq: int, arrival: Packet) -> bool:
    """Tell whether a NACK was overtaken by the word that its sender has everything.

    That is DATA_ACK, and CLOSE_ACK for what this side has sent of its own.
    """
    said = [
        (packet, read(packet, DataAck).rcv_next)
        for packet in end.arrived(DataAck)
        if read(packet, DataAck).origin == origin
    ]
    if origin == end.member_id:
        said += [(packet, read(packet, CloseAck).rcv_next) for packet in end.arrived(CloseAck)]
    return any(
        packet.number < arrival.number and serial_before(seq, bound) for packet, bound in said
    )


def _too_large(case: Case, packet: Packet, arrival: Packet) -> bool:
    """Tell whether the sender of a message knows that it does not get through to who asks.

    Word of that may come while the repair is being sent, so what comes soon counts as well.
    """
    due = case.settled(arrival.host, arrival.position) or arrival.position
    return not case.trace.fits(packet, arrival.host, arrival.source[0], due)


def _lingered_out(end: End, arrival: Packet) -> bool:
    """Tell whether a side may have forgotten the membership when something arrived."""
    over = end.ended()
    first_ns = min(
        (packet.time_ns for packet in end.membership.shelf.packets if packet.position >= over),
        default=arrival.time_ns,
    )
    return arrival.time_ns - first_ns > end.timers.linger_ms * 1_000_000


@rule(
    "R117",
    "ABORT(DATA_LOST) is sent only when a SYNC has said that what is missing cannot be repaired, "
    "when SYNC has promised it for too long, or when what a CLOSE with HALF speaks of has not come "
    "in time.",
    source="protocol.md 17.6 R117",
    group="data",
    needs="history",
    vantage="N",
)
def r117(case: Case) -> Iterator[Outcome]:
    """Look for the SYNC before every such ABORT."""
    for end in case.ends():
        for packet in end.sent(Abort):
            if read(packet, Abort).reason != AbortReason.DATA_LOST or packet.direction != "out":
                continue
            told = [place for place in lost_at(end) if place < packet.position]
            if told or _waited_out(end, packet):
                yield PASSED
            else:
                lost = "SYNC with TrailSeq beyond what came, or promises in vain"
                yield broken(packet, expected=lost, seen="none")


def _waited_out(end: End, abort: Packet) -> bool:
    """Tell whether data of a peer that closed its direction was missing, for T_DRAIN at least."""
    drain_ns = DRAIN_SHARE * 1e6 * end.timers.drain_ms
    there = inflows(end)[end.peer.member_id].rcv_next(abort.position)
    return there is not None and any(
        read(close, Close).cflags & CloseFlag.HALF
        and abort.time_ns - close.time_ns >= drain_ns
        and not serial_before(read(close, Close).final_seq, there)
        for close in end.closes
        if close.number < abort.number
    )
