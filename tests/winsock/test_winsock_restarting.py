"""Processes that die and come back at the same address (RM42, LF32, W19, W66, W70)."""

import pytest

from mpwire.core.events import SendDatagram
from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    PORT,
    ROOT_HOST,
    Actor,
    admit,
    drain_events,
    fails,
    invite,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus, Transit
from mpwire.testing.ends import join_request
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.wire.codec import encode
from mpwire.wire.registries import Role

E = WsaError
JOINED = ["FD_CONNECT", "FD_WRITE"]
RESET = ["FD_CLOSE WSAECONNRESET"]


def restart(bus: Bus, host: str, flags: SocketFlag = C_LEAF) -> Actor:
    """Kill the process of a host and start another one; return its socket at the same port."""
    bus.remove(host)
    provider = bus.provider(host)
    return Actor(bus, provider, provider.socket(flags)).bind().select()


# A leaf ---------------------------------------------------------------------------------------


@pytest.mark.w(39, 66, 72)
@pytest.mark.parametrize("loss", [None, "Probe", "Abort", "Pending", "Challenge"])
def test_a_leaf_that_restarted_asks_again_and_is_admitted(bus: Bus, loss: str | None) -> None:
    """Its old P is reset first; no keepalive is waited for, whatever is lost once."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1).bind()
    old = admit(root, leaf)
    leaf = restart(bus, "10.0.1.1")
    lost: list[str] = []

    def judge(transit: Transit) -> int:
        if transit.name != loss or lost:
            return 1
        lost.append(transit.name)
        return 0

    bus.judge = judge
    leaf.join(root)
    bus.run(4)
    assert old.events() == RESET
    assert root.events() == ["FD_ACCEPT"]
    assert leaf.events() == []
    new = root.accept()
    bus.run(1)
    assert leaf.events() == JOINED
    root.send(b"welcome back")
    bus.run(0.1)
    assert leaf.recv() == b"welcome back"
    assert (old.events(), new.events()) == ([], [])


@pytest.mark.w(30, 52)
def test_a_stranger_at_the_address_of_a_live_member_is_refused(bus: Bus) -> None:
    """T19: the member itself says that it lives, and nothing happens to it."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1).bind()
    handle = admit(root, leaf)
    endpoint = root.provider.endpoints[root.address]
    request = join_request(Role.C_LEAF_TO_ROOT, 0x77)
    request.cookie = endpoint.cookies.issue(request, leaf.address, root.address, bus.now_s)
    bus.inject(SendDatagram(encode(request), leaf.address, root.address))
    bus.run(3)
    assert bus.names()[-5:] == ["JoinReq", "Pending", "Probe", "ProbeAck", "Reject"]
    assert (root.events(), handle.events(), leaf.events()) == ([], [], [])
    root.send()
    bus.run(0.1)
    assert leaf.recv() == b"hello"


@pytest.mark.w(33, 34)
def test_an_invited_leaf_that_restarted_asks_by_itself(bus: Bus) -> None:
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    old, _session_end = invite(root, leaf)
    leaf = restart(bus, "10.0.1.1")
    leaf.join(root)
    bus.run(1)
    assert (old.events(), root.events()) == (RESET, ["FD_ACCEPT"])


@pytest.mark.w(30, 31)
def test_a_root_cannot_invite_a_restarted_leaf_that_it_takes_for_a_member(bus: Bus) -> None:
    """RS4; once the keepalive has found out, it can."""
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    old, _session_end = invite(root, leaf)
    leaf = restart(bus, "10.0.1.1").listen()
    with fails(E.WSAEISCONN):
        root.join(leaf)
    bus.run(30)
    assert old.events() == RESET
    invite(root, leaf)


@pytest.mark.w(67, 68)
def test_a_session_that_ends_meanwhile_refuses_the_restarted_leaf(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1).bind()
    admit(root, leaf)
    leaf = restart(bus, "10.0.1.1")
    bus.judge = lambda transit: transit.name != "Probe"
    leaf.join(root)
    bus.run(0.1)
    root.close()
    bus.judge = None
    bus.run(60)
    assert leaf.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert root.provider.endpoints == {}


# A root ---------------------------------------------------------------------------------------


@pytest.mark.w(70, 72)
@pytest.mark.parametrize("talks", [True, False])
def test_a_leaf_learns_from_its_own_data_or_probe_that_the_root_restarted(
    bus: Bus, *, talks: bool
) -> None:
    """W70, D38: a crash never looks like a graceful end."""
    leaf = leaf_actor(bus, 1).bind()
    admit(root_actor(bus), leaf)
    root = restart(bus, ROOT_HOST, C_ROOT).listen()
    if talks:
        leaf.send()
    bus.run(0.1 if talks else 25)
    assert leaf.events() == RESET
    assert root.events() == []
    with fails(E.WSAECONNRESET):
        leaf.send()


@pytest.mark.w(33, 70)
def test_an_invitation_of_the_restarted_root_shows_a_leaf_what_it_has_lost(bus: Bus) -> None:
    """LF32: REJECT(NOT_LISTENING) and PROBE; the next socket may be invited."""
    leaf = leaf_actor(bus, 1).bind()
    admit(root_actor(bus), leaf)
    root = restart(bus, ROOT_HOST, C_ROOT)
    root.join(leaf)
    bus.run(1)
    assert leaf.events() == RESET
    assert root.events() == ["FD_CONNECT WSAECONNREFUSED"]
    leaf.close()
    again = Actor(bus, leaf.provider, leaf.provider.socket(C_LEAF)).bind().listen()
    invite(root, again)


@pytest.mark.w(15, 33, 70)
def test_a_listening_leaf_takes_the_invitation_once_the_old_session_is_dead(bus: Bus) -> None:
    """RM42 at the leaf: A of the old session is reset, then FD_ACCEPT."""
    leaf = waiting_leaf(bus, 1)
    _handle, session_end = invite(root_actor(bus), leaf)
    root = restart(bus, ROOT_HOST, C_ROOT)
    drain_events(root)
    root.join(leaf)
    bus.run(1)
    assert (session_end.events(), leaf.events()) == (RESET, ["FD_ACCEPT"])
    leaf.accept()
    bus.run(1)
    assert root.events() == JOINED


@pytest.mark.w(18, 41)
def test_a_leaf_whose_root_restarts_while_it_waits_is_queued_again(bus: Bus) -> None:
    """9.3: its polls go on, are challenged, and the new root sees a request of its own."""
    leaf = leaf_actor(bus, 1).bind()
    leaf.join(root_actor(bus))
    bus.run(1)
    root = restart(bus, ROOT_HOST, C_ROOT).listen()
    bus.run(12)
    assert root.events() == ["FD_ACCEPT"]
    root.accept()
    bus.run(1)
    assert leaf.events() == JOINED
    assert root.address == (ROOT_HOST, PORT)
