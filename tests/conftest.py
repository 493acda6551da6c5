"""Labs for tests: skipped only where the kernel refuses the namespaces, with its reason."""

import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from mpwire.errors import MachineError
from mpwire.lab.launch import launch

SCENARIOS = str(Path(__file__).parent / "lab")

Inside = Callable[..., object]
"""(scenario, **specification) -> what the scenario returned."""


SKIP = "this machine cannot run it: "
"""How the reason of every honest skip begins; in CI any other skip is a failure."""


@cache
def carriers() -> dict[str, str]:
    """Say per carrier why it does not work here, empty where it does; "lab" if nothing does."""
    try:
        with launch({}, "mpwire.lab.probe") as lab:
            (found,) = lab.lines()
            lab.wait()
    except MachineError as error:
        return {"lab": str(error)}
    return {name: str(reason) for name, reason in found.items()}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a requirement be broken on purpose, to see which tests notice."""
    parser.addoption("--break", action="append", default=[], metavar="W10", dest="broken")


def pytest_configure(config: pytest.Config) -> None:
    """Break the requirements that are named, until the session ends."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # We are in the background of a script; what tests start must know Ctrl-C all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in config.getoption("broken"):
        from tests.conformance.patches import break_requirement

        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        break_requirement(name, patch)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a lab where there can be none."""
    if item.get_closest_marker("lab") and (reason := carriers().get("lab")):
        pytest.skip(SKIP + reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run in which a test was skipped for any reason but the machine."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    for report in reporter.stats.get("skipped", []):
        if SKIP not in str(report.longrepr):
            reporter.write_line(f"CI: {report.nodeid} was skipped without need", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def inside() -> Inside:
    """Run a scenario of lab/inner_scenarios.py in a lab and return its result."""
    if reason := carriers().get("lab"):
        pytest.skip(SKIP + reason)

    def run(scenario: str, **spec: object) -> object:
        with launch({"scenario": scenario, **spec}, "inner_scenarios", [SCENARIOS]) as lab:
            lines = list(lab.lines())
            assert lab.wait() == spec.get("status", 0), lines
        return lines[-1]["result"]

    return run


@pytest.fixture(scope="module")
def bridge() -> str:
    """Give the name by which scenarios ask for the fabric bridge, where it works."""
    if reason := carriers().get("lab") or carriers().get("bridge"):
        pytest.skip(SKIP + reason)
    return "bridge"


@pytest.fixture(scope="module", params=["tap", "veth"])
def carrier(request: pytest.FixtureRequest) -> str:
    """Give each way to attach a host to the switch that works here."""
    if reason := carriers().get("lab") or carriers().get(request.param):
        pytest.skip(SKIP + reason)
    return str(request.param)


@pytest.fixture(scope="module", params=["tap", "veth", "gates"])
def attached(request: pytest.FixtureRequest) -> str:
    """Give each way to attach a host that works here: to the switch, or to gates at a bridge."""
    needed = "bridge" if request.param == "gates" else request.param
    if reason := carriers().get("lab") or carriers().get(needed):
        pytest.skip(SKIP + reason)
    return str(request.param)
