"""Where sockets of tests live: loopback addresses of both families, and timers that end soon."""

import socket
from dataclasses import replace
from typing import Any

import pytest

from mpwire.core import TimerPlan
from mpwire.core.address import Address

SOON: TimerPlan = replace(TimerPlan().scaled(0.02), pend_s=0.3)
"""Timers with which a peer that says nothing is given up within a second."""


def has_ipv6() -> bool:
    """Tell whether ::1 can be bound here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


FAMILIES: list[Any] = [
    pytest.param(("127.0.0.1", 0), id="inet"),
    pytest.param(
        ("::1", 0),
        id="inet6",
        marks=pytest.mark.skipif(not has_ipv6(), reason="this machine cannot run it: no ::1"),
    ),
]
"""Local addresses to bind, one per family."""
LOCAL: Address = ("127.0.0.1", 0)
