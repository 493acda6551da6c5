"""Sockets learn from the kernel that an address of their host has gone, or come."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.lab

Run = Callable[..., Any]


@pytest.mark.w(72, 96)
def test_a_lost_address_ends_its_member_and_is_told_to_who_asked(inside: Run) -> None:
    result = inside("readdressing", modules=["inner_watching"])
    assert result["told"]["leaf"][-1] == "FD_CLOSE WSAENETDOWN"
    asked = ["WSAEWOULDBLOCK", "FD_ADDRESS_LIST_CHANGE SUCCESS"]
    assert result["told"]["other"] == [*asked, *asked]
    assert result["lost"] == ["10.99.0.2"]
