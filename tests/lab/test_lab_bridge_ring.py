"""The ring over all ports: in blocks, by a flush, with every loss counted."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.lab

Run = Callable[..., Any]
MODULES = ["inner_network", "inner_bridge"]


@pytest.mark.usefixtures("bridge")
def test_a_flush_shows_what_waits_in_a_block(inside: Run) -> None:
    result = inside("ring_hears", modules=MODULES)
    assert result["early"] == 0, "the block was not full"
    assert result["told"] == [["host", "in", True]]
    assert result["again"] == 0
    assert result["tagged"]
    assert result["stamped"]
    assert result["lost"] == 0
    assert result["unread"]


@pytest.mark.usefixtures("bridge")
def test_what_finds_the_ring_full_is_counted_and_the_rest_is_in_order(inside: Run) -> None:
    result = inside("ring_overflows", modules=MODULES, count=200)
    assert result["in_order"]
    assert result["lost"] == result["lost_again"] > 0
    # Each is heard at both ends; of those that flush, too, some may have been lost.
    assert 400 <= result["heard"] + result["lost"] <= 402
