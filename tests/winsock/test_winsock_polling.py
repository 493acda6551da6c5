"""WSPSelect: readiness without records, and nothing about joins (W26, W102, D22)."""

import pytest

from mpwire.core.inflow import INITIAL_WINDOW
from mpwire.testing.actor import (
    NOBODY,
    Actor,
    Party,
    admit,
    fails,
    leaf_actor,
    lonely_root,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock.base import Blocked, Ready

E = WsaError
NOTHING = Ready()


def poll(actor: Actor) -> str:
    """Say in which sets a socket is ready now."""
    found = actor.provider.select(
        [actor.handle], [actor.handle], [actor.handle], actor.bus.now_s, timeout_s=0
    )
    assert isinstance(found, Ready)
    assert found.exceptional == ()
    return "r" * len(found.read) + "w" * len(found.write)


def start_select(
    actor: Actor, *, read: bool = False, write: bool = False, timeout_s: float | None = None
) -> Blocked:
    """Wait for a socket to become readable or writable."""
    one = [actor.handle]
    value = actor.provider.select(
        one if read else [], one if write else [], one, actor.bus.now_s, timeout_s
    )
    assert isinstance(value, Blocked)
    return value


@pytest.mark.w(102)
def test_a_listener_is_readable_while_a_request_waits(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    assert poll(root) == ""
    leaf.join(root)
    bus.run(0.1)
    assert poll(root) == "r"
    root.accept()
    bus.run(0.1)
    assert poll(root) == "w"


@pytest.mark.w(102)
def test_a_listening_root_is_readable_for_data_too(bus: Bus) -> None:
    """D22."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    admit(root, leaf)
    leaf.send()
    bus.run(0.1)
    assert poll(root) == "rw"
    with fails(E.WSAEWOULDBLOCK):
        root.accept()
    root.recv()
    assert poll(root) == "w"


@pytest.mark.w(34, 102)
def test_a_waiting_leaf_is_readable_while_an_invitation_waits(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    root.join(leaf)
    bus.run(0.1)
    assert poll(leaf) == "r"
    assert poll(leaf.accept()) == "w"


@pytest.mark.w(102)
def test_a_socket_is_readable_for_data_and_for_its_end(party: Party) -> None:
    leaf = party.ends[0]
    assert poll(leaf) == "w"
    party.root.send()
    leaf.bus.run(0.1)
    assert poll(leaf) == "rw"
    leaf.recv()
    assert poll(leaf) == "w"
    party.root.close()
    leaf.bus.run(1.0)
    assert poll(leaf) == "r"
    with fails(E.WSAEDISCON):
        leaf.recv()
    assert poll(leaf) == "r"


@pytest.mark.w(60, 62, 102)
def test_what_may_not_send_is_not_writable(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    handle = admit(root, leaf, JoinFlag.RECEIVER_ONLY)
    assert poll(leaf) == ""
    assert poll(handle) == ""
    assert poll(root) == "w"
    root.shutdown(ShutdownHow.SEND)
    assert "w" not in poll(root)
    plain = root.on(root.provider.socket(SocketFlag(0)))
    assert poll(plain) == ""


@pytest.mark.w(95, 102)
@pytest.mark.parametrize("sender", ["R", "L"])
def test_who_would_block_is_not_writable_until_there_is_room(party: Party, sender: str) -> None:
    root, leaf = party.root, party.ends[0]
    actor = root if sender == "R" else leaf
    for _ in range(INITIAL_WINDOW):
        assert poll(actor) == "w"
        actor.send()
    assert poll(actor) == ""
    waiting = start_select(actor, write=True)
    with fails(E.WSAEWOULDBLOCK):
        actor.send()
    actor.bus.run(1.0)
    assert actor.outcome(waiting) == Ready(write=(actor.handle,))
    assert poll(actor) == "w"


@pytest.mark.w(102)
def test_select_leaves_the_record_alone(party: Party) -> None:
    leaf = party.ends[0]
    party.root.send()
    leaf.bus.run(0.1)
    for _ in range(2):
        assert poll(leaf) == "rw"
    assert leaf.is_signalled()
    assert leaf.events() == ["FD_READ"]


# Joins ----------------------------------------------------------------------------------------


@pytest.mark.w(26)
@pytest.mark.parametrize("initiator", ["R", "L"])
def test_select_does_not_report_that_a_join_succeeded(bus: Bus, initiator: str) -> None:
    if initiator == "R":
        asker, asked = lonely_root(bus), waiting_leaf(bus, 1)
    else:
        asker, asked = leaf_actor(bus, 1), root_actor(bus)
    joined = asker.join(asked)
    waiting = start_select(asker, read=True, write=True)
    assert poll(asker) == ""
    bus.run(0.1)
    asked.accept()
    bus.run(0.1)
    assert poll(asker) == ""
    assert poll(joined) == ""
    assert asker.outcome(waiting) is None
    assert asker.events() == ["FD_CONNECT", "FD_WRITE"]
    assert poll(asker) == "w"


@pytest.mark.w(26)
def test_select_does_not_report_that_a_join_failed(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    waiting = start_select(leaf, read=True, write=True)
    bus.run(0.1)
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    bus.run(0.1)
    assert poll(leaf) == ""
    assert leaf.outcome(waiting) is None
    assert leaf.events() == ["FD_CONNECT WSAECONNREFUSED"]


@pytest.mark.w(26)
def test_a_further_join_changes_nothing_for_a_root_with_members(bus: Bus) -> None:
    root = root_actor(bus)
    admit(root, leaf_actor(bus, 1))
    invited = waiting_leaf(bus, 2)
    root.join(invited)
    assert poll(root) == "w"
    bus.run(0.1)
    invited.accept()
    bus.run(0.1)
    assert poll(root) == "w"


@pytest.mark.w(20, 26)
def test_a_blocking_join_has_told_by_returning(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1).block()
    joining = leaf.start_join(root)
    bus.run(0.1)
    root.accept()
    bus.run(0.1)
    assert leaf.outcome(joining) == leaf.handle
    assert poll(leaf) == "w"


@pytest.mark.w(26)
def test_an_accept_tells_that_a_root_can_send(bus: Bus) -> None:
    root, invited, leaf = root_actor(bus), waiting_leaf(bus, 1), leaf_actor(bus, 2)
    root.join(invited)
    bus.run(0.1)
    invited.accept()
    leaf.join(root)
    bus.run(0.1)
    assert poll(root) == "r"
    root.accept()
    assert poll(root) == "w"


# Waiting --------------------------------------------------------------------------------------


@pytest.mark.w(102)
def test_a_waiting_select_ends_with_what_became_ready(party: Party) -> None:
    leaf = party.ends[0]
    waiting = start_select(leaf, read=True)
    leaf.bus.run(1.0)
    assert leaf.outcome(waiting) is None
    party.root.send()
    leaf.bus.run(0.1)
    assert leaf.outcome(waiting) == Ready(read=(leaf.handle,))
    assert leaf.recv() == b"hello"


@pytest.mark.w(102)
def test_a_waiting_select_ends_with_nothing_when_its_time_is_over(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    waiting = start_select(leaf, read=True, timeout_s=3.0)
    assert leaf.provider.next_timer_s() == 3.0
    bus.run(2.9)
    assert leaf.outcome(waiting) is None
    bus.run(0.2)
    assert leaf.outcome(waiting) == NOTHING
    assert leaf.provider.next_timer_s() is None


@pytest.mark.w(102)
def test_what_became_ready_in_time_is_not_cancelled_by_the_clock(party: Party) -> None:
    leaf = party.ends[0]
    waiting = start_select(leaf, read=True, timeout_s=3.0)
    party.root.send()
    leaf.bus.run(10.0)
    assert leaf.outcome(waiting) == Ready(read=(leaf.handle,))


@pytest.mark.w(83)
@pytest.mark.parametrize("bound", [True, False])
def test_closing_a_socket_ends_the_select_that_waits_for_it(bus: Bus, *, bound: bool) -> None:
    leaf = leaf_actor(bus, 1)
    if bound:
        leaf.bind()
    waiting = start_select(leaf, read=True)
    leaf.close()
    assert leaf.outcome(waiting) is E.WSAENOTSOCK


@pytest.mark.w(28)
def test_a_waiting_select_can_be_cancelled(bus: Bus) -> None:
    leaf = leaf_actor(bus, 1)
    waiting = start_select(leaf, read=True, timeout_s=1.0)
    leaf.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert leaf.outcome(waiting) is E.WSAEINTR
    assert leaf.provider.polls == {}
    bus.run(2.0)
    assert leaf.outcome(waiting) is E.WSAEINTR


# Parameters -----------------------------------------------------------------------------------


@pytest.mark.w(104)
def test_select_validates_what_it_is_given(bus: Bus) -> None:
    provider = leaf_actor(bus, 1).provider
    with fails(E.WSAEINVAL):
        provider.select([], [], [], 0.0)
    with fails(E.WSAEINVAL):
        provider.select([1], [], [], 0.0, -1.0)
    for place in range(3):
        read, write, exceptional = ([99] if place == index else [] for index in range(3))
        with fails(E.WSAENOTSOCK):
            provider.select(read, write, exceptional, 0.0)


@pytest.mark.w(102)
def test_descriptors_are_told_once_and_in_order(party: Party) -> None:
    root, provider = party.root, party.root.provider
    for end in party.ends:
        end.close()
    root.bus.run(1.0)
    handles = [handle.handle for handle in party.handles]
    found = provider.select([*reversed(handles), *handles], [], [], root.bus.now_s)
    assert found == Ready(read=tuple(sorted(handles)))
    assert isinstance(found, Ready)
    assert found.count == 3


@pytest.mark.w(24, 102)
def test_a_handle_that_awaits_completion_is_not_ready(bus: Bus) -> None:
    root = root_actor(bus)
    assert poll(root.join(NOBODY)) == ""
