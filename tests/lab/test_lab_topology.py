"""Topologies: every address, link address and route follows from names and their order."""

import msgspec
import pytest

from mpwire.errors import MachineError
from mpwire.lab.topology import Network, Node, Port, Topology, derive, lan, one_lan

BOTH = ("inet", "inet6")


def networks(*names: str, families: tuple[str, ...] = ("inet",)) -> list[Network]:
    """Describe networks that differ in their names."""
    return [Network(name=name, families=families) for name in names]


def ways(node: Node) -> list[tuple[str, str, str]]:
    """List a node's routes."""
    return [(one.destination, one.gateway, one.port) for one in node.routes]


def test_addresses_follow_from_the_order_of_networks_hosts_and_routers() -> None:
    made = derive(
        [
            Network(name="north", families=BOTH),
            Network(name="south", families=("inet6",), mtu=1280),
        ],
        {"a": "south", "b": "north", "c": "south"},
        {"edge": ["south", "north"], "spare": ["north", "south"]},
    )
    assert [(port.name, port.mac, port.addresses, port.mtu) for port in made.ports.values()] == [
        ("a", "02:4d:50:00:01:02", ("fd77:0:0:1::2/64",), 1280),
        ("b", "02:4d:50:00:00:02", ("10.77.0.2/24", "fd77::2/64"), 1500),
        ("c", "02:4d:50:00:01:03", ("fd77:0:0:1::3/64",), 1280),
        ("edge.south", "02:4d:50:00:01:01", ("fd77:0:0:1::1/64",), 1280),
        ("edge.north", "02:4d:50:00:00:01", ("10.77.0.1/24", "fd77::1/64"), 1500),
        ("spare.north", "02:4d:50:00:00:fe", ("10.77.0.254/24", "fd77::fe/64"), 1500),
        ("spare.south", "02:4d:50:00:01:fe", ("fd77:0:0:1::fe/64",), 1280),
    ]
    assert [*made.router_ports] == ["edge.south", "edge.north", "spare.north", "spare.south"]
    assert made.node_of["edge.south"] == "edge"
    assert made.owners[bytes((10, 77, 0, 254))] == "spare"
    assert [port.name for port in made.neighbours(made.ports["b"])] == ["edge.north", "spare.north"]
    assert [port.name for port in made.on("south")] == ["a", "c", "edge.south", "spare.south"]
    assert made.hosts[0].port.address("inet") is None
    assert made.hosts[0].port.address("inet6") == "fd77:0:0:1::2"


def test_a_host_goes_to_other_networks_by_the_first_of_the_shortest_ways() -> None:
    made = derive(
        networks("one", "two", "three"),
        {"a": "one", "b": "two", "c": "three"},
        {"long": ["one", "two"], "far": ["two", "three"], "short": ["one", "three"]},
    )
    a, b, c = made.hosts
    assert ways(a) == [
        ("10.77.1.0/24", "10.77.0.1", "a"),
        ("10.77.2.0/24", "10.77.0.254", "a"),
    ]
    assert ways(b) == [
        ("10.77.0.0/24", "10.77.1.1", "b"),
        ("10.77.2.0/24", "10.77.1.254", "b"),
    ]
    assert ways(c) == [
        ("10.77.0.0/24", "10.77.2.254", "c"),
        ("10.77.1.0/24", "10.77.2.1", "c"),
    ]
    assert ways(made.routers[0]) == [("10.77.2.0/24", "10.77.1.254", "long.two")]


def test_several_routers_stand_in_a_row() -> None:
    made = derive(
        networks("a", "b", "c", "d", families=BOTH),
        {"x": "a", "y": "d"},
        {"r": ["a", "b"], "s": ["b", "c"], "t": ["c", "d"]},
    )
    assert ways(made.routers[1]) == [
        ("10.77.0.0/24", "10.77.1.1", "s.b"),
        ("fd77::/64", "fd77:0:0:1::1", "s.b"),
        ("10.77.3.0/24", "10.77.2.254", "s.c"),
        ("fd77:0:0:3::/64", "fd77:0:0:2::fe", "s.c"),
    ]
    assert ways(made.hosts[0])[-1] == ("fd77:0:0:3::/64", "fd77::1", "x")


def test_a_family_goes_only_where_every_network_on_the_way_has_it() -> None:
    made = derive(
        [
            Network(name="a", families=BOTH),
            Network(name="b", families=("inet",)),
            Network(name="c", families=BOTH),
        ],
        {"x": "a", "y": "c"},
        {"r": ["a", "b"], "s": ["b", "c"]},
    )
    assert [one.destination for one in made.hosts[0].routes] == ["10.77.1.0/24", "10.77.2.0/24"]
    assert not derive(networks("a", "b"), {"x": "a", "y": "b"}).hosts[0].routes


def test_one_lan_is_made_of_ports_and_gives_them_back() -> None:
    port = Port(name="h", mac="02:00:00:00:00:01", addresses=("10.0.0.1/8", "fd77::1/64"), mtu=1400)
    made = lan([port])
    assert made.networks == (Network(name="lan", families=BOTH, mtu=1400),)
    assert one_lan(made) == [port]
    with pytest.raises(MachineError, match="has one network, and the testbed several"):
        one_lan(derive(networks("a", "b"), {"x": "a"}))


def test_a_topology_travels_as_json() -> None:
    made = derive(networks("a", "b"), {"x": "a", "y": "b"}, {"r": ["a", "b"]})
    assert msgspec.json.decode(msgspec.json.encode(made), type=Topology) == made
