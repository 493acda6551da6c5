"""Stories of memberships that end one direction at a time (protocol.md 12.5)."""

import msgspec

from mpwire.wire.messages import Ack, Close, CloseAck, Data, DataAck, Message, Side
from mpwire.wire.numbers import CloseReason
from tests.oracle.oracle_edits import Fault, event, fields, lacking, moved, saying
from tests.oracle.oracle_plots import SESSION, Join
from tests.oracle.oracle_story import Exit, Move, Send, Wait, after, before, message_of, without
from tests.oracle.oracle_streams import Stream

ABLE = 7
"""CAPS of a dialogue: side chat, repair, half close."""


class Halved(Stream):
    """Steps of sessions whose members close one direction first."""

    def __init__(self) -> None:
        """Let everybody be able to."""
        super().__init__()
        self.caps = ABLE

    def end(
        self, label: str, join: Join, reason: CloseReason, *, half: bool = False, seq: int = 20
    ) -> tuple[Close, CloseAck]:
        """Send a CLOSE of one or both directions and its answer."""
        close, ack = self.closing(join, reason)
        cflags = close.cflags | int(half)
        close = msgspec.structs.replace(close, cflags=cflags, seq=seq)
        ack = msgspec.structs.replace(ack, seq=seq)
        there = [join.leaf, "root"]
        source, target = there if reason is CloseReason.LEAVE else there[::-1]
        self.send(f"{label} CLOSE", source, target, close)
        self.send(f"{label} CLOSE_ACK", target, source, ack)
        return close, ack

    def say(self, join: Join, text: bytes) -> None:
        """Let a leaf send one message, which the root reads."""
        self.submit(join.leaf, join.end, text)
        data = self.data(text, join.member_id, join.next_leaf, join.root_tag)
        self.send(f"DATA {text!r} root", join.leaf, "root", data)
        join.last["leaf"] = join.next_leaf
        join.next_leaf += 1
        self.take("root", 1, text)
        self.barrier("root", join.leaf)


def leaf_first() -> list[Move]:
    """Tell of a leaf that closes its direction and hears the root out, which then expels it."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    tale.say(join, b"my last")
    tale.call("shutdown", "leaf1", "shutdown", {}, socket=1, how="SEND")
    tale.end("half", join, CloseReason.LEAVE, half=True)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    tale.tell_all(b"noted", [join])
    tale.moves.append(Wait("long after", 60))
    tale.call("expel", "root", "close", {}, socket=join.handle)
    tale.end("other", join, CloseReason.EXPEL)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def handle_first() -> list[Move]:
    """Tell of a leaf that the root says no more to, and of a session that is dismantled later.

    What the root sends afterwards is not for that leaf, and it needs no second CLOSE(HALF).
    """
    tale = Halved()
    one, two = tale.meet("leaf1", "leaf2")
    tale.call("shutdown P", "root", "shutdown", {}, socket=one.handle, how="SEND")
    tale.end("one", one, CloseReason.EXPEL, half=True)
    tale.event("FD_CLOSE L1", "leaf1", 1, "FD_CLOSE")
    tale.barrier()
    tale.tell_all(b"for leaf2", [two])
    tale.say(one, b"still here")
    tale.call("dismantle", "root", "shutdown", {}, socket=1, how="SEND")
    tale.end("two", two, CloseReason.DISMANTLE, half=True)
    tale.event("FD_CLOSE L2", "leaf2", 1, "FD_CLOSE")
    tale.moves.append(Wait("at leisure", 10))
    tale.barrier()
    tale.barrier()
    tale.call("leave 2", "leaf2", "close", {}, socket=1)
    tale.end("leave 2", two, CloseReason.LEAVE, seq=40)
    tale.event("FD_CLOSE P2", "root", two.handle, "FD_CLOSE")
    tale.barrier()
    tale.moves.append(Wait("leaf1 stays", 20))
    tale.barrier()
    return tale.moves


def all_ended() -> list[Move]:
    """Tell of a root that shuts down sending, and hears of its own end when its leaf has left."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    tale.call("dismantle", "root", "shutdown", {}, socket=1, how="SEND")
    tale.end("half", join, CloseReason.DISMANTLE, half=True)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.barrier()
    tale.say(join, b"last of all")
    tale.call("leave", "leaf1", "shutdown", {}, socket=1, how="SEND")
    tale.end("leave", join, CloseReason.LEAVE, seq=40)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.event("FD_CLOSE R", "root", 1, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def unread() -> list[Move]:
    """Tell of ends that have to read group data and private messages before FD_CLOSE."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    tale.submit("root", 1, b"to all")
    tale.carry(join, b"to all", tale.next_root)
    tale.event("FD_READ L", "leaf1", 1, "FD_READ")
    tale.send("DATA_ACK", "leaf1", "root", _acknowledged(tale, join))
    for by_root in (True, False):
        whisper(tale, join, by_root=by_root)
    tale.event("FD_READ P", "root", join.handle, "FD_READ")
    tale.barrier()
    tale.call("expel", "root", "shutdown", {}, socket=join.handle, how="SEND")
    close, ack = tale.closing(join, CloseReason.EXPEL)
    half = msgspec.structs.replace(close, cflags=1, side_final_seq=1)
    tale.send("half CLOSE", "root", "leaf1", half)
    tale.send("half CLOSE_ACK", "leaf1", "root", ack)
    tale.call("leave", "leaf1", "shutdown", {}, socket=1, how="SEND")
    close, ack = tale.closing(join, CloseReason.LEAVE)
    tale.send("CLOSE", "leaf1", "root", msgspec.structs.replace(close, side_final_seq=1, seq=40))
    tale.send("CLOSE_ACK", "root", "leaf1", msgspec.structs.replace(ack, seq=40))
    tale.barrier()
    tale.call("recv 1", "leaf1", "recv", {"data": b"to all".hex()}, socket=1)
    tale.event("FD_READ L again", "leaf1", 1, "FD_READ")
    tale.barrier()
    private = {"data": b"between us".hex(), "private": True}
    tale.call("recv 2", "leaf1", "recv", private, socket=1)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.call("recv 3", "root", "recv", private, socket=join.handle)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def _acknowledged(tale: Halved, join: Join) -> DataAck:
    return DataAck(
        origin=1,
        rcv_next=tale.next_root,
        window=200,
        session_id=SESSION,
        seq=tale.counted(join, by_root=False),
        sender_id=join.member_id,
        destination_tag=join.root_tag,
    )


def whisper(tale: Halved, join: Join, *, by_root: bool) -> None:
    """Send one private message and acknowledge it."""
    source, target, tag, sender = tale.ends(join, by_root=by_root)
    back = tale.ends(join, by_root=not by_root)
    tale.submit(source, join.handle if by_root else join.end, b"between us")
    side: Message = Side(
        sflags=1,
        payload=b"between us",
        session_id=SESSION,
        seq=1,
        sender_id=sender,
        destination_tag=tag,
    )
    tale.send(f"SIDE {source}", source, target, side)
    done = Ack(
        acked_type=0x11, session_id=SESSION, seq=1, sender_id=back[3], destination_tag=back[2]
    )
    tale.send(f"ACK {target}", target, source, done)


def deafened() -> list[Move]:
    """Tell of a leaf that ends its direction of receiving: what comes is thrown away."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    tale.call("deaf", "leaf1", "shutdown", {}, socket=1, how="RECEIVE")
    tale.submit("root", 1, b"to nobody")
    tale.carry(join, b"to nobody", tale.next_root)
    tale.send("DATA_ACK", "leaf1", "root", _acknowledged(tale, join))
    tale.barrier()
    tale.leave(join)
    return tale.moves


def killed() -> list[Move]:
    """Tell of a leaf that is killed while a message is on its way: it owes nothing for that."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    tale.submit("root", 1, b"are you there?")
    tale.carry(join, b"are you there?", tale.next_root)
    tale.moves.append(Exit("kill", "leaf1", status=-9))
    tale.barrier("root")
    return tale.moves


def talking(moves: list[Move]) -> list[Move]:
    """Let the root send to a leaf whose direction it has closed."""
    text = b"oh, and"
    said = message_of(moves, "DATA b'for leaf2' leaf2")
    tag = message_of(moves, "one CLOSE").destination_tag
    assert isinstance(said, Data)
    data = msgspec.structs.replace(said, payload=text, destination_tag=tag)
    return after(moves, "DATA b'for leaf2' leaf2", Send("oh", "root", "leaf1", data))


def hushed(moves: list[Move]) -> list[Move]:
    """Let the root dismantle its session in one direction, and tell leaf2 nothing."""
    gone = ["two CLOSE", "two CLOSE_ACK", "FD_CLOSE L2"]
    rest = without(moves, *gone, "leave 2 CLOSE", "leave 2 CLOSE_ACK", "FD_CLOSE P2")
    rest = without(rest, "leave 2?", "leave 2!")
    close = message_of(moves, "two CLOSE")
    first = message_of(moves, "one CLOSE")
    told = msgspec.structs.replace(
        first, seq=99, reason=3, cflags=2, destination_tag=first.destination_tag
    )
    assert close.destination_tag != told.destination_tag
    return after(rest, "dismantle!", Send("full", "root", "leaf1", told))


def mute(moves: list[Move]) -> list[Move]:
    """Let a leaf answer no CLOSE that comes long after its own half close."""
    return without(moves, "other CLOSE_ACK", "FD_CLOSE L")


def late_say(moves: list[Move]) -> list[Move]:
    """Let a leaf say in private what it has no direction for any more."""
    close = message_of(moves, "half CLOSE")
    side = Side(
        sflags=1,
        payload=b"psst",
        session_id=SESSION,
        seq=1,
        sender_id=close.sender_id,
        destination_tag=close.destination_tag,
    )
    return before(moves, "long after", Send("psst", "leaf1", "root", side))


def early_root(moves: list[Move]) -> list[Move]:
    """Let R hear of its end while its leaf still speaks."""
    return moved("FD_CLOSE R", ahead_of=f"DATA {b'last of all'!r} root")(moves)


HALVES = (leaf_first, handle_first, all_ended, unread, deafened, killed)
PARTIAL = (
    Fault("R116", leaf_first, fields("leaf1 ACCEPT", caps=3)),
    Fault("R116", leaf_first, late_say),
    Fault("R116", handle_first, talking),
    Fault("R56", leaf_first, mute),
    Fault("R60", handle_first, hushed),
    Fault("R62", handle_first, fields("one CLOSE", reason=1)),
    Fault("EV14", leaf_first, moved("FD_CLOSE L", ahead_of="long after")),
    Fault("EV14", handle_first, lacking("FD_CLOSE L1")),
    Fault("EV14", unread, moved("FD_CLOSE L", ahead_of="recv 2?")),
    Fault("EV14", unread, lacking("FD_CLOSE L")),
    Fault("EV15", leaf_first, lacking("FD_CLOSE P")),
    Fault("EV15", handle_first, moved("FD_CLOSE P2", ahead_of="at leisure")),
    Fault("EV15", unread, lacking("FD_CLOSE P")),
    Fault("EV15", unread, moved("FD_CLOSE P", ahead_of="recv 3?")),
    Fault("EV15", all_ended, early_root),
    Fault("EV20", handle_first, saying("leave 2 CLOSE", event("leaf1", 1, "FD_CLOSE"))),
    Fault("EV11", deafened, lacking("deaf?", "deaf!")),
    Fault("DR4", handle_first, lacking("shutdown P?", "shutdown P!", "one CLOSE", "one CLOSE_ACK")),
)
