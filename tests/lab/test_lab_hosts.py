"""When a host takes what is sent to it."""

from collections.abc import Callable
from typing import Any

import pytest

from mpwire.lab.hosts import own_addresses
from mpwire.lab.topology import Port

ROUTES = """\
fd770000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
01000000000000000000000000000008 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 00000001     eth0
fd770000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
"""  # noqa: E501 - as the kernel prints it


def test_own_addresses_are_the_local_routes_to_single_addresses() -> None:
    assert own_addresses(ROUTES) == {
        "00000000000000000000000000000001",
        "fd770000000000000000000000000001",
    }
    assert own_addresses("") == set()


def test_a_specification_gives_objects() -> None:
    spec = Port(name="h", mac="02:00:00:00:00:0a", addresses=("10.0.0.1/24", "fd77::1/64"))
    assert spec.mac_octets() == bytes.fromhex("02000000000a")
    assert [address.version for address in spec.interfaces()] == [4, 6]


@pytest.mark.lab
def test_the_first_ipv6_datagram_after_the_start_is_taken(inside: Callable[..., Any]) -> None:
    """Started at once after one another, so that the kernel has no time to spare."""
    assert inside("first_datagrams", modules=["inner_network"]) == [["six"]] * 20
