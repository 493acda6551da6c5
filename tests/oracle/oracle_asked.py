"""Correct stories: what applications look up, and what they ask of the network."""

from dataclasses import replace

import msgspec

from mpwire.wire.messages import Cancel, CancelAck, JoinReq, Qos
from tests.oracle.oracle_asides import ROOT_ADDRESS, meeting
from tests.oracle.oracle_edits import Fault, answering, fields, lacking, over
from tests.oracle.oracle_plots import SESSION, Join
from tests.oracle.oracle_story import Line, Move, Send, the, without
from tests.oracle.oracle_tales import Tale

FILL = 99
INVALID = 10022
TIMED_OUT = 10060
ENTRIES = {
    "protocols": [
        {"name": "MPW_ROOTED", "service_flags": ["XP1_MULTIPOINT_CONTROL_PLANE"]},
        {"name": "MPW_OPEN", "service_flags": []},
    ]
}


def looked() -> list[Move]:
    """Tell of an application that reads its record and looks at its event object."""
    tale, _ = meeting("leaf1")
    tale.open("leaf2", listening=False, selected=False)
    events = ["FD_ACCEPT", "FD_CLOSE"]
    tale.call("select", "leaf2", "event_select", {}, socket=1, events=events, report=False)

    def look(label: str, *, signalled: bool) -> None:
        tale.call(label, "leaf2", "event_object", {"signalled": signalled}, event_object=2)

    look("before", signalled=False)
    look("set", signalled=True)
    tale.call("wrong", "leaf2", "enum_network_events", INVALID, socket=1, event_object=0)
    nothing = {"events": [], "codes": [FILL] * 10}
    tale.call("read", "leaf2", "enum_network_events", nothing, socket=1, fill=FILL)
    look("still set", signalled=True)
    tale.call("reset", "leaf2", "enum_network_events", {"events": []}, socket=1, event_object=2)
    look("after", signalled=False)
    codes = {"events": [{"event": "FD_QOS", "code": 5}], "codes": [FILL] * 6 + [5] + [FILL] * 3}
    tale.call("more", "leaf2", "enum_network_events", codes, socket=1, fill=FILL)
    tale.barrier()
    return tale.moves


def listed() -> list[Move]:
    """Tell of an application that looks protocols up and tries what they lack."""
    tale, _ = meeting("leaf1")
    tale.call("list", "leaf2", "enum_protocols", ENTRIES)
    roots = ["C_ROOT", "D_LEAF"]
    tale.call("root", "leaf2", "socket", {"socket": 1}, flags=roots, protocol="MPW_ROOTED")
    tale.call("in vain", "leaf2", "socket", INVALID, flags=roots, protocol="MPW_OPEN")
    tale.call("ordinary", "leaf2", "socket", {"socket": 2}, flags=[], protocol="MPW_OPEN")
    tale.barrier()
    return tale.moves


def _cancelling(label: str, number: int, asked: int) -> list[Move]:
    """Let leaf1 be told to cancel one of its calls."""
    line = {"id": number, "call": "cancel_blocking_call", "args": {"call": asked}}
    done = {"id": number, "result": {}}
    return [Line(f"{label}?", "leaf1", "to", line), Line(f"{label}!", "leaf1", "from", done)]


def closed_meanwhile(error: int = 995) -> list[Move]:
    """Tell of a leaf whose socket is closed while it blocks in a join (W83)."""
    tale, join, asked = blocking()
    tale.answer("join", "leaf1", asked, error=over(error))
    tale.call("close", "leaf1", "close", {}, socket=1)
    withdrawn(tale, join)
    tale.call("accept", "root", "accept", 10054, socket=1)
    tale.barrier()
    return tale.moves


def out_of_reach() -> list[Move]:
    """Tell of a blocking join that ends as its request cannot be sent again."""
    return closed_meanwhile(10065)


def blocking() -> tuple[Tale, Join, int]:
    """Begin a blocking join, and say by which call."""
    tale = Tale()
    tale.open("root", listening=True)
    tale.open("leaf1", listening=False, selected=False)
    join = tale.member("leaf1", 1, by_root=False)
    asked = tale.ask("join", "leaf1", "join_leaf", socket=1, address=ROOT_ADDRESS)
    tale.cookies(join)
    tale.event("FD_ACCEPT", "root", 1, "FD_ACCEPT")
    tale.barrier("root")
    return tale, join, asked


def withdrawn(tale: Tale, join: Join) -> None:
    """Take the request of a join back."""
    cancel = Cancel(init_tag=join.init_tag, reason=1, seq=8, destination_tag=join.resp_tag)
    tale.send("CANCEL", "leaf1", "root", msgspec.structs.replace(cancel, session_id=SESSION))
    ack = CancelAck(result=0, seq=8, session_id=SESSION, destination_tag=join.init_tag)
    tale.send("CANCEL_ACK", "root", "leaf1", ack)


def called_back() -> list[Move]:
    """Tell of a leaf that blocks in a join until it is called back."""
    tale, join, asked = blocking()
    tale.moves += _cancelling("cancel", 900, asked)
    tale.answer("join", "leaf1", asked, error=over(10004))
    withdrawn(tale, join)
    tale.moves += _cancelling("too late", 901, asked)
    tale.call("close", "leaf1", "close", {}, socket=1)
    tale.call("accept", "root", "accept", 10054, socket=1)
    tale.barrier()
    return tale.moves


def flowing() -> list[Move]:
    """Tell of a leaf that asks for a flow, in the direction of its join."""
    tale, _ = meeting("leaf1")
    return [_asking(move) for move in tale.moves]


def _asking(move: Move) -> Move:
    if isinstance(move, Send) and isinstance(move.message, JoinReq):
        flow = Qos(sending_octets_per_s=7, receiving_octets_per_s=8)
        return replace(move, message=msgspec.structs.replace(move.message, qos=flow))
    if isinstance(move, Line) and move.content.get("call") == "join_leaf":
        arguments = {**move.content["args"], "sqos": {"sending": 7, "receiving": 8}}
        return replace(move, content={**move.content, "args": arguments})
    return move


def _half(label: str) -> Fault:
    flow = Qos(sending_octets_per_s=7, receiving_octets_per_s=0)
    return Fault("CR31", flowing, fields(label, qos=flow))


def given_up(moves: list[Move]) -> list[Move]:
    """Let the join go on as if nobody had called it back, until nobody answers."""
    late = answering("join!", error=over(TIMED_OUT))(moves)
    return [*without(late, "join!"), the(late, "join!")]


ASKED = (looked, listed, flowing, called_back, closed_meanwhile, out_of_reach)
MISTAKEN = (
    Fault("CR28", looked, answering("read!", result={"events": [], "codes": [0] * 10})),
    Fault("CR28", looked, answering("more!", result={"events": [], "codes": [FILL, 5]})),
    Fault("CR28", looked, answering("more!", result={"events": []})),
    Fault("CR29", looked, answering("still set!", result={"signalled": False})),
    Fault("CR29", looked, answering("wrong!", result={"events": []})),
    Fault("CR30", listed, answering("in vain!", result={"socket": 3})),
    Fault("CR30", listed, answering("root!", error=over(10045))),
    _half("leaf1 JOIN_REQ 1"),
    Fault("CR32", called_back, answering("join!", error=over(10053))),
    Fault("CR32", called_back, lacking("join!")),
    Fault("CR32", called_back, given_up),
    Fault("CR32", called_back, answering("join!", error=over(TIMED_OUT))),
)
