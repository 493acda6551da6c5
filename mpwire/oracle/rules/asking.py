"""CR28-CR32: what an application looks up, asks of the network and calls back."""

from collections.abc import Iterator
from typing import Final

from mpwire.capture.records import LIFE
from mpwire.oracle.bind import Join
from mpwire.oracle.calls import AgentLog, Call
from mpwire.oracle.case import Case
from mpwire.oracle.expect_join import UNANSWERED
from mpwire.oracle.registry import Outcome, rule
from mpwire.oracle.rules.calls import LEGAL_PAIRS, said
from mpwire.oracle.shelf import read
from mpwire.oracle.sockets import event_mask
from mpwire.oracle.trace import NEVER
from mpwire.vocabulary import WsaError
from mpwire.wire.messages import Accept, Cancel, Qos, Reject
from mpwire.wire.numbers import CancelReason

MAXIMUM_EVENTS: Final = 10
"""FD_MAX_EVENTS."""
AWAITED: Final = 1
"""The event object of selections with reports, which the agent resets by itself."""
USUAL_PROTOCOL: Final = "MPW_ROOTED"
SETTLED_BY_FIRST_LEAF: Final = "MPW_ATM"
"""The protocol on which the flow of the first leaf is that of all."""
PLANES: Final = {
    "C_ROOT": "XP1_MULTIPOINT_CONTROL_PLANE",
    "D_ROOT": "XP1_MULTIPOINT_DATA_PLANE",
}
"""The bits of a protocol entry that say that a plane has a root."""


@rule(
    "CR28",
    "An enumeration of network events writes error codes for the events that it hands out, and "
    "leaves all other places as they are.",
    source="semantics W89",
    group="calls",
    needs="events",
    vantage="E",
)
def cr28(case: Case) -> Iterator[Outcome]:
    """Look at enumerations whose array was filled before."""
    for log in case.logs.values():
        for call in log.calls:
            fill = call.args.get("fill")
            if call.name == "enum_network_events" and call.ok and isinstance(fill, int):
                socket = case.sockets.get(call.host, call.socket or 0)
                expected, seen = _codes(call, fill), (call.result or {}).get("codes")
                yield said(
                    seen == expected, call, socket, expected=f"codes {expected}", seen=f"{seen}"
                )


def _codes(call: Call, fill: int) -> list[object]:
    """Return what the array has to hold, by the events that were handed out."""
    codes: list[object] = [fill] * MAXIMUM_EVENTS
    events = (call.result or {}).get("events")
    for entry in events if isinstance(events, list) else ():
        mask = event_mask([entry.get("event")]) if isinstance(entry, dict) else 0
        if mask:
            codes[mask.bit_length() - 1] = entry.get("code")
    return codes


@rule(
    "CR29",
    "An enumeration resets the event object that it is given and no other; given one that is none "
    "it fails.",
    source="semantics W87, W88",
    group="calls",
    needs="events",
    vantage="E",
)
def cr29(case: Case) -> Iterator[Outcome]:
    """Follow event objects that are looked at, and look at enumerations that name none."""
    for log in case.logs.values():
        yield from _kept(log)
        for call in log.calls:
            given = call.args.get("event_object")
            wrong = call.name == "enum_network_events" and isinstance(given, int) and given <= 0
            if wrong and (call.ok or call.error is not None):
                right = call.error in (WsaError.WSAEINVAL, WsaError.WSAENOTSOCK)
                socket = case.sockets.get(call.host, call.socket or 0)
                yield said(right, call, socket, expected="WSAEINVAL")


def _kept(log: AgentLog) -> Iterator[Outcome]:
    """Compare what is seen of an event object with what was seen before, if nothing reset it."""
    signalled: set[object] = set()
    for call in log.calls:
        number = call.args.get("event_object")
        if number in (None, AWAITED):
            continue
        given = number, log.life_at(call.asked).begun  # a process has objects of its own
        if call.name == "enum_network_events" and call.error is None:
            signalled.discard(given)
        elif call.name == "event_object" and call.ok:
            now = (call.result or {}).get("signalled") is True
            if given in signalled:
                yield said(now, call, None, expected="an event object that nobody has reset")
            signalled = signalled | {given} if now else signalled - {given}


@rule(
    "CR30",
    "A protocol has sockets with C_ROOT and D_ROOT where its entry says that the plane is rooted, "
    "and only there; all others are refused with WSAEINVAL.",
    source="semantics W1, W4, D1",
    group="calls",
    needs="events",
    vantage="E",
)
def cr30(case: Case) -> Iterator[Outcome]:
    """Compare sockets with what the same agent says of its protocols."""
    for log in case.logs.values():
        entries = _entries(log)
        for call in log.calls:
            bits = entries.get(call.text("protocol") or USUAL_PROTOCOL)
            listed = call.args.get("flags")
            if call.name != "socket" or bits is None or not isinstance(listed, list):
                continue
            flags = {str(flag) for flag in listed}
            paired = all(len(flags & pair) == 1 for pair in LEGAL_PAIRS)
            if paired and (call.ok or call.error is not None):
                legal = all(bit in bits for flag, bit in PLANES.items() if flag in flags)
                right = call.ok if legal else call.error == WsaError.WSAEINVAL
                yield said(right, call, None, expected="success" if legal else "WSAEINVAL")


def _entries(log: AgentLog) -> dict[str, set[str]]:
    """Return the bits of the protocol entries that an agent has listed, by their names."""
    found: dict[str, set[str]] = {}
    for call in log.calls:
        listed = (call.result or {}).get("protocols") if call.name == "enum_protocols" else None
        for entry in listed if isinstance(listed, list) else ():
            bits = entry.get("service_flags") if isinstance(entry, dict) else None
            if isinstance(bits, list):
                found[str(entry.get("name"))] = {str(bit) for bit in bits}
    return found


@rule(
    "CR31",
    "A JOIN_REQ asks for the flow that its join was given, in the directions of the join.",
    source="semantics W17",
    group="calls",
    needs="events",
    vantage="E",
)
def cr31(case: Case) -> Iterator[Outcome]:
    """Compare requests with the flow specifications of the calls."""
    for join in case.bindings.joins:
        wanted = _flow(join)
        if wanted is None or join.attempt is None:
            continue
        seen = join.attempt.request.qos
        yield said(
            seen == wanted,
            join.call,
            join.socket,
            expected=f"{wanted} in its request",
            seen=f"{seen}",
            frames=(join.attempt.first.number,),
        )


def _flow(join: Join) -> Qos | None:
    """Return the flow specification of a join, None where it has none of its own."""
    maker = join.socket.maker
    given = join.call.args.get("sqos")
    if not isinstance(given, dict) or maker.text("protocol") == SETTLED_BY_FIRST_LEAF:
        return None
    sending, receiving = given.get("sending"), given.get("receiving")
    if not isinstance(sending, int) or not isinstance(receiving, int):
        return None
    flag = join.call.text("flags")
    return Qos(
        sending_octets_per_s=0 if flag == "RECEIVER_ONLY" else sending,
        receiving_octets_per_s=0 if flag == "SENDER_ONLY" else receiving,
    )


@rule(
    "CR32",
    "A blocking join that is cancelled before it has ended fails with WSAEINTR.",
    source="semantics W28",
    group="calls",
    needs="events",
    vantage="E",
)
def cr32(case: Case) -> Iterator[Outcome]:
    """Look at every join that was called back."""
    for log in case.logs.values():
        for cancel in log.calls:
            aim = cancel.args.get("call")
            if cancel.name == "cancel_blocking_call" and cancel.ok and isinstance(aim, int):
                number = cancel.id - cancel.id % LIFE + aim
                for join in case.bindings.joins:
                    if join.call.host == log.host and join.call.id == number:
                        yield from _called_back(case, join, cancel)


def _called_back(case: Case, join: Join, cancel: Call) -> Iterator[Outcome]:
    """Judge the end of a join that was cancelled, unless something else may have ended it."""
    call, due = join.call, case.settled(join.call.host, cancel.answered)
    shelf = join.attempt.shelf if join.attempt is not None else None
    answers = shelf.arrived(Accept, Reject) if shelf is not None else []
    cancels = shelf.sent(Cancel) if shelf is not None else []
    if call.answered < cancel.asked:
        return
    withdrawn = any(read(one, Cancel).reason == CancelReason.WITHDRAWN for one in cancels)
    if call.error in UNANSWERED and not withdrawn and (due is None or call.answered < due):
        return  # it had given up by itself, and that was being told
    if any(one.position < cancel.answered for one in answers):
        return
    if call.answered < NEVER or due is not None:
        yield said(call.error == WsaError.WSAEINTR, call, join.socket, expected="WSAEINTR")
