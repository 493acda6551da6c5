"""Expect FD_CLOSE: at most one per socket, with the code of what ended its membership first."""

from collections.abc import Iterator
from dataclasses import dataclass

from mpwire.oracle.anchors import gave_up_after
from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.inbox import WINDOW_MESSAGES, complete_at, emptied_at, relays_complete_at
from mpwire.oracle.judgement import Level
from mpwire.oracle.membership import End, is_full
from mpwire.oracle.promises import lost_at
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.streams import inflows
from mpwire.oracle.trace import NEVER, START, Packet, Position
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import (
    Abort,
    Accept,
    Cancel,
    Close,
    CloseAck,
    Confirm,
    Message,
    Probe,
    Side,
)
from mpwire.wire.numbers import AbortReason, CloseAckFlag, CloseReason, HeaderFlag

DRAIN_SHARE = 0.9
"""T_DRAIN is no shorter than this share of what was announced."""
GIVING_UP = {
    int(AbortReason.PEER_DEAD): "EV18",
    int(AbortReason.NO_CONFIRM): "EV19",
    int(AbortReason.CLOSE_TIMEOUT): "EV19",
    int(AbortReason.LINGER0): "EV19",
    int(AbortReason.PROTOCOL): "EV19",
    int(AbortReason.DATA_LOST): "EV19",
}
"""Window rule of FD_CLOSE(WSAECONNABORTED) by the reason of the ABORT that left."""


GIVEN_UP: dict[int, type[Message]] = {
    int(AbortReason.PEER_DEAD): Probe,
    int(AbortReason.NO_CONFIRM): Accept,
    int(AbortReason.CLOSE_TIMEOUT): Close,
}
"""What stayed unanswered, by the reason of the ABORT that says so."""
PROBE_COPIES = 4


@dataclass(slots=True)
class Ending:
    """One thing that ends a membership for one side."""

    at: Position
    """Where the membership was over."""
    opens: Position
    """Where the event may be reported at the earliest."""
    code: int
    rule: str
    packet: Packet
    cause: str
    level: Level = Level.MUST
    settled: Position | None = None
    """Where this side said itself that it gave up."""
    done: Position | None = None
    """From where a barrier proves that the event had to be reported, if later than `opens`."""


def close_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect the FD_CLOSE of every handle whose membership ended, and the optional one of R."""
    folded = {id(attempt.folded) for attempt in case.history.attempts}
    for end in case.ends():
        socket = case.socket_of(end)
        if socket is None:
            continue
        endings = list(_endings(case, end, socket))
        if not end.is_root and id(end.membership) in folded:
            endings = _once_joined(end, endings)
        for ending in _first(case, end, endings):
            if ending.opens == NEVER:
                break
            yield expect(
                case,
                socket,
                "FD_CLOSE",
                rule=ending.rule,
                opens=ending.opens,
                code=ending.code,
                level=ending.level,
                frames=(ending.packet.number,),
                cause=ending.cause,
                settled=ending.settled if ending.done is None else ending.done,
            )
    for socket in case.sockets.all:
        if socket.kind is Kind.ROOT:
            yield _own_shutdown(case, socket)


def _once_joined(end: End, endings: list[Ending]) -> list[Ending]:
    """Leave out what ended a folded join before CONFIRM came: that is FD_CONNECT's matter."""
    confirms = [] if end.misfit else end.arrived(Confirm)
    return [one for one in endings if confirms and one.at > confirms[0].position]


def _first(case: Case, end: End, endings: list[Ending]) -> list[Ending]:
    """Choose the ending that came first, as a list of one or none.

    Who gives up had seen no other ending, although one may have been delivered while the ABORT
    was on its way out: so giving up comes first, unless a barrier proves the contrary.
    """
    endings.sort(key=lambda ending: ending.at)
    for ending in endings:
        if ending.settled is None:
            continue
        known = case.settled(end.host, endings[0].at)
        if ending is endings[0] or known is None or known > ending.at:
            return [ending]
    return endings[:1]


def _own_shutdown(case: Case, root: Socket) -> Expectation | None:
    """Allow FD_CLOSE(0) on R after its own shutdown, when all leaves have ended (RS16, D5)."""
    ending = [call for call in root.shutdowns if call.text("how") in ("SEND", "BOTH")]
    if not ending:
        return None
    over = [_over(one.root) for one in case.memberships_of(root)]
    last = max(over, default=START)
    if last == NEVER:
        return None
    return expect(
        case,
        root,
        "FD_CLOSE",
        rule="EV27",
        opens=max(ending[0].asked, last),
        level=Level.MAY,
        cause=f"{ending[0]} dismantled the session, and the last leaf had ended",
    )


def _over(end: End) -> Position:
    """Return where a membership can have been over for its root at the earliest.

    A half close of either side ends nothing until the other one's has come, or is acknowledged.
    """
    if end.started() == NEVER or end.sent(Abort, Cancel):
        return START
    own = {read(packet, Close).seq: is_full(packet) for packet in end.sent(Close)}
    ends = [packet for packet in end.closes if is_full(packet)]
    halves = [NEVER]
    for packet in end.arrived(CloseAck):
        if own.get(read(packet, CloseAck).seq) is False:
            halves.append(packet.position)
        elif own.get(read(packet, CloseAck).seq):
            ends.append(packet)
    ends += end.arrived(Abort, Cancel)
    both = max(min(halves), end.peer_closed())
    return min((packet.position for packet in ends), default=both)


def _endings(case: Case, end: End, socket: Socket) -> Iterator[Ending]:
    """Yield everything that ends the membership for this side, in no order."""
    yield from _by_close(case, end)
    yield from _by_acknowledgement(case, end)
    yield from _by_reset(end, socket)
    yield from _by_giving_up(case, end, socket)
    yield from _by_loss(case, end)


def _by_loss(case: Case, end: End) -> Iterator[Ending]:
    """This side's host lost its interface, which its agent learns from the kernel (EV28)."""
    for loss in case.losses:
        if loss.host == end.host and loss.begun > end.begun:
            yield Ending(
                loss.begun,
                loss.begun,
                int(WsaError.WSAENETDOWN),
                "EV28",
                end.membership.accept,
                f"{loss.host} lost its interface",
                done=loss.done,
            )
            return


def _by_close(case: Case, end: End) -> Iterator[Ending]:
    """A CLOSE arrived: graceful, once its data is complete and read (EV14-EV16, EV27)."""
    arrivals = end.closes
    if not arrivals:
        return
    arrival = arrivals[0]
    close = read(arrival, Close)
    complete = complete_at(end, close.final_seq, arrival.position)
    crossing = end.closed() < arrival.position
    rule = "EV15" if end.is_root else "EV14"
    if crossing:
        rule = "EV16" if end.is_root and _dismantling(end) else "EV27"
    if _side_missing(end, close.side_final_seq, arrival):
        lost = int(WsaError.WSAECONNABORTED)
        cause = f"CLOSE arrived in frame {arrival.number}, and side chat before it had not"
        at = arrival.position
        yield Ending(at, at, lost, "EV19", arrival, cause, Level.MAY)
        return
    yield _graceful(case, end, arrival, complete, rule)


def _side_missing(end: End, final: int, arrival: Packet) -> bool:
    """Tell whether side chat that a CLOSE speaks of had not been delivered before it."""
    seen = {read(p, Side).seq for p in end.arrived(Side) if p.number < arrival.number}
    return 0 < final <= WINDOW_MESSAGES and any(n not in seen for n in range(1, final + 1))


def _by_acknowledgement(case: Case, end: End) -> Iterator[Ending]:
    """A clean CLOSE_ACK for this side's own CLOSE arrived (EV16, EV27).

    What ends one direction only ends nothing yet (W78).
    """
    own = {read(packet, Close).seq for packet in end.sent(Close) if is_full(packet)}
    for arrival in end.arrived(CloseAck):
        ack = read(arrival, CloseAck)
        if ack.ack_flags & CloseAckFlag.DATA_MISSING or ack.seq not in own:
            continue
        complete = complete_at(end, ack.final_seq, arrival.position)
        rule = "EV16" if end.is_root and _dismantling(end) else "EV27"
        yield _graceful(case, end, arrival, complete, rule)
        return


def _dismantling(end: End) -> bool:
    return any(read(packet, Close).reason == CloseReason.DISMANTLE for packet in end.sent(Close))


def _graceful(
    case: Case, end: End, arrival: Packet, complete: Position | None, rule: str
) -> Ending:
    """Build an ending with code 0: it waits for data that is missing, then for the reader."""
    name = "CLOSE" if isinstance(arrival.message, Close) else "CLOSE_ACK"
    cause = f"{name} arrived in frame {arrival.number}"
    if complete is None:
        return _drained(case, end, arrival, rule, cause)
    relays = relays_complete_at(end, complete)
    emptied = emptied_at(case, end)
    level = Level.MUST if relays is not None else Level.MAY
    if emptied is None:
        socket = case.socket_of(end)
        shutdowns = socket.shutdowns if socket is not None else []
        deaf = any(call.text("how") in ("RECEIVE", "BOTH") for call in shutdowns)
        emptied, level = (START, Level.MAY) if deaf else (NEVER, Level.MUST)
    opens = max(complete, emptied)
    settled = max(opens, relays) if relays is not None else None
    return Ending(complete, opens, 0, rule, arrival, cause, level, done=settled)


def _drained(case: Case, end: End, arrival: Packet, rule: str, cause: str) -> Ending:
    """Build the ending of a side whose data stayed incomplete: T_DRAIN passes first (EV19).

    It begins anew with whatever fills a part of the gap, and with copies of CLOSE. A session that
    repairs then says that it failed; one that does not has lost nothing it promised.
    """
    drain_ns = end.timers.drain_ms * 1_000_000
    certain, possible = _restarts(case, end, arrival)
    begun_ns = _last_in_time(arrival.time_ns, certain, int(DRAIN_SHARE * drain_ns))
    opens = case.trace.moment(begun_ns + int(DRAIN_SHARE * drain_ns))
    begun_ns = _last_in_time(arrival.time_ns, possible, 2 * drain_ns)
    known = case.settled(end.host, case.trace.moment(begun_ns + 2 * drain_ns))
    code = 0
    if end.membership.repair:
        code, rule = int(WsaError.WSAECONNABORTED), "EV19"
    return Ending(
        (arrival.number + 1, 0),
        max(opens, arrival.position),
        code,
        rule,
        arrival,
        f"{cause} and data before it never came",
        Level.MUST if known is not None and code else Level.MAY,
        done=known,
    )


def _restarts(case: Case, end: End, arrival: Packet) -> tuple[list[int], list[int]]:
    """List when the wait for missing data certainly began anew, and when it may have, in order."""
    flows = inflows(end).values()
    copies = [packet.position for packet in end.closes] if end.membership.repair else []
    moved = [place for inflow in flows for place in inflow.progress()]
    came = [packet.position for inflow in flows for packet in inflow.arrivals]
    certain, possible = (
        sorted(case.trace.when(place) for place in places if place > arrival.position)
        for places in ([*moved, *copies], [*came, *copies])
    )
    return certain, possible


def _last_in_time(begun_ns: int, restarts: list[int], patience_ns: int) -> int:
    """Return the last of those that came before the wait begun by the one before was over."""
    for restart_ns in restarts:
        if restart_ns >= begun_ns + patience_ns:
            break
        begun_ns = restart_ns
    return begun_ns


def _by_reset(end: End, socket: Socket) -> Iterator[Ending]:
    """A valid ABORT arrived, or a CANCEL for what was already accepted (EV17).

    A CANCEL that was delivered before ACCEPT left may have been worked off after it.
    """
    for arrival in end.arrived(Abort):
        message = read(arrival, Abort)
        reflected = bool(message.flags & HeaderFlag.R)
        tag = end.peer.tag if reflected else end.tag
        if message.destination_tag == tag and arrival.position > _begun(end):
            yield _reset(arrival, arrival.position, "ABORT")
            break
    if not end.is_initiator:
        for arrival in end.arrived(Cancel)[:1]:
            where = max(arrival.position, socket.created)
            yield _reset(arrival, where, "CANCEL after ACCEPT")


def _begun(end: End) -> Position:
    """Return from where this side has something to lose."""
    if end.is_initiator:
        arrived = end.arrived(Accept)
        return arrived[0].position if arrived else NEVER
    return end.started()


def _reset(arrival: Packet, where: Position, name: str) -> Ending:
    cause = f"{name} arrived in frame {arrival.number}"
    return Ending(where, where, int(WsaError.WSAECONNRESET), "EV17", arrival, cause)


def _by_giving_up(case: Case, end: End, socket: Socket) -> Iterator[Ending]:
    """This side gave up and said so by ABORT; the event may be seen before the frame (EV18-19)."""
    if end.is_initiator and end.started() == NEVER:
        return
    for packet in end.sent(Abort):
        message = read(packet, Abort)
        rule = GIVING_UP.get(message.reason)
        if rule is None or message.flags & HeaderFlag.R:
            continue
        before = [
            one.position for one in end.sent(Accept, Close, Probe) if one.number < packet.number
        ]
        opens = sorted(before)[-2:][0] if before else _begun(end)
        if message.reason in GIVEN_UP:
            kind = GIVEN_UP[message.reason]
            copies = PROBE_COPIES if kind is Probe else end.timers.mrc
            patience = gave_up_after(case, end, packet, kind, copies)
            opens = max(opens, case.trace.moment(patience))
        if message.reason == AbortReason.DATA_LOST:
            opens = min(lost_at(end), default=packet.position)
        if message.reason == AbortReason.LINGER0:
            if socket.parent is None or not socket.parent.closed < packet.position:
                continue
            opens = socket.parent.closed
        yield Ending(
            packet.position,
            opens,
            int(WsaError.WSAECONNABORTED),
            rule,
            packet,
            f"ABORT({message.reason}) left in frame {packet.number}",
            settled=packet.position,
        )
        return
