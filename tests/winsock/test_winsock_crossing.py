"""A leaf joins its root while the root invites that leaf: one membership, whatever happens."""

import pytest

from mpwire.core.table import State
from mpwire.testing.actor import (
    C_LEAF,
    Actor,
    admit,
    drain_events,
    fails,
    leaf_actor,
    lonely_root,
    rejecting,
    root_actor,
)
from mpwire.testing.bus import Bus, Transit
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.protocols import ENTRIES, Protocol
from mpwire.wire.messages import Accept, Message, Reject
from mpwire.wire.numbers import HeaderFlag

E = WsaError
JOINED = ["FD_CONNECT", "FD_WRITE"]
REFUSED = ["FD_CONNECT WSAECONNREFUSED"]
TIMED_OUT = ["FD_CONNECT WSAETIMEDOUT"]


def bound_leaf(bus: Bus, number: int = 1) -> Actor:
    """Open a leaf at a known port, as one must be that a root can invite."""
    return leaf_actor(bus, number).bind()


def sent_by(bus: Bus, actor: Actor, kind: type[Message]) -> list[Message]:
    """Return the messages of one type that an address has sent."""
    where = actor.address
    found = [one.message for one in bus.trace if one.source == where]
    return [message for message in found if isinstance(message, kind)]


def check_member(root: Actor, leaf: Actor) -> None:
    """Check that the two are one membership and that data goes both ways."""
    root.send(b"down")
    leaf.send(b"up")
    root.bus.run(0.1)
    assert (leaf.recv(), root.recv()) == (b"down", b"up")
    endpoint = root.provider.endpoints[root.address]
    states = [one.state for one in endpoint.by_peer[leaf.address]]
    assert states == [State.JOINED]


# The invitation prevails ----------------------------------------------------------------------


@pytest.mark.w(35, 41, 49, 51)
@pytest.mark.parametrize("head_start_s", [0.0, 0.0005, 0.0015, 0.0025, 0.0035, 0.5])
def test_joins_that_cross_make_one_member(bus: Bus, head_start_s: float) -> None:
    """Whether the leaf's request is not yet there, being challenged, or queued and parked."""
    root, leaf = root_actor(bus), bound_leaf(bus)
    leaf.join(root)
    bus.run(head_start_s)
    drain_events(root)
    handle = root.join(leaf)
    bus.run(2)
    assert (root.events(), leaf.events(), handle.events()) == (JOINED, JOINED, [])
    accepts = sent_by(bus, leaf, Accept)
    assert [accept.flags for accept in accepts] == [HeaderFlag.X]
    check_member(root, leaf)


@pytest.mark.w(35, 41)
@pytest.mark.parametrize("root_first", [True, False])
def test_a_root_that_does_not_listen_does_not_refuse_whom_it_invites(
    bus: Bus, *, root_first: bool
) -> None:
    """K9: without it both would answer NOT_LISTENING."""
    root, leaf = lonely_root(bus), bound_leaf(bus)
    for one, other in [(root, leaf), (leaf, root)][:: 1 if root_first else -1]:
        one.join(other)
    bus.run(2)
    assert (root.events(), leaf.events()) == (JOINED, JOINED)
    assert sent_by(bus, root, Reject) == sent_by(bus, leaf, Reject) == []
    check_member(root, leaf)


@pytest.mark.w(5, 51, 56)
@pytest.mark.parametrize("protocol", [entry for entry in Protocol if ENTRIES[entry].control_rooted])
def test_joins_cross_in_every_protocol_with_a_control_root(bus: Bus, protocol: Protocol) -> None:
    """A third leaf is there too, so that relayed and multicast data has somewhere else to go."""
    d_role = SocketFlag.D_ROOT if ENTRIES[protocol].data_rooted else SocketFlag.D_LEAF
    roles = {"10.0.0.1": SocketFlag.C_ROOT | d_role, "10.0.1.1": C_LEAF, "10.0.1.2": C_LEAF}
    root, leaf, other = (
        Actor(bus, provider, provider.socket(flags, protocol=protocol)).bind().select()
        for provider, flags in ((bus.provider(host), flags) for host, flags in roles.items())
    )
    admit(root.listen(), other)
    leaf.join(root)
    root.join(leaf)
    bus.run(2)
    writable = [] if ENTRIES[protocol].one_way else ["FD_WRITE"]
    assert leaf.events() == ["FD_CONNECT", *writable]
    root.send(b"down")
    bus.run(2)
    assert leaf.recv() == other.recv() == b"down"
    if writable:
        leaf.send(b"up")
        bus.run(2)
        assert root.recv_all()[-1] == b"up"
        assert other.recv_all() == ([] if d_role is SocketFlag.D_ROOT else [b"up"])
        leaf.recv_all()
    root.close()
    bus.run(100)
    assert [event for event in leaf.events() if event != "FD_READ"] == ["FD_CLOSE"]


@pytest.mark.w(11, 20)
def test_a_blocking_join_that_is_crossed_returns_the_same_socket(bus: Bus) -> None:
    root, leaf = lonely_root(bus), bound_leaf(bus).block()
    waiting = leaf.start_join(root)
    root.join(leaf)
    bus.run(2)
    assert leaf.outcome(waiting) == leaf.handle
    check_member(root, leaf)


@pytest.mark.w(16, 62)
def test_the_invitation_says_in_which_directions_the_leaf_acts(bus: Bus) -> None:
    """The root that only sends gets a leaf that only receives; nobody hands callee data back."""
    root, leaf = lonely_root(bus), bound_leaf(bus)
    leaf.join(root)
    root.join(leaf, JoinFlag.SENDER_ONLY)
    bus.run(2)
    assert (root.events(), leaf.events()) == (JOINED, ["FD_CONNECT"])
    assert leaf.provider.callee_data(leaf.handle) == b""
    with fails(E.WSAEOPNOTSUPP):
        leaf.send()
    root.send(b"one way")
    bus.run(0.1)
    assert leaf.recv() == b"one way"


@pytest.mark.w(51)
def test_other_leaves_are_served_meanwhile(bus: Bus) -> None:
    root, leaf, other = root_actor(bus), bound_leaf(bus), bound_leaf(bus, 2)
    leaf.join(root)
    other.join(root)
    bus.run(0.1)
    root.join(leaf)
    accepted = root.accept_fully()
    bus.run(2)
    assert accepted.address == other.address
    assert leaf.events() == other.events() == JOINED


@pytest.mark.w(45, 51)
def test_the_request_that_was_parked_is_gone_after_the_join(bus: Bus) -> None:
    """RM7, D17."""
    root, leaf = root_actor(bus), bound_leaf(bus)
    leaf.join(root)
    bus.run(0.1)
    root.join(leaf)
    bus.run(2)
    with fails(E.WSAECONNRESET):
        root.accept()
    with fails(E.WSAEWOULDBLOCK):
        root.accept()


@pytest.mark.w(29)
def test_a_crossed_join_is_still_the_one_outstanding(bus: Bus) -> None:
    root, leaf = lonely_root(bus), bound_leaf(bus)
    leaf.join(root)
    root.join(leaf)
    bus.judge = lambda transit: transit.name != "Confirm"
    bus.run(0.1)
    with fails(E.WSAEALREADY):
        leaf.join(root)
    with fails(E.WSAENOTCONN):
        leaf.send()


# The invitation fails -------------------------------------------------------------------------


@pytest.mark.w(18, 25)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_crossed_invitation_that_is_cancelled_refuses_the_leaf(
    bus: Bus, *, confirmed: bool
) -> None:
    """The root closes P: the leaf's join fails, or is closed if it had been confirmed."""
    root, leaf = root_actor(bus), bound_leaf(bus)
    leaf.join(root)
    handle = root.join(leaf)
    lost = "nothing" if confirmed else "Accept"
    bus.judge = lambda transit: transit.name != lost
    bus.run(0.1)
    handle.close()
    bus.judge = None
    bus.run(60)
    assert leaf.events() == ([*JOINED, "FD_CLOSE"] if confirmed else REFUSED)
    assert root.events() == (JOINED if confirmed else [])
    if not confirmed:
        retry(root, leaf)


def retry(root: Actor, leaf: Actor) -> None:
    """Let the leaf ask again, and the root accept."""
    leaf.join(root)
    root.bus.run(0.1)
    drain_events(root)
    root.accept()
    root.bus.run(0.1)
    assert leaf.events() == JOINED


@pytest.mark.w(18, 37)
def test_a_crossed_join_that_is_never_confirmed_times_out(bus: Bus) -> None:
    """LF12, and the root's FD_CONNECT(0) is followed by the reset."""
    root, leaf = root_actor(bus), bound_leaf(bus)
    leaf.join(root)
    handle = root.join(leaf)
    bus.judge = lambda transit: transit.name != "Confirm"
    bus.run(40)
    bus.judge = None
    assert leaf.events() == TIMED_OUT
    assert root.events() == JOINED
    assert handle.events() == ["FD_CLOSE WSAECONNRESET"]
    retry(root, leaf)


@pytest.mark.w(18)
def test_a_crossed_join_whose_root_has_died_is_refused(bus: Bus) -> None:
    """LF12: the root's host answers ACCEPT out of the blue."""
    root, leaf = lonely_root(bus), bound_leaf(bus)
    leaf.join(root)
    root.join(leaf)
    bus.judge = lambda transit: transit.name != "Accept"
    bus.run(0.1)
    bus.judge = None
    address = root.address
    bus.providers["10.0.0.1"].endpoints[address].by_tag.clear()
    bus.run(5)
    assert leaf.events() == REFUSED


@pytest.mark.w(25, 76)
@pytest.mark.parametrize("lost", ["Confirm", "Accept"])
def test_a_leaf_that_closes_a_crossed_join_leaves_or_never_comes(bus: Bus, lost: str) -> None:
    root, leaf = lonely_root(bus), bound_leaf(bus)
    leaf.join(root)
    handle = root.join(leaf)
    bus.judge = lambda transit: transit.name != lost
    bus.run(0.1)
    leaf.close()
    bus.judge = None
    bus.run(100)
    assert root.events() == JOINED
    assert handle.events() == ["FD_CLOSE"]
    assert leaf.provider.endpoints == {}


@pytest.mark.w(28)
def test_a_blocking_join_can_be_cancelled_after_it_was_crossed(bus: Bus) -> None:
    root, leaf = lonely_root(bus), bound_leaf(bus).block()
    waiting = leaf.start_join(root)
    handle = root.join(leaf)
    bus.judge = lambda transit: transit.name != "Confirm"
    bus.run(0.1)
    leaf.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert leaf.outcome(waiting) is E.WSAEINTR
    bus.judge = None
    bus.run(5)
    assert handle.events() == ["FD_CLOSE"]


# The leaf refuses, so that its own request counts ---------------------------------------------


@pytest.mark.w(36, 42, 94)
def test_a_parked_request_appears_again_with_its_event(bus: Bus) -> None:
    """RM8: the invitation is cancelled before it reaches the leaf; FD_ACCEPT fires again."""
    root, leaf = root_actor(bus), bound_leaf(bus)
    leaf.join(root)
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    bus.judge = lambda transit: transit.destination != leaf.address
    handle = root.join(leaf)
    with fails(E.WSAEWOULDBLOCK):
        root.accept()
    handle.close()
    bus.judge = None
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    with fails(E.WSAECONNREFUSED):
        root.accept(rejecting)
    bus.run(5)
    assert leaf.events() == REFUSED


# Losses, one by one ---------------------------------------------------------------------------


def cross(seed: int, faulty: int, copies: int) -> tuple[Bus, Actor, Actor, Actor]:
    """Cross two joins with one datagram lost or doubled; return bus, root, leaf and P."""
    bus = Bus(seed=seed, jitter_s=0.002)
    count = iter(range(1000))

    def judge(_transit: Transit) -> int:
        return copies if next(count) == faulty else 1

    bus.judge = judge
    root, leaf = root_actor(bus), bound_leaf(bus)
    leaf.join(root)
    bus.run(0.003 * (seed % 3))
    return bus, root, leaf, root.join(leaf)


@pytest.mark.w(27, 51)
@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("seed", range(6))
def test_one_lost_or_doubled_datagram_changes_nothing(seed: int, copies: int) -> None:
    for faulty in range(12):
        bus, root, leaf, handle = cross(seed, faulty, copies)
        bus.run(20)
        bus.judge = None
        drained = [event for event in root.events() if event != "FD_ACCEPT"]
        where = f"{bus!r}, {faulty}"
        assert (drained, leaf.events(), handle.events()) == (JOINED, JOINED, []), where
        check_member(root, leaf)


@pytest.mark.w(25, 51, 76)
@pytest.mark.parametrize("closer", ["P", "L", "both"])
@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("seed", range(6))
def test_whenever_one_gives_up_nothing_is_left_half_open(
    seed: int, copies: int, closer: str
) -> None:
    for faulty in range(8):
        bus, root, leaf, handle = cross(seed, faulty, copies)
        bus.run(0.001 * (faulty % 5))
        if closer != "L":
            handle.close()
        if closer != "P":
            leaf.close()
        bus.run(400)
        where = f"{bus!r}, {faulty}"
        assert not root.provider.endpoints[root.address].by_tag, where
        assert root.provider.sockets[root.handle].pending is None, where
        if closer == "P":
            assert leaf.events() in (REFUSED, TIMED_OUT, [*JOINED, "FD_CLOSE"]), where
            assert leaf.provider.sockets[leaf.handle].pending is None, where
        else:
            assert leaf.provider.endpoints == {}, where
