"""WSPIoctl and the socket options (W7, W102, W104)."""

import pytest

from mpwire.testing.actor import (
    C_LEAF,
    Actor,
    Party,
    admit,
    fails,
    leaf_actor,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.control import Ioctl, Option
from mpwire.winsock.protocols import ENTRIES, Protocol, SocketType

E = WsaError
SERVED = {
    Ioctl.FIONBIO,
    Ioctl.FIONREAD,
    Ioctl.SIO_ADDRESS_LIST_CHANGE,
    Ioctl.SIO_ROUTING_INTERFACE_CHANGE,
    Ioctl.SIO_ROUTING_INTERFACE_QUERY,
    Ioctl.SIO_GET_QOS,
    Ioctl.SIO_SET_QOS,
}


def ioctl(actor: Actor, code: int, value: object = None) -> object:
    return actor.provider.ioctl(actor.handle, code, value, actor.bus.now_s)


def get(actor: Actor, option: int) -> object:
    return actor.provider.getsockopt(actor.handle, option)


def put(actor: Actor, option: int, value: float | None) -> None:
    actor.provider.setsockopt(actor.handle, option, value)


# Ioctls ---------------------------------------------------------------------------------------


@pytest.mark.w(7)
def test_fionbio_chooses_the_mode_unless_events_are_selected(bus: Bus) -> None:
    root = root_actor(bus)
    with fails(E.WSAEINVAL):
        ioctl(root, Ioctl.FIONBIO, value=False)
    ioctl(root, Ioctl.FIONBIO, value=True)
    root.select(NetworkEvent(0))
    ioctl(root, Ioctl.FIONBIO, value=False)
    root.start_accept()
    ioctl(root, Ioctl.FIONBIO, value=True)
    with fails(E.WSAEWOULDBLOCK):
        root.accept()


@pytest.mark.w(104)
def test_fionread_counts_what_waits(party: Party) -> None:
    leaf = party.ends[0]
    assert ioctl(leaf, Ioctl.FIONREAD) == 0
    party.root.send(b"four")
    party.root.send(b"and six")
    leaf.bus.run(0.1)
    assert ioctl(leaf, Ioctl.FIONREAD) == 11
    leaf.recv()
    assert ioctl(leaf, Ioctl.FIONREAD) == 7


@pytest.mark.w(104)
@pytest.mark.parametrize("code", sorted({*Ioctl} - SERVED))
def test_what_winsock_knows_and_nobody_serves_is_not_supported(bus: Bus, code: Ioctl) -> None:
    leaf = leaf_actor(bus, 1)
    with fails(E.WSAEINVAL if code is Ioctl.SIOCATMARK else E.WSAEOPNOTSUPP):
        ioctl(leaf, code)


@pytest.mark.w(104)
def test_what_is_no_code_is_invalid(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    for code in (0, 1, 0x88000063):
        with fails(E.WSAEINVAL):
            ioctl(leaf, code)
    with fails(E.WSAENOTSOCK):
        ioctl(leaf.on(99), Ioctl.FIONREAD)


# Options --------------------------------------------------------------------------------------


@pytest.mark.w(104)
def test_the_error_of_a_failed_join_is_read_once(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    assert get(leaf, Option.SO_ERROR) == E.SUCCESS
    leaf.join(root)
    bus.run(0.1)
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    bus.run(0.1)
    assert get(leaf, Option.SO_ERROR) == E.WSAECONNREFUSED
    assert get(leaf, Option.SO_ERROR) == E.SUCCESS


@pytest.mark.w(82, 104)
def test_the_error_of_an_abort_is_read_once(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf).linger().close()
    bus.run(0.1)
    assert leaf.events() == ["FD_CLOSE WSAECONNRESET"]
    assert get(leaf, Option.SO_ERROR) == E.WSAECONNRESET
    assert get(leaf, Option.SO_ERROR) == E.SUCCESS


@pytest.mark.w(101)
def test_who_accepts_says_so(bus: Bus) -> None:
    root, waiting, idle = root_actor(bus), waiting_leaf(bus, 1), leaf_actor(bus, 2)
    bound = leaf_actor(bus, 3).bind()
    handle = root.join(waiting)
    assert [get(one, Option.SO_ACCEPTCONN) for one in (root, waiting, idle, bound, handle)] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.w(1, 104)
@pytest.mark.parametrize("protocol", [Protocol.MPW_ROOTED, Protocol.MPW_OPEN])
def test_a_socket_tells_its_protocol(bus: Bus, protocol: Protocol) -> None:
    there = bus.provider("10.0.4.1")
    leaf = Actor(bus, there, there.socket(C_LEAF, protocol=protocol))
    entry = ENTRIES[protocol]
    assert get(leaf, Option.SO_PROTOCOL_INFO) is entry
    assert get(leaf, Option.SO_MAX_MSG_SIZE) == entry.max_payload_octets
    connected = protocol is Protocol.MPW_ROOTED
    expected = SocketType.SEQUENCED_PACKET if connected else SocketType.DATAGRAM
    assert get(leaf, Option.SO_TYPE) == expected


@pytest.mark.w(81)
def test_linger_is_two_options(bus: Bus) -> None:
    """D33: enabling SO_DONTLINGER is what makes closing graceful again."""
    leaf = leaf_actor(bus, 1)
    assert (get(leaf, Option.SO_LINGER), get(leaf, Option.SO_DONTLINGER)) == (None, True)
    put(leaf, Option.SO_LINGER, 0)
    assert (get(leaf, Option.SO_LINGER), get(leaf, Option.SO_DONTLINGER)) == (0, False)
    put(leaf, Option.SO_DONTLINGER, value=True)
    assert (get(leaf, Option.SO_LINGER), get(leaf, Option.SO_DONTLINGER)) == (None, True)
    put(leaf, Option.SO_DONTLINGER, value=False)
    assert (get(leaf, Option.SO_LINGER), get(leaf, Option.SO_DONTLINGER)) == (0, False)


@pytest.mark.w(42)
def test_nobody_is_connected_before_the_condition_function(bus: Bus) -> None:
    """D32."""
    root = root_actor(bus)
    assert get(root, Option.SO_CONDITIONAL_ACCEPT) is True
    put(root, Option.SO_CONDITIONAL_ACCEPT, value=True)
    with fails(E.WSAEINVAL):
        put(root, Option.SO_CONDITIONAL_ACCEPT, value=False)


@pytest.mark.w(104)
def test_there_are_no_other_options(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    for option in (0, 0x0004, 0x2001):
        with fails(E.WSAENOPROTOOPT):
            get(leaf, option)
    readonly = {*Option} - {
        Option.SO_LINGER,
        Option.SO_DONTLINGER,
        Option.SO_CONDITIONAL_ACCEPT,
    }
    for option in (0, *readonly):
        with fails(E.WSAENOPROTOOPT):
            put(leaf, option, 1)
    with fails(E.WSAENOTSOCK):
        get(leaf.on(99), Option.SO_TYPE)
    with fails(E.WSAENOTSOCK):
        put(leaf.on(99), Option.SO_LINGER, 1)
