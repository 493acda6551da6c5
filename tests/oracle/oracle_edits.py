"""Changes that make a correct story wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import msgspec

from mpwire.wire.messages import Accept, Close, JoinReq, Message, Pending, Reject, VersionNeg
from tests.oracle.oracle_asides import meeting
from tests.oracle.oracle_plots import SESSION
from tests.oracle.oracle_story import (
    ADDRESSES,
    NAMES,
    PORT,
    Line,
    Move,
    Send,
    Wait,
    after,
    altered,
    barriers,
    before,
    changed,
    encode_any,
    find,
    message_of,
    remade,
    the,
    without,
)

Plotted = Callable[[], list[Move]]
Edit = Callable[[list[Move]], list[Move]]


class Fault(NamedTuple):
    """A story gone wrong and the rule that must say so."""

    rule: str
    plot: Plotted
    edit: Edit


def octets(label: str, change: Callable[[bytearray], bytearray]) -> Edit:
    """Return an edit of the encoded message; Length is put right afterwards."""

    def edit(moves: list[Move]) -> list[Move]:
        data = change(bytearray(encode_any(message_of(moves, label))))
        data[6:8] = len(data).to_bytes(2, "big")
        return remade(moves, label, octets=bytes(data))

    return edit


def setting(place: int, value: int, label: str) -> Edit:
    """Return an edit that sets one octet."""

    def change(data: bytearray) -> bytearray:
        data[place] = value
        return data

    return octets(label, change)


def appending(label: str, tlv: str) -> Edit:
    """Return an edit that appends octets."""
    return octets(label, lambda data: data + bytes.fromhex(tlv))


def fields(label: str, **changes: object) -> Edit:
    """Return an edit of a message's or line's fields."""
    return lambda moves: altered(moves, label, **changes)


def moves_of(label: str, **changes: object) -> Edit:
    """Return an edit of a move's own fields."""
    return lambda moves: remade(moves, label, **changes)


def lacking(*labels: str) -> Edit:
    """Return an edit that leaves moves out."""
    return lambda moves: without(moves, *labels)


def again(label: str, **changes: object) -> Edit:
    """Return an edit that repeats a move, perhaps changed."""
    return lambda moves: after(moves, label, _copy(moves, label, changes))


def _copy(moves: list[Move], label: str, changes: dict[str, object]) -> Move:
    move = the(moves, label)
    copy = changed(move, **changes) if changes else move
    return replace(copy, label=f"{label} again")


def event(host: str, socket: int, name: str, code: int = 0) -> Line:
    """Return an event line."""
    content = {"event": name, "socket": socket, "code": code, "seq": 0}
    return Line(f"stray {name}", host, "from", content)


def saying(label: str, line: Line) -> Edit:
    """Return an edit that puts an event line behind a move."""
    return lambda moves: after(moves, label, line)


def moved(label: str, *, ahead_of: str) -> Edit:
    """Return an edit that lets something happen before something else."""
    return lambda moves: before(without(moves, label), ahead_of, the(moves, label))


def answering(label: str, **answer: object) -> Edit:
    """Return an edit of how a call was answered."""

    def edit(moves: list[Move]) -> list[Move]:
        place = find(moves, label)
        line = moves[place]
        assert isinstance(line, Line)
        content = {"id": line.content["id"], **answer}
        return [*moves[:place], replace(line, content=content), *moves[place + 1 :]]

    return edit


def sending(label: str, source: str, target: str, message: Callable[[list[Move]], Message]) -> Edit:
    """Return an edit that puts a datagram behind a move."""
    return lambda moves: after(moves, label, Send("stray", source, target, message(moves)))


def other(label: str, **changes: object) -> Callable[[list[Move]], Message]:
    """Return a message like the one with a label, changed."""

    def build(moves: list[Move]) -> Message:
        moved_message = changed(the(moves, label), **changes)
        assert isinstance(moved_message, Send)
        assert moved_message.message is not None
        return moved_message.message

    return build


def forgotten(moves: list[Move]) -> list[Move]:
    """Let the root forget leaf3 in a dismantling."""
    return without(moves, "leaf3 CLOSE", "leaf3 FD_CLOSE", "leaf3 CLOSE_ACK", "leaf3 FD_CLOSE P")


def rejecting(moves: list[Move]) -> list[Move]:
    """Let the root reject what it has accepted."""
    accept = message_of(moves, "leaf1 ACCEPT")
    assert isinstance(accept, Accept)
    reject = Reject(
        reason=1,
        retry_after_s=0,
        detail=0,
        session_id=SESSION,
        sender_id=1,
        attempt=2,
        seq=accept.seq,
        destination_tag=accept.destination_tag,
    )
    return after(moves, "leaf1 ACCEPT", Send("REJECT", "root", "leaf1", reject))


def admitting(moves: list[Move]) -> list[Move]:
    """Let a root that dismantles its session queue a request."""
    reject = message_of(moves, "REJECT")
    pending = Pending(
        resp_tag=0x7777,
        state=1,
        queue_pos=1,
        poll_ms=5000,
        attempt=2,
        sender_id=1,
        session_id=SESSION,
        seq=reject.seq,
        destination_tag=reject.destination_tag,
    )
    return before(moves, "REJECT", Send("PENDING", "root", "leaf2", pending))


def courteous(moves: list[Move]) -> list[Move]:
    """Let a root answer a peer that it invites itself."""
    challenge = message_of(moves, "CHALLENGE to leaf1")
    pending = Pending(
        resp_tag=0x7777,
        state=1,
        queue_pos=1,
        poll_ms=5000,
        sender_id=1,
        session_id=SESSION,
        seq=challenge.seq,
        destination_tag=challenge.destination_tag,
    )
    return before(moves, "ACCEPT", Send("PENDING", "root", "leaf1", pending))


def twice() -> list[Move]:
    """Let a leaf become a member twice from one address."""
    tale, _ = meeting("leaf1")
    tale.join("leaf1", 1)
    return tale.moves


def chatter() -> list[Move]:
    """Let the root say two things before the leaf reads."""
    tale, (join,) = meeting("leaf1")
    for text in (b"one", b"two"):
        tale.call(f"send {text!r}", "root", "send", {"octets": 3}, socket=1, data=text.hex())
        data = tale.data(text, 1, tale.next_root, join.leaf_tag)
        tale.send(f"DATA {text!r}", "root", "leaf1", data)
        tale.next_root += 1
    tale.event("FD_READ one", "leaf1", 1, "FD_READ")
    tale.barrier()
    tale.call("recv one", "leaf1", "recv", {"data": b"one".hex()}, socket=1)
    tale.event("FD_READ two", "leaf1", 1, "FD_READ")
    tale.barrier()
    tale.call("recv two", "leaf1", "recv", {"data": b"two".hex()}, socket=1)
    tale.barrier()
    return tale.moves


def late_copy(moves: list[Move]) -> list[Move]:
    """Let a joined leaf ask again."""
    copy = other("leaf1 JOIN_REQ 2", attempt=3)(moves)
    return after(moves, "leaf2 invite?", Send("JOIN_REQ 3", "leaf1", "root", copy))


def stuck(moves: list[Move]) -> list[Move]:
    """Let a request that nobody answers stay open for ever."""
    return [*without(moves, "FD_CONNECT", "CANCEL"), Wait("for ever", 300)]


def swapped_reads(moves: list[Move]) -> list[Move]:
    """Let a leaf receive the second message first."""
    one, two = b"one".hex(), b"two".hex()
    moves = answering("recv one!", result={"data": two})(moves)
    return answering("recv two!", result={"data": one})(moves)


def stranger(moves: list[Move]) -> list[Move]:
    """Let the root end what it never began."""
    close = message_of(moves, "leaf1 CLOSE")
    assert isinstance(close, Close)
    return before(moves, "leaf1 ACCEPT", Send("CLOSE", "leaf1", "root", close))


def closing_silently(moves: list[Move]) -> list[Move]:
    """Let a leaf close its socket and tell nobody."""
    moves = without(moves, "leaf1 CLOSE", "leaf1 CLOSE_ACK", "leaf1 FD_CLOSE P")
    return [*moves, *barriers("leaf1", 1), Wait("long", 8), *barriers("leaf1", 2, 800)]


def eager(moves: list[Move]) -> list[Move]:
    """Let a leaf report FD_WRITE before FD_CONNECT."""
    return moved("leaf1 FD_WRITE", ahead_of="leaf1 FD_CONNECT")(moves)


def reading_again(moves: list[Move]) -> list[Move]:
    """Let a leaf receive one message twice."""
    data = {"data": b"hello".hex()}
    asked = Line("again?", "leaf1", "to", {"id": 900, "call": "recv", "args": {"socket": 1}})
    said = Line("again!", "leaf1", "from", {"id": 900, "result": data})
    return after(moves, "recv b'hello' leaf1!", asked, said)


def blind_read(moves: list[Move]) -> list[Move]:
    """Let a receive say that there is nothing while a message waits."""
    asked = Line("blind?", "leaf1", "to", {"id": 900, "call": "recv", "args": {"socket": 1}})
    error = {"code": 10035, "name": "WSAEWOULDBLOCK"}
    said = Line("blind!", "leaf1", "from", {"id": 900, "error": error})
    return before(moves, "recv b'hello' leaf1?", asked, said)


def over(code: int) -> dict[str, object]:
    """Return the error of an answer."""
    return {"code": code, "name": "X"}


def accepted(leaf: str, *, socket: int = 2, caller_data: str | None = None) -> dict[str, object]:
    """Return the result of an accept."""
    address = [ADDRESSES[leaf], PORT]
    return {"socket": socket, "address": address, "caller_data": caller_data}


def longer(label: str) -> Edit:
    """Return an edit that puts octets behind what Length covers."""
    return lambda moves: remade(
        moves, label, octets=encode_any(message_of(moves, label)) + bytes(4)
    )


def with_the_peers_tag(moves: list[Move]) -> list[Move]:
    """Let the root choose the tag that leaf1 has chosen."""
    request = message_of(moves, "leaf1 JOIN_REQ 1")
    assert isinstance(request, JoinReq)
    return altered(moves, "leaf1 PENDING", resp_tag=request.init_tag)


def repeated_late(label: str, place: str) -> Edit:
    """Return an edit that repeats a request behind the barriers that follow a move."""

    def edit(moves: list[Move]) -> list[Move]:
        end = find(moves, place) + 1 + 2 * len(NAMES)
        message = message_of(moves, label)
        copy = msgspec.structs.replace(message, attempt=2)
        first = moves[find(moves, label)]
        assert isinstance(first, Send)
        late = replace(first, label="late", message=copy)
        return [*moves[:end], Wait("late", 1), late, *moves[end:]]

    return edit


def reflecting(moves: list[Move]) -> list[Move]:
    """Let a host answer an ABORT."""
    abort = message_of(moves, "ABORT")
    copy = msgspec.structs.replace(abort, flags=0x80, sender_id=0, destination_tag=0x4242)
    cause = msgspec.structs.replace(abort, destination_tag=0x4242)
    return after(
        moves, "ABORT", Send("cause", "root", "leaf1", cause), Send("R", "leaf1", "root", copy)
    )


def gave_up_silently(moves: list[Move]) -> list[Move]:
    """Let an acceptor give up and say nothing."""
    return [*without(moves, "ABORT"), Wait("long", 60), *barriers("root", 2)]


def probing_after_abort(moves: list[Move]) -> list[Move]:
    """Let a root probe a peer that it has declared dead."""
    probe = msgspec.structs.replace(message_of(moves, "PROBE 1"), seq=31)
    return after(moves, "ABORT", Send("PROBE", "root", "leaf1", probe))


def accepting_late(moves: list[Move]) -> list[Move]:
    """Let a root admit somebody to a dismantled session."""
    reject = message_of(moves, "REJECT")
    accept = msgspec.structs.replace(
        message_of(moves, "leaf1 ACCEPT"),
        resp_tag=0x7777,
        assigned_id=9,
        seq=reject.seq,
        destination_tag=reject.destination_tag,
    )
    return before(moves, "REJECT", Send("ACCEPT", "root", "leaf2", accept))


def timers(label: str, **changes: int) -> Edit:
    """Return an edit of announced timers."""

    def edit(moves: list[Move]) -> list[Move]:
        message = message_of(moves, label)
        assert isinstance(message, Accept)
        announced = msgspec.structs.replace(message.timers, **changes)
        return altered(moves, label, timers=announced)

    return edit


def again_with_timers(moves: list[Move]) -> list[Move]:
    """Let a copy of ACCEPT announce other timers than the first."""
    message = message_of(moves, "leaf1 ACCEPT")
    assert isinstance(message, Accept)
    announced = msgspec.structs.replace(message.timers, linger_ms=50000)
    copy = msgspec.structs.replace(message, attempt=2, timers=announced)
    return after(moves, "leaf1 ACCEPT", Send("copy", "root", "leaf1", copy))


def neg(moves: list[Move]) -> list[Move]:
    """Let a root refuse a version that it speaks."""
    challenge = message_of(moves, "leaf1 CHALLENGE")
    answer = VersionNeg(versions=(1,), seq=challenge.seq, destination_tag=challenge.destination_tag)
    return before(moves, "leaf1 CHALLENGE", Send("VERSION_NEG", "root", "leaf1", answer))
