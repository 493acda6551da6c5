"""Steps of the data plane: repairs, acknowledgements, relays, side chat, groups."""

import msgspec

from mpwire.wire.messages import (
    Ack,
    Close,
    CloseAck,
    DataAck,
    Member,
    Nack,
    Side,
    Sync,
)
from mpwire.wire.numbers import CloseReason
from tests.oracle.oracle_plots import BEFORE_DATA, DESCRIPTION, SESSION, Join
from tests.oracle.oracle_story import Move
from tests.oracle.oracle_tales import Tale

GROUP_TAG = DESCRIPTION.group_tag


class Stream(Tale):
    """Steps of sessions whose data is repaired, relayed or sent to a group."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        super().__init__()
        self.said: dict[tuple[str, bool], int] = {}

    def meet(self, *leaves: str) -> list[Join]:
        """Let leaves join a listening root."""
        self.open("root", listening=True)
        joins = []
        for leaf in leaves:
            self.open(leaf, listening=False)
            joins.append(self.join(leaf, 1))
        return joins

    def submit(self, host: str, socket: int, text: bytes) -> None:
        """Let an application send, successfully."""
        result = {"octets": len(text)}
        self.call(f"send {text!r}", host, "send", result, socket=socket, data=text.hex())

    def carry(
        self, join: Join, text: bytes, seq: int, *, lost: bool = False, copy: int = 1
    ) -> None:
        """Send one copy of a message of the root."""
        data = self.data(text, 1, seq, join.leaf_tag)
        data = msgspec.structs.replace(data, attempt=copy, dflags=int(copy > 1))
        label = f"DATA {text!r} {join.leaf}" + (f" {copy}" if copy > 1 else "")
        self.send(label, "root", join.leaf, data, delivered=not lost)
        join.last["root"] = seq
        self.next_root = max(self.next_root, seq + 1)

    def take(self, host: str, socket: int, text: bytes, *, told: bool = True) -> None:
        """Let an application learn of a message and read it."""
        if told:
            self.event(f"FD_READ {text!r} {host}", host, socket, "FD_READ")
        self.barrier(host)
        self.call(f"recv {text!r} {host}", host, "recv", {"data": text.hex()}, socket=socket)

    def ends(self, join: Join, *, by_root: bool) -> tuple[str, str, int, int]:
        """Return sender, receiver, the receiver's tag and the sender's Member ID."""
        if by_root:
            return "root", join.leaf, join.leaf_tag, 1
        return join.leaf, "root", join.root_tag, join.member_id

    def counted(self, join: Join, *, by_root: bool) -> int:
        """Return the next number of what acknowledges."""
        key = (join.leaf, by_root)
        self.said[key] = self.said.get(key, 0) + 1
        return self.said[key]

    def ack(
        self,
        label: str,
        join: Join,
        rcv_next: int,
        window: int = 200,
        *,
        origin: int = 1,
        by_root: bool = False,
        lost: bool = False,
    ) -> None:
        """Send DATA_ACK."""
        source, target, tag, sender = self.ends(join, by_root=by_root)
        message = DataAck(
            origin=origin,
            rcv_next=rcv_next,
            window=window,
            session_id=SESSION,
            seq=self.counted(join, by_root=by_root),
            sender_id=sender,
            destination_tag=tag,
        )
        self.send(label, source, target, message, delivered=not lost)

    def nack(self, label: str, join: Join, *missing: int, origin: int = 1) -> None:
        """Let a leaf ask for messages again."""
        message = Nack(
            origin=origin,
            ranges=tuple((seq, seq) for seq in missing),
            session_id=SESSION,
            seq=self.counted(join, by_root=False),
            sender_id=join.member_id,
            destination_tag=join.root_tag,
        )
        self.send(label, join.leaf, "root", message)

    def sync(
        self,
        label: str,
        join: Join,
        seq: int,
        trail: int,
        *,
        origin: int = 1,
        fin: bool = False,
    ) -> None:
        """Let the root say how far an origin has come."""
        message = Sync(
            origin=origin,
            trail_seq=trail,
            sflags=int(fin),
            session_id=SESSION,
            seq=seq,
            sender_id=1,
            destination_tag=join.leaf_tag,
        )
        self.send(label, "root", join.leaf, message)


def repaired() -> list[Move]:
    """Tell of messages that are lost, asked for and repaired, before and after CLOSE."""
    tale = Stream()
    (join,) = tale.meet("leaf1")
    first = BEFORE_DATA
    for text in (b"one", b"two", b"three"):
        tale.submit("root", 1, text)
    tale.carry(join, b"one", first)
    tale.carry(join, b"two", first + 1, lost=True)
    tale.carry(join, b"three", first + 2)
    tale.take("leaf1", 1, b"one")
    tale.nack("NACK two", join, first + 1)
    tale.carry(join, b"two", first + 1, copy=2)
    tale.take("leaf1", 1, b"two")
    tale.take("leaf1", 1, b"three")
    tale.sync("SYNC", join, first + 3, first)
    tale.ack("DATA_ACK", join, first + 3)
    tale.barrier()
    tale.submit("root", 1, b"last")
    tale.carry(join, b"last", first + 3, lost=True)
    close, ack = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "close", {}, socket=1)
    tale.send("CLOSE", "root", "leaf1", close)
    missing = msgspec.structs.replace(ack, ack_flags=1, rcv_next=first + 3)
    tale.send("CLOSE_ACK missing", "leaf1", "root", missing)
    tale.nack("NACK last", join, first + 3)
    tale.carry(join, b"last", first + 3, copy=2)
    tale.take("leaf1", 1, b"last")
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.ack("DATA_ACK last", join, first + 4)
    tale.pause("RTO", 1)
    tale.send("CLOSE 2", "root", "leaf1", msgspec.structs.replace(close, attempt=2))
    tale.send("CLOSE_ACK", "leaf1", "root", msgspec.structs.replace(ack, attempt=2))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    tale.barrier()
    return tale.moves


def windowed() -> list[Move]:
    """Tell of a sender that runs into the window and is told when there is room."""
    tale = Stream()
    (join,) = tale.meet("leaf1")
    first = BEFORE_DATA
    for place in range(32):
        text = b"%d" % place
        tale.submit("root", 1, text)
        tale.carry(join, text, first + place)
        if not place:
            tale.event("FD_READ", "leaf1", 1, "FD_READ")
        if place % 8 == 7:
            tale.ack(f"DATA_ACK {place}", join, first + place + 1, 255 - place, lost=True)
    tale.call("send too much", "root", "send", 10035, socket=1, data="00")
    tale.sync("SYNC", join, first + 32, first)
    tale.ack("DATA_ACK room", join, first + 32, 224)
    tale.event("FD_WRITE again", "root", 1, "FD_WRITE")
    tale.barrier()
    tale.submit("root", 1, b"more")
    tale.carry(join, b"more", first + 32)
    tale.barrier()
    return tale.moves


def drained() -> list[Move]:
    """Tell of data that never comes although it is asked for: T_DRAIN passes."""
    tale = Stream()
    (join,) = tale.meet("leaf1")
    tale.submit("root", 1, b"lost")
    tale.carry(join, b"lost", BEFORE_DATA, lost=True)
    close, ack = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "close", {}, socket=1)
    tale.send("CLOSE", "root", "leaf1", close)
    missing = msgspec.structs.replace(ack, ack_flags=1, rcv_next=BEFORE_DATA)
    tale.send("CLOSE_ACK missing", "leaf1", "root", missing)
    for place in range(8):
        tale.pause(f"NACK wait {place}", 0.02 * 2**place)
        tale.nack(f"NACK {place}", join, BEFORE_DATA)
        tale.carry(join, b"lost", BEFORE_DATA, lost=True, copy=place + 2)
    tale.pause("drain", 6)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10053)
    for attempt in (2, 3, 4, 5):
        tale.pause(f"RTO {attempt}", 2**attempt)
        copy = msgspec.structs.replace(close, attempt=attempt)
        tale.send(f"CLOSE {attempt}", "root", "leaf1", copy, delivered=False)
    tale.barrier()
    tale.barrier()
    tale.barrier()
    return tale.moves


def relayed() -> list[Move]:
    """Tell of a leaf's messages that the root passes on to the other leaf."""
    tale = Stream()
    tale.description = msgspec.structs.replace(DESCRIPTION, planes=1)
    one, two = tale.meet("leaf1", "leaf2")
    for text in (b"to all", b"again"):
        tale.submit("leaf1", 1, text)
        data = tale.data(text, one.member_id, one.next_leaf, one.root_tag)
        tale.send(f"DATA {text!r} root", "leaf1", "root", data)
        one.last["leaf"] = one.next_leaf
        if text == b"to all":
            start = one.next_leaf
            tale.sync("SYNC origin", two, start, start, origin=one.member_id)
            tale.ack("DATA_ACK origin", two, start, origin=one.member_id)
        passed = msgspec.structs.replace(
            data, sender_id=1, dflags=2, hop=1, destination_tag=two.leaf_tag
        )
        tale.send(f"DATA {text!r} leaf2", "root", "leaf2", passed)
        one.next_leaf += 1
        tale.take("root", 1, text)
        tale.take("leaf2", 1, text)
        tale.take("leaf1", 1, text)
    tale.leave(one)
    tale.call("dismantle", "root", "close", {}, socket=1)
    close, ack = tale.closing(two, CloseReason.DISMANTLE)
    tale.sync("SYNC fin", two, one.next_leaf, one.next_leaf, origin=one.member_id, fin=True)
    tale.ack("DATA_ACK fin", two, one.next_leaf, origin=one.member_id)
    tale.send("CLOSE", "root", "leaf2", close)
    tale.event("FD_CLOSE L", "leaf2", 1, "FD_CLOSE")
    tale.send("CLOSE_ACK", "leaf2", "root", ack)
    tale.event("FD_CLOSE P", "root", two.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def halved() -> list[Move]:
    """Tell of a leaf that closes its own direction and hears the root out."""
    tale = Stream()
    tale.caps = 6
    (join,) = tale.meet("leaf1")
    leave, ack = tale.closing(join, CloseReason.LEAVE)
    tale.call("shutdown", "leaf1", "shutdown", {}, socket=1, how="SEND")
    half: Close = msgspec.structs.replace(leave, cflags=1)
    tale.send("HALF", "leaf1", "root", half)
    tale.send("HALF ACK", "root", "leaf1", ack)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    tale.barrier()
    tale.tell_all(b"farewell", [join])
    close, answer = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "close", {}, socket=1)
    tale.send("CLOSE", "root", "leaf1", close)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    done: CloseAck = answer
    tale.send("CLOSE_ACK", "leaf1", "root", done)
    tale.barrier()
    return tale.moves


def whispered() -> list[Move]:
    """Tell of side chat both ways."""
    tale = Stream()
    tale.caps = 3
    (join,) = tale.meet("leaf1")
    for by_root, text in ((True, b"psst"), (False, b"yes")):
        source, target, tag, sender = tale.ends(join, by_root=by_root)
        socket = join.handle if by_root else join.end
        tale.submit(source, socket, text)
        side = Side(
            sflags=1,
            payload=text,
            session_id=SESSION,
            seq=1,
            sender_id=sender,
            destination_tag=tag,
        )
        tale.send(f"SIDE {source}", source, target, side)
        back = tale.ends(join, by_root=not by_root)
        reader = join.end if by_root else join.handle
        tale.event(f"FD_READ {target}", target, reader, "FD_READ")
        done = Ack(
            acked_type=0x11, session_id=SESSION, seq=1, sender_id=back[3], destination_tag=back[2]
        )
        tale.send(f"ACK {target}", target, source, done)
        tale.barrier()
        tale.call(f"recv {target}", target, "recv", {"data": text.hex()}, socket=reader)
    close, ack = tale.closing(join, CloseReason.LEAVE)
    tale.call("close", "leaf1", "close", {}, socket=join.end)
    tale.send("CLOSE", "leaf1", "root", msgspec.structs.replace(close, side_final_seq=1))
    tale.send("CLOSE_ACK", "root", "leaf1", ack)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def noticed() -> list[Move]:
    """Tell of a root that tells one leaf of another."""
    tale = Stream()
    tale.caps = 10
    one, two = tale.meet("leaf1", "leaf2")
    for place, action in enumerate((1, 2)):
        if action == 2:
            tale.leave(two)
        member = Member(
            action=action,
            leaf_dir=3,
            member_id=two.member_id,
            boundary_seq=BEFORE_DATA,
            session_id=SESSION,
            seq=40 + place,
            sender_id=1,
            destination_tag=one.leaf_tag,
        )
        tale.send(f"MEMBER {action}", "root", "leaf1", member)
        done = Ack(
            acked_type=0x14,
            session_id=SESSION,
            seq=40 + place,
            sender_id=one.member_id,
            destination_tag=one.root_tag,
        )
        tale.send(f"ACK {action}", "leaf1", "root", done)
    tale.barrier()
    return tale.moves


def paced() -> list[Move]:
    """Tell of a session with a limit of ten messages per second."""
    tale = Stream()
    tale.description = msgspec.structs.replace(DESCRIPTION, max_rate=10)
    (join,) = tale.meet("leaf1")
    for place in range(40):
        text = b"%d" % place
        tale.submit("root", 1, text)
        tale.carry(join, text, BEFORE_DATA + place)
        if not place:
            tale.event("FD_READ", "leaf1", 1, "FD_READ")
        if place % 8 == 7:
            tale.ack(f"DATA_ACK {place}", join, BEFORE_DATA + place + 1)
        tale.pause(f"pace {place}", 0.1)
    tale.barrier()
    return tale.moves


STREAMS = (repaired, windowed, drained, relayed, halved, whispered, noticed, paced)
