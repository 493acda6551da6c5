"""What the root passes on arrives once, in order and in time, whoever is slow, late or gone."""

import contextlib
from collections.abc import Callable

import pytest

from mpwire.core.inflow import BUFFER
from mpwire.testing.actor import C_LEAF, ROOT_HOST, Actor, admit, drain_events
from mpwire.testing.bus import Bus, Transit
from mpwire.vocabulary import SocketFlag, WsaError
from mpwire.winsock import SocketError
from mpwire.winsock.protocols import Protocol

E = WsaError
CONFERENCE = Protocol.MPW_CONFERENCE


def without_data_to(host: str) -> Callable[[Transit], bool]:
    """Return a judge that loses all data for a host."""
    return lambda transit: not (transit.name == "Data" and transit.destination[0] == host)


def open_root(bus: Bus) -> Actor:
    """Open the root of a conference; it does not hear itself."""
    provider = bus.provider(ROOT_HOST)
    handle = provider.socket(SocketFlag.C_ROOT | SocketFlag.D_LEAF, protocol=CONFERENCE)
    return silence(Actor(bus, provider, handle).bind().listen().select())


def silence(actor: Actor) -> Actor:
    """Let a socket not hear itself (SIO_MULTIPOINT_LOOPBACK)."""
    actor.provider.sockets[actor.handle].options.loopback = False
    return actor


def conference(bus: Bus, count: int) -> tuple[Actor, list[Actor], list[Actor]]:
    """Bring a root and leaves together; return R, every P and every L, no event unread."""
    root = open_root(bus)
    leaves, handles = [], []
    for number in range(1, count + 1):
        leaves.append(newcomer(bus, number))
        handles.append(admit(root, leaves[-1]))
    drain_events(root, *leaves, *handles)
    return root, handles, leaves


def newcomer(bus: Bus, number: int) -> Actor:
    """Open a leaf that is about to join a conference."""
    provider = bus.provider(f"10.0.1.{number}")
    return silence(Actor(bus, provider, provider.socket(C_LEAF, protocol=CONFERENCE)).select())


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


@pytest.mark.w(59, 71, 73)
@pytest.mark.parametrize("seed", range(6))
def test_everybody_hears_everybody_on_a_bad_path(seed: int) -> None:
    bus = Bus(seed=seed)
    root, handles, leaves = conference(bus, 3)
    everybody = [root, *leaves]
    bus.loss, bus.duplication, bus.jitter_s = 0.15, 0.1, 0.05
    for number in range(30):
        for who, sender in enumerate(everybody):
            send_patiently(bus, sender, b"%d:%d" % (who, number))
        bus.run(0.05)
    bus.run(30)
    root.close()
    bus.run(60)
    for who, reader in enumerate(leaves, 1):
        heard = reader.recv_all()
        for other in {0, 1, 2, 3} - {who}:
            said = [b"%d:%d" % (other, number) for number in range(30)]
            assert [one for one in heard if one.startswith(b"%d:" % other)] == said
        assert len(heard) == 90
        assert reader.events()[-1] == "FD_CLOSE"
    for handle in handles:
        assert handle.events() == ["FD_CLOSE"]


@pytest.mark.w(59, 71)
def test_what_is_being_passed_on_arrives_before_the_session_ends(bus: Bus) -> None:
    root, _, (one, other) = conference(bus, 2)
    bus.judge = lambda transit: (
        not (transit.name == "Data" and transit.destination[0] == "10.0.1.2")
    )
    one.send(b"last words")
    bus.run(0.01)
    root.close()
    bus.run(0.5)
    assert other.events() == []
    bus.judge = None
    bus.run(10)
    assert other.recv_all() == [b"last words"]
    assert other.events()[-1] == "FD_CLOSE"


@pytest.mark.w(59, 95)
def test_the_slowest_listener_holds_up_the_speaker_until_it_reads(bus: Bus) -> None:
    root, _, (speaker, slow) = conference(bus, 2)
    count = speak(bus, root, speaker)
    assert BUFFER <= count <= 3 * BUFFER
    assert speaker.events() == []
    heard = slow.recv_all()
    bus.run(2)
    heard += slow.recv_all()
    bus.run(60)
    assert speaker.events() == ["FD_WRITE"]
    assert (heard + slow.recv_all()) == [b"%d" % number for number in range(count)]


def speak(bus: Bus, root: Actor, speaker: Actor) -> int:
    """Send until there is no room, while the root reads all; return how many messages left."""
    counts = [0]
    while len(counts) < 2 or counts[-1] > counts[-2]:
        counts.append(counts[-1])
        try:
            for _ in range(4 * BUFFER):
                speaker.send(b"%d" % counts[-1])
                counts[-1] += 1
        except SocketError as error:
            assert error.code is E.WSAEWOULDBLOCK  # noqa: PT017 - what else it may raise is a bug
        bus.run(2)
        root.recv_all()
        bus.run(2)
    drain_events(speaker, root)
    return counts[-1]


@pytest.mark.w(59, 95)
@pytest.mark.parametrize("how", ["closes", "aborts"])
def test_a_listener_that_goes_holds_up_nobody(bus: Bus, how: str) -> None:
    root, _, (speaker, slow) = conference(bus, 2)
    speak(bus, root, speaker)
    if how == "aborts":
        slow.linger(0)
    slow.close()
    bus.run(30)
    assert speaker.events() == ["FD_WRITE"]
    speaker.send(b"at last")
    bus.run(1)
    assert root.recv_all()[-1] == b"at last"


@pytest.mark.w(56, 59)
def test_who_joins_late_is_passed_on_nothing_older(bus: Bus) -> None:
    root, _, (speaker,) = conference(bus, 1)
    speaker.send(b"early")
    bus.run(1)
    late = newcomer(bus, 7)
    admit(root, late)
    speaker.send(b"late")
    bus.run(1)
    assert late.recv_all() == [b"late"]


@pytest.mark.w(59, 66)
def test_the_words_of_one_who_has_left_are_still_repaired(bus: Bus) -> None:
    root, _, (speaker, listener) = conference(bus, 2)
    bus.judge = lambda transit: (
        not (transit.name == "Data" and transit.destination[0] == "10.0.1.2")
    )
    speaker.send(b"good bye")
    bus.run(0.01)
    speaker.close()
    bus.run(0.1)
    bus.judge = None
    bus.run(5)
    assert listener.recv_all() == [b"good bye"]
    assert root.recv_all() == [b"good bye"]


@pytest.mark.w(59, 71)
def test_one_who_talks_all_the_time_keeps_nobody_else_from_being_repaired(bus: Bus) -> None:
    """T_NACK, T_ACK and T_SYNC of one origin are not put off by what another one sends."""
    _, _, (talker, quiet, listener) = conference(bus, 3)
    quiet.send(b"first")
    bus.run(1)
    bus.judge = without_data_to("10.0.1.3")
    quiet.send(b"lost")
    bus.run(0.003)
    bus.judge = None
    quiet.send(b"kept")
    for _ in range(40):
        talker.send(b"bla")
        bus.run(0.012)
    heard = [one for one in listener.recv_all() if one != b"bla"]
    assert heard == [b"first", b"lost", b"kept"]


@pytest.mark.w(67, 95)
def test_a_listener_that_is_expelled_holds_up_nobody(bus: Bus) -> None:
    """D35: it is no receiver from the moment its P is closed, though it may never answer."""
    root, handles, (slow, _) = conference(bus, 2)
    with contextlib.suppress(SocketError):
        for _ in range(2 * BUFFER):
            root.send(b"x")
    bus.judge = lambda transit: transit.source[0] != slow.address[0]
    handles[0].close()
    handles[1].events()
    bus.run(1)
    assert "FD_WRITE" in root.events()
    root.send(b"go on")


def test_nobody_remembers_who_has_come_and_gone(bus: Bus) -> None:
    """Otherwise every leaf that once spoke would be remembered for each that is still there."""
    root, _, (listener,) = conference(bus, 1)
    for number in range(2, 12):
        guest = newcomer(bus, number)
        handle = admit(root, guest)
        guest.send(b"hello")
        bus.run(1)
        guest.close()
        bus.run(1)
        handle.close()
        assert listener.recv_all() == [b"hello"]
        assert root.recv_all() == [b"hello"]
        assert listener.recv_all() == []
    (at_root,) = (
        one for one in root.provider.endpoints[root.address].by_tag.values() if one.is_live
    )
    (at_leaf,) = listener.provider.endpoints[listener.address].by_tag.values()
    assert at_root.relayed_out == {}
    assert at_leaf.relayed_in == {}
    bus.run(60)
    guest = newcomer(bus, 12)
    admit(root, guest)
    guest.send(b"hello")
    bus.run(1)
    assert at_leaf.departed == {}
    assert len(at_leaf.relayed_in) == 1
