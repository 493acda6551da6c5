"""Requirements that only show in combination: each is tried here by its own words."""

import pytest

from mpwire.testing.actor import (
    NOBODY,
    Party,
    admit,
    fails,
    leaf_actor,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import ShutdownHow, WsaError

E = WsaError


@pytest.mark.w(8)
def test_the_result_of_a_join_is_a_descriptor(bus: Bus) -> None:
    """Never 0 or an error code, as WSPConnect has it: what fails, fails with its reason."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    joining, inviting = leaf.join(root), root.join(waiting_leaf(bus, 2))
    assert joining.handle in leaf.provider.sockets
    assert inviting.handle in root.provider.sockets
    with fails(E.WSAEALREADY):
        leaf.join(root)


@pytest.mark.w(12)
def test_a_leaf_does_not_answer_for_its_root(bus: Bus, party: Party) -> None:
    """The name is the root's address: to other leaves' addresses a c_leaf cannot join."""
    joiner, listening = leaf_actor(bus, 7), waiting_leaf(bus, 8)
    for other in (*party.ends, listening):
        joiner.join(other)
        bus.run(0.1)
        assert joiner.events() == ["FD_CONNECT WSAECONNREFUSED"]
        assert other.events() == []
    joiner.join(party.root)
    bus.run(0.1)
    assert party.root.events() == ["FD_ACCEPT"]


@pytest.mark.w(77)
def test_one_circuit_gives_one_close(bus: Bus, party: Party) -> None:
    """The leaf shuts down and then closes; whatever P does in between, FD_CLOSE comes once."""
    leaf, handle = party.ends[0], party.handles[0]
    leaf.shutdown()
    bus.run(1)
    assert handle.events() == ["FD_CLOSE"]
    handle.select()
    with fails(E.WSAEOPNOTSUPP):
        handle.recv()
    leaf.close()
    bus.run(100)
    assert handle.events() == []
    assert not handle.is_signalled()


@pytest.mark.w(82)
def test_after_an_abort_of_the_root_nobody_reads_a_graceful_end(bus: Bus, party: Party) -> None:
    party.root.linger(0).close()
    bus.run(1)
    for leaf in party.ends:
        assert leaf.events() == ["FD_CLOSE WSAECONNRESET"]
        with fails(E.WSAECONNRESET):
            leaf.recv()


@pytest.mark.w(79)
def test_a_side_that_was_shut_down_says_so(bus: Bus, party: Party) -> None:
    sending, receiving, alone = party.ends
    sending.shutdown(ShutdownHow.SEND)
    receiving.shutdown(ShutdownHow.RECEIVE)
    alone.shutdown(ShutdownHow.BOTH)
    for leaf in (sending, alone):
        with fails(E.WSAESHUTDOWN):
            leaf.send()
    for leaf in (receiving, alone):
        with fails(E.WSAESHUTDOWN):
            leaf.recv()
    receiving.send()
    bus.run(1)
    assert party.root.recv() == b"hello"


@pytest.mark.w(79)
@pytest.mark.parametrize("how", [-1, 3, 99])
def test_there_are_three_ways_to_shut_down(bus: Bus, how: int) -> None:
    root = root_actor(bus)
    handle = admit(root, leaf_actor(bus, 1))
    for actor in (root, handle):
        with fails(E.WSAEINVAL):
            actor.provider.shutdown(actor.handle, how, bus.now_s)
    bus.run(1)
    assert handle.events() == []
    with fails(E.WSAENOTCONN):
        leaf_actor(bus, 2).join(NOBODY).shutdown()


@pytest.mark.w(92)
def test_only_a_receive_re_enables_reading(bus: Bus, party: Party) -> None:
    leaf = party.ends[0]
    party.root.send()
    bus.run(0.1)
    assert leaf.events() == ["FD_READ"]
    leaf.send()
    party.root.send()
    bus.run(0.1)
    assert leaf.events() == []
    leaf.recv()
    assert leaf.events() == ["FD_READ"]


@pytest.mark.w(101)
@pytest.mark.parametrize("backlog", [-1, 0, 2**31])
def test_a_backlog_out_of_range_is_adjusted(bus: Bus, backlog: int) -> None:
    root, leaf = root_actor(bus).listen(backlog), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
