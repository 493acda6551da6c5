"""Disconnect data, and ordinary connections that nobody gets (W38, W85, D25)."""

import pytest

from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    NOBODY,
    PORT,
    ROOT_HOST,
    Actor,
    Party,
    admit,
    fails,
    invite,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.parameters import MAXIMUM_DISCONNECT_DATA_OCTETS
from mpwire.winsock.protocols import Protocol
from mpwire.wire.messages import Close

E = WsaError


def say(actor: Actor, data: bytes | None) -> None:
    actor.provider.send_disconnect(actor.handle, data, actor.bus.now_s)


def hear(actor: Actor) -> bytes:
    return actor.provider.recv_disconnect(actor.handle, actor.bus.now_s)


@pytest.mark.w(85)
def test_a_leaf_parts_with_words_for_its_root(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    assert hear(leaf) == b""
    say(leaf, b"bye")
    bus.run(1.0)
    assert handle.events() == ["FD_CLOSE"]
    assert hear(handle) == b"bye"
    with fails(E.WSAESHUTDOWN):
        leaf.send()


@pytest.mark.w(69, 85)
def test_a_root_parts_with_words_for_everybody(party: Party) -> None:
    say(party.root, b"closing time")
    party.root.bus.run(1.0)
    assert [hear(end) for end in party.ends] == [b"closing time"] * 3
    assert [hear(handle) for handle in party.handles] == [b""] * 3


@pytest.mark.w(67, 85)
def test_one_leaf_is_told_what_the_others_are_not(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    _, session_end = invite(root, waiting_leaf(bus, 2))
    say(handle, b"you")
    bus.run(1.0)
    assert hear(leaf) == b"you"
    root.close()
    bus.run(1.0)
    assert hear(session_end) == b""


@pytest.mark.w(85)
def test_what_was_said_stays_said(bus: Bus) -> None:
    """R58: every copy of CLOSE says the same, whatever is called meanwhile."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    bus.judge = lambda transit: transit.name != "CloseAck"
    say(leaf, b"first")
    say(leaf, b"second")
    bus.run(3.0)
    leaf.close()
    bus.run(60)
    said = [one.message for one in bus.trace]
    copies = [one.disc_data for one in said if isinstance(one, Close) and one.disc_data]
    assert len(copies) > 1
    assert {*copies} == {b"first"}
    assert hear(handle) == b"first"


@pytest.mark.w(85)
def test_no_words_are_no_words(bus: Bus) -> None:
    root = root_actor(bus)
    for number, nothing in ((1, None), (2, b"")):
        leaf = leaf_actor(bus, number)
        handle = admit(root, leaf)
        say(leaf, nothing)
        bus.run(1.0)
        assert hear(handle) == b""
    assert all(one.message.disc_data is None for one in bus.trace if isinstance(one.message, Close))


@pytest.mark.w(85)
def test_a_protocol_without_disconnect_data_says_so(bus: Bus) -> None:
    there, here = bus.provider(ROOT_HOST), bus.provider("10.0.1.1")
    atm = Protocol.MPW_ATM
    root = Actor(bus, there, there.socket(C_ROOT, protocol=atm)).bind().listen().select()
    leaf = Actor(bus, here, here.socket(C_LEAF, protocol=atm)).select()
    handle = admit(root, leaf)
    for actor in (root, leaf, handle):
        with fails(E.WSAENOPROTOOPT):
            say(actor, b"bye")
        with fails(E.WSAENOPROTOOPT):
            hear(actor)
    say(handle, None)
    bus.run(1.0)
    assert leaf.events() == ["FD_CLOSE"]


@pytest.mark.w(85, 104)
def test_disconnect_data_is_checked(bus: Bus) -> None:
    root, leaf, idle = root_actor(bus), leaf_actor(bus, 1), leaf_actor(bus, 2)
    handle = admit(root, leaf, JoinFlag.RECEIVER_ONLY)
    with fails(E.WSAEINVAL):
        say(leaf, b"bye")
    with fails(E.WSAENOTCONN):
        say(idle, b"bye")
    with fails(E.WSAENOTCONN):
        hear(idle)
    with fails(E.WSAEFAULT):
        say(handle, bytes(MAXIMUM_DISCONNECT_DATA_OCTETS + 1))
    with fails(E.WSAEFAULT):
        say(handle, "text")  # type: ignore[arg-type]
    leaf.close()
    bus.run(1.0)
    assert hear(handle) == b""
    with fails(E.WSAENOTSOCK):
        say(leaf, b"bye")


# WSPConnect -----------------------------------------------------------------------------------


@pytest.mark.w(38)
@pytest.mark.parametrize("target", ["R", "L"])
def test_an_ordinary_connection_is_refused(bus: Bus, target: str) -> None:
    listener = root_actor(bus) if target == "R" else waiting_leaf(bus, 1)
    provider = bus.provider("10.0.5.1")
    plain = provider.socket(SocketFlag(0))
    with fails(E.WSAECONNREFUSED):
        provider.connect(plain, listener.address, bus.now_s)
    bus.run(1.0)
    assert listener.events() == []
    assert bus.trace == []


@pytest.mark.w(38, 104)
def test_multipoint_sockets_do_not_connect(bus: Bus) -> None:
    """D25."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    for actor in (root, leaf):
        with fails(E.WSAEOPNOTSUPP):
            actor.provider.connect(actor.handle, NOBODY, 0.0)
    provider = leaf.provider
    plain = provider.socket(SocketFlag(0))
    for name, code in (
        (("fd00::1", PORT), E.WSAEAFNOSUPPORT),
        (("0.0.0.0", PORT), E.WSAEADDRNOTAVAIL),
    ):
        with fails(code):
            provider.connect(plain, name, 0.0)
    with fails(E.WSAEFAULT):
        provider.connect(plain, None, 0.0)  # type: ignore[arg-type]
