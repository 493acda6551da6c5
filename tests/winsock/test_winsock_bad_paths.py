"""Everything queued before a graceful close is delivered before FD_CLOSE, on lossy paths too (W71).

Each case goes through its seeds on the virtual clock; what fails names its seed.
"""

import pytest

from mpwire.core.inflow import BUFFER
from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    ROOT_HOST,
    Actor,
    admit,
    drain_events,
    leaf_actor,
    root_actor,
)
from mpwire.testing.bus import Bus, Transit
from mpwire.vocabulary import ShutdownHow, SocketFlag
from mpwire.winsock import SocketError
from mpwire.winsock.base import Blocked
from mpwire.winsock.protocols import Protocol

SEND = ShutdownHow.SEND
LOSSES = (0.10, 0.25, 0.30, 0.40)
SEEDS = range(3)
DATA_PLANE = {"Data", "DataAck", "Nack", "Sync"}
"""What is lost; that whole sessions are, or the copies of one request, is another matter."""
CLOSED = ["FD_CLOSE"]
ABORTED = ["FD_CLOSE WSAECONNABORTED"]
RESET = ["FD_CLOSE WSAECONNRESET"]


def party(bus: Bus, protocol: Protocol = Protocol.MPW_ROOTED) -> tuple[Actor, Actor, Actor]:
    """Return R, P and L of a session of two, their events read."""
    provider, host = bus.provider(ROOT_HOST), bus.provider("10.0.1.1")
    root = Actor(bus, provider, provider.socket(C_ROOT, protocol=protocol)).bind().listen().select()
    leaf = Actor(bus, host, host.socket(C_LEAF, protocol=protocol)).select()
    handle = admit(root, leaf)
    drain_events(root, handle, leaf)
    return root, handle, leaf


def lose(bus: Bus, loss: float) -> None:
    """Lose a share of the data plane, repairs and what asks for them included."""
    random = bus.random

    def judge(transit: Transit) -> bool:
        return transit.name not in DATA_PLANE or random.random() >= loss

    bus.judge = judge


def closes(*actors: Actor) -> list[list[str]]:
    """Return the FD_CLOSE of each socket."""
    return [[name for name in one.events() if name.startswith("FD_CLOSE")] for one in actors]


def send_some(sender: Actor, sent: list[bytes], limit: int) -> None:
    """Send until there is no room, or so many have been sent altogether."""
    try:
        while len(sent) < limit:
            sender.send(b"%d" % len(sent))
            sent.append(b"%d" % len(sent))
    except SocketError:
        pass


def talk(bus: Bus, sender: Actor, receiver: Actor, case: str) -> tuple[list[bytes], list[bytes]]:
    """Send as the case says; return what was sent, and what has been read of it."""
    sent: list[bytes] = []
    got: list[bytes] = []
    if case == "few":
        send_some(sender, sent, 20)
        return sent, got
    for _ in range(240):
        send_some(sender, sent, BUFFER if case == "full window" else 5000)
        bus.run(0.05)
        got += receiver.recv_all() if case == "held back" else []
    return sent, got


def read_until_quiet(bus: Bus, receiver: Actor, got: list[bytes]) -> None:
    """Go on reading for as long as anything can still come."""
    for _ in range(90):
        bus.run(2)
        got += receiver.recv_all()


@pytest.mark.w(71, 73)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("closer", ["sender", "receiver"])
@pytest.mark.parametrize("case", ["few", "full window", "held back"])
@pytest.mark.parametrize("who", ["root", "leaf"])
def test_nothing_is_lost_before_a_graceful_close(
    who: str, case: str, closer: str, loss: float
) -> None:
    for seed in SEEDS:
        bus = Bus(seed=seed, traced=False)
        root, handle, leaf = party(bus)
        lose(bus, loss)
        sender, receiver = (root, leaf) if who == "root" else (leaf, root)
        sent, got = talk(bus, sender, receiver, case)
        if closer == "sender":
            sender.shutdown(SEND)
        else:
            (leaf if who == "root" else handle).shutdown(SEND)
        read_until_quiet(bus, receiver, got)
        assert got == sent, seed
        assert closes(leaf, handle) == [CLOSED, CLOSED], seed


@pytest.mark.w(71, 78)
@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_is_lost_before_half_a_close(loss: float) -> None:
    for seed in SEEDS:
        bus = Bus(seed=seed, traced=False)
        root, handle, leaf = party(bus, Protocol.MPW_DIALOGUE)
        lose(bus, loss)
        sent, got = talk(bus, leaf, root, "held back")
        leaf.shutdown(SEND)
        back: list[bytes] = []
        send_some(root, back, 20)
        read_until_quiet(bus, root, got)
        assert got == sent, seed
        assert closes(leaf, handle) == [[], CLOSED], seed
        root.shutdown(SEND)
        received: list[bytes] = []
        read_until_quiet(bus, leaf, received)
        assert received == back, seed
        assert closes(leaf) == [CLOSED], seed


@pytest.mark.w(71)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_dismantling_leaves_no_leaf_behind(loss: float) -> None:
    bus = Bus(seed=5, traced=False)
    root = root_actor(bus)
    leaves = [leaf_actor(bus, number) for number in range(1, 7)]
    handles = [admit(root, leaf) for leaf in leaves]
    drain_events(root, *leaves, *handles)
    lose(bus, loss)
    sent: list[bytes] = []
    got: list[list[bytes]] = [[] for _ in leaves]
    for _ in range(300):
        send_some(root, sent, 200)
        bus.run(0.05)
        for leaf, messages in zip(leaves, got, strict=True):
            messages.extend(leaf.recv_all())
    root.shutdown(SEND)
    for leaf, messages in zip(leaves, got, strict=True):
        read_until_quiet(bus, leaf, messages)
    assert got == [sent] * len(leaves)
    assert closes(*leaves, *handles) == [CLOSED] * (2 * len(leaves))


def conference(bus: Bus) -> tuple[Actor, list[Actor]]:
    """Return the root of a conference, and three leaves; nobody hears itself."""
    protocol = Protocol.MPW_CONFERENCE
    provider = bus.provider(ROOT_HOST)
    handle = provider.socket(SocketFlag.C_ROOT | SocketFlag.D_LEAF, protocol=protocol)
    root = Actor(bus, provider, handle).bind().listen().select()
    leaves = []
    for number in (1, 2, 3):
        host = bus.provider(f"10.0.1.{number}")
        leaves.append(Actor(bus, host, host.socket(C_LEAF, protocol=protocol)).select())
        host.sockets[leaves[-1].handle].options.loopback = False
        drain_events(root, admit(root, leaves[-1]), *leaves)
    return root, leaves


@pytest.mark.w(58, 71)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_root_relays_arrives_before_it_closes(loss: float) -> None:
    for seed in SEEDS:
        bus = Bus(seed=seed, traced=False)
        root, (sender, reader, other) = conference(bus)
        lose(bus, loss)
        sent, got = talk(bus, sender, reader, "full window")
        root.shutdown(SEND)
        read_until_quiet(bus, reader, got)
        assert got == other.recv_all() == root.recv_all(), seed
        assert got == sent[: len(got)], seed
        assert closes(sender, reader, other) == [CLOSED] * 3, seed


@pytest.mark.w(71)
@pytest.mark.parametrize("loss", LOSSES)
def test_private_messages_and_group_data_arrive_before_the_end(loss: float) -> None:
    for seed in SEEDS:
        bus = Bus(seed=seed, traced=False)
        root, handle, leaf = party(bus, Protocol.MPW_DIALOGUE)
        lose(bus, loss)
        sent, got = talk(bus, root, leaf, "held back")
        handle.send(b"in private")
        root.shutdown(SEND)
        read_until_quiet(bus, leaf, got)
        assert sorted(got) == sorted([*sent, b"in private"]), seed
        assert closes(leaf) == [CLOSED], seed


# The four ways to linger ----------------------------------------------------------------------


def held_back(bus: Bus) -> tuple[Actor, Actor, list[bytes], list[bytes]]:
    """Return L and R, while some of what L has sent waits for its time."""
    root, handle, leaf = party(bus)
    lose(bus, 0.3)
    sent, got = talk(bus, leaf, root, "held back")
    membership = leaf.provider.sockets[leaf.handle].membership
    assert membership is not None
    assert membership.outflow.unsent
    drain_events(root, handle, leaf)
    return root, leaf, sent, got


@pytest.mark.w(81)
def test_closing_in_the_background_delivers_everything(bus: Bus) -> None:
    root, leaf, sent, got = held_back(bus)
    leaf.linger(None).close()
    read_until_quiet(bus, root, got)
    assert got == sent


@pytest.mark.w(81, 82)
def test_closing_at_once_delivers_nothing_more(bus: Bus) -> None:
    root, leaf, sent, got = held_back(bus)
    leaf.linger(0).close()
    read_until_quiet(bus, root, got)
    assert len(got) < len(sent)


@pytest.mark.w(81)
@pytest.mark.parametrize(("linger_s", "whole"), [(170, True), (1, False)])
def test_closing_with_a_time_waits_for_what_is_held_back(
    bus: Bus, linger_s: int, *, whole: bool
) -> None:
    root, leaf, sent, got = held_back(bus)
    leaf.block().linger(linger_s)
    waiting = leaf.provider.close(leaf.handle, bus.now_s)
    assert isinstance(waiting, Blocked)
    assert leaf.outcome(waiting) is None
    read_until_quiet(bus, root, got)
    assert leaf.outcome(waiting) == 0
    assert (got == sent) is whole


# Nothing at all ------------------------------------------------------------------------------


@pytest.mark.w(72, 81)
@pytest.mark.parametrize("case", ["few", "full window", "held back"])
@pytest.mark.parametrize("closer", ["sender", "receiver"])
def test_a_path_that_lets_nothing_pass_ends_it_in_bounded_time(case: str, closer: str) -> None:
    bus = Bus(seed=3)
    root, handle, leaf = party(bus)
    lose(bus, 0.3)
    talk(bus, root, leaf, case)
    bus.judge = lambda _: False
    (root if closer == "sender" else leaf).shutdown(SEND)
    bus.run(130)
    assert closes(leaf, handle) == [ABORTED, ABORTED]
    assert bus.next_s() is None


@pytest.mark.w(71, 72)
@pytest.mark.parametrize("size", ["all", "data"])
def test_data_that_never_passes_ends_it_in_bounded_time(bus: Bus, size: str) -> None:
    """Whatever is said of it: repairs are asked for, sent and lost."""
    root, handle, leaf = party(bus)
    names = {"Data"} if size == "data" else {"Data", "Nack", "Sync"}
    bus.judge = lambda transit: transit.name not in names
    send_some(root, [], 5)
    root.shutdown(SEND)
    bus.run(100)
    assert closes(leaf) == [ABORTED]
    assert closes(handle) == [ABORTED]
    bus.run(200)
    assert bus.next_s() is None


def test_a_receiver_of_relayed_data_that_does_not_read_is_not_told_that_it_has_all() -> None:
    """It ends with a reset instead of FD_CLOSE(0); the others end gracefully."""
    bus = Bus(seed=1)
    root, (sender, reader, idler) = conference(bus)
    sent: list[bytes] = []
    for _ in range(30):
        send_some(sender, sent, 1000)
        bus.run(1)
        reader.recv_all()
        root.recv_all()
    assert len(sent) > BUFFER
    root.shutdown(SEND)
    bus.run(60)
    reader.recv_all()
    idler.recv_all()
    assert closes(reader, idler) == [CLOSED, RESET]
