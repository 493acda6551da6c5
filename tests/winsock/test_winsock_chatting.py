"""Side chat as sockets see it: between P and its leaf, for nobody else (W60, W61, D36)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from mpwire.core.sidechat import QUEUE, UNREAD
from mpwire.testing.actor import (
    BACKLOG,
    C_LEAF,
    C_ROOT,
    ROOT_HOST,
    Actor,
    admit,
    drain_events,
    fails,
    invite,
    leaf_actor,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, ShutdownHow, WsaError
from mpwire.winsock import Blocked, Message
from mpwire.winsock.base import Ready
from mpwire.winsock.protocols import Protocol
from mpwire.wire.messages import Close, Side

E = WsaError
DIALOGUE = Protocol.MPW_DIALOGUE


def dialogue_root(bus: Bus) -> Actor:
    """Open a root whose session has side chat."""
    provider = bus.provider(ROOT_HOST)
    root = Actor(bus, provider, provider.socket(C_ROOT, protocol=DIALOGUE))
    return root.bind().listen(BACKLOG).select()


def dialogue_leaf(bus: Bus, number: int) -> Actor:
    """Open a leaf that can do side chat."""
    provider = bus.provider(f"10.0.1.{number}")
    return Actor(bus, provider, provider.socket(C_LEAF, protocol=DIALOGUE)).select()


def send_privately(actor: Actor, payload: bytes) -> int | Blocked:
    """Send one private message."""
    return actor.provider.send(actor.handle, payload, actor.bus.now_s, private=True)


def message(actor: Actor) -> tuple[bytes, bool]:
    """Receive a message that waits; return it, and whether it is private."""
    found = actor.provider.recv_message(actor.handle, actor.bus.now_s)
    assert isinstance(found, Message)
    return found.payload, found.private


@dataclass
class Talk:
    """A root, two leaves that asked and one that was invited; every event has been read."""

    bus: Bus
    root: Actor = field(init=False)
    handles: list[Actor] = field(init=False)
    ends: list[Actor] = field(init=False)

    def __post_init__(self) -> None:
        """Bring them together."""
        self.root = dialogue_root(self.bus)
        self.ends = [dialogue_leaf(self.bus, 1), dialogue_leaf(self.bus, 2)]
        self.handles = [admit(self.root, end) for end in self.ends]
        waiting = dialogue_leaf(self.bus, 3).bind().listen()
        handle, invited = invite(self.root, waiting)
        self.handles.append(handle)
        self.ends.append(invited)

    def everybody(self) -> Iterator[Actor]:
        """Give every socket."""
        yield from (self.root, *self.handles, *self.ends)

    def quiet_but(self, *others: Actor) -> None:
        """Check that nobody else has an event."""
        for actor in self.everybody():
            assert actor in others or actor.events() == []


@pytest.fixture
def talk(bus: Bus) -> Talk:
    """Give a session with side chat."""
    return Talk(bus)


# Who gets what --------------------------------------------------------------------------------


@pytest.mark.w(61)
@pytest.mark.parametrize("number", range(3))
def test_what_is_sent_on_p_reaches_its_leaf_and_nobody_else(talk: Talk, number: int) -> None:
    talk.handles[number].send(b"psst")
    talk.bus.run(1)
    assert talk.ends[number].events() == ["FD_READ"]
    talk.quiet_but(talk.ends[number])
    assert message(talk.ends[number]) == (b"psst", True)
    for actor in (*talk.ends, talk.root, *talk.handles):
        with fails(E.WSAEWOULDBLOCK):
            actor.recv()


@pytest.mark.w(60, 61)
@pytest.mark.parametrize("number", range(3))
def test_what_a_leaf_sends_in_private_reaches_its_p_and_not_r(talk: Talk, number: int) -> None:
    send_privately(talk.ends[number], b"psst")
    talk.bus.run(1)
    assert talk.handles[number].events() == ["FD_READ"]
    talk.quiet_but(talk.handles[number])
    assert talk.handles[number].recv() == b"psst"
    with fails(E.WSAEWOULDBLOCK):
        talk.root.recv()


@pytest.mark.w(60, 61)
def test_group_data_and_private_data_are_told_apart(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    talk.root.send(b"all")
    handle.send(b"you")
    leaf.send(b"group")
    send_privately(leaf, b"me")
    talk.bus.run(1)
    assert {message(leaf), message(leaf)} == {(b"all", False), (b"you", True)}
    assert message(talk.root) == (b"group", False)
    assert message(handle) == (b"me", True)
    with fails(E.WSAEWOULDBLOCK):
        message(leaf)


@pytest.mark.w(61)
def test_a_message_names_its_author(talk: Talk) -> None:
    handle, leaf = talk.handles[1], talk.ends[1]
    handle.send(b"down")
    send_privately(leaf, b"up")
    talk.bus.run(1)
    down = leaf.provider.recv_message(leaf.handle, talk.bus.now_s)
    up = handle.provider.recv_message(handle.handle, talk.bus.now_s)
    assert (down, up) == (Message(b"down", True, 1), Message(b"up", True, 3))


@pytest.mark.w(92, 94)
def test_fd_read_on_p_is_level_triggered_like_any_other(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    send_privately(leaf, b"one")
    send_privately(leaf, b"two")
    talk.bus.run(1)
    assert handle.events() == ["FD_READ"]
    assert handle.events() == []
    handle.recv()
    assert handle.events() == ["FD_READ"]
    handle.recv()
    assert handle.events() == []


# FD_WRITE -------------------------------------------------------------------------------------


@pytest.mark.w(95)
def test_p_is_writable_once_its_leaf_has_joined(bus: Bus) -> None:
    root, leaf = dialogue_root(bus), dialogue_leaf(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    handle = root.accept()
    bus.run(0.1)
    assert handle.events() == ["FD_WRITE"]
    waiting = dialogue_leaf(bus, 2).bind().listen()
    other = root.join(waiting)
    bus.run(0.1)
    waiting.accept()
    bus.run(0.1)
    assert other.events() == ["FD_WRITE"]
    assert handle.events() == []


@pytest.mark.w(95)
def test_a_full_queue_blocks_and_the_reader_opens_it(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    sent = 0
    with fails(E.WSAEWOULDBLOCK):
        while sent <= UNREAD + QUEUE:
            handle.send(b"%d" % sent)
            sent += 1
            talk.bus.run(0.1)
    assert sent == UNREAD + QUEUE
    talk.bus.run(600)
    assert handle.events() == []
    assert leaf.recv() == b"0"
    talk.bus.run(20)
    assert handle.events() == ["FD_WRITE"]
    for number in range(1, sent):
        assert leaf.recv() == b"%d" % number
        talk.bus.run(20)
    assert handle.events() == []


@pytest.mark.w(95)
def test_the_leafs_private_room_is_not_the_room_for_group_data(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    with fails(E.WSAEWOULDBLOCK):
        for _ in range(QUEUE + 1):
            send_privately(leaf, b"x")
    leaf.send(b"group")
    talk.bus.run(1)
    assert leaf.events() == ["FD_WRITE"]
    assert talk.root.recv() == b"group"
    assert len(handle.recv_all()) == QUEUE


def test_a_blocking_private_send_waits_while_group_data_goes_on(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    leaf.block()
    for _ in range(QUEUE):
        send_privately(leaf, b"x")
    waiting = send_privately(leaf, b"last")
    assert isinstance(waiting, Blocked)
    assert leaf.outcome(waiting) is None
    leaf.send(b"group")
    talk.bus.run(1)
    assert leaf.outcome(waiting) == 4
    assert handle.recv_all()[-1] == b"last"


def test_a_blocking_private_send_fails_when_the_membership_ends(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    handle.block()
    for _ in range(QUEUE):
        handle.send(b"x")
    waiting = handle.start_send(b"last")
    leaf.linger().close()
    talk.bus.run(1)
    assert handle.outcome(waiting) is E.WSAECONNRESET


def test_a_blocking_receive_on_p_waits_for_its_leaf(talk: Talk) -> None:
    (leaf, *_), (handle, other, _) = talk.ends, talk.handles
    handle.block()
    plain = handle.start_recv()
    marked = handle.provider.recv_message(handle.handle, talk.bus.now_s)
    assert isinstance(marked, Blocked)
    send_privately(leaf, b"one")
    send_privately(leaf, b"two")
    talk.bus.run(1)
    assert handle.outcome(plain) == b"one"
    assert handle.outcome(marked) == Message(b"two", True, 2)
    assert other.events() == []


def test_select_looks_at_p_as_well(talk: Talk) -> None:
    (leaf, *_), (handle, other, _) = talk.ends, talk.handles
    provider, both = handle.provider, [handle.handle, other.handle]
    send_privately(leaf, b"x")
    talk.bus.run(1)
    found = provider.select(both, both, [], talk.bus.now_s, timeout_s=0)
    assert found == Ready(read=(handle.handle,), write=tuple(both))
    for _ in range(QUEUE):
        other.send(b"x")
    handle.shutdown()
    found = provider.select(both, both, [], talk.bus.now_s, timeout_s=0)
    assert found == Ready(read=(handle.handle,))


# Without it -----------------------------------------------------------------------------------


@pytest.mark.w(60, 61)
def test_without_side_chat_p_neither_sends_nor_receives(bus: Bus) -> None:
    """D36: one end that cannot do it is enough."""
    root = dialogue_root(bus)
    leaf = leaf_actor(bus, 1)
    handle = admit(root, leaf)
    for call in (handle.send, handle.recv, lambda: send_privately(leaf, b"x")):
        with fails(E.WSAEOPNOTSUPP):
            call()
    handle.provider.select([], [handle.handle], [], bus.now_s, timeout_s=0)
    assert handle.events() == []
    root.send(b"group")
    bus.run(1)
    assert message(leaf) == (b"group", False)


@pytest.mark.w(61)
def test_r_has_no_private_data_of_its_own(talk: Talk) -> None:
    with fails(E.WSAEOPNOTSUPP):
        send_privately(talk.root, b"x")


def test_before_the_join_and_after_the_end_there_is_nobody_to_talk_to(talk: Talk) -> None:
    with fails(E.WSAENOTCONN):
        send_privately(dialogue_leaf(talk.bus, 9), b"x")
    pending = talk.root.join(("10.0.9.9", 1))
    for call in (pending.send, pending.recv):
        with fails(E.WSAENOTCONN):
            call()
    (leaf, other, _), (handle, another, _) = talk.ends, talk.handles
    handle.close()
    another.linger().close()
    talk.bus.run(5)
    with fails(E.WSAENOTCONN):
        send_privately(leaf, b"x")
    with fails(E.WSAECONNRESET):
        send_privately(other, b"x")


def test_who_joins_for_one_direction_chats_in_that_direction(bus: Bus) -> None:
    """W62: the flags are those of the socket."""
    root, hears, tells = dialogue_root(bus), dialogue_leaf(bus, 1), dialogue_leaf(bus, 2)
    to_hearer = admit(root, hears, JoinFlag.RECEIVER_ONLY)
    to_teller = admit(root, tells, JoinFlag.SENDER_ONLY)
    to_hearer.send(b"x")
    send_privately(tells, b"y")
    bus.run(1)
    assert message(hears) == (b"x", True)
    assert message(to_teller) == (b"y", True)
    for call in (
        to_hearer.recv,
        to_teller.send,
        tells.recv,
        lambda: send_privately(hears, b"x"),
    ):
        with fails(E.WSAEOPNOTSUPP):
            call()


def test_a_message_that_is_too_long_or_after_shutdown_is_refused(talk: Talk) -> None:
    handle = talk.handles[0]
    with fails(E.WSAEMSGSIZE):
        handle.send(bytes(2000))
    handle.shutdown(ShutdownHow.RECEIVE)
    with fails(E.WSAESHUTDOWN):
        handle.recv()
    handle.shutdown(ShutdownHow.SEND)
    with fails(E.WSAESHUTDOWN):
        handle.send(b"x")


def test_after_the_root_has_ended_its_session_p_sends_nothing_more(talk: Talk) -> None:
    handle = talk.handles[0]
    handle.send(b"x")
    talk.root.shutdown()
    with fails(E.WSAENOTCONN):
        handle.send(b"y")


def test_private_data_that_nobody_wants_holds_up_nobody(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    leaf.shutdown(ShutdownHow.RECEIVE)
    for _ in range(UNREAD + QUEUE + 5):
        handle.send(b"x")
        talk.bus.run(0.1)


# A bad path, and the end ----------------------------------------------------------------------


@pytest.mark.w(61, 71, 73)
@pytest.mark.parametrize("seed", range(8))
def test_everything_arrives_once_in_order_before_the_end(seed: int) -> None:
    bus = Bus(seed=seed)
    talk = Talk(bus)
    bus.loss, bus.duplication, bus.jitter_s = 0.2, 0.2, 0.05
    for number in range(QUEUE):
        for handle, end in zip(talk.handles, talk.ends, strict=True):
            handle.send(b"down %d" % number)
            send_privately(end, b"up %d" % number)
        bus.run(8)
    talk.ends[0].close()
    talk.handles[1].close()
    talk.root.shutdown(ShutdownHow.BOTH)
    bus.loss = 0.0
    bus.run(60)
    up = [(b"up %d" % number, True) for number in range(QUEUE)]
    down = [(b"down %d" % number, True) for number in range(QUEUE)]
    for handle in (talk.handles[0], talk.handles[2]):
        assert handle.events() == ["FD_READ"]
        assert [message(handle) for _ in up] == up
        assert handle.events()[-1] == "FD_CLOSE"
    for end in talk.ends[1:]:
        assert "FD_CLOSE" not in end.events()
        assert [message(end) for _ in down] == down
        assert end.events()[-1] == "FD_CLOSE"


@pytest.mark.w(66, 71, 73)
def test_what_was_queued_before_a_close_is_read_before_fd_close(talk: Talk) -> None:
    """RM31: FD_CLOSE on P waits for P's unread private data."""
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    for number in range(QUEUE):
        send_privately(leaf, b"%d" % number)
    leaf.close()
    talk.bus.run(1)
    assert handle.events() == ["FD_READ"]
    assert handle.recv_all() == [b"%d" % number for number in range(QUEUE)]
    assert handle.events()[-1] == "FD_CLOSE"
    with fails(E.WSAEDISCON):
        handle.recv()
    sides = [t.message for t in talk.bus.trace if isinstance(t.message, Side)]
    (close,) = [t.message for t in talk.bus.trace if isinstance(t.message, Close)]
    assert [side.seq for side in sides] == [*range(1, QUEUE + 1)]
    assert close.side_final_seq == QUEUE


@pytest.mark.w(67, 71)
def test_a_slow_reader_gets_all_that_was_queued_if_it_reads_in_time(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    for number in range(UNREAD + QUEUE):
        handle.send(b"%d" % number)
        talk.bus.run(0.1)
    handle.close()
    got = []
    for _ in range(UNREAD + QUEUE):
        talk.bus.run(3)
        got.append(leaf.recv())
    talk.bus.run(3)
    assert got == [b"%d" % number for number in range(UNREAD + QUEUE)]
    assert leaf.events()[-1] == "FD_CLOSE"


@pytest.mark.w(67)
def test_an_expelled_leaf_is_given_nothing_that_was_sent_later(talk: Talk) -> None:
    """Its CLOSE waits for private data; what the group is told meanwhile is not for it."""
    (leaf, other, _), (handle, *_) = talk.ends, talk.handles
    for number in range(UNREAD + 2):
        handle.send(b"%d" % number)
        talk.bus.run(0.1)
    talk.root.send(b"before")
    handle.close()
    talk.root.send(b"after")
    talk.bus.run(1)
    got = leaf.recv_all()
    talk.bus.run(20)
    got += leaf.recv_all()
    assert sorted(got) == sorted([*(b"%d" % number for number in range(UNREAD + 2)), b"before"])
    assert other.recv_all() == [b"before", b"after"]
    assert leaf.events()[-1] == "FD_CLOSE"


@pytest.mark.w(67)
def test_who_never_reads_does_not_keep_a_close_waiting_for_ever(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    for _ in range(UNREAD + QUEUE):
        handle.send(b"x")
        talk.bus.run(0.1)
    handle.shutdown()
    talk.bus.run(200)
    assert handle.events() == ["FD_CLOSE WSAECONNABORTED"]
    assert leaf.events() == ["FD_READ", "FD_CLOSE WSAECONNRESET"]


@pytest.mark.w(66)
def test_an_idle_reader_keeps_its_membership(talk: Talk) -> None:
    (leaf, *_), (handle, *_) = talk.ends, talk.handles
    for _ in range(UNREAD + QUEUE):
        send_privately(leaf, b"x")
        talk.bus.run(0.1)
    drain_events(*talk.everybody())
    talk.bus.run(3600)
    talk.quiet_but()
    while handle.provider.sockets[handle.handle].queue:
        handle.recv()
        talk.bus.run(20)
    send_privately(leaf, b"fresh")
    talk.bus.run(1)
    assert handle.recv() == b"fresh"
