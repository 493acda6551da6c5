"""How joins fail, by event or at once: W33, W37, W38 and error table 1M."""

import pytest

from mpwire.testing.actor import (
    C_ROOT,
    NOBODY,
    PORT,
    Actor,
    admit,
    fails,
    leaf_actor,
    lonely_root,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.winsock.parameters import MAXIMUM_JOIN_DATA_OCTETS
from mpwire.winsock.transport import WILDCARDS

E = WsaError
NOT_LISTENING = ("10.0.1.1", PORT)


# How joins fail -------------------------------------------------------------------------------


@pytest.mark.w(33, 37, 98)
def test_an_invitation_to_a_leaf_that_does_not_listen_is_refused(bus: Bus) -> None:
    root, leaf = lonely_root(bus), leaf_actor(bus, 1).bind()
    handle = root.join(leaf)
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert root.provider.socket_error(root.handle) is E.WSAECONNREFUSED
    assert root.provider.socket_error(root.handle) is E.SUCCESS
    assert leaf.events() == []
    assert handle.events() == []


@pytest.mark.w(37, 101)
def test_requests_beyond_the_backlog_are_refused(bus: Bus) -> None:
    root = root_actor(bus, backlog=1)
    first, second = leaf_actor(bus, 1), leaf_actor(bus, 2)
    first.join(root)
    bus.run(0.1)
    second.join(root)
    bus.run(0.1)
    assert second.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert first.events() == []


@pytest.mark.w(38)
def test_a_listening_leaf_admits_invitations_only(bus: Bus) -> None:
    leaf, other = waiting_leaf(bus, 1), leaf_actor(bus, 2)
    other.join(leaf)
    bus.run(0.1)
    assert other.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert leaf.events() == []


@pytest.mark.w(38)
def test_a_listening_root_admits_leaves_only(bus: Bus) -> None:
    root = root_actor(bus)
    provider = bus.provider("10.0.0.2")
    other = Actor(bus, provider, provider.socket(C_ROOT)).select()
    other.join(root)
    bus.run(0.1)
    assert other.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert root.events() == []


@pytest.mark.w(12)
def test_a_leaf_cannot_join_another_leaf(bus: Bus) -> None:
    leaf, other = leaf_actor(bus, 1).bind(), leaf_actor(bus, 2)
    other.join(leaf)
    bus.run(0.1)
    assert other.events() == ["FD_CONNECT WSAECONNREFUSED"]


@pytest.mark.w(37)
def test_a_request_that_nobody_decides_times_out(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(179)
    assert leaf.events() == []
    bus.run(2)
    assert leaf.events() == ["FD_CONNECT WSAETIMEDOUT"]


@pytest.mark.w(37)
@pytest.mark.parametrize(("port", "code"), [(True, "WSAECONNREFUSED"), (False, "WSAENETUNREACH")])
def test_icmp_decides_about_the_code(bus: Bus, *, port: bool, code: str) -> None:
    leaf = leaf_actor(bus, 1)
    leaf.join(NOBODY)
    bus.run(0.1)
    quote = bus.trace[0].data
    for _ in range(2):
        leaf.provider.unreachable_untrusted(leaf.address, quote, NOBODY, bus.now_s, port=port)
    leaf.provider.unreachable_untrusted(("10.0.1.1", 1), b"", NOBODY, bus.now_s, port=port)
    bus.run(60)
    assert leaf.events() == [f"FD_CONNECT {code}"]


# Error table 1M -------------------------------------------------------------------------------


@pytest.mark.w(6, 103)
@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (SocketFlag(0), E.WSAEINVAL),
        (SocketFlag.OVERLAPPED, E.WSAEINVAL),
    ],
)
def test_sockets_without_the_right_flags_cannot_join(
    bus: Bus, flags: SocketFlag, code: WsaError
) -> None:
    provider = bus.provider("10.0.1.1")
    with fails(code):
        Actor(bus, provider, provider.socket(flags)).join(NOBODY)
    bus.run(1)
    assert bus.trace == []


@pytest.mark.w(103)
@pytest.mark.parametrize(
    ("address", "code"),
    [
        (("fd00::1", PORT), E.WSAEAFNOSUPPORT),
        ((WILDCARDS[4], PORT), E.WSAEADDRNOTAVAIL),
        (("10.0.0.1", 0), E.WSAEADDRNOTAVAIL),
    ],
)
def test_addresses_that_are_none_are_refused(
    bus: Bus, address: tuple[str, int], code: WsaError
) -> None:
    leaf = leaf_actor(bus, 1)
    with fails(code):
        leaf.join(address)
    leaf.join(NOBODY)


@pytest.mark.w(15, 103)
def test_caller_data_has_a_limit(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    with fails(E.WSAEFAULT):
        leaf.join(NOBODY, caller_data=bytes(MAXIMUM_JOIN_DATA_OCTETS + 1))
    leaf.join(NOBODY, caller_data=bytes(MAXIMUM_JOIN_DATA_OCTETS))


@pytest.mark.w(103)
def test_joins_fail_on_what_is_no_socket(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    with fails(E.WSAENOTSOCK):
        leaf.on(99).join(NOBODY)


@pytest.mark.w(103)
def test_a_join_without_a_descriptor_for_its_socket_asks_nobody(bus: Bus) -> None:
    """D18."""
    root = lonely_root(bus)
    root.provider.maximum_sockets = 1
    with fails(E.WSAEMFILE):
        root.join(NOBODY)
    bus.run(1)
    assert bus.trace == []


@pytest.mark.w(103)
def test_a_dismantled_session_invites_and_admits_nobody(bus: Bus) -> None:
    root = root_actor(bus)
    root.shutdown()
    with fails(E.WSAEINVAL):
        root.join(NOBODY)
    with fails(E.WSAEINVAL):
        root.listen()
    with fails(E.WSAEINVAL):
        root.accept()


@pytest.mark.w(103)
def test_a_listening_leaf_cannot_join(bus: Bus) -> None:
    """D26."""
    with fails(E.WSAEINVAL):
        waiting_leaf(bus, 1).join(NOBODY)


@pytest.mark.w(103)
def test_a_member_is_not_invited_again(bus: Bus) -> None:
    """RS4."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf)
    count = len(bus.trace)
    with fails(E.WSAEISCONN):
        root.join(leaf)
    assert len(bus.trace) == count
