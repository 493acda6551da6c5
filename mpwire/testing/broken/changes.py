"""CR24-CR25: what the host's network tells sockets."""

from typing import Any

from mpwire.testing.broken.patches import patch
from mpwire.testing.broken.seams import wrap
from mpwire.vocabulary import NetworkEvent
from mpwire.winsock import Provider
from mpwire.winsock.contract import FD_ADDRESS_LIST_CHANGE, FD_ROUTING_INTERFACE_CHANGE
from mpwire.winsock.record import EventRecord, Phase
from mpwire.winsock.sockets import Socket


def _levels(*events: NetworkEvent) -> None:
    """Let events that are told once be told whenever they occur."""

    def told(original: Any, self: EventRecord, event: NetworkEvent, *code: Any) -> bool:
        if event in events:
            self.enter(event, Phase.IDLE)
        signalled: bool = original(self, event, *code)
        return signalled

    wrap(EventRecord, "occur", told)


def _never(*events: NetworkEvent) -> None:
    """Let events not occur at all."""

    def silent(
        original: Any, self: Provider, socket: Socket, event: NetworkEvent, *code: Any
    ) -> None:
        if event not in events:
            original(self, socket, event, *code)

    wrap(Provider, "occur", silent)


@patch("CR24", "socket-changes", "leaf1")
def flows_told_again() -> None:
    """FD_QOS is told of every change, though nobody has looked at the last one."""
    _levels(NetworkEvent.FD_QOS)


@patch("CR24", "socket-changes", "leaf2")
def addresses_told_unasked() -> None:
    """FD_ADDRESS_LIST_CHANGE is told of every change, asked for or not."""
    _levels(FD_ADDRESS_LIST_CHANGE)


@patch("CR24", "socket-changes", "leaf2")
def routes_told_at_once() -> None:
    """Who asks for changes of a route is told at once of one that there was not."""

    def hasty(original: Any, self: Provider, socket: Socket, destination: object) -> Any:
        try:
            return original(self, socket, destination)
        finally:
            self.occur(socket, FD_ROUTING_INTERFACE_CHANGE)

    wrap(Provider, "await_route_change", hasty)


@patch("CR25", "socket-changes", "leaf2")
def addresses_never_told() -> None:
    """Nobody is told of addresses that come or go."""
    _never(FD_ADDRESS_LIST_CHANGE)


@patch("CR25", "socket-changes", "leaf2")
def routes_never_told() -> None:
    """Nobody is told of routes that change."""
    _never(FD_ROUTING_INTERFACE_CHANGE)
