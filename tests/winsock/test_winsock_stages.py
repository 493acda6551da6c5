"""The same act at every stage of a join or of an ending: the moment decides nothing but the code.

Every scene is played once undisturbed, to count the datagrams, and then once for each moment
between two of them.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from mpwire.core import Endpoint
from mpwire.core.table import State
from mpwire.testing.actor import (
    Actor,
    Party,
    deferring,
    drain_events,
    fails,
    leaf_actor,
    lonely_root,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import Bus
from mpwire.vocabulary import ShutdownHow, WsaError
from mpwire.winsock import SocketError

E = WsaError
JOINED = ["FD_CONNECT", "FD_WRITE"]
STEP_S = 0.0005
"""Half of what a datagram takes: between two deliveries there is always a moment."""
LONG_S = 400.0
"""After that every attempt has ended and every silent peer was noticed."""
STAGES = range(16)
"""Moments of a join: the first before anything was delivered, the last after all of it."""


@dataclass
class Scene:
    """A join that goes on by itself: who listens accepts as soon as it can."""

    bus: Bus
    root: Actor
    leaf: Actor
    joiner: Actor
    """R or L: who called WSPJoinLeaf."""
    joined: Actor
    """What that returned: P or L."""
    accepted: Actor | None = None
    """What WSPAccept returned: A or P."""

    @property
    def acceptor(self) -> Actor:
        """Return who listens."""
        return self.leaf if self.joiner is self.root else self.root

    def go_on(self) -> None:
        """Let a moment pass, and accept what waits."""
        self.bus.run(STEP_S)
        if self.accepted is None:
            with suppress(SocketError):
                self.accepted = self.acceptor.accept()

    def go_to(self, stage: int) -> "Scene":
        """Go on to a stage."""
        for _ in range(stage):
            self.go_on()
        return self

    def memberships(self) -> list[State]:
        """Return the states of everything that is left anywhere."""
        return [one.state for endpoint in endpoints(self.bus) for one in endpoint.by_tag.values()]


def endpoints(bus: Bus) -> list[Endpoint]:
    """Return every UDP address that is in use."""
    return [one for provider in bus.providers.values() for one in provider.endpoints.values()]


def leaf_asks(bus: Bus) -> Scene:
    """Let a leaf ask a root that listens."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    return Scene(bus, root, leaf, leaf, leaf.join(root))


def root_invites(bus: Bus) -> Scene:
    """Let a root invite a leaf that listens."""
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    return Scene(bus, root, leaf, root, root.join(leaf))


DIRECTIONS = pytest.mark.parametrize("begin", [leaf_asks, root_invites])
Begin = Callable[[Bus], Scene]


# Giving up a pending join ---------------------------------------------------------------------


@pytest.mark.w(25, 32, 45, 76)
@pytest.mark.parametrize("stage", STAGES)
@DIRECTIONS
def test_closing_the_pending_descriptor_cancels_at_every_stage(
    bus: Bus, begin: Begin, stage: int
) -> None:
    """D21: no FD_CONNECT that was not there before; what was accepted by then is reset or left."""
    scene = begin(bus).go_to(stage)
    before = scene.joiner.provider.sockets[scene.joiner.handle].pending is None
    heard = scene.joiner.events()
    scene.joined.close()
    bus.run(LONG_S)
    assert ("FD_CONNECT" in heard) is before
    if scene.joiner is scene.root:
        assert scene.root.events() == []
    if scene.accepted is not None:
        ended = scene.accepted.events()[-1:]
        assert ended == (["FD_CLOSE"] if before else ["FD_CLOSE WSAECONNRESET"])
    assert scene.memberships() == []


@pytest.mark.w(25, 31, 32)
@pytest.mark.parametrize("stage", STAGES)
def test_after_a_cancel_the_next_invitation_succeeds(bus: Bus, stage: int) -> None:
    """The slot is free at once, whatever the first leaf has still to hear."""
    scene = root_invites(bus).go_to(stage)
    drain_events(scene.root)
    scene.joined.close()
    other = waiting_leaf(bus, 2)
    handle = scene.root.join(other)
    bus.run(1)
    session_end = other.accept()
    bus.run(LONG_S)
    assert [event for event in scene.root.events() if event != "FD_WRITE"] == ["FD_CONNECT"]
    scene.root.send(b"for the second")
    bus.run(1)
    assert session_end.recv() == b"for the second"
    assert handle.events() == []


@pytest.mark.w(28)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("inviting", [True, False])
def test_a_blocking_join_can_be_interrupted_at_every_stage(
    bus: Bus, stage: int, *, inviting: bool
) -> None:
    root = root_actor(bus, backlog=0 if inviting else 5)
    leaf = waiting_leaf(bus, 1) if inviting else leaf_actor(bus, 1)
    joiner, acceptor = (root, leaf) if inviting else (leaf, root)
    waiting = joiner.block().start_join(acceptor)
    scene = Scene(bus, root, leaf, joiner, joiner).go_to(stage)
    done = joiner.outcome(waiting)
    joiner.provider.cancel_blocking_call(waiting.token, bus.now_s)
    assert joiner.outcome(waiting) == (E.WSAEINTR if done is None else done)
    bus.run(LONG_S)
    assert scene.memberships() == ([] if done is None else [State.JOINED] * 2)


# The session ends meanwhile -------------------------------------------------------------------


@pytest.mark.w(68, 69, 70)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["close", "shutdown", "abort"])
@DIRECTIONS
def test_dismantling_meets_a_join_at_every_stage(
    bus: Bus, begin: Begin, how: str, stage: int
) -> None:
    """The leaf is refused, or it is a member and hears of the end: exactly once, and no more."""
    scene = begin(bus).go_to(stage)
    drain_events(scene.root)
    if how == "shutdown":
        scene.root.shutdown()
    else:
        scene.root.linger(0 if how == "abort" else None).close()
    bus.run(LONG_S)
    heard = scene.leaf.events()
    end = "FD_CLOSE WSAECONNRESET" if how == "abort" else "FD_CLOSE"
    if begin is leaf_asks:
        refusals = ["FD_CONNECT WSAECONNREFUSED"], ["FD_CONNECT WSAETIMEDOUT"]
        assert heard in (*refusals, [*JOINED, end]), heard
    elif scene.accepted is not None:
        (closed,) = [one for one in scene.accepted.events() if one.startswith("FD_CLOSE")]
        assert closed in {end, "FD_CLOSE WSAECONNRESET"}
    else:
        assert heard in ([], ["FD_ACCEPT"])
    assert scene.memberships() == []


@pytest.mark.w(66, 67, 77)
@pytest.mark.parametrize("stage", STAGES)
@DIRECTIONS
def test_the_acceptor_may_close_what_it_accepted_at_every_stage(
    bus: Bus, begin: Begin, stage: int
) -> None:
    """A handle that is closed before CONFIRM still lets the joiner hear of both."""
    scene = begin(bus)
    while scene.accepted is None:
        scene.go_on()
    scene.go_to(stage)
    scene.accepted.close()
    bus.run(LONG_S)
    assert scene.joiner.events() == (
        JOINED if scene.joiner is scene.root else [*JOINED, "FD_CLOSE"]
    )
    if scene.joiner is scene.root:
        assert scene.joined.events() == ["FD_CLOSE"]
    assert scene.memberships() == []


# Deferred ------------------------------------------------------------------------------------


@pytest.mark.w(43, 45)
@pytest.mark.parametrize("fate", ["withdrawn", "expired", "accepted", "rejected"])
@DIRECTIONS
def test_what_was_deferred_meets_every_fate(bus: Bus, begin: Begin, fate: str) -> None:
    scene = begin(bus)
    bus.run(0.1)
    for _ in range(3):
        with fails(E.WSATRY_AGAIN):
            scene.acceptor.accept(deferring)
    bus.run(20)
    assert scene.joiner.events() == []
    if fate == "withdrawn":
        scene.joined.close()
        bus.run(1)
        with fails(E.WSAECONNRESET):
            scene.acceptor.accept()
    elif fate == "expired":
        bus.judge = lambda transit: transit.name != "Cancel"
        bus.run(200)
        with fails(E.WSAEACCES):
            scene.acceptor.accept()
        assert scene.joiner.events() == ["FD_CONNECT WSAETIMEDOUT"]
    elif fate == "accepted":
        scene.acceptor.accept()
        bus.run(1)
        assert scene.joiner.events() == JOINED
    else:
        with fails(E.WSAECONNREFUSED):
            scene.acceptor.accept(rejecting)
        bus.run(1)
        assert scene.joiner.events() == ["FD_CONNECT WSAECONNREFUSED"]


# Endings that meet ----------------------------------------------------------------------------


def endings(party: Party) -> dict[str, tuple[Actor, Callable[[], None]]]:
    """Return every way in which the first membership of a party can end, and who makes it end."""
    leaf, handle, root = party.ends[0], party.handles[0], party.root
    return {
        "leave": (leaf, leaf.close),
        "leaf shuts down": (leaf, lambda: leaf.shutdown(ShutdownHow.BOTH)),
        "leaf aborts": (leaf, lambda: leaf.linger().close()),
        "expel": (handle, handle.close),
        "handle aborts": (handle, lambda: handle.linger().close()),
        "dismantle": (root, lambda: root.shutdown(ShutdownHow.BOTH)),
        "root closes": (root, root.close),
        "root aborts": (root, lambda: root.linger().close()),
    }


WAYS = tuple(endings(Party(Bus(seed=1))))
OF_THE_SESSION = frozenset({"dismantle", "root closes", "root aborts"})


@pytest.mark.w(66, 67, 68, 76, 77, 82)
@pytest.mark.parametrize("gap", range(6))
@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_any_two_endings_may_meet(bus: Bus, first: str, second: str, gap: int) -> None:
    """Each open socket of the membership hears of one end, others of none but the session's."""
    party = Party(bus)
    party.root.send(b"before")
    bus.run(0.1)
    assert [end.recv() for end in party.ends] == [b"before"] * 3
    drain_events(party.root, *party.ends, *party.handles)
    done = set()
    for way in (first, second):
        actor, end = endings(party)[way]
        if actor.handle in actor.provider.sockets:
            end()
            done.add(way)
        bus.run(gap * STEP_S)
    bus.run(LONG_S)
    session_ends = bool(done & OF_THE_SESSION)
    for name, happened in party.events().items():
        assert sum(event.startswith("FD_CLOSE") for event in happened) <= 1, (name, happened)
        assert name in {"P1", "L1"} or session_ends, (name, happened)
    left = [one for endpoint in endpoints(bus) for one in endpoint.by_tag.values()]
    assert len(left) == (0 if session_ends else 4), left
