"""What looks wrong and is not: each excuse, and the same again where it does not hold."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from mpwire.wire.messages import Accept, Data, Sync, VersionNeg
from mpwire.wire.numbers import CancelReason, CloseReason
from tests.oracle.oracle_asides import reset
from tests.oracle.oracle_asked import called_back
from tests.oracle.oracle_edits import Edit, Plotted, answering, fields, moved, over
from tests.oracle.oracle_groups import GROUP, Group, opened
from tests.oracle.oracle_halves import Halved, whisper
from tests.oracle.oracle_limits import talkative, talkative_twice
from tests.oracle.oracle_lives import Reborn
from tests.oracle.oracle_plots import BEFORE_DATA, DESCRIPTION, LEAF_DATA
from tests.oracle.oracle_story import (
    ADDRESSES,
    Exit,
    Move,
    Send,
    Told,
    Wait,
    after,
    altered,
    barriers,
    before,
    find,
    message_of,
    remade,
    without,
)
from tests.oracle.oracle_streams import GROUP_TAG, windowed
from tests.oracle.oracle_tales import Tale, three


class Excuse(NamedTuple):
    """A rule, a story that seems to break it, and an edit that takes the excuse away."""

    rule: str
    plot: Plotted
    unexcused: Edit


def loses(host: str) -> list[Move]:
    """Take a host its interface."""
    text = f"{host} loses its interface"
    return [Told("loses", text, "started"), Told("has lost", text, "done")]


def staying(moves: list[Move]) -> list[Move]:
    """Let the host keep its interface."""
    return without(moves, "loses", "has lost")


def gathered(planes: int = 7) -> tuple[Group, Callable[..., None]]:
    """Begin a session whose data goes to a group; the other value sends to it."""
    tale = Group()
    tale.description = msgspec.structs.replace(
        DESCRIPTION,
        planes=planes,
        family=4,
        data_port=61717,
        hop_limit=64,
        group=bytes((239, 1, 2, 3)),
    )

    def tell(text: bytes, place: int, *targets: str, **changes: object) -> None:
        data = tale.data(text, 1, BEFORE_DATA + place, GROUP_TAG)
        data = msgspec.structs.replace(data, **{"flags": 0x20, **changes})
        first, *others = targets
        more = {"target_address": GROUP, "more_targets": tuple(others)}
        tale.send(f"DATA {text!r}", "root", first, data, **more)

    return tale, tell


def unplugged_member() -> list[Move]:
    """Tell of a member whose host has no interface any more when the group is spoken to."""
    tale, tell = gathered()
    tale.meet("leaf1", "leaf2")
    tale.report("report leaf1", "leaf1")
    tale.report("report leaf2", "leaf2")
    tale.barrier()
    tale.moves += loses("leaf2")
    tale.event("FD_CLOSE leaf2", "leaf2", 1, "FD_CLOSE", 10050)
    tale.submit("root", 1, b"one")
    tell(b"one", 0, "leaf1", "leaf2")
    tale.take("leaf1", 1, b"one")
    tale.barrier()
    tale.barrier()
    return tale.moves


def unplugged_before_the_answer() -> list[Move]:
    """Tell of a leaf that is asked by SYNC, and loses its interface before it can answer."""
    moves = without(windowed(), "DATA_ACK room", "FD_WRITE again")
    return after(moves, "SYNC", *loses("leaf1"))


def unheard_close() -> list[Move]:
    """Tell of a script that ends while CLOSE is still under way."""
    moves = without(three(), "leaf3 FD_CLOSE", "leaf3 FD_CLOSE P", "leaf3 CLOSE_ACK")
    return remade(moves, "leaf3 CLOSE", delivered=False)


def arriving_close(moves: list[Move]) -> list[Move]:
    """Let the CLOSE arrive."""
    return remade(moves, "leaf3 CLOSE", delivered=True)


def killed() -> list[Move]:
    """Tell of a leaf that is killed in the middle of the dismantling, and says nothing of it."""
    moves = without(three(), "leaf3 FD_CLOSE", "leaf3 FD_CLOSE P", "leaf3 CLOSE_ACK")
    place = next(place for place, one in enumerate(moves) if one.label == "leaf3 CLOSE")
    rest = [one for one in moves[place + 1 :] if not one.label.startswith("barrier leaf3")]
    return [*moves[: place + 1], Exit("kill", "leaf3", status=-9), *rest]


def surviving(moves: list[Move]) -> list[Move]:
    """Let the leaf be asked twice before it is killed."""
    return before(moves, "kill", *barriers("leaf3", 2))


def unconfirmed_close() -> list[Move]:
    """Tell of a leaf that accepted, and hears CLOSE before CONFIRM: it drops it."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=True)
    join = tale.invite("leaf1", 1)
    close, _ = tale.closing(join, CloseReason.EXPEL)
    tale.call("expel", "root", "close", {}, socket=join.handle)
    tale.send("CLOSE", "root", "leaf1", close)
    tale.barrier()
    tale.barrier()
    moves = remade(tale.moves, "leaf1 CONFIRM", delivered=False)
    return without(moves, "leaf1 FD_WRITE")


def confirmed(moves: list[Move]) -> list[Move]:
    """Let the CONFIRM arrive."""
    return remade(moves, "leaf1 CONFIRM", delivered=True)


def unheard_relay() -> list[Move]:
    """Tell of data that a root relays to a group before it knows of one who hears the group.

    The root has accepted leaf2 and has no CONFIRM: no SYNC has told that leaf of the origin.
    """
    tale, tell = gathered(planes=5)
    (one,) = tale.meet("leaf1")
    tale.report("report leaf1", "leaf1")
    tale.open("leaf2", listening=False)
    tale.report("report leaf2", "leaf2")
    tale.join("leaf2", 1)
    tale.moves = remade(tale.moves, "leaf2 CONFIRM", delivered=False)
    tale.submit("leaf1", 1, b"early")
    data = tale.data(b"early", one.member_id, LEAF_DATA, one.root_tag)
    tale.send("DATA early root", "leaf1", "root", data)
    relayed = {"origin": one.member_id, "dflags": 2, "hop": 1, "seq": LEAF_DATA}
    tell(b"early", 0, "leaf2", "leaf1", **relayed)
    tale.take("root", 1, b"early")
    tale.barrier()
    tale.barrier()
    return tale.moves


def heard_relay(moves: list[Move]) -> list[Move]:
    """Let the CONFIRM arrive first: now the root owes that leaf a SYNC."""
    return remade(moves, "leaf2 CONFIRM", delivered=True)


def expected_relay(moves: list[Move]) -> list[Move]:
    """Let the leaf be told of the origin before."""
    data = message_of(moves, "DATA b'early'")
    assert isinstance(data, Data)
    accept = message_of(moves, "leaf2 ACCEPT")
    assert isinstance(accept, Accept)
    sync = Sync(
        origin=data.origin,
        trail_seq=data.seq,
        sflags=0,
        session_id=data.session_id,
        seq=data.seq,
        sender_id=1,
        destination_tag=accept.destination_tag,
    )
    return before(heard_relay(moves), "DATA b'early'", Send("SYNC", "root", "leaf2", sync))


def half_crossing() -> list[Move]:
    """Tell of CLOSE(HALF), repeated as its answer was lost, that crosses a CLOSE that was lost."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    tale.call("shutdown P", "root", "shutdown", {}, socket=join.handle, how="SEND")
    half, half_ack = tale.end("half", join, CloseReason.EXPEL, half=True)
    tale.event("FD_CLOSE L", "leaf1", 1, "FD_CLOSE")
    tale.barrier()
    tale.call("leave", "leaf1", "close", {}, socket=1)
    full, full_ack = tale.end("leave", join, CloseReason.LEAVE, seq=40)
    tale.moves = remade(tale.moves, "half CLOSE_ACK", delivered=False)
    tale.moves = without(remade(tale.moves, "leave CLOSE", delivered=False), "leave CLOSE_ACK")
    for source, target, close, answer in (
        ("root", "leaf1", half, half_ack),
        ("leaf1", "root", full, full_ack),
    ):
        tale.moves.append(Wait("RTO", 1))
        again = msgspec.structs.replace(close, attempt=2)
        tale.send(f"{source} CLOSE 2", source, target, again)
        answered = msgspec.structs.replace(answer, attempt=2)
        tale.send(f"{target} CLOSE_ACK 2", target, source, answered)
    tale.event("FD_CLOSE P", "root", join.handle, "FD_CLOSE")
    tale.barrier()
    return tale.moves


def deferred_again(leaf: str = "leaf1") -> list[Move]:
    """Tell of a deferred request whose leaf asks anew before the end of it is heard of."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    tale.open("leaf2", listening=False)
    tale.ask_to_join("leaf1", 1)
    tale.call("defer", "root", "accept", 11002, socket=1, condition="defer")
    if leaf == "leaf1":
        tale.event("FD_CONNECT", "leaf1", 1, "FD_CONNECT", 10060)
        tale.barrier()
    tale.ask_to_join(leaf, 1)
    return tale.moves


def unplugged_before_the_report() -> list[Move]:
    """Tell of a member whose host loses its interface before the kernel reports the group."""
    return after(without(opened(), "report leaf2"), "leaf2 FD_WRITE", *loses("leaf2"))


def brief_member() -> list[Move]:
    """Tell of a member that is gone before the kernel reports the group."""
    stay = ("alive", "leaf1 ALIVE 1", "alive again", "leaf1 ALIVE 2")
    moves = without(opened(), "report leaf1", "leave leaf1", *stay)
    return [*moves, Wait("later", 2), *barriers("leaf1", 2)]


def staying_member(moves: list[Move]) -> list[Move]:
    """Let the member stay longer than a kernel waits."""
    return after(moves, "leaf1 FD_WRITE", Wait("stay", 0.2))


def killed_as_it_closes() -> list[Move]:
    """Tell of a root that is killed before its close is answered, but not before it said so."""
    tale = Halved()
    one, two = tale.meet("leaf1", "leaf2")
    tale.leave(one)
    tale.ask("close R", "root", "close", socket=1)
    close, ack = tale.closing(two, CloseReason.DISMANTLE)
    tale.send("CLOSE", "root", "leaf2", close)
    tale.moves.append(Exit("kill", "root", status=-9))
    tale.send("CLOSE_ACK", "leaf2", "root", ack, delivered=False)
    tale.event("FD_CLOSE L", "leaf2", 1, "FD_CLOSE")
    return [*tale.moves, *barriers("leaf2", 2)]


def second_whisper() -> list[Move]:
    """Tell of a private message that waits for the ACK of the first, which was lost."""
    tale = Halved()
    (join,) = tale.meet("leaf1")
    whisper(tale, join, by_root=False)
    tale.event("FD_READ P", "root", join.handle, "FD_READ")
    data = {"data": b"and more".hex(), "private": True}
    tale.call("waiting", "leaf1", "send", {"octets": 8}, socket=1, **data)
    tale.barrier()
    return remade(tale.moves, "ACK root", delivered=False)


def looked_twice(number: int = 1, *, born_again: bool = False) -> list[Move]:
    """Tell of an event object that is set, and is not any more when it is looked at again."""
    tale = Reborn()
    tale.meet("leaf1")
    for label, signalled in (("set", True), ("not set", False)):
        tale.call(label, "leaf2", "event_object", {"signalled": signalled}, event_object=number)
        if signalled and born_again:
            tale.restart("leaf2")
    tale.barrier()
    return tale.moves


def of_another_process() -> list[Move]:
    """Tell of the event object of a process that took the place of another one."""
    return looked_twice(2, born_again=True)


def given_up_before() -> list[Move]:
    """Tell of a blocking join whose time was over when it was called back."""
    moves = altered(called_back(), "CANCEL", reason=int(CancelReason.TIMEOUT))
    return answering("join!", error=over(10060))(moves)


def passed_over(moves: list[Move]) -> list[Move]:
    """Let the message that never leaves be the older one: it waits for nothing."""
    for label in ("waiting?", "waiting!"):
        moves = moved(label, ahead_of="send b'between us'?")(moves)
    return moves


def silenced() -> list[Move]:
    """Tell of a root that has shut down sending when its first member is confirmed."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    tale.join("leaf1", 1)
    joined = len(tale.moves)
    tale.call("silence", "root", "shutdown", {}, socket=1, how="SEND")
    call, tale.moves = tale.moves[joined:], tale.moves[:joined]
    tale.barrier()
    moves = without(tale.moves, "leaf1 FD_WRITE root")
    place = find(moves, "leaf1 CONFIRM")
    return [*moves[:place], *call, *moves[place:]]


def contradicted() -> list[Move]:
    """Tell of a request that is told to be of no version of the root's, which lists it, too."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False)
    join = tale.ask_to_join("leaf1", 1)
    del tale.moves[find(tale.moves, "leaf1 CHALLENGE") :]
    answer = VersionNeg(versions=(1, 0x3A), seq=0, destination_tag=join.init_tag)
    tale.send("VERSION_NEG", "root", "leaf1", answer)
    tale.moves.append(Wait("RTO", 1))
    tale.send("JOIN_REQ 2", "leaf1", "root", tale.request(join, 2, None), delivered=False)
    tale.barrier()
    return tale.moves


def astray(address: str = "192.0.2.9") -> list[Move]:
    """Tell of a leaf that asks an address to which its host has no way."""
    tale = Tale()
    tale.open("leaf1", listening=False)
    target = [address, 61717]
    tale.call("astray", "leaf1", "join_leaf", {"socket": 1}, socket=1, address=target)
    tale.event("no way", "leaf1", 1, "FD_CONNECT", 10051)
    tale.barrier()
    return tale.moves


def near_by(_: list[Move]) -> list[Move]:
    """Let it ask a neighbour."""
    return astray(ADDRESSES["root"])


def unplugged_and_near() -> list[Move]:
    """Tell of a leaf that asks a neighbour, and has lost its interface before."""
    return before(astray(ADDRESSES["root"]), "astray?", *loses("leaf1"))


EXCUSES = (
    Excuse("CR10", astray, lambda moves: without(moves, "no way")),
    Excuse("CR10", astray, lambda _: astray("nowhere")),
    Excuse("CR10", unplugged_and_near, staying),
    Excuse("EV5", astray, near_by),
    Excuse("EV5", unplugged_and_near, staying),
    Excuse("EV5", contradicted, fields("VERSION_NEG", versions=(2,))),
    Excuse("EV9", silenced, lambda moves: without(moves, "silence?", "silence!")),
    Excuse("R61", killed_as_it_closes, lambda moves: without(moves, "close R?")),
    Excuse("DR4", second_whisper, lambda moves: remade(moves, "ACK root", delivered=True)),
    Excuse("DR4", second_whisper, passed_over),
    Excuse("CR32", given_up_before, fields("CANCEL", reason=int(CancelReason.WITHDRAWN))),
    Excuse("CR29", looked_twice, lambda _: looked_twice(2)),
    Excuse("CR29", of_another_process, lambda _: looked_twice(2)),
    Excuse("R97", unplugged_before_the_report, staying),
    Excuse("R97", brief_member, staying_member),
    Excuse("R59", half_crossing, fields("root CLOSE 2", cflags=0)),
    Excuse("EV2", deferred_again, lambda _: deferred_again("leaf2")),
    Excuse("R104", lambda: talkative_twice(reset()), lambda _: talkative(reset())),
    Excuse("EV26", unplugged_member, lambda moves: staying(without(moves, "FD_CLOSE leaf2"))),
    Excuse("R112", unplugged_before_the_answer, staying),
    Excuse("EV22", unheard_close, arriving_close),
    Excuse("EV22", killed, surviving),
    Excuse("R56", unconfirmed_close, confirmed),
    Excuse("R114", unheard_relay, heard_relay),
    Excuse("EV26", unheard_relay, expected_relay),
)
