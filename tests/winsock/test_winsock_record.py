"""The FD_* contract, walked row by row, and the record that keeps it (W86-W98)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mpwire.testing.actor import (
    NOBODY,
    Actor,
    admit,
    drain_events,
    fails,
    invite,
    leaf_actor,
    rejecting,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import NetworkEvent, WsaError
from mpwire.winsock.record import (
    CONTRACT,
    FD_ACCEPT,
    FD_CLOSE,
    FD_CONNECT,
    FD_READ,
    FD_WRITE,
    NO_EVENTS,
    REPORTING_ORDER,
    EventRecord,
)

E = WsaError

# The contract, walked -------------------------------------------------------------------------


@dataclass
class Scene:
    """A root with two members and a third leaf that asks, and everything that happened to them."""

    bus: Bus
    root: Actor = field(init=False)
    leaf: Actor = field(init=False)
    others: dict[str, Actor] = field(init=False)
    asked: int = 10

    def __post_init__(self) -> None:
        """Bring everybody to where events can happen."""
        self.root, self.leaf = root_actor(self.bus), leaf_actor(self.bus, 1)
        handle = admit(self.root, self.leaf)
        invited, session_end = invite(self.root, waiting_leaf(self.bus, 2))
        self.others = {"P1": handle, "P2": invited, "A2": session_end}
        self.run()

    def run(self) -> None:
        """Let everything happen that is under way."""
        self.bus.run(0.1)

    def ask(self) -> None:
        """Let one more leaf ask the root."""
        self.asked += 1
        leaf_actor(self.bus, self.asked).join(self.root)
        self.run()

    def write_down(self) -> None:
        """Let the root send one message."""
        self.root.send()
        self.run()

    def fail_join(self) -> None:
        """Let the root fail one join at once."""
        self.bus.unreachable.add(NOBODY[0])
        self.root.join(NOBODY).close()

    def leave(self) -> None:
        """Let the root expel the leaf."""
        self.others["P1"].shutdown()
        self.run()


@dataclass
class Walk:
    """How to walk one row of the contract."""

    socket: Callable[[Scene], Actor]
    """Which socket the event belongs on."""
    happen: Callable[[Scene], object]
    """Makes it happen, again and again."""
    reenable: Callable[[Scene], object] | None
    """The re-enabling call, which leaves the condition true if there is one."""
    reading: list[str]
    """How the event reads."""


def accept_and_reject(scene: Scene) -> None:
    """Decide about the head of the root's queue."""
    with fails(E.WSAECONNREFUSED):
        scene.root.accept(rejecting)


WALKS = {
    FD_ACCEPT: Walk(lambda s: s.root, Scene.ask, accept_and_reject, ["FD_ACCEPT"]),
    FD_READ: Walk(lambda s: s.leaf, Scene.write_down, lambda s: s.leaf.recv(), ["FD_READ"]),
    FD_CONNECT: Walk(
        lambda s: s.root, Scene.fail_join, Scene.fail_join, ["FD_CONNECT WSAENETUNREACH"]
    ),
    FD_CLOSE: Walk(lambda s: s.leaf, Scene.leave, None, ["FD_CLOSE"]),
}
"""FD_WRITE happens once and then only after WSAEWOULDBLOCK, which no send returns yet (W95)."""


def test_every_event_of_the_contract_is_walked() -> None:
    of_the_network = {event for event in CONTRACT if event > FD_CLOSE}
    assert set(WALKS) | {FD_WRITE, NetworkEvent.FD_OOB} | of_the_network == set(REPORTING_ORDER)
    assert ALL_EVENTS == FD_CONNECT | FD_ACCEPT | FD_READ | FD_WRITE | FD_CLOSE
    assert all(row.cite and E.SUCCESS in row.codes for row in CONTRACT.values())


@pytest.mark.w(86, 92, 93, 94, 97)
@pytest.mark.parametrize("event", WALKS, ids=lambda event: event.name)
def test_an_event_fires_stays_quiet_and_fires_again(bus: Bus, event: NetworkEvent) -> None:
    scene, walk = Scene(bus), WALKS[event]
    actor = walk.socket(scene)
    actor.provider.signalled.clear()
    walk.happen(scene)
    assert actor.is_signalled()
    assert actor.events() == walk.reading
    drain_events(actor)
    if walk.reenable is None:
        for _ in range(3):
            scene.run()
            assert actor.events() == []
        return
    if CONTRACT[event].level:
        walk.happen(scene)
        assert not actor.is_signalled()
        assert actor.events() == []
    walk.reenable(scene)
    assert actor.is_signalled()
    assert actor.events() == walk.reading


@pytest.mark.w(22, 34, 47, 60, 66)
@pytest.mark.parametrize("event", WALKS, ids=lambda event: event.name)
def test_an_event_fires_on_no_other_socket(bus: Bus, event: NetworkEvent) -> None:
    scene, walk = Scene(bus), WALKS[event]
    walk.happen(scene)
    everybody = {"R": scene.root, "L1": scene.leaf} | scene.others
    happened = {name for name, actor in everybody.items() if str(event.name) in str(actor.events())}
    expected = {
        FD_ACCEPT: {"R"},
        FD_CONNECT: {"R"},
        FD_READ: {"L1", "A2"},
        FD_CLOSE: {"L1", "P1"},
    }
    assert happened == expected[event]


@pytest.mark.w(95)
@pytest.mark.parametrize("reselect", [True, False])
def test_writable_is_said_once(bus: Bus, *, reselect: bool) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    root.accept()
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]
    for _ in range(3):
        leaf.send()
        if reselect:
            leaf.select()
        bus.run(0.1)
        assert leaf.events() == []


@pytest.mark.w(98)
def test_no_event_carries_a_code_of_a_call() -> None:
    codes = {code for row in CONTRACT.values() for code in row.codes}
    assert not codes & {E.WSAEALREADY, E.WSAEWOULDBLOCK, E.WSAEINPROGRESS}
    assert set(CONTRACT[FD_CLOSE].codes) == {
        E.SUCCESS,
        E.WSAENETDOWN,
        E.WSAECONNRESET,
        E.WSAECONNABORTED,
    }
    for event in (FD_ACCEPT, FD_READ, FD_WRITE):
        assert set(CONTRACT[event].codes) == {E.SUCCESS, E.WSAENETDOWN}


# Selecting ------------------------------------------------------------------------------------


@pytest.mark.w(90)
def test_what_is_not_nominated_is_kept(bus: Bus) -> None:
    scene = Scene(bus)
    scene.leaf.select(ALL_EVENTS & ~FD_READ)
    scene.write_down()
    assert not scene.leaf.is_signalled()
    assert scene.leaf.events() == []
    scene.leaf.select()
    assert scene.leaf.is_signalled()
    assert scene.leaf.events() == ["FD_READ"]


@pytest.mark.w(91)
def test_a_new_selection_replaces_the_old_one(bus: Bus) -> None:
    scene = Scene(bus)
    leaf = scene.leaf
    leaf.select(FD_CLOSE, event_object=8)
    leaf.select(FD_READ, event_object=9)
    leaf.provider.signalled.clear()
    scene.write_down()
    assert leaf.provider.signalled == {9}
    scene.leave()
    assert leaf.recv_all() == [b"hello"]
    leaf.select(NO_EVENTS, event_object=9)
    leaf.provider.signalled.clear()
    assert leaf.events() == []
    leaf.select(FD_CLOSE, event_object=8)
    assert leaf.provider.signalled == {8}


@pytest.mark.w(97)
@pytest.mark.parametrize("event", WALKS, ids=lambda event: event.name)
def test_what_is_true_already_is_signalled_at_once(bus: Bus, event: NetworkEvent) -> None:
    scene, walk = Scene(bus), WALKS[event]
    actor = walk.socket(scene)
    actor.select(NO_EVENTS)
    walk.happen(scene)
    actor.provider.signalled.clear()
    actor.select(event)
    assert actor.is_signalled()
    assert actor.events() == walk.reading


@pytest.mark.w(90, 91)
@pytest.mark.parametrize("event", [FD_READ, FD_ACCEPT], ids=lambda event: event.name)
def test_a_reselection_repeats_nothing_but_hears_new_arrivals(
    bus: Bus, event: NetworkEvent
) -> None:
    """D7."""
    scene, walk = Scene(bus), WALKS[event]
    actor = walk.socket(scene)
    walk.happen(scene)
    assert actor.events() == walk.reading
    actor.select()
    assert actor.events() == []
    walk.happen(scene)
    assert actor.events() == walk.reading


@pytest.mark.w(93)
@pytest.mark.parametrize("event", [FD_READ, FD_ACCEPT], ids=lambda event: event.name)
def test_a_call_before_the_enumeration_re_enables_too(bus: Bus, event: NetworkEvent) -> None:
    """The record of the first arrival is still there to be read; the second is not lost for it."""
    scene, walk = Scene(bus), WALKS[event]
    actor = walk.socket(scene)
    walk.happen(scene)
    assert walk.reenable is not None
    walk.reenable(scene)
    assert actor.events() == walk.reading
    drain_events(actor)
    walk.happen(scene)
    assert actor.is_signalled()
    assert actor.events() == walk.reading


@pytest.mark.w(97)
@pytest.mark.parametrize("event", [FD_READ, FD_ACCEPT], ids=lambda event: event.name)
def test_what_was_served_before_it_was_nominated_is_not_said(bus: Bus, event: NetworkEvent) -> None:
    scene, walk = Scene(bus), WALKS[event]
    actor = walk.socket(scene).select(NO_EVENTS)
    walk.happen(scene)
    assert walk.reenable is not None
    walk.reenable(scene)
    actor.provider.signalled.clear()
    actor.select()
    assert not actor.is_signalled()
    assert actor.events() == []


@pytest.mark.w(90)
def test_a_reselection_keeps_what_was_not_enumerated(bus: Bus) -> None:
    """D7."""
    scene = Scene(bus)
    scene.write_down()
    scene.leaf.provider.signalled.clear()
    scene.leaf.select(event_object=66)
    assert 66 in scene.leaf.provider.signalled
    assert scene.leaf.events() == ["FD_READ"]


# Enumerating ----------------------------------------------------------------------------------


@pytest.mark.w(87, 88)
def test_enumerating_clears_the_record_and_resets_the_object_it_names(bus: Bus) -> None:
    scene = Scene(bus)
    leaf, provider = scene.leaf, scene.leaf.provider
    scene.write_down()
    assert leaf.events() == ["FD_READ"]
    assert leaf.is_signalled()
    assert provider.enum_network_events(leaf.handle, leaf.handle) == []
    assert not leaf.is_signalled()
    leaf.recv()
    scene.write_down()
    assert leaf.is_signalled()
    with fails(E.WSAENOTSOCK):
        provider.enum_network_events(99, leaf.handle)
    with fails(E.WSAEINVAL):
        provider.enum_network_events(leaf.handle, 0)
    assert leaf.is_signalled()
    assert provider.is_signalled(leaf.handle)
    assert not provider.is_signalled(99)
    assert leaf.events() == ["FD_READ"]


@pytest.mark.w(87, 100)
def test_events_come_in_the_order_of_their_causes(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    root.accept()
    root.send()
    bus.run(0.1)
    leaf.recv()
    root.close()
    bus.run(1)
    assert leaf.events() == ["FD_CONNECT", "FD_READ", "FD_WRITE", "FD_CLOSE"]


@pytest.mark.w(89)
def test_only_what_happened_is_handed_out() -> None:
    record = EventRecord(ALL_EVENTS, 1)
    record.occur(FD_CONNECT, E.WSAETIMEDOUT)
    assert record.enumerate() == [(FD_CONNECT, E.WSAETIMEDOUT)]
    assert record.enumerate() == []
