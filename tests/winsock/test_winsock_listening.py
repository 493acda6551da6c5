"""WSPListen, leaf-initiated joins, and both kinds at once (W39-W41, W49-W51, W101)."""

import pytest

from mpwire.core.events import SendDatagram
from mpwire.testing.actor import (
    C_LEAF,
    NOBODY,
    PORT,
    Actor,
    admit,
    fails,
    invite,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.testing.ends import join_request
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.wire.codec import encode
from mpwire.wire.messages import Cancel, JoinReq
from mpwire.wire.registries import CancelReason, Role

E = WsaError
NOT_LISTENING = ("10.0.1.1", PORT)


# Listening ------------------------------------------------------------------------------------


@pytest.mark.w(101)
def test_who_cannot_listen(bus: Bus) -> None:
    provider = bus.provider("10.0.1.1")
    plain = Actor(bus, provider, provider.socket(SocketFlag(0))).bind(1)
    other = Actor(bus, provider, provider.socket(SocketFlag.C_LEAF | SocketFlag.D_ROOT)).bind(2)
    unbound = Actor(bus, provider, provider.socket(C_LEAF)).select()
    for actor, code in (
        (plain, E.WSAEINVAL),
        (other, E.WSAEOPNOTSUPP),
        (unbound, E.WSAEINVAL),
    ):
        with fails(code):
            actor.listen()
    unbound.join(NOBODY)
    with fails(E.WSAEINVAL):
        unbound.listen()


@pytest.mark.w(47, 101)
def test_members_cannot_listen(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf)
    with fails(E.WSAEISCONN):
        leaf.listen()
    with fails(E.WSAEINVAL):
        handle.listen()
    with fails(E.WSAEINVAL):
        handle.accept()


@pytest.mark.w(101)
def test_a_smaller_backlog_refuses_the_newest(bus: Bus) -> None:
    """D24."""
    root, one, two = root_actor(bus), leaf_actor(bus, 1), leaf_actor(bus, 2)
    for leaf in (one, two):
        leaf.join(root)
        bus.run(0.1)
    root.listen(backlog=1)
    bus.run(0.1)
    assert one.events() == []
    assert two.events() == ["FD_CONNECT WSAECONNREFUSED"]


# Leaf-initiated joins -------------------------------------------------------------------------


@pytest.mark.w(39, 40, 41)
def test_a_leaf_joins_when_the_root_accepts(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.5)
    assert root.events() == ["FD_ACCEPT"]
    assert leaf.events() == []
    handle = root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]
    assert root.events() == ["FD_WRITE"]
    assert handle.events() == []
    assert (handle.peer, leaf.peer) == (leaf.address, root.address)


@pytest.mark.w(40)
def test_an_accepted_socket_equals_a_joined_one(bus: Bus) -> None:
    root = root_actor(bus)
    admitted = admit(root, leaf_actor(bus, 1))
    invited, _ = invite(root, waiting_leaf(bus, 2))
    one, two = (root.provider.sockets[handle.handle] for handle in (admitted, invited))
    assert (one.role, one.flags, one.usable) == (two.role, two.flags, two.usable)
    for handle in (admitted, invited):
        for call in (handle.send, handle.recv):
            with fails(E.WSAEOPNOTSUPP):
                call()
        with fails(E.WSAEINVAL):
            handle.accept()


# Both kinds at once ---------------------------------------------------------------------------


@pytest.mark.w(49, 50, 51)
def test_a_listening_root_invites_admits_and_sends(bus: Bus) -> None:
    root, invited, asking = root_actor(bus), waiting_leaf(bus, 1), leaf_actor(bus, 2)
    root.join(invited)
    asking.join(root)
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    root.accept()
    bus.run(0.1)
    assert asking.events() == ["FD_CONNECT", "FD_WRITE"]
    session_end = invited.accept()
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]
    root.send(b"to both")
    asking.send(b"up")
    session_end.send(b"up too")
    bus.run(0.1)
    assert (asking.recv(), session_end.recv()) == (b"to both", b"to both")
    assert sorted(root.recv_all()) == [b"up", b"up too"]


@pytest.mark.w(51)
def test_a_root_that_invites_who_already_waits_does_not_hear_of_him(bus: Bus) -> None:
    """RM16: parked while our own invitation is out, shown again when it fails (RM8)."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    bus.judge = lambda transit: transit.destination != leaf.address
    root.join(leaf)
    with fails(E.WSAEWOULDBLOCK):
        root.accept()
    bus.run(0.1)
    assert root.events() == []
    bus.run(40)
    bus.judge = None
    assert root.events() == ["FD_CONNECT WSAETIMEDOUT", "FD_ACCEPT"]
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]


def ask_in_the_name_of(bus: Bus, leaf: Actor, root: Actor) -> JoinReq:
    """Queue a request at the root that its leaf knows nothing of; return it.

    No leaf of ours both asks and listens, so that a hand of the test's own must do it.
    """
    endpoint = root.provider.endpoints[root.address]
    request = join_request(Role.C_LEAF_TO_ROOT, 0x77)
    request.cookie = endpoint.cookies.issue(request, leaf.address, root.address, bus.now_s)
    bus.inject(SendDatagram(encode(request), leaf.address, root.address))
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    return request


@pytest.mark.w(51)
def test_who_came_by_invitation_does_not_wait_any_more(bus: Bus) -> None:
    """RM7: the parked request is dropped."""
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    ask_in_the_name_of(bus, leaf, root)
    root.join(leaf)
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]
    with fails(E.WSAECONNRESET):
        root.accept()
    with fails(E.WSAEWOULDBLOCK):
        root.accept()


@pytest.mark.w(45, 51)
def test_a_parked_request_can_be_withdrawn(bus: Bus) -> None:
    """RM17."""
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    request = ask_in_the_name_of(bus, leaf, root)
    root.join(leaf)
    cancel = Cancel(seq=request.seq, init_tag=request.init_tag, reason=CancelReason.WITHDRAWN)
    bus.inject(SendDatagram(encode(cancel), leaf.address, root.address))
    bus.run(0.1)
    leaf.accept()
    bus.run(0.1)
    assert root.events() == ["FD_CONNECT", "FD_WRITE"]
    with fails(E.WSAECONNRESET):
        root.accept()
