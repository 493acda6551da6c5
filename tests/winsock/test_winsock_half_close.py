"""Half close: WSPShutdown(SD_SEND) where both ends have it (W77-W80, D40, D41)."""

import pytest

from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    ROOT_HOST,
    Actor,
    admit,
    drain_events,
    fails,
)
from mpwire.testing.bus import Bus, Transit
from mpwire.vocabulary import ShutdownHow, WsaError
from mpwire.winsock.protocols import Protocol
from mpwire.wire.messages import Close
from mpwire.wire.registries import CloseFlag, CloseReason

E = WsaError
SEND, RECEIVE, BOTH = ShutdownHow.SEND, ShutdownHow.RECEIVE, ShutdownHow.BOTH
CLOSED = ["FD_CLOSE"]
ABORTED = ["FD_CLOSE WSAECONNABORTED"]


class Dialogue:
    """A root with some leaves, of a protocol with half close."""

    def __init__(self, bus: Bus, count: int = 2) -> None:
        """Bring them together."""
        provider = bus.provider(ROOT_HOST)
        handle = provider.socket(C_ROOT, protocol=Protocol.MPW_DIALOGUE)
        self.root = Actor(bus, provider, handle).bind().listen().select()
        self.ends, self.handles = [], []
        for number in range(1, count + 1):
            host = bus.provider(f"10.0.1.{number}")
            leaf = Actor(bus, host, host.socket(C_LEAF, protocol=Protocol.MPW_DIALOGUE)).select()
            self.ends.append(leaf)
            self.handles.append(admit(self.root, leaf))
        drain_events(self.root, *self.ends, *self.handles)

    def events(self) -> dict[str, list[str]]:
        """Return the unread events of every open socket that has some."""
        named = {"R": self.root}
        named |= {f"P{number}": one for number, one in enumerate(self.handles, 1)}
        named |= {f"L{number}": one for number, one in enumerate(self.ends, 1)}
        happened = {
            name: one.events() for name, one in named.items() if one.handle in one.provider.sockets
        }
        return {name: events for name, events in happened.items() if events}


@pytest.fixture
def dialogue(bus: Bus) -> Dialogue:
    """Give a root with two leaves."""
    return Dialogue(bus)


def closes(bus: Bus) -> list[tuple[int, int]]:
    """Return reason and flags of every CLOSE."""
    return [(t.message.reason, t.message.cflags) for t in bus.trace if isinstance(t.message, Close)]


@pytest.mark.w(77, 78, 80)
def test_a_leaf_that_shuts_down_still_receives(bus: Bus, dialogue: Dialogue) -> None:
    leaf, root = dialogue.ends[0], dialogue.root
    leaf.send(b"question")
    leaf.shutdown(SEND)
    bus.run(0.5)
    assert closes(bus) == [(CloseReason.LEAVE, CloseFlag.HALF)]
    assert dialogue.events() == {"R": ["FD_READ"], "P1": CLOSED}
    with fails(E.WSAESHUTDOWN):
        leaf.send()
    assert root.recv() == b"question"
    for count in (1, 2, 3):
        root.send(b"reply %d" % count)
        bus.run(0.5)
        assert leaf.recv() == b"reply %d" % count
    bus.run(100)
    assert dialogue.events() == {"L1": ["FD_READ"], "L2": ["FD_READ"]}
    dialogue.handles[0].close()
    bus.run(1)
    assert dialogue.events() == {"L1": CLOSED}
    with fails(E.WSAEDISCON):
        leaf.recv()


@pytest.mark.w(69, 75, 77, 80)
def test_leaves_reply_after_the_root_has_shut_down(bus: Bus, dialogue: Dialogue) -> None:
    root = dialogue.root
    root.send(b"last")
    root.shutdown(SEND)
    bus.run(0.5)
    assert set(closes(bus)) == {(CloseReason.DISMANTLE, CloseFlag.DISMANTLE | CloseFlag.HALF)}
    assert dialogue.events() == {"L1": ["FD_READ"], "L2": ["FD_READ"]}
    for leaf in dialogue.ends:
        assert leaf.recv() == b"last"
        assert leaf.events() == CLOSED
        with fails(E.WSAEDISCON):
            leaf.recv()
        leaf.send(b"reply")
        leaf.send(b"more")
    bus.run(0.5)
    assert root.recv_all() == [b"reply", b"more"] * 2
    assert dialogue.events() == {"R": ["FD_READ"]}
    dialogue.ends[0].close()
    bus.run(0.5)
    assert dialogue.events() == {"P1": CLOSED}
    dialogue.ends[1].shutdown(SEND)
    bus.run(0.5)
    assert dialogue.events() == {"P2": CLOSED, "R": CLOSED}
    bus.run(100)
    assert dialogue.events() == {}


@pytest.mark.w(67, 80)
def test_a_handle_that_shuts_down_ends_one_direction_of_its_leaf(
    bus: Bus, dialogue: Dialogue
) -> None:
    """D40."""
    root, (first, second) = dialogue.root, dialogue.ends
    dialogue.handles[0].shutdown(SEND)
    bus.run(0.5)
    assert dialogue.events() == {"L1": CLOSED}
    root.send(b"for the others")
    first.send(b"reply")
    bus.run(0.5)
    assert root.recv() == b"reply"
    assert second.recv() == b"for the others"
    assert dialogue.events() == {"R": ["FD_READ"], "L2": ["FD_READ"]}
    first.close()
    bus.run(0.5)
    assert dialogue.events() == {"P1": CLOSED}


@pytest.mark.w(70, 80)
def test_nobody_joins_a_session_whose_root_has_shut_down(bus: Bus, dialogue: Dialogue) -> None:
    dialogue.root.shutdown(SEND)
    host = bus.provider("10.0.1.9")
    late = Actor(bus, host, host.socket(C_LEAF, protocol=Protocol.MPW_DIALOGUE)).select()
    late.join(dialogue.root)
    bus.run(0.5)
    assert late.events() == ["FD_CONNECT WSAECONNREFUSED"]


@pytest.mark.w(77, 78, 80)
@pytest.mark.parametrize("end", ["both", "close", "linger"])
def test_the_rest_is_closed_later(bus: Bus, dialogue: Dialogue, end: str) -> None:
    leaf = dialogue.ends[0]
    leaf.shutdown(SEND)
    bus.run(0.5)
    assert dialogue.events() == {"P1": CLOSED}
    if end == "both":
        leaf.shutdown(BOTH)
    else:
        leaf.linger(0 if end == "linger" else None).close()
    bus.run(0.5)
    assert dialogue.events() == ({"L1": CLOSED} if end == "both" else {})
    if end != "linger":
        assert closes(bus)[-1] == (CloseReason.LEAVE, 0)
    dialogue.root.send()
    bus.run(0.5)
    assert dialogue.events() == {"L2": ["FD_READ"]}


@pytest.mark.w(77, 78)
@pytest.mark.parametrize("drop", [(), ("Close",), ("CloseAck",), ("Close", "CloseAck")])
def test_crossing_half_closes_end_the_membership_once(
    bus: Bus, dialogue: Dialogue, drop: tuple[str, ...]
) -> None:
    """The first copy of each is lost, too."""
    seen: set[tuple[str, object]] = set()

    def judge(transit: Transit) -> bool:
        key = (transit.name, transit.source)
        first = key not in seen
        seen.add(key)
        return not (first and transit.name in drop)

    bus.judge = judge
    dialogue.root.shutdown(SEND)
    for leaf in dialogue.ends:
        leaf.shutdown(SEND)
    bus.run(30)
    assert dialogue.events() == dict.fromkeys(("R", "P1", "P2", "L1", "L2"), CLOSED)
    assert "Abort" not in bus.names()
    for one in (dialogue.root, *dialogue.handles, *dialogue.ends):
        one.close()
    bus.run(100)
    assert dialogue.root.provider.endpoints == {}


@pytest.mark.w(71, 73, 80)
@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_either_way_on_a_lossy_path(seed: int) -> None:
    bus = Bus(seed=seed)
    dialogue = Dialogue(bus)
    bus.loss, bus.duplication = 0.25, 0.1
    root, leaf = dialogue.root, dialogue.ends[0]
    asked = [b"q%d" % number for number in range(20)]
    replied = [b"r%d" % number for number in range(20)]
    for one in asked:
        leaf.send(one)
    for one in replied[:10]:
        root.send(one)
    leaf.shutdown(SEND)
    for one in replied[10:]:
        root.send(one)
    bus.run(30)
    assert root.recv_all() == asked
    assert dialogue.handles[0].events() == CLOSED
    root.shutdown(SEND)
    bus.run(30)
    assert leaf.recv_all() == replied
    assert leaf.events()[-1:] == CLOSED


@pytest.mark.w(72, 77, 80)
def test_death_after_a_half_close(bus: Bus, dialogue: Dialogue) -> None:
    leaf = dialogue.ends[0]
    address = leaf.address
    leaf.shutdown(SEND)
    bus.run(1)
    assert dialogue.events() == {"P1": CLOSED}
    bus.judge = lambda transit: address not in {transit.source, transit.destination}
    bus.run(60)
    assert dialogue.events() == {"L1": ABORTED}
    with fails(E.WSAECONNABORTED):
        leaf.recv()


@pytest.mark.w(72, 80)
def test_a_half_close_that_nobody_acknowledges_fails(bus: Bus, dialogue: Dialogue) -> None:
    dialogue.ends[0].shutdown(SEND)
    bus.judge = lambda transit: transit.name != "CloseAck"
    bus.run(40)
    assert dialogue.events() == {"L1": ABORTED, "P1": CLOSED}
    with fails(E.WSAECONNABORTED):
        dialogue.ends[0].recv()


@pytest.mark.w(82, 77, 80)
def test_an_abort_after_a_half_close_resets(bus: Bus, dialogue: Dialogue) -> None:
    dialogue.root.send(b"unread")
    dialogue.root.shutdown(SEND)
    bus.run(0.5)
    dialogue.root.linger().close()
    bus.run(0.5)
    for leaf in dialogue.ends:
        assert leaf.events() == ["FD_READ", "FD_CLOSE WSAECONNRESET"]
        assert leaf.recv() == b"unread"
        assert leaf.events() == []
        with fails(E.WSAECONNRESET):
            leaf.send()


@pytest.mark.w(80)
def test_a_half_close_before_the_leaf_has_confirmed(bus: Bus) -> None:
    dialogue = Dialogue(bus, 0)
    host = bus.provider("10.0.1.1")
    leaf = Actor(bus, host, host.socket(C_LEAF, protocol=Protocol.MPW_DIALOGUE)).select()
    leaf.join(dialogue.root)
    bus.run(0.1)
    handle = dialogue.root.accept()
    handle.shutdown(SEND)
    bus.run(0.5)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE", "FD_CLOSE"]
    leaf.send(b"reply")
    bus.run(0.5)
    assert dialogue.root.recv() == b"reply"
    leaf.close()
    bus.run(0.5)
    assert handle.events() == CLOSED


@pytest.mark.w(80, 95)
def test_a_slow_leaf_that_is_shut_down_blocks_nobody(bus: Bus, dialogue: Dialogue) -> None:
    root = dialogue.root
    bus.judge = lambda transit: transit.name != "DataAck"
    with fails(E.WSAEWOULDBLOCK):
        for _ in range(1000):
            root.send()
            bus.run(0.01)
    bus.judge = None
    for handle in dialogue.handles:
        handle.shutdown(SEND)
    bus.run(5)
    assert "FD_WRITE" in root.events()


@pytest.mark.w(61, 79, 80)
def test_private_data_goes_first_and_nothing_follows(bus: Bus, dialogue: Dialogue) -> None:
    handle, leaf = dialogue.handles[0], dialogue.ends[0]
    for count in range(5):
        handle.send(b"%d" % count)
    dialogue.root.shutdown(SEND)
    bus.run(2)
    with fails(E.WSAESHUTDOWN):
        handle.send(b"late")
    assert [leaf.recv() for _ in range(5)] == [b"%d" % count for count in range(5)]
    assert leaf.events()[-1] == "FD_CLOSE"


@pytest.mark.w(80)
def test_without_the_capability_a_shutdown_ends_both_directions(bus: Bus) -> None:
    dialogue = Dialogue(bus, 0)
    host = bus.provider("10.0.1.1")
    leaf = Actor(bus, host, host.socket(C_LEAF)).select()
    handle = admit(dialogue.root, leaf)
    leaf.shutdown(SEND)
    bus.run(0.5)
    assert closes(bus) == [(CloseReason.LEAVE, 0)]
    assert (leaf.events(), handle.events()) == (CLOSED, CLOSED)


@pytest.mark.w(80)
def test_who_has_closed_hears_no_more_of_a_peer_that_finishes(bus: Bus, dialogue: Dialogue) -> None:
    """The handle is gone while its private data still goes out; the leaf shuts down meanwhile."""
    handle, leaf = dialogue.handles[0], dialogue.ends[0]
    for count in range(5):
        handle.send(b"%d" % count)
    handle.close()
    leaf.shutdown(SEND)
    bus.run(5)
    assert [leaf.recv() for _ in range(5)] == [b"%d" % count for count in range(5)]
    assert dialogue.events() == {"L1": ["FD_READ", "FD_CLOSE"]}
