"""WSPAsyncSelect: one message per event, re-enabled like a record (W91, W100)."""

import pytest

from mpwire.testing.actor import (
    Actor,
    Party,
    admit,
    fails,
    leaf_actor,
    rejecting,
    root_actor,
)
from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.base import WindowMessage
from mpwire.winsock.record import FD_ACCEPT, FD_CLOSE, FD_CONNECT, FD_READ, FD_WRITE, NO_EVENTS

E = WsaError
WINDOW, MESSAGE = 7, 0x400


def async_select(actor: Actor, events: NetworkEvent = ALL_EVENTS, window: int = WINDOW) -> Actor:
    """Nominate events of a socket that are posted to a window."""
    actor.provider.async_select(actor.handle, window, MESSAGE, events, actor.bus.now_s)
    return actor


def messages(actor: Actor, window: int = WINDOW) -> list[WindowMessage]:
    """Take every message of a window."""
    taken = []
    while (message := actor.provider.get_message(window)) is not None:
        taken.append(message)
    return taken


def posted(actor: Actor, event: NetworkEvent, error: WsaError = E.SUCCESS) -> WindowMessage:
    return WindowMessage(WINDOW, MESSAGE, actor.handle, event, error)


@pytest.mark.w(100)
def test_each_event_is_a_message_of_its_own_and_connect_comes_before_write(bus: Bus) -> None:
    root, leaf = root_actor(bus), async_select(leaf_actor(bus, 1))
    assert messages(leaf) == []
    admit(root, leaf)
    assert messages(leaf) == [posted(leaf, FD_CONNECT), posted(leaf, FD_WRITE)]
    root.send()
    root.close()
    bus.run(1.0)
    assert messages(leaf) == [posted(leaf, FD_READ)]
    leaf.recv()
    assert messages(leaf) == [posted(leaf, FD_CLOSE)]


@pytest.mark.w(22, 98, 100)
def test_a_message_carries_the_error(bus: Bus) -> None:
    root, leaf = root_actor(bus), async_select(leaf_actor(bus, 1))
    leaf.join(root)
    bus.run(0.1)
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    bus.run(0.1)
    assert messages(leaf) == [posted(leaf, FD_CONNECT, E.WSAECONNREFUSED)]


@pytest.mark.w(92, 94, 100)
def test_a_message_is_posted_again_only_after_the_re_enabling_call(party: Party) -> None:
    leaf = async_select(party.ends[0])
    for _ in range(2):
        party.root.send()
        leaf.bus.run(0.1)
    assert messages(leaf) == [posted(leaf, FD_READ)]
    leaf.recv()
    assert messages(leaf) == [posted(leaf, FD_READ)]
    leaf.recv()
    with fails(E.WSAEWOULDBLOCK):
        leaf.recv()
    assert messages(leaf) == []


@pytest.mark.w(92, 94, 100)
def test_requests_are_posted_one_by_one(bus: Bus) -> None:
    root = async_select(root_actor(bus))
    for number in (1, 2):
        leaf_actor(bus, number).join(root)
        bus.run(0.1)
    assert messages(root) == [posted(root, FD_ACCEPT)]
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    assert messages(root) == [posted(root, FD_ACCEPT)]


@pytest.mark.w(97, 100)
def test_what_holds_already_is_posted_at_once_and_again_on_every_selection(party: Party) -> None:
    """D7: a message says again what an event object leaves unsaid."""
    leaf = party.ends[0]
    party.root.send()
    leaf.bus.run(0.1)
    assert leaf.events() == ["FD_READ"]
    for _ in range(2):
        async_select(leaf)
        assert messages(leaf) == [posted(leaf, FD_READ)]
    leaf.select()
    assert leaf.events() == []
    async_select(leaf)
    assert messages(leaf) == [posted(leaf, FD_READ)]


@pytest.mark.w(97, 100)
def test_a_waiting_request_is_posted_on_every_selection(bus: Bus) -> None:
    root = root_actor(bus)
    leaf_actor(bus, 1).join(root)
    bus.run(0.1)
    for _ in range(2):
        async_select(root)
        assert messages(root) == [posted(root, FD_ACCEPT)]


@pytest.mark.w(91)
def test_messages_replace_an_event_object_and_the_reverse(party: Party) -> None:
    leaf, provider = party.ends[0], party.ends[0].provider
    async_select(leaf)
    party.root.send()
    leaf.bus.run(0.1)
    assert not provider.signalled
    assert leaf.events() == []
    leaf.recv()
    leaf.select()
    messages(leaf)
    party.root.send()
    leaf.bus.run(0.1)
    assert messages(leaf) == []
    assert leaf.events() == ["FD_READ"]


@pytest.mark.w(91)
def test_one_window_at_a_time_and_none_without_events(party: Party) -> None:
    leaf = async_select(party.ends[0])
    async_select(leaf, window=WINDOW + 1)
    party.root.send()
    leaf.bus.run(0.1)
    assert messages(leaf) == []
    assert [message.event for message in messages(leaf, WINDOW + 1)] == [FD_READ]
    leaf.recv()
    async_select(leaf, NO_EVENTS, window=0)
    party.root.send()
    leaf.bus.run(0.1)
    assert messages(leaf, WINDOW + 1) == []
    leaf.provider.set_blocking(leaf.handle, blocking=True)


@pytest.mark.w(13, 47)
def test_new_sockets_inherit_the_window(bus: Bus) -> None:
    root, leaf = async_select(root_actor(bus)), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    messages(root)
    leaf.close()
    bus.run(1.0)
    assert messages(root) == [posted(handle, FD_CLOSE)]


@pytest.mark.w(7)
def test_a_selection_makes_nonblocking_and_keeps_it_so(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).block()
    async_select(leaf, NO_EVENTS)
    assert not leaf.provider.sockets[leaf.handle].blocking
    async_select(leaf)
    with fails(E.WSAEINVAL):
        leaf.provider.set_blocking(leaf.handle, blocking=True)


@pytest.mark.w(100, 104)
def test_there_must_be_a_window_and_a_usable_socket(bus: Bus) -> None:
    root = root_actor(bus)
    with fails(E.WSAEINVAL):
        async_select(root, window=0)
    handle = root.join(("10.0.1.1", 61717))
    with fails(E.WSAEINVAL):
        async_select(handle)
    with fails(E.WSAENOTSOCK):
        async_select(root.on(99))


@pytest.mark.w(76)
def test_nothing_is_posted_for_a_closed_socket(party: Party) -> None:
    leaf = async_select(party.ends[0])
    leaf.close()
    party.root.close()
    leaf.bus.run(1.0)
    assert messages(leaf) == []
