"""Real group sockets in a lab: membership reports leave, data arrives, of both families."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.lab

Run = Callable[..., Any]
MODULES = ["inner_multicast"]
TO_INCLUDE, TO_EXCLUDE, ALLOW = 3, 4, 5
"""Record types of IGMPv3 and MLDv2 reports: no source any more, every source, new sources."""


@pytest.mark.w(53, 54, 59, 63)
@pytest.mark.parametrize("group", ["239.255.7.7", "ff15::7:7"])
def test_members_report_and_hear_and_who_only_sends_does_neither(inside: Run, group: str) -> None:
    result = inside("gathering", modules=MODULES, group=group)
    both = ["from one", "from three"]
    assert result["received"] == [both, both]
    assert set(result["reports"]["h1"]) == {TO_EXCLUDE}
    assert set(result["reports"]["h2"]) == {TO_EXCLUDE, TO_INCLUDE}
    assert result["reports"]["h3"] == []
    assert result["unsent"] == [0, 0, 0]
    assert set(result["hop_limits"]) == {1}


@pytest.mark.parametrize("group", ["232.0.7.7", "ff35::7:7"])
def test_a_source_specific_membership_names_its_source(inside: Run, group: str) -> None:
    result = inside("one_source", modules=MODULES, group=group)
    assert result["received"] == ["from three"]
    assert set(result["reports"]) == {ALLOW}


@pytest.mark.w(65)
@pytest.mark.parametrize("group", ["239.255.7.7", "ff15::7:7"])
def test_sockets_of_one_host_meet_in_a_group_that_does_not_leave_it(
    inside: Run, group: str
) -> None:
    result = inside("neighbours", modules=MODULES, group=group)
    assert result["received"] == ["from one"]
    assert result["elsewhere"] == []
    assert result["sent"] == 0
    assert result["unsent"] == [0, 0, 0]


def test_a_refusal_to_forward_groups_says_what_was_refused(inside: Run) -> None:
    said = inside("second_forwarder", modules=MODULES)
    assert said == "the kernel refused to forward groups of IPv4 (Address already in use)"
