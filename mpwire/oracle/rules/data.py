"""DR1-DR6: what was received against what was sent."""

from collections import Counter, deque
from collections.abc import Iterator

from mpwire.oracle.aims import awaits_d_root
from mpwire.oracle.calls import Call
from mpwire.oracle.case import Case
from mpwire.oracle.inbox import Deliverable, may_receive, payload_of, readers, reads
from mpwire.oracle.membership import End
from mpwire.oracle.registry import PASSED, Outcome, rule
from mpwire.oracle.rules.calls import said
from mpwire.oracle.rules.closing import joined_at
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import Socket
from mpwire.oracle.streams import originated
from mpwire.oracle.trace import NEVER, START, Packet, Position
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Ack, Data, Side


def _received(case: Case) -> Iterator[tuple[Socket, list[Deliverable], list[Call]]]:
    for socket, given in readers(case):
        yield socket, given, reads(socket)


@rule(
    "DR1",
    "Every receive returns one message that had been delivered to that socket.",
    source="semantics W56-W58",
    group="data",
    needs="events",
    vantage="E",
)
def dr1(case: Case) -> Iterator[Outcome]:
    """Find the delivered payload of every receive."""
    for socket, given, taken in _received(case):
        released: dict[str, Position] = {}
        for item in given:
            released.setdefault(item.payload.hex(), item.released)
        for call in taken:
            yield said(
                released.get(payload_of(call), NEVER) < call.answered,
                call,
                socket,
                expected="a message delivered to this socket",
                seen=payload_of(call) or "an empty message",
            )
    given_any = {socket for socket, _ in readers(case)}
    for socket in case.sockets.all:
        for call in reads(socket):
            if socket not in given_any:
                yield said(False, call, socket, expected="no group data on this socket")


@rule(
    "DR2",
    "Messages of one origin are received in the order of their Seq.",
    source="protocol.md 11; semantics D35",
    group="data",
    needs="events",
    vantage="E",
)
def dr2(case: Case) -> Iterator[Outcome]:
    """Walk through the receives with the queue of every origin at hand."""
    for socket, given, taken in _received(case):
        queues: dict[tuple[str, int, bool], deque[str]] = {}
        for item in given:
            queues.setdefault(item.queue, deque()).append(item.payload.hex())
        for call in taken:
            data = payload_of(call)
            heads = [queue for queue in queues.values() if queue and queue[0] == data]
            if heads:
                heads[0].popleft()
                yield PASSED
                continue
            deeper = [queue for queue in queues.values() if data in queue]
            if deeper:
                deeper[0].remove(data)
                yield said(False, call, socket, expected="the oldest message of its origin")


@rule(
    "DR3",
    "Every message is received at most once.",
    source="semantics W56",
    group="data",
    needs="events",
    vantage="E",
)
def dr3(case: Case) -> Iterator[Outcome]:
    """Compare how often each payload was received with how often it was delivered."""
    for socket, given, taken in _received(case):
        delivered = Counter(item.payload.hex() for item in given)
        received: Counter[str] = Counter()
        for call in taken:
            data = payload_of(call)
            received[data] += 1
            if data in delivered:
                yield said(
                    received[data] <= delivered[data],
                    call,
                    socket,
                    expected=f"this message at most {delivered[data]} times",
                    seen=f"{received[data]} times",
                )


@rule(
    "DR4",
    "Every message sent leaves as one DATA to each live receiving leaf, or to the root; of a root "
    "that is a d_leaf to the leaf that is the d_root.",
    source="semantics W56-W58",
    group="data",
    needs="events",
    vantage="E",
)
def dr4(case: Case) -> Iterator[Outcome]:
    """Look for the payload of every successful send at every peer that must get it."""
    for socket, ends in _senders(case).items():
        streams = {end: Counter(_payload(packet) for packet in originated(end)) for end in ends}
        lives = {end: _life(case, end) for end in ends}
        waits = {end: _waiting(case, end, socket) for end in ends}
        whispered = {end: _whispered(end) for end in ends}
        for call in socket.sends:
            if not call.ok or case.settled(call.host, call.answered) is None:
                continue
            data = (call.text("data") or "").lower()
            for end in ends:
                begun, over = lives[end]
                if not begun < call.asked or not over > call.answered:
                    continue
                private = call.args.get("private") is True
                if data in whispered[end] or (private and call.asked >= waits[end]):
                    continue
                streams[end][data] -= 1
                yield said(
                    streams[end][data] >= 0,
                    call,
                    socket,
                    expected=f"DATA to {end.peer.name}",
                    seen="none with this payload",
                )


def _senders(case: Case) -> dict[Socket, list[End]]:
    found: dict[Socket, list[End]] = {}
    for end in case.ends():
        socket = case.session_socket(end)
        if socket is not None and may_receive(end.peer) and not awaits_d_root(case, end):
            found.setdefault(socket, []).append(end)
    return found


def _whispered(end: End) -> set[str]:
    """Return what a leaf sent as side chat, which goes through the same socket."""
    sides = [] if end.is_root else end.sent(Side)
    return {(read(packet, Side).payload or b"").hex() for packet in sides}


def _waiting(case: Case, end: End, socket: Socket) -> Position:
    """Return from where on private messages may wait for the ACK of one before them (11.9)."""
    newest = max(end.sent(Side), key=lambda packet: read(packet, Side).seq, default=None)
    if newest is None:
        return NEVER
    side = read(newest, Side)
    answers = [packet for packet in end.arrived(Ack) if read(packet, Ack).seq == side.seq]
    if any(case.settled(end.host, packet.position) for packet in answers):
        return NEVER
    data = (side.payload or b"").hex()
    said = (call.asked for call in socket.sends if (call.text("data") or "").lower() == data)
    return min(said, default=START)


def _life(case: Case, end: End) -> tuple[Position, Position]:
    """Return from where to where a membership certainly took what was sent.

    Who has closed the direction from here, or was asked to, sends nothing there any more (W80).
    """
    socket = case.socket_of(end)
    ends = [one.asked for one in socket.shutdowns] if socket is not None else []
    return joined_at(end), min([end.ended(), end.half_closed(), *ends])


def _payload(packet: Packet) -> str:
    return (read(packet, Data).payload or b"").hex()


@rule(
    "DR5",
    "Every DATA that a node originates carries a message its application sent.",
    source="semantics W56",
    group="data",
    needs="events",
    vantage="E",
)
def dr5(case: Case) -> Iterator[Outcome]:
    """Look for the send call of every first transmission."""
    for end in case.ends():
        socket = case.session_socket(end)
        if socket is None:
            continue
        asked: dict[str, Position] = {}
        for call in socket.sends:
            if call.error is None:
                asked.setdefault((call.text("data") or "").lower(), call.asked)
        for packet in originated(end):
            data = _payload(packet)
            if asked.get(data, NEVER) < packet.position:
                yield PASSED
                continue
            yield Outcome(
                "fail",
                (packet.number,),
                socket.name,
                "a send call with this payload",
                f"DATA {data}",
                f"no send explains the DATA in frame {packet.number}",
            )


@rule(
    "DR6",
    "A receive says that there is nothing only when nothing is waiting.",
    source="semantics W75, W94",
    group="data",
    needs="events",
    vantage="E",
)
def dr6(case: Case) -> Iterator[Outcome]:
    """Count what had certainly been queued before each receive that would have blocked."""
    for socket, given, _ in _received(case):
        for call in socket.receives:
            if call.error != WsaError.WSAEWOULDBLOCK:
                continue
            queued = 0
            for item in given:
                settled = case.settled(socket.host, item.released)
                queued += item.certain and settled is not None and settled < call.asked
            taken = sum(one.asked < call.asked for one in reads(socket))
            yield said(
                queued <= taken,
                call,
                socket,
                expected="the message that was waiting",
                frames=tuple(frame for item in given[taken : taken + 1] for frame in item.frames),
            )
