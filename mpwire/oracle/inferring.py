"""Infer from packets alone what each endpoint's sockets report: the timeline nobody wrote down.

MUST is what an application sees that asked for the event and left its sockets open; MAY is what
depends on something the capture does not show. Everything else of that kind must not be reported.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from mpwire.capture import Frame, RunFile
from mpwire.capture.frames import Datagram, decode_frame
from mpwire.capture.sightings import seen_once
from mpwire.oracle.collecting import collecting_once
from mpwire.oracle.expectations import Expectation
from mpwire.oracle.imagined import imagine, proved
from mpwire.oracle.judgement import Level
from mpwire.oracle.sockets import Kind, Socket
from mpwire.oracle.staging import Stage
from mpwire.oracle.trace import NEVER, is_multicast
from mpwire.wire.messages import Abort
from mpwire.wire.numbers import AbortReason

CLOSED = "unless the application had closed the socket"
FRAME = re.compile(r"frame (\d+)")
CALL = re.compile(r"call \d+ (\w+)")
DEAD = "unless the process had ended, for which its peer took it"
ICMP = "or with the code of an ICMP error"
UNSEEN = "if the frame arrived, which nobody captured"


class SocketRole(StrEnum):
    """What a socket is, as far as packets tell."""

    SESSION = "c_root"
    HANDLE = "leaf handle"
    LEAF = "c_leaf"
    LISTENER = "listening c_leaf"
    ACCEPTED = "accepted c_leaf"


class InferredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one socket."""

    event: str
    code: int
    level: Level
    rule: str
    frames: tuple[int, ...]
    """Frames of the capture that cause it."""
    time_ns: int
    cause: str
    """The cause in words."""
    condition: str = ""
    """What it depends on, for MAY."""


class InferredSocket(msgspec.Struct, frozen=True, kw_only=True):
    """One socket that must have been there, and all that it may report."""

    endpoint: str
    """Address and port, "10.77.0.2:61717"."""
    role: SocketRole
    peer: str
    """Address and port of the other side; empty for a socket that has many."""
    events: list[InferredEvent]
    """In order; whatever is not here must not be reported, unless `in_part`."""
    in_part: bool = False
    """It may have peers that the capture does not show, who may cause more events."""


@collecting_once
def infer(run: RunFile) -> list[InferredSocket]:
    """Return the sockets of all endpoints of a capture, by endpoint and in order of appearance."""
    frames, _ = seen_once(run.frames)
    case, staged = imagine(msgspec.structs.replace(run, frames=frames))
    certain = proved(case)
    buried = {
        packet.number
        for packet in case.delivered
        if isinstance(packet.message, Abort) and packet.message.reason == AbortReason.PEER_DEAD
    }
    times = {frame.number: frame.time_ns for frame in run.frames}
    timeline: dict[Socket, list[InferredEvent]] = {socket: [] for socket in case.sockets.all}
    whole = _seen_whole(frames)
    expected = [one for one in case.events.expectations if one.opens < NEVER]
    for one in sorted(expected, key=lambda one: one.opens):
        timeline[one.socket].append(_event(one, staged, certain, buried, times))
    found = [
        InferredSocket(
            endpoint=_named(socket.local),
            role=_role(socket),
            peer=_named(_peer(socket)),
            events=events,
            in_part=whole is not None and _peer(socket) is None and _address(socket) not in whole,
        )
        for socket, events in timeline.items()
    ]
    return sorted((one for one in found if one.events), key=lambda one: one.endpoint)


def _seen_whole(frames: Iterable[Frame]) -> set[str] | None:
    """Return the addresses of hosts all of whose packets were captured; None: of all of them.

    That is where frames are seen to leave; without directions the one address that is an end of all
    datagrams. Where there is none, the capture was taken between the hosts.
    """
    common: set[str] | None = None
    leaving: set[str] = set()
    for frame in frames:
        datagram = decode_frame(frame.linktype, frame.data)
        if not isinstance(datagram, Datagram) or is_multicast(datagram.destination[0]):
            continue
        ends = {datagram.source[0], datagram.destination[0]}
        common = ends if common is None else common & ends
        if frame.direction == "out":
            leaving.add(datagram.source[0])
    if leaving or not common:
        return leaving or None
    return common if len(common) == 1 else set()


def _event(
    one: Expectation,
    staged: Stage,
    certain: set[int],
    buried: set[int],
    times: dict[int, int],
) -> InferredEvent:
    shown = [staged.origin[number] for number in one.frames if number in staged.origin]
    conditions = list(dict.fromkeys(_conditions(one, staged, certain, buried)))
    at = staged.origin.get(one.opens[0], shown[-1] if shown else 0)
    return InferredEvent(
        event=one.event,
        code=one.code,
        level=Level.MUST if one.level is Level.MUST and not conditions else Level.MAY,
        rule=one.rule,
        frames=tuple(dict.fromkeys(shown)),
        time_ns=times.get(at, 0),
        cause=_retold(one.cause, staged),
        condition="; ".join(conditions),
    )


def _conditions(
    one: Expectation, staged: Stage, certain: set[int], buried: set[int]
) -> Iterator[str]:
    if any(number in staged.imagined and number not in certain for number in one.frames):
        yield UNSEEN
    if one.rule == "EV6":
        yield ICMP
    if one.event == "FD_CLOSE":
        if any(number in buried for number in one.frames):
            yield DEAD
        parent = one.socket.parent
        ended = [*one.socket.shutdowns, *(parent.shutdowns if parent else ())]
        closed = parent is not None and parent.closed <= one.opens
        if closed or any(call.asked <= one.opens for call in ended):
            yield CLOSED


def _retold(cause: str, staged: Stage) -> str:
    """Name the frames of the capture in a cause, not those of the stage, and no imagined call."""
    told = CALL.sub(r"the application's \1", cause)
    return FRAME.sub(lambda found: f"frame {staged.origin[int(found[1])]}", told)


def _role(socket: Socket) -> SocketRole:
    if socket.kind is Kind.LEAF and socket.listening < NEVER:
        return SocketRole.LISTENER
    return {
        Kind.ROOT: SocketRole.SESSION,
        Kind.HANDLE: SocketRole.HANDLE,
        Kind.LEAF: SocketRole.LEAF,
        Kind.ACCEPTED: SocketRole.ACCEPTED,
    }[socket.kind]


def _peer(socket: Socket) -> tuple[str, int] | None:
    if socket.attempt is None or socket.kind is Kind.ROOT:
        return None
    return socket.attempt.leaf if socket.kind is Kind.HANDLE else socket.attempt.root


def _address(socket: Socket) -> str:
    return socket.local[0] if socket.local else ""


def _named(endpoint: tuple[str, int] | None) -> str:
    return f"{endpoint[0]}:{endpoint[1]}" if endpoint else ""
