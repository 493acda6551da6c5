"""Stories at the limits: authentication, GREASE, strangers, data that is lost for good."""

from dataclasses import replace

import msgspec

from mpwire.wire.messages import Abort, Auth, EventEcho, JoinReq, Probe, ProbeAck, Reject
from mpwire.wire.numbers import AbortReason
from tests.oracle.oracle_asides import abort, alive, dead, reset, unanswered, unconfirmed
from tests.oracle.oracle_details import duplicated
from tests.oracle.oracle_edits import (
    Fault,
    again,
    answering,
    fields,
    lacking,
    moved,
    moves_of,
    over,
)
from tests.oracle.oracle_groups import opened, retorting
from tests.oracle.oracle_plots import BEFORE_DATA, SESSION, Join
from tests.oracle.oracle_story import Move, Send, Wait, after, barriers, find, message_of, without
from tests.oracle.oracle_streams import Stream, relayed, whispered
from tests.oracle.oracle_tales import tour

T_NACK_S = 0.02


def lost_for_good() -> list[Move]:
    """Tell of a message that its sender cannot repair any more: the receiver gives up."""
    tale = Stream()
    (join,) = tale.meet("leaf1")
    tale.submit("root", 1, b"gone")
    tale.carry(join, b"gone", BEFORE_DATA, lost=True)
    tale.sync("SYNC", join, BEFORE_DATA + 1, BEFORE_DATA + 1)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10053)
    tale.send("ABORT", "leaf1", "root", abort(join, AbortReason.DATA_LOST, by_root=False))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


LAW_OF_SYNC = (0.25, 0.5, 1, 2, 4, 8, 16, 20, 20, 20)
"""T_SYNC, doubling up to T_KA: how long after the one before each SYNC leaves."""


def promised(waits: tuple[float, ...] = LAW_OF_SYNC) -> list[Move]:
    """Tell of a message that is repaired again and again, and lost each time: one gives up."""
    tale = Stream()
    (join,) = tale.meet("leaf1")
    tale.submit("root", 1, b"too large")
    tale.carry(join, b"too large", BEFORE_DATA, lost=True)
    copies = 1
    for place, wait_s in enumerate(waits):
        passed_s = 0.0
        for number in range(1, 9) if place else ():
            due_s = T_NACK_S * (2**number - 1)
            if due_s < wait_s:
                tale.pause("T_NACK", due_s - passed_s)
                tale.nack(f"NACK {copies}", join, BEFORE_DATA)
                copies, passed_s = copies + 1, due_s
                tale.carry(join, b"too large", BEFORE_DATA, lost=True, copy=copies)
        tale.pause("T_SYNC", wait_s - passed_s)
        promise(tale, join, place + 1)
        if place < len(waits) - 1:
            tale.ack(f"DATA_ACK {place}", join, BEFORE_DATA)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10053)
    tale.send("ABORT", "leaf1", "root", abort(join, AbortReason.DATA_LOST, by_root=False))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


def promise(tale: Stream, join: Join, copy: int) -> None:
    """Let the root say once more that a message was sent, and can be repaired."""
    tale.sync(f"SYNC {copy}", join, BEFORE_DATA + 1, BEFORE_DATA)
    move = tale.moves[-1]
    assert isinstance(move, Send)
    assert move.message is not None
    move.message = msgspec.structs.replace(move.message, attempt=copy)


def believing(count: int, longest: int, *, gives_up: bool = False) -> list[Move]:
    """Tell of a root that answers each NACK by the promise of what it never sent.

    Args:
        count: how often the leaf asks.
        longest: how many NACKs a series may have when the next promise begins another one.
        gives_up: whether the leaf aborts in the end.
    """
    tale = Stream()
    (join,) = tale.meet("leaf1")
    promise(tale, join, 1)
    tale.ack("DATA_ACK", join, BEFORE_DATA)
    length, place = min(3, longest), 0
    for number in range(1, count + 1):
        tale.pause("T_NACK", T_NACK_S * 2**place)
        tale.nack(f"NACK {number}", join, BEFORE_DATA)
        promise(tale, join, number + 1)
        tale.ack(f"DATA_ACK {number}", join, BEFORE_DATA)
        place += 1
        if place == length:
            length, place = min(length + 1, longest), 0
    if gives_up:
        tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10053)
        tale.send("ABORT", "leaf1", "root", abort(join, AbortReason.DATA_LOST, by_root=False))
        tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


def greased() -> list[Move]:
    """Tell of a join whose request carries a TLV that nobody knows."""
    tale = Stream()
    tale.meet("leaf1")
    for number in (1, 2):
        place = find(tale.moves, f"leaf1 JOIN_REQ {number}")
        move = tale.moves[place]
        assert isinstance(move, Send)
        assert isinstance(move.message, JoinReq)
        move.message = msgspec.structs.replace(move.message, extra=((0x1A2A, b"grease"),))
    return tale.moves


def authentic() -> list[Move]:
    """Tell of a session in which everything is authenticated."""
    moves: list[Move] = []
    counters: dict[str, int] = {}
    for move in alive():
        if not isinstance(move, Send) or move.message is None:
            moves.append(move)
            continue
        number = counters[move.source] = counters.get(move.source, 0) + 1
        auth = Auth(key_id=1, alg=1, counter=number, icv=bytes(16))
        flags = move.message.flags | 0x40
        message = msgspec.structs.replace(move.message, auth=auth, flags=flags)
        moves.append(replace(move, message=message))
    return moves


def counted() -> list[Move]:
    """Tell of a test build that counts its events on the wire."""
    moves = alive()
    for number in (1, 2):
        ack = message_of(moves, f"PROBE_ACK {number}")
        assert isinstance(ack, ProbeAck)
        echo = (EventEcho(event=4, socket_kind=2, error=0, count=1),)
        moves = fields(f"PROBE_ACK {number}", event_echo=echo)(moves)
    return moves


def refusing(moves: list[Move]) -> list[Move]:
    """Let a root refuse a request for a TLV that is optional."""
    pending = message_of(moves, "leaf1 PENDING")
    refusal = Reject(
        reason=9,
        retry_after_s=0,
        detail=0,
        unknown_tlvs=(0x1A2A,),
        session_id=SESSION,
        attempt=2,
        seq=pending.seq,
        destination_tag=pending.destination_tag,
        sender_id=1,
    )
    return after(moves, "leaf1 PENDING", Send("REJECT", "root", "leaf1", refusal))


def talkative(moves: list[Move]) -> list[Move]:
    """Let a host answer every straggler at once."""
    probe, answer = message_of(moves, "PROBE"), message_of(moves, "ABORT R")
    assert isinstance(probe, Probe)
    assert isinstance(answer, Abort)
    more: list[Move] = []
    for attempt in range(2, 9):
        copy = msgspec.structs.replace(probe, attempt=attempt)
        more.append(Send(f"PROBE {attempt}", "root", "leaf1", copy))
        more.append(Send(f"ABORT R {attempt}", "leaf1", "root", answer))
    return after(moves, "ABORT R", *more)


def talkative_twice(moves: list[Move]) -> list[Move]:
    """Let two endpoints of one host answer a stranger, neither of them too often."""
    told = talkative(moves)
    for attempt in range(5, 9):
        told = moves_of(f"PROBE {attempt}", target_port=4001)(told)
        told = moves_of(f"ABORT R {attempt}", source_port=4001)(told)
    return told


def hopeful(moves: list[Move]) -> list[Move]:
    """Let a root wait for ever for a leaf that is gone."""
    probes = [f"PROBE {attempt}" for attempt in (1, 2, 3, 4)]
    rest = without(moves, *probes, "ABORT", "FD_CLOSE")
    return [*rest, Wait("for ever", 60), *barriers("root", 3)]


def fewer(moves: list[Move]) -> list[Move]:
    """Let a test build count backwards."""
    echo = (EventEcho(event=4, socket_kind=2, error=0, count=0),)
    return fields("PROBE_ACK 2", event_echo=echo)(moves)


def expelled_with_others(moves: list[Move]) -> list[Move]:
    """Let a root expel a leaf because another one has left."""
    return without(moves, "leaf2 close P?", "leaf2 close P!")


def hastened(moves: list[Move]) -> list[Move]:
    """Let the copies of ACCEPT leave at four fifths of their law: what no gap alone proves."""
    waits = {f"pause {n}": 0.8 * 2 ** (n - 1) for n in range(1, 6)}
    return [
        replace(move, seconds=waits[move.label])
        if isinstance(move, Wait) and move.label in waits
        else move
        for move in moves
    ]


LIMITS = (lost_for_good, promised, greased, authentic, counted)
EXCESSES = (
    Fault("R61", tour, expelled_with_others),
    Fault("R64", dead, again("ABORT")),
    Fault("R73", dead, hopeful),
    Fault("R103", opened, retorting),
    Fault("R104", reset, talkative),
    Fault("R105", authentic, fields("PROBE_ACK 1", auth=None, flags=0)),
    Fault("R105", authentic, again("PROBE 2", attempt=2)),
    Fault("R107", greased, refusing),
    Fault("R108", counted, fewer),
    Fault("R117", lost_for_good, lacking("SYNC")),
    Fault("R117", promised, lambda _: promised(LAW_OF_SYNC[:7])),
    Fault("R117", promised, lambda _: believing(65, 8, gives_up=True)),
    Fault("R91", promised, lambda _: believing(30, 1)),
    Fault("R91", promised, lambda _: believing(140, 8)),
    Fault("EV19", promised, lacking("FD_CLOSE L")),
    Fault("R118", whispered, lacking("ACK root")),
    Fault("R119", relayed, fields("DATA b'again' leaf2", seq=900)),
    Fault("EV6", unanswered, lacking("pause 4", "pause 5")),
    Fault("EV18", dead, lacking("pause 3", "pause 4")),
    Fault("EV19", unconfirmed, lacking("pause 4", "pause 5")),
    Fault("R76", unconfirmed, hastened),
    Fault("EV19", lost_for_good, lacking("FD_CLOSE L")),
    Fault("EV19", lost_for_good, moved("FD_CLOSE L", ahead_of="SYNC")),
    Fault("EV14", duplicated, lacking("FD_CLOSE")),
    Fault("CR9", duplicated, answering("name of the first!", result={"address": ["::", 1]})),
    Fault("CR21", duplicated, answering("name of the second!", error=over(10038))),
    Fault("EV17", lost_for_good, lacking("FD_CLOSE P")),
)
