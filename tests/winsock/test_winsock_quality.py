"""Flow specifications: asked for, refused, shown, and watched (W17, W96)."""

import pytest

from mpwire.testing.actor import (
    PORT,
    ROOT_HOST,
    Actor,
    admit,
    fails,
    invite,
    leaf_actor,
    lonely_root,
    root_actor,
    waiting_leaf,
)
from mpwire.testing.bus import ALL_EVENTS, Bus
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.contract import FD_QOS
from mpwire.winsock.parameters import check_qos
from mpwire.winsock.protocols import ENTRIES, Protocol
from mpwire.winsock.quality import NO_DEMAND
from mpwire.wire.messages import JoinReq, Qos

E = WsaError
LIMIT = ENTRIES[Protocol.MPW_ROOTED].capacity_octets_per_s


def qos(sending: int, receiving: int) -> Qos:
    return Qos(sending_octets_per_s=sending, receiving_octets_per_s=receiving)


def join(asker: Actor, asked: Actor, sqos: Qos | None, flags: JoinFlag = JoinFlag.BOTH) -> Actor:
    """Start a join with a flow specification."""
    value = asker.provider.join_leaf(
        asker.handle, asked.address, asker.bus.now_s, flags=flags, sqos=sqos
    )
    assert isinstance(value, int)
    return asker.on(value)


def asked_for(bus: Bus) -> list[Qos | None]:
    """Return what the JOIN_REQs on the bus ask for, one per attempt."""
    requests = [one.message for one in bus.trace]
    return [
        one.qos
        for one in requests
        if isinstance(one, JoinReq) and one.attempt == 1 and one.cookie is None
    ]


def agreed(actor: Actor) -> Qos:
    return actor.provider.get_qos(actor.provider.sockets[actor.handle])


def state(actor: Actor, value: object) -> None:
    actor.provider.set_qos(actor.provider.sockets[actor.handle], value)


@pytest.mark.w(17)
def test_a_join_asks_for_its_flow_specification_and_no_other(bus: Bus) -> None:
    root, leaf, other = root_actor(bus), leaf_actor(bus, 1), leaf_actor(bus, 2)
    join(leaf, root, qos(10, 20))
    join(other, root, None)
    bus.run(0.1)
    assert asked_for(bus) == [qos(10, 20), None]
    root.accept()
    bus.run(0.1)
    assert agreed(leaf) == qos(10, 20)
    assert agreed(other) == NO_DEMAND


@pytest.mark.w(17)
def test_a_join_overrides_what_was_stated_before(bus: Bus) -> None:
    root, leaf, other = root_actor(bus), leaf_actor(bus, 1), leaf_actor(bus, 2)
    state(leaf, qos(1, 2))
    state(other, qos(1, 2))
    join(leaf, root, qos(10, 20))
    join(other, root, None)
    bus.run(0.1)
    assert asked_for(bus) == [qos(10, 20), qos(1, 2)]


@pytest.mark.w(17)
@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        (JoinFlag.BOTH, qos(LIMIT + 1, LIMIT + 1)),
        (JoinFlag.SENDER_ONLY, qos(LIMIT + 1, 0)),
        (JoinFlag.RECEIVER_ONLY, qos(0, LIMIT + 1)),
    ],
)
def test_what_the_network_cannot_carry_is_not_asked_for(
    bus: Bus, flag: JoinFlag, expected: Qos
) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    with fails(E.WSAEOPNOTSUPP):
        join(leaf, root, expected, flag)
    bus.run(1.0)
    assert bus.trace == []
    assert root.events() == []
    assert leaf.events() == []


@pytest.mark.w(17)
@pytest.mark.parametrize(
    ("flag", "stated", "expected"),
    [
        (JoinFlag.SENDER_ONLY, qos(5, LIMIT + 1), qos(5, 0)),
        (JoinFlag.RECEIVER_ONLY, qos(LIMIT + 1, 5), qos(0, 5)),
    ],
)
def test_the_direction_that_is_left_out_does_not_count(
    bus: Bus, flag: JoinFlag, stated: Qos, expected: Qos
) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    join(leaf, root, stated, flag)
    bus.run(0.1)
    assert asked_for(bus) == [expected]


@pytest.mark.w(17)
@pytest.mark.parametrize("initiator", ["L", "R"])
def test_whoever_is_asked_refuses_what_its_network_cannot_carry(bus: Bus, initiator: str) -> None:
    if initiator == "L":
        asker, asked = leaf_actor(bus, 1), root_actor(bus)
    else:
        asker, asked = lonely_root(bus), waiting_leaf(bus, 1)
    asked.provider.capacity_changed(asked.address[0], 100)
    join(asker, asked, qos(0, 101))
    bus.run(0.1)
    assert asker.events() == ["FD_CONNECT WSAEOPNOTSUPP"]
    assert asker.provider.socket_error(asker.handle) is E.WSAEOPNOTSUPP
    assert asked.events() == []
    join(asker, asked, qos(0, 100))
    bus.run(0.1)
    assert asked.events() == ["FD_ACCEPT"]


@pytest.mark.w(17)
def test_an_invited_leaf_has_the_mirror_image(bus: Bus) -> None:
    root, leaf = lonely_root(bus), waiting_leaf(bus, 1)
    join(root, leaf, qos(10, 20))
    bus.run(0.1)
    session_end = leaf.accept()
    assert agreed(session_end) == qos(20, 10)
    assert agreed(root) == qos(10, 20)


@pytest.mark.w(17)
@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (Protocol.MPW_ATM, [qos(10, 0), qos(10, 0)]),
        (Protocol.MPW_ROOTED, [qos(10, 20), qos(30, 40)]),
    ],
)
def test_on_atm_the_first_leaf_settles_it_for_all(
    bus: Bus, protocol: Protocol, expected: list[Qos]
) -> None:
    provider = bus.provider(ROOT_HOST)
    flags = SocketFlag.C_ROOT | SocketFlag.D_ROOT
    root = Actor(bus, provider, provider.socket(flags, protocol=protocol)).bind().select()
    for number, wanted in ((1, qos(10, 20)), (2, qos(30, 40))):
        there = bus.provider(f"10.0.1.{number}")
        flags = SocketFlag.C_LEAF | SocketFlag.D_LEAF
        leaf = Actor(bus, there, there.socket(flags, protocol=protocol)).bind().select().listen()
        join(root, leaf, wanted)
        bus.run(0.1)
        leaf.accept()
        bus.run(0.1)
    assert asked_for(bus) == expected


# SIO_SET_QOS, SIO_GET_QOS ---------------------------------------------------------------------


@pytest.mark.w(17, 104)
def test_only_flow_specifications_that_can_be_met_are_stated(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    state(leaf, qos(LIMIT, LIMIT))
    for value, code in (
        (qos(LIMIT + 1, 0), E.WSAEOPNOTSUPP),
        (qos(-1, 0), E.WSAEINVAL),
        (qos(0, 2**32), E.WSAEINVAL),
        ((1, 2), E.WSAEFAULT),
        (None, E.WSAEFAULT),
    ):
        with fails(code):
            state(leaf, value)
    assert agreed(leaf) == qos(LIMIT, LIMIT)
    handle = admit(root, leaf_actor(bus, 2))
    plain = leaf.on(leaf.provider.socket(SocketFlag(0)))
    for actor in (handle, plain):
        with fails(E.WSAEINVAL):
            agreed(actor)
        with fails(E.WSAEINVAL):
            state(actor, NO_DEMAND)


@pytest.mark.w(103, 104)
@pytest.mark.parametrize(
    ("value", "code"), [(7, E.WSAEFAULT), (qos(2**32, 0), E.WSAEINVAL)], ids=str
)
def test_a_join_takes_nothing_else_for_a_flow_specification(
    bus: Bus, value: object, code: WsaError
) -> None:
    leaf = leaf_actor(bus, 1)
    with fails(code):
        leaf.provider.join_leaf(leaf.handle, ("10.0.0.1", PORT), 0.0, sqos=value)  # type: ignore[arg-type]


# FD_QOS ---------------------------------------------------------------------------------------


@pytest.mark.w(92, 96)
@pytest.mark.parametrize("kind", ["L", "R", "A"])
def test_a_change_is_told_once_and_the_next_one_after_asking(bus: Bus, kind: str) -> None:
    root, leaf = root_actor(bus), waiting_leaf(bus, 1)
    if kind == "L":
        watched = leaf_actor(bus, 2)
        join(watched, root, qos(1000, 1000))
        bus.run(0.1)
        root.accept()
    else:
        join(root, leaf, qos(1000, 1000))
        bus.run(0.1)
        session_end = leaf.accept()
        watched = root if kind == "R" else session_end
    bus.run(0.1)
    watched.select(ALL_EVENTS | FD_QOS)
    watched.events()
    network = (watched.provider, watched.address[0])
    provider, host = network
    provider.signalled.clear()
    provider.capacity_changed(host, 500)
    assert watched.is_signalled()
    assert watched.events() == ["FD_QOS"]
    provider.capacity_changed(host, 400)
    assert watched.events() == []
    assert agreed(watched) == qos(400, 400)
    assert watched.events() == []
    provider.capacity_changed(host, 400)
    assert watched.events() == []
    provider.capacity_changed(host, None)
    assert watched.events() == ["FD_QOS"]
    assert agreed(watched) == qos(1000, 1000)
    provider.capacity_changed(host, LIMIT)
    assert watched.events() == []


@pytest.mark.w(96)
def test_a_change_that_concerns_nobody_is_not_told(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    unbound, pending = leaf_actor(bus, 2), leaf_actor(bus, 3)
    admit(root, leaf)
    handle, session_end = invite(root, waiting_leaf(bus, 4))
    state(unbound, qos(10, 10))
    join(pending, root, qos(10, 10))
    everybody = (root, leaf, unbound, pending, handle, session_end)
    for actor in everybody:
        actor.select(FD_QOS)
        for host in ("10.0.1.2", "10.0.1.3", "10.0.1.9", leaf.address[0], ROOT_HOST):
            actor.provider.capacity_changed(host, 5)
        assert actor.events() == []


@pytest.mark.w(17)
def test_a_socket_bound_later_knows_what_its_network_carries(bus: Bus) -> None:
    root, leaf = root_actor(bus), leaf_actor(bus, 1)
    leaf.provider.capacity_changed("10.0.1.1", 50)
    leaf.bind()
    with fails(E.WSAEOPNOTSUPP):
        join(leaf, root, qos(51, 0))
    join(leaf, root, qos(50, 0))


def test_a_rate_has_thirty_two_bits() -> None:
    highest = qos((1 << 32) - 1, (1 << 32) - 1)
    assert check_qos(highest) is highest
    with fails(E.WSAEINVAL):
        check_qos(qos(1 << 32, 0))
