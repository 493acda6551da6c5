"""Correct stories of joins that cross, and of members that ask again."""

from dataclasses import replace

import msgspec

from mpwire.wire.messages import Abort, Cancel, CancelAck, Challenge, Pending, Probe
from mpwire.wire.numbers import AbortReason, HeaderFlag
from tests.oracle.oracle_asides import ROOT_ADDRESS, abort, glare
from tests.oracle.oracle_edits import Fault, fields, lacking, moved
from tests.oracle.oracle_plots import SESSION, Join
from tests.oracle.oracle_story import (
    ADDRESSES,
    PORT,
    Move,
    Send,
    Wait,
    barriers,
    find,
    message_of,
)
from tests.oracle.oracle_streams import Stream


def folded() -> list[Move]:
    """Tell of a request and an invitation that cross, up to the leaf's ACCEPT."""
    moves = glare()
    place = find(moves, "ACCEPT")
    return [*moves[:place], replace_delivery(moves[place])]


def replace_delivery(move: Move) -> Move:
    """Let a datagram be lost."""
    assert isinstance(move, Send)
    return replace(move, delivered=False)


def exhausted() -> list[Move]:
    """Tell of a folded request whose ACCEPT nobody confirms: the leaf gives up."""
    moves = folded()
    accept = message_of(moves, "ACCEPT")
    for attempt, pause in zip((2, 3, 4, 5), (1, 2, 4, 8), strict=True):
        copy = msgspec.structs.replace(accept, attempt=attempt)
        moves.append(Wait(f"RTO {attempt}", pause))
        moves.append(Send(f"ACCEPT {attempt}", "leaf1", "root", copy, delivered=False))
    moves.append(Wait("RTO 6", 16))
    tale = Stream()
    tale.event("FD_CONNECT L", "leaf1", 1, "FD_CONNECT", 10060)
    invited = message_of(moves, "invitation 1")
    gone = Abort(
        reason=int(AbortReason.NO_CONFIRM),
        echo_seq=0,
        session_id=SESSION,
        destination_tag=getattr(invited, "init_tag", 0),
    )
    tale.send("ABORT", "leaf1", "root", gone, delivered=False)
    return [*moves, *tale.moves, *barriers("leaf1", 2)]


def called_off() -> list[Move]:
    """Tell of a folded request whose invitation the root withdraws: the join is refused."""
    moves = folded()
    invitation, accept = message_of(moves, "invitation 1"), message_of(moves, "ACCEPT")
    tale = Stream()
    tale.calls = {"root": 600}
    tale.call("close P", "root", "close", {}, socket=2)
    cancel = Cancel(
        init_tag=getattr(invitation, "init_tag", 0),
        reason=1,
        seq=10,
        session_id=SESSION,
        sender_id=1,
    )
    tale.send("CANCEL", "root", "leaf1", cancel)
    tale.event("FD_CONNECT L", "leaf1", 1, "FD_CONNECT", 10061)
    done = CancelAck(result=2, seq=10, session_id=SESSION, destination_tag=accept.destination_tag)
    tale.send("CANCEL_ACK", "leaf1", "root", done)
    return [*moves, *tale.moves, *barriers("leaf1", 2)]


def unfit() -> list[Move]:
    """Tell of a folded request whose invitation is confirmed in a way that does not fit."""
    moves = glare()
    place = find(moves, "CONFIRM")
    invited = message_of(moves, "invitation 1")
    refusal = Abort(
        reason=int(AbortReason.PROTOCOL),
        echo_seq=0,
        session_id=SESSION,
        destination_tag=getattr(invited, "init_tag", 0),
    )
    tale = Stream()
    tale.event("FD_CONNECT L", "leaf1", 1, "FD_CONNECT", 10061)
    tale.send("ABORT", "leaf1", "root", refusal)
    tale.event("FD_CLOSE P", "root", 2, "FD_CLOSE", 10054)
    return [*moves[: place + 1], *tale.moves, *barriers("leaf1", 2), *barriers("root", 2)]


def overtaken() -> list[Move]:
    """Tell of a request that is queued when the invitation prevails: nobody needs to refuse it."""
    tale = Stream()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    tale.ask_to_join("leaf1", 1)
    theirs = replace(tale.member("leaf1", 1, by_root=True), seq=9, handle=tale.fresh("root"))
    target = [ADDRESSES["leaf1"], PORT]
    tale.call("invite", "root", "join_leaf", {"socket": 2}, socket=1, address=target)
    tale.send("invitation 1", "root", "leaf1", tale.request(theirs, 1, None))
    challenge = Challenge(
        cookie_life_ms=30000,
        cookie=b"crossed!",
        sender_id=0,
        seq=theirs.seq,
        destination_tag=theirs.init_tag,
    )
    tale.send("CHALLENGE", "leaf1", "root", challenge)
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
    tale.dismantle([theirs])
    tale.moves.append(Wait("wait", 5))
    tale.barrier()
    return tale.moves


def verified() -> list[Move]:
    """Tell of a leaf that restarts: its old membership is probed, then its request is queued."""
    tale = Stream()
    (old,) = tale.meet("leaf1")
    tale.call("linger", "leaf1", "set_linger", {}, socket=1, seconds=0)
    tale.call("close", "leaf1", "close", {}, socket=1)
    gone = abort(old, AbortReason.LINGER0, by_root=False)
    tale.send("ABORT 1", "leaf1", "root", gone, delivered=False)
    tale.moves.append(Wait("silence", 17))
    again = asking_again(tale)
    probed(tale, old, again)
    tale.barrier()
    tale.moves.append(Wait("poll", 5))
    cookie = again.init_tag.to_bytes(8, "big") + b"good"
    tale.send("JOIN_REQ 3", "leaf1", "root", tale.request(again, 3, cookie))
    pending = message_of(tale.moves, "again leaf1 PENDING")
    assert isinstance(pending, Pending)
    queued = msgspec.structs.replace(pending, attempt=3, state=1)
    tale.send("PENDING 3", "root", "leaf1", queued)
    tale.moves += barriers("root", 1)
    tale.admit(again)
    return tale.moves


def asking_again(tale: Stream) -> Join:
    """Let a leaf with a new socket at the old address ask, up to PENDING(VERIFYING)."""
    tale.open("leaf1", listening=False)
    again = tale.member("leaf1", 2, by_root=False)
    tale.call("join again", "leaf1", "join_leaf", {"socket": 2}, socket=2, address=ROOT_ADDRESS)
    place = len(tale.moves)
    tale.cookies(again)
    for move in tale.moves[place:]:
        move.label = f"again {move.label}"
    pending = tale.moves[-1]
    assert isinstance(pending, Send)
    assert pending.message is not None
    pending.message = msgspec.structs.replace(pending.message, state=3)
    return again


def probed(tale: Stream, old: Join, again: Join) -> None:
    """Let the root probe the old membership, which is gone."""
    probe = Probe(
        nonce=77,
        next_data_seq=old.next_root,
        session_id=SESSION,
        seq=30,
        sender_id=1,
        destination_tag=old.leaf_tag,
    )
    tale.send("PROBE", "root", again.leaf, probe)
    reflected = Abort(
        reason=1,
        echo_seq=30,
        session_id=SESSION,
        flags=int(HeaderFlag.R),
        destination_tag=old.leaf_tag,
    )
    tale.send("ABORT R", again.leaf, "root", reflected)
    tale.event("FD_CLOSE P", "root", old.handle, "FD_CLOSE", 10054)
    tale.event("FD_ACCEPT again", "root", 1, "FD_ACCEPT")


CROSSINGS = (overtaken, exhausted, called_off, unfit, verified)
AMISS = (
    Fault("EV5", called_off, lacking("FD_CONNECT L")),
    Fault("EV5", called_off, fields("FD_CONNECT L", code=10060)),
    Fault("EV5", unfit, lacking("FD_CONNECT L")),
    Fault("EV5", unfit, fields("FD_CONNECT L", code=0)),
    Fault("EV5", unfit, moved("FD_CONNECT L", ahead_of="CONFIRM")),
    Fault("EV6", exhausted, lacking("FD_CONNECT L")),
    Fault("EV6", exhausted, moved("FD_CONNECT L", ahead_of="ACCEPT 4")),
    Fault("EV1", verified, lacking("FD_ACCEPT again")),
    Fault("EV1", verified, moved("FD_ACCEPT again", ahead_of="ABORT R")),
    Fault("EV17", verified, lacking("FD_CLOSE P")),
)
