"""Changes that break the rules of the data plane, one broken endpoint each."""

import msgspec

from mpwire.wire.messages import CloseAck, Data, DataAck, Nack
from tests.oracle.oracle_edits import (
    Fault,
    event,
    fields,
    lacking,
    moved,
    saying,
    sending,
)
from tests.oracle.oracle_plots import BEFORE_DATA, DESCRIPTION, LEAF_DATA
from tests.oracle.oracle_story import Move, Send, Wait, after, barriers, message_of, without
from tests.oracle.oracle_streams import (
    drained,
    halved,
    noticed,
    paced,
    relayed,
    repaired,
    whispered,
    windowed,
)


def echoing(moves: list[Move]) -> list[Move]:
    """Let a root pass a leaf's message back to that leaf."""
    data = message_of(moves, "DATA b'to all' leaf2")
    tag = message_of(moves, "leaf1 ACCEPT").destination_tag
    copy = msgspec.structs.replace(data, destination_tag=tag)
    return after(moves, "DATA b'to all' leaf2", Send("echo", "root", "leaf1", copy))


def overrun(moves: list[Move]) -> list[Move]:
    """Let a root send although the window is full."""
    data = message_of(moves, "DATA b'31' leaf1")
    copy = msgspec.structs.replace(data, seq=BEFORE_DATA + 32)
    return after(moves, "DATA b'31' leaf1", Send("one more", "root", "leaf1", copy))


def nine_nacks(moves: list[Move]) -> list[Move]:
    """Let a leaf ask a ninth time."""
    nack = message_of(moves, "NACK 7")
    assert isinstance(nack, Nack)
    more = msgspec.structs.replace(nack, seq=nack.seq + 1)
    return after(moves, "NACK 7", Send("NACK 8", "leaf1", "root", more))


def pressing(moves: list[Move]) -> list[Move]:
    """Let a leaf ask eight times more at once, right behind what told it of the gap."""
    nack = message_of(moves, "NACK two")
    assert isinstance(nack, Nack)
    more = [msgspec.structs.replace(nack, seq=nack.seq + place) for place in range(1, 9)]
    return after(moves, "NACK two", *(Send("pressing", "leaf1", "root", one) for one in more))


def resigned(moves: list[Move]) -> list[Move]:
    """Let a closer fall silent although its peer still misses data."""
    labels = [f"CLOSE {attempt}" for attempt in (2, 3, 4, 5)]
    return without(moves, *labels)


def clean_at_once(moves: list[Move]) -> list[Move]:
    """Let a leaf report a graceful end although data never came."""
    return fields("FD_CLOSE L", code=0)(moves)


def after_fin(moves: list[Move]) -> list[Move]:
    """Let a root relay more of an origin that it has said is finished."""
    data = message_of(moves, "DATA b'again' leaf2")
    assert isinstance(data, Data)
    copy = msgspec.structs.replace(data, seq=data.seq + 1)
    return after(moves, "SYNC fin", Send("after FIN", "root", "leaf2", copy))


def talking_on(moves: list[Move]) -> list[Move]:
    """Let a leaf send in the direction that it has closed."""
    close = message_of(moves, "HALF")
    data = Data(
        origin=close.sender_id,
        dflags=0,
        hop=0,
        payload=b"but",
        seq=500,
        sender_id=close.sender_id,
        session_id=close.session_id,
        destination_tag=close.destination_tag,
    )
    return after(moves, "HALF ACK", Send("but", "leaf1", "root", data))


def forgetful(moves: list[Move]) -> list[Move]:
    """Let a leaf take back what it has acknowledged."""
    ack = message_of(moves, "DATA_ACK last")
    assert isinstance(ack, DataAck)
    back = msgspec.structs.replace(ack, seq=ack.seq + 1, rcv_next=ack.rcv_next - 1)
    return after(moves, "DATA_ACK last", Send("back", "leaf1", "root", back))


def greedy(moves: list[Move]) -> list[Move]:
    """Let a leaf ask for what it has received and acknowledged."""
    return after(moves, "send b'last'?", the_nack(moves, BEFORE_DATA + 1))


def the_nack(moves: list[Move], missing: int) -> Send:
    """Return a NACK that comes third."""
    nack = msgspec.structs.replace(
        message_of(moves, "NACK two"), seq=3, ranges=((missing, missing),)
    )
    return Send("NACK again", "leaf1", "root", nack)


def unanswered_sync(moves: list[Move]) -> list[Move]:
    """Let a leaf ignore a SYNC."""
    return without(moves, "DATA_ACK room", "FD_WRITE again")


def tacit(moves: list[Move]) -> list[Move]:
    """Let a leaf take many messages and never say so."""
    gone = [f"DATA_ACK {place}" for place in (7, 15, 23, 31)]
    return without(moves, *gone, "SYNC", "DATA_ACK room", "FD_WRITE again")


def unclean(moves: list[Move]) -> list[Move]:
    """Let a leaf end before the repair came; the CLOSE_ACK says otherwise."""
    ack = message_of(moves, "CLOSE_ACK missing")
    assert isinstance(ack, CloseAck)
    return moved("FD_CLOSE L", ahead_of="NACK last")(moves)


def hurried(moves: list[Move]) -> list[Move]:
    """Let a root send forty messages at once."""
    return without(moves, *(f"pace {place}" for place in range(39)))


def copied(moves: list[Move]) -> list[Move]:
    """Let a root repair what nobody asked for."""
    return without(moves, "NACK two")


def new_data(moves: list[Move]) -> Data:
    """Return a message of the leaf after it has acknowledged the end."""
    moved_data = next(one for one in talking_on(moves) if one.label == "but")
    assert isinstance(moved_data, Send)
    assert isinstance(moved_data.message, Data)
    return moved_data.message


def deaf(moves: list[Move]) -> list[Move]:
    """Let a root talk to a leaf that was not heard for a minute."""
    data = message_of(moves, "DATA b'39' leaf1")
    late = msgspec.structs.replace(data, seq=BEFORE_DATA + 40)
    rest = [Wait("silence", 60), *barriers("root", 3), Send("late", "root", "leaf1", late)]
    return [*moves, *rest]


BREACHES = (
    Fault("R83", relayed, fields("DATA b'again' leaf2", hop=0)),
    Fault("R83", relayed, fields("DATA b'again' leaf2", payload=b"other")),
    Fault("R83", relayed, lacking("DATA b'again' root")),
    Fault("R83", relayed, echoing),
    Fault("R84", repaired, fields("DATA b'three' leaf1", seq=BEFORE_DATA + 3)),
    Fault("R85", repaired, fields("DATA b'two' leaf1 2", payload=b"too")),
    Fault("R85", repaired, fields("DATA b'two' leaf1 2", dflags=0)),
    Fault("R85", repaired, fields("DATA b'one' leaf1", dflags=1)),
    Fault("R85", repaired, copied),
    Fault("R87", paced, hurried),
    Fault("R89", whispered, fields("leaf1 ACCEPT", caps=2)),
    Fault("R90", whispered, fields("SIDE root", seq=2)),
    Fault("R90", whispered, lacking("ACK leaf1")),
    Fault("R91", repaired, fields("NACK two", ranges=((2000, 2000),))),
    Fault("R91", repaired, greedy),
    Fault("R91", drained, nine_nacks),
    Fault("R91", repaired, pressing),
    Fault("R92", repaired, fields("SYNC", seq=BEFORE_DATA + 9)),
    Fault("R92", repaired, fields("SYNC", trail_seq=BEFORE_DATA + 9)),
    Fault("R92", relayed, after_fin),
    Fault("R92", relayed, fields("SYNC fin", seq=LEAF_DATA + 3)),
    Fault("R92", relayed, fields("SYNC origin", seq=LEAF_DATA + 1)),
    Fault("R93", noticed, fields("MEMBER 1", action=3)),
    Fault("R93", noticed, fields("leaf1 ACCEPT", caps=2)),
    Fault("R93", noticed, fields("MEMBER 2", member_id=77)),
    Fault("R109", windowed, overrun),
    Fault("R110", repaired, fields("DATA_ACK", rcv_next=BEFORE_DATA + 4)),
    Fault("R110", repaired, forgetful),
    Fault("R110", windowed, fields("DATA_ACK room", window=256)),
    Fault("R111", repaired, fields("DATA_ACK", seq=1)),
    Fault("R111", repaired, fields("NACK two", attempt=2)),
    Fault("R112", windowed, unanswered_sync),
    Fault("R112", windowed, tacit),
    Fault("R113", drained, resigned),
    Fault("R114", relayed, lacking("SYNC origin")),
    Fault("R115", repaired, lacking("DATA b'two' leaf1 2")),
    Fault("R116", halved, fields("leaf1 ACCEPT", caps=2)),
    Fault("R116", halved, talking_on),
    Fault("R82", relayed, fields("leaf2 ACCEPT", session_desc=DESCRIPTION)),
    Fault("R86", paced, deaf),
    Fault("EV10", windowed, lacking("FD_WRITE again")),
    Fault("EV9", windowed, moved("FD_WRITE again", ahead_of="SYNC")),
    Fault("EV11", relayed, lacking("FD_READ b'again' leaf2")),
    Fault("EV13", whispered, lacking("FD_READ leaf1")),
    Fault("EV13", whispered, lacking("FD_READ root")),
    Fault("EV14", repaired, lacking("FD_CLOSE L")),
    Fault("EV14", repaired, unclean),
    Fault("EV15", halved, lacking("FD_CLOSE P")),
    Fault("EV19", drained, clean_at_once),
    Fault("EV19", drained, lacking("FD_CLOSE L")),
    Fault("EV19", drained, moved("FD_CLOSE L", ahead_of="drain")),
    Fault("EV14", halved, saying("HALF ACK", event("leaf1", 1, "FD_CLOSE"))),
    Fault("DR1", relayed, lacking("DATA b'again' leaf2")),
    Fault("R94", halved, sending("CLOSE_ACK", "leaf1", "root", new_data)),
)
