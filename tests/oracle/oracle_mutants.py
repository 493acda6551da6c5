"""What broken endpoints in labs got away with, until the judge learned to look there."""

import msgspec

from mpwire.wire.messages import Abort, Accept, JoinReq, Message, Probe
from tests.oracle.oracle_asides import latecomer, withdrawn
from tests.oracle.oracle_details import enumerated, linger_zero
from tests.oracle.oracle_edits import Fault
from tests.oracle.oracle_plots import SESSION
from tests.oracle.oracle_story import (
    ADDRESSES,
    PORT,
    Line,
    Move,
    Send,
    Wait,
    after,
    barriers,
    before,
    find,
    message_of,
    without,
)
from tests.oracle.oracle_tales import Tale, tour


def asked_in_turn() -> list[Move]:
    """Tell of two requests in the queue, and of a condition function that defers the first."""
    tale = Tale()
    tale.open("root", listening=True)
    for leaf in ("leaf1", "leaf2"):
        tale.open(leaf, listening=False)
        tale.ask_to_join(leaf, 1)
        tale.barrier()
    accepting = tale.ask("accept", "root", "accept", socket=1, condition="ask")
    condition = {"address": [ADDRESSES["leaf1"], PORT], "local": [ADDRESSES["root"], PORT]}
    ask = {"ask": 1, "call": accepting, "condition": condition}
    tale.moves.append(Line("ask", "root", "from", ask))
    answer = {"answer": 1, "decision": "defer"}
    tale.moves.append(Line("answer", "root", "to", answer))
    tale.answer("accept", "root", accepting, error={"code": 11002, "name": "WSATRY_AGAIN"})
    tale.barrier()
    return without(tale.moves, "leaf2 FD_ACCEPT")


def asked_out_of_turn(moves: list[Move]) -> list[Move]:
    """Let the condition function be asked about the second request."""
    place = find(moves, "ask")
    line = moves[place]
    assert isinstance(line, Line)
    condition = {**line.content["condition"], "address": [ADDRESSES["leaf2"], PORT]}
    content = {**line.content, "condition": condition}
    return [*moves[:place], Line("ask", "root", "from", content), *moves[place + 1 :]]


def answering_the_abort(moves: list[Move]) -> list[Move]:
    """Let a leaf answer an ABORT whose tag other messages had carried before."""
    cause = message_of(moves, "ABORT")
    reflected = Abort(
        flags=0x80,
        session_id=SESSION,
        destination_tag=cause.destination_tag,
        seq=cause.seq,
        reason=1,
        echo_seq=cause.seq,
    )
    return after(moves, "ABORT", Send("R", "leaf1", "root", reflected))


def answering_as_a_member(moves: list[Move]) -> list[Move]:
    """Let a leaf answer an ABORT with one that is no reaction by its flags."""
    cause, accept = message_of(moves, "ABORT"), message_of(moves, "leaf1 ACCEPT")
    assert isinstance(accept, Accept)
    polite = Abort(
        session_id=SESSION,
        destination_tag=accept.resp_tag,
        seq=cause.seq,
        sender_id=accept.assigned_id,
        reason=1,
        echo_seq=0,
    )
    return after(moves, "ABORT", Send("polite", "leaf1", "root", polite))


def never_returning(moves: list[Move]) -> list[Move]:
    """Let a blocking join stay open."""
    return without(moves, "join!")


def accepting_elsewhere(moves: list[Move]) -> list[Move]:
    """Let a root admit somebody to a dismantled session, from another port."""
    reject = message_of(moves, "REJECT")
    accept = msgspec.structs.replace(
        message_of(moves, "leaf1 ACCEPT"),
        resp_tag=0x7777,
        assigned_id=9,
        seq=reject.seq,
        destination_tag=reject.destination_tag,
    )
    return before(moves, "REJECT", Send("ACCEPT", "root", "leaf2", accept, source_port=61718))


def probing_two(moves: list[Move]) -> list[Move]:
    """Let a root probe two leaves with one nonce."""
    request = message_of(moves, "leaf1 JOIN_REQ 1")
    accept = message_of(moves, "leaf2 ACCEPT")
    assert isinstance(request, JoinReq)
    assert isinstance(accept, Accept)
    tags = {"leaf1": request.init_tag, "leaf2": accept.resp_tag}
    probes: list[Move] = [
        Send(f"{leaf} PROBE", "root", leaf, _probe(tag)) for leaf, tag in tags.items()
    ]
    return before(moves, "leaf1 CLOSE", *probes)


def _probe(tag: int) -> Message:
    return Probe(
        nonce=5,
        next_data_seq=0,
        session_id=SESSION,
        seq=30,
        sender_id=1,
        destination_tag=tag,
    )


def cancelling_again(moves: list[Move]) -> list[Move]:
    """Let a root repeat a CANCEL long after it was acknowledged."""
    copy = msgspec.structs.replace(message_of(moves, "leaf2 CANCEL"), attempt=2)
    return [*moves, *barriers("root", 2), Wait("late", 1), Send("late", "root", "leaf2", copy)]


def told_by_the_other(moves: list[Move]) -> list[Move]:
    """Let a leaf close its socket and say nothing, until the root gives it up."""
    request = message_of(moves, "leaf1 JOIN_REQ 1")
    assert isinstance(request, JoinReq)
    lost = Abort(
        reason=4,
        echo_seq=0,
        session_id=SESSION,
        seq=40,
        sender_id=1,
        destination_tag=request.init_tag,
    )
    moves = without(moves, "leaf1 CLOSE", "leaf1 CLOSE_ACK", "leaf1 FD_CLOSE P")
    passed = [*barriers("leaf1", 1), Wait("long", 8), *barriers("leaf1", 2, 800)]
    return [*moves, *passed, Send("lost", "root", "leaf1", lost)]


UNCOVERED = (
    Fault("R63", linger_zero, answering_the_abort),
    Fault("R63", linger_zero, answering_as_a_member),
    Fault("R68", latecomer, accepting_elsewhere),
    Fault("R69", tour, probing_two),
    Fault("R78", withdrawn, cancelling_again),
    Fault("CR15", asked_in_turn, asked_out_of_turn),
    Fault("CR19", enumerated, never_returning),
    Fault("CR18", tour, told_by_the_other),
)
QUEUES = (asked_in_turn,)
