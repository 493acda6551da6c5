"""CR21-CR23: several descriptors of one socket, and what ordinary sockets are refused."""

from collections.abc import Iterator

from mpwire.oracle.calls import Call, error_name
from mpwire.oracle.case import Case
from mpwire.oracle.registry import Outcome, rule
from mpwire.oracle.rules.calls import said
from mpwire.oracle.sockets import Kind, endpoint_of
from mpwire.oracle.trace import NEVER
from mpwire.vocabulary import WsaError


@rule(
    "CR21",
    "A descriptor works until it is closed itself, though other descriptors of its socket were "
    "closed before.",
    source="semantics W84",
    group="calls",
    needs="events",
    vantage="E",
)
def cr21(case: Case) -> Iterator[Outcome]:
    """Look at calls on descriptors that are open when another one is closed already."""
    for socket in case.sockets.all:
        if not socket.duplicates:
            continue
        first = min((close.answered for close in socket.closes.values()), default=NEVER)
        for call in case.logs[socket.host].calls:
            mine = call.socket is not None and socket.has(call.socket)
            if mine and first < call.asked and call.answered < socket.given_back(call.socket or 0):
                right = call.error != WsaError.WSAENOTSOCK
                yield said(right, call, socket, expected="no WSAENOTSOCK")


@rule(
    "CR22",
    "WSPJoinLeaf on a socket that was made without multipoint flags fails with WSAEINVAL.",
    source="semantics W6",
    group="calls",
    needs="events",
    vantage="E",
)
def cr22(case: Case) -> Iterator[Outcome]:
    """Look at joins of ordinary sockets; what leaves all the same, no call explains (CR10)."""
    for socket in case.sockets.all:
        for call in socket.joins if socket.kind is Kind.ORDINARY else ():
            if call.answered < NEVER:
                right = call.error == WsaError.WSAEINVAL
                yield said(right, call, socket, expected="WSAEINVAL")


@rule(
    "CR23",
    "WSPConnect fails: on a multipoint socket with WSAEOPNOTSUPP, on an ordinary one with "
    "WSAECONNREFUSED if a c_leaf or c_root listens there.",
    source="semantics W38, D25, D51",
    group="calls",
    needs="events",
    vantage="E",
)
def cr23(case: Case) -> Iterator[Outcome]:
    """Look at every connect on an open descriptor."""
    for log in case.logs.values():
        for call in log.calls:
            socket = case.sockets.get(call.host, call.socket or 0)
            if call.name != "connect" or socket is None or call.answered == NEVER:
                continue
            if call.answered > socket.given_back(call.socket or 0):
                continue
            if socket.kind is not Kind.ORDINARY:
                wanted = WsaError.WSAEOPNOTSUPP
            elif _listened_to(case, call):
                wanted = WsaError.WSAECONNREFUSED
            else:
                continue
            yield said(call.error == wanted, call, socket, expected=error_name(wanted))


def _listened_to(case: Case, call: Call) -> bool:
    """Tell whether somebody listened at the address of a call while it was made."""
    target = endpoint_of(call.args.get("address"))
    return target is not None and any(
        one.is_at(target) and one.listens_at(call.asked) and one.listens_at(call.answered)
        for one in case.sockets.all
    )
