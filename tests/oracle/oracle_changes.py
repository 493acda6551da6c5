"""Correct stories: flows, routes and addresses that change, and who is told of it."""

from tests.oracle.oracle_asides import meeting
from tests.oracle.oracle_edits import Fault, again, fields, lacking, moved
from tests.oracle.oracle_story import ADDRESSES, PORT, Move, Told, barriers
from tests.oracle.oracle_tales import Tale

LOSS = "leaf2 loses its addresses"
REGAIN = "leaf2 regains its addresses"
WOULD_BLOCK = 10035
CHANGES = ["FD_QOS", "FD_ROUTING_INTERFACE_CHANGE", "FD_ADDRESS_LIST_CHANGE"]


def _ask(tale: Tale, label: str, *, route: bool = False) -> None:
    """Ask to be told of addresses, or of the route to the root."""
    value = [ADDRESSES["root"], PORT] if route else None
    code = "SIO_ROUTING_INTERFACE_CHANGE" if route else 0x28000017
    socket = 2 if route else 1
    tale.call(label, "leaf2", "ioctl", WOULD_BLOCK, socket=socket, code=code, value=value)


def _lab(tale: Tale, label: str, text: str) -> None:
    """Let the lab do something to a host."""
    tale.moves.append(Told(f"{label} begins", text, "started"))
    tale.moves.append(Told(f"{label} is over", text, "done"))


def noticed() -> list[Move]:
    """Tell of a host that loses its addresses twice, and of sockets that asked to be told."""
    tale, _ = meeting("leaf1")
    for number in (1, 2):
        tale.open("leaf2", listening=False, selected=False)
        arguments = {"socket": number, "events": CHANGES, "report": True}
        tale.call(f"select {number}", "leaf2", "event_select", {}, **arguments)
    _ask(tale, "ask for addresses")
    _ask(tale, "ask for the route", route=True)
    _lab(tale, "loss", LOSS)
    tale.event("addresses are gone", "leaf2", 1, CHANGES[2])
    tale.event("route is gone", "leaf2", 2, CHANGES[1])
    tale.moves += barriers("leaf2", 1)
    _lab(tale, "return", REGAIN)
    tale.moves += barriers("leaf2", 1, 710)
    _ask(tale, "ask again")
    tale.moves += barriers("leaf2", 1, 720)
    _lab(tale, "second loss", LOSS)
    tale.event("gone again", "leaf2", 1, CHANGES[2])
    tale.moves += barriers("leaf2", 1, 730)
    _lab(tale, "third loss", LOSS)
    tale.event("less is carried", "leaf2", 2, CHANGES[0])
    flow = {"value": {"sending": 0, "receiving": 1}}
    tale.call("look", "leaf2", "ioctl", flow, socket=2, code="SIO_GET_QOS")
    tale.event("less still", "leaf2", 2, CHANGES[0])
    tale.event("reserved", "leaf2", 2, "FD_GROUP_QOS")
    for number in (1, 2):
        tale.call(f"close {number}", "leaf2", "close", {}, socket=number)
    tale.barrier()
    return tale.moves


def waiting() -> list[Move]:
    """Tell of blocking sockets that wait for changes which never come."""
    tale, _ = meeting("leaf1")
    for number, code in ((1, "SIO_ADDRESS_LIST_CHANGE"), (2, 0x88000015)):
        tale.open("leaf2", listening=False, selected=False)
        tale.ask(f"wait {number}", "leaf2", "ioctl", socket=number, code=code)
    tale.moves += barriers("leaf2", 2)
    return tale.moves


def by_hand() -> list[Move]:
    """Tell of an application that looks for itself, and of a loss that nobody asked about."""
    tale, _ = meeting("leaf1")
    tale.open("leaf2", listening=False, selected=False)
    arguments = {"socket": 1, "events": CHANGES, "report": False}
    tale.call("select", "leaf2", "event_select", {}, **arguments)
    _ask(tale, "ask for addresses")
    _lab(tale, "loss", LOSS)
    tale.moves += barriers("leaf2", 1)
    seen = {"events": [{"event": CHANGES[2], "code": 0}]}
    tale.call("enumerate", "leaf2", "enum_network_events", seen, socket=1)
    tale.barrier()
    return tale.moves


NOTICES = (noticed, by_hand, waiting)
UNNOTICED = (
    Fault("CR24", noticed, again("addresses are gone")),
    Fault("CR24", noticed, lacking("ask for addresses?", "ask for addresses!")),
    Fault("CR24", noticed, moved("addresses are gone", ahead_of="loss begins")),
    Fault("CR24", noticed, lacking("second loss begins", "second loss is over")),
    Fault("CR24", noticed, lacking("look?", "look!")),
    Fault("CR24", by_hand, lacking("ask for addresses?", "ask for addresses!")),
    Fault("CR19", waiting, fields("wait 1?", args={"socket": 1, "code": "SIO_GET_QOS"})),
    Fault("CR25", noticed, lacking("addresses are gone")),
    Fault("CR25", noticed, lacking("route is gone")),
    Fault("CR25", noticed, fields("route is gone", socket=1)),
    Fault("CR25", noticed, lacking("gone again")),
)
