"""Expect FD_CLOSE: at most one per socket, with the code of what ended its membership first."""

from collections.abc import Iterator
from dataclasses import dataclass

from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.inbox import complete_at, emptied_at
from mpwire.oracle.judgement import Level
from mpwire.oracle.membership import End
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Abort, Accept, Cancel, Close, CloseAck, Probe
from mpwire.wire.numbers import AbortReason, CloseAckFlag, CloseReason, HeaderFlag

GIVING_UP = {
    int(AbortReason.PEER_DEAD): "EV18",
    int(AbortReason.NO_CONFIRM): "EV19",
    int(AbortReason.CLOSE_TIMEOUT): "EV19",
    int(AbortReason.LINGER0): "EV19",
    int(AbortReason.PROTOCOL): "EV19",
}
"""Window rule of FD_CLOSE(WSAECONNABORTED) by the reason of the ABORT that left."""


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


def close_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect the FD_CLOSE of every handle whose membership ended, and the optional one of R."""
    for end in case.ends():
        socket = case.socket_of(end)
        if socket is None:
            continue
        for ending in _first(case, end, list(_endings(case, end, socket))):
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
                settled=ending.settled,
            )
    for socket in case.sockets.all:
        if socket.kind is Kind.ROOT:
            yield _own_shutdown(case, socket)


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
    return expect(
        case,
        root,
        "FD_CLOSE",
        rule="EV27",
        opens=ending[0].asked,
        level=Level.MAY,
        cause=f"{ending[0]} dismantled the session",
    )


def _endings(case: Case, end: End, socket: Socket) -> Iterator[Ending]:
    """Yield everything that ends the membership for this side, in no order."""
    yield from _by_close(case, end)
    yield from _by_acknowledgement(case, end)
    yield from _by_reset(end, socket)
    yield from _by_giving_up(end, socket)


def _by_close(case: Case, end: End) -> Iterator[Ending]:
    """A CLOSE arrived: graceful, once its data is complete and read (EV14-EV16, EV27)."""
    arrivals = end.arrived(Close)
    if not arrivals:
        return
    arrival = arrivals[0]
    close = read(arrival, Close)
    complete = complete_at(end, close.final_seq, arrival.position)
    crossing = end.closed() < arrival.position
    rule = "EV15" if end.is_root else "EV14"
    if crossing:
        rule = "EV16" if end.is_root and _dismantling(end) else "EV27"
    yield _graceful(case, end, arrival, complete, rule)


def _by_acknowledgement(case: Case, end: End) -> Iterator[Ending]:
    """A clean CLOSE_ACK for this side's own CLOSE arrived (EV16, EV27)."""
    for arrival in end.arrived(CloseAck):
        ack = read(arrival, CloseAck)
        if ack.ack_flags & CloseAckFlag.DATA_MISSING:
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
        lost = int(WsaError.WSAECONNABORTED) if end.membership.repair else 0
        at = (arrival.number + 1, 0)
        return Ending(at, arrival.position, lost, rule, arrival, cause, Level.MAY)
    emptied = emptied_at(case, end)
    level = Level.MUST
    if emptied is None:
        socket = case.socket_of(end)
        shutdowns = socket.shutdowns if socket is not None else []
        deaf = any(call.text("how") in ("RECEIVE", "BOTH") for call in shutdowns)
        emptied, level = ((0, 0), Level.MAY) if deaf else (NEVER, Level.MUST)
    return Ending(complete, max(complete, emptied), 0, rule, arrival, cause, level)


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


def _by_giving_up(end: End, socket: Socket) -> Iterator[Ending]:
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
