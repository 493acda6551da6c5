"""Requests to the kernel, octet by octet as a library of others encodes them."""

import socket
import struct
from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from mpwire.errors import MachineError
from mpwire.lab import netlink
from mpwire.lab.netlink import NLM_F_ACK, NLM_F_REQUEST, Request

MAC = "02:00:00:00:00:0a"
INET, INET6 = 2, 10
CREATE = 0x600
Attributes = list[tuple[str, Any]]


def encoded(
    make: Callable[[], Any], kind: int, how: int, attributes: Attributes, **fields: int
) -> bytes:
    """Let the library encode a request that wants an answer."""
    message = make()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | how
    message["header"]["sequence_number"] = 5
    message.encode()
    return bytes(message.data)


def octets(request: Request) -> bytes:
    """Encode our own."""
    return request.octets(5, NLM_F_REQUEST | NLM_F_ACK)


def test_an_interface_is_set_up_with_what_it_is_to_have() -> None:
    attributes = [("IFLA_ADDRESS", MAC), ("IFLA_MTU", 1400), ("IFLA_TXQLEN", 7)]
    ours = netlink.link_set(3, mac=MAC, mtu=1400, queue_count=7, is_up=False)
    assert octets(ours) == encoded(ifinfmsg, 16, 0, attributes, index=3, change=1)
    assert octets(netlink.link_set(3)) == encoded(ifinfmsg, 16, 0, [], index=3, flags=1, change=1)


def test_a_pair_is_made_with_an_end_in_another_namespace() -> None:
    ends: Attributes = [("IFLA_IFNAME", "eth0"), ("IFLA_ADDRESS", MAC)]
    queues = [("IFLA_NUM_TX_QUEUES", 1), ("IFLA_NUM_RX_QUEUES", 1)]
    ends += [("IFLA_MTU", 1400), ("IFLA_NET_NS_FD", 9), *queues]
    peer = ("VETH_INFO_PEER", {"index": 0, "attrs": ends})
    info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [peer]})]
    attributes: Attributes = [("IFLA_IFNAME", "p7"), ("IFLA_MTU", 1400), *queues]
    attributes.append(("IFLA_LINKINFO", {"attrs": info}))
    ours = netlink.veth_add("p7", "eth0", 9, mac=MAC, mtu=1400)
    assert octets(ours) == encoded(ifinfmsg, 16, CREATE, attributes, flags=1, change=1)


@pytest.mark.parametrize("text", ["10.0.1.2/16", "10.0.1.2/31", "fd77::2/64"])
def test_an_address_is_given_and_taken(text: str) -> None:
    address = ip_interface(text)
    ip = str(address.ip)
    attributes: Attributes = [("IFA_ADDRESS", ip)]
    if address.version == 4:
        attributes.append(("IFA_LOCAL", ip))
    if address.network.prefixlen == 16:
        attributes.append(("IFA_BROADCAST", "10.0.255.255"))
    attributes.append(("IFA_FLAGS", 0x82))
    fields = {
        "family": INET if address.version == 4 else INET6,
        "prefixlen": address.network.prefixlen,
        "index": 3,
    }
    given, taken = netlink.address_add(3, address), netlink.address_delete(3, address)
    assert octets(given) == encoded(ifaddrmsg, 20, CREATE, attributes, **fields)
    assert octets(taken) == encoded(ifaddrmsg, 21, 0, attributes, **fields)


@pytest.mark.parametrize(
    ("family", "address", "length", "gateway"),
    [(INET, "224.0.0.0", 4, "10.0.0.1"), (INET6, "fd77::", 48, "fd88::1")],
)
def test_a_route_leads_out_of_an_interface_or_to_a_gateway(
    family: int, address: str, length: int, gateway: str
) -> None:
    fields = {"family": family, "dst_len": length, "table": 254, "proto": 4, "type": 1}
    out = [("RTA_DST", address), ("RTA_OIF", 3)]
    via = [("RTA_DST", address), ("RTA_GATEWAY", gateway), ("RTA_OIF", 3)]
    destination = f"{address}/{length}"
    ours = netlink.route_add(3, destination), netlink.route_via(3, destination, gateway)
    assert octets(ours[0]) == encoded(rtmsg, 24, CREATE, out, scope=253, **fields)
    assert octets(ours[1]) == encoded(rtmsg, 24, CREATE, via, scope=0, **fields)


@pytest.mark.parametrize(("family", "address"), [(INET, "10.0.0.9"), (INET6, "fd77::9")])
def test_a_neighbour_is_known_for_good(family: int, address: str) -> None:
    attributes = [("NDA_DST", address), ("NDA_LLADDR", MAC)]
    fields = {"family": family, "ifindex": 3, "state": 0x80}
    ours = netlink.neighbour_add(3, address, MAC)
    assert octets(ours) == encoded(ndmsg, 28, CREATE, attributes, **fields)


def test_a_request_that_replaces_does_not_insist_on_being_the_first() -> None:
    made, link = netlink.route_add(3, "10.0.0.0/8"), netlink.link_set(3)
    assert netlink.replacing(made) == made._replace(flags=0x500)
    assert netlink.replacing(link) == link


def test_attributes_are_decoded_as_they_are_encoded() -> None:
    octets = netlink.text(3, "eth0") + netlink.attribute(5 | netlink.NESTED, netlink.word(1, 9))
    found = netlink.attributes(octets)
    assert found == {3: b"eth0\0", 5: netlink.word(1, 9)}
    assert netlink.attributes(found[5]) == {1: struct.pack("=I", 9)}


RTM_GETLINK, IFLA_IFNAME = 18, 3


def test_a_dump_lists_all_there_is_in_as_many_parts_as_it_takes() -> None:
    bodies = netlink.dump("interfaces", RTM_GETLINK, netlink.LINK.pack(0, 0, 0, 0, 0))
    names = [netlink.attributes(body[netlink.LINK.size :])[IFLA_IFNAME] for body in bodies]
    assert [name.rstrip(b"\0").decode() for name in names] == [
        name for _, name in socket.if_nameindex()
    ]


def test_a_dump_that_the_kernel_refuses_is_told() -> None:
    with pytest.raises(MachineError, match="the kernel refused no such list: Operation not supp"):
        list(netlink.dump("no such list", 1022, bytes(16)))
