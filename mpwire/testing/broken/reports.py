"""How events are broken: never reported, twice, with another code, or out of the blue."""

from collections.abc import Callable
from typing import Any

from mpwire.testing.broken.seams import record, wrap
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock import Provider
from mpwire.winsock.record import EventRecord, Phase
from mpwire.winsock.sockets import Role, Socket

When = Callable[[Socket, WsaError], bool]
SUCCESS = WsaError.SUCCESS


def _always(_socket: Socket, _code: WsaError) -> bool:
    return True


def never(event: NetworkEvent, when: When = _always) -> None:
    """Do not record an event."""

    def deaf(
        occur: Any, self: Provider, socket: Socket, what: NetworkEvent, code: WsaError
    ) -> None:
        if what is not event or not when(socket, WsaError(code)):
            occur(self, socket, what, WsaError(code))

    record(deaf)


def coded(event: NetworkEvent, wrong: WsaError, when: When = _always) -> None:
    """Record an event with another code."""

    def confused(
        occur: Any, self: Provider, socket: Socket, what: NetworkEvent, code: WsaError
    ) -> None:
        right = WsaError(code)
        occur(self, socket, what, wrong if what is event and when(socket, right) else right)

    record(confused)


def doubled(event: NetworkEvent) -> None:
    """Hand an event out twice."""

    def stutter(original: Any, self: EventRecord) -> list[Any]:
        found: list[Any] = original(self)
        return found + [item for item in found if item[0] is event]

    wrap(EventRecord, "enumerate", stutter)


def is_a(*roles: Role) -> When:
    """Return a condition: the socket has one of these roles."""
    return lambda socket, _code: socket.role in roles


def say(provider: Provider, socket: Socket, event: NetworkEvent, code: WsaError = SUCCESS) -> None:
    """Record an event whatever the record says of it."""
    socket.record.enter(event, Phase.IDLE)
    provider.signal(socket, socket.record.occur(event, code))
