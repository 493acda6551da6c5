"""CR21: sockets with several descriptors, which end with the last of them."""

from collections.abc import Iterator

from mpwire.oracle.case import Case
from mpwire.oracle.registry import Outcome, rule
from mpwire.oracle.rules.calls import said
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
