"""Addresses as calls give them: one spelling each, and refused when they are nobody's."""

import pytest

from mpwire.core.address import Address
from mpwire.testing.actor import fails
from mpwire.vocabulary import WsaError
from mpwire.winsock.transport import WILDCARDS, UnicastOnly, canonical, canonical_peer

E = WsaError


@pytest.mark.parametrize(
    ("address", "family", "spelling"),
    [
        (("10.0.0.1", 7), 4, "10.0.0.1"),
        (("fd00:0::0001", 7), 6, "fd00::1"),
        (("FD00::A", 7), 6, "fd00::a"),
        (("::", 0), 6, "::"),
    ],
)
def test_an_address_has_one_spelling(address: Address, family: int, spelling: str) -> None:
    assert canonical(address, family) == (spelling, address[1])


@pytest.mark.w(103)
@pytest.mark.parametrize(
    ("address", "family", "code"),
    [
        (("10.0.0.1", 7), 6, E.WSAEAFNOSUPPORT),
        (("fd00::1", 7), 4, E.WSAEAFNOSUPPORT),
        (("localhost", 7), 4, E.WSAEADDRNOTAVAIL),
        (("10.0.0.256", 7), 4, E.WSAEADDRNOTAVAIL),
        (("10.0.0.1", -1), 4, E.WSAEADDRNOTAVAIL),
        (("10.0.0.1", 65_536), 4, E.WSAEADDRNOTAVAIL),
    ],
)
def test_what_is_no_address_is_refused(address: Address, family: int, code: WsaError) -> None:
    for check in (canonical, canonical_peer):
        with fails(code):
            check(address, family)


@pytest.mark.w(103)
@pytest.mark.parametrize(
    "address",
    [("10.0.0.1", 0), ("239.1.1.1", 7), ("255.255.255.255", 7), (WILDCARDS[4], 7)],
)
def test_what_is_nobodys_address_is_no_peer(address: Address) -> None:
    assert canonical(address, 4) == address
    with fails(E.WSAEADDRNOTAVAIL):
        canonical_peer(address, 4)


def test_a_network_without_groups_refuses_them() -> None:
    transport, here, group = UnicastOnly(), ("10.0.0.1", 7), ("239.255.7.7", 7)
    with fails(E.WSAEOPNOTSUPP):
        transport.set_reach(here, here, 1)
    with fails(E.WSAEOPNOTSUPP):
        transport.join_group(here, here, group, ())
    with fails(E.WSAEOPNOTSUPP):
        transport.leave_group(here, group)
