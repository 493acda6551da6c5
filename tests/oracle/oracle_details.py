"""Correct stories, fourth part: records read by hand, misfits, linger 0, sockets without bind."""

import msgspec

from mpwire.wire.messages import Cancel, CancelAck, Reject, VersionNeg
from mpwire.wire.numbers import AbortReason, CloseReason
from tests.oracle.oracle_asides import ROOT_ADDRESS, abort, meeting
from tests.oracle.oracle_plots import SESSION
from tests.oracle.oracle_story import ADDRESSES, PORT, Line, Move, Send, Wait, encode_any, find
from tests.oracle.oracle_tales import Tale


def enumerated() -> list[Move]:
    """Tell of an application that reads the record by hand and of one that blocks."""
    tale = Tale()
    number = tale.open("root", listening=False, selected=False)
    events = ["FD_ACCEPT", "FD_CLOSE"]
    tale.call("select", "root", "event_select", {}, socket=number, events=events, report=False)
    tale.call("listen", "root", "listen", {}, socket=number)
    tale.open("leaf1", listening=False, selected=False)
    join = tale.member("leaf1", 1, by_root=False)
    asked = tale.ask("join", "leaf1", "join_leaf", socket=1, address=ROOT_ADDRESS)
    tale.cookies(join)
    tale.barrier("root")
    seen = {"events": [{"event": "FD_ACCEPT", "code": 0}]}
    tale.call("enumerate", "root", "enum_network_events", seen, socket=number)
    join.handle, join.member_id = tale.fresh("root"), next(tale.ids)
    accepting = tale.ask("accept", "root", "accept", socket=number, condition="ask")
    condition = {"address": [ADDRESSES["leaf1"], PORT], "local": ROOT_ADDRESS}
    ask = {"ask": 1, "call": accepting, "condition": condition}
    tale.moves.append(Line("ask", "root", "from", ask))
    answer = {"answer": 1, "decision": "accept", "callee_data": b"welcome".hex()}
    tale.moves.append(Line("answer", "root", "to", answer))
    result = {"socket": join.handle, "address": [ADDRESSES["leaf1"], PORT], "caller_data": None}
    tale.answer("accept", "root", accepting, result=result)
    accept = tale.accept_message(join, callee_data=b"welcome")
    tale.send("ACCEPT", "root", "leaf1", accept)
    tale.send("CONFIRM", "leaf1", "root", tale.confirm_message(join))
    tale.answer("join", "leaf1", asked, result={"socket": 1, "callee_data": b"welcome".hex()})
    tale.call("callee data", "leaf1", "callee_data", {"callee_data": b"welcome".hex()}, socket=1)
    close, ack = tale.closing(join, CloseReason.LEAVE)
    tale.call("close", "leaf1", "close", {}, socket=1)
    tale.send("CLOSE", "leaf1", "root", close)
    tale.send("CLOSE_ACK", "root", "leaf1", ack)
    tale.barrier()
    seen = {"events": [{"event": "FD_CLOSE", "code": 0}]}
    tale.call("enumerate P", "root", "enum_network_events", seen, socket=join.handle)
    return tale.moves


def unfit() -> list[Move]:
    """Tell of an acceptance that does not fit its request: the joiner refuses it."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    join = tale.ask_to_join("leaf1", 1)
    join.handle, join.member_id = tale.fresh("root"), next(tale.ids)
    result = {"socket": join.handle, "address": [ADDRESSES["leaf1"], PORT], "caller_data": None}
    tale.call("accept", "root", "accept", result, socket=1)
    tale.send("ACCEPT", "root", "leaf1", tale.accept_message(join))
    refusal = abort(join, AbortReason.PROTOCOL, by_root=False)
    tale.send("ABORT", "leaf1", "root", msgspec.structs.replace(refusal, sender_id=0))
    tale.event("FD_CONNECT", "leaf1", 1, "FD_CONNECT", 10061)
    tale.event("FD_CLOSE", "root", join.handle, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


def linger_zero() -> list[Move]:
    """Tell of a root that closes with linger 0: its open handles are told, too."""
    tale, (join,) = meeting("leaf1")
    tale.call("linger", "root", "set_linger", {}, socket=1, seconds=0)
    tale.call("close", "root", "close", {}, socket=1)
    tale.send("ABORT", "root", "leaf1", abort(join, AbortReason.LINGER0, by_root=True))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE", 10053)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


def unbound() -> list[Move]:
    """Tell of a leaf that never binds: its address is known from its packets and getsockname."""
    tale, _ = meeting("leaf1")
    place = [find(tale.moves, f"leaf1:1 bind{mark}") for mark in "?!"]
    tale.moves = [move for n, move in enumerate(tale.moves) if n not in place]
    address = {"address": [ADDRESSES["leaf1"], PORT]}
    tale.call("name", "leaf1", "getsockname", address, socket=1)
    return tale.moves


def interrupted() -> list[Move]:
    """Tell of a session that is dismantled while one leaf waits and another is invited."""
    tale, (join,) = meeting("leaf1")
    tale.open("leaf2", listening=False)
    waiting = tale.ask_to_join("leaf2", 1)
    tale.open("leaf3", listening=True)
    invited = tale.ask_to_come("leaf3", 1)
    close, ack = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "close", {}, socket=1)
    tale.send("CLOSE", "root", "leaf1", close)
    reject = Reject(
        reason=13,
        retry_after_s=0,
        detail=0,
        session_id=SESSION,
        attempt=2,
        seq=waiting.seq,
        destination_tag=waiting.init_tag,
        sender_id=1,
    )
    tale.send("REJECT", "root", "leaf2", reject)
    cancel = Cancel(
        init_tag=invited.init_tag,
        reason=1,
        seq=8,
        session_id=SESSION,
        sender_id=1,
        destination_tag=invited.resp_tag,
    )
    tale.send("CANCEL", "root", "leaf3", cancel)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.send("CLOSE_ACK", "leaf1", "root", ack)
    tale.event("FD_CONNECT", "leaf2", 1, "FD_CONNECT", 10061)
    done = CancelAck(result=0, seq=8, session_id=SESSION, destination_tag=invited.init_tag)
    tale.send("CANCEL_ACK", "leaf3", "root", done)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def versions() -> list[Move]:
    """Tell of a request in a GREASE version, which is told the real ones, and of the next."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    join = tale.member("leaf1", 1, by_root=False)
    probe = bytearray(encode_any(tale.request(join, 1, None)))
    probe[2] = 0x5A
    answer = VersionNeg(versions=(1, 0x3A), seq=join.seq, destination_tag=join.init_tag)
    real = tale.join("leaf1", 1)
    place = find(tale.moves, "leaf1 JOIN_REQ 1")
    first = Send("probe", "leaf1", "root", octets=bytes(probe))
    tale.moves[place:place] = [first, Send("VERSION_NEG", "root", "leaf1", answer)]
    assert real.init_tag != join.init_tag
    return tale.moves


def outrun() -> list[Move]:
    """Tell of a joiner that has given up when ACCEPT comes; its CANCEL is recorded later."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    join = tale.ask_to_join("leaf1", 1)
    join.handle, join.member_id = tale.fresh("root"), next(tale.ids)
    result = {"socket": join.handle, "address": [ADDRESSES["leaf1"], PORT], "caller_data": None}
    tale.call("accept", "root", "accept", result, socket=1)
    tale.event("FD_CONNECT", "leaf1", 1, "FD_CONNECT", 10060)
    tale.send("ACCEPT", "root", "leaf1", tale.accept_message(join))
    cancel = Cancel(
        init_tag=join.init_tag,
        reason=2,
        seq=8,
        session_id=SESSION,
        destination_tag=join.resp_tag,
    )
    tale.send("CANCEL", "leaf1", "root", cancel)
    done = CancelAck(
        result=2, seq=8, session_id=SESSION, sender_id=1, destination_tag=join.init_tag
    )
    tale.send("CANCEL_ACK", "root", "leaf1", done)
    refusal = abort(join, AbortReason.NO_CONFIRM, by_root=False)
    tale.send("ABORT", "leaf1", "root", msgspec.structs.replace(refusal, sender_id=0))
    tale.event("FD_CLOSE", "root", join.handle, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


def despaired() -> list[Move]:
    """Tell of a closer that has given up when CLOSE_ACK comes; its ABORT is recorded later."""
    tale, (join,) = meeting("leaf1")
    close, ack = tale.closing(join, CloseReason.LEAVE)
    tale.call("shutdown", "leaf1", "shutdown", {}, socket=1, how="BOTH")
    for attempt, pause in enumerate((1, 2, 4, 8), 1):
        copy = msgspec.structs.replace(close, attempt=attempt)
        tale.send(f"CLOSE {attempt}", "leaf1", "root", copy, delivered=False)
        tale.moves.append(Wait(f"pause {attempt}", pause))
    tale.send("CLOSE 5", "leaf1", "root", msgspec.structs.replace(close, attempt=5))
    tale.moves.append(Wait("pause 5", 16))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE", 10053)
    tale.send("CLOSE_ACK", "root", "leaf1", msgspec.structs.replace(ack, attempt=5))
    gone = abort(join, AbortReason.CLOSE_TIMEOUT, by_root=False)
    tale.send("ABORT", "leaf1", "root", gone)
    tale.barrier()
    return tale.moves


def premature() -> list[Move]:
    """Tell of a CLOSE that comes before the CONFIRM that was lost: the leaf must drop it (11.2)."""
    tale = Tale()
    tale.open("root", listening=False)
    tale.open("leaf1", listening=True)
    join = tale.ask_to_come("leaf1", 1)
    join.end = tale.fresh("leaf1")
    join.member_id = next(tale.ids)
    result = {"socket": join.end, "address": ROOT_ADDRESS, "caller_data": None}
    tale.call("accept", "leaf1", "accept", result, socket=1)
    accept, confirm = tale.accept_message(join), tale.confirm_message(join)
    tale.send("ACCEPT 1", "leaf1", "root", accept)
    tale.event("FD_CONNECT", "root", 1, "FD_CONNECT")
    tale.event("FD_WRITE R", "root", 1, "FD_WRITE")
    tale.send("CONFIRM 1", "root", "leaf1", confirm, delivered=False)
    close, _ = tale.closing(join, CloseReason.EXPEL)
    tale.call("close", "root", "close", {}, socket=join.handle)
    tale.send("CLOSE 1", "root", "leaf1", close)
    tale.barrier()
    tale.moves.append(Wait("pause 1", 1))
    tale.send("ACCEPT 2", "leaf1", "root", msgspec.structs.replace(accept, attempt=2))
    tale.send("CONFIRM 2", "root", "leaf1", msgspec.structs.replace(confirm, attempt=2))
    tale.event("FD_WRITE A", "leaf1", join.end, "FD_WRITE")
    for attempt, pause in enumerate((2, 4, 8, 16), 2):
        copy = msgspec.structs.replace(close, attempt=attempt)
        tale.send(f"CLOSE {attempt}", "root", "leaf1", copy, delivered=False)
        tale.moves.append(Wait(f"pause {attempt}", pause))
    tale.send("ABORT", "root", "leaf1", abort(join, AbortReason.CLOSE_TIMEOUT, by_root=True))
    tale.event("FD_CLOSE A", "leaf1", join.end, "FD_CLOSE", 10054)
    tale.barrier()
    return tale.moves


def posted() -> list[Move]:
    """Tell of an application that has events posted to a window, and waits by WSPSelect."""
    tale = Tale()
    number = tale.open("root", listening=False, selected=False)
    events = ["FD_ACCEPT", "FD_CLOSE"]
    tale.call(
        "select", "root", "async_select", {}, socket=number, window=7, message=1, events=events
    )
    tale.call("listen", "root", "listen", {}, socket=number)
    tale.open("leaf1", listening=False)
    join = tale.member("leaf1", 1, by_root=False)
    tale.call("join", "leaf1", "join_leaf", {"socket": 1}, socket=1, address=ROOT_ADDRESS)
    tale.cookies(join)
    tale.barrier("root")
    seen = {"message": {"message": 1, "socket": 1, "event": "FD_ACCEPT", "code": 0}}
    tale.call("message", "root", "get_message", seen, window=7)
    tale.call("no message", "root", "get_message", {"message": None}, window=7)
    tale.ask("wait", "root", "select", read=[number], timeout_s=None)
    tale.barrier()
    return tale.moves


def duplicated() -> list[Move]:
    """Tell of a leaf with two descriptors of its socket: closing one of them ends nothing."""
    tale, (join,) = meeting("leaf1")
    tale.call("duplicate", "leaf1", "duplicate_socket", {"socket": 2}, socket=1)
    tale.call("close first", "leaf1", "close", {}, socket=1)
    over = {"code": 10038, "name": "WSAENOTSOCK"}
    asked = tale.ask("name of the first", "leaf1", "getsockname", socket=1)
    tale.answer("name of the first", "leaf1", asked, error=over)
    named = {"address": [ADDRESSES["leaf1"], PORT]}
    tale.call("name of the second", "leaf1", "getsockname", named, socket=2)
    tale.barrier()
    close, ack = tale.closing(join, CloseReason.EXPEL)
    tale.call("expel", "root", "close", {}, socket=join.handle)
    tale.send("CLOSE", "root", "leaf1", close)
    tale.event("FD_CLOSE", "leaf1", 2, "FD_CLOSE")
    tale.send("CLOSE_ACK", "leaf1", "root", ack)
    tale.moves.append(Wait("long", 8))
    tale.barrier()
    tale.barrier()
    return tale.moves


DETAILS = (
    premature,
    outrun,
    despaired,
    versions,
    interrupted,
    enumerated,
    unfit,
    linger_zero,
    unbound,
    posted,
    duplicated,
)
