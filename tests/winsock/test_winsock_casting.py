"""Rooted sessions whose data goes by IP multicast (protocol.md 11.6)."""

import contextlib
from dataclasses import replace

import pytest

from mpwire.core import Membership
from mpwire.core.address import Address
from mpwire.core.groups import is_source_specific
from mpwire.core.pacing import BURST
from mpwire.testing.actor import C_LEAF, PORT, ROOT_HOST, Actor, admit, drain_events, fails, invite
from mpwire.testing.bus import Bus, Transit
from mpwire.vocabulary import JoinFlag, SocketFlag, WsaError
from mpwire.winsock import SocketError
from mpwire.winsock.protocols import ENTRIES, Protocol
from mpwire.winsock.scope import MultipointIoctl
from mpwire.wire.codec import encode
from mpwire.wire.messages import Accept, Data, Sync
from mpwire.wire.numbers import HeaderFlag
from mpwire.wire.registries import Capability

E = WsaError
C = MultipointIoctl
P = Protocol
GROUP = ("239.255.9.9", 9999)
CASTING = [P.MPW_ROOTED_ASM, P.MPW_ROOTED_SSM, P.MPW_CONFERENCE_ASM]
HOSTS = {4: (ROOT_HOST, "10.0.1."), 6: ("fd00::1", "fd00::1:")}


def root_of(bus: Bus, protocol: Protocol, family: int = 4) -> Actor:
    """Open a root that is not bound yet."""
    data = SocketFlag.D_ROOT if ENTRIES[protocol].data_rooted else SocketFlag.D_LEAF
    provider = bus.provider(HOSTS[family][0])
    return Actor(bus, provider, provider.socket(SocketFlag.C_ROOT | data, family, protocol))


def leaf_of(bus: Bus, protocol: Protocol, number: int, family: int = 4) -> Actor:
    """Open a leaf."""
    provider = bus.provider(f"{HOSTS[family][1]}{number}")
    return Actor(bus, provider, provider.socket(C_LEAF, family, protocol)).select()


def party_of(bus: Bus, protocol: Protocol, count: int, family: int = 4) -> list[Actor]:
    """Bring a root and leaves together; no event is left unread."""
    root = root_of(bus, protocol, family).bind().listen().select()
    leaves = [leaf_of(bus, protocol, number + 1, family) for number in range(count)]
    for leaf in leaves:
        admit(root, leaf)
    drain_events(root, *leaves)
    bus.trace.clear()
    return [root, *leaves]


def group_data(bus: Bus) -> list[Transit]:
    """Return the DATA on the wire that went to groups."""
    return [
        transit
        for transit in bus.trace
        if isinstance(transit.message, Data) and transit.message.flags & HeaderFlag.M
    ]


def unicast_data(bus: Bus) -> list[Transit]:
    """Return the DATA on the wire that went to one receiver."""
    return [
        transit
        for transit in bus.trace
        if isinstance(transit.message, Data) and not transit.message.flags & HeaderFlag.M
    ]


# Down -----------------------------------------------------------------------------------------


@pytest.mark.w(56)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", CASTING)
def test_the_root_sends_each_message_once(bus: Bus, protocol: Protocol, family: int) -> None:
    root, *leaves = party_of(bus, protocol, 3, family)
    for number in range(3):
        root.send(b"%d" % number)
    bus.run(1)
    assert [leaf.recv_all() for leaf in leaves] == [[b"0", b"1", b"2"]] * 3
    sent = group_data(bus)
    assert len(sent) == 3
    assert {transit.copies for transit in sent} == {3}
    assert unicast_data(bus) == []
    (group,) = bus.groups
    assert is_source_specific(group[0]) is (protocol is P.MPW_ROOTED_SSM)
    assert {transit.destination for transit in sent} == {group}


@pytest.mark.w(71)
@pytest.mark.parametrize("seed", range(5))
def test_what_the_group_loses_is_repaired_to_whoever_lost_it(seed: int) -> None:
    bus = Bus(seed=seed)
    root, *leaves = party_of(bus, P.MPW_ROOTED_ASM, 3)
    bus.loss = 0.3
    for number in range(20):
        root.send(b"%d" % number)
    root.close()
    bus.run(100)
    assert [leaf.recv_all() for leaf in leaves] == [[b"%d" % n for n in range(20)]] * 3
    assert all("FD_CLOSE" in leaf.events() for leaf in leaves)
    assert len(group_data(bus)) == 20
    assert bus.groups == {group: {} for group in bus.groups}


@pytest.mark.w(58)
def test_leaves_of_a_rooted_plane_answer_the_root_alone(bus: Bus) -> None:
    root, one, other = party_of(bus, P.MPW_ROOTED_ASM, 2)
    one.send(b"up")
    bus.run(1)
    assert root.recv_all() == [b"up"]
    assert other.recv_all() == []
    assert group_data(bus) == []


@pytest.mark.w(59)
def test_what_the_root_passes_on_goes_to_the_group_once(bus: Bus) -> None:
    root, one, *others = party_of(bus, P.MPW_CONFERENCE_ASM, 3)
    one.send(b"to all")
    bus.run(1)
    assert [leaf.recv_all() for leaf in (root, *others)] == [[b"to all"]] * 3
    assert one.recv_all() == [b"to all"]
    (passed_on,) = group_data(bus)
    data = passed_on.message
    assert isinstance(data, Data)
    assert (data.sender_id, data.hop) == (1, 1)
    assert len(unicast_data(bus)) == 1


# Who hears ------------------------------------------------------------------------------------


@pytest.mark.w(63)
def test_who_only_sends_does_not_join_the_group(bus: Bus) -> None:
    root, receiver = party_of(bus, P.MPW_ROOTED_ASM, 1)
    sender = leaf_of(bus, P.MPW_ROOTED_ASM, 9)
    admit(root, sender, JoinFlag.SENDER_ONLY)
    ((listener, _),) = [(one, None) for hearers in bus.groups.values() for one in hearers]
    assert listener == receiver.address
    root.send(b"x")
    bus.run(1)
    assert sender.events() == []


def test_an_invited_leaf_hears_the_group_as_well(bus: Bus) -> None:
    root = root_of(bus, P.MPW_ROOTED_SSM).bind().select()
    ends = []
    for number in (1, 2):
        waiting = leaf_of(bus, P.MPW_ROOTED_SSM, number).bind().listen()
        ends.append(invite(root, waiting)[1])
    root.send(b"x")
    bus.run(1)
    assert [end.recv_all() for end in ends] == [[b"x"], [b"x"]]
    assert len(group_data(bus)) == 1
    ends[0].close()
    bus.run(1)
    (hearers,) = bus.groups.values()
    assert len(hearers) == 1


def invited_twice(bus: Bus, *groups: Address) -> list[tuple[Actor, Actor]]:
    """Invite one listener into a session for each group; return each root and its A."""
    waiting = leaf_of(bus, P.MPW_ROOTED_ASM, 1).bind().listen()
    provider = bus.provider(ROOT_HOST)
    ends = []
    for port, group in enumerate(groups, 1):
        flags = SocketFlag.C_ROOT | SocketFlag.D_ROOT
        root = Actor(bus, provider, provider.socket(flags, protocol=P.MPW_ROOTED_ASM))
        root.provider.ioctl(root.handle, C.SIO_MPW_GROUP, group, 0.0)
        root.bind(port).select()
        ends.append((root, invite(root, waiting)[1]))
    return ends


@pytest.mark.parametrize("first", [0, 1])
def test_two_sessions_of_one_listener_may_share_a_group(bus: Bus, first: int) -> None:
    ends = invited_twice(bus, GROUP, GROUP)
    for number, (root, _) in enumerate(ends):
        root.send(b"%d" % number)
    bus.run(1)
    assert [end.recv_all() for _, end in ends] == [[b"0"], [b"1"]]
    ends[first][1].close()
    bus.run(1)
    assert len(bus.groups[GROUP]) == 1
    other = ends[1 - first]
    other[0].send(b"still")
    bus.run(1)
    assert other[1].recv_all() == [b"still"]
    other[1].close()
    bus.run(1)
    assert bus.groups[GROUP] == {}


@pytest.mark.parametrize("first", [0, 1])
def test_who_leaves_one_session_goes_on_hearing_the_group_of_another(bus: Bus, first: int) -> None:
    groups = (GROUP, ("239.255.9.10", 9999))
    ends = invited_twice(bus, *groups)
    ends[first][1].close()
    bus.run(1)
    assert bus.groups[groups[first]] == {}
    root, session_end = ends[1 - first]
    root.send(b"still")
    bus.run(1)
    assert session_end.recv_all() == [b"still"]


def test_a_leaf_takes_nothing_but_data_from_the_group(bus: Bus) -> None:
    root, leaf = party_of(bus, P.MPW_ROOTED_ASM, 1)
    root.send(b"x")
    bus.run(1)
    (sent,) = group_data(bus)
    header = {name: getattr(sent.message, name) for name in ("session_id", "destination_tag")}
    sync = Sync(**header, flags=HeaderFlag.M, sender_id=1, origin=1, trail_seq=0, sflags=0)
    endpoint = leaf.provider.endpoints[leaf.address]
    endpoint.receive_untrusted(encode(sync), root.address, sent.destination, bus.now_s)
    assert endpoint.dropped[-1].rule == "R99"
    assert endpoint.datagrams == []


def test_data_of_the_group_that_is_not_the_roots_is_dropped(bus: Bus) -> None:
    root, leaf = party_of(bus, P.MPW_ROOTED_ASM, 1)
    root.send(b"x")
    bus.run(1)
    (sent,) = group_data(bus)
    endpoint = leaf.provider.endpoints[leaf.address]
    endpoint.receive_untrusted(sent.data, ("10.0.9.9", 7), sent.destination, bus.now_s)
    assert endpoint.dropped[-1].rule == "R26 R98"
    assert leaf.recv_all() == [b"x"]


@pytest.mark.parametrize("code", [E.WSAENOBUFS, E.WSAENETDOWN])
def test_a_group_that_cannot_be_joined_fails_the_join(bus: Bus, code: WsaError) -> None:
    bus.refused_groups[GROUP] = code
    root = root_of(bus, P.MPW_ROOTED_ASM)
    root.provider.ioctl(root.handle, C.SIO_MPW_GROUP, GROUP, 0.0)
    root.bind().listen().select()
    leaf = leaf_of(bus, P.MPW_ROOTED_ASM, 1)
    leaf.join(root)
    bus.run(1)
    handle = root.accept()
    bus.run(1)
    shown = E.WSAENOBUFS if code is E.WSAENOBUFS else E.WSAENETUNREACH
    assert leaf.events() == [f"FD_CONNECT {shown.name}"]
    assert handle.events() == ["FD_CLOSE WSAECONNRESET"]
    bus.refused_groups.clear()
    leaf.join(root)
    bus.run(1)
    root.accept()
    bus.run(1)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]


def test_an_invited_leaf_that_cannot_join_the_group_is_aborted(bus: Bus) -> None:
    bus.refused_groups[GROUP] = E.WSAENOBUFS
    root = root_of(bus, P.MPW_ROOTED_ASM)
    root.provider.ioctl(root.handle, C.SIO_MPW_GROUP, GROUP, 0.0)
    root.bind().select()
    waiting = leaf_of(bus, P.MPW_ROOTED_ASM, 1).bind().listen()
    _, session_end = invite(root, waiting)
    with fails(E.WSAECONNABORTED):
        session_end.recv()


def test_without_a_route_for_groups_everybody_gets_a_copy(bus: Bus) -> None:
    bus.unreachable.add(GROUP[0])
    root = root_of(bus, P.MPW_ROOTED_ASM)
    root.provider.ioctl(root.handle, C.SIO_MPW_GROUP, GROUP, 0.0)
    root.bind().listen().select()
    leaf = leaf_of(bus, P.MPW_ROOTED_ASM, 1)
    admit(root, leaf)
    root.send(b"x")
    bus.run(1)
    assert leaf.recv_all() == [b"x"]
    assert group_data(bus) == []


def test_a_leaf_that_cannot_hear_groups_gets_a_copy(bus: Bus) -> None:
    root = root_of(bus, P.MPW_ROOTED_ASM).bind().listen().select()
    hearing, deaf = leaf_of(bus, P.MPW_ROOTED_ASM, 1), leaf_of(bus, P.MPW_ROOTED_ASM, 2).bind()
    endpoint = deaf.provider.endpoints[deaf.address]
    endpoint.profile = replace(endpoint.profile, capabilities=Capability.REPAIR)
    for leaf in (hearing, deaf):
        admit(root, leaf)
    bus.trace.clear()
    root.send(b"x")
    bus.run(1)
    assert [leaf.recv_all() for leaf in (hearing, deaf)] == [[b"x"], [b"x"]]
    assert len(group_data(bus)) == 1
    copies = [(transit.destination, transit.message.attempt) for transit in unicast_data(bus)]
    assert copies == [(deaf.address, 1)]


# The group ------------------------------------------------------------------------------------


def test_the_application_may_name_the_group_and_its_scope(bus: Bus) -> None:
    root = root_of(bus, P.MPW_ROOTED_ASM)
    root.provider.ioctl(root.handle, C.SIO_MPW_GROUP, GROUP, 0.0)
    root.provider.ioctl(root.handle, C.SIO_MULTICAST_SCOPE, 5, 0.0)
    root.bind().listen().select()
    leaf = leaf_of(bus, P.MPW_ROOTED_ASM, 1)
    admit(root, leaf)
    (accept,) = [t.message for t in bus.trace if isinstance(t.message, Accept)]
    assert accept.session_desc is not None
    assert accept.session_desc.hop_limit == 5
    assert accept.session_desc.data_port == GROUP[1]
    assert [*bus.groups] == [GROUP]
    assert bus.reaches[root.address] == bus.reaches[leaf.address] == 5
    for code, value in ((C.SIO_MPW_GROUP, GROUP), (C.SIO_MULTICAST_SCOPE, 1)):
        with fails(E.WSAEINVAL):
            root.provider.ioctl(root.handle, code, value, 0.0)


def test_only_a_group_that_fits_the_protocol_can_be_named(bus: Bus) -> None:
    asm, ssm = root_of(bus, P.MPW_ROOTED_ASM), root_of(bus, P.MPW_ROOTED_SSM)
    for root, host in ((asm, "232.0.7.7"), (ssm, "239.255.7.7")):
        with fails(E.WSAEINVAL):
            root.provider.ioctl(root.handle, C.SIO_MPW_GROUP, (host, 7), 0.0)
    with fails(E.WSAEADDRNOTAVAIL):
        asm.provider.ioctl(asm.handle, C.SIO_MPW_GROUP, ("10.0.0.1", 7), 0.0)
    leaf = leaf_of(bus, P.MPW_ROOTED_ASM, 1)
    with fails(E.WSAEINVAL):
        leaf.provider.ioctl(leaf.handle, C.SIO_MPW_GROUP, GROUP, 0.0)
    ssm.provider.ioctl(ssm.handle, C.SIO_MPW_GROUP, ("232.0.7.7", PORT), 0.0)


# A window that is full ------------------------------------------------------------------------


def test_while_one_receiver_has_no_room_nothing_goes_to_the_group(bus: Bus) -> None:
    _, one, *others = party_of(bus, P.MPW_CONFERENCE_ASM, 3)
    deaf = others[1].address
    bus.judge = lambda transit: transit.source != deaf
    for number in range(40):
        one.send(b"%d" % number)
        others[0].recv_all()
        bus.run(0.01)
        if number == 31:
            before = len(group_data(bus))
    assert before == 32
    assert len(group_data(bus)) == before


# Pace (R87) -----------------------------------------------------------------------------------

ROOTED = [P.MPW_ROOTED_ASM, P.MPW_ROOTED_SSM]


def as_much_as_fits(sender: Actor, limit: int = 10_000) -> list[bytes]:
    """Send until there is no room, or so much; return what was sent."""
    sent: list[bytes] = []
    with contextlib.suppress(SocketError):
        while len(sent) < limit:
            sender.send(b"%d" % len(sent))
            sent.append(b"%d" % len(sent))
    return sent


def flood(bus: Bus, sender: Actor, readers: list[Actor], span_s: float) -> None:
    """Send as much as there is room for, for a while; everybody reads."""
    end_s = bus.now_s + span_s
    while bus.now_s < end_s:
        as_much_as_fits(sender)
        bus.run(0.02)
        for reader in readers:
            reader.recv_all()


def slow_down(root: Actor, rate_pps: int) -> None:
    """Let a session that nobody has joined have a low MaxRate."""
    session = root.provider.endpoints[root.address].session
    assert session is not None
    session.facts.description.max_rate = rate_pps


def losing_to(bus: Bus, loss: float, host: str) -> None:
    """Lose a share of the DATA for one host, by whichever way it comes, and of nothing else."""
    random = bus.random
    copies = {"left": 0}

    def judge(transit: Transit) -> bool:
        if transit.name != "Data":
            return True
        if transit.destination[0] == host:
            return random.random() >= loss
        if transit.destination not in bus.groups:
            return True
        heard = [*bus.groups[transit.destination]]
        place = copies["left"] % len(heard)
        copies["left"] += 1
        return heard[place][0] != host or random.random() >= loss

    bus.judge = judge


@pytest.mark.w(95)
@pytest.mark.parametrize("protocol", ROOTED)
def test_no_more_goes_to_the_group_than_the_session_allows(bus: Bus, protocol: Protocol) -> None:
    root = root_of(bus, protocol).bind().listen().select()
    slow_down(root, 50)
    leaves = [leaf_of(bus, protocol, number) for number in (1, 2)]
    for leaf in leaves:
        admit(root, leaf)
    for _ in range(9):
        root.send(b"open the window")
    bus.run(2)
    for leaf in leaves:
        leaf.recv_all()
    bus.trace.clear()
    root.events()
    sent = as_much_as_fits(root)
    assert len(sent) == 2 * BURST
    bus.flush()
    assert len(group_data(bus)) == BURST
    bus.run(2)
    times_s = [transit.time_s for transit in group_data(bus)]
    assert len(times_s) == len(sent)
    assert times_s[-1] - times_s[0] >= (len(times_s) - BURST) / 50 - 1e-6
    assert [leaf.recv_all() for leaf in leaves] == [sent] * 2
    assert unicast_data(bus) == []
    assert "FD_WRITE" in root.events()


@pytest.mark.w(58, 95)
def test_what_is_relayed_to_the_group_keeps_the_pace_too(bus: Bus) -> None:
    root, one, *others = party_of(bus, P.MPW_CONFERENCE_ASM, 3)
    for member in members(root):
        member.max_rate_pps = 50
    sent = as_much_as_fits(one, 25)
    bus.run(0.1)
    sent += as_much_as_fits(one, 25)
    bus.run(0.05)
    assert BURST <= len(group_data(bus)) < 50
    bus.run(2)
    times_s = [transit.time_s for transit in group_data(bus)]
    assert times_s[-1] - times_s[0] >= (len(times_s) - BURST) / 50 - 0.001
    assert [leaf.recv_all() for leaf in others] == [sent] * 2


@pytest.mark.w(56)
@pytest.mark.parametrize("protocol", CASTING)
def test_the_worst_receiver_sets_the_pace_of_the_group(protocol: Protocol) -> None:
    bus = Bus(seed=2)
    root, *leaves = party_of(bus, protocol, 3)
    for one in members(root):
        assert one.outflow.pacer is not None
        one.max_rate_pps = one.outflow.pacer.maximum_pps = one.outflow.pacer.rate_pps = 250
    sender = root if ENTRIES[protocol].data_rooted else leaves[0]
    losing_to(bus, 0.4, leaves[2].address[0])
    flood(bus, sender, [root, *leaves], 10)
    before = len(group_data(bus))
    flood(bus, sender, [root, *leaves], 4)
    slow = len(group_data(bus)) - before
    assert slow <= 160
    bus.judge = None
    leaves[2].linger(0).close()
    flood(bus, sender, [root, *leaves[:2]], 6)
    before = len(group_data(bus))
    flood(bus, sender, [root, *leaves[:2]], 4)
    assert len(group_data(bus)) - before > 4 * slow


def members(root: Actor) -> list[Membership]:
    """Return the root's ends."""
    session = root.provider.endpoints[root.address].session
    assert session is not None
    return [*session.members.values()]


def held_back(bus: Bus, count: int) -> tuple[Actor, list[Actor], list[bytes]]:
    """Return a root of which so many messages wait for the pace of the group."""
    root, *leaves = party_of(bus, P.MPW_ROOTED_ASM, 2)
    for member in members(root):
        pacer = member.outflow.pacer
        assert pacer is not None
        pacer.rate_pps, pacer.tokens, pacer.filled_s = 4.0, 0.0, bus.now_s
    sent = as_much_as_fits(root, count)
    bus.run(0.1)
    assert group_data(bus) == []
    return root, leaves, sent


def test_what_waits_for_one_receiver_alone_is_not_overtaken_by_the_group(bus: Bus) -> None:
    root, one, other = party_of(bus, P.MPW_ROOTED_ASM, 2)
    endpoint = root.provider.endpoints[root.address]
    first = members(root)[0].outflow.pacer
    assert first is not None
    first.rate_pps, first.tokens, first.filled_s = 4.0, 0.0, bus.now_s
    endpoint.cast, cast = None, endpoint.cast
    root.send(b"to each alone")
    endpoint.cast = cast
    root.send(b"to all")
    bus.run(0.1)
    assert (one.recv_all(), other.recv_all()) == ([], [b"to each alone"])
    bus.run(2)
    assert (one.recv_all(), other.recv_all()) == ([b"to each alone", b"to all"], [b"to all"])
    assert [len(unicast_data(bus)), len(group_data(bus))] == [2, 1]
    assert "Nack" not in bus.names()


def test_who_closes_is_given_alone_what_waited_for_the_group(bus: Bus) -> None:
    _, (one, other), sent = held_back(bus, 3)
    one.shutdown()
    bus.run(3)
    assert (one.recv_all(), other.recv_all()) == (sent, sent)
    assert one.events()[-1] == "FD_CLOSE"
    assert (len(unicast_data(bus)), len(group_data(bus))) == (3, 3)


def test_who_is_gone_is_waited_for_no_more(bus: Bus) -> None:
    _, (one, other), sent = held_back(bus, 3)
    one.linger(0).close()
    bus.run(3)
    assert other.recv_all() == sent
    assert unicast_data(bus) == []


def test_what_waited_for_members_that_are_gone_is_not_sent(bus: Bus) -> None:
    _, leaves, _ = held_back(bus, 3)
    for leaf in leaves:
        leaf.linger(0).close()
    bus.run(5)
    assert group_data(bus) == []


@pytest.mark.w(71)
def test_a_root_closes_when_the_group_has_got_everything(bus: Bus) -> None:
    root, leaves, sent = held_back(bus, 12)
    root.shutdown()
    bus.run(2)
    assert "Close" not in bus.names()
    bus.run(3)
    assert [leaf.recv_all() for leaf in leaves] == [sent] * 2
    assert all(leaf.events()[-1] == "FD_CLOSE" for leaf in leaves)
    assert len(group_data(bus)) == 12


@pytest.mark.w(71)
@pytest.mark.parametrize("loss", [0.1, 0.25, 0.3, 0.4])
@pytest.mark.parametrize("protocol", ROOTED)
def test_the_group_loses_nothing_before_a_graceful_close(protocol: Protocol, loss: float) -> None:
    bus = Bus(seed=4, traced=False)
    root, *leaves = party_of(bus, protocol, 3)
    random = bus.random
    bus.judge = lambda transit: transit.name != "Data" or random.random() >= loss
    got: list[list[bytes]] = [[] for _ in leaves]
    count = 0
    for _ in range(200):
        count += len(as_much_as_fits(root, 30))
        bus.run(0.05)
        for leaf, messages in zip(leaves, got, strict=True):
            messages.extend(leaf.recv_all())
    root.shutdown()
    for _ in range(60):
        bus.run(2)
        for leaf, messages in zip(leaves, got, strict=True):
            messages.extend(leaf.recv_all())
    assert [len(messages) for messages in got] == [count] * 3
    assert all(leaf.events()[-1] == "FD_CLOSE" for leaf in leaves)
