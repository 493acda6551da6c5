"""Correct stories of what loss and bad timing bring about, as labs with faults have shown them."""

import msgspec

from mpwire.wire.messages import Ack, Side
from mpwire.wire.numbers import CloseReason
from tests.oracle.oracle_groups import GROUP, Group
from tests.oracle.oracle_plots import BEFORE_DATA, DESCRIPTION, SESSION
from tests.oracle.oracle_story import Line, Move, after, before, find, remade, without
from tests.oracle.oracle_streams import GROUP_TAG, Stream


def whispering() -> list[Move]:
    """Tell of a leaf that joins, says a private word to its handle at the root, and leaves."""
    tale = Stream()
    tale.caps = 3
    (join,) = tale.meet("leaf1")
    tale.submit("leaf1", join.end, b"hush")
    side = Side(
        sflags=1,
        payload=b"hush",
        sender_id=join.member_id,
        destination_tag=join.root_tag,
        session_id=SESSION,
        seq=1,
    )
    tale.send("SIDE", "leaf1", "root", side)
    tale.event("FD_READ P", "root", join.handle, "FD_READ")
    ack = Ack(
        acked_type=0x11, sender_id=1, destination_tag=join.leaf_tag, session_id=SESSION, seq=1
    )
    tale.send("ACK", "root", "leaf1", ack)
    tale.barrier()
    tale.call("recv", "root", "recv", {"data": b"hush".hex()}, socket=join.handle)
    close, closed = tale.closing(join, CloseReason.LEAVE)
    tale.call("close", "leaf1", "close", {}, socket=join.end)
    tale.send("CLOSE", "leaf1", "root", msgspec.structs.replace(close, side_final_seq=1))
    tale.send("CLOSE_ACK", "root", "leaf1", closed)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def proved_by_side() -> list[Move]:
    """Lose CONFIRM: what the leaf says next stands for it, and makes the root writable (RM22)."""
    moves = remade(whispering(), "leaf1 CONFIRM", delivered=False)
    writable = moves[find(moves, "leaf1 FD_WRITE root")]
    return after(without(moves, "leaf1 FD_WRITE root"), "SIDE", writable)


def asked_too_much() -> list[Move]:
    """Refuse callee data that does not fit: the call decides nothing, and FD_ACCEPT comes again."""
    again = {"event": "FD_ACCEPT", "socket": 1, "code": 0, "seq": 0}
    refused = (
        Line("first accept?", "root", "to", {"id": 900, "call": "accept", "args": {"socket": 1}}),
        Line("FD_ACCEPT again", "root", "from", again),
        Line("first accept!", "root", "from", {"id": 900, "error": {"code": 10022, "name": "X"}}),
    )
    return before(whispering(), "leaf1 accept?", *refused)


def deselected() -> list[Move]:
    """Cancel the selection on the root before CONFIRM has come: nobody waits for FD_WRITE."""
    args = {"socket": 1, "events": [], "report": True}
    cancelled = (
        Line("deselect?", "root", "to", {"id": 900, "call": "event_select", "args": args}),
        Line("deselect!", "root", "from", {"id": 900, "result": {}}),
    )
    return without(after(whispering(), "leaf1 accept!", *cancelled), "leaf1 FD_WRITE root")


def thrown_away() -> list[Move]:
    """Lose the first CLOSE of a leaf: what the root says then is acknowledged and not kept."""
    tale = Stream()
    (join,) = tale.meet("leaf1")
    close, closed = tale.closing(join, CloseReason.LEAVE)
    tale.call("close", "leaf1", "close", {}, socket=join.end)
    tale.send("CLOSE", "leaf1", "root", close, delivered=False)
    tale.submit("root", 1, b"late")
    tale.carry(join, b"late", BEFORE_DATA)
    tale.pause("T_ACK", 0.05)
    tale.ack("DATA_ACK", join, BEFORE_DATA + 1, 256)
    tale.pause("RTO", 1)
    tale.send("CLOSE 2", "leaf1", "root", msgspec.structs.replace(close, attempt=2))
    tale.send("CLOSE_ACK", "root", "leaf1", msgspec.structs.replace(closed, attempt=2))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def departed() -> list[Move]:
    """Lose the CLOSE_ACK of a leaf, which hears the group meanwhile and asks for what it missed."""
    tale = Group()
    tale.description = msgspec.structs.replace(
        DESCRIPTION, planes=7, family=4, data_port=61717, hop_limit=64, group=bytes((239, 1, 2, 3))
    )
    one, two = tale.meet("leaf1", "leaf2")
    tale.report("report leaf1", "leaf1")
    tale.report("report leaf2", "leaf2")
    close, closed = tale.closing(two, CloseReason.LEAVE)
    tale.call("close", "leaf2", "close", {}, socket=two.end)
    tale.send("CLOSE", "leaf2", "root", close)
    tale.event("FD_CLOSE P", "root", two.handle, "FD_CLOSE")
    tale.send("CLOSE_ACK", "root", "leaf2", closed, delivered=False)
    for place, text in enumerate((b"first", b"second")):
        tale.submit("root", 1, text)
        data = tale.data(text, 1, BEFORE_DATA + place, GROUP_TAG)
        data = msgspec.structs.replace(data, flags=0x20)
        more = ("leaf2",) if place else ()
        tale.send(f"DATA {text!r}", "root", "leaf1", data, target_address=GROUP, more_targets=more)
        tale.take("leaf1", 1, text)
    tale.nack("NACK", two, BEFORE_DATA)
    tale.barrier()
    tale.pause("RTO", 1)
    tale.send("CLOSE 2", "leaf2", "root", msgspec.structs.replace(close, attempt=2))
    tale.send("CLOSE_ACK 2", "root", "leaf2", msgspec.structs.replace(closed, attempt=2))
    tale.barrier()
    one.last["root"] = BEFORE_DATA + 1
    tale.ack("DATA_ACK", one, BEFORE_DATA + 2)
    tale.dismantle([one])
    return tale.moves


IMPAIRED = (whispering, proved_by_side, asked_too_much, deselected, thrown_away, departed)
