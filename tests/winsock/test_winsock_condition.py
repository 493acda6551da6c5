"""What a condition function is told and may answer (W46), and the callee data it hands back."""

import threading

import pytest

from mpwire.testing.actor import Actor, fails, leaf_actor, root_actor, waiting_leaf
from mpwire.testing.bus import Bus
from mpwire.vocabulary import Condition, SocketFlag, WsaError
from mpwire.winsock import ConditionArguments
from mpwire.winsock.parameters import MAXIMUM_JOIN_DATA_OCTETS
from mpwire.wire.messages import JoinReq, Qos

E = WsaError
MOST = MAXIMUM_JOIN_DATA_OCTETS


def accepting(actor: Actor, callee_data: bytes | None, seen: list[ConditionArguments]) -> Actor:
    """Accept with callee data and note what the condition function was told."""

    def condition(arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        seen.append(arguments)
        return Condition.ACCEPT, callee_data

    return actor.on(actor.accept_fully(condition).socket)


@pytest.mark.w(46)
def test_a_condition_function_is_told_everything(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    qos = Qos(sending_octets_per_s=10, receiving_octets_per_s=20)
    leaf.provider.join_leaf(
        leaf.handle, root.address, 0.0, caller_data=b"me", callee_capacity=9, sqos=qos
    )
    bus.run(0.1)
    seen: list[tuple[ConditionArguments, int]] = []

    def condition(arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        seen.append((arguments, threading.get_ident()))
        return Condition.ACCEPT, b"you"

    context = object()
    root.provider.accept(root.handle, condition, bus.now_s, context=context)
    told = ConditionArguments(
        address=leaf.address,
        local=root.address,
        caller_data=b"me",
        callee_capacity=9,
        sqos=qos,
        gqos=None,
        group=0,
        context=context,
    )
    assert seen == [(told, threading.get_ident())]
    bus.run(0.1)
    assert leaf.provider.callee_data(leaf.handle) == b"you"


@pytest.mark.w(46)
def test_a_waiting_accept_hands_its_context_on(bus: Bus) -> None:
    root, leaf = root_actor(bus).block(), leaf_actor(bus, 1)
    seen: list[object] = []

    def condition(arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        seen.append(arguments.context)
        return Condition.ACCEPT, None

    root.provider.accept(root.handle, condition, bus.now_s, context="context")
    leaf.join(root)
    bus.run(0.1)
    assert seen == ["context"]


@pytest.mark.w(16, 46)
@pytest.mark.parametrize(
    ("room", "said", "capacity"),
    [(0, 0, 0), (1, 1, 1), (MOST - 1, MOST - 1, MOST - 1), (MOST, None, MOST), (900, None, MOST)],
)
def test_the_joiner_says_how_much_callee_data_it_takes(
    bus: Bus, room: int, said: int | None, capacity: int
) -> None:
    """D39: min(what the provider carries, what the joiner has room for)."""
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root, capacity=room)
    bus.run(0.1)
    asked = bus.trace[0].message
    assert isinstance(asked, JoinReq)
    assert asked.callee_room == said
    seen: list[ConditionArguments] = []
    accepting(root, bytes(capacity), seen)
    assert seen[0].callee_capacity == capacity
    bus.run(0.1)
    assert leaf.provider.callee_data(leaf.handle) == bytes(capacity)


@pytest.mark.w(16, 46)
def test_an_invited_leaf_knows_how_much_callee_data_the_root_takes(bus: Bus) -> None:
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    root.join(leaf, capacity=3)
    bus.run(0.1)
    seen: list[ConditionArguments] = []
    with fails(E.WSAEINVAL):
        accepting(leaf, b"long", seen)
    accepting(leaf, b"abc", seen)
    assert [one.callee_capacity for one in seen] == [3, 3]
    bus.run(0.1)
    assert root.provider.callee_data(root.handle) == b"abc"


@pytest.mark.w(46, 48)
def test_a_bad_answer_decides_nothing(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    assert root.events() == ["FD_ACCEPT"]
    with fails(E.WSAEINVAL):
        root.accept(lambda _arguments: (3, None))  # type: ignore[arg-type,return-value]
    assert root.events() == ["FD_ACCEPT"]
    bus.run(0.1)
    assert leaf.events() == []
    root.accept()


@pytest.mark.w(46)
def test_no_other_call_is_allowed_meanwhile(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)

    def nosy(_arguments: ConditionArguments) -> tuple[Condition, bytes | None]:
        provider = root.provider
        calls = (
            lambda: root.join(("10.0.9.9", 1)),
            root.accept,
            root.send,
            root.recv,
            root.close,
            root.listen,
            root.select,
            root.events,
            root.shutdown,
            lambda: provider.select([root.handle], [], [], 0.0),
            lambda: provider.socket(SocketFlag(0)),
        )
        for call in calls:
            with fails(E.WSAEINPROGRESS):
                call()
        return Condition.ACCEPT, None

    root.accept(nosy)
    bus.run(0.1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]


@pytest.mark.w(48)
@pytest.mark.parametrize(("octets", "fits"), [(0, False), (15, False), (16, True), (100, True)])
def test_the_address_needs_room(bus: Bus, octets: int, *, fits: bool) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.join(root)
    bus.run(0.1)
    if not fits:
        with fails(E.WSAEFAULT):
            root.provider.accept(root.handle, None, bus.now_s, address_octets=octets)
    assert root.accept_fully().address == leaf.address
