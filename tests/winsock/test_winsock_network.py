"""The host's network: lost interfaces, and what the ioctls about it wait for (W72, W96, RS18)."""

import pytest

from mpwire.testing.actor import (
    NOBODY,
    PORT,
    ROOT_HOST,
    Actor,
    Party,
    admit,
    fails,
    leaf_actor,
    lonely_root,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.winsock.base import Blocked
from mpwire.winsock.control import Ioctl

E = WsaError
CHANGE, QUERY = Ioctl.SIO_ROUTING_INTERFACE_CHANGE, Ioctl.SIO_ROUTING_INTERFACE_QUERY
ADDRESSES = Ioctl.SIO_ADDRESS_LIST_CHANGE


def lose(actor: Actor, host: str | None = None, *, is_up: bool = False) -> None:
    """Tell a host that it has lost an address, or got it back."""
    lost = host or actor.address[0]
    actor.provider.interface_changed(lost, actor.bus.now_s, is_up=is_up)


def ioctl(actor: Actor, code: int, value: object = None) -> object:
    return actor.provider.ioctl(actor.handle, code, value, actor.bus.now_s)


# Lost interfaces ------------------------------------------------------------------------------


@pytest.mark.w(72)
def test_a_leaf_that_loses_its_interface_is_closed_with_net_down(party: Party) -> None:
    leaf = party.ends[0]
    party.root.send(b"unread")
    leaf.bus.run(0.1)
    leaf.events()
    lose(leaf)
    assert leaf.events() == ["FD_CLOSE WSAENETDOWN"]
    assert leaf.provider.socket_error(leaf.handle) is E.WSAENETDOWN
    assert leaf.recv() == b"unread"
    with fails(E.WSAENETDOWN):
        leaf.recv()
    with fails(E.WSAENETDOWN):
        leaf.send()


@pytest.mark.w(72)
def test_a_root_that_loses_its_interface_loses_every_leaf(party: Party) -> None:
    """RS18: every open P, and R goes on listening."""
    party.handles[1].close()
    party.root.bus.run(1.0)
    party.ends[1].events()
    lose(party.root)
    told = party.events()
    told.pop("L1", None)
    told.pop("L3", None)
    assert told == {"P1": ["FD_CLOSE WSAENETDOWN"], "P3": ["FD_CLOSE WSAENETDOWN"]}
    with fails(E.WSAENOTCONN):
        party.root.send()


@pytest.mark.w(72, 103)
def test_a_pending_join_ends_unreachable_and_none_starts(bus: Bus) -> None:
    root, leaf = lonely_root(bus), leaf_actor(bus, 1)
    for asker in (root, leaf):
        joined = asker.join(NOBODY)
        lose(asker)
        assert asker.events() == ["FD_CONNECT WSAENETUNREACH"]
        if asker is root:
            joined.close()
        with fails(E.WSAENETDOWN):
            asker.join(NOBODY)
        lose(asker, is_up=True)
        asker.join(NOBODY)


@pytest.mark.w(20, 72)
def test_a_blocking_join_ends_unreachable(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).block()
    joining = leaf.start_join(NOBODY)
    lose(leaf)
    assert leaf.outcome(joining) is E.WSAENETUNREACH


@pytest.mark.w(72)
def test_an_acceptance_that_was_not_confirmed_ends_too(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    handle = root.accept()
    lose(root)
    assert handle.events() == ["FD_CLOSE WSAENETDOWN"]
    bus.run(200)
    assert root.provider.sockets[root.handle].endpoint is not None
    assert not [one for one in bus.providers[ROOT_HOST].owners if one.is_live]


@pytest.mark.w(72)
def test_another_interface_takes_nobody_with_it(party: Party) -> None:
    lose(party.root, "10.9.9.9")
    lose(party.root, "fd00::9")
    party.root.bus.run(60)
    assert party.events() == {}
    party.root.send()
    party.root.bus.run(0.1)
    assert party.ends[0].recv() == b"hello"


@pytest.mark.w(72, 77)
def test_losing_an_interface_twice_is_losing_it_once(party: Party) -> None:
    leaf = party.ends[0]
    for _ in range(2):
        lose(leaf)
    assert leaf.events() == ["FD_CLOSE WSAENETDOWN"]
    lose(leaf, "10.3.3.3", is_up=True)
    leaf.bus.run(300)
    assert leaf.events() == []


@pytest.mark.w(68, 72)
def test_a_dismantled_root_whose_interface_goes_ends_at_once(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    root.shutdown()
    lose(root)
    assert handle.events() == ["FD_CLOSE WSAENETDOWN"]
    assert root.events() == ["FD_CLOSE"]


# What applications ask for --------------------------------------------------------------------


@pytest.mark.w(96)
def test_waiting_for_a_route_ends_when_another_address_reaches_it(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).bind().block()
    assert ioctl(leaf, QUERY, NOBODY) == leaf.address
    waiting = ioctl(leaf, CHANGE, NOBODY)
    assert isinstance(waiting, Blocked)
    leaf.provider.routes_changed()
    assert leaf.outcome(waiting) is None
    lose(leaf)
    assert leaf.outcome(waiting) == 0
    with fails(E.WSAENETUNREACH):
        ioctl(leaf, QUERY, NOBODY)


@pytest.mark.w(96)
def test_waiting_for_addresses_ends_when_one_of_the_family_changes(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).block()
    waiting = ioctl(leaf, ADDRESSES)
    assert isinstance(waiting, Blocked)
    lose(leaf, "fd00::1")
    assert leaf.outcome(waiting) is None
    lose(leaf, "10.1.1.1")
    assert leaf.outcome(waiting) == 0


@pytest.mark.w(83)
def test_closing_ends_what_waits_for_the_network(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).bind().block()
    waiting = [ioctl(leaf, ADDRESSES), ioctl(leaf, CHANGE, NOBODY)]
    leaf.close()
    for one in waiting:
        assert isinstance(one, Blocked)
        assert leaf.outcome(one) is E.WSA_OPERATION_ABORTED


@pytest.mark.w(104)
def test_the_ioctls_check_what_they_are_given(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    for code in (CHANGE, QUERY):
        for value, error in (
            (None, E.WSAEFAULT),
            (("10.0.0.1", "1"), E.WSAEFAULT),
            (("10.0.0.1", True), E.WSAEFAULT),
            (("fd00::1", PORT), E.WSAEAFNOSUPPORT),
            (("nowhere", PORT), E.WSAEADDRNOTAVAIL),
            (NOBODY, E.WSAEINVAL),
        ):
            with fails(error):
                ioctl(leaf, code, value)
    invited = waiting_leaf(bus, 2)
    handle = root.join(invited)
    for code, value in ((CHANGE, NOBODY), (ADDRESSES, None)):
        with fails(E.WSAEINVAL):
            ioctl(handle, code, value)


@pytest.mark.w(96)
def test_an_ordinary_socket_hears_of_the_network_too(bus: Bus) -> None:
    there = bus.provider("10.0.4.1")
    plain = Actor(bus, there, there.socket(SocketFlag(0))).bind()
    there.set_blocking(plain.handle, blocking=True)
    waiting = ioctl(plain, ADDRESSES)
    assert isinstance(waiting, Blocked)
    lose(plain)
    assert plain.outcome(waiting) == 0


@pytest.mark.w(96)
def test_an_address_that_is_new_is_told_to_who_asked(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1).block()
    waiting = ioctl(leaf, ADDRESSES)
    assert isinstance(waiting, Blocked)
    lose(leaf, "10.3.3.3", is_up=True)
    assert leaf.outcome(waiting) == 0
