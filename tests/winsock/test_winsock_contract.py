"""The FD_* contract, cell by cell: event x kind of socket (W86-W100, semantics 1N).

Every cell that the table fills is walked: the event fires, does not fire again until it is
re-enabled, and fires again after. Every cell that the table leaves empty stays silent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from mpwire.core.inflow import BUFFER
from mpwire.testing.actor import (
    C_LEAF,
    C_ROOT,
    NOBODY,
    ROOT_HOST,
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
from mpwire.testing.bus import Bus
from mpwire.vocabulary import NetworkEvent, SocketFlag, WsaError
from mpwire.winsock.contract import (
    CONTRACT,
    FD_ACCEPT,
    FD_ADDRESS_LIST_CHANGE,
    FD_CLOSE,
    FD_CONNECT,
    FD_GROUP_QOS,
    FD_OOB,
    FD_QOS,
    FD_READ,
    FD_ROUTING_INTERFACE_CHANGE,
    FD_WRITE,
    PLAIN_CODES,
    REENABLED,
    REPORTING_ORDER,
    Role,
)
from mpwire.winsock.control import Ioctl
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.record import EventRecord
from mpwire.wire.messages import Qos

E = WsaError
EVERYTHING = NetworkEvent(sum(CONTRACT))
ELSEWHERE = ("10.8.8.8", 1)
R, P, L, A, X = Role.ROOT, Role.ROOT_LEAF, Role.LEAF, Role.INVITED, Role.PLAIN


@dataclass
class Scene:
    """A root with a leaf that joined and one that was invited, an idle leaf, a plain socket."""

    bus: Bus
    actors: dict[str, Actor] = field(init=False)
    count: int = 20

    def __post_init__(self) -> None:
        """Bring everybody to where events can happen, and let them select every event."""
        root, leaf, waiting = (
            root_actor(self.bus),
            leaf_actor(self.bus, 1),
            waiting_leaf(self.bus, 2),
        )
        for actor in (root, leaf):
            self.ioctl(
                actor, Ioctl.SIO_SET_QOS, Qos(sending_octets_per_s=99, receiving_octets_per_s=99)
            )
        admitted = admit(root, leaf)
        invited, session_end = invite(root, waiting)
        there = self.bus.provider("10.0.3.1")
        plain = Actor(self.bus, there, there.socket(SocketFlag(0))).bind()
        self.actors = {
            "R": root,
            "P1": admitted,
            "L1": leaf,
            "P2": invited,
            "L2": waiting,
            "A2": session_end,
            "L3": leaf_actor(self.bus, 3).bind(),
            "X": plain,
        }
        for actor in self.actors.values():
            actor.select(EVERYTHING)
        self.run()
        drain_events(*self.actors.values())

    def __getitem__(self, name: str) -> Actor:
        """Return a socket by its name."""
        return self.actors[name]

    def next(self) -> int:
        """Return a number that was not used before."""
        self.count += 1
        return self.count

    def run(self) -> None:
        """Let everything happen that is under way."""
        self.bus.run(0.5)

    def ioctl(self, actor: Actor, code: Ioctl, value: object = None) -> None:
        """Make an ioctl that does not wait."""
        actor.provider.ioctl(actor.handle, code, value, self.bus.now_s)

    def ask_to_be_told(self, actor: Actor, code: Ioctl, value: object = None) -> None:
        """Make an ioctl that would wait, so that the event tells."""
        with fails(E.WSAEWOULDBLOCK):
            self.ioctl(actor, code, value)

    def ask(self) -> None:
        """Let one more leaf ask the root."""
        leaf_actor(self.bus, self.next()).join(self["R"])
        self.run()

    def invite_l2(self) -> None:
        """Let one more root invite the waiting leaf."""
        there = self.bus.provider(f"10.0.0.{self.next()}")
        Actor(self.bus, there, there.socket(C_ROOT)).select().join(self["L2"])
        self.run()

    def fail_join(self, name: str) -> None:
        """Let a join fail at once."""
        self.bus.unreachable.add(NOBODY[0])
        joined = self[name].join(NOBODY)
        if joined.handle != self[name].handle:
            joined.close()

    def talk(self, name: str) -> None:
        """Let a socket send a message."""
        self[name].send()
        self.run()

    def meet_full_window(self, name: str) -> None:
        """Let a socket send until it would block, and its receivers make room."""
        with fails(E.WSAEWOULDBLOCK):
            for _ in range(2 * BUFFER):
                self[name].send()
        self.read_everything()

    def read_everything(self) -> None:
        """Let everybody read, and everything happen that follows from it."""
        self.run()
        for reader in ("R", "L1", "A2"):
            self[reader].recv_all()
        self.run()

    def end(self, name: str) -> None:
        """Let a socket shut down."""
        self[name].shutdown()
        self.run()

    def change_capacity(self, name: str) -> None:
        """Let the network of a socket carry more or less, always something else than before."""
        number = self.next()
        self[name].provider.capacity_changed(self[name].address[0], number)

    def change_route(self, name: str) -> None:
        """Cut a destination off, or let it come back."""
        self.bus.unreachable ^= {ELSEWHERE[0]}
        self[name].provider.routes_changed()

    def change_addresses(self, name: str) -> None:
        """Let another address of the host go, or come back."""
        provider = self[name].provider
        other = "10.7.7.7"
        provider.interface_changed(other, self.bus.now_s, is_up=other in provider.lost)

    def happened(self, event: NetworkEvent) -> set[str]:
        """Return the names of the sockets that tell of an event now."""
        return {
            name
            for name, actor in self.actors.items()
            if any(told.startswith(str(event.name)) for told in actor.events())
        }


Deed: TypeAlias = Callable[[Scene], object]


def nothing(_scene: Scene) -> None:
    """Do nothing."""


@dataclass
class Cell:
    """How to walk one cell of the contract."""

    target: str
    """Which socket is watched."""
    happen: Deed
    """Makes it happen, again and again."""
    reenable: Deed | None
    """The re-enabling call; None if there is none, or if it is what makes it happen."""
    concerned: str
    """Every socket on which it happens."""
    code: str = ""
    prepare: Deed = nothing


def reject(name: str) -> Deed:
    """Return a refusal of the request at the head of a queue."""

    def deed(scene: Scene) -> None:
        with fails(E.WSAECONNREFUSED):
            scene[name].accept(rejecting)

    return deed


def change_cells() -> dict[tuple[NetworkEvent, Role], Cell]:
    """Return the cells of the events that are asked for by ioctl."""
    cells = {}
    for role, name in ((R, "R"), (L, "L1"), (A, "A2"), (X, "X")):
        for event, code, value, happen in (
            (
                FD_ROUTING_INTERFACE_CHANGE,
                Ioctl.SIO_ROUTING_INTERFACE_CHANGE,
                ELSEWHERE,
                Scene.change_route,
            ),
            (FD_ADDRESS_LIST_CHANGE, Ioctl.SIO_ADDRESS_LIST_CHANGE, None, Scene.change_addresses),
        ):

            def asking(
                s: Scene, name: str = name, code: Ioctl = code, value: object = value
            ) -> None:
                s.ask_to_be_told(s[name], code, value)

            def happening(
                s: Scene, name: str = name, happen: Callable[[Scene, str], None] = happen
            ) -> None:
                happen(s, name)

            cells[event, role] = Cell(name, happening, asking, name, prepare=asking)
    return cells


CELLS: dict[tuple[NetworkEvent, Role], Cell] = {
    (FD_CONNECT, R): Cell("R", lambda s: s.fail_join("R"), None, "R", " WSAENETUNREACH"),
    (FD_CONNECT, L): Cell("L3", lambda s: s.fail_join("L3"), None, "L3", " WSAENETUNREACH"),
    (FD_ACCEPT, R): Cell("R", Scene.ask, reject("R"), "R"),
    (FD_ACCEPT, L): Cell("L2", Scene.invite_l2, reject("L2"), "L2"),
    (FD_READ, R): Cell("R", lambda s: s.talk("L1"), lambda s: s["R"].recv(), "R"),
    (FD_READ, L): Cell("L1", lambda s: s.talk("R"), lambda s: s["L1"].recv(), "L1 A2"),
    (FD_READ, A): Cell("A2", lambda s: s.talk("R"), lambda s: s["A2"].recv(), "L1 A2"),
    (FD_QOS, R): Cell(
        "R",
        lambda s: s.change_capacity("R"),
        lambda s: s.ioctl(s["R"], Ioctl.SIO_GET_QOS),
        "R",
    ),
    (FD_QOS, L): Cell(
        "L1",
        lambda s: s.change_capacity("L1"),
        lambda s: s.ioctl(s["L1"], Ioctl.SIO_GET_QOS),
        "L1",
    ),
    (FD_QOS, A): Cell(
        "A2",
        lambda s: s.change_capacity("A2"),
        lambda s: s.ioctl(s["A2"], Ioctl.SIO_GET_QOS),
        "A2",
    ),
    (FD_CLOSE, R): Cell("R", lambda s: s.end("R"), None, "R P1 P2 L1 A2"),
    (FD_CLOSE, P): Cell("P1", lambda s: s.end("L1"), None, "P1 L1"),
    (FD_CLOSE, L): Cell("L1", lambda s: s.end("P1"), None, "P1 L1"),
    (FD_CLOSE, A): Cell("A2", lambda s: s.end("P2"), None, "P2 A2"),
    **change_cells(),
}
WALKED_BELOW = {(FD_WRITE, role) for role in (R, P, L, A)} | {(FD_READ, P)}
"""Cells with tests of their own: FD_WRITE needs a full window, and P a side chat."""


def test_every_cell_of_the_table_is_walked() -> None:
    filled = {(event, role) for event, row in CONTRACT.items() for role in row.on}
    assert {*CELLS} | WALKED_BELOW == filled
    assert {*CONTRACT} == {*NetworkEvent} == {*REPORTING_ORDER}
    assert not CONTRACT[FD_OOB].on
    assert not CONTRACT[FD_GROUP_QOS].on


each_cell = pytest.mark.parametrize(
    ("event", "role"),
    CELLS,
    ids=lambda one: one.name if isinstance(one, NetworkEvent) else one.value,
)


@pytest.mark.w(86, 92, 93, 94, 96, 97)
@each_cell
def test_an_event_fires_stays_quiet_and_fires_again(
    bus: Bus, event: NetworkEvent, role: Role
) -> None:
    scene, cell, row = Scene(bus), CELLS[event, role], CONTRACT[event]
    watched = scene[cell.target]
    assert watched.provider.sockets[watched.handle].role is role
    told = [f"{event.name}{cell.code}"]
    if row.asked_for:
        cell.happen(scene)
        assert watched.events() == []
    cell.prepare(scene)
    cell.happen(scene)
    assert watched.is_signalled()
    assert watched.events() == told
    drain_events(watched)
    scene.run()
    assert watched.events() == []
    if event is FD_CLOSE:
        assert row.reenabled_by == ()
        return
    if event is not FD_CONNECT:
        cell.happen(scene)
        assert not watched.is_signalled()
        assert watched.events() == []
    if cell.reenable is not None:
        cell.reenable(scene)
    assert watched.events() == (told if row.level else [])
    if not row.level:
        cell.happen(scene)
        assert watched.is_signalled()
        assert watched.events() == told


@pytest.mark.w(22, 34, 47, 60, 66)
@each_cell
def test_an_event_fires_on_no_other_socket(bus: Bus, event: NetworkEvent, role: Role) -> None:
    scene, cell = Scene(bus), CELLS[event, role]
    cell.prepare(scene)
    cell.happen(scene)
    happened = scene.happened(event)
    assert happened == {*cell.concerned.split()}
    roles = {scene[name].provider.sockets[scene[name].handle].role for name in happened}
    assert roles <= {*CONTRACT[event].on}


@pytest.mark.w(86, 92, 95)
@pytest.mark.parametrize(("name", "concerned"), [("R", "R"), ("L1", "L1"), ("A2", "A2")])
def test_room_is_told_once_per_send_that_would_have_blocked(
    bus: Bus, name: str, concerned: str
) -> None:
    """FD_WRITE fires at a full window only, stays quiet otherwise, and fires again at the next."""
    scene = Scene(bus)
    scene.talk(name)
    scene.read_everything()
    assert scene.happened(FD_WRITE) == set()
    for _ in range(2):
        scene[name].provider.signalled.clear()
        scene.meet_full_window(name)
        assert scene[name].is_signalled()
        assert scene.happened(FD_WRITE) == {concerned}
        scene.talk(name)
        scene.read_everything()
        assert scene.happened(FD_WRITE) == set()


@pytest.fixture
def chat(bus: Bus) -> dict[str, Actor]:
    """Give a root and two leaves that chat in private, every event read."""
    actors: dict[str, Actor] = {}
    for host, name in ((ROOT_HOST, "R"), ("10.0.1.1", "L1"), ("10.0.1.2", "L2")):
        there = bus.provider(host)
        flags = C_ROOT if name == "R" else C_LEAF
        actors[name] = Actor(bus, there, there.socket(flags, protocol=Protocol.MPW_DIALOGUE))
    actors["R"].bind().listen()
    for actor in actors.values():
        actor.select(EVERYTHING)
    actors["P1"] = admit(actors["R"], actors["L1"])
    actors["P2"] = admit(actors["R"], actors["L2"])
    drain_events(*actors.values())
    return actors


def told(actors: dict[str, Actor]) -> dict[str, list[str]]:
    """Return the events of every socket that has some."""
    found = {name: actor.events() for name, actor in actors.items()}
    return {name: events for name, events in found.items() if events}


@pytest.mark.w(60, 61, 86, 92, 94)
def test_private_messages_are_read_on_their_p(bus: Bus, chat: dict[str, Actor]) -> None:
    leaf, handle = chat["L1"], chat["P1"]
    for _ in range(2):
        leaf.provider.send(leaf.handle, b"psst", bus.now_s, private=True)
        bus.run(1.0)
    assert handle.is_signalled()
    assert told(chat) == {"P1": ["FD_READ"]}
    bus.run(1.0)
    assert told(chat) == {}
    handle.recv()
    assert told(chat) == {"P1": ["FD_READ"]}
    handle.recv()
    assert told(chat) == {}


@pytest.mark.w(61, 86, 92, 95)
def test_room_for_private_messages_is_told_on_p(bus: Bus, chat: dict[str, Actor]) -> None:
    handle = chat["P1"]
    handle.send()
    bus.run(1.0)
    assert told(chat) == {"L1": ["FD_READ"]}
    for _ in range(2):
        with fails(E.WSAEWOULDBLOCK):
            for _ in range(1000):
                handle.send()
        assert told(chat) == {}
        bus.run(1.0)
        while chat["L1"].recv_all():
            bus.run(1.0)
        assert handle.is_signalled()
        found = told(chat)
        assert found.pop("P1") == ["FD_WRITE"]
        assert found.keys() <= {"L1"}
        drain_events(*chat.values())


@pytest.mark.w(96)
@pytest.mark.parametrize("event", [FD_ROUTING_INTERFACE_CHANGE, FD_ADDRESS_LIST_CHANGE, FD_QOS])
def test_an_edge_that_came_too_soon_is_not_made_up_for(bus: Bus, event: NetworkEvent) -> None:
    scene, cell = Scene(bus), CELLS[event, R]
    cell.prepare(scene)
    cell.happen(scene)
    assert scene["R"].events() == [event.name]
    cell.happen(scene)
    assert cell.reenable is not None
    cell.reenable(scene)
    assert scene["R"].events() == []


@pytest.mark.w(98)
def test_codes_are_those_of_the_documents() -> None:
    for event, row in CONTRACT.items():
        assert row.cite
        if event is FD_CLOSE:
            assert {*row.codes} == {*PLAIN_CODES, E.WSAECONNRESET, E.WSAECONNABORTED}
        elif event is not FD_CONNECT:
            assert row.codes == PLAIN_CODES
        assert not {*row.codes} & {E.WSAEALREADY, E.WSAEWOULDBLOCK, E.WSAEINPROGRESS}


@pytest.mark.w(92)
def test_calls_re_enable_what_names_them() -> None:
    assert REENABLED == {
        "join_leaf": (FD_CONNECT,),
        "accept": (FD_ACCEPT,),
        "recv": (FD_READ, FD_OOB),
        "send": (FD_WRITE,),
        "SIO_GET_QOS": (FD_QOS,),
        "SIO_GET_GROUP_QOS": (FD_GROUP_QOS,),
        "SIO_ROUTING_INTERFACE_CHANGE": (FD_ROUTING_INTERFACE_CHANGE,),
        "SIO_ADDRESS_LIST_CHANGE": (FD_ADDRESS_LIST_CHANGE,),
    }
    record = EventRecord(EVERYTHING, 1)
    before = dict(record.phases)
    record.called("close")
    assert record.phases == before


def test_a_kind_that_the_table_leaves_out_is_a_mistake_of_ours(bus: Bus) -> None:
    scene = Scene(bus)
    provider = scene["P1"].provider
    with pytest.raises(AssertionError):
        provider.occur(provider.sockets[scene["P1"].handle], FD_CONNECT)


def test_nobody_is_told_of_anything_without_asking() -> None:
    record = EventRecord()
    assert record.mask == NetworkEvent(0)
    assert not record.occur(FD_READ)


@pytest.mark.w(27)
def test_the_next_join_drops_what_was_not_read_of_the_last() -> None:
    """Everything else that has signalled stays until it is read (D6)."""
    for event, call, left in ((FD_CONNECT, "join_leaf", []), (FD_READ, "recv", [FD_READ])):
        record = EventRecord(event, 1)
        assert record.occur(event)
        record.called(call)
        assert record.recorded() == left
