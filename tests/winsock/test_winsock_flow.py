"""Flow control and repair as sockets see them: FD_WRITE, and nothing is lost (W71, W95)."""

import pytest

from mpwire.core.inflow import BUFFER, INITIAL_WINDOW
from mpwire.testing.actor import Actor, admit, drain_events, fails, leaf_actor, root_actor
from mpwire.testing.broken import PATCHES, restore
from mpwire.testing.bus import Bus
from mpwire.vocabulary import ShutdownHow, WsaError
from mpwire.winsock import SocketError
from mpwire.wire.messages import Data, DataAck, Nack, Sync

E = WsaError


def session(bus: Bus, count: int = 1) -> tuple[Actor, list[Actor], list[Actor]]:
    """Open a root with so many leaves; return R, every P and every L, their events read."""
    root = root_actor(bus)
    leaves = [leaf_actor(bus, number) for number in range(1, count + 1)]
    handles = [admit(root, leaf) for leaf in leaves]
    drain_events(root, *handles, *leaves)
    return root, handles, leaves


def fill(bus: Bus, sender: Actor) -> int:
    """Send until the receivers have no room at all; return how many messages that took."""
    counts = [0]
    while len(counts) < 2 or counts[-1] > counts[-2]:
        counts.append(counts[-1])
        with fails(E.WSAEWOULDBLOCK):
            for _ in range(2 * BUFFER):
                sender.send(b"%d" % counts[-1])
                counts[-1] += 1
        bus.run(1)
    drain_events(sender)
    return counts[-1]


def send_patiently(bus: Bus, sender: Actor, payload: bytes) -> None:
    """Send one message as soon as there is room for it."""
    while True:
        try:
            sender.send(payload)
        except SocketError as error:
            if error.code is not E.WSAEWOULDBLOCK:
                raise
            bus.run(0.1)
        else:
            return


# Flow control ---------------------------------------------------------------------------------


@pytest.mark.w(95)
def test_a_full_window_blocks_the_send_and_reading_reopens_it(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    assert fill(bus, root) == BUFFER
    bus.run(60)
    assert root.events() == []
    for number in range(BUFFER):
        assert leaf.recv() == b"%d" % number
    bus.run(1)
    assert root.events() == ["FD_WRITE"]
    root.send(b"more")
    bus.run(1)
    assert leaf.recv() == b"more"
    assert root.events() == []


@pytest.mark.w(95)
def test_before_the_first_acknowledgement_little_may_leave(bus: Bus) -> None:
    root, _, _ = session(bus)
    for _ in range(INITIAL_WINDOW):
        root.send()
    with fails(E.WSAEWOULDBLOCK):
        root.send()
    assert root.events() == []
    bus.run(1)
    assert root.events() == ["FD_WRITE"]


@pytest.mark.w(95)
def test_a_further_leaf_is_no_news_to_a_root_that_can_send(bus: Bus) -> None:
    """RS8: only the first member makes R sendable."""
    root, _, _ = session(bus)
    root.send()
    admit(root, leaf_actor(bus, 2))
    bus.run(1)
    assert "FD_WRITE" not in root.events()


@pytest.mark.w(95)
def test_one_slow_leaf_holds_up_all_and_nobody_gets_more_than_others(bus: Bus) -> None:
    """D35: nothing is sent to anyone."""
    root, _, (slow, quick) = session(bus, 2)
    sent = fill(bus, root)
    quick.recv_all()
    bus.run(60)
    with fails(E.WSAEWOULDBLOCK):
        root.send()
    slow.recv_all()
    bus.run(1)
    root.send(b"all")
    bus.run(1)
    assert sent == BUFFER
    assert (slow.recv_all(), quick.recv_all()) == ([b"all"], [b"all"])


@pytest.mark.w(95)
@pytest.mark.parametrize("leaves", ["closes", "aborts"])
def test_a_slow_leaf_that_goes_makes_room(bus: Bus, leaves: str) -> None:
    root, _, (slow, quick) = session(bus, 2)
    fill(bus, root)
    quick.recv_all()
    bus.run(60)
    if leaves == "aborts":
        slow.linger(0)
    slow.close()
    bus.run(1)
    assert root.events() == ["FD_WRITE"]
    root.send(b"go on")
    bus.run(1)
    assert quick.recv_all() == [b"go on"]


@pytest.mark.w(95)
def test_a_leaf_is_held_up_by_its_root_too(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    assert fill(bus, leaf) == BUFFER
    assert len(root.recv_all()) == BUFFER
    bus.run(1)
    assert "FD_WRITE" in leaf.events()


def test_a_blocking_send_waits_for_room(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    fill(bus, root)
    root.block()
    waiting = root.start_send(b"last")
    bus.run(60)
    assert root.outcome(waiting) is None
    leaf.recv_all()
    bus.run(1)
    assert root.outcome(waiting) == 4
    assert leaf.recv_all() == [b"last"]


def test_a_blocking_send_fails_when_its_membership_ends(bus: Bus) -> None:
    root, (handle,), (leaf,) = session(bus)
    fill(bus, leaf)
    leaf.block()
    waiting = leaf.start_send()
    handle.close()
    bus.run(10)
    assert leaf.outcome(waiting) is E.WSAENOTCONN
    root.close()


def test_a_receiver_that_stops_receiving_holds_up_nobody(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    fill(bus, root)
    leaf.shutdown(ShutdownHow.RECEIVE)
    bus.run(1)
    for _ in range(4 * BUFFER):
        root.send()
        bus.run(0.1)


def test_a_lost_window_update_is_made_good(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    fill(bus, root)
    bus.judge = lambda transit: transit.name != "DataAck"
    leaf.recv_all()
    bus.run(1)
    bus.judge = None
    bus.run(40)
    root.send()


def test_acknowledgements_are_few_and_stop(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    for _ in range(30):
        root.send()
    bus.run(10)
    names = [transit.name for transit in bus.trace]
    assert names.count("DataAck") == 30 // 8 + 1
    assert "Sync" not in names
    assert "Nack" not in names
    leaf.recv_all()


def test_no_more_leaves_than_the_session_allows(bus: Bus) -> None:
    """R87: MaxRate."""
    root = root_actor(bus)
    endpoint = root.provider.sockets[root.handle].endpoint
    assert endpoint is not None
    assert endpoint.session is not None
    endpoint.session.facts.description.max_rate = 50
    leaf = leaf_actor(bus, 1)
    admit(root, leaf)
    bus.trace.clear()
    for number in range(150):
        send_patiently(bus, root, b"%d" % number)
    root.close()
    times_s = [transit.time_s for transit in bus.trace if transit.name == "Data"]
    assert times_s[-1] - times_s[0] >= (len(times_s) - 32) / 50
    bus.run(10)
    assert leaf.recv_all() == [b"%d" % number for number in range(150)]
    assert leaf.events() == ["FD_READ", "FD_CLOSE"]


def test_a_session_without_a_rate_sends_one_message_per_second(bus: Bus) -> None:
    root = root_actor(bus)
    endpoint = root.provider.sockets[root.handle].endpoint
    assert endpoint is not None
    assert endpoint.session is not None
    endpoint.session.facts.description.max_rate = 0
    admit(root, leaf_actor(bus, 1))
    bus.trace.clear()
    for _ in range(40):
        send_patiently(bus, root, b"")
    sent = [transit for transit in bus.trace if transit.name == "Data"]
    assert sent[-1].time_s - sent[0].time_s >= len(sent) - 32


# Repair ---------------------------------------------------------------------------------------


@pytest.mark.w(71)
def test_the_last_message_is_missed_by_sync(bus: Bus) -> None:
    root, _, (leaf,) = session(bus)
    bus.judge = lambda transit: transit.name != "Data"
    root.send(b"tail")
    bus.run(0.1)
    bus.judge = None
    bus.run(1)
    assert leaf.recv_all() == [b"tail"]
    messages = [transit.message for transit in bus.trace]
    (sync,) = [message for message in messages if isinstance(message, Sync)]
    (nack,) = [message for message in messages if isinstance(message, Nack)]
    first, repair = [message for message in messages if isinstance(message, Data)]
    assert sync.seq == first.seq + 1
    assert nack.ranges == ((first.seq, first.seq),)
    assert (repair.attempt, repair.dflags) == (2, 1)
    assert isinstance(messages[-1], DataAck)


@pytest.mark.w(56, 71, 73)
@pytest.mark.parametrize("seed", range(8))
def test_everything_arrives_in_order_on_a_bad_path(seed: int) -> None:
    bus = Bus(seed=seed)
    root, handles, leaves = session(bus, 3)
    bus.loss, bus.duplication, bus.jitter_s = 0.2, 0.1, 0.05
    sent: list[bytes] = []
    got: list[list[bytes]] = [[] for _ in leaves]
    for number in range(200):
        sent.append(b"%d" % number)
        send_patiently(bus, root, sent[-1])
        bus.run(0.02)
        for leaf, messages in zip(leaves, got, strict=True):
            messages.extend(leaf.recv_all())
    root.close()
    bus.run(40)
    for leaf, messages in zip(leaves, got, strict=True):
        messages.extend(leaf.recv_all())
        assert messages == sent
        assert leaf.events()[-1] == "FD_CLOSE"
    for handle in handles:
        assert handle.events() == ["FD_CLOSE"]


def test_a_root_that_promises_what_it_never_sent_is_given_up(
    bus: Bus, request: pytest.FixtureRequest
) -> None:
    """11.4: it answers each NACK by SYNC, so that both would go on for ever."""
    root, (handle,), (leaf,) = session(bus)
    request.addfinalizer(restore)
    PATCHES["one-message-too-many"].apply()
    bus.loss = 1.0
    root.send(b"the only one")
    bus.run(0.1)
    bus.loss = 0.0
    bus.run(40)
    assert leaf.recv_all() == [b"the only one"]
    assert leaf.events() == ["FD_READ"]
    assert sum(one.name == "Nack" for one in bus.trace) < 100
    bus.run(20)
    assert leaf.events() == ["FD_CLOSE WSAECONNABORTED"]
    assert handle.events() == ["FD_CLOSE WSAECONNRESET"]
    before = len(bus.trace)
    bus.run(600)
    assert len(bus.trace) == before


@pytest.mark.w(57, 71)
@pytest.mark.parametrize("seed", range(8))
def test_crossing_closes_lose_nothing(seed: int) -> None:
    """K3: both ends close at once with data on the way in both directions."""
    bus = Bus(seed=seed)
    root, (handle,), (leaf,) = session(bus)
    bus.loss = 0.2
    for number in range(10):
        root.send(b"r%d" % number)
        leaf.send(b"l%d" % number)
    handle.shutdown(ShutdownHow.SEND)
    leaf.shutdown(ShutdownHow.SEND)
    bus.run(60)
    assert leaf.recv_all() == [b"r%d" % number for number in range(10)]
    assert root.recv_all() == [b"l%d" % number for number in range(10)]
    assert leaf.events()[-1] == "FD_CLOSE"
    assert handle.events()[-1] == "FD_CLOSE"


@pytest.mark.w(71)
def test_sequence_numbers_wrap(bus: Bus) -> None:
    root = root_actor(bus)
    endpoint = root.provider.sockets[root.handle].endpoint
    assert endpoint is not None
    assert endpoint.session is not None
    endpoint.session.facts.next_data_seq = 2**32 - 5
    leaf = leaf_actor(bus, 1)
    admit(root, leaf)
    bus.loss = 0.3
    for number in range(10):
        root.send(b"%d" % number)
    root.close()
    bus.run(40)
    assert leaf.recv_all() == [b"%d" % number for number in range(10)]
