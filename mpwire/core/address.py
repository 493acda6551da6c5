"""Addresses as the whole endpoint compares them: one spelling each, unicast where it matters."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int]
"""Text of an IP address in its canonical spelling, and a UDP port."""

HIGHEST_PORT: Final = 65_535
BROADCAST: Final = IPv4Address("255.255.255.255")


@lru_cache(maxsize=4096)
def parse_host(host: str) -> IPv4Address | IPv6Address:
    """Read the text of an IP address.

    Raises:
        ValueError: it is none.
    """
    return ip_address(host)


@lru_cache(maxsize=4096)
def is_unicast_host(host: str) -> bool:
    """Tell whether a host may be spoken with: no group, no broadcast, no wildcard (R16, R103)."""
    parsed = parse_host(host)
    return not (parsed.is_multicast or parsed.is_unspecified or parsed == BROADCAST)


def is_unicast(address: Address) -> bool:
    """Tell whether an address is one a datagram may come from, or be answered to."""
    return 0 < address[1] <= HIGHEST_PORT and is_unicast_host(address[0])
