"""The condition function of WSPAccept: what it is told of a request, and what it may answer (W46).

It is called inside WSPAccept, on its thread, and no other call is allowed meanwhile. The callee
data it may hand back is limited by what this provider carries and by what the joiner has room for,
which the request says, so that a joiner's buffer is never too small (D39).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mpwire.core.address import Address
from mpwire.core.listener import Entry
from mpwire.vocabulary import Condition, WsaError
from mpwire.winsock.errors import SocketError
from mpwire.winsock.parameters import MAXIMUM_JOIN_DATA_OCTETS
from mpwire.winsock.reactions import Reactions
from mpwire.wire.messages import JoinReq, Qos


@dataclass(slots=True)
class ConditionArguments:
    """What a condition function is told of a waiting request (W46)."""

    address: Address
    """Caller id."""
    local: Address
    """Callee id."""
    caller_data: bytes | None
    """None when the caller gave none."""
    callee_capacity: int = MAXIMUM_JOIN_DATA_OCTETS
    """Octets of callee data that may be handed back; 0 when nobody takes any."""
    sqos: Qos | None = None
    """Flow specification of the caller's socket, as it asked for it."""
    gqos: None = None
    """Reserved for socket groups (W8)."""
    group: int = 0
    """Socket group; this provider forms none."""
    context: object = None
    """What the caller of WSPAccept passed for it (dwCallbackData)."""


ConditionFunction: TypeAlias = Callable[[ConditionArguments], tuple[Condition, bytes | None]]
"""Decides about a request; may hand back callee data."""


def callee_capacity(request: JoinReq) -> int:
    """Return how much callee data may go back: what we carry and the joiner has room for (D39)."""
    room = request.callee_room
    return MAXIMUM_JOIN_DATA_OCTETS if room is None else min(room, MAXIMUM_JOIN_DATA_OCTETS)


class Conditions(Reactions):
    """Ask condition functions."""

    def ask(
        self, entry: Entry, condition: ConditionFunction | None, context: object
    ) -> tuple[Condition, bytes | None]:
        """Return the decision about a request, and callee data; without a function, accept it.

        Raises:
            SocketError: WSAEINVAL for an answer that is none (W48).
        """
        if condition is None:
            return Condition.ACCEPT, None
        end = entry.membership
        capacity = callee_capacity(end.request)
        arguments = ConditionArguments(
            address=end.peer,
            local=end.local,
            caller_data=end.request.caller_data,
            callee_capacity=capacity,
            sqos=end.request.qos,
            context=context,
        )
        self.in_condition = True
        try:
            decision, callee_data = condition(arguments)
        finally:
            self.in_condition = False
        if callee_data is not None and len(callee_data) > capacity:
            raise SocketError(
                WsaError.WSAEINVAL, f"{len(callee_data)} octets of callee data, {capacity} fit"
            )
        try:
            return Condition(decision), callee_data or None
        except ValueError:
            raise SocketError(WsaError.WSAEINVAL, f"{decision!r} is no CF_ answer") from None
