"""What a fabric cannot do of a testbed."""

from pathlib import Path

import pytest

from mpwire.lab import testbed
from mpwire.lab.able import lacking, preferred
from mpwire.lab.source import TestbedError

BED = """
about: Two hosts.
hosts: [root, leaf1]
{more}
script:
  - root opens R as c_root/d_root
  - {step}
"""


def lacks(fabric: str, step: str = "everything settles", more: str = "") -> str:
    """Say what a fabric lacks for a testbed."""
    plan = testbed.parse(BED.format(step=step, more=more), Path("bed.yaml"), {})
    return lacking(plan, fabric)


@pytest.mark.parametrize("fabric", ["switch", "sim", "bridge"])
def test_any_fabric_runs_what_asks_for_nothing(fabric: str) -> None:
    assert lacks(fabric) == ""


def test_a_bridge_has_no_part_in_what_becomes_of_messages() -> None:
    faults = 'faults: ["drop the first ACCEPT"]'
    assert lacks("switch", more=faults) == lacks("sim", more=faults) == ""
    assert lacks("bridge", more=faults) == (
        "'drop the first ACCEPT' on the fabric bridge, which passes every message on"
    )


@pytest.mark.parametrize(
    ("step", "able"),
    [
        ("the network cuts off leaf1", True),
        ("the network heals", True),
        ("the network cuts off leaf1 from root", False),
        ("the network cuts off leaf1 one way", False),
    ],
)
def test_a_bridge_parts_a_host_from_all_others_only(step: str, able: bool) -> None:
    assert (lacks("bridge", step) == "") is able
    assert lacks("switch", step) == ""


@pytest.mark.parametrize(
    ("needs", "able", "chosen"),
    [
        ("[]", ["switch", "bridge", "sim"], "switch"),
        ("[kernel]", ["switch", "bridge"], "switch"),
        ("[kernel, snooping]", ["bridge"], "bridge"),
    ],
)
def test_what_a_testbed_needs_is_had_or_told(needs: str, able: list[str], chosen: str) -> None:
    more = f"needs: {needs}"
    found = {fabric: lacks(fabric, more=more) for fabric in ("switch", "bridge", "sim")}
    assert [fabric for fabric, why in found.items() if not why] == able
    for fabric, why in found.items():
        assert why == "" or why.endswith(f", which the fabric {fabric} does not have")
    plan = testbed.parse(BED.format(step="everything settles", more=more), Path("bed.yaml"), {})
    assert preferred(plan) == chosen


def test_what_no_fabric_of_namespaces_can_do_is_left_to_the_switch() -> None:
    more = 'needs: [snooping]\nfaults: ["drop the first ACCEPT"]'
    plan = testbed.parse(BED.format(step="everything settles", more=more), Path("bed.yaml"), {})
    assert preferred(plan) == "switch"


def test_a_need_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(TestbedError, match="'kernel', 'snooping' or 'smcroute'"):
        lacks("switch", more="needs: [magic]")
