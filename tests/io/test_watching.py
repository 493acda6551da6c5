"""What the kernel tells of addresses and routes, as sockets learn of it."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import pytest

from mpwire.io.network import KernelNetwork
from mpwire.io.watching import (
    ADDRESS,
    ATTRIBUTE,
    DELETE_ADDRESS,
    DELETE_LINK,
    HEADER,
    IFA_ADDRESS,
    IFA_LOCAL,
    IFF_UP,
    LINK,
    NEW_ADDRESS,
    NEW_LINK,
    NEW_ROUTE,
    AddressChanged,
    Change,
    NetworkWatch,
    RoutesChanged,
)

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_NETLINK"), reason="this machine cannot run it: no rtnetlink"
)
INTERFACE, OTHER = 4001, 4002
"""Interfaces that no machine has."""
FOUR, SIX = "192.0.2.77", "2001:db8::77"
"""Addresses that no machine has."""


class Kernel:
    """Tell a watch what a kernel would."""

    def __init__(self) -> None:
        """Open a watch, and something that it hears."""
        self.watch = NetworkWatch()
        self.watch.socket.close()
        self.watch.socket, self._here = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.watch.socket.setblocking(False)

    def tell(self, *messages: bytes) -> list[Change]:
        """Send messages in one datagram, and return what the watch makes of them."""
        self._here.send(b"".join(messages))
        return [*self.watch.changes()]

    def close(self) -> None:
        """Close both."""
        self._here.close()
        self.watch.close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.close()


def framed(kind: int, body: bytes) -> bytes:
    """Return a netlink message."""
    return HEADER.pack(HEADER.size + len(body), kind, 0, 0, 0) + body + bytes(-len(body) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def address(kind: int, host: str, flags: int = 0, interface: int = INTERFACE) -> bytes:
    """Return what is said when an address comes or goes; of IPv4, with a peer's before it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    octets = socket.inet_pton(family, host)
    named = attribute(3, b"eth0\0") + attribute(IFA_ADDRESS, octets)
    if family == socket.AF_INET:
        peer = attribute(IFA_ADDRESS, socket.inet_pton(family, "192.0.2.1"))
        named = peer + attribute(IFA_LOCAL, octets)
    return framed(kind, ADDRESS.pack(family, 24, flags, 0, interface) + named)


def link(kind: int, flags: int) -> bytes:
    """Return what is said of an interface."""
    return framed(kind, LINK.pack(0, 0, INTERFACE, flags, 0) + attribute(3, b"eth0\0"))


@pytest.mark.parametrize("host", [FOUR, SIX])
def test_addresses_come_and_go(kernel: Kernel, host: str) -> None:
    assert kernel.tell(address(NEW_ADDRESS, host)) == [AddressChanged(host, is_up=True)]
    assert kernel.tell(address(NEW_ADDRESS, host)) == []
    assert host in kernel.watch.hosts
    assert kernel.tell(address(DELETE_ADDRESS, host)) == [AddressChanged(host, is_up=False)]
    assert kernel.tell(address(DELETE_ADDRESS, host)) == []


def test_an_address_that_two_interfaces_have_goes_with_the_second(kernel: Kernel) -> None:
    kernel.tell(address(NEW_ADDRESS, SIX), address(NEW_ADDRESS, SIX, interface=OTHER))
    assert kernel.tell(address(DELETE_ADDRESS, SIX)) == []
    gone = kernel.tell(address(DELETE_ADDRESS, SIX, interface=OTHER))
    assert gone == [AddressChanged(SIX, is_up=False)]


@pytest.mark.parametrize("kind", [NEW_LINK, DELETE_LINK])
def test_an_interface_that_is_set_down_takes_its_addresses_with_it(
    kernel: Kernel, kind: int
) -> None:
    kernel.tell(address(NEW_ADDRESS, FOUR), address(NEW_ADDRESS, SIX))
    assert kernel.tell(link(kind, 0)) == [
        AddressChanged(FOUR, is_up=False),
        AddressChanged(SIX, is_up=False),
    ]
    assert kernel.tell(link(NEW_LINK, IFF_UP), address(DELETE_ADDRESS, FOUR)) == [
        AddressChanged(SIX, is_up=True)
    ]


def test_an_address_whose_uniqueness_is_in_doubt_cannot_be_used(kernel: Kernel) -> None:
    assert kernel.tell(address(NEW_ADDRESS, SIX, flags=0x40)) == []
    assert kernel.tell(address(NEW_ADDRESS, SIX, flags=0x80)) == [AddressChanged(SIX, is_up=True)]


def test_of_many_routes_that_change_one_word_is_said(kernel: Kernel) -> None:
    assert kernel.tell(framed(NEW_ROUTE, bytes(12)), framed(NEW_ROUTE, bytes(12))) == [
        RoutesChanged()
    ]


def test_what_makes_no_sense_changes_nothing(kernel: Kernel) -> None:
    body = ADDRESS.pack(77, 0, 0, 0, INTERFACE) + ATTRIBUTE.pack(0, IFA_ADDRESS) + b"\1\2\3"
    assert kernel.tell(framed(NEW_ADDRESS, body), struct.pack("=IHHII", 0, 99, 0, 0, 0)) == []
    assert [*kernel.watch.changes()] == []


def test_the_addresses_of_this_machine_are_known_from_the_start() -> None:
    watch = NetworkWatch()
    assert "127.0.0.1" in watch.hosts
    assert [*watch.changes()] == []
    watch.close()


def test_a_network_watches_as_long_as_it_has_sockets() -> None:
    """An address that was lost before, and is there again, is told of as back."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        network = KernelNetwork(loop)
        network._lost |= {"127.0.0.1", FOUR}
        assert network.changes() == []
        one, two = network.bind(("127.0.0.1", 0), 4), network.bind(("127.0.0.1", 0), 4)
        for udp in (one, two):
            network.watch(udp, lambda _: None)
        assert network.changes() == [AddressChanged("127.0.0.1", is_up=True)]
        assert network.changes() == []
        network.close(one)
        assert network._changes is not None
        watched = network._changes.socket
        network.close(two)
        assert watched.fileno() == -1
        assert network.changes() == []
        network.shut()

    asyncio.run(scene())
