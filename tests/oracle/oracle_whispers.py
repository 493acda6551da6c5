"""Stories of private messages that wait: for their reader, and for a peer that does not answer."""

from dataclasses import replace

import msgspec

from mpwire.wire.messages import Ack, Probe, ProbeAck, Side
from tests.oracle.oracle_edits import Fault, again, fields, lacking, moved
from tests.oracle.oracle_plots import SESSION, Join
from tests.oracle.oracle_story import Move, Send, Wait, find, message_of
from tests.oracle.oracle_streams import Stream

ROOM = 16
"""Private messages that may wait for their reader."""
COPIES = 257


class Whisper(Stream):
    """Steps of side chat from the root to one leaf."""

    def __init__(self) -> None:
        """Let everybody be able to."""
        super().__init__()
        self.caps = 3

    def side(self, join: Join, seq: int, attempt: int = 1) -> Side:
        """Build one copy of a private message of the root."""
        return Side(
            sflags=1,
            payload=b"%d" % seq,
            session_id=SESSION,
            seq=seq,
            attempt=attempt,
            sender_id=1,
            destination_tag=join.leaf_tag,
        )

    def heard(self, join: Join, seq: int, attempt: int = 1) -> Ack:
        """Build the answer of the leaf."""
        return Ack(
            acked_type=0x11,
            session_id=SESSION,
            seq=seq,
            attempt=attempt,
            sender_id=join.member_id,
            destination_tag=join.root_tag,
        )

    def alive(self, join: Join, number: int) -> None:
        """Let the root ask for a sign of life, and get one."""
        probe = Probe(
            nonce=5000 + number,
            next_data_seq=join.next_root,
            session_id=SESSION,
            seq=100 + number,
            sender_id=1,
            destination_tag=join.leaf_tag,
        )
        answer = ProbeAck(
            nonce=5000 + number,
            rcv_next=join.next_root,
            loss_permille=0,
            session_id=SESSION,
            seq=100 + number,
            sender_id=join.member_id,
            destination_tag=join.root_tag,
        )
        self.send(f"PROBE {number}", "root", "leaf1", probe)
        self.send(f"PROBE_ACK {number}", "leaf1", "root", answer)

    def read(self, seq: int) -> None:
        """Let the leaf read a private message."""
        told = {"data": (b"%d" % seq).hex(), "private": True}
        self.call(f"recv {seq}", "leaf1", "recv", told, socket=1)


def crammed() -> list[Move]:
    """Tell of a reader with sixteen unread messages: the next one waits for an answer."""
    tale = Whisper()
    (join,) = tale.meet("leaf1")
    for seq in range(1, ROOM + 2):
        tale.submit("root", join.handle, b"%d" % seq)
    for seq in range(1, ROOM + 1):
        tale.send(f"SIDE {seq}", "root", "leaf1", tale.side(join, seq))
        if seq == 1:
            tale.event("FD_READ 1", "leaf1", 1, "FD_READ")
        tale.send(f"ACK {seq}", "leaf1", "root", tale.heard(join, seq))
    tale.send("SIDE 17", "root", "leaf1", tale.side(join, ROOM + 1))
    tale.barrier()
    tale.moves.append(Wait("RTO", 1))
    tale.send("SIDE 17 again", "root", "leaf1", tale.side(join, ROOM + 1, 2))
    tale.barrier()
    tale.read(1)
    tale.event("FD_READ 2", "leaf1", 1, "FD_READ")
    tale.send("ACK 17", "leaf1", "root", tale.heard(join, ROOM + 1, 2))
    tale.barrier()
    tale.barrier()
    return tale.moves


def patient() -> list[Move]:
    """Tell of a reader that is so slow that the number of the copy ends, and copies go on."""
    tale = Whisper()
    (join,) = tale.meet("leaf1")
    for seq in range(1, ROOM + 2):
        tale.submit("root", join.handle, b"%d" % seq)
        tale.send(f"SIDE {seq}", "root", "leaf1", tale.side(join, seq))
        if seq == 1:
            tale.event("FD_READ 1", "leaf1", 1, "FD_READ")
        if seq <= ROOM:
            tale.send(f"ACK {seq}", "leaf1", "root", tale.heard(join, seq))
    for copy in range(2, COPIES + 1):
        tale.moves.append(Wait(f"RTO {copy}", min(2 ** (copy - 2), 16)))
        side = tale.side(join, ROOM + 1, min(copy, 255))
        tale.send(f"copy {copy}", "root", "leaf1", side)
        if copy % 2 and copy > 4:
            tale.alive(join, copy)
    tale.read(1)
    tale.event("FD_READ 2", "leaf1", 1, "FD_READ")
    tale.send("ACK 17", "leaf1", "root", tale.heard(join, ROOM + 1, 255))
    tale.barrier()
    tale.barrier()
    return tale.moves


def greedy(moves: list[Move]) -> list[Move]:
    """Let the leaf take a seventeenth message although nobody has read the first."""
    early = find(moves, "SIDE 17") + 1
    ack = message_of(moves, "ACK 17")
    first = msgspec.structs.replace(ack, attempt=1)
    return [*moves[:early], Send("ACK early", "leaf1", "root", first), *moves[early:]]


def impatient(moves: list[Move]) -> list[Move]:
    """Let the root send its second private message before the first is acknowledged."""
    return moved("ACK 1", ahead_of="ACK 2")(moves)


def insistent(moves: list[Move]) -> list[Move]:
    """Let the root repeat what has been acknowledged for a while."""
    side = message_of(moves, "SIDE 17 again")
    assert isinstance(side, Side)
    late = msgspec.structs.replace(side, attempt=3)
    place = find(moves, "SIDE 17 again")
    first = moves[place]
    assert isinstance(first, Send)
    return [*moves, Wait("late", 2), replace(first, label="late copy", message=late)]


WHISPERS = (crammed, patient)
HUSHED = (
    Fault("R90", crammed, fields("SIDE 3", sflags=0)),
    Fault("R90", crammed, lacking("ACK 17")),
    Fault("R90", crammed, fields("ACK 17", attempt=1)),
    Fault("R90", crammed, greedy),
    Fault("R75", patient, fields("copy 200", attempt=199)),
    Fault("R75", crammed, again("SIDE 16")),
    Fault("R78", crammed, insistent),
    Fault("R79", crammed, impatient),
)
