"""Correct stories, third part: what happens besides the tour, one story per matter."""

from dataclasses import replace

import msgspec

from mpwire.wire.messages import (
    Abort,
    Cancel,
    CancelAck,
    Challenge,
    Close,
    Probe,
    ProbeAck,
    Reject,
)
from mpwire.wire.numbers import AbortReason, CloseReason, HeaderFlag
from tests.oracle.oracle_plots import SESSION, Join
from tests.oracle.oracle_story import (
    ADDRESSES,
    PORT,
    Exit,
    Move,
    Wait,
    message_of,
)
from tests.oracle.oracle_tales import Tale

ROOT_ADDRESS = [ADDRESSES["root"], PORT]


def meeting(*leaves: str) -> tuple[Tale, list[Join]]:
    """Let leaves join a listening root."""
    tale = Tale()
    tale.open("root", listening=True)
    joins = []
    for leaf in leaves:
        tale.open(leaf, listening=False)
        joins.append(tale.join(leaf, 1))
    return tale, joins


def abort(join: Join, reason: AbortReason, *, by_root: bool) -> Abort:
    """Build ABORT to the peer's own tag."""
    return Abort(
        reason=int(reason),
        echo_seq=0,
        session_id=SESSION,
        destination_tag=join.leaf_tag if by_root else join.root_tag,
        sender_id=1 if by_root else join.member_id,
    )


def withdrawn() -> list[Move]:
    """Tell of an invitation that is withdrawn, and of the next one."""
    tale = Tale()
    tale.open("root", listening=False)
    tale.open("leaf2", listening=True)
    join = tale.ask_to_come("leaf2", 1)
    tale.withdraw(join)
    tale.call("leaf2 accept dead", "leaf2", "accept", 10054, socket=1)
    tale.barrier()
    return tale.moves


def overtaken() -> list[Move]:
    """Tell of an invitation that is accepted although its CANCEL had been delivered already."""
    tale = Tale()
    tale.open("root", listening=False)
    tale.open("leaf2", listening=True)
    join = tale.ask_to_come("leaf2", 1)
    tale.call("close P", "root", "close", {}, socket=join.handle)
    cancel = Cancel(
        init_tag=join.init_tag,
        reason=1,
        seq=8,
        session_id=SESSION,
        sender_id=1,
        destination_tag=join.resp_tag,
    )
    tale.send("CANCEL", "root", "leaf2", cancel)
    join.end = tale.fresh("leaf2")
    result = {"socket": join.end, "address": ROOT_ADDRESS, "caller_data": None}
    tale.call("accept", "leaf2", "accept", result, socket=1)
    tale.send("ACCEPT", "leaf2", "root", tale.accept_message(join))
    ack = CancelAck(result=2, seq=8, session_id=SESSION, destination_tag=join.init_tag)
    tale.send("CANCEL_ACK", "leaf2", "root", ack)
    tale.event("FD_CLOSE", "leaf2", join.end, "FD_CLOSE", 10054)
    gone = abort(join, AbortReason.NO_CONFIRM, by_root=True)
    tale.send("ABORT", "root", "leaf2", gone)
    tale.barrier()
    return tale.moves


def unanswered() -> list[Move]:
    """Tell of a request that nobody answers."""
    tale = Tale()
    tale.open("leaf1", listening=False)
    join = tale.member("leaf1", 1, by_root=False)
    tale.call("leaf1 join", "leaf1", "join_leaf", {"socket": 1}, socket=1, address=ROOT_ADDRESS)
    for attempt, pause in enumerate((1, 2, 4, 8, 16), 1):
        request = tale.request(join, attempt, None)
        tale.send(f"JOIN_REQ {attempt}", "leaf1", "root", request, delivered=False)
        tale.moves.append(Wait(f"pause {attempt}", pause))
    cancel = Cancel(init_tag=join.init_tag, reason=2, seq=8)
    tale.event("FD_CONNECT", "leaf1", 1, "FD_CONNECT", 10060)
    tale.send("CANCEL", "leaf1", "root", cancel, delivered=False)
    tale.barrier()
    return tale.moves


def reset() -> list[Move]:
    """Tell of a leaf that closes with linger 0; its ABORT is lost and a PROBE finds out."""
    tale, (join,) = meeting("leaf1")
    tale.call("linger", "leaf1", "set_linger", {}, socket=1, seconds=0)
    tale.call("close", "leaf1", "close", {}, socket=1)
    gone = abort(join, AbortReason.LINGER0, by_root=False)
    tale.send("ABORT 1", "leaf1", "root", gone, delivered=False)
    tale.moves.append(Wait("silence", 17))
    probe = Probe(
        nonce=99,
        next_data_seq=join.next_root,
        session_id=SESSION,
        seq=30,
        sender_id=1,
        destination_tag=join.leaf_tag,
    )
    tale.send("PROBE", "root", "leaf1", probe)
    reflected = Abort(
        reason=1,
        echo_seq=30,
        session_id=SESSION,
        flags=int(HeaderFlag.R),
        destination_tag=join.leaf_tag,
    )
    tale.send("ABORT R", "leaf1", "root", reflected)
    tale.event("FD_CLOSE", "root", join.handle, "FD_CLOSE", 10054)
    tale.barrier()
    tale.call("send on closed", "leaf1", "send", 10038, socket=1, data="00")
    return tale.moves


def dead() -> list[Move]:
    """Tell of a leaf that is killed and declared dead."""
    tale, (join,) = meeting("leaf1")
    tale.moves.append(Exit("kill", "leaf1", status=-9))
    tale.moves.append(Wait("silence", 20))
    for attempt, pause in enumerate((1, 2, 4, 8), 1):
        probe = Probe(
            nonce=99,
            next_data_seq=join.next_root,
            session_id=SESSION,
            seq=30,
            sender_id=1,
            attempt=attempt,
            destination_tag=join.leaf_tag,
        )
        tale.send(f"PROBE {attempt}", "root", "leaf1", probe)
        tale.moves.append(Wait(f"pause {attempt}", pause))
    tale.event("FD_CLOSE", "root", join.handle, "FD_CLOSE", 10053)
    tale.send("ABORT", "root", "leaf1", abort(join, AbortReason.PEER_DEAD, by_root=True))
    tale.barrier("root")
    return tale.moves


def alive() -> list[Move]:
    """Tell of two PROBEs that are answered."""
    tale, (join,) = meeting("leaf1")
    for number in (1, 2):
        probe = Probe(
            nonce=99 + number,
            next_data_seq=join.next_root,
            session_id=SESSION,
            seq=30 + number,
            sender_id=1,
            destination_tag=join.leaf_tag,
        )
        tale.moves.append(Wait(f"silence {number}", 20))
        tale.send(f"PROBE {number}", "root", "leaf1", probe)
        answer = ProbeAck(
            nonce=99 + number,
            rcv_next=join.next_root,
            loss_permille=0,
            session_id=SESSION,
            seq=30 + number,
            sender_id=join.member_id,
            destination_tag=join.root_tag,
        )
        tale.send(f"PROBE_ACK {number}", "leaf1", "root", answer)
    tale.barrier()
    return tale.moves


def unconfirmed() -> list[Move]:
    """Tell of an acceptance that never reaches the leaf."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    join = tale.ask_to_join("leaf1", 1)
    join.handle, join.member_id = tale.fresh("root"), next(tale.ids)
    result = {"socket": join.handle, "address": [ADDRESSES["leaf1"], PORT], "caller_data": None}
    tale.call("accept", "root", "accept", result, socket=1)
    for attempt, pause in enumerate((1, 2, 4, 8, 16), 1):
        accept = msgspec.structs.replace(tale.accept_message(join), attempt=attempt)
        tale.send(f"ACCEPT {attempt}", "root", "leaf1", accept, delivered=False)
        tale.moves.append(Wait(f"pause {attempt}", pause))
    tale.event("FD_CLOSE", "root", join.handle, "FD_CLOSE", 10053)
    gone = abort(join, AbortReason.NO_CONFIRM, by_root=True)
    tale.send("ABORT", "root", "leaf1", gone, delivered=False)
    tale.barrier()
    return tale.moves


def shut() -> list[Move]:
    """Tell of a leaf that shuts down before it closes."""
    tale, (join,) = meeting("leaf1")
    close, ack = tale.closing(join, CloseReason.LEAVE)
    tale.call("shutdown", "leaf1", "shutdown", {}, socket=1, how="BOTH")
    tale.send("CLOSE", "leaf1", "root", close)
    tale.send("CLOSE_ACK", "root", "leaf1", ack)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def crossing() -> list[Move]:
    """Tell of a root and a leaf that close at the same time."""
    tale, (join,) = meeting("leaf1")
    leave, _ = tale.closing(join, CloseReason.LEAVE)
    dismantle, ack = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "shutdown", {}, socket=1, how="BOTH")
    tale.call("shutdown", "leaf1", "shutdown", {}, socket=1, how="SEND")
    tale.send("DISMANTLE", "root", "leaf1", dismantle)
    tale.send("LEAVE", "leaf1", "root", leave)
    tale.send("ACK by leaf", "leaf1", "root", ack)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    root_ack = msgspec.structs.replace(
        ack,
        rcv_next=leave.final_seq + 1,
        final_seq=dismantle.final_seq,
        sender_id=1,
        destination_tag=join.leaf_tag,
    )
    tale.send("ACK by root", "root", "leaf1", root_ack)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.event("FD_CLOSE R", "root", 1, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def glare() -> list[Move]:
    """Tell of a request and an invitation that cross: the invitation prevails."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    mine = tale.member("leaf1", 1, by_root=False)
    theirs = replace(tale.member("leaf1", 1, by_root=True), seq=9)
    tale.call(
        "join",
        "leaf1",
        "join_leaf",
        {"socket": 1},
        socket=1,
        address=ROOT_ADDRESS,
    )
    theirs.handle = tale.fresh("root")
    tale.call(
        "invite",
        "root",
        "join_leaf",
        {"socket": theirs.handle},
        socket=1,
        address=[ADDRESSES["leaf1"], PORT],
    )
    tale.send("invitation 1", "root", "leaf1", tale.request(theirs, 1, None))
    tale.send("request 1", "leaf1", "root", tale.request(mine, 1, None))
    for join, asks, answers in ((theirs, "root", "leaf1"), (mine, "leaf1", "root")):
        challenge = Challenge(
            cookie_life_ms=30000,
            cookie=b"crossed!",
            sender_id=0,
            seq=join.seq,
            destination_tag=join.init_tag,
        )
        tale.send(f"CHALLENGE to {asks}", answers, asks, challenge)
    tale.send("invitation 2", "root", "leaf1", tale.request(theirs, 2, b"crossed!"))
    accept = msgspec.structs.replace(tale.accept_message(theirs), flags=int(HeaderFlag.X))
    tale.send("ACCEPT", "leaf1", "root", accept)
    theirs.member_id = next(tale.ids)
    tale.event("FD_CONNECT R", "root", 1, "FD_CONNECT")
    tale.first_write("leaf1", 1)
    tale.send("CONFIRM", "root", "leaf1", tale.confirm_message(theirs))
    tale.event("FD_CONNECT L", "leaf1", 1, "FD_CONNECT")
    tale.event("FD_WRITE L", "leaf1", 1, "FD_WRITE")
    tale.barrier()
    return tale.moves


def deferred() -> list[Move]:
    """Tell of a request that is deferred, asks again and is accepted."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    join = tale.ask_to_join("leaf1", 1)
    tale.call("defer", "root", "accept", 11002, socket=1, condition="defer")
    cookie = join.init_tag.to_bytes(8, "big") + b"good"
    pending = message_of(tale.moves, "leaf1 PENDING")
    for attempt in (3, 4):
        tale.moves.append(Wait(f"poll {attempt}", 5))
        tale.send(f"JOIN_REQ {attempt}", "leaf1", "root", tale.request(join, attempt, cookie))
        answer = msgspec.structs.replace(pending, attempt=attempt, state=2)
        tale.send(f"PENDING {attempt}", "root", "leaf1", answer)
    tale.barrier()
    tale.admit(join)
    return tale.moves


def calls() -> list[Move]:
    """Tell of calls that must fail, each where it must."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.call("empty accept", "root", "accept", 10035, socket=1)
    tale.call("plain socket", "root", "socket", 10022, flags=["C_ROOT", "C_LEAF", "D_LEAF"])
    tale.open("leaf1", listening=False)
    join = tale.ask_to_join("leaf1", 1)
    tale.call("second join", "leaf1", "join_leaf", 10037, socket=1, address=ROOT_ADDRESS)
    tale.admit(join)
    tale.call("third join", "leaf1", "join_leaf", 10056, socket=1, address=ROOT_ADDRESS)
    tale.open("leaf2", listening=True)
    invited = tale.ask_to_come("leaf2", 1)
    tale.call("early send", "root", "send", 10057, socket=invited.handle, data="00")
    tale.call("early accept", "leaf2", "accept", 11002, socket=1, condition="defer")
    tale.call("nothing to read", "root", "recv", 10035, socket=1)
    tale.call("too much", "leaf1", "send", 10035, socket=1, data="00")
    tale.event("writable again", "leaf1", 1, "FD_WRITE")
    tale.withdraw(invited)
    return tale.moves


def latecomer() -> list[Move]:
    """Tell of a request that arrives while the session is dismantled."""
    tale, (join,) = meeting("leaf1")
    tale.open("leaf2", listening=False)
    close, ack = tale.closing(join, CloseReason.DISMANTLE)
    tale.call("dismantle", "root", "shutdown", {}, socket=1, how="SEND")
    tale.send("DISMANTLE 1", "root", "leaf1", close, delivered=False)
    late = tale.member("leaf2", 1, by_root=False)
    tale.call("late join", "leaf2", "join_leaf", {"socket": 1}, socket=1, address=ROOT_ADDRESS)
    tale.cookies(late)
    del tale.moves[-1]
    refusal = Reject(
        reason=13,
        retry_after_s=0,
        detail=0,
        session_id=SESSION,
        attempt=2,
        seq=late.seq,
        destination_tag=late.init_tag,
        sender_id=1,
    )
    tale.send("REJECT", "root", "leaf2", refusal)
    tale.event("FD_CONNECT", "leaf2", 1, "FD_CONNECT", 10061)
    tale.moves.append(Wait("RTO", 1))
    again: Close = msgspec.structs.replace(close, attempt=2)
    tale.send("DISMANTLE 2", "root", "leaf1", again)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.send("CLOSE_ACK", "leaf1", "root", msgspec.structs.replace(ack, attempt=2))
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


ASIDES = (
    withdrawn,
    overtaken,
    unanswered,
    reset,
    dead,
    alive,
    unconfirmed,
    shut,
    crossing,
    glare,
    deferred,
    calls,
    latecomer,
)
