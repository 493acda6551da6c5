"""Sockets, names, modes, and being driven (W1-W9, W86-W88, W104)."""

import pytest

from mpwire.core import Entropy, TimerPlan
from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    NOBODY,
    Actor,
    admit,
    fails,
    leaf_actor,
    root_actor,
)
from mpwire.testing.bus import Bus, BusTransport
from mpwire.vocabulary import NetworkEvent, SocketFlag, WsaError
from mpwire.winsock import Provider
from mpwire.winsock.base import MAXIMUM_SOCKETS

E = WsaError
PAIRS = {
    c | d
    for c in (SocketFlag.C_ROOT, SocketFlag.C_LEAF)
    for d in (SocketFlag.D_ROOT, SocketFlag.D_LEAF)
}


@pytest.fixture
def provider(bus: Bus) -> Provider:
    """Give a host."""
    return bus.provider("10.0.0.5")


# Creation -------------------------------------------------------------------------------------


@pytest.mark.w(3, 5)
@pytest.mark.parametrize("bits", range(16))
def test_a_multipoint_socket_has_one_flag_of_each_plane(provider: Provider, bits: int) -> None:
    flags = SocketFlag(bits << 1)
    if flags in PAIRS or not flags:
        assert provider.socket(flags) == 1
        assert provider.socket(flags | SocketFlag.OVERLAPPED) == 2
    else:
        with fails(E.WSAEINVAL):
            provider.socket(flags)
        assert provider.sockets == {}


def test_descriptors_are_never_reused(provider: Provider) -> None:
    first = provider.socket(C_LEAF)
    provider.close(first, 0.0)
    assert provider.socket(C_LEAF) == first + 1


@pytest.mark.w(48)
def test_descriptors_have_a_limit(bus: Bus) -> None:
    provider = Provider(BusTransport(bus, "h"), Entropy(b""), maximum_sockets=1)
    provider.socket(C_LEAF)
    with fails(E.WSAEMFILE):
        provider.socket(C_LEAF)
    assert Provider(BusTransport(bus, "h"), Entropy(b"")).maximum_sockets == MAXIMUM_SOCKETS
    assert provider.plan == TimerPlan()


# Names ----------------------------------------------------------------------------------------


@pytest.mark.w(9)
def test_a_bound_socket_has_its_name_and_keeps_it(bus: Bus, provider: Provider) -> None:
    actor = Actor(bus, provider, provider.socket(C_ROOT)).bind(7)
    assert actor.address == ("10.0.0.5", 7)
    with fails(E.WSAEINVAL):
        actor.bind(8)
    other = Actor(bus, provider, provider.socket(C_ROOT))
    with fails(E.WSAEADDRINUSE):
        other.bind(7)
    with fails(E.WSAEADDRNOTAVAIL):
        provider.bind(other.handle, ("10.0.0.99", 7))
    with fails(E.WSAEAFNOSUPPORT):
        provider.bind(other.handle, ("fd00::1", 7))
    actor.close()
    other.bind(7)


def test_an_address_of_the_other_family_fits_the_other_socket(provider: Provider) -> None:
    handle = provider.socket(C_LEAF, family=6)
    with fails(E.WSAEAFNOSUPPORT):
        provider.bind(handle, ("10.0.0.5", 7))
    with fails(E.WSAEAFNOSUPPORT):
        provider.join_leaf(handle, ("10.0.0.1", 7), 0.0)
    provider.bind(handle, ("::", 7))


def test_only_members_have_a_peer(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    for actor in (root, leaf):
        with fails(E.WSAENOTCONN):
            _ = actor.peer
    bus.run(0.1)
    root.accept()
    bus.run(0.1)
    assert leaf.peer == root.address


# Modes ----------------------------------------------------------------------------------------


@pytest.mark.w(7)
def test_selecting_makes_a_socket_nonblocking_until_told_otherwise(provider: Provider) -> None:
    handle = provider.socket(C_LEAF)
    modes = [provider.sockets[handle].blocking]
    provider.event_select(handle, None, NetworkEvent(0), 0.0)
    modes.append(provider.sockets[handle].blocking)
    provider.set_blocking(handle, blocking=True)
    modes.append(provider.sockets[handle].blocking)
    assert modes == [True, False, True]
    provider.event_select(handle, 1, NetworkEvent.FD_READ, 0.0)
    with fails(E.WSAEINVAL):
        provider.set_blocking(handle, blocking=True)
    provider.set_blocking(handle, blocking=False)


@pytest.mark.w(104)
def test_the_error_of_a_failed_join_can_be_read_once(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    assert leaf.provider.socket_error(leaf.handle) is E.SUCCESS
    leaf.join(NOBODY)
    bus.run(60)
    assert leaf.provider.socket_error(leaf.handle) is E.WSAETIMEDOUT
    assert leaf.provider.socket_error(leaf.handle) is E.SUCCESS


# Being driven ---------------------------------------------------------------------------------


def test_datagrams_for_nobody_are_nothing(provider: Provider) -> None:
    provider.receive_untrusted(("10.0.0.5", 1), b"mp", ("10.0.0.6", 1), ("10.0.0.5", 1), 0.0)
    provider.unreachable_untrusted(("10.0.0.5", 1), b"mp", ("10.0.0.6", 1), 0.0, port=True)
    assert provider.datagrams == []
    assert provider.dropped == []


def test_what_was_dropped_is_said(bus: Bus) -> None:
    root = root_actor(bus)
    root.provider.receive_untrusted(root.address, b"??", NOBODY, root.address, 0.0)
    assert [one.rule for one in root.provider.dropped] == ["R1"]


def test_the_next_timer_is_the_earliest_of_all(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    provider = leaf.provider
    assert provider.next_timer_s() is None
    leaf.join(NOBODY)
    assert 0.9 <= (provider.next_timer_s() or 0) <= 1.1
    other = leaf.on(provider.socket(C_LEAF)).select()
    bus.run(0.5)
    other.join(NOBODY)
    assert 0.9 <= (provider.next_timer_s() or 0) <= 1.1
    provider.expire_timers(400.0)
    assert provider.endpoints.keys() == {leaf.address, other.address}
    leaf.close()
    other.close()
    assert provider.next_timer_s() is None
    assert provider.endpoints == {}


@pytest.mark.w(86)
def test_an_event_that_nobody_selected_sets_nothing(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf)
    leaf.select(NetworkEvent(0))
    root.send()
    bus.run(0.1)
    assert leaf.provider.signalled == set()
