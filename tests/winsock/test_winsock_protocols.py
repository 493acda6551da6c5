"""The protocol entries: what they say of themselves, and what sockets may be made of them."""

import pytest

from mpwire.testing.actor import C_LEAF, C_ROOT, PORT, ROOT_HOST, Actor, admit, fails, invite
from mpwire.testing.bus import Bus
from mpwire.vocabulary import JoinFlag, ShutdownHow, SocketFlag, WsaError
from mpwire.winsock.protocols import (
    ENTRIES,
    Multicast,
    Protocol,
    ServiceFlag,
    SocketType,
)
from mpwire.wire.messages import Accept, JoinReq
from mpwire.wire.registries import Capability, Planes

E = WsaError
P = Protocol
F = SocketFlag
PAIRS = {c | d for c in (F.C_ROOT, F.C_LEAF) for d in (F.D_ROOT, F.D_LEAF)}
CONTROL, DATA = Planes.CONTROL_ROOTED, Planes.DATA_ROOTED
PLANES = {
    P.MPW_ROOTED: CONTROL | DATA,
    P.MPW_CONFERENCE: CONTROL,
    P.MPW_ROOTED_ASM: CONTROL | DATA | Planes.MULTICAST,
    P.MPW_ROOTED_SSM: CONTROL | DATA | Planes.MULTICAST | Planes.SSM,
    P.MPW_CONFERENCE_ASM: CONTROL | Planes.MULTICAST,
    P.MPW_OPEN: Planes.MULTICAST,
    P.MPW_COLLECT: DATA | Planes.MULTICAST,
    P.MPW_ATM: CONTROL | DATA,
    P.MPW_DIALOGUE: CONTROL | DATA,
}


def open_socket(bus: Bus, host: str, flags: SocketFlag, protocol: Protocol) -> Actor:
    """Create a socket of a protocol and select every event."""
    provider = bus.provider(host)
    return Actor(bus, provider, provider.socket(flags, protocol=protocol)).select()


def pair(bus: Bus, at_root: Protocol, at_leaf: Protocol) -> tuple[Actor, Actor]:
    """Open a listening root of one protocol and a leaf of another one."""
    root_flags = C_ROOT if ENTRIES[at_root].data_rooted else F.C_ROOT | F.D_LEAF
    root = open_socket(bus, ROOT_HOST, root_flags, at_root).bind().listen()
    return root, open_socket(bus, "10.0.1.1", C_LEAF, at_leaf)


# What the entries say -------------------------------------------------------------------------


@pytest.mark.w(1)
@pytest.mark.parametrize("protocol", Protocol)
def test_plane_bits_say_what_the_planes_are(bus: Bus, protocol: Protocol) -> None:
    (entry,) = [one for one in bus.provider("h").enum_protocols() if one.protocol is protocol]
    assert entry.planes == PLANES[protocol]
    assert entry.name == protocol.name
    flags = entry.service_flags
    assert ServiceFlag.SUPPORT_MULTIPOINT in flags
    assert (ServiceFlag.MULTIPOINT_CONTROL_PLANE in flags) is bool(PLANES[protocol] & CONTROL)
    assert (ServiceFlag.MULTIPOINT_DATA_PLANE in flags) is bool(PLANES[protocol] & DATA)


@pytest.mark.w(2)
def test_schemes_that_differ_in_a_plane_are_different_entries(bus: Bus) -> None:
    entries = bus.provider("h").enum_protocols()
    assert len({entry.protocol for entry in entries}) == len(entries) == len(Protocol)
    planes = {(entry.control_rooted, entry.data_rooted) for entry in entries}
    assert planes == {(True, True), (True, False), (False, False), (False, True)}


@pytest.mark.w(85, 99)
@pytest.mark.parametrize("protocol", Protocol)
def test_only_connections_close_gracefully(protocol: Protocol) -> None:
    entry = ENTRIES[protocol]
    connectionless = ServiceFlag.CONNECTIONLESS in entry.service_flags
    assert connectionless is not (ServiceFlag.GRACEFUL_CLOSE in entry.service_flags)
    assert connectionless is not entry.control_rooted
    wanted = SocketType.DATAGRAM if connectionless else SocketType.SEQUENCED_PACKET
    assert entry.socket_type is wanted


def test_socket_types_have_the_numbers_of_winsock2() -> None:
    assert [(one.name, one.value) for one in SocketType] == [
        ("DATAGRAM", 2),
        ("SEQUENCED_PACKET", 5),
    ]


def test_source_specific_groups_are_announced_by_those_that_use_them() -> None:
    for entry in ENTRIES.values():
        specific = entry.multicast is Multicast.ONE_SOURCE
        assert bool(entry.capabilities & Capability.SSM) is specific


# What sockets they make -----------------------------------------------------------------------


@pytest.mark.w(3, 4, 5)
@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("bits", range(16))
def test_flags_need_a_plane_that_has_such_a_root(bus: Bus, protocol: Protocol, bits: int) -> None:
    provider, flags = bus.provider("h"), SocketFlag(bits << 1)
    legal = flags in PAIRS or not flags
    legal &= not flags & F.C_ROOT or bool(PLANES[protocol] & CONTROL)
    legal &= not flags & F.D_ROOT or bool(PLANES[protocol] & DATA)
    if legal:
        handle = provider.socket(flags, protocol=protocol)
        assert provider.sockets[handle].protocol is ENTRIES[protocol]
    else:
        with fails(E.WSAEINVAL):
            provider.socket(flags, protocol=protocol)
        assert provider.sockets == {}


def test_a_protocol_or_family_that_is_not_offered_is_refused(bus: Bus) -> None:
    provider = bus.provider("h")
    with fails(E.WSAEPROTONOSUPPORT):
        provider.socket(C_LEAF, protocol=77)
    with fails(E.WSAEAFNOSUPPORT):
        provider.socket(C_LEAF, family=5)


@pytest.mark.w(48, 52, 101)
@pytest.mark.parametrize("protocol", [P.MPW_OPEN, P.MPW_COLLECT])
def test_nobody_listens_without_a_control_root(bus: Bus, protocol: Protocol) -> None:
    socket = open_socket(bus, "10.0.0.3", C_LEAF, protocol).bind()
    with fails(E.WSAEOPNOTSUPP):
        socket.listen()
    with fails(E.WSAEOPNOTSUPP):
        socket.accept()


# What goes over the wire ----------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [one for one in P if PLANES[one] & CONTROL])
def test_both_sides_announce_what_the_entry_says(bus: Bus, protocol: Protocol) -> None:
    entry = ENTRIES[protocol]
    root, leaf = pair(bus, protocol, protocol)
    handle = admit(root, leaf)
    assert handle.provider.sockets[handle.handle].protocol is entry
    said = [transit.message for transit in bus.trace]
    request = next(message for message in said if isinstance(message, JoinReq))
    answer = next(message for message in said if isinstance(message, Accept))
    assert (request.planes, request.caps) == (entry.planes, entry.capabilities)
    assert answer.caps == entry.capabilities
    assert answer.session_desc is not None
    assert answer.session_desc.planes == entry.planes
    assert answer.session_desc.max_payload == entry.max_payload_octets


def test_planes_that_do_not_fit_are_refused(bus: Bus) -> None:
    root, leaf = pair(bus, P.MPW_CONFERENCE, P.MPW_ROOTED)
    leaf.join(root)
    bus.run(1)
    assert root.events() == []
    assert leaf.events() == ["FD_CONNECT WSAECONNREFUSED"]


def test_an_invitation_to_other_planes_is_refused(bus: Bus) -> None:
    root, leaf = pair(bus, P.MPW_CONFERENCE, P.MPW_ROOTED)
    root.join(leaf.bind().listen())
    bus.run(1)
    assert leaf.events() == []
    assert root.events() == ["FD_CONNECT WSAECONNREFUSED"]


# One way --------------------------------------------------------------------------------------


@pytest.mark.w(62, 64)
@pytest.mark.parametrize("flag", [JoinFlag.RECEIVER_ONLY, JoinFlag.BOTH])
def test_data_of_a_one_way_protocol_comes_from_the_root(bus: Bus, flag: JoinFlag) -> None:
    root, leaf = pair(bus, P.MPW_ATM, P.MPW_ATM)
    admit(root, leaf, flag)
    root.send(b"down")
    bus.run(1)
    assert leaf.recv() == b"down"
    with fails(E.WSAEOPNOTSUPP):
        leaf.send(b"up")
    with fails(E.WSAEOPNOTSUPP):
        root.recv()
    with fails(E.WSAEINVAL):
        leaf.shutdown(ShutdownHow.SEND)


@pytest.mark.w(64)
def test_invited_leaves_of_a_one_way_protocol_only_receive(bus: Bus) -> None:
    root, leaf = pair(bus, P.MPW_ATM, P.MPW_ATM)
    _, session_end = invite(root, leaf.bind().listen())
    root.send(b"down")
    bus.run(1)
    assert session_end.recv() == b"down"
    with fails(E.WSAEOPNOTSUPP):
        session_end.send(b"up")


@pytest.mark.w(64)
def test_the_direction_that_is_not_there_cannot_be_asked_for(bus: Bus) -> None:
    root, leaf = pair(bus, P.MPW_ATM, P.MPW_ATM)
    with fails(E.WSAEINVAL):
        leaf.join(root, JoinFlag.SENDER_ONLY)
    with fails(E.WSAEINVAL):
        root.join(("10.0.1.7", PORT), JoinFlag.RECEIVER_ONLY)


@pytest.mark.w(64)
def test_a_leaf_that_would_send_is_refused_by_a_one_way_root(bus: Bus) -> None:
    root, leaf = pair(bus, P.MPW_ATM, P.MPW_ROOTED)
    leaf.join(root)
    bus.run(1)
    assert leaf.events() == ["FD_CONNECT WSAEOPNOTSUPP"]
    leaf.join(root, JoinFlag.RECEIVER_ONLY)
    bus.run(1)
    assert root.events() == ["FD_ACCEPT"]
