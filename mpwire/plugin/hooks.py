"""What pytest calls. Nothing heavy is imported before a test wants a lab."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from mpwire.plugin.hosts import Expect
    from mpwire.plugin.lab import Lab
    from mpwire.plugin.labs import Labs
    from mpwire.plugin.testbeds import TestbedFile

FABRICS: Final = ("auto", "switch", "sim", "bridge")
SUFFIXES: Final = (".yaml", ".yml")
FOLDER: Final = "testbeds"
_LAB: "Final[pytest.StashKey[Lab]]" = pytest.StashKey()
_LABS: "Final[pytest.StashKey[Labs]]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("mpwire", "multipoint labs")
    group.addoption(
        "--mpwire-fabric",
        choices=FABRICS,
        default="auto",
        help="What labs are made of: network namespaces (switch; bridge, the kernel's own),"
        " virtual time (sim), or what works (auto, the default).",
    )
    group.addoption(
        "--mpwire-seed",
        type=int,
        metavar="N",
        help="Draw all that is random in labs from this, not from what they say.",
    )
    group.addoption(
        "--mpwire-pause",
        action="store_true",
        help="Stop when a test with a lab fails, with a shell that can enter its hosts.",
    )
    group.addoption(
        "--mpwire-out",
        type=Path,
        metavar="DIR",
        help="Folder of the run folders of failures; mpwire-runs in the root folder, if not given.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be."""
    seed = config.getoption("mpwire_seed")
    if seed is not None and seed < 0:
        raise pytest.UsageError(f"--mpwire-seed: expected a number not below 0, found {seed}")
    if config.getoption("mpwire_pause") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--mpwire-pause: expected tests in one process, found -n")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what labs are made of where that was asked for."""
    fabric, seed = config.getoption("mpwire_fabric"), config.getoption("mpwire_seed")
    told = [f"fabric {fabric}"] if fabric != "auto" else []
    told += [f"seed {seed}"] if seed is not None else []
    return f"mpwire: {', '.join(told)}" if told else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "TestbedFile | None":
    """Take testbed files as tests where they are asked for."""
    if file_path.suffix not in SUFFIXES or not _is_asked_for(file_path, parent.session):
        return None
    from mpwire.plugin.testbeds import TestbedFile, is_testbed  # noqa: PLC0415 - asked for

    return TestbedFile.from_parent(parent, path=file_path) if is_testbed(file_path) else None


def _is_asked_for(path: Path, session: pytest.Session) -> bool:
    """Tell whether a file was named, or a folder called testbeds that it is in."""
    folders = (one for one in path.parents if one.name == FOLDER)
    return any(_is_named(one, session) for one in (path, *folders))


def _is_named(path: Path, session: pytest.Session) -> bool:
    """Tell whether a path is among those to collect, or in a folder that is as well.

    Of `pytest . testbeds` the session keeps the first folder only, as the other one is in it.
    """
    if session.isinitpath(path):
        return True
    here, named = session.config.invocation_params.dir, session.config.args
    return any((here / one.partition("::")[0]).resolve() == path for one in named)


def labs_of(config: pytest.Config) -> "Labs":
    """Give the labs of a session."""
    if _LABS not in config.stash:
        from mpwire.plugin.labs import Labs  # noqa: PLC0415 - only where there is a lab

        out = config.getoption("mpwire_out")
        folder = (config.invocation_params.dir / out) if out else config.rootpath / "mpwire-runs"
        config.stash[_LABS] = Labs(config.getoption("mpwire_fabric"), folder)
    return config.stash[_LABS]


def command_of(item: pytest.Item) -> tuple[str, ...]:
    """Give the command line that runs a test alone."""
    fabric, seed = item.config.getoption("mpwire_fabric"), item.config.getoption("mpwire_seed")
    options = () if fabric == "auto" else (f"--mpwire-fabric={fabric}",)
    return ("pytest", item.nodeid, *options, *(() if seed is None else (f"--mpwire-seed={seed}",)))


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> "Generator[Lab]":
    """Give a lab that is not started yet; see docs/pytest.md of mpwire."""
    from mpwire.plugin.lab import Lab, Place  # noqa: PLC0415 - only where there is a lab

    item, config = request.node, request.config
    name = item.nodeid.rpartition("/")[2].replace("::", "-").replace(".py", "")
    seed = config.getoption("mpwire_seed")
    place = Place(name, item.path, config.rootpath, command_of(item), seed)
    lab = item.stash[_LAB] = Lab(labs_of(config), place)
    yield lab
    lab.close()


@pytest.fixture
def expect(lab: "Lab") -> "Expect":
    """Wait for an event of a socket: `expect("L1", "FD_CONNECT")`; see `Lab.expect`."""
    return lab.expect


@pytest.fixture
def never(lab: "Lab") -> "Expect":
    """Claim that something never happens: `never("P2", "FD_CLOSE")`; see `Lab.never`."""
    return lab.never


@pytest.fixture
def exactly_once(lab: "Lab") -> "Expect":
    """Claim that something happens once: `exactly_once("P1", "FD_CLOSE")`."""
    return lab.exactly_once


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Judge the lab of a fixture that has failed."""
    try:
        yield
    except BaseException as error:
        _after_failure(item, error, "setup")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Judge the lab of a test while the test may still fail."""
    try:
        yield
    except BaseException as error:
        _after_failure(item, error, "call")
        raise
    lab = item.stash.get(_LAB, None)
    if lab is not None and lab.started:
        from mpwire.plugin.ending import judge  # noqa: PLC0415 - only where there is a lab

        judge(item, lab)


def _after_failure(item: pytest.Item, error: BaseException, when: str) -> None:
    lab = item.stash.get(_LAB, None)
    stopping = isinstance(error, KeyboardInterrupt | SystemExit | pytest.exit.Exception)
    if lab is not None and lab.started and not stopping:
        from mpwire.plugin.ending import after_failure  # noqa: PLC0415 - only where there is a lab

        after_failure(item, lab, error, when)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once that labs were simulated, though that was not asked for."""
    reasons = {
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "mpwire_simulated_because"
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(
            f"mpwire: simulated, as namespaces are not to be had here: {reason}"
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what still runs."""
    labs = config.stash.get(_LABS, None)
    if labs is not None:
        labs.close()
