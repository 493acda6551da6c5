"""Which sockets have set an event object: what a waiting application has to enumerate."""

from mpwire.testing.actor import (
    C_LEAF,
    NOBODY,
    Actor,
    Party,
    drain_events,
    leaf_actor,
    root_actor,
)
from mpwire.testing.bus import Bus
from mpwire.winsock.record import FD_READ

SHARED = 1000
"""An event object for several sockets of one application."""


def test_calls_that_wait_are_found_by_their_socket(bus: Bus) -> None:
    root = root_actor(bus, backlog=0)
    sockets = [Actor(bus, root.provider, root.provider.socket(C_LEAF)) for _ in range(3)]
    tokens = [socket.start_join(NOBODY) for socket in sockets]
    provider = root.provider
    assert {handle: len(calls) for handle, calls in provider.blocked_on.items()} == {
        socket.handle: 1 for socket in sockets
    }
    provider.cancel_blocking_call(tokens[1].token, bus.now_s)
    assert sockets[1].handle not in provider.blocked_on
    sockets[0].close()
    assert list(provider.blocked_on) == [sockets[2].handle]
    assert list(provider.blocked) == [tokens[2].token]


def share(*actors: Actor) -> None:
    drain_events(*actors)
    for actor in actors:
        actor.select(event_object=SHARED)


def test_only_those_are_named_whose_record_has_something(party: Party) -> None:
    root = party.root
    share(root, *party.handles)
    party.ends[0].close()
    party.ends[2].close()
    root.bus.run(1.0)
    first, _, third = (handle.handle for handle in party.handles)
    assert root.provider.take_signal(SHARED) == [first, third]
    assert SHARED not in root.provider.signalled
    assert root.provider.take_signal(SHARED) == []


def test_enumerating_a_socket_or_closing_it_takes_it_off(party: Party) -> None:
    root = party.root
    share(root, *party.handles)
    for end in party.ends:
        end.close()
    root.bus.run(1.0)
    assert party.handles[0].events() == ["FD_CLOSE"]
    party.handles[1].close()
    assert root.provider.take_signal(SHARED) == [party.handles[2].handle]


def test_a_new_selection_takes_its_signals_along(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    assert root.provider.take_signal(root.handle) == [root.handle]
    root.select(FD_READ, event_object=SHARED)
    assert root.provider.take_signal(SHARED) == []
    root.select(event_object=SHARED)
    assert root.provider.take_signal(SHARED) == [root.handle]
    root.select(event_object=SHARED + 1)
    assert root.provider.take_signal(SHARED) == []
    assert root.provider.take_signal(SHARED + 1) == [root.handle]
