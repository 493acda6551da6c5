"""Expect FD_WRITE: the first where a socket becomes usable, later ones after EWOULDBLOCK."""

from collections.abc import Iterator

from mpwire.oracle.aims import appearances, awaits_d_root, collects, leads
from mpwire.oracle.calls import Call
from mpwire.oracle.case import Case
from mpwire.oracle.expectations import Expectation, expect
from mpwire.oracle.inbox import may_receive
from mpwire.oracle.judgement import Level
from mpwire.oracle.membership import End
from mpwire.oracle.opening import Opening
from mpwire.oracle.serial import serial_before
from mpwire.oracle.sockets import Socket
from mpwire.oracle.streams import Limits, acks_of, flows
from mpwire.oracle.trace import NEVER, Packet, Position
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Accept, Close, Confirm, DataAck
from mpwire.wire.numbers import Capability, LeafDirection


def write_expectations(case: Case) -> Iterator[Expectation | None]:
    """Expect the first FD_WRITE where a socket becomes usable, later ones after EWOULDBLOCK."""
    served: set[Socket] = set()
    for membership in sorted(case.history.memberships, key=lambda one: one.accept.number):
        for end in membership.ends:
            socket = case.session_socket(end)
            usable = usable_since(case, end)
            if socket is None or usable is None or awaits_d_root(case, end):
                continue
            first = socket not in served and not end.misfit
            served |= set() if end.misfit else {socket}
            may_send = bool(membership.leaf_dir & sending(end))
            if first and may_send:
                yield _first_write(case, socket, usable)
            elif may_send and (end.is_root or end.misfit):
                yield _first_write(case, socket, usable, Level.MAY)
            if membership.caps & Capability.SIDECHAT and end.is_root:
                handle = case.socket_of(end)
                if handle is not None:
                    yield _first_write(case, handle, usable, Level.MAY)
    for opening in case.openings:
        if opening.sends and (leads(opening) or not collects(opening) or not opening.receives):
            yield expect(
                case,
                opening.socket,
                "FD_WRITE",
                rule="EV9",
                opens=opening.call.asked,
                level=Level.MUST if opening.began != NEVER else Level.MAY,
                cause=f"{opening.call} joined a group",
                settled=opening.began if opening.began != NEVER else None,
            )
        elif opening.sends:
            yield from _heard_of(case, opening)
    for socket in case.sockets.all:
        for call in socket.sends:
            if call.error == WsaError.WSAEWOULDBLOCK:
                yield _again(case, socket, call)


def _heard_of(case: Case, opening: Opening) -> Iterator[Expectation | None]:
    """Expect FD_WRITE when a participant hears of a d_root; of another one it may be told, too."""
    for place, packet in enumerate(appearances(case, opening)):
        settled = max(opening.began, packet.position)
        certain = place == 0 and opening.began != NEVER
        yield expect(
            case,
            opening.socket,
            "FD_WRITE",
            rule="EV9",
            opens=packet.position,
            level=Level.MUST if certain else Level.MAY,
            frames=(packet.number,),
            cause=f"ANNOUNCE in frame {packet.number} told of a d_root",
            settled=settled if certain else None,
        )


def _again(case: Case, socket: Socket, call: Call) -> Expectation | None:
    """Expect FD_WRITE after a send that would have blocked, once every receiver has room (D35)."""
    room = _room_at(case, socket, call)
    deaf = any(one.asked < (room or NEVER) for one in socket.shutdowns)
    return expect(
        case,
        socket,
        "FD_WRITE",
        rule="EV10",
        opens=room or call.asked,
        level=Level.MAY if room is None or deaf else Level.MUST,
        cause=f"{call} would have blocked"
        + ("" if room is None else f", and every receiver had room after frame {room[0]}"),
    )


def _room_at(case: Case, socket: Socket, call: Call) -> Position | None:
    """Return where the last receiver that had no room had made some; None: not to be known.

    Without repair nobody says how much may come. Where somebody had room all along, or where a
    receiver went instead of reading, the record does not say what the sender waited for.
    """
    latest: Position | None = None
    for end in case.ends():
        if case.session_socket(end) is not socket or not may_receive(end.peer):
            continue
        if not end.started() < call.asked or end.ended() < call.asked:
            continue
        start = end.next_data_seq
        if not end.membership.repair or start is None or end.ended() < NEVER:
            return None
        limits = Limits(start, acks_of(end.arrived(DataAck), end.member_id))
        unsent = flows(end)[end.member_id].next_unsent(call.asked[0] + 1) or start
        if serial_before(unsent, limits.at(call.asked)):
            continue
        made = [
            packet.position
            for packet in end.arrived(DataAck)
            if serial_before(unsent, limits.at((packet.number, 1)))
        ]
        if not made:
            return None
        latest = max(latest or made[0], made[0])
    return latest


def sending(end: End) -> LeafDirection:
    """Say which direction of a membership lets a side send."""
    return LeafDirection.RECEIVE if end.is_root else LeafDirection.SEND


def _first_write(
    case: Case,
    socket: Socket,
    usable: tuple[Position, Packet],
    level: Level = Level.MUST,
) -> Expectation | None:
    opens, packet = usable
    known = case.settled(socket.host, packet.position) or NEVER
    over = any(one.text("how") != "RECEIVE" and one.asked < known for one in socket.shutdowns)
    if over or isinstance(packet.message, Close):  # it ended at once, or had ended before
        level = Level.MAY
    return expect(
        case,
        socket,
        "FD_WRITE",
        rule="EV9",
        opens=opens,
        level=level,
        frames=(packet.number,),
        cause=f"{type(packet.message).__name__.upper()} in frame {packet.number} made it usable",
        settled=packet.position,
    )


def usable_since(case: Case, end: End) -> tuple[Position, Packet] | None:
    """Return from where a side may be reported writable, and the packet that makes it a member.

    An acceptor is usable when its accept call returns (W47), and certainly once its membership
    is confirmed.
    """
    if end.is_initiator:
        arrived = [p for p in end.arrived(Accept) if end.sent(Confirm)]
        if not arrived and end.sent(Confirm):
            return None
        return (arrived[0].position, arrived[0]) if arrived else None
    proofs = end.proofs()
    handle = case.socket_of(end)
    if handle is None or not proofs:
        return None
    return handle.created, proofs[0]
