"""What a fabric cannot do of a testbed."""

from pathlib import Path

import pytest

from mpwire.lab import testbed
from mpwire.lab.able import lacking, meddles, preferred
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


FAULTS = 'faults: ["drop the first ACCEPT"]'


@pytest.mark.parametrize("fabric", ["switch", "sim", "bridge"])
def test_faults_act_on_any_fabric(fabric: str) -> None:
    assert lacks(fabric, more=FAULTS) == ""
    assert lacks(fabric, "the network cuts off leaf1 from root") == ""


@pytest.mark.parametrize(
    ("step", "more", "needed"),
    [
        ("the network cuts off leaf1", "", False),
        ("the network heals", "", False),
        ("the network cuts off leaf1 from root", "", True),
        ("the network cuts off leaf1 one way", "", True),
        ("everything settles", FAULTS, True),
    ],
)
def test_a_bridge_parts_a_host_from_all_others_by_itself(
    step: str, more: str, needed: bool
) -> None:
    plan = testbed.parse(BED.format(step=step, more=more), Path("bed.yaml"), {})
    assert meddles(plan) is needed


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


def test_faults_do_not_keep_a_testbed_from_the_fabric_that_it_needs() -> None:
    more = f"needs: [snooping]\n{FAULTS}"
    plan = testbed.parse(BED.format(step="everything settles", more=more), Path("bed.yaml"), {})
    assert preferred(plan) == "bridge"


def test_a_need_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(TestbedError, match="'kernel', 'snooping' or 'smcroute'"):
        lacks("switch", more="needs: [magic]")
