"""Where routers send what is for a group: to whoever reported it, on the shortest ways."""

import pytest

from mpwire.capture.frames import LinkType, Other, decode_frame
from mpwire.capture.groups import ALLOW_NEW, BLOCK_OLD, TO_EXCLUDE, TO_INCLUDE, GroupReport
from mpwire.lab.joined import parse_groups, parse_sources
from mpwire.lab.multicast import Memberships, MulticastRouting, crosses_routers
from mpwire.lab.topology import Network, derive
from mpwire.sim import packets

G, S, T = "239.1.2.3", "10.77.0.2", "10.77.0.3"
ONE, TWO = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
BOTH = ("inet", "inet6")


def report(kind: int, *sources: str) -> GroupReport:
    """Make what a record of this kind says."""
    frame = packets.group_report(ONE, "10.0.0.1", kind, G, sources)
    decoded = decode_frame(LinkType.ETHERNET, frame)
    assert isinstance(decoded, Other)
    (made,) = decoded.groups
    return made


def test_a_network_wants_what_any_of_its_hosts_wants() -> None:
    members = Memberships()
    members.hear("n", ONE, report(TO_EXCLUDE))
    members.hear("n", TWO, report(ALLOW_NEW, S))
    assert members.wants("n", T, G)
    assert not members.wants("m", T, G)
    assert members.heard("n", ONE) == {G: None}
    members.hear("n", ONE, report(TO_INCLUDE))
    assert (members.wants("n", S, G), members.wants("n", T, G)) == (True, False)
    members.hear("n", TWO, report(BLOCK_OLD, S))
    assert not members.wants("n", S, G)
    assert members.heard("n", TWO) == {}


def test_sources_come_and_go_one_by_one() -> None:
    members = Memberships()
    members.hear("n", ONE, report(ALLOW_NEW, S))
    members.hear("n", ONE, report(ALLOW_NEW, T))
    assert members.heard("n", ONE) == {G: frozenset({S, T})}
    members.hear("n", ONE, report(BLOCK_OLD, S))
    assert members.heard("n", ONE) == {G: frozenset({T})}
    members.hear("n", ONE, report(TO_INCLUDE, S))
    assert members.heard("n", ONE) == {G: frozenset({S})}
    members.hear("n", ONE, report(TO_EXCLUDE))
    members.hear("n", ONE, report(BLOCK_OLD, S))
    assert members.heard("n", ONE) == {G: None}


@pytest.mark.parametrize(
    ("group", "crosses"),
    [
        ("224.0.0.22", False),
        ("224.0.1.1", True),
        ("239.255.0.1", True),
        ("ff02::16", False),
        ("ff11::5", False),
        ("ff15::5", True),
        ("ff35::8000:1", True),
    ],
)
def test_some_groups_stay_on_their_link(group: str, crosses: bool) -> None:
    assert crosses_routers(group) is crosses


TOPOLOGY = derive(
    [Network(name=name, families=BOTH) for name in ("a", "b", "c", "d")],
    {"s": "a", "x": "b", "y": "c", "z": "d"},
    {"r": ["a", "b"], "t": ["b", "c"], "u": ["b", "c", "d"], "v": ["a", "d"]},
)
SOURCE = TOPOLOGY.hosts[0].port.address("inet") or ""
SOURCE6 = TOPOLOGY.hosts[0].port.address("inet6") or ""


def joined(*hosts: str) -> MulticastRouting:
    """Let hosts join over their routers' ports."""
    made = MulticastRouting(TOPOLOGY)
    for host in hosts:
        port = TOPOLOGY.ports[host]
        address = port.address("inet")
        frame = packets.group_report(port.mac_octets(), address, TO_EXCLUDE, G, ())
        for other in TOPOLOGY.neighbours(port):
            assert made.take(other.name, frame) is None
    return made


def test_it_goes_where_somebody_wants_it_and_once() -> None:
    made = joined("y", "z")
    assert made.ways_out("r.a", SOURCE, G) == ["r.b"]
    assert made.ways_out("t.b", SOURCE, G) == ["t.c"]
    assert made.ways_out("u.b", SOURCE, G) == []
    assert made.ways_out("u.c", SOURCE, G) == []
    assert made.ways_out("v.a", SOURCE, G) == ["v.d"]
    assert made.ways_out("v.d", SOURCE, G) == []
    assert joined("s", "x").ways_out("v.a", SOURCE, G) == []
    assert joined("s").ways_out("r.a", SOURCE, G) == []


def test_it_goes_another_way_while_a_port_is_down() -> None:
    made = joined("y")
    made.set_port("t.b", is_up=False)
    assert made.ways_out("u.b", SOURCE, G) == ["u.c"]
    made.set_port("r.b", is_up=False)
    assert made.ways_out("v.a", SOURCE, G) == ["v.d"]
    assert made.ways_out("u.d", SOURCE, G) == ["u.c"]
    made.set_port("v.a", is_up=False)
    assert made.ways_out("u.d", SOURCE, G) == []
    made.set_port("t.b", is_up=True)
    made.set_port("r.b", is_up=True)
    assert made.ways_out("t.b", SOURCE, G) == ["t.c"]


def test_who_sends_from_nowhere_is_not_forwarded() -> None:
    assert joined("y").ways_out("r.a", "192.0.2.1", G) == []
    assert joined("y").ways_out("r.a", SOURCE6, "ff15::1") == []


def test_only_data_for_groups_is_given_back() -> None:
    made = MulticastRouting(TOPOLOGY)
    macs = packets.group_mac(G), ONE
    data = packets.udp_frame(macs, (SOURCE, 5), (G, 6), b"x", 3)
    found = made.take("r.a", data)
    assert found is not None
    assert found.destination == (G, 6)
    near = packets.udp_frame(macs, (SOURCE, 5), ("224.0.0.9", 6), b"x", 3)
    assert made.take("r.a", near) is None
    alone = packets.udp_frame((TWO, ONE), (SOURCE, 5), (T, 6), b"x", 3)
    assert made.take("r.a", alone) is None


def test_what_a_kernel_hears_is_read_from_its_files() -> None:
    igmp = (
        "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
        "1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
        "2\teth0      :     2      V3\n"
        "\t\t\t\t030201EF     1 0:00000000\t\t0\n"
        "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
    )
    igmp6 = (
        "1    lo              ff020000000000000000000000000001     1 0000000C 0\n"
        "2    eth0            ff150000000000000000000000000005     1 00000004 0\n"
    )
    assert parse_groups(igmp, igmp6, "eth0") == {"239.1.2.3", "224.0.0.1", "ff15::5"}
    mcfilter = (
        "Idx Device        MCA        SRC    INC    EXC\n"
        "  1     lo 0xe8000001 0x0a4d0009      1      0\n"
        "  2   eth0 0xe8000001 0x0a4d0002      1      0\n"
        "  2   eth0 0xe8000001 0x0a4d0003      0      1\n"
    )
    assert parse_sources(mcfilter, "eth0") == {"232.0.0.1": {"10.77.0.2"}}
    mcfilter6 = (
        "Idx Device        Multicast Address        Source Address    INC    EXC\n"
        "  2   eth0 ff350000000000000000000080000001 fd770000000000000000000000000002  1  0\n"
    )
    assert parse_sources(mcfilter6, "eth0") == {"ff35::8000:1": {"fd77::2"}}
