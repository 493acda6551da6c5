"""Where patches take hold: what leaves, what arrives, what is recorded, what is answered."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from mpwire.core import Endpoint, Membership
from mpwire.core.address import Address
from mpwire.core.events import Input
from mpwire.core.membership import ACTIONS
from mpwire.testing.broken.patches import put, put_item
from mpwire.winsock import Provider
from mpwire.wire.messages import MessageBase

Kind = type[MessageBase] | tuple[type[MessageBase], ...]
Spoken = Callable[[Endpoint, Any], Iterable[Any]]
"""What leaves an endpoint in place of a message."""
Original = Callable[..., Any]


def once(condition: Callable[..., bool] = lambda *_: True) -> Callable[..., bool]:
    """Return a condition that holds the first time only."""
    spent = False

    def first(*arguments: object) -> bool:
        nonlocal spent
        holds = not spent and condition(*arguments)
        spent = spent or holds
        return holds

    return first


# What leaves ----------------------------------------------------------------------------------


def instead(kind: Kind, speak: Spoken) -> None:
    """Let other messages leave in place of each one of a kind, for the same destination."""
    send = Endpoint.send

    def bent(self: Endpoint, message: Any, source: Address, destination: Address) -> None:
        messages = speak(self, message) if isinstance(message, kind) else (message,)
        for other in messages:
            send(self, other, source, destination)

    put(Endpoint, "send", bent)


def alter(kind: Kind, when: Callable[[Any], bool] = lambda _: True, **changes: object) -> None:
    """Give fields of every message of a kind that leaves other values.

    A value that can be called makes the new one of the message.
    """

    def altered(_endpoint: Endpoint, message: Any) -> list[Any]:
        if not when(message):
            return [message]
        values = {
            name: value(message) if callable(value) else value for name, value in changes.items()
        }
        return [replace(message, **values)]

    instead(kind, altered)


def withhold(kind: Kind, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Let messages of a kind not leave."""
    instead(kind, lambda _endpoint, message: () if when(message) else (message,))


def append(kind: Kind, more: Spoken) -> None:
    """Let more messages follow each one of a kind, to the same destination."""
    instead(kind, lambda endpoint, message: (message, *more(endpoint, message)))


def bend(
    kind: Kind,
    change: Callable[[bytes], bytes],
    when: Callable[[Any], bool] = lambda _: True,
) -> None:
    """Change the octets of every message of a kind that leaves."""
    send = Endpoint.send

    def bent(self: Endpoint, message: Any, source: Address, destination: Address) -> None:
        send(self, message, source, destination)
        if isinstance(message, kind) and when(message):
            self.datagrams[-1].data = change(self.datagrams[-1].data)

    put(Endpoint, "send", bent)


def divert(kind: Kind, route: Callable[[Address, Address], tuple[Address, Address]]) -> None:
    """Send messages of a kind from elsewhere, or elsewhere."""
    send = Endpoint.send

    def diverted(self: Endpoint, message: Any, source: Address, destination: Address) -> None:
        if isinstance(message, kind):
            source, destination = route(source, destination)
        send(self, message, source, destination)

    put(Endpoint, "send", diverted)


# What arrives ---------------------------------------------------------------------------------


def ignore(kind: Kind, when: Callable[[Any], bool] = lambda _: True) -> None:
    """Be deaf to messages of a kind."""
    receive = Endpoint.receive

    def deaf(self: Endpoint, message: Any, *others: Any) -> None:
        if not (isinstance(message, kind) and when(message)):
            receive(self, message, *others)

    put(Endpoint, "receive", deaf)


# What is done ---------------------------------------------------------------------------------


def act(name: str, action: Callable[[Original, Membership, Any, float], None]) -> None:
    """Replace an action of the membership machine; it is given the one it stands for."""
    original = ACTIONS[name]

    def acted(end: Membership, event: Input, now_s: float) -> None:
        action(original, end, event, now_s)

    put_item(ACTIONS, name, acted)


def wrap(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Replace a function; the new one is given the old one before the arguments."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        return function(original, *arguments, **options)

    put(owner, name, wrapped)


def record(change: Callable[..., Any]) -> None:
    """Replace `occur(occur, provider, socket, event, code)`, which records every event."""
    occur = Provider.occur

    def recorded(self: Provider, socket: Any, event: Any, code: Any = 0) -> None:
        change(occur, self, socket, event, code)

    put(Provider, "occur", recorded)
