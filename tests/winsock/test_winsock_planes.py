"""Who reads what whom sends, for every combination of planes and roles (semantics 3, W56-W59)."""

import pytest

from mpwire.testing.actor import C_LEAF, PORT, ROOT_HOST, Actor, admit, drain_events, fails
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock.protocols import ENTRIES, Protocol
from mpwire.winsock.scope import MultipointIoctl

E = WsaError
F = SocketFlag
P = Protocol
BOTH, SEND, RECEIVE = JoinFlag.BOTH, JoinFlag.SENDER_ONLY, JoinFlag.RECEIVER_ONLY
ROOTED = [P.MPW_ROOTED, P.MPW_ROOTED_ASM, P.MPW_ROOTED_SSM, P.MPW_DIALOGUE]
CONFERENCES = [P.MPW_CONFERENCE, P.MPW_CONFERENCE_ASM]


class Table:
    """A root R and leaves; whoever sends says who it is."""

    def __init__(self, bus: Bus, protocol: Protocol, root_data: SocketFlag) -> None:
        self.bus, self.protocol = bus, protocol
        provider = bus.provider(ROOT_HOST)
        handle = provider.socket(F.C_ROOT | root_data, protocol=protocol)
        self.sockets = {"R": Actor(bus, provider, handle).bind().listen().select()}

    @property
    def root(self) -> Actor:
        """Return R."""
        return self.sockets["R"]

    def leaf(self, flags: SocketFlag = C_LEAF) -> Actor:
        """Open a leaf that has not joined."""
        provider = self.bus.provider(f"10.0.1.{len(self.sockets)}")
        return Actor(self.bus, provider, provider.socket(flags, protocol=self.protocol)).select()

    def add(self, name: str, flags: SocketFlag = C_LEAF, direction: JoinFlag = BOTH) -> Actor:
        """Let a leaf join."""
        self.sockets[name] = self.leaf(flags)
        admit(self.root, self.sockets[name], direction)
        drain_events(*self.sockets.values())
        return self.sockets[name]

    def heard(self, *senders: str) -> dict[str, list[str]]:
        """Let sockets send; return what each socket reads, if anything."""
        for name in senders:
            self.sockets[name].send(name.encode())
        self.bus.run(1)
        read = {
            name: sorted(message.decode() for message in actor.recv_all())
            for name, actor in self.sockets.items()
            if actor.provider.sockets[actor.handle].queue
        }
        drain_events(*self.sockets.values())
        return read


# Rooted data, the c_root is the d_root ----------------------------------------------------------


@pytest.mark.w(56, 57, 58)
@pytest.mark.parametrize("protocol", ROOTED)
def test_a_d_root_speaks_with_all_and_nobody_else_with_another(
    bus: Bus, protocol: Protocol
) -> None:
    table = Table(bus, protocol, F.D_ROOT)
    for name in ("1", "2"):
        table.add(name)
    assert table.heard("R", "1", "2") == {"R": ["1", "2"], "1": ["R"], "2": ["R"]}


@pytest.mark.w(14, 62)
@pytest.mark.parametrize("protocol", [*ROOTED, *CONFERENCES])
def test_one_way_leaves_do_what_they_said(bus: Bus, protocol: Protocol) -> None:
    table = Table(bus, protocol, F.D_ROOT if ENTRIES[protocol].data_rooted else F.D_LEAF)
    sender, receiver = table.add("s", direction=SEND), table.add("r", direction=RECEIVE)
    for code, call in ((E.WSAEOPNOTSUPP, sender.recv), (E.WSAEOPNOTSUPP, receiver.send)):
        with fails(code):
            call()
    read = table.heard("R", "s")
    passed_on = protocol in CONFERENCES
    assert read["r"] == (["R", "s"] if passed_on else ["R"])
    assert "s" not in read
    assert read["R"] == (["R", "s"] if passed_on else ["s"])


# Rooted data, a leaf is the d_root --------------------------------------------------------------


@pytest.mark.w(5, 56, 57, 58)
@pytest.mark.parametrize("protocol", ROOTED)
def test_a_leaf_can_be_the_d_root(bus: Bus, protocol: Protocol) -> None:
    table = Table(bus, protocol, F.D_LEAF)
    table.add("d", F.C_LEAF | F.D_ROOT)
    for name in ("1", "2"):
        table.add(name)
    assert table.heard("d") == {"R": ["d"], "1": ["d"], "2": ["d"]}
    assert table.heard("R") == {"d": ["R"]}
    assert table.heard("1", "2") == {"d": ["1", "2"]}


@pytest.mark.w(56, 95)
def test_a_root_that_is_a_d_leaf_has_nobody_to_send_to_until_the_d_root_joins(bus: Bus) -> None:
    table = Table(bus, P.MPW_ROOTED, F.D_LEAF)
    leaf = table.leaf()
    leaf.join(table.root)
    bus.run(1)
    table.root.accept()
    bus.run(1)
    assert table.root.events() == ["FD_ACCEPT"]
    with fails(E.WSAENOTCONN):
        table.root.send()
    leaf.send(b"to nobody")
    d_root = table.leaf(F.C_LEAF | F.D_ROOT)
    table.sockets["d"] = d_root
    d_root.join(table.root)
    bus.run(1)
    table.root.accept()
    bus.run(1)
    assert "FD_WRITE" in table.root.events()
    assert table.heard("R") == {"d": ["R"]}


@pytest.mark.parametrize("root_data", [F.D_ROOT, F.D_LEAF])
def test_a_second_d_root_is_refused(bus: Bus, root_data: SocketFlag) -> None:
    table = Table(bus, P.MPW_ROOTED, root_data)
    if root_data is F.D_LEAF:
        table.add("d", F.C_LEAF | F.D_ROOT)
    second = table.leaf(F.C_LEAF | F.D_ROOT)
    second.join(table.root)
    bus.run(1)
    assert second.events() == ["FD_CONNECT WSAECONNREFUSED"]
    assert table.root.events() == []


def test_two_that_would_be_d_root_do_not_wait_side_by_side(bus: Bus) -> None:
    table = Table(bus, P.MPW_ROOTED, F.D_LEAF)
    first, second = table.leaf(F.C_LEAF | F.D_ROOT), None
    first.join(table.root)
    bus.run(1)
    table.sockets["1"] = first
    second = table.leaf(F.C_LEAF | F.D_ROOT)
    second.join(table.root)
    bus.run(1)
    assert second.events() == ["FD_CONNECT WSAECONNREFUSED"]
    first.close()
    bus.run(100)
    second.join(table.root)
    bus.run(1)
    assert second.events() == []


def test_a_d_root_joins_of_its_own_accord(bus: Bus) -> None:
    table = Table(bus, P.MPW_ROOTED, F.D_LEAF)
    leaf = table.leaf(F.C_LEAF | F.D_ROOT).bind()
    with fails(E.WSAEOPNOTSUPP):
        leaf.listen()
    atm = bus.provider("10.0.1.77")
    for flags in (F.C_ROOT | F.D_LEAF, F.C_LEAF | F.D_ROOT):
        socket = Actor(bus, atm, atm.socket(flags, protocol=P.MPW_ATM)).select()
        with fails(E.WSAEOPNOTSUPP):
            socket.join((ROOT_HOST, PORT))


@pytest.mark.w(71)
@pytest.mark.parametrize("seed", range(5))
def test_what_a_leaf_that_is_d_root_sends_arrives_on_lossy_paths(seed: int) -> None:
    bus = Bus(seed=seed)
    table = Table(bus, P.MPW_ROOTED, F.D_LEAF)
    d_root = table.add("d", F.C_LEAF | F.D_ROOT)
    for name in ("1", "2"):
        table.add(name)
    bus.loss = 0.2
    for number in range(20):
        d_root.send(b"%d" % number)
        table.sockets["1"].send(b"up %d" % number)
    bus.run(60)
    wanted = [b"%d" % number for number in range(20)]
    assert [table.sockets[name].recv_all() for name in ("R", "1", "2")] == [wanted] * 3
    assert d_root.recv_all() == [b"up %d" % number for number in range(20)]


# Nonrooted data under a root --------------------------------------------------------------------


@pytest.mark.w(59, 65)
@pytest.mark.parametrize("protocol", CONFERENCES)
def test_everybody_speaks_with_everybody(bus: Bus, protocol: Protocol) -> None:
    table = Table(bus, protocol, F.D_LEAF)
    for name in ("1", "2"):
        table.add(name)
    everything = ["1", "2", "R"]
    assert table.heard("R", "1", "2") == dict.fromkeys(("R", "1", "2"), everything)
    for actor in table.sockets.values():
        code = MultipointIoctl.SIO_MULTIPOINT_LOOPBACK
        actor.provider.ioctl(actor.handle, code, False, bus.now_s)
    assert table.heard("R", "1", "2") == {"R": ["1", "2"], "1": ["2", "R"], "2": ["1", "R"]}
