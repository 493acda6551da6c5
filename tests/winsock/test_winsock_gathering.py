"""Sessions without a control root, on the virtual clock (W52-W55, W59, W63, W65, W99)."""

import pytest

from mpwire.testing.actor import C_LEAF, NOBODY, Actor, drain_events, fails
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock.protocols import Protocol
from mpwire.winsock.scope import MultipointIoctl
from mpwire.wire.messages import Announce, Data
from mpwire.wire.numbers import MAX_PAYLOAD_OCTETS
from mpwire.wire.registries import AnnounceKind, LeafDirection

E = WsaError
C = MultipointIoctl
GROUP = ("239.255.7.7", 7777)
GROUP_IPV6 = ("ff15::7:7", 7777)
SSM_GROUP = ("232.0.7.7", 7777)
D_ROOT = SocketFlag.C_LEAF | SocketFlag.D_ROOT


def open_socket(
    bus: Bus,
    number: int,
    protocol: Protocol = Protocol.MPW_OPEN,
    flags: SocketFlag = C_LEAF,
    family: int = 4,
) -> Actor:
    """Open a socket of a nonrooted protocol on a host of its own."""
    host = f"10.0.2.{number}" if family == 4 else f"fd00::{number}"
    provider = bus.providers.get(host) or bus.provider(host)
    return Actor(bus, provider, provider.socket(flags, family, protocol)).select()


def set_option(actor: Actor, code: int, value: object) -> None:
    """Set what an ioctl sets."""
    assert actor.provider.ioctl(actor.handle, code, value, actor.bus.now_s) == 0


def gather(bus: Bus, count: int, group: tuple[str, int] = GROUP) -> list[Actor]:
    """Let sockets join the open session of a group; no event is left unread."""
    family = 6 if ":" in group[0] else 4
    members = [open_socket(bus, number + 1, family=family) for number in range(count)]
    for member in members:
        member.join(group)
    bus.run(3)
    drain_events(*members)
    return members


def collect(bus: Bus, leaves: int) -> list[Actor]:
    """Let a d_root and d_leafs gather; no event is left unread."""
    members = [open_socket(bus, 1, Protocol.MPW_COLLECT, D_ROOT)]
    members += [open_socket(bus, number + 2, Protocol.MPW_COLLECT) for number in range(leaves)]
    for member in members:
        member.join(GROUP)
    bus.run(3)
    drain_events(*members)
    return members


def kinds(bus: Bus) -> list[int]:
    """Return the kinds of announcements on the wire so far."""
    said = [transit.message for transit in bus.trace]
    return [message.kind for message in said if isinstance(message, Announce)]


# Joining --------------------------------------------------------------------------------------


@pytest.mark.w(11, 23, 52, 53)
def test_a_join_needs_nobody_and_is_complete_at_once(bus: Bus) -> None:
    member = open_socket(bus, 1)
    assert member.join(GROUP).handle == member.handle
    assert member.events() == ["FD_CONNECT", "FD_WRITE"]
    bus.run(10)
    assert member.events() == []
    assert member.address == ("10.0.2.1", 61000)
    assert member.peer == GROUP
    assert kinds(bus) == [AnnounceKind.JOIN] * 3


@pytest.mark.w(20, 53)
def test_a_blocking_join_is_complete_when_it_returns(bus: Bus) -> None:
    member = open_socket(bus, 1).block()
    assert member.join(GROUP).handle == member.handle
    member.send()
    assert member.recv() == b"hello"


@pytest.mark.w(30, 55)
def test_a_socket_is_in_one_session(bus: Bus) -> None:
    (member,) = gather(bus, 1)
    for group in (GROUP, ("239.255.7.8", 7777)):
        with fails(E.WSAEISCONN):
            member.join(group)


@pytest.mark.w(12, 15)
def test_only_groups_can_be_joined_and_nobody_takes_caller_data(bus: Bus) -> None:
    member = open_socket(bus, 1)
    for address in (NOBODY, (GROUP[0], 0)):
        with fails(E.WSAEADDRNOTAVAIL):
            member.join(address)
    with fails(E.WSAEAFNOSUPPORT):
        member.join(GROUP_IPV6)
    with fails(E.WSAEPROTONOSUPPORT):
        member.join(GROUP, caller_data=b"hello")
    with fails(E.WSAEINVAL):
        member.join(GROUP, flags=3)
    member.join(GROUP)


@pytest.mark.w(18, 22, 104)
def test_a_join_that_no_datagram_can_leave_for_fails_by_event(bus: Bus) -> None:
    member = open_socket(bus, 1)
    bus.unreachable.add(GROUP[0])
    member.join(GROUP)
    assert member.events() == ["FD_CONNECT WSAENETUNREACH"]
    assert member.provider.socket_error(member.handle) is E.WSAENETUNREACH
    member.block()
    with fails(E.WSAENETUNREACH):
        member.join(GROUP)
    bus.unreachable.clear()
    member.select().join(GROUP)
    assert member.events() == ["FD_CONNECT", "FD_WRITE"]


def test_what_the_call_itself_finds_wrong_is_no_event(bus: Bus) -> None:
    member = open_socket(bus, 1)
    member.provider.bind(member.handle, ("0.0.0.0", 7777))
    bus.refused_groups[GROUP] = E.WSAEADDRINUSE
    with fails(E.WSAEADDRINUSE):
        member.join(GROUP)
    bus.refused_groups[GROUP] = E.WSAENOBUFS
    member.join(GROUP)
    assert member.events() == ["FD_CONNECT WSAENOBUFS"]


# Data -----------------------------------------------------------------------------------------


@pytest.mark.w(55, 59)
@pytest.mark.parametrize("group", [GROUP, GROUP_IPV6])
def test_everybody_hears_everybody(bus: Bus, group: tuple[str, int]) -> None:
    members = gather(bus, 3, group)
    for number, member in enumerate(members):
        member.send(b"from %d" % number)
    bus.run(1)
    wanted = [b"from 0", b"from 1", b"from 2"]
    assert [sorted(member.recv_all()) for member in members] == [wanted] * 3
    destinations = {transit.destination for transit in bus.trace}
    assert destinations == {group}


@pytest.mark.w(59)
def test_who_joins_late_hears_members_that_have_not_announced_themselves_since(bus: Bus) -> None:
    (early,) = gather(bus, 1)
    late = open_socket(bus, 2)
    late.join(GROUP)
    early.send(b"after")
    bus.run(1)
    assert late.recv_all() == [b"after"]


@pytest.mark.w(55)
def test_other_groups_ports_and_names_are_other_sessions(bus: Bus) -> None:
    (member,) = gather(bus, 1)
    others = [open_socket(bus, number) for number in (2, 3, 4)]
    set_option(others[2], C.SIO_MPW_SESSION_NAME, "another")
    for other, group in zip(others, [("239.255.7.8", 7777), (GROUP[0], 7778), GROUP], strict=True):
        other.join(group)
    member.send(b"x")
    bus.run(1)
    assert [other.recv_all() for other in others] == [[], [], []]
    with fails(E.WSAEINVAL):
        set_option(others[2], C.SIO_MPW_SESSION_NAME, "too late")


@pytest.mark.w(62)
def test_who_only_receives_does_not_send(bus: Bus) -> None:
    (sender,) = gather(bus, 1)
    receiver = open_socket(bus, 2)
    receiver.join(GROUP, JoinFlag.RECEIVER_ONLY)
    assert receiver.events() == ["FD_CONNECT"]
    with fails(E.WSAEOPNOTSUPP):
        receiver.send()
    sender.send()
    bus.run(1)
    assert receiver.recv() == b"hello"
    with fails(E.WSAEINVAL):
        receiver.shutdown(ShutdownHow.SEND)


@pytest.mark.w(62, 63)
def test_who_only_sends_joins_no_group(bus: Bus) -> None:
    (receiver,) = gather(bus, 1)
    sender = open_socket(bus, 2)
    sender.join(GROUP, JoinFlag.SENDER_ONLY)
    assert sender.events() == ["FD_CONNECT", "FD_WRITE"]
    assert [*bus.groups[GROUP]] == [receiver.address]
    sender.send()
    bus.run(1)
    assert receiver.recv() == b"hello"
    receiver.send(b"not for the sender")
    bus.run(1)
    assert sender.events() == []
    with fails(E.WSAEOPNOTSUPP):
        sender.recv()
    sender.close()


def test_a_message_that_does_not_fit_is_refused(bus: Bus) -> None:
    (member,) = gather(bus, 1)
    member.send(bytes(MAX_PAYLOAD_OCTETS))
    with fails(E.WSAEMSGSIZE):
        member.send(bytes(MAX_PAYLOAD_OCTETS + 1))


@pytest.mark.w(102)
def test_a_member_can_be_written_to_and_read_when_something_waits(bus: Bus) -> None:
    one, other = gather(bus, 2)
    assert one.provider.is_writable(one.provider.sockets[one.handle])
    other.send()
    bus.run(1)
    assert one.provider.is_readable(one.provider.sockets[one.handle])


# Leaving --------------------------------------------------------------------------------------


@pytest.mark.w(54, 99)
def test_nobody_is_told_of_a_member_that_leaves(bus: Bus) -> None:
    members = gather(bus, 3)
    bus.trace.clear()
    members[1].close()
    bus.run(5)
    members[0].send()
    bus.run(1)
    assert members[0].events() == members[2].events() == ["FD_READ"]
    assert kinds(bus) == [AnnounceKind.LEAVE] * 2
    assert len(bus.groups[GROUP]) == 2
    assert bus.providers["10.0.2.2"].endpoints == {}


@pytest.mark.w(54, 99)
def test_nobody_is_told_of_a_member_that_vanishes(bus: Bus) -> None:
    one, other = gather(bus, 2)
    del bus.providers["10.0.2.2"]
    bus.run(300)
    assert one.events() == []
    assert other.handle


@pytest.mark.w(78, 79, 99)
def test_shutdown_is_a_matter_of_this_socket_alone(bus: Bus) -> None:
    one, other = gather(bus, 2)
    bus.trace.clear()
    one.shutdown(ShutdownHow.SEND)
    with fails(E.WSAESHUTDOWN):
        one.send()
    other.send(b"still")
    bus.run(1)
    assert one.recv_all() == [b"still"]
    one.shutdown(ShutdownHow.RECEIVE)
    other.send(b"again")
    bus.run(1)
    with fails(E.WSAESHUTDOWN):
        one.recv()
    assert other.recv_all() == [b"still", b"again"]
    assert one.events() == ["FD_READ"]
    assert {transit.name for transit in bus.trace} == {"Data"}


@pytest.mark.w(83)
def test_closing_ends_a_receive_that_waits(bus: Bus) -> None:
    (member,) = gather(bus, 1)
    member.block()
    waiting = member.start_recv()
    member.close()
    assert member.outcome(waiting) is E.WSA_OPERATION_ABORTED


# Loopback and scope ---------------------------------------------------------------------------


@pytest.mark.w(65)
def test_members_hear_themselves_unless_told_not_to(bus: Bus) -> None:
    one, other = gather(bus, 2)
    one.send(b"one")
    assert one.events() == ["FD_READ"]
    assert one.recv_all() == [b"one"]
    set_option(one, C.SIO_MULTIPOINT_LOOPBACK, False)
    one.send(b"two")
    other.send(b"three")
    bus.run(1)
    assert one.recv_all() == [b"three"]
    assert sorted(other.recv_all()) == [b"one", b"three", b"two"]


@pytest.mark.w(65)
def test_a_scope_of_zero_keeps_everything_on_the_host(bus: Bus) -> None:
    (far,) = gather(bus, 1)
    inner = [open_socket(bus, 2), open_socket(bus, 2)]
    bus.trace.clear()
    for member in inner:
        set_option(member, C.SIO_MULTICAST_SCOPE, 0)
        member.join(GROUP)
        assert member.events() == ["FD_CONNECT", "FD_WRITE"]
    inner[0].send(b"inside")
    bus.run(1)
    assert inner[1].recv_all() == [b"inside"]
    assert far.events() == []
    assert bus.trace == []
    set_option(inner[0], C.SIO_MULTICAST_SCOPE, 4)
    inner[0].send(b"outside")
    far.send(b"from far")
    bus.run(1)
    assert far.recv_all() == [b"from far", b"outside"]
    assert inner[0].recv_all() == [b"inside", b"outside", b"from far"]
    assert inner[1].recv_all() == []


@pytest.mark.w(65)
def test_the_scope_of_a_sender_can_be_changed_at_any_time(bus: Bus) -> None:
    (receiver,) = gather(bus, 1)
    sender = open_socket(bus, 2)
    set_option(sender, C.SIO_MULTICAST_SCOPE, 2)
    sender.join(GROUP, JoinFlag.SENDER_ONLY)
    set_option(sender, C.SIO_MULTICAST_SCOPE, 0)
    sender.send(b"not heard")
    bus.run(1)
    assert receiver.events() == []


@pytest.mark.w(65)
def test_ioctls_need_a_socket_that_they_fit(bus: Bus) -> None:
    rooted = open_socket(bus, 1, Protocol.MPW_ROOTED)
    root = open_socket(bus, 1, Protocol.MPW_CONFERENCE, SocketFlag.C_ROOT | SocketFlag.D_LEAF)
    collecting = open_socket(bus, 1, Protocol.MPW_COLLECT)
    d_root = open_socket(bus, 1, Protocol.MPW_COLLECT, D_ROOT)
    open_one = open_socket(bus, 1)
    for misfit in (rooted, collecting, d_root):
        with fails(E.WSAEINVAL):
            set_option(misfit, C.SIO_MULTIPOINT_LOOPBACK, True)
    for misfit in (rooted, root):
        with fails(E.WSAEINVAL):
            set_option(misfit, C.SIO_MULTICAST_SCOPE, 1)
        with fails(E.WSAEINVAL):
            set_option(misfit, C.SIO_MPW_ORIGINS, [])
    set_option(root, C.SIO_MULTIPOINT_LOOPBACK, False)
    for code, value in (
        (C.SIO_MULTIPOINT_LOOPBACK, 1),
        (C.SIO_MULTICAST_SCOPE, -1),
        (C.SIO_MULTICAST_SCOPE, 256),
        (C.SIO_MULTICAST_SCOPE, True),
        (C.SIO_MULTICAST_SCOPE, "1"),
        (C.SIO_MPW_ORIGINS, "10.0.2.1"),
        (C.SIO_MPW_SESSION_NAME, 7),
    ):
        with fails(E.WSAEINVAL):
            set_option(open_one, code, value)
    with fails(E.WSAEAFNOSUPPORT):
        set_option(open_one, C.SIO_MPW_ORIGINS, ["fd00::1"])


# Source-specific groups -----------------------------------------------------------------------


def test_a_source_specific_group_is_heard_from_the_origins_named(bus: Bus) -> None:
    listener = open_socket(bus, 1)
    with fails(E.WSAEINVAL):
        listener.join(SSM_GROUP)
    set_option(listener, C.SIO_MPW_ORIGINS, ["10.0.2.2"])
    listener.join(SSM_GROUP)
    senders = [open_socket(bus, number) for number in (2, 3)]
    for sender in senders:
        sender.join(SSM_GROUP, JoinFlag.SENDER_ONLY)
        sender.send(b"from " + sender.address[0].encode())
    bus.run(1)
    assert listener.recv_all() == [b"from 10.0.2.2"]


# A data root ----------------------------------------------------------------------------------


@pytest.mark.w(56, 57, 58)
def test_data_goes_between_the_d_root_and_the_others_only(bus: Bus) -> None:
    root, one, other = collect(bus, 2)
    root.send(b"to all")
    one.send(b"up 1")
    other.send(b"up 2")
    bus.run(1)
    assert sorted(root.recv_all()) == [b"up 1", b"up 2"]
    assert one.recv_all() == other.recv_all() == [b"to all"]


def test_without_a_d_root_there_is_nobody_to_send_to(bus: Bus) -> None:
    leaf = open_socket(bus, 2, Protocol.MPW_COLLECT)
    leaf.join(GROUP)
    bus.run(30)
    assert leaf.events() == ["FD_CONNECT"]
    assert not leaf.provider.is_writable(leaf.provider.sockets[leaf.handle])
    with fails(E.WSAENOTCONN):
        leaf.send()
    root = open_socket(bus, 1, Protocol.MPW_COLLECT, D_ROOT)
    root.join(GROUP)
    bus.run(1)
    assert leaf.events() == ["FD_WRITE"]
    assert leaf.provider.is_writable(leaf.provider.sockets[leaf.handle])
    leaf.send(b"now")
    bus.run(1)
    assert root.recv() == b"now"
    root.close()
    bus.run(1)
    with fails(E.WSAENOTCONN):
        leaf.send()
    assert leaf.events() == []


def test_who_joins_late_learns_of_the_d_root_soon(bus: Bus) -> None:
    root = open_socket(bus, 1, Protocol.MPW_COLLECT, D_ROOT)
    root.join(GROUP)
    bus.run(10)
    leaf = open_socket(bus, 2, Protocol.MPW_COLLECT)
    leaf.join(GROUP)
    bus.run(0.5)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]


def test_a_second_d_root_stands_back_until_the_first_has_gone(bus: Bus) -> None:
    first, leaf = collect(bus, 1)
    bus.run(10)
    second = open_socket(bus, 9, Protocol.MPW_COLLECT, D_ROOT)
    second.join(GROUP)
    bus.run(2)
    with fails(E.WSAENOTCONN):
        second.send(b"not yet")
    leaf.send(b"up")
    first.send(b"down")
    bus.run(1)
    assert (first.recv_all(), leaf.recv_all()) == ([b"up"], [b"down"])
    drain_events(second, leaf)
    first.close()
    bus.run(40)
    assert second.events() == ["FD_WRITE"]
    second.send(b"now")
    bus.run(1)
    assert leaf.recv_all() == [b"now"]


def test_a_d_leaf_that_only_sends_has_to_believe_in_the_d_root(bus: Bus) -> None:
    root = open_socket(bus, 1, Protocol.MPW_COLLECT, D_ROOT)
    root.join(GROUP)
    leaf = open_socket(bus, 2, Protocol.MPW_COLLECT)
    leaf.join(GROUP, JoinFlag.SENDER_ONLY)
    assert leaf.events() == ["FD_CONNECT", "FD_WRITE"]
    leaf.send(b"up")
    bus.run(1)
    assert root.recv_all() == [b"up"]


# What it looks like ---------------------------------------------------------------------------


def test_announcements_and_data_say_what_the_specification_wants(bus: Bus) -> None:
    root, leaf = collect(bus, 1)
    root.send(b"x")
    bus.run(1)
    said = [transit.message for transit in bus.trace if transit.source[0] == "10.0.2.1"]
    announcements = [message for message in said if isinstance(message, Announce)]
    (data,) = [message for message in said if isinstance(message, Data)]
    first = announcements[0]
    assert [one.seq for one in announcements] == [1, 2, 3]
    both = LeafDirection.SEND | LeafDirection.RECEIVE
    assert first.leaf_dir == both | LeafDirection.D_ROOT
    assert {one.member_tag for one in announcements} == {first.member_tag}
    assert (data.sender_id, data.origin, data.seq) == (
        first.sender_id,
        first.sender_id,
        first.lead_seq,
    )
    assert data.destination_tag == first.destination_tag != 0
    assert leaf.recv_all() == [b"x"]
