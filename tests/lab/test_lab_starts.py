"""A start that fails in the midst takes everything back."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.lab

Run = Callable[..., Any]
MODULES = ["inner_starts"]


def check(found: dict[str, Any]) -> None:
    """Judge starts with ever more room for descriptors."""
    *failed, last = found["said"]
    assert last == ""
    assert len(failed) > 8, "a host needs some descriptors"
    assert all("Too many open files" in said for said in failed), failed
    assert found["left"] == []
    assert found["after"] == found["before"]
    assert found["affinity"]


def test_a_start_that_lacks_descriptors_leaves_none(inside: Run, attached: str) -> None:
    check(inside("no_room", modules=MODULES, carrier=attached, hosts=3))


def test_a_start_of_a_bridge_that_lacks_descriptors_leaves_none(inside: Run, bridge: str) -> None:
    check(inside("no_room", modules=MODULES, carrier=bridge, hosts=3))


def test_a_table_that_cannot_grow_costs_time_only(inside: Run) -> None:
    assert inside("no_table", modules=MODULES) == [128, 128]


def test_however_much_the_kernel_refuses_the_first_is_named(inside: Run) -> None:
    first, last, fine = inside("all_refused", modules=MODULES)
    assert first.startswith("the kernel refused route 10.0.0.0/16: ")
    assert last.startswith("the kernel refused route 10.250.0.0/16: ")
    assert fine == "", "the socket is still in step"


def test_what_a_bridge_says_while_its_ports_come_up_is_no_loss(inside: Run, bridge: str) -> None:
    spec = {"carrier": bridge, "snooping": True, "hosts": 3, "count": 12}
    assert set(inside("listening_bridges", modules=MODULES, **spec)) == {0}
