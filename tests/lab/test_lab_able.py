"""What a fabric cannot do of a testbed."""

from pathlib import Path

import pytest

from mpwire.lab import testbed
from mpwire.lab.able import lacking

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
