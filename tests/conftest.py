"""Labs for tests: skipped only where the kernel refuses the namespaces, with its reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mpwire.errors import MachineError
from mpwire.lab.launch import launch

SCENARIOS = str(Path(__file__).parent / "lab")

Inside = Callable[..., object]
"""(scenario, **specification) -> what the scenario returned."""


@pytest.fixture(scope="session")
def _carriers() -> dict[str, str]:
    """Say per carrier why it does not work here; empty where it does."""
    try:
        with launch({}, "mpwire.lab.probe") as lab:
            (found,) = lab.lines()
            lab.wait()
    except MachineError as error:
        return {"lab": str(error)}
    return {name: str(reason) for name, reason in found.items()}


@pytest.fixture(scope="session")
def inside(_carriers: dict[str, str]) -> Inside:
    """Run a scenario of lab/inner_scenarios.py in a lab and return its result."""
    if reason := _carriers.get("lab"):
        pytest.skip(reason)

    def run(scenario: str, **spec: object) -> object:
        with launch({"scenario": scenario, **spec}, "inner_scenarios", [SCENARIOS]) as lab:
            lines = list(lab.lines())
            assert lab.wait() == spec.get("status", 0), lines
        return lines[-1]["result"]

    return run


@pytest.fixture(scope="module", params=["tap", "veth"])
def carrier(request: pytest.FixtureRequest, _carriers: dict[str, str]) -> str:
    """Give each way to attach a host that works here."""
    if reason := _carriers.get("lab") or _carriers.get(request.param):
        pytest.skip(reason)
    return str(request.param)
